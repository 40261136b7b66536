import { createCongestionControl } from './congestion/registry.js';
import { INITIAL_WINDOW_SEGMENTS } from './congestion/congestion-control.js';
import { NewReno } from './congestion/new-reno.js';
import type { IpAddress } from '../wire/ip-address.js';
import { FastOpenState } from './fast-open.js';
import { Handshake } from './handshake.js';
import { KeepAlive } from './keep-alive.js';
import { ReceiveTuner } from './receive-tuner.js';
import { AckNeed } from './receiver.js';
import { ACK, CWR, ECE, NO_WINDOW_SHIFT, type Segment, type SegmentSink, SYN } from './segment.js';
import { SegmentWriter } from './segment-writer.js';
import { seqAdd } from './sequence.js';
import type { SendTimes } from './send-times.js';
import { Sender } from './sender.js';
import type { SynReceived } from './syn-received.js';
import { TcpError } from './tcp-error.js';
import { TcpOptions } from './tcp-options.js';
import type { TcpContext } from './tcp-settings.js';
import { isSynchronized, stateOnClose, TcpState } from './tcp-state.js';

/** RFC 9293 section 3.7.1: what a peer takes that does not say. */
const MSS_DEFAULT_IPV4 = 536;
const MSS_DEFAULT_IPV6 = 1220;
const TIMESTAMPS_BYTES = 12;
const SYN_OPTIONS_BYTES_MAX = 40;
const SYN_TIMEOUT_MS = 1000;
const SYN_TIMEOUT_MS_MAX = 120_000;

/**
 * What a connection is made of, how it opens, and how it ends: the ground that {@link SegmentArrival} and
 * {@link TcpEndpoint} build on.
 */
export abstract class Connection extends SegmentWriter {
  /** Null unless the connection has SO_KEEPALIVE. */
  keepAlive: KeepAlive | null = null;
  readonly tuner = new ReceiveTuner();
  protected currentState: TcpState = TcpState.CLOSE;
  protected wantsOutput = false;
  /** Largest text of a segment that the path takes, without options. */
  protected currentPathMss: number;
  #peerMss = 0;
  /** Deadline of the state: SYN sent again, FIN_WAIT2 or TIME_WAIT over. */
  protected stateAtMs = Infinity;
  /** Null once it is established, and before it opens. */
  protected handshake: Handshake | null = null;
  protected mustReset = false;
  protected pendingError: TcpError | 0 = 0;
  protected softError: TcpError | 0 = 0;
  protected hasNoOwner = false;
  protected isReadShut = false;
  protected isWriteShut = false;
  /** Null without fast open. */
  fastOpen: FastOpenState | null = null;
  lastHeardMs = 0;
  /** Null before there was any text to send. */
  sendTimes: SendTimes | null = null;
  /** Segments received, and those with text. */
  segmentInCount = 0;
  textInCount = 0;

  /** An endpoint in CLOSE. `pathMss`: what the path takes, MTU less the headers of IP and TCP without options. */
  constructor(
    context: TcpContext,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    pathMss: number,
    options = TcpOptions.of(context.settings),
  ) {
    const cc = createCongestionControl(options.congestionControl) ?? new NewReno();
    super(context, new Sender(context.settings, options, cc), local, localPort, remote, remotePort);
    this.currentPathMss = pathMss;
    this.applyOptions();
  }

  get options(): TcpOptions {
    return this.sender.options;
  }

  /** Has `options` from now on; they say the same as those that it had. */
  useOptions(options: TcpOptions): void {
    this.sender.options = options;
  }

  get state(): TcpState {
    return this.currentState;
  }

  /** Time of the last call of a connection of the stack that told one. */
  protected get nowMs(): number {
    return this.context.nowMs;
  }

  get pathMss(): number {
    return this.currentPathMss;
  }

  /** The application has closed it. */
  get isOrphan(): boolean {
    return this.hasNoOwner;
  }

  /** Why the connection ended or could not be made; 0 if it did not. Stays until {@link TcpEndpoint.takeError}. */
  get error(): TcpError | 0 {
    return this.pendingError;
  }

  /** Applies {@link TcpEndpoint.options} after they were changed. */
  applyOptions(): void {
    const { options, sender, receiver, context } = this;
    const { settings } = context;
    sender.retriesMax = settings.retries;
    sender.bufferBytesMax = options.sendBytes || Math.max(sender.bufferBytesMax, settings.sendBytes);
    receiver.bufferBytesMax = options.receiveBytes || Math.max(receiver.bufferBytesMax, settings.receiveBytes);
    receiver.windowClampBytes = options.windowClampBytes;
    receiver.isUrgentInline = options.isUrgentInline;
    this.tuner.bytesMax = options.receiveBytes > 0 ? 0 : settings.receiveBytesMax;
    if (sender.cc.name !== options.congestionControl) this.#changeCongestionControl();
    if (isSynchronized(this.currentState)) {
      this.setMss();
      this.#keepAlive(this.nowMs);
    }
    this.wantsOutput = true;
  }

