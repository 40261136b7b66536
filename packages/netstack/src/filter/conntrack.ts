import { Timer } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { ICMP_ECHOREPLY, ICMP_HEADER_BYTES, icmpIsError, icmpType } from '../wire/icmpv4.js';
import { ICMPV6_ECHO_REPLY, icmpv6IsError } from '../wire/icmpv6.js';
import type { IpAddress } from '../wire/ip-address.js';
import {
  IPV4_HEADER_BYTES,
  ipv4FragmentOffsetBytes,
  ipv4HeaderLen,
  ipv4Protocol,
  loadIpv4Dst,
  loadIpv4Src,
} from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, ipv6NextHeader, loadIpv6Dst, loadIpv6Src } from '../wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import { Flow, type FlowEnd, TCP_TIMEOUTS_MS } from './flow.js';
import { Tuple } from './tuple.js';

/** net.netfilter.nf_conntrack_max. */
export const FLOW_COUNT_MAX = 65_536;
const BUCKET_COUNT = 16_384;
const SWEEP_INTERVAL_MS = 10_000;
const EARLY_DROP_COUNT = 256;
/** nf_conntrack_tcp_timeout_unacknowledged: as long as nobody has answered. */
const UNREPLIED_TIMEOUT_MS = 300_000;
/** nf_conntrack_udp_timeout, nf_conntrack_udp_timeout_stream, nf_conntrack_icmp_timeout, nf_conntrack_generic_timeout. */
const UDP_TIMEOUT_MS = 30_000;
const UDP_STREAM_TIMEOUT_MS = 120_000;
/** Datagrams that are answered after that time are a stream. */
const UDP_STREAM_AFTER_MS = 2000;
const ICMP_TIMEOUT_MS = 30_000;
const GENERIC_TIMEOUT_MS = 600_000;
const ID_MAX = 0x7fff_ffff;
/** Ports tried before an address translation gives up. */
const PORT_TRIES = 128;
const PORT_MIN = 1024;
const PORT_COUNT = 65_536 - PORT_MIN;

/** What a packet is to its connection, `ctstate` of iptables. */
export const CtState = { INVALID: 1, NEW: 2, ESTABLISHED: 4, RELATED: 8, UNTRACKED: 16 } as const;
export type CtState = (typeof CtState)[keyof typeof CtState];

/** Hears of the flows in the table. */
export interface ConntrackListener {
  flowAdded(flow: Flow, nowMs: number): void;
  /** It was answered for the first time, is assured, or its TCP state changed. */
  flowChanged(flow: Flow, nowMs: number): void;
  flowRemoved(flow: Flow): void;
}

/** The connections that packets belong to. */
export class Conntrack extends Timer {
  readonly #stack: Stack;
  readonly #buckets: (FlowEnd | null)[] = new Array<FlowEnd | null>(BUCKET_COUNT).fill(null);
  readonly #tuple = new Tuple();
  readonly #seed: number;
  #count = 0;

  /** What {@link Conntrack.track} found: the flow, and whether the packet goes against its first one. */
  flow: Flow | null = null;
  isReply = false;
  state: CtState = CtState.INVALID;
  /** Connections that were not tracked because the table was full. */
  droppedCount = 0;
  listener: ConntrackListener | null = null;
  #lastId: number;

  constructor(stack: Stack) {
    super();
    this.#stack = stack;
    this.#seed = stack.random.u32() | 0;
    this.#lastId = stack.random.u32() >>> 1;
  }

  get count(): number {
    return this.#count;
  }

  /** The flows, in no order. Nothing may be added or removed meanwhile. */
  *flows(): IterableIterator<Flow> {
    for (const bucket of this.#buckets) {
      for (let end = bucket; end !== null; end = end.next) if (!end.isReply) yield end.flow;
    }
  }

