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
  /** Taken with the first acknowledgement in slow start, and given back when nothing is in flight. */
  #hystart: HyStart | null = null;
  /** Made when slow start ends. */
  #curve: Curve | null = null;
  #srttMs = 0;

  get name(): string {
    return 'cubic';
  }

  onAck(sample: Readonly<AckSample>, nowMs: number): void {
    if (sample.rttMs >= 0) this.#srttMs += (sample.rttMs - this.#srttMs) / (this.#srttMs === 0 ? 1 : 8);
    let ackedBytes = sample.ackedBytes;
    if (this.isInSlowStart && (this.#hystart ??= HyStart.take()).onAck(sample)) this.ssthreshBytes = this.cwndBytes;
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
    (this.#curve ??= new Curve()).onLoss(this.cwndBytes / this.mssBytes);
    return Math.max(this.cwndBytes * BETA, this.ssthreshBytesMin);
  }

  override onStateChange(state: CaState): void {
    if (state !== CaState.LOSS) return;
    this.#curve?.endEpoch();
    this.#hystart?.reset();
  }

  override onUndo(): void {
    this.#curve?.undo();
  }

  /** Round trips are compared within one flight. Conservative slow start goes on with the next. */
  override onRest(): void {
    if (this.#hystart === null || this.#hystart.isConservative) return;
    this.#hystart.release();
    this.#hystart = null;
  }

  /** Section 4.2: the curve does not grow while nothing is sent. */
  override onIdleEnd(idleMs: number): void {
    this.#curve?.skip(idleMs);
  }

  #avoidCongestion(ackedBytes: number, nowMs: number): void {
    const cwnd = this.cwndBytes / this.mssBytes;
    const acked = ackedBytes / this.mssBytes;
    const grown = (this.#curve ??= new Curve()).grow(cwnd, acked, this.#srttMs / 1000, nowMs);
    this.cwndBytes = Math.min(grown, cwnd + acked) * this.mssBytes;
  }
}

/** How the window grows behind a reduction: section 4.2. */
class Curve {
  #wMax = 0;
  #k = 0;
  #wEst = 0;
  #cwndPrior = 0;
  /** Start of the congestion avoidance epoch; -1 when the next acknowledgement starts one. */
  #epochMs = -1;
  /** State before the last reduction, for {@link Curve.undo}. */
  #undoWMax = 0;

  onLoss(cwnd: number): void {
    this.#epochMs = -1;
    this.#undoWMax = this.#wMax;
    // Fast convergence, section 4.7: leave room for new flows.
    this.#wMax = cwnd < this.#wMax ? (cwnd * (1 + BETA)) / 2 : cwnd;
    this.#cwndPrior = cwnd;
  }

  endEpoch(): void {
    this.#epochMs = -1;
  }

  /** The last loss was none. */
  undo(): void {
    this.#wMax = this.#undoWMax;
    this.#epochMs = -1;
  }

  /** Stands still for `idleMs`. */
  skip(idleMs: number): void {
    if (this.#epochMs >= 0) this.#epochMs += idleMs;
  }

  /** The window after `acked` segments were acknowledged. */
  grow(cwnd: number, acked: number, rttSec: number, nowMs: number): number {
    if (this.#epochMs < 0) this.#startEpoch(cwnd, nowMs);
    const tSec = (nowMs - this.#epochMs) / 1000;

    // Section 4.3: what Reno would have.
    this.#wEst += (this.#wEst < this.#cwndPrior ? ALPHA : 1) * (acked / cwnd);
    return this.#cubic(tSec) < this.#wEst
      ? Math.max(cwnd, this.#wEst)
      : cwnd + ((Math.min(Math.max(this.#cubic(tSec + rttSec), cwnd), 1.5 * cwnd) - cwnd) / cwnd) * acked;
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