  /** OPEN, active: RFC 9293 section 3.10.1. `iss`: see {@link IsnGenerator}. */
  connect(iss: number, tsOffset: number, nowMs: number): 0 | TcpError {
    if (this.currentState === TcpState.SYN_SENT || this.currentState === TcpState.SYN_RECV) return TcpError.ALREADY;
    if (this.currentState !== TcpState.CLOSE) return TcpError.IS_CONNECTED;
    const { settings, counters } = this.context;
    counters.ActiveOpens++;
    this.context.nowMs = nowMs;
    this.sender.start(iss | 0, nowMs);
    this.sender.tsOffset = tsOffset | 0;
    this.hasTimestamps = settings.isTimestampsOn;
    const handshake = (this.handshake ??= new Handshake());
    handshake.isEcnAsked = settings.ecn === 1;
    handshake.mustSendSyn = true;
    this.setState(TcpState.SYN_SENT);
    this.wantsOutput = true;
    return 0;
  }

  /**
   * Uses fast open (RFC 7413) for the next connect, whose SYN carries what is sent before the first output. `cookie`: of
   * length 0 to ask for one, null to send text without one.
   */
  useFastOpen(cookie: Uint8Array | null): void {
    this.fastOpen = new FastOpenState(cookie);
  }

  /** Has the SYN of the connect that has just begun wait for text. */
  deferSyn(): void {
    this.fastOpen!.isDeferred = true;
    this.handshake!.mustSendSyn = false;
  }

  get isSynDeferred(): boolean {
    return this.fastOpen !== null && this.fastOpen.isDeferred;
  }

  /** Text bytes that our SYN can carry: RFC 7413 section 4.2.1. */
  get synTextBytesMax(): number {
    const isFirst = this.handshake !== null && this.handshake.synCount === 0;
    if (this.fastOpen === null || !this.fastOpen.takesText || !isFirst) return 0;
    const mssDefault = this.remote.isIpv4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6;
    const peerMss = this.context.fastOpenPeers.mssOf(this.remote) || mssDefault;
    return Math.min(this.currentPathMss, peerMss) - SYN_OPTIONS_BYTES_MAX;
  }

  /** Becomes the connection that a listener has completed: `syn` is what it remembered of the handshake. */
  establish(syn: Readonly<SynReceived>, nowMs: number): void {
    const { sender, receiver } = this;
    sender.start(syn.iss, nowMs);
    sender.tsOffset = syn.tsOffset;
    this.hasTimestamps = syn.hasTimestamps;
    sender.isEcnUsed = syn.isEcnUsed;
    receiver.start(syn.irs, syn.windowBytes);
    receiver.tsRecent = syn.tsRecent;
    receiver.tsRecentMs = nowMs;
    receiver.hasTsRecent = syn.hasTimestamps;
    this.#takeSynOptions(syn.mss, syn.isSackPermitted, syn.windowShift, syn.ourWindowShift);
    sender.onSynAcked(seqAdd(syn.iss, 1), nowMs);
    sender.sndWl1 = syn.irs;
    sender.sndWl2 = sender.sndUna;
    sender.sndWnd = sender.maxSndWnd = syn.peerWindowBytes;
    this.becomeEstablished(syn.rttMs, syn.synAckCount > 1, nowMs);
    this.context.counters.PassiveOpens++;
  }

  /** Becomes the connection that `seg`, a SYN with text and a good cookie, opens at once: RFC 7413 section 4.2.2. */
  establishFast(syn: Readonly<SynReceived>, seg: Readonly<Segment>, nowMs: number): void {
    const { sender, receiver } = this;
    this.context.nowMs = nowMs;
    sender.start(syn.iss, nowMs);
    sender.tsOffset = syn.tsOffset;
    this.hasTimestamps = syn.hasTimestamps;
    this.setState(TcpState.SYN_RECV);
    this.takeSyn(seg, nowMs);
    if (seg.textLen > 0) {
      receiver.acceptSynText(seg);
    }
    this.fastOpen = new FastOpenState(syn.fastOpenCookie);
    this.fastOpen.isTextTaken = seg.textLen > 0;
    this.handshake = new Handshake();
    this.handshake.mustSendSyn = true;
    this.wantsOutput = true;
    this.context.counters.PassiveOpens++;
  }

  /** The shift that lets the window grow to the largest buffer: RFC 7323 section 2.3. */
  ourWindowShift(): number {
    const bytesMax = Math.max(this.receiver.bufferBytesMax, this.tuner.bytesMax);
    let shift = 0;
    while (shift < 14 && 0xffff << shift < bytesMax) shift++;
    return shift;
  }