  /** Finds the flow of a packet, or makes one that is not confirmed yet. Sets `flow`, `isReply` and `state`. */
  track(packet: PacketBuffer): void {
    this.flow = null;
    this.isReply = false;
    this.state = CtState.INVALID;
    if (isIcmpError(packet)) return this.#trackError(packet);
    const tuple = this.#tuple;
    if (!tuple.load(packet)) return;
    const end = this.#find(tuple);
    if (end !== null && end.flow.expiresMs > this.#stack.nowMs) {
      this.flow = end.flow;
      this.isReply = end.isReply;
      this.state = end.isReply || end.flow.hasReply ? CtState.ESTABLISHED : CtState.NEW;
      this.#see(end.flow, packet);
      return;
    }
    if (end !== null) this.#remove(end.flow);
    if (isEchoReply(packet)) return; // The answer to nothing.
    this.flow = new Flow(tuple, this.#stack.nowMs);
    this.state = CtState.NEW;
    this.#see(this.flow, packet);
  }

  /** Enters a flow whose first packet came through. False if the table is full or the tuples are taken. */
  confirm(flow: Flow): boolean {
    if (flow.isConfirmed) return true;
    if (this.#count >= FLOW_COUNT_MAX) this.#makeRoom();
    const isTaken = this.#find(flow.original.tuple) !== null || this.#find(flow.reply.tuple) !== null;
    if (this.#count >= FLOW_COUNT_MAX || isTaken) {
      this.droppedCount++;
      return false;
    }
    flow.isConfirmed = true;
    this.#lastId = (this.#lastId % ID_MAX) + 1;
    flow.id = this.#lastId;
    this.#link(flow.original);
    this.#link(flow.reply);
    this.#count++;
    this.#armFor(flow);
    this.listener?.flowAdded(flow, this.#stack.nowMs);
    return true;
  }

  /** Lets a flow of the table live for `timeoutMs` from now on, as if a packet had come. */
  setTimeout(flow: Flow, timeoutMs: number): void {
    flow.expiresMs = this.#stack.nowMs + timeoutMs;
    this.#armFor(flow);
  }

  /** The flow that packets with this tuple belong to, in either direction; null if there is none. */
  flowOfTuple(tuple: Tuple): Flow | null {
    const end = this.#find(tuple);
    return end === null || end.flow.expiresMs <= this.#stack.nowMs ? null : end.flow;
  }

  /** Forgets a flow; the next packet of it begins a new one. */
  delete(flow: Flow): void {
    if (flow.isConfirmed) this.#remove(flow);
  }

  /**
   * Gives an unconfirmed flow a new source: its address, and a port from `portMin` to `portMax` (0: any, the old one if
   * it is free). False if there is no free port.
   */
  translateSource(flow: Flow, address: IpAddress, portMin: number, portMax: number): boolean {
    const { tuple } = flow.reply;
    const before = tuple.dstPort;
    tuple.dst.copyFrom(address);
    flow.isSourceSettled = true;
    return this.#choosePort(tuple, before, portMin, portMax);
  }

  /** Gives an unconfirmed flow a new destination; `port` 0 leaves the port as it is. */
  translateDestination(flow: Flow, address: IpAddress, port: number): void {
    const { tuple } = flow.reply;
    tuple.src.copyFrom(address);
    if (port !== 0 && hasPorts(tuple.protocol)) tuple.srcPort = port;
    flow.isDestinationSettled = true;
  }

  /**
   * The flow of a connection of ours whose destination was translated to us; its original destination is what
   * SO_ORIGINAL_DST tells. Addresses are as the socket sees them. Null if there is no such flow.
   */
  translatedFlow(
    protocol: number,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ): Flow | null {
    const end = this.#endOf(protocol, local, localPort, remote, remotePort);
    return end !== null && end.isReply && end.flow.hasNewDestination ? end.flow : null;
  }

  /** The flow of a connection of ours, whichever side began it; null if it is not tracked. */
  flowOf(protocol: number, local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Flow | null {
    return this.#endOf(protocol, local, localPort, remote, remotePort)?.flow ?? null;
  }

  fired(nowMs: number): void {
    const nextMs = this.#sweep(nowMs);
    if (this.#count > 0) this.#stack.timers.arm(this, Math.max(nowMs + SWEEP_INTERVAL_MS, nextMs));
  }

  /** The entry of what goes from `local` to `remote`. */
  #endOf(protocol: number, local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): FlowEnd | null {
    const tuple = new Tuple();
    tuple.protocol = protocol;
    tuple.src.copyFrom(local);
    tuple.dst.copyFrom(remote);
    [tuple.srcPort, tuple.dstPort] = [localPort, remotePort];
    return this.#find(tuple);
  }

  /** An ICMP error belongs to the flow of the packet that it quotes: RFC 5508 section 4. */
  #trackError(packet: PacketBuffer): void {
    const tuple = this.#tuple;
    const { bytes, transportAt, end } = packet;
    const at = transportAt + ICMP_HEADER_BYTES;
    let upperAt: number;
    let protocol: number;
    if (packet.protocol === IPPROTO_ICMP) {
      if (end - at < IPV4_HEADER_BYTES || bytes[at]! >>> 4 !== 4 || ipv4FragmentOffsetBytes(bytes, at) !== 0) return;
      loadIpv4Src(bytes, at, tuple.src);
      loadIpv4Dst(bytes, at, tuple.dst);
      upperAt = at + ipv4HeaderLen(bytes, at);
      protocol = ipv4Protocol(bytes, at);
    } else {
      if (end - at < IPV6_HEADER_BYTES || bytes[at]! >>> 4 !== 6) return;
      loadIpv6Src(bytes, at, tuple.src);
      loadIpv6Dst(bytes, at, tuple.dst);
      upperAt = at + IPV6_HEADER_BYTES;
      protocol = ipv6NextHeader(bytes, at);
    }
    if (!tuple.loadPorts(bytes, upperAt, end, protocol)) return;
    const found = this.#find(tuple);
    const reversed = found ?? this.#findReverse(tuple);
    if (reversed === null) return;
    this.flow = reversed.flow;
    // The quoted packet went the other way than its report goes.
    this.isReply = found !== null ? !found.isReply : reversed.isReply;
    this.state = CtState.RELATED;
  }

  #findReverse(tuple: Tuple): FlowEnd | null {
    const reverse = new Tuple();
    reverse.reverseOf(tuple);
    return this.#find(reverse);
  }

  /** Counts a packet and says how long the flow lives on. */
  #see(flow: Flow, packet: PacketBuffer): void {
    const direction = this.isReply ? 1 : 0;
    flow.packets[direction]++;
    flow.bytes[direction] += packet.end - packet.networkAt;
    const { nowMs } = this.#stack;
    const { hasReply, isAssured, state } = flow;
    if (this.isReply) flow.hasReply = true;
    if (packet.protocol === IPPROTO_TCP) flow.seeTcp(packet.bytes[packet.transportAt + 13]!, this.isReply);
    else if (packet.protocol === IPPROTO_UDP && flow.hasReply && nowMs - flow.beganMs > UDP_STREAM_AFTER_MS) {
      flow.isAssured = true;
    }
    flow.expiresMs = nowMs + timeoutOf(flow, packet.protocol);
    if (!flow.isConfirmed) return;
    this.#armFor(flow);
    const hasChanged = flow.hasReply !== hasReply || flow.isAssured !== isAssured || flow.state !== state;
    if (hasChanged) this.listener?.flowChanged(flow, nowMs);
  }

  /** Sees to it that the table is swept soon after the flow is over. */
  #armFor(flow: Flow): void {
    const atMs = Math.max(flow.expiresMs, this.#stack.nowMs + SWEEP_INTERVAL_MS);
    if (!this.isArmed || this.deadlineMs > atMs) this.#stack.timers.arm(this, atMs);
  }

  #choosePort(tuple: Tuple, before: number, portMin: number, portMax: number): boolean {
    if (!hasPorts(tuple.protocol)) return this.#find(tuple) === null;
    const first = portMin === 0 ? PORT_MIN : portMin;
    const count = portMin === 0 ? PORT_COUNT : portMax - portMin + 1;
    tuple.dstPort = before;
    const mayKeep = portMin === 0 || (before >= portMin && before <= portMax);
    if (mayKeep && this.#find(tuple) === null) return this.#mirrorId(tuple);
    const start = this.#stack.random.below(count);
    for (let i = 0; i < Math.min(count, PORT_TRIES); i++) {
      tuple.dstPort = first + ((start + i) % count);
      this.#mirrorId(tuple);
      if (this.#find(tuple) === null) return true;
    }
    return false;
  }

  /** An echo's identifier stands for both ports. */
  #mirrorId(tuple: Tuple): boolean {
    if (tuple.protocol !== IPPROTO_TCP && tuple.protocol !== IPPROTO_UDP) tuple.srcPort = tuple.dstPort;
    return true;
  }

  #find(tuple: Tuple): FlowEnd | null {
    const hash = tuple.hash(this.#seed);
    let end: FlowEnd | null = this.#buckets[hash & (BUCKET_COUNT - 1)] ?? null;
    while (end !== null && !(end.hash === hash && end.tuple.equals(tuple))) end = end.next;
    return end;
  }

  #link(end: FlowEnd): void {
    end.hash = end.tuple.hash(this.#seed);
    const index = end.hash & (BUCKET_COUNT - 1);
    end.next = this.#buckets[index]!;
    this.#buckets[index] = end;
  }

  #unlink(end: FlowEnd): void {
    const index = end.hash & (BUCKET_COUNT - 1);
    let before: FlowEnd | null = null;
    for (let at: FlowEnd | null = this.#buckets[index]!; at !== null; at = at.next) {
      if (at === end) {
        if (before === null) this.#buckets[index] = end.next;
        else before.next = end.next;
        return;
      }
      before = at;
    }
  }

