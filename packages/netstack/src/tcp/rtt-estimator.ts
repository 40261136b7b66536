/** RFC 6298 section 2.1. */
export const RTO_INITIAL_MS = 1000;
/** As Linux: below the 1 s of RFC 6298 section 2.4, above any delayed acknowledgement. */
export const RTO_MIN_MS = 200;
export const RTO_MAX_MS = 120_000;
/** How long the smallest round trip is believed: `tcp_min_rtt_wlen`. */
const MIN_RTT_WINDOW_MS = 300_000;

/** Round-trip times and the retransmission timeout, RFC 6298. */
export class RttEstimator {
  /** Smoothed round trip; 0 before the first sample. */
  srttMs = 0;
  rttvarMs = 0;
  /** Smallest round trip of the last five minutes; Infinity before the first sample. */
  minRttMs = Infinity;
  latestMs = -1;
  /** Doublings of the timeout since the last sample: {@link RTO_MAX_MS} ends them long before there are 31. */
  backoff = 0;
  #minRttAtMs = 0;
  #initialRtoMs = RTO_INITIAL_MS;

  /** Takes a sample of a segment that was sent once (Karn's algorithm, section 3). */
  onSample(rttMs: number, nowMs: number): void {
    this.latestMs = rttMs;
    if (rttMs <= this.minRttMs || nowMs - this.#minRttAtMs > MIN_RTT_WINDOW_MS) {
      this.minRttMs = rttMs;
      this.#minRttAtMs = nowMs;
    }
    if (this.srttMs === 0) {
      this.srttMs = Math.max(rttMs, Number.MIN_VALUE);
      this.rttvarMs = rttMs / 2;
    } else {
      this.rttvarMs += (Math.abs(this.srttMs - rttMs) - this.rttvarMs) / 4;
      this.srttMs = Math.max(this.srttMs + (rttMs - this.srttMs) / 8, Number.MIN_VALUE);
    }
    this.backoff = 0;
  }

  get hasSample(): boolean {
    return this.latestMs >= 0;
  }

  /** The timeout, with its backoff. */
  get rtoMs(): number {
    // As Linux, the minimum is one of the variance: an RTO of srtt + 200 ms outlives a delayed acknowledgement.
    const rtoMs = this.hasSample ? this.srttMs + Math.max(4 * this.rttvarMs, RTO_MIN_MS) : this.#initialRtoMs;
    return Math.min(rtoMs * (1 << this.backoff), RTO_MAX_MS);
  }

  /** Section 5.5: doubles the timeout. */
  backOff(): void {
    if (this.rtoMs < RTO_MAX_MS) this.backoff++;
  }

  /** Section 5.7: the SYN was sent again, so the first timeout for text is 3 s. */
  onSynRetransmitted(): void {
    this.#initialRtoMs = 3 * RTO_INITIAL_MS;
    this.backoff = 0;
  }
}
