import { CaState } from './congestion/congestion-control.js';
import { Flight, NO_FLIGHT } from './flight.js';
import { RTO_MAX_MS } from './rtt-estimator.js';
import { ACK, ECE, FIN, type Segment, SYN } from './segment.js';
import { SendState } from './send-state.js';
import { seqDiff, seqGe, seqGt, seqLe } from './sequence.js';
import { SENT_SEGMENTS_MAX, SentFlag, type SentSegment } from './sent-queue.js';

/** What the one timer of the sender waits for. */
export const SendTimer = { NONE: 0, RETRANSMIT: 1, LOSS_PROBE: 2, REORDER: 3, PERSIST: 4 } as const;
export type SendTimer = (typeof SendTimer)[keyof typeof SendTimer];

/** What {@link Sender.runTimer} asks for. */
export const SendEvent = { NONE: 0, PROBE_WINDOW: 1, GIVE_UP: 2 } as const;
export type SendEvent = (typeof SendEvent)[keyof typeof SendEvent];

/** tcp(7): text may be corked for at most 200 ms. */
const CORK_MS_MAX = 200;
/** Text of one segment that the link cuts up (GSO). */
const GSO_BYTES_MAX = 65535 - 60 - 40;

/** The sending half of a connection: when to send what. */
export class Sender extends SendState {
  timer: SendTimer = SendTimer.NONE;
  timerAtMs = Infinity;
  #corkedSinceMs = -1;
  #pacedUntilMs = 0;
  /** When pacing or corking lets the next segment go. */
  #wakeAtMs = Infinity;
  #mayOverrideSws = false;

