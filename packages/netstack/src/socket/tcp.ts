import { ECONNREFUSED, EMSGSIZE, ENETUNREACH, EPROTO } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import { copyBytes, PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Nic } from '../net/nic.js';
import type { Path } from '../net/path.js';
import { SipHash } from '../net/siphash.js';
import { transportChecksumIsRight } from '../net/transport-checksum.js';
import type { Stack } from '../stack.js';
import { FastOpenUse } from '../tcp/fast-open.js';
import { IsnGenerator } from '../tcp/isn.js';
import { ACK, FIN, PSH, resetFor, RST, Segment, type SegmentSink, SYN } from '../tcp/segment.js';
import { seqAdd, seqGe, seqGt } from '../tcp/sequence.js';
import type { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import { TcpError } from '../tcp/tcp-error.js';
import { TcpContext } from '../tcp/tcp-settings.js';
import { encodeHeader, parseSegment, segmentHeaderBytes, TCP_HEADER_BYTES_MIN, tcpIsWellFormed } from '../tcp/wire.js';
import { loadU16, loadU32 } from '../wire/byte-order.js';
import type { IpAddress } from '../wire/ip-address.js';
import { IPV4_HEADER_BYTES, IPV4_PACKET_BYTES_MAX } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES } from '../wire/ipv6.js';
import { IPPROTO_TCP } from '../wire/protocol.js';
import { ConnectionTable } from './connection-table.js';
import { NO_TRAITS, type PacketTraits } from './packet-traits.js';
import { EPHEMERAL_PORT_MAX, EPHEMERAL_PORT_MIN, type PortHolder, PortTable } from './port-table.js';
import { TcpConnection } from './tcp-connection.js';
import type { TcpSocket } from './tcp-socket.js';

const KEY_BYTES = 16;
const EPHEMERAL_PORT_COUNT = EPHEMERAL_PORT_MAX - EPHEMERAL_PORT_MIN + 1;

/** Takes connection attempts that no listener wants: for gateways that stand for the hosts behind them. */
export interface TcpForwarder {
  /**
   * Takes a SYN, a packet whose upper-layer header is at `transportAt`; the packet is the forwarder's. It opens a
   * listener and has the packet delivered again, or hands it to {@link Tcp.refuse}.
   */
  synArrived(packet: PacketBuffer, seg: Readonly<Segment>): void;
}

/** A listening socket's timer, for SYN-ACKs that are sent again. */
export class ListenTimer extends Timer {
  readonly socket: TcpSocket;

  constructor(socket: TcpSocket) {
    super();
    this.socket = socket;
  }

  fired(nowMs: number): void {
    this.socket.pollListener(nowMs);
  }
}

/** TCP's part of a stack: finds the endpoints of segments, gives out ports, and lets endpoints send. RFC 9293. */
export class Tcp implements SegmentSink {
  readonly context: TcpContext;
  readonly isns: IsnGenerator;
  /** Keyed hash for cookies and ports. */
  readonly hash: SipHash;
  readonly connections: ConnectionTable<TcpConnection>;
  /** Who has which port: bound sockets and connections. */
  readonly ports = new PortTable<PortHolder>();
  readonly listeners = new PortTable<TcpSocket>();
  forwarder: TcpForwarder | null = null;
  readonly #stack: Stack;
  readonly #segment = new Segment();
  /** Those that {@link Tcp.flush} is to look after; null behind them, and where a flush that threw has been. */
  readonly #touched: (TcpConnection | null)[] = [];
  #touchedCount = 0;
  /** Moves with every port given out: RFC 6056 algorithm 3. */
  #portCounter = 0;
  #lastTraits = NO_TRAITS;

  constructor(stack: Stack) {
    this.#stack = stack;
    const key = new Uint8Array(KEY_BYTES);
    for (let i = 0; i < KEY_BYTES; i++) key[i] = stack.random.u32();
    this.hash = new SipHash(key);
    this.isns = new IsnGenerator(this.hash);
    this.context = new TcpContext(stack.random);
    this.connections = new ConnectionTable(stack.random.u32());
  }

