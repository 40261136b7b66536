/** Whom a signal goes to. */
export const DELIVERY_MODES = ['process', 'all', 'process-group', 'foreground-process-group'] as const;
export type DeliveryMode = (typeof DELIVERY_MODES)[number];
