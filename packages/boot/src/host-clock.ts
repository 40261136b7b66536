import { clockMs } from '@tsv/host';
import type { Clock } from '@tsv/clock';

const CLOCK_REALTIME = 0;

/** The host's clocks. */
export class HostClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  realtimeMs(): number {
    return clockMs(CLOCK_REALTIME);
  }
}