  /** Handles a segment that starts at `packet.at`; the packet is ours. */
  input(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const isGroup = packet.dst.isMulticast || nic.isBroadcast(packet.dst);
    if (isGroup || !tcpIsWellFormed(bytes, at, packet.len) || !transportChecksumIsRight(packet)) {
      if (!isGroup) this.context.counters.InErrs++;
      return packet.release();
    }
    const seg = this.#segment;
    parseSegment(seg, bytes, at, packet.len);
    seg.src = packet.src;
    seg.dst = packet.dst;
    seg.ecn = packet.trafficClass & 3;
    seg.segmentBytes = packet.segmentBytes;
    const connection = this.connections.lookup(seg.dst, seg.dstPort, seg.src, seg.srcPort);
    if (isFilteredOut(connection?.socket ?? null, packet)) return packet.release();
    if (connection === null) this.#inputUnknown(seg, packet);
    else if (connection.endpoint.isReusableBy(seg) && this.#findListener(seg, packet.nicId) !== undefined) {
      this.#forget(connection);
      this.#inputUnknown(seg, packet);
    } else {
      seg.packet = packet;
      this.#inputKnown(connection, seg);
      if (seg.takePacket() === null) return;
    }
    packet.release();
  }

  /** Hands an ICMP error to the connection whose segment it quotes; whether there is one that it can be about. */
  error(error: IcmpError): boolean {
    const { bytes } = error.packet!;
    const at = error.quoteAt;
    const connection = this.connections.lookup(error.src, loadU16(bytes, at), error.dst, loadU16(bytes, at + 2));
    if (connection === null) return false;
    const { endpoint } = connection;
    const seq = loadU32(bytes, at + 4) | 0;
    // RFC 5927 section 4.1: only a segment that is on its way can have caused it.
    if (!seqGe(seq, endpoint.sender.sndUna) || seqGt(seq, endpoint.sender.sndNxt)) return false;
    if (error.errno !== EMSGSIZE) endpoint.onUnreachable(tcpErrorOf(error.errno), seq);
    this.touch(connection);
    return true;
  }

  /** Whether sockets may connect with text in the SYN, tcp_fastopen. */
  get isClientFastOpenOn(): boolean {
    return (this.context.settings.fastOpen & FastOpenUse.CLIENT) !== 0;
  }

  /** Has `endpoint`, which is to connect, use the peer's cookie, or ask for one; unless text in a SYN was lost lately. */
  prepareFastOpen(endpoint: TcpEndpoint, nowMs: number): void {
    const { fastOpenPeers, settings } = this.context;
    const isCookieless =
      endpoint.options.isFastOpenCookieless || (settings.fastOpen & FastOpenUse.CLIENT_NO_COOKIE) !== 0;
    const cookie = fastOpenPeers.cookieFor(endpoint.remote, nowMs);
    if (cookie !== null) endpoint.useFastOpen(isCookieless && cookie.length === 0 ? null : cookie);
  }

  /** Has `connection` looked after at the end of the current call into the stack. */
  touch(connection: TcpConnection): void {
    if (connection.isTouched) return;
    connection.isTouched = true;
    this.#touched[this.#touchedCount++] = connection;
  }

  /** Lets the touched connections send, arms their timers, and tells their sockets' waiters. */
  flush(): void {
    const touched = this.#touched;
    for (let i = 0; i < this.#touchedCount; i++) {
      const connection = touched[i] ?? null;
      touched[i] = null;
      if (connection !== null) this.#flushOne(connection);
    }
    this.#touchedCount = 0;
  }

  /** Sends a segment of `connection`, cut up if it stands for several. */
  sendFor(connection: TcpConnection, seg: Segment): void {
    const { path, traits } = connection;
    if (path === null) return;
    const mss = seg.segmentBytes;
    if (mss === 0 || seg.textLen <= mss || path.nic.link.gsoBytesMax > 0) return this.#transmit(seg, path, traits);
    const { seq, flags, textAt, textLen } = seg;
    for (let from = 0; from < textLen; from += mss) {
      const isLast = from + mss >= textLen;
      seg.seq = seqAdd(seq, from);
      seg.flags = isLast ? flags : flags & ~(FIN | PSH);
      seg.setText(seg.text, textAt + from, Math.min(mss, textLen - from));
      this.#transmit(seg, path, traits);
    }
    seg.seq = seq;
    seg.flags = flags;
    seg.setText(seg.text, textAt, textLen);
  }