  /** Earliest time at which something may have to be done. */
  get pollAtMs(): number {
    return Math.min(this.timerAtMs, this.#wakeAtMs);
  }

  /** Takes an acknowledgement in sndUna..sndNxt of a synchronized state. True if `sndUna` moved. */
  acceptAck(seg: Readonly<Segment>, tsNow: number, nowMs: number): boolean {
    const { queue, recovery } = this;
    const { sample } = recovery;
    this.#wakeAtMs = Infinity;
    const priorUna = this.sndUna;
    const hasWindowChanged = this.updateWindow(seg);
    sample.clear();
    sample.priorInFlightBytes = queue.inFlightBytes;
    sample.hasUnaAdvanced = seqGt(seg.ack, priorUna);
    sample.hasEce = this.isEcnUsed && (seg.flags & ECE) !== 0;
    sample.hasTimestamps = seg.hasTimestamps;
    sample.tsEcr = seg.tsEcr;
    sample.isCwndLimited = this.#isCwndLimited();
    if (sample.hasUnaAdvanced) this.#advance(seg.ack, nowMs);
    if (recovery.isSackUsed && seg.sackCount > 0) {
      this.flight.scoreboard.processSacks(seg, priorUna, this.sndNxt, recovery.highSeq, sample, nowMs);
    }
    if (!sample.hasUnaAdvanced) {
      const isBare = seg.textLen === 0 && (seg.flags & FIN) === 0;
      sample.isDuplicate = queue.count > 0 && isBare && !hasWindowChanged && !sample.hasDsack;
    }
    if (sample.hasEce) this.deliveredCeBytes += sample.deliveredBytes;
    this.#sampleRtt(seg, tsNow, nowMs);
    // A probe that was answered counts as no failure (RFC 9293 section 3.8.6.1, MUST-37).
    if (sample.hasUnaAdvanced || this.timer === SendTimer.PERSIST) this.retryCount = 0;
    const { prober } = this.flight;
    if (sample.hasProbeDelivered && prober.probeBytes > 0) this.setMss(prober.onDelivered());
    if (queue.count > 0 || sample.hasUnaAdvanced) recovery.onAck(this.sndUna, this.sndNxt, nowMs);
    this.#rearmOnAck(nowMs);
    if (sample.hasUnaAdvanced && !this.#hasWork()) this.rest();
    return sample.hasUnaAdvanced;
  }

  /**
   * The next segment to send, already counted as sent; null if nothing may go now. Its text starts at
   * {@link Sender.textOffset} in the ring.
   */
  next(nowMs: number): SentSegment | null {
    this.#wakeAtMs = Infinity;
    if (this.flight.mustProbe && this.queue.tail !== null) return this.#nextProbe(this.queue.tail, nowMs);
    if (nowMs < this.#pacedUntilMs && this.#hasWork()) {
      this.#wakeAtMs = this.#pacedUntilMs;
      return null;
    }
    const lost = this.recovery.holdsRetransmissions ? null : this.queue.firstLost();
    if (lost !== null) return this.#retransmit(lost, nowMs);
    return this.#nextNew(nowMs);
  }

  /** Where the text of `sent` starts in the ring. */
  textOffset(sent: Readonly<SentSegment>): number {
    return seqDiff(sent.seq, this.dataSeq);
  }

  /** Text bytes of `sent`. */
  textLen(sent: Readonly<SentSegment>): number {
    return sent.len - (sent.flags & SentFlag.FIN ? 1 : 0);
  }

  /** Does what the timer waited for, if its time has come. */
  runTimer(nowMs: number): SendEvent {
    if (nowMs < this.timerAtMs) return SendEvent.NONE;
    const kind = this.timer;
    switch (kind) {
      case SendTimer.NONE:
        this.timerAtMs = Infinity;
        return SendEvent.NONE;
      case SendTimer.RETRANSMIT:
        return this.#onRetransmitTimer(nowMs);
      case SendTimer.LOSS_PROBE:
        this.flight.mustProbe = true;
        this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
        return SendEvent.NONE;
      case SendTimer.REORDER:
        this.recovery.onReorderTimeout(this.sndUna, this.sndNxt, nowMs);
        this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
        return SendEvent.NONE;
      case SendTimer.PERSIST:
        return this.#onPersistTimer(nowMs);
    }
  }

  /** Forgets what is queued and stops the timer. */
  clear(): void {
    this.queue.clear();
    this.freeRing();
    this.dataSeq = this.sndNxt;
    this.#wakeAtMs = Infinity;
    this.flight.mustProbe = false;
    this.#arm(SendTimer.NONE, Infinity);
    this.rest();
  }

  #advance(ack: number, nowMs: number): void {
    const { recovery, scoreboard } = this.flight;
    scoreboard.acknowledge(ack, recovery.highSeq, recovery.sample, nowMs);
    this.ackedBytes += recovery.sample.ackedBytes;
    this.sndUna = ack;
    const consumed = Math.min(seqDiff(ack, this.dataSeq), this.ring.len);
    this.consume(consumed);
    this.dataSeq = (this.dataSeq + consumed) | 0;
    if (this.hasUrgent && seqGe(ack, this.sndUp)) this.hasUrgent = false;
    if (this.flight.hasSmall && seqGe(ack, this.flight.smallEnd)) this.flight.hasSmall = false;
    this.progressMs = nowMs;
    const { queue } = this;
    if (queue.count === 0 && queue.renoSackedBytes > 0) queue.renoSackedBytes = 0;
  }

  #sampleRtt(seg: Readonly<Segment>, tsNow: number, nowMs: number): void {
    const { sample } = this.recovery;
    let rttMs = sample.firstRttMs;
    // RFC 7323 section 4.3: timestamps make samples of segments that were sent again.
    if (rttMs < 0 && sample.hasUnaAdvanced && seg.hasTimestamps && seg.tsEcr !== 0) {
      const elapsed = seqDiff(tsNow, seg.tsEcr);
      if (elapsed >= 0 && elapsed < RTO_MAX_MS) rttMs = elapsed;
    }
    if (rttMs >= 0) this.rtt.onSample(rttMs, nowMs);
    else if (sample.hasUnaAdvanced) this.rtt.backoff = 0;
  }

