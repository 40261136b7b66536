import {
  EACCES,
  EAGAIN,
  EBADF,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENODEV,
  ENOTCONN,
  IP_PMTUDISC_DO,
  IP_RECVERR,
  IPV6_RECVERR,
  MSG_PEEK,
  MSG_TRUNC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
  SHUT_RD,
  SHUT_WR,
  SOL_IP,
  SOL_IPV6,
} from '@tsv/abi';
import { copyBytes, type PacketBuffer, PacketFlag, PacketQueue } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Path } from '../net/path.js';
import { IPV4_ANY, IPV6_ANY, type IpAddress } from '../wire/ip-address.js';
import type { SocketFilter } from './bpf.js';
import { Memberships } from './memberships.js';
import { Socket } from './socket.js';
import type { ReceiveInfo, SocketAddress } from './socket-address.js';

/** What a queued packet costs beyond its buffer, as `struct sk_buff`. */
const PACKET_OVERHEAD_BYTES = 256;

/** What a single datagram has that the socket's options do not say: control messages of ip(7) and ipv6(7). */
export interface DatagramOverrides {
  /** Source address, one of ours, or null. */
  readonly source: IpAddress | null;
  /** Interface to send by, or 0. */
  readonly nicId: number;
  /** TTL or hop limit, or -1. */
  readonly hops: number;
  /** TOS or traffic class, or -1. */
  readonly trafficClass: number;
  /** IPV6_DONTFRAG of this datagram. */
  readonly dontFragment: boolean;
  /** SO_MARK of this datagram, or -1. */
  readonly mark: number;
}

/** A socket of packets: UDP, ping and raw sockets share the queue, connect(2), errors and multicast memberships. */
export abstract class DatagramSocket extends Socket {
  /** The peer of a connected socket, else null. */
  remoteAddress: IpAddress | null = null;
  remotePort = 0;
  remoteScopeId = 0;
  droppedCount = 0;
  /** Of the datagram that is being sent; null for none. Written by whoever sends. */
  overrides: DatagramOverrides | null = null;
  readonly #queue = new PacketQueue();
  /** The multicast groups that it has joined. */
  readonly memberships = new Memberships(this.stack);
  #queuedBytes = 0;
  #isReadShut = false;
  #isWriteShut = false;

  /** Source port of a received packet, as recvfrom(2) reports it. */
  protected abstract sourcePortOf(packet: PacketBuffer): number;

  /** Bytes of the upper-layer header that an ICMP error quotes. */
  protected abstract readonly headerBytes: number;

  /** Datagrams that wait. */
  get queuedCount(): number {
    return this.#queue.count;
  }

  /** Length of the first datagram that waits, 0 if none: FIONREAD of udp(7). */
  get nextLen(): number {
    return this.#queue.head?.len ?? 0;
  }

  get isWriteShut(): boolean {
    return this.#isWriteShut;
  }

