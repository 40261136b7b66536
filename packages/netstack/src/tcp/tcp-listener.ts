import type { IpAddress } from '../wire/ip-address.js';
import { CookieCheck, FastOpenCookies, FastOpenUse } from './fast-open.js';
import { IsnGenerator } from './isn.js';
import {
  ACK,
  CWR,
  ECE,
  FIN,
  NO_FAST_OPEN,
  NO_WINDOW_SHIFT,
  RST,
  resetFor,
  type Segment,
  type SegmentSink,
  SYN,
} from './segment.js';
import { seqAdd, seqDiff, seqLt } from './sequence.js';
import { encodeTsOptions, SynCookies, tsHasEcn, tsHasSack, tsWindowShift } from './syn-cookie.js';
import { SynQueue } from './syn-queue.js';
import { SynReceived } from './syn-received.js';
import { TcpEndpoint } from './tcp-endpoint.js';
import { TcpError } from './tcp-error.js';
import { TcpOptions } from './tcp-options.js';
import type { KeyedHash, TcpContext } from './tcp-settings.js';
import { TcpState } from './tcp-state.js';

const SYN_ACK_TIMEOUT_MS = 1000;
const SYN_ACK_TIMEOUT_MS_MAX = 120_000;
/** How long after an overflow cookies are looked for. */
const COOKIES_MS = 120_000;
const MSS_DEFAULT_IPV4 = 536;
const MSS_DEFAULT_IPV6 = 1220;
/** net.core.somaxconn. */
export const BACKLOG_MAX = 4096;

/** A port in LISTEN: a queue of handshakes, a queue of connections that nobody has accepted yet, and SYN cookies. */
export class TcpListener {
  readonly context: TcpContext;
  readonly local: IpAddress;
  readonly localPort: number;
  /** Options that accepted connections inherit. */
  options: TcpOptions;
  readonly #isns: IsnGenerator;
  readonly #cookies: SynCookies;
  #ownCookies: FastOpenCookies | null = null;
  #ownCookiesKey: Uint8Array | null = null;
  readonly #synQueue = new SynQueue();
  readonly #acceptQueue: TcpEndpoint[] = [];
  #backlog = 0;
  #overflowedMs = -Infinity;
  #pollAtMs = Infinity;

  /** `hash`: keyed with a secret of this boot. */
  constructor(
    context: TcpContext,
    hash: KeyedHash,
    local: IpAddress,
    localPort: number,
    backlog: number,
    options = TcpOptions.of(context.settings),
  ) {
    this.context = context;
    this.local = local;
    this.localPort = localPort;
    this.options = options;
    this.#isns = new IsnGenerator(hash);
    this.#cookies = new SynCookies(hash);
    this.setBacklog(backlog);
  }

  /** listen(2) again, with another backlog. */
  setBacklog(backlog: number): void {
    this.#backlog = Math.min(backlog < 0 ? BACKLOG_MAX : backlog, BACKLOG_MAX);
  }

  get backlog(): number {
    return this.#backlog;
  }

  /** Connections waiting for {@link TcpListener.accept}: tcpi_unacked of a listening socket. */
  get acceptCount(): number {
    return this.#acceptQueue.length;
  }

  /** Handshakes under way. */
  get synCount(): number {
    return this.#synQueue.count;
  }

  /** The next connection, or WOULD_BLOCK. */
  accept(): TcpEndpoint | TcpError {
    return this.#acceptQueue.shift() ?? TcpError.WOULD_BLOCK;
  }

  /**
   * Takes a segment for this port that belongs to no connection: RFC 9293 sections 3.10.7.2 and 3.10.7.4. Returns the
   * connection that it completed, which the stack enters in its tables. `pathMss`: see {@link TcpEndpoint}.
   */
  input(seg: Readonly<Segment>, pathMss: number, nowMs: number, sink: SegmentSink): TcpEndpoint | null {
    this.context.counters.InSegs++;
    const syn = this.#synQueue.find(seg);
    if (syn !== null) return this.#inputSynReceived(syn, seg, pathMss, nowMs, sink);
    // First: RST. Second: ACK. Third: SYN.
    if (seg.flags & RST) return null;
    if (seg.flags & ACK) return this.#inputAck(seg, pathMss, nowMs, sink);
    // As Linux, a SYN with FIN is no SYN.
    if ((seg.flags & (SYN | FIN)) !== SYN) return null;
    return this.#inputSyn(seg, pathMss, nowMs, sink);
  }

