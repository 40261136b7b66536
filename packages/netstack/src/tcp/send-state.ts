import { ByteRing, NO_RING, RING_BYTES_MIN } from './byte-ring.js';
import type { CongestionControl } from './congestion/congestion-control.js';
import { Flight, NO_FLIGHT } from './flight.js';
import type { LossRecovery } from './loss-recovery.js';
import type { Rack } from './rack.js';
import { RttEstimator } from './rtt-estimator.js';
import { type Segment, SYN } from './segment.js';
import { seqDiff, seqGt, seqLe, seqLt } from './sequence.js';
import type { SentQueue } from './sent-queue.js';
import type { TcpOptions } from './tcp-options.js';
import type { TcpSettings } from './tcp-settings.js';

/** What the sending half of a connection is made of: SND.* of RFC 9293 section 3.3.1, the text, and what is in flight. */
export abstract class SendState {
  readonly settings: Readonly<TcpSettings>;
  /** Read live: they may change at any time. */
  options: TcpOptions;
  readonly rtt = new RttEstimator();
  #ring = NO_RING;
  #ringBytes = RING_BYTES_MIN;
  /** Taken with the first segment that is sent, and given back when everything is acknowledged. */
  protected flight = NO_FLIGHT;
  #cc: CongestionControl;

  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  /** SND.WND in bytes. */
  sndWnd = 0;
  sndWl1 = 0;
  sndWl2 = 0;
  /** Largest window that the peer has offered: Max(SND.WND). */
  maxSndWnd = 0;
  /** Shift of the peer's window field. */
  windowShift = 0;
  /** One past the urgent text, if `hasUrgent`. */
  sndUp = 0;
  hasUrgent = false;
  /** Text bytes of a segment: Eff.snd.MSS of RFC 9293 section 3.7.1. */
  mssBytes = 536;
  /** Both sides agreed on ECN. */
  isEcnUsed = false;
  /** Both sides agreed on SACK. */
  isSackUsed = false;
  /** What is added to milliseconds to make a timestamp, RFC 7323 section 5.4. */
  tsOffset = 0;
  /** The link cuts up larger segments. */
  isGsoUsed = false;

  bufferBytesMax = 0;
  /** The application said that more follows at once (MSG_MORE). */
  hasMore = false;
  retriesMax = 15;

  isFinQueued = false;
  /** Timeouts in a row, of the retransmission timer or of window probes. */
  retryCount = 0;
  retransmitCount = 0;
  retransmittedBytes = 0;
  /** Text and FINs, what was sent again included. */
  sentBytes = 0;
  ackedBytes = 0;
  /** Delivered bytes whose acknowledgement told of congestion, RFC 3168. */
  deliveredCeBytes = 0;
  lastSentMs = -1;
  /** When the peer last took something, or there was nothing for it to take. */
  progressMs = 0;

  /** Sequence number of the first byte in the ring. */
  protected dataSeq = 0;
  /** What the flights that were given back have delivered, and the last rate that they saw. */
  #deliveredBytes = 0;
  #deliveryBytesPerMs = 0;
  #isDeliveryAppLimited = false;

  constructor(settings: Readonly<TcpSettings>, options: TcpOptions, cc: CongestionControl) {
    this.settings = settings;
    this.options = options;
    this.#cc = cc;
  }

  get cc(): CongestionControl {
    return this.#cc;
  }

  /** Text that is not acknowledged. */
  get ring(): ByteRing {
    return this.#ring;
  }

  /** Segments that were sent and not yet acknowledged. */
  get queue(): SentQueue {
    return this.flight.queue;
  }

  get recovery(): LossRecovery {
    return this.flight.recovery;
  }

  get rack(): Rack {
    return this.flight.rack;
  }

  /** Bytes that have arrived so far. */
  get deliveredBytes(): number {
    return this.flight === NO_FLIGHT ? this.#deliveredBytes : this.flight.rate.deliveredBytes;
  }

  /** The last sample of the delivery rate, and whether the application limited it. */
  get deliveryBytesPerMs(): number {
    return this.flight.rate.lastRateBytesPerMs || this.#deliveryBytesPerMs;
  }

  get isDeliveryAppLimited(): boolean {
    return this.flight.rate.lastRateBytesPerMs > 0 ? this.flight.rate.isLastAppLimited : this.#isDeliveryAppLimited;
  }

  /** Sequence number behind the queued text. */
  get endSeq(): number {
    return (this.dataSeq + this.ring.len) | 0;
  }

