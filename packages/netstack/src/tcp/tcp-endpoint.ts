import type { TcpInfo } from '@tsv/abi';
import { tcpInfo } from './tcp-info.js';
import { SegmentArrival } from './segment-arrival.js';
import type { Handshake } from './handshake.js';
import { AckNeed, Urgent } from './receiver.js';
import { ACK, RST, type Segment, type SegmentSink, SYN } from './segment.js';
import { seqGe, seqGt, seqLt } from './sequence.js';
import { sendLimitOf, SendTimes } from './send-times.js';
import { SendEvent, SendTimer } from './sender.js';
import { TcpError } from './tcp-error.js';
import { canReceiveText, canTransmit, isSynchronized, stateOnClose, TcpState } from './tcp-state.js';

/**
 * One TCP connection, RFC 9293. It has three doors and no clock: {@link TcpEndpoint.input} takes a segment,
 * {@link TcpEndpoint.output} runs due timers and emits what may be sent, {@link TcpEndpoint.pollAtMs} says when output
 * is wanted next. The calls of the application move bytes or return a {@link TcpError}; none of them waits.
 */
export class TcpEndpoint extends SegmentArrival {
  /** Nobody needs it any more: the stack forgets it after the next output. */
  get isDead(): boolean {
    return this.hasNoOwner && this.currentState === TcpState.CLOSE && !this.mustReset;
  }

  /** Bytes that {@link TcpEndpoint.recv} would return at once. */
  get readableBytes(): number {
    return this.receiver.readableBytes;
  }

  /** Whether recv would not return WOULD_BLOCK. */
  get canRead(): boolean {
    return this.readableBytes > 0 || this.isReadOver || this.pendingError !== 0;
  }

  /** Nothing more comes: RCV_SHUTDOWN. */
  get isReadOver(): boolean {
    return this.isReadShut || this.receiver.isFinReceived || this.#isOver();
  }

  /** Nothing more can be sent: SEND_SHUTDOWN. */
  get isWriteOver(): boolean {
    return this.isWriteShut || this.#isOver();
  }

  /** Whether there is room enough to wake a writer: a third of the buffer, and less unsent than TCP_NOTSENT_LOWAT. */
  get canWrite(): boolean {
    const { sender } = this;
    if (this.pendingError !== 0 || this.isWriteOver) return true;
    if (this.currentState !== TcpState.ESTABLISHED && this.currentState !== TcpState.CLOSE_WAIT) return false;
    return (
      sender.freeBytes * 2 >= sender.ring.len &&
      sender.freeBytes > 0 &&
      sender.unsentBytes < this.options.notSentLowBytes
    );
  }

  /** SO_ERROR: returns the error and clears it. */
  takeError(): TcpError | 0 {
    const error = this.pendingError;
    this.pendingError = 0;
    return error;
  }

  /** Runs the timers that are due and emits all that may be sent now. */
  output(nowMs: number, sink: SegmentSink): void {
    this.context.nowMs = nowMs;
    this.wantsOutput = false;
    this.#runTimers(nowMs, sink);
    const { handshake } = this;
    if (handshake?.mustReplyReset === true) {
      handshake.mustReplyReset = false;
      this.writeResetAt(handshake.replySeq, sink);
    }
    if (this.mustReset) {
      this.mustReset = false;
      this.writeReset(nowMs, sink);
    }
    if (this.currentState === TcpState.CLOSE) return;
    if (this.handshake?.mustSendSyn === true) this.sendSyn(this.handshake, nowMs, sink);
    this.#transmit(nowMs, sink);
    if (this.sendTimes !== null || this.sender.ring.len > 0) this.#noteSendLimit(nowMs);
    const { receiver } = this;
    if (receiver.ackNeed === AckNeed.NONE) return;
    if (receiver.ackNeed === AckNeed.NOW || nowMs >= receiver.ackAtMs) {
      if (receiver.ackNeed === AckNeed.DELAYED) this.context.counters.DelayedACKs++;
      this.writeAck(nowMs, sink);
    }
  }

  /** When {@link TcpEndpoint.output} is to be called: 0 for now, Infinity for not before something happens. */
  pollAtMs(): number {
    if (this.wantsOutput) return 0;
    const { sender, receiver, keepAlive } = this;
    const atMs = Math.min(sender.pollAtMs, receiver.ackAtMs, this.stateAtMs);
    return keepAlive === null ? atMs : Math.min(atMs, keepAlive.atMs);
  }