  /** Sends SYN-ACKs again and forgets handshakes that are overdue. */
  output(nowMs: number, sink: SegmentSink): void {
    if (nowMs < this.#pollAtMs) return;
    let nextMs = Infinity;
    for (const syn of [...this.#synQueue]) {
      if (nowMs >= syn.retryAtMs) this.#retry(syn, nowMs, sink);
      nextMs = Math.min(nextMs, syn.retryAtMs);
    }
    this.#pollAtMs = this.#synQueue.count === 0 ? Infinity : nextMs;
  }

  pollAtMs(): number {
    return this.#pollAtMs;
  }

  /** Forgets the handshakes and resets the connections that nobody accepted: they are in the stack's tables. */
  close(): void {
    this.#synQueue.clear();
    this.#pollAtMs = Infinity;
    for (const endpoint of this.#acceptQueue.splice(0)) endpoint.abort();
  }

  #isAcceptQueueFull(): boolean {
    // As Linux, one more than asked for.
    return this.#acceptQueue.length > this.#backlog;
  }

  #inputSyn(seg: Readonly<Segment>, pathMss: number, nowMs: number, sink: SegmentSink): TcpEndpoint | null {
    const { settings, counters } = this.context;
    if (this.#isAcceptQueueFull()) {
      counters.ListenOverflows++;
      counters.ListenDrops++;
      return null;
    }
    const isSynQueueFull = this.#synQueue.count >= Math.max(this.#backlog, 1);
    const usesCookie = settings.synCookies === 2 || (isSynQueueFull && settings.synCookies === 1);
    if (isSynQueueFull && !usesCookie) {
      counters.ListenDrops++;
      return null;
    }
    const syn = this.#remember(seg, pathMss, nowMs);
    if (usesCookie) {
      this.#overflowedMs = nowMs;
      this.#sendCookie(syn, seg, nowMs, sink);
      return null;
    }
    const isFastOpen = this.#takeFastOpen(syn, seg);
    if (isFastOpen) return this.#openFast(syn, seg, pathMss, nowMs);
    this.#synQueue.add(syn);
    this.#sendSynAck(syn, nowMs, sink);
    return null;
  }

  #remember(seg: Readonly<Segment>, pathMss: number, nowMs: number): SynReceived {
    const { settings } = this.context;
    const { src, dst } = seg;
    const syn = new SynReceived(dst.clone(), seg.dstPort, src.clone(), seg.srcPort);
    syn.irs = seg.seq;
    syn.iss = this.#isns.isn(dst, seg.dstPort, src, seg.srcPort, nowMs);
    syn.tsOffset = this.#isns.tsOffset(dst, src);
    syn.mss = seg.mss === 0 ? (src.isIpv4 ? MSS_DEFAULT_IPV4 : MSS_DEFAULT_IPV6) : seg.mss;
    syn.hasTimestamps = seg.hasTimestamps && settings.isTimestampsOn;
    syn.tsRecent = seg.tsVal;
    syn.isSackPermitted = seg.isSackPermitted && settings.isSackOn;
    if (seg.windowShift !== NO_WINDOW_SHIFT && settings.isWindowScalingOn) {
      syn.windowShift = seg.windowShift;
      syn.ourWindowShift = this.#windowShift();
    }
    syn.isEcnUsed = settings.ecn !== 0 && (seg.flags & (ECE | CWR)) === (ECE | CWR);
    syn.windowBytes = Math.min(this.#receiveBytes(), 0xffff);
    syn.peerWindowBytes = seg.window;
    syn.ourMss = Math.min(pathMss, this.options.maxSegBytes || pathMss);
    syn.expiresMs = nowMs + this.options.deferAcceptMs;
    return syn;
  }

  #receiveBytes(): number {
    const bytes = this.options.receiveBytes || this.context.settings.receiveBytes;
    return this.options.windowClampBytes > 0 ? Math.min(bytes, this.options.windowClampBytes) : bytes;
  }

  #windowShift(): number {
    const bytesMax = this.options.receiveBytes || Math.max(this.context.settings.receiveBytesMax, this.#receiveBytes());
    let shift = 0;
    while (shift < 14 && 0xffff << shift < bytesMax) shift++;
    return shift;
  }

