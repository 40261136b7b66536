import native from '../native/index.js';

/**
 * Puts the event loop's thread to sleep on a futex, from where a wake-up is cheaper than through the loop. A helper
 * thread watches the loop's descriptor meanwhile, so that no event or timer is late.
 *
 * Preconditions: `sleep` is called from a {@link PollPhase}, when nothing else is due.
 */
export const LoopSleeper = native.LoopSleeper;
export type LoopSleeper = InstanceType<typeof native.LoopSleeper>;