  /** SEND: queues text and returns how many bytes, or WOULD_BLOCK, PIPE, or the error of the connection. */
  send(src: Uint8Array, at = 0, len = src.length - at): number {
    if (this.pendingError !== 0) return this.takeError();
    if (this.isWriteOver) return TcpError.PIPE;
    const isOpening =
      this.fastOpen !== null && this.currentState === TcpState.SYN_SENT && this.handshake?.synCount === 0;
    if (!isSynchronized(this.currentState) && !isOpening) {
      return this.currentState === TcpState.CLOSE ? TcpError.PIPE : TcpError.WOULD_BLOCK;
    }
    const { sender } = this;
    const count = Math.min(len, sender.freeBytes);
    if (count === 0) return len === 0 ? 0 : TcpError.WOULD_BLOCK;
    sender.push(src, at, count);
    this.wantsOutput = true;
    if (this.isSynDeferred) {
      this.fastOpen!.isDeferred = false;
      this.handshake!.mustSendSyn = true;
    }
    return count;
  }

  /** Sends one byte of urgent data behind the queued text: MSG_OOB. */
  sendUrgent(byte: number): number {
    urgentByte[0] = byte;
    const count = this.send(urgentByte, 0, 1);
    if (count === 1) {
      this.sender.hasUrgent = true;
      this.sender.sndUp = this.sender.endSeq;
    }
    return count;
  }

  /** RECEIVE: moves text out and returns how many bytes, 0 at the end, WOULD_BLOCK, or the connection's error. */
  recv(dst: Uint8Array, at = 0, len = dst.length - at): number {
    const { receiver } = this;
    const count = receiver.read(dst, at, len);
    if (count > 0) {
      this.#afterRead(count);
      return count;
    }
    return len === 0 ? 0 : this.#emptyRead();
  }

  /** As recv, but leaves the text: MSG_PEEK. */
  peek(dst: Uint8Array, at = 0, len = dst.length - at): number {
    const count = this.receiver.peek(dst, at, len);
    return count > 0 || len === 0 ? count : this.#emptyRead();
  }

  /** As recv, but throws the text away: MSG_TRUNC. */
  discard(len: number): number {
    const count = this.receiver.discard(len);
    if (count > 0) this.#afterRead(count);
    return count > 0 || len === 0 ? count : this.#emptyRead();
  }

  /** The urgent byte: MSG_OOB. WOULD_BLOCK while it is awaited, INVALID if there is none. */
  recvUrgent(): number {
    const { receiver } = this;
    if (receiver.urgent === Urgent.AWAITED) return TcpError.WOULD_BLOCK;
    if (receiver.isUrgentInline || receiver.urgent !== Urgent.VALID) return TcpError.INVALID;
    receiver.urgent = Urgent.READ;
    return receiver.urgentByte;
  }

  /** shutdown(2) with SHUT_RD: reads end, what comes is acknowledged and dropped unread. */
  shutdownRead(): 0 | TcpError {
    if (this.currentState === TcpState.CLOSE) return TcpError.NOT_CONNECTED;
    this.isReadShut = true;
    return 0;
  }

  /** shutdown(2) with SHUT_WR: a FIN follows what is queued. */
  shutdownWrite(): 0 | TcpError {
    if (this.currentState === TcpState.CLOSE) return TcpError.NOT_CONNECTED;
    this.#finish();
    return 0;
  }

  /** CLOSE: RFC 9293 section 3.10.4. With unread text the connection is reset (RFC 2525 section 2.17), as Linux does. */
  close(): void {
    this.hasNoOwner = true;
    this.isReadShut = true;
    if (this.currentState === TcpState.CLOSE) {
      this.receiver.clear();
      return;
    }
    if (this.receiver.buffer.len > 0) {
      this.context.counters.TCPAbortOnClose++;
      this.abort();
      return;
    }
    this.#finish();
    this.sender.retriesMax = Math.min(this.sender.retriesMax, this.context.settings.orphanRetries);
    if (this.currentState === TcpState.FIN_WAIT2) this.waitForFin(this.nowMs);
  }

  /** ABORT: RFC 9293 section 3.10.5. Also close with a linger time of zero. */
  abort(): void {
    this.hasNoOwner = true;
    const tellsPeer = isSynchronized(this.currentState) || this.currentState === TcpState.SYN_RECV;
    this.mustReset = tellsPeer && this.currentState !== TcpState.TIME_WAIT;
    this.end(0);
    this.receiver.clear();
  }

  /** ICMP says that the peer cannot be reached: RFC 9293 section 3.9.2.2, RFC 5927. */
  onUnreachable(error: TcpError, seq: number): void {
    if (this.currentState === TcpState.CLOSE) return;
    const { sender } = this;
    if (seqLt(seq, sender.sndUna) || seqGe(seq, sender.sndNxt)) return;
    if (isSynchronized(this.currentState)) this.softError = error;
    else this.end(error);
  }

  /** The path takes text of `mss` bytes, without options: RFC 1191, RFC 8201. */
  setPathMss(mss: number): void {
    this.currentPathMss = Math.max(mss, this.context.settings.mssBytesMin);
    if (isSynchronized(this.currentState)) this.setMss();
    this.wantsOutput = true;
  }