  /** A segment of a handshake: states as SYN-RECEIVED. */
  #inputSynReceived(
    syn: SynReceived,
    seg: Readonly<Segment>,
    pathMss: number,
    nowMs: number,
    sink: SegmentSink,
  ): TcpEndpoint | null {
    const rcvNxt = seqAdd(syn.irs, 1);
    if (seg.flags & RST) {
      // RFC 5961 section 3.2: the exact number, or nothing.
      if (seg.seq === rcvNxt) this.#forget(syn);
      return null;
    }
    if (seg.flags & SYN) {
      if (seg.seq === syn.irs) this.#sendSynAck(syn, nowMs, sink);
      return null;
    }
    if (!(seg.flags & ACK)) return null;
    if (seg.ack !== seqAdd(syn.iss, 1)) {
      this.#sendReset(seg, sink);
      return null;
    }
    const last = seqAdd(seg.seq, Math.max(seg.len - 1, 0));
    const isOld = syn.hasTimestamps && seg.hasTimestamps && seqLt(seg.tsVal, syn.tsRecent);
    if (isOld || seqLt(last, rcvNxt) || seqDiff(seg.seq, rcvNxt) >= syn.windowBytes) {
      this.#sendSynAck(syn, nowMs, sink);
      return null;
    }
    if (this.options.deferAcceptMs > 0 && seg.len === 0 && nowMs < syn.expiresMs) {
      this.context.counters.TCPDeferAcceptDrop++;
      syn.isDeferred = true;
      return null;
    }
    syn.rttMs = syn.synAckCount === 1 ? nowMs - syn.sentMs : -1;
    return this.#complete(syn, seg, pathMss, nowMs);
  }

  #complete(syn: SynReceived, seg: Readonly<Segment>, pathMss: number, nowMs: number): TcpEndpoint | null {
    if (this.#isAcceptQueueFull()) {
      // The peer sends again; there may be room by then.
      this.context.counters.ListenOverflows++;
      return null;
    }
    this.#forget(syn);
    syn.peerWindowBytes = seg.window << Math.max(syn.windowShift, 0);
    const endpoint = this.#createEndpoint(syn, pathMss);
    endpoint.establish(syn, nowMs);
    endpoint.input(seg, nowMs);
    this.#acceptQueue.push(endpoint);
    return endpoint;
  }

  #createEndpoint(syn: Readonly<SynReceived>, pathMss: number): TcpEndpoint {
    const { context, options } = this;
    return new TcpEndpoint(context, syn.local, syn.localPort, syn.remote, syn.remotePort, pathMss, options);
  }

  /** RFC 7413 section 4.2.2. */
  #takeFastOpen(syn: SynReceived, seg: Readonly<Segment>): boolean {
    const { fastOpen } = this.context.settings;
    const countMax = this.options.fastOpenMax || (fastOpen & FastOpenUse.SERVER_ALWAYS ? this.#backlog : 0);
    if ((fastOpen & FastOpenUse.SERVER) === 0 || countMax === 0) return false;
    if (this.options.isFastOpenCookieless || (fastOpen & FastOpenUse.SERVER_NO_COOKIE) !== 0) {
      return seg.textLen > 0 && this.#fastOpenCount() < countMax;
    }
    if (seg.fastOpenLen === NO_FAST_OPEN) return false;
    const cookies = this.#cookiesOfFastOpen();
    const check = cookies.check(seg);
    if (check !== CookieCheck.GOOD) syn.fastOpenCookie = cookies.make(seg);
    if (check !== CookieCheck.BAD) return this.#fastOpenCount() < countMax;
    this.context.counters.TCPFastOpenCookieReqd++;
    return false;
  }

  #cookiesOfFastOpen(): FastOpenCookies {
    const key = this.options.fastOpenKey;
    if (key === null) return this.context.fastOpenCookies;
    if (this.#ownCookies === null || this.#ownCookiesKey !== key) this.#ownCookies = new FastOpenCookies(key);
    this.#ownCookiesKey = key;
    return this.#ownCookies;
  }

  #fastOpenCount(): number {
    let count = 0;
    for (const endpoint of this.#acceptQueue) if (endpoint.state === TcpState.SYN_RECV) count++;
    return count;
  }

  #openFast(syn: SynReceived, seg: Readonly<Segment>, pathMss: number, nowMs: number): TcpEndpoint {
    this.context.counters.TCPFastOpenPassive++;
    const endpoint = this.#createEndpoint(syn, pathMss);
    endpoint.establishFast(syn, seg, nowMs);
    this.#acceptQueue.push(endpoint);
    return endpoint;
  }

  /** An acknowledgement out of nowhere: of a cookie, or to be reset. */
  #inputAck(seg: Readonly<Segment>, pathMss: number, nowMs: number, sink: SegmentSink): TcpEndpoint | null {
    const { settings, counters } = this.context;
    const mayBeCookie =
      !(seg.flags & SYN) &&
      (settings.synCookies === 2 || (settings.synCookies === 1 && nowMs - this.#overflowedMs < COOKIES_MS));
    const mss = mayBeCookie ? this.#cookies.check(seg, nowMs) : 0;
    if (mss === 0) {
      if (mayBeCookie) counters.SyncookiesFailed++;
      this.#sendReset(seg, sink);
      return null;
    }
    counters.SyncookiesRecv++;
    const syn = this.#remember(seg, pathMss, nowMs);
    syn.irs = seqAdd(seg.seq, -1);
    syn.iss = seqAdd(seg.ack, -1);
    syn.mss = mss;
    syn.synAckCount = 1;
    this.#takeTsOptions(syn, seg);
    return this.#complete(syn, seg, pathMss, nowMs);
  }

  #takeTsOptions(syn: SynReceived, seg: Readonly<Segment>): void {
    const { settings } = this.context;
    if (!seg.hasTimestamps) return;
    syn.windowShift = tsWindowShift(seg.tsEcr);
    syn.ourWindowShift = syn.windowShift < 0 ? NO_WINDOW_SHIFT : this.#windowShift();
    syn.isSackPermitted = settings.isSackOn && tsHasSack(seg.tsEcr);
    syn.isEcnUsed = settings.ecn !== 0 && tsHasEcn(seg.tsEcr);
  }

  #sendCookie(syn: SynReceived, seg: Readonly<Segment>, nowMs: number, sink: SegmentSink): void {
    this.context.counters.SyncookiesSent++;
    syn.iss = this.#cookies.make(seg, Math.min(syn.mss, syn.ourMss), nowMs);
    // Without timestamps nothing could be remembered of the options.
    if (!syn.hasTimestamps) {
      syn.windowShift = syn.ourWindowShift = NO_WINDOW_SHIFT;
      syn.isSackPermitted = false;
      syn.isEcnUsed = false;
    }
    const reply = this.#synAck(syn, nowMs);
    if (syn.hasTimestamps) {
      reply.tsVal = encodeTsOptions(reply.tsVal, syn.windowShift, syn.isSackPermitted, syn.isEcnUsed);
    }
    this.#emit(reply, sink);
  }

  #sendSynAck(syn: SynReceived, nowMs: number, sink: SegmentSink): void {
    if (syn.synAckCount === 0) syn.sentMs = nowMs;
    const waitMs = Math.min(SYN_ACK_TIMEOUT_MS * 2 ** syn.synAckCount, SYN_ACK_TIMEOUT_MS_MAX);
    syn.synAckCount++;
    syn.retryAtMs = nowMs + waitMs;
    this.#pollAtMs = Math.min(this.#pollAtMs, syn.retryAtMs);
    this.#emit(this.#synAck(syn, nowMs), sink);
  }

  #synAck(syn: Readonly<SynReceived>, nowMs: number): Segment {
    const reply = this.context.segment;
    reply.clear();
    reply.src = syn.local;
    reply.dst = syn.remote;
    reply.srcPort = syn.localPort;
    reply.dstPort = syn.remotePort;
    reply.flags = syn.isEcnUsed ? SYN | ACK | ECE : SYN | ACK;
    reply.seq = syn.iss;
    reply.ack = seqAdd(syn.irs, 1);
    reply.window = syn.windowBytes;
    reply.mss = syn.ourMss;
    reply.windowShift = syn.ourWindowShift;
    reply.isSackPermitted = syn.isSackPermitted;
    if (syn.hasTimestamps) {
      reply.hasTimestamps = true;
      reply.tsVal = (Math.floor(nowMs) + syn.tsOffset) | 0;
      reply.tsEcr = syn.tsRecent;
    }
    if (syn.fastOpenCookie !== null) {
      reply.fastOpenCookie.set(syn.fastOpenCookie);
      reply.fastOpenLen = syn.fastOpenCookie.length;
    }
    return reply;
  }

  #retry(syn: SynReceived, nowMs: number, sink: SegmentSink): void {
    const { settings } = this.context;
    const isExpired = syn.synAckCount > settings.synAckRetries;
    if (isExpired) {
      this.context.counters.AttemptFails++;
      this.#forget(syn);
      return;
    }
    if (syn.isDeferred && nowMs < syn.expiresMs) {
      // The peer is there; it is asked again when the time for text is over.
      syn.retryAtMs = syn.expiresMs;
      return;
    }
    this.#sendSynAck(syn, nowMs, sink);
  }

  #forget(syn: SynReceived): void {
    this.#synQueue.delete(syn);
    if (this.#synQueue.count === 0) this.#pollAtMs = Infinity;
  }

  #sendReset(seg: Readonly<Segment>, sink: SegmentSink): void {
    if (!resetFor(seg, this.context.segment)) return;
    this.context.counters.OutRsts++;
    this.#emit(this.context.segment, sink);
  }

  #emit(seg: Segment, sink: SegmentSink): void {
    this.context.counters.OutSegs++;
    sink.emit(seg);
  }
}
