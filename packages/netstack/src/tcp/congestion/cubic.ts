import type { AckSample } from '../ack-sample.js';
import { CaState, CongestionControl } from './congestion-control.js';
import { CSS_GROWTH_DIVISOR, HyStart } from './hystart.js';

/** Multiplicative decrease, RFC 9438 section 4.6. */
const BETA = 0.7;
/** Aggressiveness, in segments per second cubed: section 5.1. */
const C = 0.4;
/** Growth of the Reno-friendly estimate while below the last maximum: section 4.3. */
const ALPHA = (3 * (1 - BETA)) / (1 + BETA);

/** CUBIC, RFC 9438, with HyStart++ (RFC 9406). Windows inside are in segments, times in seconds. */
export class Cubic extends CongestionControl {
  readonly name = 'cubic';
  /** Made with the first acknowledgement of text. */
  #hystart: HyStart | null = null;
  #wMax = 0;
  #k = 0;
  #wEst = 0;
  #cwndPrior = 0;
  /** Start of the congestion avoidance epoch; -1 when the next acknowledgement starts one. */
  #epochMs = -1;
  #srttMs = 0;
  /** State before the last reduction, for {@link Cubic.onUndo}. */
  #undoWMax = 0;

  onAck(sample: Readonly<AckSample>, nowMs: number): void {
    if (sample.rttMs >= 0) this.#srttMs += (sample.rttMs - this.#srttMs) / (this.#srttMs === 0 ? 1 : 8);
    let ackedBytes = sample.ackedBytes;
    if (this.isInSlowStart && (this.#hystart ??= new HyStart()).onAck(sample)) this.ssthreshBytes = this.cwndBytes;
    if (!sample.isCwndLimited) return;
    if (this.isInSlowStart) {
      if (this.#hystart?.isConservative === true) {
        this.cwndBytes += ackedBytes / CSS_GROWTH_DIVISOR;
        return;
      }
      ackedBytes = this.slowStart(ackedBytes);
      if (ackedBytes === 0) return;
    }
    this.#avoidCongestion(ackedBytes, nowMs);
  }

  /** Section 4.6 lets the window stand for what is in flight where it does not grow while less is. */
  ssthreshOnLoss(): number {
    const cwnd = this.cwndBytes / this.mssBytes;
    this.#epochMs = -1;
    this.#undoWMax = this.#wMax;
    // Fast convergence, section 4.7: leave room for new flows.
    this.#wMax = cwnd < this.#wMax ? (cwnd * (1 + BETA)) / 2 : cwnd;
    this.#cwndPrior = cwnd;
    return Math.max(this.cwndBytes * BETA, this.ssthreshBytesMin);
  }

  override onStateChange(state: CaState): void {
    if (state !== CaState.LOSS) return;
    this.#epochMs = -1;
    this.#hystart?.reset();
  }

  override onUndo(): void {
    this.#wMax = this.#undoWMax;
    this.#epochMs = -1;
  }

  /** Section 4.2: the curve does not grow while nothing is sent. */
  override onIdleEnd(idleMs: number): void {
    if (this.#epochMs >= 0) this.#epochMs += idleMs;
  }

  #avoidCongestion(ackedBytes: number, nowMs: number): void {
    const cwnd = this.cwndBytes / this.mssBytes;
    const acked = ackedBytes / this.mssBytes;
    if (this.#epochMs < 0) this.#startEpoch(cwnd, nowMs);
    const tSec = (nowMs - this.#epochMs) / 1000;
    const rttSec = this.#srttMs / 1000;

    // Section 4.3: what Reno would have.
    this.#wEst += (this.#wEst < this.#cwndPrior ? ALPHA : 1) * (acked / cwnd);
    const grown =
      this.#cubic(tSec) < this.#wEst
        ? Math.max(cwnd, this.#wEst)
        : cwnd + ((Math.min(Math.max(this.#cubic(tSec + rttSec), cwnd), 1.5 * cwnd) - cwnd) / cwnd) * acked;
    this.cwndBytes = Math.min(grown, cwnd + acked) * this.mssBytes;
  }

  #startEpoch(cwnd: number, nowMs: number): void {
    this.#epochMs = nowMs;
    this.#wEst = cwnd;
    if (cwnd < this.#wMax) {
      this.#k = Math.cbrt((this.#wMax - cwnd) / C);
    } else {
      this.#k = 0;
      this.#wMax = cwnd;
      this.#cwndPrior = cwnd;
    }
  }

  /** W_cubic(t), section 4.2. */
  #cubic(tSec: number): number {
    return C * (tSec - this.#k) ** 3 + this.#wMax;
  }
}