  /** Ends the connection because the peer does not answer. */
  giveUp(): void {
    this.context.counters.TCPAbortOnTimeout++;
    this.end(this.softError === 0 ? TcpError.TIMED_OUT : this.softError);
  }

  /** As giveUp, and tells the peer. */
  giveUpWithReset(): void {
    this.mustReset = true;
    this.giveUp();
  }

  protected takeSyn(seg: Readonly<Segment>, nowMs: number): void {
    const { settings } = this.context;
    const { receiver, sender } = this;
    receiver.start(seg.seq, Math.min(receiver.freeBytes, 0xffff));
    this.hasTimestamps = this.hasTimestamps && seg.hasTimestamps;
    if (this.hasTimestamps) receiver.noteTimestamp(seg, nowMs);
    // RFC 3168 section 6.1.1: a SYN has both bits, its answer only one.
    const isAnswer = (seg.flags & ACK) !== 0;
    const ecnBits = seg.flags & (ECE | CWR);
    const isEcnOffered = isAnswer ? this.handshake?.isEcnAsked === true && ecnBits === ECE : ecnBits === (ECE | CWR);
    sender.isEcnUsed = isEcnOffered && settings.ecn !== 0;
    const ourShift = settings.isWindowScalingOn ? this.ourWindowShift() : NO_WINDOW_SHIFT;
    this.#takeSynOptions(seg.mss, seg.isSackPermitted && settings.isSackOn, seg.windowShift, ourShift);
    if (!isAnswer || this.fastOpen === null || seg.fastOpenLen <= 0) return;
    this.context.fastOpenPeers.learn(this.remote, seg.fastOpenCookie.slice(0, seg.fastOpenLen), this.#peerMss);
  }

  #takeSynOptions(mss: number, isSackUsed: boolean, peerShift: number, ourShift: number): void {
    const { sender, receiver } = this;
    const isScaled = peerShift !== NO_WINDOW_SHIFT && ourShift !== NO_WINDOW_SHIFT;
    sender.windowShift = isScaled ? peerShift : 0;
    receiver.windowShift = isScaled ? ourShift : 0;
    sender.isSackUsed = isSackUsed;
    receiver.isSackUsed = isSackUsed;
    this.#peerMss = mss === 0 ? (this.remote.isIpv4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6) : mss;
  }

  protected becomeEstablished(rttMs: number, wasRetransmitted: boolean, nowMs: number): void {
    const { sender } = this;
    this.setState(TcpState.ESTABLISHED);
    this.stateAtMs = Infinity;
    this.handshake = null;
    this.lastHeardMs = nowMs;
    this.setMss();
    if (rttMs >= 0) sender.rtt.onSample(rttMs, nowMs);
    if (wasRetransmitted) sender.rtt.onSynRetransmitted();
    const segments = wasRetransmitted ? 1 : INITIAL_WINDOW_SEGMENTS;
    sender.cc.start(sender.mssBytes, segments * sender.mssBytes, this.context.random.u32(), nowMs);
    this.tuner.start(INITIAL_WINDOW_SEGMENTS * this.receiver.peerMssBytes, nowMs);
    this.#keepAlive(nowMs);
    this.context.counters.CurrEstab++;
    this.tuneSendBuffer();
    if (sender.isFinQueued) this.setState(stateOnClose(this.currentState));
  }

  protected sendSyn(handshake: Handshake, nowMs: number, sink: SegmentSink): void {
    const { settings } = this.context;
    handshake.mustSendSyn = false;
    const isReply = this.currentState === TcpState.SYN_RECV;
    const seg = this.beginSyn(isReply ? SYN | ACK : SYN, nowMs);
    seg.mss = Math.min(this.currentPathMss, this.options.maxSegBytes || this.currentPathMss);
    const isScaling = isReply
      ? this.receiver.windowShift > 0 || this.sender.windowShift > 0
      : settings.isWindowScalingOn;
    if (isScaling) seg.windowShift = isReply ? this.receiver.windowShift : this.ourWindowShift();
    seg.isSackPermitted = isReply ? this.receiver.isSackUsed : settings.isSackOn;
    if (!isReply && handshake.isEcnAsked && handshake.synCount < 2) seg.flags |= ECE | CWR;
    if (isReply && this.sender.isEcnUsed) seg.flags |= ECE;
    const { synCount } = handshake;
    if (this.fastOpen !== null && (isReply || synCount === 0)) this.#addFastOpen(seg, this.fastOpen, isReply);
    const waitMs = Math.min(SYN_TIMEOUT_MS * 2 ** synCount, SYN_TIMEOUT_MS_MAX);
    this.stateAtMs = nowMs + waitMs;
    if (synCount === 0) handshake.synSentMs = nowMs;
    handshake.synCount++;
    if (isReply) this.receiver.onAckSent();
    this.write(seg, sink);
  }

