import type { AckSample } from '../ack-sample.js';
import { CongestionControl } from './congestion-control.js';

/** Congestion control of RFC 5681 and RFC 6582. */
export class NewReno extends CongestionControl {
  get name(): string {
    return 'reno';
  }

  onAck(sample: Readonly<AckSample>): void {
    if (!sample.isCwndLimited) return;
    const left = this.isInSlowStart ? this.slowStart(sample.ackedBytes) : sample.ackedBytes;
    // RFC 5681 section 3.1, equation 3: a segment each round trip.
    if (left > 0) this.cwndBytes += (this.mssBytes * left) / this.cwndBytes;
  }

  /** RFC 5681 section 3.1, equation 4: what limited transmit has sent beyond the window does not count. */
  ssthreshOnLoss(flightBytes: number): number {
    return Math.max(Math.min(flightBytes, this.cwndBytes) / 2, this.ssthreshBytesMin);
  }
}
