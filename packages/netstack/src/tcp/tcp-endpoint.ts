import { createCongestionControl } from './congestion/registry.js';
import { INITIAL_WINDOW_SEGMENTS } from './congestion/congestion-control.js';
import { NewReno } from './congestion/new-reno.js';
import type { IpAddress } from '../wire/ip-address.js';
import { KeepAlive } from './keep-alive.js';
import { ReceiveTuner } from './receive-tuner.js';
import { AckNeed, Receiver, Urgent } from './receiver.js';
import { ACK, CWR, ECE, Ecn, FIN, NO_WINDOW_SHIFT, RST, type Segment, type SegmentSink, SYN, URG } from './segment.js';
import { SegmentWriter } from './segment-writer.js';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt } from './sequence.js';
import { Sender, SendEvent } from './sender.js';
import type { SynReceived } from './syn-received.js';
import { TcpError } from './tcp-error.js';
import { TcpOptions } from './tcp-options.js';
import type { TcpContext } from './tcp-settings.js';
import {
  canReceiveText,
  canTransmit,
  isSynchronized,
  stateOnClose,
  stateOnFin,
  stateOnFinAcked,
  TcpState,
} from './tcp-state.js';

/** RFC 9293 section 3.7.1: what a peer takes that does not say. */
const MSS_DEFAULT_IPV4 = 536;
const MSS_DEFAULT_IPV6 = 1220;
const TIMESTAMPS_BYTES = 12;
const SYN_TIMEOUT_MS = 1000;
const SYN_TIMEOUT_MS_MAX = 120_000;

/**
 * One TCP connection, RFC 9293. It has three doors and no clock: {@link TcpEndpoint.input} takes a segment,
 * {@link TcpEndpoint.output} runs due timers and emits what may be sent, {@link TcpEndpoint.pollAtMs} says when output
 * is wanted next. The calls of the application move bytes or return a {@link TcpError}; none of them waits.
 */
export class TcpEndpoint {
  readonly context: TcpContext;
  readonly options: TcpOptions;
  readonly sender: Sender;
  readonly receiver = new Receiver();
  readonly writer: SegmentWriter;
  readonly keepAlive = new KeepAlive();
  readonly tuner = new ReceiveTuner();

  #state: TcpState = TcpState.CLOSE;
  #nowMs = 0;
  #wantsOutput = false;
  /** Largest text of a segment that the path takes, without options. */
  #pathMss: number;
  #peerMss = 0;
  /** Deadline of the state: SYN sent again, FIN_WAIT2 or TIME_WAIT over. */
  #stateAtMs = Infinity;
  #synCount = 0;
  #synSentMs = 0;
  #mustSendSyn = false;
  #mustReset = false;
  /** A reset that answers a segment; `#replySeq` is its sequence number. */
  #mustReplyReset = false;
  #replySeq = 0;
  #error: TcpError | 0 = 0;
  #softError: TcpError | 0 = 0;
  #isOrphan = false;
  #isReadShut = false;
  #isWriteShut = false;
  #invalidAnsweredMs = -Infinity;
  #isEcnAsked = false;
  /** Fast open: the cookie to send; of length 0 to ask for one. */
  #fastOpenCookie: Uint8Array | null = null;
  /** The cookie that the peer gave, for the next connection to it. */
  learnedCookie: Uint8Array | null = null;
  lastHeardMs = 0;

  /** An endpoint in CLOSE. `pathMss`: what the path takes, MTU less the headers of IP and TCP without options. */
  constructor(
    context: TcpContext,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    pathMss: number,
    options = new TcpOptions(context.settings),
  ) {
    this.context = context;
    this.options = options;
    this.#pathMss = pathMss;
    this.sender = new Sender(createCongestionControl(options.congestionControl) ?? new NewReno());
    this.writer = new SegmentWriter(context, this.sender, this.receiver, local, localPort, remote, remotePort);
    this.applyOptions();
  }

  get state(): TcpState {
    return this.#state;
  }

  get pathMss(): number {
    return this.#pathMss;
  }

  /** The application has closed it. */
  get isOrphan(): boolean {
    return this.#isOrphan;
  }

  /** Nobody needs it any more: the stack forgets it after the next output. */
  get isDead(): boolean {
    return this.#isOrphan && this.#state === TcpState.CLOSE && !this.#mustReset;
  }

  /** Bytes that {@link TcpEndpoint.recv} would return at once. */
  get readableBytes(): number {
    return this.receiver.readableBytes;
  }

  /** Whether recv would not return WOULD_BLOCK. */
  get canRead(): boolean {
    return this.readableBytes > 0 || this.isReadOver || this.#error !== 0;
  }

  /** Nothing more comes: RCV_SHUTDOWN. */
  get isReadOver(): boolean {
    return this.#isReadShut || this.receiver.isFinReceived || this.#isOver;
  }