  get unsentBytes(): number {
    return Math.max(0, seqDiff(this.endSeq, this.sndNxt));
  }

  /** Our FIN has been sent. */
  get isFinSent(): boolean {
    return this.isFinQueued && seqGt(this.sndNxt, this.endSeq);
  }

  get isFinAcked(): boolean {
    return this.isFinQueued && seqGt(this.sndUna, this.endSeq);
  }

  /** Everything queued is acknowledged, the FIN too. */
  get isDrained(): boolean {
    return this.ring.len === 0 && (!this.isFinQueued || this.isFinAcked);
  }

  get freeBytes(): number {
    return Math.max(0, this.bufferBytesMax - this.ring.len);
  }

  /** The handshake starts with `iss`. */
  start(iss: number, nowMs: number): void {
    this.iss = iss;
    this.sndUna = iss;
    this.sndNxt = (iss + 1) | 0;
    this.dataSeq = (iss + 1) | 0;
    this.progressMs = nowMs;
  }

  /** Our SYN, and `ack - iss - 1` bytes of text in it, are acknowledged. */
  onSynAcked(ack: number, nowMs: number): void {
    this.consume(Math.max(0, seqDiff(ack, this.dataSeq)));
    this.sndUna = ack;
    this.sndNxt = ack;
    this.dataSeq = ack;
    this.progressMs = nowMs;
    this.retryCount = 0;
  }

  /** Queues text. Preconditions: there is room for it. */
  push(src: Uint8Array, at: number, len: number): void {
    if (this.#ring === NO_RING) this.#ring = ByteRing.take(this.#ringBytes);
    this.#ring.push(src, at, len);
  }

  /** Goes on with `cc`, which has been started. */
  setCongestionControl(cc: CongestionControl): void {
    this.#cc = cc;
    if (this.flight !== NO_FLIGHT) this.flight.recovery.cc = cc;
  }

  /** The path takes `mssBytes` of text in a segment, after the handshake or when the path MTU changes. */
  setCeiling(mssBytes: number): void {
    if (this.flight === NO_FLIGHT && this.settings.mtuProbing === 2) this.flight = Flight.take(this);
    this.setMss(this.flight === NO_FLIGHT ? mssBytes : this.flight.prober.setCeiling(mssBytes));
  }

  protected setMss(mssBytes: number): void {
    const isSmaller = mssBytes < this.mssBytes;
    this.mssBytes = mssBytes;
    this.#cc.mssBytes = mssBytes;
    if (this.flight === NO_FLIGHT) return;
    this.flight.scoreboard.mssBytes = mssBytes;
    if (isSmaller && this.queue.count > 0) this.recovery.onMtuReduced(mssBytes);
  }

  /** SND.WND from the peer's segment: RFC 9293 section 3.10.7.4, fifth. True if the window moved. */
  updateWindow(seg: Readonly<Segment>): boolean {
    const isNewer = seqLt(this.sndWl1, seg.seq) || (this.sndWl1 === seg.seq && seqLe(this.sndWl2, seg.ack));
    if (!isNewer) return false;
    // RFC 7323 section 2.2: the window of a SYN is never scaled.
    return this.setWindow(seg, seg.flags & SYN ? seg.window : seg.window << this.windowShift);
  }

  /** Takes `windowBytes`, which `seg` offers, in any case. */
  setWindow(seg: Readonly<Segment>, windowBytes: number): boolean {
    const hasChanged = windowBytes !== this.sndWnd;
    this.sndWl1 = seg.seq;
    this.sndWl2 = seg.ack;
    this.sndWnd = windowBytes;
    if (windowBytes > this.maxSndWnd) this.maxSndWnd = windowBytes;
    return hasChanged;
  }

  /** Gives the flight back if there is nothing left that needs it. */
  protected rest(): void {
    const flight = this.flight;
    if (flight === NO_FLIGHT || !flight.isOver) return;
    this.#deliveryBytesPerMs = this.deliveryBytesPerMs;
    this.#isDeliveryAppLimited = this.isDeliveryAppLimited;
    this.#deliveredBytes = flight.rate.deliveredBytes;
    this.flight = NO_FLIGHT;
    flight.release();
    this.#cc.onRest();
  }

  protected consume(len: number): void {
    if (len > 0) this.#ring.consume(len);
    if (this.#ring.len === 0) this.freeRing();
  }

  protected freeRing(): void {
    if (this.#ring === NO_RING) return;
    this.#ringBytes = this.#ring.release();
    this.#ring = NO_RING;
  }
}