  /** Sends a segment that belongs to no connection: part of {@link SegmentSink}, for listeners and resets. */
  emit(seg: Segment): void {
    const path = this.#stack.findPath(seg.dst.clone(), seg.src.clone(), 0);
    if (typeof path !== 'number') this.#transmit(seg, path, NO_TRAITS);
  }

  /** Answers a segment that a forwarder took with a reset, and releases the packet. */
  refuse(packet: PacketBuffer): void {
    const seg = this.#segment;
    const { bytes, transportAt, end } = packet;
    this.#stack.enter();
    parseSegment(seg, bytes, transportAt, end - transportAt);
    seg.src = packet.src;
    seg.dst = packet.dst;
    if (resetFor(seg, this.context.segment)) this.emit(this.context.segment);
    packet.release();
    this.#stack.leave();
  }

  /** Enters a connection in the tables. */
  add(connection: TcpConnection): void {
    this.connections.add(connection);
    this.ports.add(connection);
  }

  /** `traits`, or an object that says the same and is used already. */
  shareTraits(traits: PacketTraits): PacketTraits {
    if (!traits.equals(this.#lastTraits)) this.#lastTraits = traits;
    return this.#lastTraits;
  }

  /** Largest text of a segment along `path`, without options. */
  mssOf(path: Path): number {
    // The loopback device takes more than the length field of IPv4 can say.
    if (path.dst.isIpv4) return Math.min(path.mtu, IPV4_PACKET_BYTES_MAX) - IPV4_HEADER_BYTES - TCP_HEADER_BYTES_MIN;
    return path.mtu - IPV6_HEADER_BYTES - TCP_HEADER_BYTES_MIN;
  }

  /** An ephemeral port for a connection to this peer, 0 if there is none: RFC 6056 section 3.3.3. */
  portFor(local: IpAddress, remote: IpAddress, remotePort: number): number {
    const { hash } = this;
    hash.start();
    for (const address of [local, remote]) {
      hash.add(address.w0);
      hash.add(address.w1);
      hash.add(address.w2);
      hash.add(address.w3);
    }
    hash.add(remotePort);
    const start = (hash.finish() >>> 0) + this.#portCounter;
    for (let i = 0; i < EPHEMERAL_PORT_COUNT; i++) {
      const port = EPHEMERAL_PORT_MIN + ((start + i) % EPHEMERAL_PORT_COUNT);
      if (!this.isPortFreeFor(local, port, remote, remotePort)) continue;
      this.#portCounter = (this.#portCounter + i + 1) % EPHEMERAL_PORT_COUNT;
      return port;
    }
    return 0;
  }

  /** Whether a connection from an unbound socket may use `port`: nobody has bound it, and the four-tuple is free. */
  isPortFreeFor(local: IpAddress, port: number, remote: IpAddress, remotePort: number): boolean {
    for (const holder of this.ports.on(port) ?? []) if (!(holder instanceof TcpConnection)) return false;
    return this.isTupleFree(local, port, remote, remotePort);
  }

  /** Whether the four-tuple is free, or its connection waits in TIME_WAIT and may be replaced (tcp_tw_reuse). */
  isTupleFree(local: IpAddress, port: number, remote: IpAddress, remotePort: number): boolean {
    const known = this.connections.lookup(local, port, remote, remotePort);
    if (known === null) return true;
    if (!known.endpoint.isReusableByConnect(this.#stack.nowMs)) return false;
    this.#forget(known);
    return true;
  }

  #inputKnown(connection: TcpConnection, seg: Segment): void {
    const { endpoint } = connection;
    const before = endpoint.receiver.receivedBytes;
    endpoint.input(seg, this.#stack.nowMs);
    if (connection.socket !== null && endpoint.receiver.receivedBytes !== before) connection.socket.textArrived();
    this.touch(connection);
  }

  #inputUnknown(seg: Segment, packet: PacketBuffer): void {
    const listener = this.#findListener(seg, packet.nicId);
    if (listener === undefined) {
      if (this.forwarder !== null && (seg.flags & (SYN | ACK | RST)) === SYN) {
        return this.forwarder.synArrived(packet.clone(), seg);
      }
      if (!resetFor(seg, this.context.segment)) return;
      this.context.counters.OutRsts++;
      this.emit(this.context.segment);
      return;
    }
    listener.inputSegment(seg, packet.nicId);
  }

  /** The listening socket that fits best: by address, then by interface; among equals of SO_REUSEPORT by hash. */
  #findListener(seg: Segment, nicId: number): TcpSocket | undefined {
    let best: TcpSocket | undefined;
    let bestScore = -1;
    let equalCount = 0;
    const sockets = this.listeners.on(seg.dstPort);
    if (sockets === undefined) return undefined;
    for (const socket of sockets) {
      const score = socket.listenScore(seg.dst, nicId);
      if (score > bestScore) {
        best = socket;
        bestScore = score;
        equalCount = 1;
      } else if (score === bestScore && score >= 0) equalCount++;
    }
    if (equalCount < 2) return best;
    let left = (seg.src.hash(seg.srcPort ^ this.#stack.hashSeed) >>> 0) % equalCount;
    for (const socket of sockets) {
      if (socket.listenScore(seg.dst, nicId) === bestScore && left-- === 0) return socket;
    }
    return best;
  }

  #flushOne(connection: TcpConnection): void {
    const { endpoint, socket } = connection;
    const { nowMs, timers, routes } = this.#stack;
    connection.isTouched = false;
    if (connection.path?.generation !== routes.generation) this.#refreshPath(connection);
    endpoint.output(nowMs, connection);
    if (endpoint.isDead) this.#forget(connection);
    else {
      const atMs = endpoint.pollAtMs();
      // An earlier deadline that has become needless fires for nothing, which is cheaper than moving it each time.
      if (!connection.isArmed || connection.deadlineMs > atMs) timers.arm(connection, Math.max(atMs, nowMs));
    }
    socket?.noticeChange();
    if (connection.listener !== null && endpoint.error !== 0) connection.listener.noticeChange();
  }

  /** Looks the way up again after routes, addresses or path MTUs have changed. */
  #refreshPath(connection: TcpConnection): void {
    const path = this.#stack.findPath(
      connection.remoteAddress,
      connection.localAddress,
      connection.boundNicId,
      connection.traits.mark,
    );
    if (typeof path === 'number') return;
    const before = connection.path;
    connection.path = path;
    connection.endpoint.sender.isGsoUsed = path.nic.link.gsoBytesMax > 0;
    if (before === null || before.mtu !== path.mtu) connection.endpoint.setPathMss(this.mssOf(path));
  }

  #forget(connection: TcpConnection): void {
    this.#stack.timers.disarm(connection);
    if (this.connections.remove(connection)) this.ports.remove(connection);
  }