  /** What TCP_INFO tells. */
  info(nowMs: number): TcpInfo {
    return tcpInfo(this, nowMs);
  }

  /** Whether a SYN may start a new connection in place of this one: RFC 9293 section 3.6.1, RFC 6191. */
  isReusableBy(seg: Readonly<Segment>): boolean {
    if (this.currentState !== TcpState.TIME_WAIT || (seg.flags & (SYN | RST | ACK)) !== SYN) return false;
    const { receiver } = this;
    if (seqGt(seg.seq, receiver.rcvNxt)) return true;
    return seg.hasTimestamps && receiver.hasTsRecent && seqGt(seg.tsVal, receiver.tsRecent);
  }

  /** Whether connect may take over the port of this connection: tcp_tw_reuse, a second after TIME_WAIT began. */
  isReusableByConnect(nowMs: number): boolean {
    if (this.currentState !== TcpState.TIME_WAIT || !this.receiver.hasTsRecent) return false;
    return nowMs - this.receiver.tsRecentMs > 1000;
  }

  #isOver(): boolean {
    return this.currentState === TcpState.CLOSE && this.sender.sndNxt !== 0;
  }

  #runTimers(nowMs: number, sink: SegmentSink): void {
    if (nowMs >= this.stateAtMs) this.#onStateTimer();
    const { keepAlive } = this;
    if (keepAlive !== null && nowMs >= keepAlive.atMs && keepAlive.run(this, nowMs)) this.writeProbe(nowMs, sink);
    if (nowMs < this.sender.timerAtMs) return;
    if (this.sender.timer === SendTimer.RETRANSMIT) this.context.counters.TCPTimeouts++;
    if (this.sender.timer === SendTimer.LOSS_PROBE) this.context.counters.TCPLossProbes++;
    switch (this.sender.runTimer(nowMs)) {
      case SendEvent.PROBE_WINDOW:
        this.writeProbe(nowMs, sink);
        return;
      case SendEvent.GIVE_UP:
        this.giveUp();
        return;
      case SendEvent.NONE:
        return;
    }
  }

  #onStateTimer(): void {
    this.stateAtMs = Infinity;
    switch (this.currentState) {
      case TcpState.SYN_SENT:
      case TcpState.SYN_RECV:
        this.#onSynTimer(this.handshake!);
        return;
      case TcpState.FIN_WAIT2:
      case TcpState.TIME_WAIT:
        this.end(0);
        return;
      default:
        return;
    }
  }

  #onSynTimer(handshake: Handshake): void {
    if (handshake.synCount > this.options.synRetries || this.hasSynTimedOut) this.giveUp();
    else handshake.mustSendSyn = true;
  }

  #transmit(nowMs: number, sink: SegmentSink): void {
    const { sender, receiver } = this;
    if (!canTransmit(this.currentState)) return;
    let sent = sender.next(nowMs);
    if (sent === null) return;
    // What lies beyond a gap goes in a segment of its own, which has room for it.
    if (receiver.ackNeed === AckNeed.NOW && receiver.hasSackToTell) this.writeAck(nowMs, sink);
    if (receiver.ackNeed === AckNeed.DELAYED) receiver.isInteractive = true;
    for (; sent !== null; sent = sender.next(nowMs)) this.writeText(sent, nowMs, sink);
    sender.hasMore = false;
  }

  #noteSendLimit(nowMs: number): void {
    this.sendTimes ??= new SendTimes();
    this.sendTimes.note(sendLimitOf(this.sender), nowMs);
  }

  #finish(): void {
    this.isWriteShut = true;
    this.wantsOutput = true;
    if (this.currentState === TcpState.SYN_RECV) {
      // The FIN follows the handshake.
      this.sender.isFinQueued = true;
      return;
    }
    const next = stateOnClose(this.currentState);
    if (next === this.currentState) return;
    this.sender.isFinQueued = true;
    if (next === TcpState.CLOSE) this.end(0);
    else this.setState(next);
  }

  #afterRead(count: number): void {
    const { receiver } = this;
    this.tuner.onRead(count, receiver, this.nowMs);
    if (canReceiveText(this.currentState) && receiver.hasWindowToTell) {
      receiver.ackNow();
      this.wantsOutput = true;
    }
  }

  #emptyRead(): number {
    if (this.receiver.isFinReceived || this.isReadShut) return 0;
    if (this.pendingError !== 0) return this.takeError();
    if (this.#isOver()) return 0;
    return this.currentState === TcpState.CLOSE ? TcpError.NOT_CONNECTED : TcpError.WOULD_BLOCK;
  }
}

const urgentByte = new Uint8Array(1);
