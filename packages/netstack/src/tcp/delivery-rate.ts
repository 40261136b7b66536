import type { AckSample } from './ack-sample.js';
import { type SentSegment, SentFlag } from './sent-queue.js';

/** Delivery rate estimation: draft-cheng-iccrg-delivery-rate-estimation, as `net/ipv4/tcp_rate.c` does it. */
export class DeliveryRate {
  /** Bytes delivered so far. */
  deliveredBytes = 0;
  deliveredMs = 0;
  /** When the segment was sent that was delivered last. */
  firstXmitMs = 0;
  /** Until this many bytes are delivered, the application limits the rate; 0 if it does not. */
  appLimitedUntilBytes = 0;
  /** The last sample, for TCP_INFO. */
  lastRateBytesPerMs = 0;
  isLastAppLimited = false;
  /** The newest segment delivered in this sample. */
  #priorMs = -1;
  #priorBytes = 0;
  #isPriorAppLimited = false;
  #sendElapsedMs = 0;

  /** Nothing is on its way, for the application has had nothing to send, and `deliveredBytes` have arrived before. */
  start(deliveredBytes: number): void {
    this.deliveredBytes = deliveredBytes;
    this.onAppLimited(0);
    this.lastRateBytesPerMs = 0;
    this.isLastAppLimited = false;
    this.#priorMs = -1;
  }

  /** Notes in `sent` what has been delivered. `isPipeEmpty`: nothing else was in flight. */
  onSend(sent: SentSegment, isPipeEmpty: boolean, nowMs: number): void {
    if (isPipeEmpty) {
      this.firstXmitMs = nowMs;
      this.deliveredMs = nowMs;
    }
    sent.firstXmitMs = this.firstXmitMs;
    sent.deliveredMs = this.deliveredMs;
    sent.deliveredBytes = this.deliveredBytes;
    if (this.appLimitedUntilBytes > 0) sent.flags |= SentFlag.APP_LIMITED;
    else sent.flags &= ~SentFlag.APP_LIMITED;
  }

  /** The application has nothing more to send while `inFlightBytes` are out. */
  onAppLimited(inFlightBytes: number): void {
    this.appLimitedUntilBytes = Math.max(1, this.deliveredBytes + inFlightBytes);
  }

  /** `len` bytes of `sent` have arrived. Preconditions: called once for each byte. */
  onDelivered(sent: Readonly<SentSegment>, len: number, nowMs: number): void {
    this.deliveredBytes += len;
    this.deliveredMs = nowMs;
    if (this.#priorMs >= 0 && sent.deliveredBytes < this.#priorBytes) return;
    this.#priorMs = sent.deliveredMs;
    this.#priorBytes = sent.deliveredBytes;
    this.#isPriorAppLimited = (sent.flags & SentFlag.APP_LIMITED) !== 0;
    this.#sendElapsedMs = sent.xmitMs - sent.firstXmitMs;
    this.firstXmitMs = sent.xmitMs;
  }

  /** Completes `sample` after all of an acknowledgement was looked at. */
  finish(sample: AckSample, minRttMs: number): void {
    if (this.appLimitedUntilBytes > 0 && this.deliveredBytes > this.appLimitedUntilBytes) {
      this.appLimitedUntilBytes = 0;
    }
    sample.totalDeliveredBytes = this.deliveredBytes;
    if (this.#priorMs < 0) return;
    const ackElapsedMs = this.deliveredMs - this.#priorMs;
    const intervalMs = Math.max(this.#sendElapsedMs, ackElapsedMs);
    const bytes = this.deliveredBytes - this.#priorBytes;
    sample.priorDeliveredBytes = this.#priorBytes;
    sample.isAppLimited = this.#isPriorAppLimited;
    this.#priorMs = -1;
    // A sample over less than a round trip would be too high.
    if (intervalMs <= 0 || intervalMs < minRttMs) return;
    sample.rateIntervalMs = intervalMs;
    sample.rateBytesPerMs = bytes / intervalMs;
    if (!sample.isAppLimited || sample.rateBytesPerMs >= this.lastRateBytesPerMs) {
      this.lastRateBytesPerMs = sample.rateBytesPerMs;
      this.isLastAppLimited = sample.isAppLimited;
    }
  }
}