  /** Nothing more can be sent: SEND_SHUTDOWN. */
  get isWriteOver(): boolean {
    return this.#isWriteShut || this.#isOver;
  }

  /** Whether there is room enough to wake a writer: a third of the buffer, and less unsent than TCP_NOTSENT_LOWAT. */
  get canWrite(): boolean {
    const { sender } = this;
    if (this.#error !== 0 || this.isWriteOver) return true;
    if (this.#state !== TcpState.ESTABLISHED && this.#state !== TcpState.CLOSE_WAIT) return false;
    return (
      sender.freeBytes * 2 >= sender.ring.len &&
      sender.freeBytes > 0 &&
      sender.unsentBytes < this.options.notSentLowBytes
    );
  }

  /** Why the connection ended or could not be made; 0 if it did not. Stays until {@link TcpEndpoint.takeError}. */
  get error(): TcpError | 0 {
    return this.#error;
  }

  /** SO_ERROR: returns the error and clears it. */
  takeError(): TcpError | 0 {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  /** Applies {@link TcpEndpoint.options} after they were changed. */
  applyOptions(): void {
    const { options, sender, receiver, context } = this;
    const { settings } = context;
    sender.isNoDelay = options.isNoDelay;
    sender.isCorked = options.isCorked;
    sender.userTimeoutMs = options.userTimeoutMs;
    sender.retriesMax = settings.retries;
    sender.maxPacingBytesPerMs = options.maxPacingBytesPerMs;
    sender.recovery.isFrtoEnabled = settings.isFrtoOn;
    sender.bufferBytesMax = options.sendBytes || Math.max(sender.bufferBytesMax, settings.sendBytes);
    receiver.bufferBytesMax = options.receiveBytes || Math.max(receiver.bufferBytesMax, settings.receiveBytes);
    receiver.windowClampBytes = options.windowClampBytes;
    receiver.isUrgentInline = options.isUrgentInline;
    this.tuner.bytesMax = options.receiveBytes > 0 ? 0 : settings.receiveBytesMax;
    if (sender.cc.name !== options.congestionControl) this.#changeCongestionControl();
    if (isSynchronized(this.#state)) this.#setMss();
    this.#wantsOutput = true;
  }

  /** OPEN, active: RFC 9293 section 3.10.1. `iss`: see {@link IsnGenerator}. */
  connect(iss: number, tsOffset: number, nowMs: number): 0 | TcpError {
    if (this.#state === TcpState.SYN_SENT || this.#state === TcpState.SYN_RECV) return TcpError.ALREADY;
    if (this.#state !== TcpState.CLOSE) return TcpError.IS_CONNECTED;
    const { settings, counters } = this.context;
    counters.ActiveOpens++;
    this.#nowMs = nowMs;
    this.sender.start(iss | 0, nowMs);
    this.sender.scoreboard.tsOffset = tsOffset | 0;
    this.writer.tsOffset = tsOffset | 0;
    this.writer.hasTimestamps = settings.isTimestampsOn;
    this.#isEcnAsked = settings.ecn === 1;
    this.#setState(TcpState.SYN_SENT);
    this.#mustSendSyn = true;
    this.#wantsOutput = true;
    return 0;
  }

  /** Uses fast open (RFC 7413) for the next connect, whose SYN carries what is sent before the first output. */
  useFastOpen(cookie: Uint8Array): void {
    this.#fastOpenCookie = cookie.slice();
  }

  /** Becomes the connection that a listener has completed: `syn` is what it remembered of the handshake. */
  establish(syn: Readonly<SynReceived>, nowMs: number): void {
    const { sender, receiver, writer } = this;
    sender.start(syn.iss, nowMs);
    sender.scoreboard.tsOffset = syn.tsOffset;
    writer.tsOffset = syn.tsOffset;
    writer.hasTimestamps = syn.hasTimestamps;
    writer.isEcnUsed = sender.isEcnUsed = syn.isEcnUsed;
    receiver.start(syn.irs, syn.windowBytes);
    receiver.tsRecent = syn.tsRecent;
    receiver.tsRecentMs = nowMs;
    receiver.hasTsRecent = syn.hasTimestamps;
    this.#takeSynOptions(syn.mss, syn.isSackPermitted, syn.windowShift, syn.ourWindowShift);
    sender.onSynAcked(seqAdd(syn.iss, 1), nowMs);
    sender.sndWl1 = syn.irs;
    sender.sndWl2 = sender.sndUna;
    sender.sndWnd = sender.maxSndWnd = syn.peerWindowBytes;
    this.#becomeEstablished(syn.rttMs, syn.synAckCount > 1, nowMs);
    this.context.counters.PassiveOpens++;
  }

  /** Becomes the connection that `seg`, a SYN with text and a good cookie, opens at once: RFC 7413 section 4.2.2. */
  establishFast(syn: Readonly<SynReceived>, seg: Readonly<Segment>, nowMs: number): void {
    const { sender, receiver, writer } = this;
    this.#nowMs = nowMs;
    sender.start(syn.iss, nowMs);
    sender.scoreboard.tsOffset = writer.tsOffset = syn.tsOffset;
    writer.hasTimestamps = syn.hasTimestamps;
    this.#setState(TcpState.SYN_RECV);
    this.#takeSyn(seg, nowMs);
    if (seg.textLen > 0) {
      receiver.ring.push(seg.text, seg.textAt, seg.textLen);
      receiver.rcvNxt = seqAdd(receiver.rcvNxt, seg.textLen);
      receiver.receivedBytes += seg.textLen;
    }
    this.#mustSendSyn = true;
    this.#wantsOutput = true;
    this.context.counters.PassiveOpens++;
  }

  /** Takes a segment of this connection. It is borrowed. */
  input(seg: Readonly<Segment>, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#wantsOutput = true;
    this.context.counters.InSegs++;
    if (this.#state === TcpState.CLOSE) return;
    if (this.#state === TcpState.SYN_SENT) this.#inputSynSent(seg, nowMs);
    else this.#inputSynchronized(seg, nowMs);
  }

  /** Runs the timers that are due and emits all that may be sent now. */
  output(nowMs: number, sink: SegmentSink): void {
    this.#nowMs = nowMs;
    this.#wantsOutput = false;
    this.#runTimers(nowMs, sink);
    if (this.#mustReplyReset) {
      this.#mustReplyReset = false;
      this.writer.resetAt(this.#replySeq, sink);
    }
    if (this.#mustReset) {
      this.#mustReset = false;
      this.writer.reset(nowMs, sink);
    }
    if (this.#state === TcpState.CLOSE) return;
    if (this.#mustSendSyn) this.#sendSyn(nowMs, sink);
    this.#transmit(nowMs, sink);
    const { receiver } = this;
    if (receiver.ackNeed === AckNeed.NONE) return;
    if (receiver.ackNeed === AckNeed.NOW || nowMs >= receiver.ackAtMs) {
      if (receiver.ackNeed === AckNeed.DELAYED) this.context.counters.DelayedACKs++;
      this.writer.ack(nowMs, sink);
    }
  }

  /** When {@link TcpEndpoint.output} is to be called: 0 for now, Infinity for not before something happens. */
  pollAtMs(): number {
    if (this.#wantsOutput) return 0;
    const { sender, receiver } = this;
    return Math.min(sender.pollAtMs, receiver.ackAtMs, this.#stateAtMs, this.keepAlive.atMs);
  }

  /** SEND: queues text and returns how many bytes, or WOULD_BLOCK, PIPE, or the error of the connection. */
  send(src: Uint8Array, at = 0, len = src.length - at): number {
    if (this.#error !== 0) return this.takeError();
    if (this.isWriteOver) return TcpError.PIPE;
    if (!isSynchronized(this.#state) && this.#fastOpenCookie === null) {
      return this.#state === TcpState.CLOSE ? TcpError.PIPE : TcpError.WOULD_BLOCK;
    }
    const { sender } = this;
    const count = Math.min(len, sender.freeBytes);
    if (count === 0) return len === 0 ? 0 : TcpError.WOULD_BLOCK;
    sender.ring.push(src, at, count);
    this.#wantsOutput = true;
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
    if (this.#state === TcpState.CLOSE) return TcpError.NOT_CONNECTED;
    this.#isReadShut = true;
    return 0;
  }

  /** shutdown(2) with SHUT_WR: a FIN follows what is queued. */
  shutdownWrite(): 0 | TcpError {
    if (this.#state === TcpState.CLOSE) return TcpError.NOT_CONNECTED;
    this.#finish();
    return 0;
  }

  /** CLOSE: RFC 9293 section 3.10.4. With unread text the connection is reset (RFC 2525 section 2.17), as Linux does. */
  close(): void {
    this.#isOrphan = true;
    this.#isReadShut = true;
    if (this.#state === TcpState.CLOSE) {
      this.receiver.clear();
      return;
    }
    if (this.receiver.ring.len > 0) {
      this.context.counters.TCPAbortOnClose++;
      this.abort();
      return;
    }
    this.#finish();
    this.sender.retriesMax = Math.min(this.sender.retriesMax, this.context.settings.orphanRetries);
    if (this.#state === TcpState.FIN_WAIT2) this.#waitForFin(this.#nowMs);
  }

  /** ABORT: RFC 9293 section 3.10.5. Also close with a linger time of zero. */
  abort(): void {
    this.#isOrphan = true;
    const tellsPeer = isSynchronized(this.#state) || this.#state === TcpState.SYN_RECV;
    this.#mustReset = tellsPeer && this.#state !== TcpState.TIME_WAIT;
    this.#end(0);
    this.receiver.clear();
  }

  /** ICMP says that the peer cannot be reached: RFC 9293 section 3.9.2.2, RFC 5927. */
  onUnreachable(error: TcpError, seq: number): void {
    if (this.#state === TcpState.CLOSE) return;
    const { sender } = this;
    if (seqLt(seq, sender.sndUna) || seqGe(seq, sender.sndNxt)) return;
    if (isSynchronized(this.#state)) this.#softError = error;
    else this.#end(error);
  }

  /** The path takes text of `mss` bytes, without options: RFC 1191, RFC 8201. */
  setPathMss(mss: number): void {
    this.#pathMss = Math.max(mss, this.context.settings.mssBytesMin);
    if (isSynchronized(this.#state)) this.#setMss();
    this.#wantsOutput = true;
  }

  /** Whether a SYN may start a new connection in place of this one: RFC 9293 section 3.6.1, RFC 6191. */
  isReusableBy(seg: Readonly<Segment>): boolean {
    if (this.#state !== TcpState.TIME_WAIT || (seg.flags & (SYN | RST | ACK)) !== SYN) return false;
    const { receiver } = this;
    if (seqGt(seg.seq, receiver.rcvNxt)) return true;
    return seg.hasTimestamps && receiver.hasTsRecent && seqGt(seg.tsVal, receiver.tsRecent);
  }

  /** Whether connect may take over the port of this connection: tcp_tw_reuse, a second after TIME_WAIT began. */
  isReusableByConnect(nowMs: number): boolean {
    if (this.#state !== TcpState.TIME_WAIT || !this.receiver.hasTsRecent) return false;
    return nowMs - this.receiver.tsRecentMs > 1000;
  }

  get #isOver(): boolean {
    return this.#state === TcpState.CLOSE && this.sender.sndNxt !== 0;
  }

  /** A segment in SYN-SENT: RFC 9293 section 3.10.7.3, step for step. */
  #inputSynSent(seg: Readonly<Segment>, nowMs: number): void {
    const { sender } = this;
    const hasAck = (seg.flags & ACK) !== 0;
    if (hasAck && (seqLe(seg.ack, sender.iss) || seqGt(seg.ack, sender.sndNxt))) {
      if (!(seg.flags & RST)) this.#replyReset(seg.ack);
      return;
    }
    if (seg.flags & RST) {
      if (hasAck) this.#end(TcpError.REFUSED);
      return;
    }
    if (!(seg.flags & SYN)) return;
    this.#takeSyn(seg, nowMs);
    if (!hasAck) {
      // Simultaneous open.
      this.#setState(TcpState.SYN_RECV);
      this.#mustSendSyn = true;
      this.#synCount = 0;
      return;
    }
    sender.onSynAcked(seg.ack, nowMs);
    sender.setWindow(seg, seg.window);
    const rttMs = this.#synCount === 1 ? nowMs - this.#synSentMs : -1;
    this.#becomeEstablished(rttMs, this.#synCount > 1, nowMs);
    this.receiver.ackNow();
  }

  /** A segment in any other state: RFC 9293 section 3.10.7.4, step for step, with RFC 5961 and RFC 7323. */
  #inputSynchronized(seg: Readonly<Segment>, nowMs: number): void {
    const { receiver } = this;
    if (this.#isSynAckOfSimultaneousOpen(seg)) {
      this.#acceptAck(seg, nowMs);
      return;
    }
    if (!(seg.flags & RST) && this.writer.hasTimestamps && receiver.isOldDuplicate(seg, nowMs)) {
      this.context.counters.PAWSEstab++;
      this.#answerInvalid(seg, nowMs);
      return;
    }
    // First: the sequence number.
    if (!receiver.isAcceptable(seg)) {
      this.#onUnacceptable(seg, nowMs);
      return;
    }
    // Second: RST. RFC 5961 section 3.2.
    if (seg.flags & RST) {
      if (seg.seq === receiver.rcvNxt) this.#onReset();
      else this.#challenge(nowMs);
      return;
    }
    // Fourth: SYN. RFC 5961 section 4.2.
    if (seg.flags & SYN) {
      this.context.counters.TCPSYNChallenge++;
      this.#challenge(nowMs);
      return;
    }
    // Fifth: ACK.
    this.lastHeardMs = nowMs;
    this.keepAlive.onHeard();
    if (!(seg.flags & ACK) || !this.#acceptAck(seg, nowMs)) return;
    if (this.writer.hasTimestamps) this.#noteTimestamp(seg, nowMs);
    if (this.writer.isEcnUsed) this.#noteEcn(seg);
    // Sixth: URG.
    if (seg.flags & URG && canReceiveText(this.#state)) receiver.noteUrgent(seg);
    // Seventh and eighth: text and FIN.
    this.#acceptText(seg, nowMs);
  }

  #isSynAckOfSimultaneousOpen(seg: Readonly<Segment>): boolean {
    return (
      this.#state === TcpState.SYN_RECV &&
      (seg.flags & (SYN | ACK | RST)) === (SYN | ACK) &&
      seg.seq === this.receiver.irs &&
      seg.ack === this.sender.sndNxt
    );
  }

  #onUnacceptable(seg: Readonly<Segment>, nowMs: number): void {
    if (seg.flags & RST) return;
    if (seg.flags & SYN) {
      this.context.counters.TCPSYNChallenge++;
      this.#challenge(nowMs);
      return;
    }
    if (this.#state === TcpState.TIME_WAIT && seg.flags & FIN) this.#enterTimeWait(nowMs);
    // With a closed window, acknowledgements and urgent pointers are still valid (MUST-66).
    if (this.receiver.windowBytes === 0 && seg.seq === this.receiver.rcvNxt && seg.flags & ACK) {
      this.#acceptAck(seg, nowMs);
      if (seg.flags & URG && canReceiveText(this.#state)) this.receiver.noteUrgent(seg);
    }
    this.receiver.noteUnacceptable(seg);
    this.#answerInvalid(seg, nowMs);
  }

  /** Fifth of section 3.10.7.4. False if the segment is to be dropped. */
  #acceptAck(seg: Readonly<Segment>, nowMs: number): boolean {
    const { sender } = this;
    if (this.#state === TcpState.SYN_RECV && !this.#acceptAckOfSyn(seg, nowMs)) return false;
    if (seqGt(seg.ack, sender.sndNxt)) {
      this.#challenge(nowMs);
      return false;
    }
    if (seqLt(seg.ack, sender.sndUna)) {
      // RFC 5961 section 5.2.
      if (seqDiff(sender.sndUna, seg.ack) <= Math.max(sender.maxSndWnd, 1)) return true;
      this.#challenge(nowMs);
      return false;
    }
    const isFinAckedBefore = sender.isFinAcked;
    if (sender.acceptAck(seg, this.writer.tsNow(nowMs), nowMs)) {
      this.#softError = 0;
      this.#tuneSendBuffer();
    }
    if (sender.isFinAcked && !isFinAckedBefore) this.#onFinAcked(nowMs);
    return this.#state !== TcpState.CLOSE;
  }

  #acceptAckOfSyn(seg: Readonly<Segment>, nowMs: number): boolean {
    const { sender } = this;
    if (seqLe(seg.ack, sender.iss) || seqGt(seg.ack, sender.sndNxt)) {
      this.#replyReset(seg.ack);
      return false;
    }
    sender.onSynAcked(seg.ack, nowMs);
    sender.setWindow(seg, seg.flags & SYN ? seg.window : seg.window * 2 ** sender.windowShift);
    this.#becomeEstablished(-1, this.#synCount > 1, nowMs);
    return true;
  }

  #onFinAcked(nowMs: number): void {
    this.#setState(stateOnFinAcked(this.#state));
    if (this.#state === TcpState.TIME_WAIT) this.#enterTimeWait(nowMs);
    else if (this.#state === TcpState.CLOSE) this.#end(0);
    else if (this.#state === TcpState.FIN_WAIT2 && this.#isOrphan) this.#waitForFin(nowMs);
  }

  #noteTimestamp(seg: Readonly<Segment>, nowMs: number): void {
    this.receiver.noteTimestamp(seg, nowMs);
    if (seg.hasTimestamps && seg.textLen >= this.receiver.peerMssBytes && seg.tsEcr !== 0) {
      this.tuner.onRtt(Math.max(0, seqDiff(this.writer.tsNow(nowMs), seg.tsEcr)));
    }
  }

  /** RFC 3168 section 6.1.3. */
  #noteEcn(seg: Readonly<Segment>): void {
    if (seg.flags & CWR) this.writer.hasEcnEcho = false;
    if (seg.ecn !== Ecn.CE) return;
    if (!this.writer.hasEcnEcho) this.receiver.quickAck();
    this.writer.hasEcnEcho = true;
  }

  #acceptText(seg: Readonly<Segment>, nowMs: number): void {
    const { receiver } = this;
    if (!canReceiveText(this.#state)) {
      // Text after the peer's FIN is a mistake that is ignored; a FIN sent again is acknowledged.
      if (seg.len > 0) receiver.ackNow();
      if (seg.flags & FIN && this.#state === TcpState.TIME_WAIT) this.#enterTimeWait(nowMs);
      return;
    }
    if (seg.len === 0) return;
    if (this.#isOrphan && seg.textLen > 0 && seqGt(seqAdd(seg.seq, seg.textLen), receiver.rcvNxt)) {
      // RFC 9293 section 3.6.1, MUST-13: nobody is left to read it.
      this.context.counters.TCPAbortOnData++;
      this.#mustReset = true;
      this.#end(0);
      return;
    }
    const count = receiver.acceptText(seg, nowMs);
    if (receiver.urgent === Urgent.AWAITED) receiver.takeUrgentByte(seg);
    if (count > 0 && this.#isReadShut) receiver.discard(count);
    if (!receiver.isFinReceived) return;
    this.#setState(stateOnFin(this.#state, this.sender.isFinAcked));
    if (this.#state === TcpState.TIME_WAIT) this.#enterTimeWait(nowMs);
  }

  #onReset(): void {
    if (this.#state === TcpState.ESTABLISHED || this.#state === TcpState.CLOSE_WAIT)
      this.context.counters.EstabResets++;
    switch (this.#state) {
      case TcpState.SYN_RECV:
        this.#end(TcpError.REFUSED);
        return;
      case TcpState.CLOSE_WAIT:
        this.#end(TcpError.PIPE);
        return;
      case TcpState.TIME_WAIT:
        // RFC 1337: a reset does not cut TIME_WAIT short.
        return;
      default:
        this.#end(TcpError.RESET);
    }
  }

  /** A challenge acknowledgement, if the limits allow one: RFC 5961 section 7. */
  #challenge(nowMs: number): void {
    if (nowMs - this.#invalidAnsweredMs < this.context.settings.invalidRateLimitMs) return;
    if (!this.context.takeChallengeAck(nowMs)) return;
    this.#invalidAnsweredMs = nowMs;
    this.receiver.ackNow();
  }

  /** Acknowledges a segment outside of the window. Those without text at a limited rate, so that two peers do not loop. */
  #answerInvalid(seg: Readonly<Segment>, nowMs: number): void {
    if (seg.len === 0) {
      if (nowMs - this.#invalidAnsweredMs < this.context.settings.invalidRateLimitMs) return;
      this.#invalidAnsweredMs = nowMs;
    }
    this.receiver.ackNow();
  }

  #replyReset(seq: number): void {
    this.#mustReplyReset = true;
    this.#replySeq = seq;
  }

  #takeSyn(seg: Readonly<Segment>, nowMs: number): void {
    const { settings } = this.context;
    const { receiver, writer, sender } = this;
    receiver.start(seg.seq, Math.min(receiver.freeBytes, 0xffff));
    writer.hasTimestamps = writer.hasTimestamps && seg.hasTimestamps;
    if (writer.hasTimestamps) receiver.noteTimestamp(seg, nowMs);
    const isEcnSyn = (seg.flags & (ECE | CWR)) === (seg.flags & ACK ? ECE : ECE | CWR);
    writer.isEcnUsed = sender.isEcnUsed = isEcnSyn && (this.#isEcnAsked || (settings.ecn !== 0 && !(seg.flags & ACK)));
    const ourShift = settings.isWindowScalingOn ? this.ourWindowShift() : NO_WINDOW_SHIFT;
    this.#takeSynOptions(seg.mss, seg.isSackPermitted && settings.isSackOn, seg.windowShift, ourShift);
    if (seg.fastOpenLen > 0) this.learnedCookie = seg.fastOpenCookie.slice(0, seg.fastOpenLen);
  }

  #takeSynOptions(mss: number, isSackUsed: boolean, peerShift: number, ourShift: number): void {
    const { sender, receiver } = this;
    const isScaled = peerShift !== NO_WINDOW_SHIFT && ourShift !== NO_WINDOW_SHIFT;
    sender.windowShift = isScaled ? peerShift : 0;
    receiver.windowShift = isScaled ? ourShift : 0;
    sender.recovery.isSackUsed = isSackUsed;
    receiver.isSackUsed = isSackUsed;
    this.#peerMss = mss === 0 ? (this.writer.remote.isIpv4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6) : mss;
  }

  /** The shift that lets the window grow to the largest buffer: RFC 7323 section 2.3. */
  ourWindowShift(): number {
    const bytesMax = Math.max(this.receiver.bufferBytesMax, this.tuner.bytesMax);
    let shift = 0;
    while (shift < 14 && 0xffff * 2 ** shift < bytesMax) shift++;
    return shift;
  }

  #becomeEstablished(rttMs: number, wasRetransmitted: boolean, nowMs: number): void {
    const { sender } = this;
    this.#setState(TcpState.ESTABLISHED);
    this.#stateAtMs = Infinity;
    this.#mustSendSyn = false;
    this.lastHeardMs = nowMs;
    this.#setMss();
    if (rttMs >= 0) sender.rtt.onSample(rttMs, nowMs);
    if (wasRetransmitted) sender.rtt.onSynRetransmitted();
    const segments = wasRetransmitted ? 1 : INITIAL_WINDOW_SEGMENTS;
    sender.cc.start(sender.mssBytes, segments * sender.mssBytes, this.context.random.u32(), nowMs);
    this.tuner.start(INITIAL_WINDOW_SEGMENTS * this.receiver.peerMssBytes, nowMs);
    this.keepAlive.start(this, nowMs);
    this.context.counters.CurrEstab++;
    this.#tuneSendBuffer();
    if (sender.isFinQueued) this.#setState(stateOnClose(this.#state));
  }

  #setMss(): void {
    const { options, writer, receiver, sender } = this;
    let mss = Math.min(this.#peerMss, this.#pathMss);
    if (options.maxSegBytes > 0) mss = Math.min(mss, options.maxSegBytes);
    mss = Math.max(mss, this.context.settings.mssBytesMin);
    if (writer.hasTimestamps) mss -= TIMESTAMPS_BYTES;
    sender.setMss(mss);
    receiver.peerMssBytes = Math.max(receiver.peerMssBytes, Math.min(this.#pathMss, receiver.bufferBytesMax / 4));
  }

  /** As `tcp_sndbuf_expand()`: room for twice the window, while the application has not fixed the size. */
  #tuneSendBuffer(): void {
    const { sender, options } = this;
    if (options.sendBytes > 0) return;
    const wanted = Math.min(
      2 * Math.max(sender.cc.cwndBytes, 10 * sender.mssBytes),
      this.context.settings.sendBytesMax,
    );
    if (wanted > sender.bufferBytesMax) sender.bufferBytesMax = Math.floor(wanted);
  }

  #changeCongestionControl(): void {
    const cc = createCongestionControl(this.options.congestionControl);
    if (cc === undefined) return;
    const { sender } = this;
    cc.ssthreshBytes = sender.cc.ssthreshBytes;
    cc.start(sender.mssBytes, sender.cc.cwndBytes, this.context.random.u32(), this.#nowMs);
    sender.recovery.cc = cc;
  }

  #runTimers(nowMs: number, sink: SegmentSink): void {
    if (nowMs >= this.#stateAtMs) this.#onStateTimer();
    if (nowMs >= this.keepAlive.atMs) {
      if (this.keepAlive.run(this, nowMs)) this.writer.probe(nowMs, sink);
    }
    if (nowMs < this.sender.timerAtMs) return;
    switch (this.sender.runTimer(nowMs)) {
      case SendEvent.PROBE_WINDOW:
        this.writer.probe(nowMs, sink);
        return;
      case SendEvent.GIVE_UP:
        this.giveUp();
        return;
      case SendEvent.NONE:
        return;
    }
  }

  /** Ends the connection because the peer does not answer. */
  giveUp(): void {
    this.context.counters.TCPAbortOnTimeout++;
    this.#end(this.#softError === 0 ? TcpError.TIMED_OUT : this.#softError);
  }

  /** As giveUp, and tells the peer. */
  giveUpWithReset(): void {
    this.#mustReset = true;
    this.giveUp();
  }

  #onStateTimer(): void {
    this.#stateAtMs = Infinity;
    switch (this.#state) {
      case TcpState.SYN_SENT:
      case TcpState.SYN_RECV:
        if (this.#synCount > this.options.synRetries || this.#hasSynTimedOut) this.giveUp();
        else this.#mustSendSyn = true;
        return;
      case TcpState.FIN_WAIT2:
      case TcpState.TIME_WAIT:
        this.#end(0);
        return;
      default:
        return;
    }
  }

  get #hasSynTimedOut(): boolean {
    const { userTimeoutMs } = this.options;
    return userTimeoutMs > 0 && this.#nowMs - this.sender.progressMs >= userTimeoutMs;
  }

  #sendSyn(nowMs: number, sink: SegmentSink): void {
    const { settings } = this.context;
    const { writer } = this;
    this.#mustSendSyn = false;
    const isReply = this.#state === TcpState.SYN_RECV;
    const seg = writer.beginSyn(isReply ? SYN | ACK : SYN, nowMs);
    seg.mss = Math.min(this.#pathMss, this.options.maxSegBytes || this.#pathMss);
    const isScaling = isReply
      ? this.receiver.windowShift > 0 || this.sender.windowShift > 0
      : settings.isWindowScalingOn;
    if (isScaling) seg.windowShift = isReply ? this.receiver.windowShift : this.ourWindowShift();
    seg.isSackPermitted = isReply ? this.receiver.isSackUsed : settings.isSackOn;
    if (!isReply && this.#isEcnAsked && this.#synCount < 2) seg.flags |= ECE | CWR;
    if (isReply && writer.isEcnUsed) seg.flags |= ECE;
    if (this.#fastOpenCookie !== null && !isReply && this.#synCount === 0) this.#addFastOpen(seg);
    const waitMs = Math.min(SYN_TIMEOUT_MS * 2 ** this.#synCount, SYN_TIMEOUT_MS_MAX);
    this.#stateAtMs = nowMs + waitMs;
    if (this.#synCount === 0) this.#synSentMs = nowMs;
    this.#synCount++;
    if (isReply) this.receiver.onAckSent();
    writer.emit(seg, sink);
  }

  /** RFC 7413 section 4.2.1. */
  #addFastOpen(seg: Segment): void {
    const cookie = this.#fastOpenCookie!;
    seg.fastOpenCookie.set(cookie);
    seg.fastOpenLen = cookie.length;
    const len = cookie.length > 0 ? Math.min(this.sender.ring.len, this.#pathMss - 40) : 0;
    if (len <= 0) return;
    this.writer.setSynText(seg, len);
    this.sender.sndNxt = seqAdd(this.sender.iss, 1 + len);
    this.context.counters.TCPFastOpenActive++;
  }

  #transmit(nowMs: number, sink: SegmentSink): void {
    const { sender, receiver, writer } = this;
    if (!canTransmit(this.#state)) return;
    let sent = sender.next(nowMs);
    if (sent === null) return;
    // What lies beyond a gap goes in a segment of its own, which has room for it.
    if (receiver.ackNeed === AckNeed.NOW && receiver.hasSackToTell) writer.ack(nowMs, sink);
    if (receiver.ackNeed === AckNeed.DELAYED) receiver.isInteractive = true;
    for (; sent !== null; sent = sender.next(nowMs)) writer.text(sent, nowMs, sink);
    sender.hasMore = false;
  }

  #finish(): void {
    this.#isWriteShut = true;
    this.#wantsOutput = true;
    if (this.#state === TcpState.SYN_RECV) {
      // The FIN follows the handshake.
      this.sender.isFinQueued = true;
      return;
    }
    const next = stateOnClose(this.#state);
    if (next === this.#state) return;
    this.sender.isFinQueued = true;
    if (next === TcpState.CLOSE) this.#end(0);
    else this.#setState(next);
  }

  #waitForFin(nowMs: number): void {
    const { linger2Ms } = this.options;
    if (linger2Ms < 0) {
      this.#mustReset = true;
      this.context.counters.TCPAbortOnLinger++;
      this.#end(0);
    } else {
      this.#stateAtMs = nowMs + linger2Ms;
      this.#wantsOutput = true;
    }
  }

  #enterTimeWait(nowMs: number): void {
    this.sender.clear();
    this.keepAlive.stop();
    this.context.counters.TW++;
    this.#stateAtMs = nowMs + this.context.settings.timeWaitMs;
  }

  /** The connection is over, with `error` if that is not 0. Text that has come may still be read. */
  #end(error: TcpError | 0): void {
    if (error !== 0) this.#error = error;
    if (!isSynchronized(this.#state)) this.context.counters.AttemptFails++;
    this.#setState(TcpState.CLOSE);
    this.sender.clear();
    this.receiver.outOfOrder.clear();
    this.receiver.ackNeed = AckNeed.NONE;
    this.receiver.ackAtMs = Infinity;
    this.#stateAtMs = Infinity;
    this.#mustSendSyn = false;
    this.keepAlive.stop();
    this.#wantsOutput = this.#mustReset || this.#mustReplyReset;
  }

  #setState(state: TcpState): void {
    if (state === this.#state) return;
    if (this.#state === TcpState.ESTABLISHED || this.#state === TcpState.CLOSE_WAIT) {
      if (state !== TcpState.ESTABLISHED && state !== TcpState.CLOSE_WAIT) this.context.counters.CurrEstab--;
    }
    this.#state = state;
  }

  #afterRead(count: number): void {
    const { receiver } = this;
    this.tuner.onRead(count, receiver, this.#nowMs);
    if (canReceiveText(this.#state) && receiver.hasWindowToTell) {
      receiver.ackNow();
      this.#wantsOutput = true;
    }
  }

  #emptyRead(): number {
    if (this.receiver.isFinReceived || this.#isReadShut) return 0;
    if (this.#error !== 0) return this.takeError();
    if (this.#isOver) return 0;
    return this.#state === TcpState.CLOSE ? TcpError.NOT_CONNECTED : TcpError.WOULD_BLOCK;
  }
}

const urgentByte = new Uint8Array(1);
