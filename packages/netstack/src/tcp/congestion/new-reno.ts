import type { AckSample } from '../ack-sample.js';
import { CongestionControl } from './congestion-control.js';

/** Congestion control of RFC 5681 and RFC 6582. */
export class NewReno extends CongestionControl {
  readonly name = 'reno';

  onAck(sample: Readonly<AckSample>): void {
    if (!sample.isCwndLimited) return;
    const left = this.isInSlowStart ? this.slowStart(sample.ackedBytes) : sample.ackedBytes;
    // RFC 5681 section 3.1, equation 3: a segment each round trip.
    if (left > 0) this.cwndBytes += (this.mssBytes * left) / this.cwndBytes;
  }

  ssthreshOnLoss(): number {
    return Math.max(this.cwndBytes / 2, this.ssthreshBytesMin);
  }
}
