import type { AckSample } from '../ack-sample.js';

/** RFC 9406 section 4.3. */
const MIN_RTT_THRESH_MS = 4;
const MAX_RTT_THRESH_MS = 16;
const MIN_RTT_DIVISOR = 8;
const RTT_SAMPLES_MIN = 8;
export const CSS_GROWTH_DIVISOR = 4;
const CSS_ROUNDS = 5;

/** HyStart++, RFC 9406: leaves slow start when round trips grow, before anything is lost. */
export class HyStart {
  /** In Conservative Slow Start. */
  isConservative = false;
  #roundEndBytes = 0;
  #lastMinRttMs = Infinity;
  #minRttMs = Infinity;
  #sampleCount = 0;
  #cssBaselineMs = Infinity;
  #cssRoundCount = 0;

  /** One that knows nothing yet. */
  static take(): HyStart {
    return spares.pop() ?? new HyStart();
  }

  /** Gives it back. Nobody touches it after this. */
  release(): void {
    if (spares.length === SPARE_COUNT_MAX) return;
    this.reset();
    this.#roundEndBytes = 0;
    spares.push(this);
  }

  /** Takes an acknowledgement in slow start. True when slow start should end. */
  onAck(sample: Readonly<AckSample>): boolean {
    if (sample.priorDeliveredBytes >= this.#roundEndBytes) {
      this.#roundEndBytes = sample.totalDeliveredBytes;
      this.#lastMinRttMs = this.#minRttMs;
      this.#minRttMs = Infinity;
      this.#sampleCount = 0;
      if (this.isConservative && ++this.#cssRoundCount >= CSS_ROUNDS) return true;
    }
    if (sample.rttMs < 0) return false;
    this.#minRttMs = Math.min(this.#minRttMs, sample.rttMs);
    this.#sampleCount++;
    if (this.#sampleCount >= RTT_SAMPLES_MIN) this.#judge();
    return false;
  }

  reset(): void {
    this.isConservative = false;
    this.#minRttMs = Infinity;
    this.#lastMinRttMs = Infinity;
    this.#sampleCount = 0;
  }

  #judge(): void {
    if (this.isConservative) {
      // The growth was a spike: back to slow start.
      if (this.#minRttMs < this.#cssBaselineMs) this.isConservative = false;
      return;
    }
    if (this.#lastMinRttMs === Infinity) return;
    const threshMs = Math.max(MIN_RTT_THRESH_MS, Math.min(this.#lastMinRttMs / MIN_RTT_DIVISOR, MAX_RTT_THRESH_MS));
    if (this.#minRttMs >= this.#lastMinRttMs + threshMs) {
      this.isConservative = true;
      this.#cssBaselineMs = this.#minRttMs;
      this.#cssRoundCount = 0;
    }
  }
}

const SPARE_COUNT_MAX = 1024;
const spares: HyStart[] = [];