  readiness(): number {
    let mask = POLLOUT | POLLWRNORM | POLLWRBAND;
    if (this.#queue.count > 0 || this.#isReadShut) mask |= POLLIN | POLLRDNORM;
    if (this.#isReadShut) mask |= POLLRDHUP;
    if (this.#isReadShut && this.#isWriteShut) mask |= POLLHUP;
    if (this.pendingError !== 0 || this.hasErrors) mask |= POLLERR;
    return mask;
  }

  /** Takes a packet whose data is the payload; it is the socket's then, or dropped if there is no room. */
  enqueue(packet: PacketBuffer): void {
    if (this.socketFilter !== null && !this.#passesFilter(this.socketFilter, packet)) return packet.release();
    const cost = packet.bytes.length + PACKET_OVERHEAD_BYTES;
    if (this.#isReadShut || this.#queuedBytes + cost > this.optionValues.receiveBytesMax) {
      // An empty queue takes one packet whatever its buffer, as Linux does.
      if (this.#isReadShut || this.#queue.count > 0) {
        this.droppedCount++;
        return packet.release();
      }
    }
    this.#queuedBytes += cost;
    this.#queue.push(packet);
    this.waiters.notify(POLLIN | POLLRDNORM);
  }

  /**
   * Receives the next datagram into `dst[at..at+len)`; what does not fit is lost. Fills `from` and `info` if given.
   * Returns the bytes stored, or with MSG_TRUNC the datagram's length. Errors: EAGAIN, and a pending error.
   */
  receive(
    dst: Uint8Array,
    at: number,
    len: number,
    flags: number,
    from: SocketAddress | null,
    info: ReceiveInfo | null,
  ): number {
    if (this.pendingError !== 0) return this.takeError();
    const packet = this.#queue.head;
    if (packet === null) return this.#isReadShut ? 0 : -EAGAIN;
    const count = Math.min(len, packet.len);
    copyBytes(packet.bytes, packet.at, dst, at, count);
    if (from !== null) {
      const scopeId = packet.src.isLinkLocal ? packet.nicId : 0;
      from.set(packet.src.clone(), this.sourcePortOf(packet), scopeId);
    }
    if (info !== null) this.#describe(packet, len, info);
    const datagramLen = packet.len;
    if ((flags & MSG_PEEK) === 0) {
      this.#queue.shift();
      this.#queuedBytes -= packet.bytes.length + PACKET_OVERHEAD_BYTES;
      packet.release();
    }
    return flags & MSG_TRUNC ? datagramLen : count;
  }

  /** Sets the peer: packets of others are not received. Errors: those of {@link Stack.findPath}. */
  connect(address: IpAddress, port: number, scopeId: number): number {
    const family = this.checkFamily(address);
    if (family !== 0) return family;
    const path = this.pathTo(address, scopeId);
    if (typeof path === 'number') return path;
    if (!this.optionValues.mayBroadcast && path.nic.isBroadcast(path.dst)) return -EACCES;
    const bound = this.bindForSending();
    if (bound !== 0) return bound;
    this.remoteAddress = path.dst;
    this.remotePort = port;
    this.remoteScopeId = scopeId;
    if (this.localAddress.isUnspecified) this.moveTo(path.src);
    return 0;
  }

  /** Forgets the peer: connect(2) with AF_UNSPEC. */
  disconnect(): void {
    this.remoteAddress = null;
    this.remotePort = 0;
  }

  /** Stops receiving (SHUT_RD), sending (SHUT_WR) or both; as Linux does, also where it says ENOTCONN. Errors: EINVAL. */
  shutdown(how: number): number {
    if (how < SHUT_RD || how > 2) return -EINVAL;
    if (how !== SHUT_WR) this.#isReadShut = true;
    if (how !== SHUT_RD) this.#isWriteShut = true;
    this.waiters.notify(this.readiness());
    return this.remoteAddress === null ? -ENOTCONN : 0;
  }

  getSocketName(into: SocketAddress): number {
    into.set(this.localAddress, this.localPort, this.localAddress.isLinkLocal ? this.optionValues.boundNicId : 0);
    return 0;
  }

  /** Errors: ENOTCONN. */
  getPeerName(into: SocketAddress): number {
    if (this.remoteAddress === null) return -ENOTCONN;
    into.set(this.remoteAddress, this.remotePort, this.remoteScopeId);
    return 0;
  }

  /** Joins a group on interface `nicId`, or on that of the route. Errors: EINVAL, ENODEV, EADDRINUSE, ENOBUFS. */
  joinGroup(group: IpAddress, nicId: number): number {
    if (!group.isMulticast) return -EINVAL;
    const nic = this.memberships.nicFor(group, nicId, this.optionValues.boundNicId);
    return nic === undefined ? -ENODEV : this.memberships.join(group, nic);
  }

  /** Errors: EADDRNOTAVAIL if the group was not joined. */
  leaveGroup(group: IpAddress, nicId: number): number {
    return this.memberships.leave(group, nicId);
  }

  /** Whether the socket wants packets of `source` to a group; where it has not joined it, all that the interface gets. */
  wantsGroup(group: IpAddress, nicId: number, source: IpAddress): boolean {
    const filter = this.memberships.filterOf(group, nicId);
    if (filter !== undefined) return filter.accepts(source);
    return group.isIpv4 ? this.optionValues.takesAllGroups : this.optionValues.takesAllGroups6;
  }

  icmpError(error: IcmpError): void {
    const wantsQueue = error.src.isIpv4 ? this.optionValues.queuesErrors : this.optionValues.queuesErrors6;
    if (wantsQueue) this.errors.push(error, this.quotedPort(error), this.headerBytes);
    // Without a queue, only a connected socket hears of errors, and only of hard ones.
    const isTold = wantsQueue || (this.remoteAddress !== null && error.isHard);
    if (isTold) this.fail(error.errno);
  }

  /** Tells who asked for errors why a datagram is too long for its path, ip(7); returns -EMSGSIZE. */
  protected refuseTooLong(path: Path): number {
    const wantsQueue = path.dst.isIpv4 ? this.optionValues.queuesErrors : this.optionValues.queuesErrors6;
    if (wantsQueue) this.errors.pushLocal(EMSGSIZE, path.mtu, path.dst, this.remotePort);
    return -EMSGSIZE;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#queue.clear();
    this.errors.clear();
    this.memberships.clear();
    this.unregister();
    this.waiters.notify(POLLHUP);
  }

  /** Takes the socket out of the tables of its protocol. */
  protected abstract unregister(): void;

  /** Gives the socket a port if it has none. Errors: EAGAIN when there is none left. */
  protected abstract bindForSending(): number;

  /** Changes the local address of a registered socket. */
  protected moveTo(address: IpAddress): void {
    this.localAddress = address;
  }

  /** Port that the packet in question was sent to. */
  protected quotedPort(error: IcmpError): number {
    const packet = error.packet;
    return packet === null ? 0 : (packet.bytes[error.quoteAt + 2]! << 8) | packet.bytes[error.quoteAt + 3]!;
  }

  /** The way for a datagram: to `to`, or to the peer. Errors: EBADF, EDESTADDRREQ and what finding a path says. */
  protected route(to: SocketAddress | null): Path | number {
    if (this.isClosed) return -EBADF;
    if (this.pendingError !== 0) return this.takeError();
    const address = to === null ? this.remoteAddress : to.address;
    if (address === null) return -EDESTADDRREQ;
    const family = this.checkFamily(address);
    if (family !== 0) return family;
    const scopeId = to === null ? this.remoteScopeId : to.scopeId;
    const { overrides } = this;
    if (overrides === null || (overrides.source === null && overrides.nicId === 0 && overrides.mark < 0))
      return this.pathTo(address, scopeId);
    if (overrides.nicId !== 0 && this.stack.nic(overrides.nicId) === undefined) return -ENODEV;
    if (overrides.source !== null && !this.stack.isLocal(overrides.source)) {
      return overrides.source.isIpv4 ? -ENETUNREACH : -EINVAL;
    }
    const bound = this.localAddress.isUnspecified ? null : this.localAddress;
    const source = overrides.source === null ? bound : overrides.source.clone();
    const nicId =
      overrides.nicId !== 0
        ? overrides.nicId
        : this.optionValues.boundNicId !== 0
          ? this.optionValues.boundNicId
          : scopeId;
    const mark = overrides.mark >= 0 ? overrides.mark : this.optionValues.mark;
    return this.stack.findPath(address.clone(), source, nicId, mark);
  }

  /** Sends upper-layer data along `path` with the socket's TTL, TOS and flags. */
  protected sendAlong(path: Path, packet: PacketBuffer, protocol: number): number {
    const { options, overrides } = this;
    const isGroup = path.dst.isMulticast;
    const ownHops = overrides === null ? -1 : overrides.hops;
    const ownClass = overrides === null ? -1 : overrides.trafficClass;
    this.signPacket(packet);
    if (overrides !== null && overrides.mark >= 0) packet.mark = overrides.mark;
    if (path.dst.isIpv4) {
      if (options.pmtuDiscovery >= IP_PMTUDISC_DO) packet.flags |= PacketFlag.DONT_FRAGMENT;
      if (isGroup && !options.loopsMulticast) packet.flags |= PacketFlag.NO_LOOP;
      const ttl = isGroup ? options.multicastTtl : options.ttl;
      const tos = ownClass >= 0 ? ownClass : options.tos;
      return this.stack.ipv4.send(packet, path, protocol, ownHops >= 0 ? ownHops : ttl, tos);
    }
    const dontFragment = options.dontFragment6 || overrides?.dontFragment === true;
    if (dontFragment || options.pmtuDiscovery >= IP_PMTUDISC_DO) packet.flags |= PacketFlag.DONT_FRAGMENT;
    if (isGroup && !options.loopsMulticast6) packet.flags |= PacketFlag.NO_LOOP;
    const hops = isGroup ? options.multicastHops : options.hops;
    const trafficClass = ownClass >= 0 ? ownClass : options.trafficClass;
    return this.stack.ipv6.send(packet, path, protocol, ownHops >= 0 ? ownHops : hops, trafficClass);
  }

  /** Asks the filter, which sees the upper-layer header that the payload is behind, and cuts what it does not want. */
  #passesFilter(filter: SocketFilter, packet: PacketBuffer): boolean {
    const from = Math.min(packet.at, packet.transportAt < 0 ? packet.at : packet.transportAt);
    const kept = filter.run(packet, from);
    if (kept === 0) return false;
    packet.trimTo(Math.max(0, kept - (packet.at - from)));
    return true;
  }

  #describe(packet: PacketBuffer, len: number, info: ReceiveInfo): void {
    info.datagramLen = packet.len;
    info.msgFlags = packet.len > len ? MSG_TRUNC : 0;
    info.nicId = packet.nicId;
    info.dst = packet.dst.clone();
    info.dstPort = this.localPort;
    info.hopLimit = packet.hopLimit;
    info.trafficClass = packet.trafficClass;
    info.segmentBytes = packet.segmentBytes;
    info.arrivedMs = packet.arrivedMs;
    info.droppedCount = this.droppedCount;
  }

  /** The wildcard address of the socket's family. */
  protected get anyAddress(): IpAddress {
    return this.isIpv6 ? IPV6_ANY : IPV4_ANY;
  }

  /** Sets an option of an `int`; setsockopt(2). */
  setOption(level: number, name: number, value: number): number {
    if (this.isClosed) return -EBADF;
    const status = this.options.set(level, name, value);
    const isOff =
      value === 0 && ((level === SOL_IP && name === IP_RECVERR) || (level === SOL_IPV6 && name === IPV6_RECVERR));
    if (isOff) this.errors.clear();
    return status;
  }

  /** The value of an option. Errors: ENOPROTOOPT, EBADF. */
  getOption(level: number, name: number): number {
    return this.isClosed ? -EBADF : this.optionOf(level, name);
  }
}
