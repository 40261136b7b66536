import type { Clock } from '@tsv/clock';

/** The host's clocks. */
export class HostClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  realtimeMs(): number {
    return performance.timeOrigin + performance.now();
  }
}