  #remove(flow: Flow): void {
    this.#unlink(flow.original);
    this.#unlink(flow.reply);
    flow.isConfirmed = false;
    this.#count--;
    this.listener?.flowRemoved(flow);
  }

  /** Forgets what is over, or else a part of the flows that nobody has answered, as `early_drop()` of Linux. */
  #makeRoom(): void {
    this.#sweep(this.#stack.nowMs);
    if (this.#count < FLOW_COUNT_MAX) return;
    let left = EARLY_DROP_COUNT;
    for (const flow of [...this.flows()]) {
      if (flow.hasReply) continue;
      this.#remove(flow);
      if (--left === 0) return;
    }
  }

  /** Forgets the flows that are over; returns when the next one will be. */
  #sweep(nowMs: number): number {
    let nextMs = Infinity;
    for (const flow of [...this.flows()]) {
      if (flow.expiresMs <= nowMs) this.#remove(flow);
      else nextMs = Math.min(nextMs, flow.expiresMs);
    }
    return nextMs;
  }
}

function isIcmpError(packet: PacketBuffer): boolean {
  const { transportAt, protocol, bytes } = packet;
  if (transportAt < 0 || packet.end - transportAt < ICMP_HEADER_BYTES) return false;
  if (protocol === IPPROTO_ICMP) return icmpIsError(icmpType(bytes, transportAt));
  return protocol === IPPROTO_ICMPV6 && icmpv6IsError(icmpType(bytes, transportAt));
}

function isEchoReply(packet: PacketBuffer): boolean {
  const type = packet.bytes[packet.transportAt];
  if (packet.protocol === IPPROTO_ICMP) return type === ICMP_ECHOREPLY;
  return packet.protocol === IPPROTO_ICMPV6 && type === ICMPV6_ECHO_REPLY;
}

function hasPorts(protocol: number): boolean {
  return (
    protocol === IPPROTO_TCP || protocol === IPPROTO_UDP || protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6
  );
}

function timeoutOf(flow: Flow, protocol: number): number {
  switch (protocol) {
    case IPPROTO_TCP:
      return flow.hasReply ? TCP_TIMEOUTS_MS[flow.state] : Math.min(TCP_TIMEOUTS_MS[flow.state], UNREPLIED_TIMEOUT_MS);
    case IPPROTO_UDP:
      return flow.hasReply ? UDP_STREAM_TIMEOUT_MS : UDP_TIMEOUT_MS;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return ICMP_TIMEOUT_MS;
    default:
      return GENERIC_TIMEOUT_MS;
  }
}
