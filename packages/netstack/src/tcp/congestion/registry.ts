import { Bbr } from './bbr.js';
import type { CongestionControl } from './congestion-control.js';
import { Cubic } from './cubic.js';
import { NewReno } from './new-reno.js';

/** The default of TCP_CONGESTION. */
export const DEFAULT_CONGESTION_CONTROL = 'cubic';

/** Names for TCP_CONGESTION, `tcp_available_congestion_control`. */
export const CONGESTION_CONTROLS = ['reno', 'cubic', 'bbr'] as const;

/** A new congestion control of that name; undefined if there is none. */
export function createCongestionControl(name: string): CongestionControl | undefined {
  switch (name) {
    case 'reno':
      return new NewReno();
    case 'cubic':
      return new Cubic();
    case 'bbr':
      return new Bbr();
    default:
      return undefined;
  }
}