  #isCwndLimited(): boolean {
    if (seqLe(this.sndUna, this.flight.cwndLimitedSeq)) return true;
    // Kept near, so that it does not wrap to the front.
    this.flight.cwndLimitedSeq = (this.sndUna - 1) | 0;
    // RFC 7661: in slow start, what was used of the window may double.
    return this.cc.isInSlowStart && this.cc.cwndBytes < 2 * this.recovery.sample.priorInFlightBytes;
  }

  #rearmOnAck(nowMs: number): void {
    const { sample, reorderWaitMs } = this.recovery;
    if (this.queue.count === 0) {
      if (this.timer === SendTimer.PERSIST && this.sndWnd === 0) return;
      if (this.timer === SendTimer.PERSIST) this.rtt.backoff = 0;
      this.#arm(SendTimer.NONE, Infinity);
      this.flight.mustProbe = false;
      return;
    }
    if (reorderWaitMs > 0) this.#arm(SendTimer.REORDER, nowMs + reorderWaitMs);
    else if (sample.hasUnaAdvanced || this.timer === SendTimer.REORDER) this.#armTransmit(nowMs);
    else if (this.timer === SendTimer.LOSS_PROBE && !this.recovery.canProbe) this.#armTransmit(nowMs);
  }

  #armTransmit(nowMs: number): void {
    if (this.recovery.canProbe) this.#arm(SendTimer.LOSS_PROBE, nowMs + this.recovery.probeTimeoutMs);
    else this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
  }

  #arm(kind: SendTimer, atMs: number): void {
    this.timer = kind;
    const givesUp = kind !== SendTimer.NONE && this.options.userTimeoutMs > 0 && this.retryCount > 0;
    this.timerAtMs = givesUp ? Math.min(atMs, this.progressMs + this.options.userTimeoutMs) : atMs;
  }

  #onRetransmitTimer(nowMs: number): SendEvent {
    const { head } = this.queue;
    if (head === null) {
      this.#arm(SendTimer.NONE, Infinity);
      return SendEvent.NONE;
    }
    if (this.#hasTimedOut(nowMs)) return SendEvent.GIVE_UP;
    const smallerBytes = this.flight.prober.onTimeout(this.retryCount, this.mssBytes);
    if (smallerBytes > 0) this.setMss(smallerBytes);
    this.recovery.onTimeout(this.sndUna, this.sndNxt, this.retryCount, nowMs);
    this.retryCount++;
    this.#pacedUntilMs = 0;
    this.rtt.backOff();
    this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
    return SendEvent.NONE;
  }

  /** RFC 9293 section 3.8.6.1: the peer may have reopened its window unheard. */
  #onPersistTimer(nowMs: number): SendEvent {
    if (this.#hasTimedOut(nowMs)) return SendEvent.GIVE_UP;
    this.retryCount++;
    this.rtt.backOff();
    this.#arm(SendTimer.PERSIST, nowMs + this.rtt.rtoMs);
    if (seqDiff((this.sndUna + this.sndWnd) | 0, this.sndNxt) > 0) {
      this.#mayOverrideSws = true;
      return SendEvent.NONE;
    }
    return SendEvent.PROBE_WINDOW;
  }

  #hasTimedOut(nowMs: number): boolean {
    const { userTimeoutMs } = this.options;
    if (userTimeoutMs > 0) return this.retryCount > 0 && nowMs - this.progressMs >= userTimeoutMs;
    return this.retryCount >= this.retriesMax;
  }

  #retransmit(lost: SentSegment, nowMs: number): SentSegment | null {
    // The peer may have shrunk its window (RFC 9293 section 3.8.6, MUST-34); the first segment goes in any case.
    const isFirst = lost.seq === this.sndUna;
    if (!isFirst && seqGe(lost.seq, (this.sndUna + this.sndWnd) | 0)) return null;
    const { inFlightBytes } = this.queue;
    const room = this.cc.cwndBytes - inFlightBytes;
    const textLen = this.textLen(lost);
    if (Math.min(textLen, this.mssBytes) > room && inFlightBytes > 0) {
      this.flight.cwndLimitedSeq = this.sndNxt;
      return null;
    }
    const lenMax = this.isGsoUsed ? Math.min(this.#gsoBytesMax(), Math.floor(room / this.mssBytes) * this.mssBytes) : 0;
    const len = Math.max(lenMax, this.mssBytes);
    if (textLen > len) this.queue.split(lost, (lost.seq + len) | 0);
    this.#resend(lost, nowMs);
    return lost;
  }

  #resend(sent: SentSegment, nowMs: number): void {
    this.recovery.onRetransmit(sent, (Math.floor(nowMs) + this.tsOffset) | 0);
    if (sent.flags & SentFlag.MTU_PROBE) {
      // Lost with others: that tells nothing of its size.
      sent.flags &= ~SentFlag.MTU_PROBE;
      this.flight.prober.probeBytes = 0;
    }
    this.queue.markRetransmitted(sent, nowMs);
    this.flight.rate.onSend(sent, false, nowMs);
    this.retransmitCount++;
    this.retransmittedBytes += sent.len;
    this.#afterSend(sent.len, nowMs);
    if (this.timer === SendTimer.NONE || this.timer === SendTimer.PERSIST) {
      this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
    }
  }

  /** There is something to send, now or later. */
  #hasWork(): boolean {
    return this.queue.lostBytes > 0 || this.unsentBytes > 0 || (this.isFinQueued && !this.isFinSent);
  }

  /** Loss probe: new text if there is some, else the last segment again. RFC 8985 section 7.3. */
  #nextProbe(tail: SentSegment, nowMs: number): SentSegment {
    this.flight.mustProbe = false;
    const window = seqDiff((this.sndUna + this.sndWnd) | 0, this.sndNxt);
    const len = Math.min(this.unsentBytes, this.mssBytes);
    if (len > 0 && len <= window) {
      const sent = this.#sendNew(len, nowMs);
      this.recovery.onProbe(sent.end, false);
      this.#arm(SendTimer.RETRANSMIT, nowMs + this.rtt.rtoMs);
      return sent;
    }
    if (this.textLen(tail) > this.mssBytes) {
      this.queue.split(tail, (tail.end - (tail.flags & SentFlag.FIN ? 1 : 0) - this.mssBytes) | 0);
    }
    const last = this.queue.tail!;
    this.#resend(last, nowMs);
    this.recovery.onProbe(last.end, true);
    return last;
  }

  #nextNew(nowMs: number): SentSegment | null {
    const unsent = this.unsentBytes;
    const hasFin = this.isFinQueued && !this.isFinSent;
    if (unsent === 0 && !hasFin) {
      const { queue, rate } = this.flight;
      if (queue.count > 0 && queue.inFlightBytes < this.cc.cwndBytes) rate.onAppLimited(queue.inFlightBytes);
      return null;
    }
    if (this.queue.count >= SENT_SEGMENTS_MAX) return null;
    if (this.queue.count === 0) this.#endIdle(nowMs);
    const window = seqDiff((this.sndUna + this.sndWnd) | 0, this.sndNxt);
    const windowLen = Math.min(unsent, window);
    if (windowLen < 0 || (window <= 0 && (unsent > 0 || hasFin))) return this.#waitForWindow(nowMs);
    const { prober } = this.flight;
    if (prober.isSearching && this.recovery.state === CaState.OPEN && this.queue.sackedBytes === 0) {
      const probeLen = prober.nextProbe(unsent, window, this.cc.cwndBytes, this.mssBytes, nowMs);
      // It waits until enough is acknowledged to make room for it.
      if (probeLen > this.cc.cwndBytes - this.queue.inFlightBytes) return null;
      if (probeLen > 0) return this.#sendProbe(probeLen, nowMs);
    }
    const len = this.#cut(windowLen);
    if (len < 0) {
      this.flight.cwndLimitedSeq = this.sndNxt;
      return null;
    }
    if (len < this.mssBytes && !this.#maySendSmall(len, unsent, hasFin && window > unsent, nowMs)) {
      if (len < unsent) return this.#waitForWindow(nowMs);
      return null;
    }
    this.#mayOverrideSws = false;
    return this.#sendNew(len, nowMs);
  }

  #sendProbe(len: number, nowMs: number): SentSegment {
    const sent = this.#sendNew(len, nowMs);
    sent.flags |= SentFlag.MTU_PROBE;
    this.flight.prober.probeBytes = len;
    return sent;
  }

  /** How much of `len` bytes goes in the next segment by congestion window and MSS; -1 if nothing may. */
  #cut(len: number): number {
    const mss = this.mssBytes;
    const { inFlightBytes } = this.queue;
    const room = this.cc.cwndBytes - inFlightBytes;
    const largest = this.isGsoUsed ? this.#gsoBytesMax() : mss;
    if (len <= mss) return len <= room || inFlightBytes === 0 ? len : -1;
    if (room < mss) return inFlightBytes === 0 ? mss : -1;
    const whole = Math.min(largest, Math.floor(room / mss) * mss);
    return Math.min(whole, len < largest ? Math.floor(len / mss) * mss : largest);
  }

  /** Whole segments; when the rate is limited not more than go in a millisecond, but two. */
  #gsoBytesMax(): number {
    const rate = this.#pacingRate();
    const bytesMax = rate > 0 ? Math.min(GSO_BYTES_MAX, Math.max(2 * this.mssBytes, rate)) : GSO_BYTES_MAX;
    return Math.max(1, Math.floor(bytesMax / this.mssBytes)) * this.mssBytes;
  }

  /**
   * Whether a segment that is not full may go: Nagle's algorithm in Minshall's form, cork, and silly window avoidance
   * (RFC 9293 sections 3.7.4 and 3.8.6.2.1).
   */
  #maySendSmall(len: number, unsent: number, withFin: boolean, nowMs: number): boolean {
    if (this.#mayOverrideSws) return true;
    if (len < unsent) return len * 2 >= this.maxSndWnd;
    if (withFin) return true;
    if (this.options.isCorked || this.hasMore) {
      if (this.#corkedSinceMs < 0) this.#corkedSinceMs = nowMs;
      const untilMs = this.#corkedSinceMs + CORK_MS_MAX;
      if (nowMs < untilMs) {
        this.#wakeAtMs = untilMs;
        return false;
      }
      return true;
    }
    if (this.options.isNoDelay || (this.hasUrgent && seqGt(this.sndUp, this.sndNxt))) return true;
    return !this.flight.hasSmall;
  }

  #waitForWindow(nowMs: number): null {
    if (this.queue.count === 0 && this.timer !== SendTimer.PERSIST) {
      this.progressMs = nowMs;
      this.#arm(SendTimer.PERSIST, nowMs + this.rtt.rtoMs);
    }
    return null;
  }

  #sendNew(len: number, nowMs: number): SentSegment {
    const seq = this.sndNxt;
    const hasFin = this.isFinQueued && len === this.unsentBytes && this.#windowTakesFin(len);
    const end = (seq + len + (hasFin ? 1 : 0)) | 0;
    if (this.flight === NO_FLIGHT) this.flight = Flight.take(this);
    const { queue, rate } = this.flight;
    const isPipeEmpty = queue.count === 0;
    if (isPipeEmpty) this.progressMs = nowMs;
    const sent = queue.push(seq, end, hasFin ? SentFlag.FIN : 0, nowMs);
    rate.onSend(sent, isPipeEmpty, nowMs);
    this.sndNxt = end;
    if (len < this.mssBytes) {
      this.flight.hasSmall = true;
      this.flight.smallEnd = end;
    }
    this.#corkedSinceMs = -1;
    this.recovery.onSent(sent.len);
    this.#afterSend(sent.len, nowMs);
    if (this.timer !== SendTimer.RETRANSMIT && this.timer !== SendTimer.REORDER) this.#armTransmit(nowMs);
    return sent;
  }

  #windowTakesFin(len: number): boolean {
    return seqDiff((this.sndUna + this.sndWnd) | 0, this.sndNxt) > len;
  }

  #afterSend(len: number, nowMs: number): void {
    this.lastSentMs = nowMs;
    this.sentBytes += len;
    const rate = this.#pacingRate();
    if (rate > 0) this.#pacedUntilMs = Math.max(this.#pacedUntilMs, nowMs) + len / rate;
  }

  #pacingRate(): number {
    const { pacingBytesPerMs } = this.cc;
    const { maxPacingBytesPerMs } = this.options;
    if (maxPacingBytesPerMs === 0) return pacingBytesPerMs;
    return pacingBytesPerMs === 0 ? maxPacingBytesPerMs : Math.min(pacingBytesPerMs, maxPacingBytesPerMs);
  }

  /** RFC 2861: the window decays while nothing is sent. */
  #endIdle(nowMs: number): void {
    const idleMs = nowMs - this.lastSentMs;
    if (this.lastSentMs < 0 || idleMs <= this.rtt.rtoMs) return;
    const { cc } = this;
    this.lastSentMs = nowMs;
    cc.onIdleEnd(idleMs);
    if (cc.ownsWindow) return;
    const restartBytes = Math.min(10 * this.mssBytes, cc.cwndBytes);
    cc.ssthreshBytes = Math.max(cc.ssthreshBytes, (cc.cwndBytes * 3) / 4);
    for (let leftMs = idleMs - this.rtt.rtoMs; leftMs > 0 && cc.cwndBytes > restartBytes; leftMs -= this.rtt.rtoMs) {
      cc.cwndBytes = Math.max(cc.cwndBytes / 2, restartBytes);
    }
  }
}

/** Whether `seg` says nothing but that something arrived. */
export function isPureAck(seg: Readonly<Segment>): boolean {
  return seg.textLen === 0 && (seg.flags & (SYN | FIN | ACK)) === ACK;
}