  /** RFC 7413 sections 4.2.1 and 4.2.2: a SYN that goes again is a plain one. */
  #addFastOpen(seg: Segment, fastOpen: FastOpenState, isReply: boolean): void {
    const { cookie } = fastOpen;
    if (cookie !== null) {
      seg.fastOpenCookie.set(cookie);
      seg.fastOpenLen = cookie.length;
    }
    const len = isReply ? 0 : Math.min(this.sender.ring.len, this.synTextBytesMax);
    if (len <= 0) return;
    this.setSynText(seg, len);
    this.sender.sndNxt = seqAdd(this.sender.iss, 1 + len);
    fastOpen.synTextBytes = len;
    this.context.counters.TCPFastOpenActive++;
  }

  /** The peer has acknowledged our SYN, and with it `ackedBytes` of text. */
  protected noteSynAcked(ackedBytes: number, nowMs: number): void {
    const { fastOpen, handshake } = this;
    if (fastOpen === null || handshake === null) return;
    const { synCount } = handshake;
    fastOpen.onSynAcked(ackedBytes, synCount);
    if (fastOpen.synTextBytes > 0) this.context.fastOpenPeers.noteOutcome(this.remote, synCount > 1, nowMs);
  }

  protected get hasSynTimedOut(): boolean {
    const { userTimeoutMs } = this.options;
    return userTimeoutMs > 0 && this.nowMs - this.sender.progressMs >= userTimeoutMs;
  }

  protected setMss(): void {
    const { options, receiver, sender } = this;
    let mss = Math.min(this.#peerMss, this.currentPathMss);
    if (options.maxSegBytes > 0) mss = Math.min(mss, options.maxSegBytes);
    mss = Math.max(mss, this.context.settings.mssBytesMin);
    if (this.hasTimestamps) mss -= TIMESTAMPS_BYTES;
    sender.setCeiling(mss);
    receiver.peerMssBytes = Math.max(receiver.peerMssBytes, Math.min(this.currentPathMss, receiver.bufferBytesMax / 4));
  }

  /** As `tcp_sndbuf_expand()`: room for twice the window, while the application has not fixed the size. */
  protected tuneSendBuffer(): void {
    const { sender, options } = this;
    if (options.sendBytes > 0) return;
    const wanted = Math.min(
      2 * Math.max(sender.cc.cwndBytes, 10 * sender.mssBytes),
      this.context.settings.sendBytesMax,
    );
    if (wanted > sender.bufferBytesMax) sender.bufferBytesMax = Math.floor(wanted);
  }

  #keepAlive(nowMs: number): void {
    if (!this.options.isKeepAlive || this.currentState === TcpState.TIME_WAIT) this.keepAlive = null;
    else (this.keepAlive ??= new KeepAlive()).start(this, nowMs);
  }

  #changeCongestionControl(): void {
    const cc = createCongestionControl(this.options.congestionControl);
    if (cc === undefined) return;
    const { sender } = this;
    cc.ssthreshBytes = sender.cc.ssthreshBytes;
    cc.start(sender.mssBytes, sender.cc.cwndBytes, this.context.random.u32(), this.nowMs);
    sender.setCongestionControl(cc);
  }

  protected waitForFin(nowMs: number): void {
    const { linger2Ms } = this.options;
    if (linger2Ms < 0) {
      this.mustReset = true;
      this.context.counters.TCPAbortOnLinger++;
      this.end(0);
    } else {
      this.stateAtMs = nowMs + linger2Ms;
      this.wantsOutput = true;
    }
  }

  protected enterTimeWait(nowMs: number): void {
    this.sender.clear();
    this.keepAlive = null;
    this.context.counters.TW++;
    this.stateAtMs = nowMs + this.context.settings.timeWaitMs;
  }

  /** The connection is over, with `error` if that is not 0. Text that has come may still be read. */
  protected end(error: TcpError | 0): void {
    if (error !== 0) this.pendingError = error;
    if (!isSynchronized(this.currentState)) this.context.counters.AttemptFails++;
    this.setState(TcpState.CLOSE);
    this.sender.clear();
    this.receiver.clearOutOfOrder();
    this.receiver.ackNeed = AckNeed.NONE;
    this.receiver.ackAtMs = Infinity;
    this.stateAtMs = Infinity;
    this.handshake = null;
    this.keepAlive = null;
    this.wantsOutput = this.mustReset;
  }

  protected setState(state: TcpState): void {
    if (state === this.currentState) return;
    if (this.currentState === TcpState.ESTABLISHED || this.currentState === TcpState.CLOSE_WAIT) {
      if (state !== TcpState.ESTABLISHED && state !== TcpState.CLOSE_WAIT) this.context.counters.CurrEstab--;
    }
    this.currentState = state;
  }
}