  #transmit(seg: Segment, path: Path, traits: PacketTraits): void {
    const headerLen = segmentHeaderBytes(seg);
    const packet = PacketBuffer.allocate(headerLen + seg.textLen);
    const at = packet.extend(headerLen + seg.textLen);
    encodeHeader(seg, packet.bytes, at);
    copyBytes(seg.text, seg.textAt, packet.bytes, at + headerLen, seg.textLen);
    packet.flags |= PacketFlag.CHECKSUM_PARTIAL;
    if (seg.textLen > seg.segmentBytes) packet.segmentBytes = seg.segmentBytes;
    const { ttl, trafficClass, mark, ownerUid, ownerGid, mayFragment } = traits;
    const tos = (trafficClass & 0xfc) | seg.ecn;
    packet.mark = mark;
    packet.ownerUid = ownerUid;
    packet.ownerGid = ownerGid;
    if (!mayFragment) packet.flags |= PacketFlag.DONT_FRAGMENT;
    if (path.dst.isIpv4) this.#stack.ipv4.send(packet, path, IPPROTO_TCP, ttl, tos);
    else this.#stack.ipv6.send(packet, path, IPPROTO_TCP, ttl, tos);
  }
}

/** The endpoint's error for an errno that ICMP brought. */
function tcpErrorOf(errno: number): TcpError {
  switch (errno) {
    case ECONNREFUSED:
      return TcpError.REFUSED;
    case ENETUNREACH:
      return TcpError.NET_UNREACHABLE;
    case EPROTO:
      return TcpError.PROTOCOL;
    default:
      return TcpError.HOST_UNREACHABLE;
  }
}

/** Whether the socket's filter does not want a segment, at `packet.at`. What it would cut off TCP needs. */
function isFilteredOut(socket: TcpSocket | null, packet: PacketBuffer): boolean {
  return socket !== null && socket.socketFilter !== null && socket.socketFilter.run(packet, packet.at) === 0;
}
