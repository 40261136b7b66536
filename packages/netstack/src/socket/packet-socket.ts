import {
  EADDRNOTAVAIL,
  EAGAIN,
  EBADF,
  EINVAL,
  EMSGSIZE,
  ENETDOWN,
  ENODEV,
  ENOTCONN,
  ENXIO,
  MSG_PEEK,
  MSG_TRUNC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import { copyBytes, PacketBuffer, PacketFlag, PacketQueue } from '../buffer/packet-buffer.js';
import type { Nic } from '../net/nic.js';
import type { Stack } from '../stack.js';
import {
  ETH_ALEN,
  ETH_P_ALL,
  ETHERNET_HEADER_BYTES,
  ethernetDestinationAt,
  ethernetSourceAt,
  type LinkAddress,
  linkAddressEquals,
} from '../wire/ethernet.js';
import { storeU16 } from '../wire/byte-order.js';
import type { SocketFilter } from './bpf.js';
import { RMEM_DEFAULT } from './socket-options.js';

/** `sll_pkttype` of packet(7). */
export const PACKET_HOST = 0;
export const PACKET_BROADCAST = 1;
export const PACKET_MULTICAST = 2;
export const PACKET_OTHERHOST = 3;
export const PACKET_OUTGOING = 4;

const PACKET_OVERHEAD_BYTES = 256;
const NO_LINK_ADDRESS: LinkAddress = new Uint8Array(ETH_ALEN);

/** `struct sockaddr_ll`, packet(7). */
export class LinkSocketAddress {
  /** EtherType, in host order. */
  protocol = 0;
  nicId = 0;
  /** `PACKET_*`. */
  packetType = PACKET_HOST;
  linkAddress: LinkAddress = NO_LINK_ADDRESS;
}

/** Takes the packets of a packet socket in place of its queue: PACKET_RX_RING of packet(7). */
export interface PacketSink {
  /** Whether a packet waits for the reader. */
  readonly isReadable: boolean;
  /**
   * Takes what is left by the filter of a packet of `wholeLen` bytes, of which `linkLen` are a link header, as a copy.
   * False without room.
   */
  put(packet: PacketBuffer, wholeLen: number, linkLen: number, from: LinkSocketAddress): boolean;
}

/** A socket of AF_PACKET: whole frames (SOCK_RAW) or what is in them (SOCK_DGRAM), packet(7). */
export class PacketSocket {
  readonly stack: Stack;
  readonly waiters = new WaitQueue();
  /** SOCK_DGRAM: the link header is taken off and put on. */
  readonly isCooked: boolean;
  /** EtherType that is received, ETH_P_ALL for all, 0 for none. */
  protocol: number;
  /** Interface that it is bound to, or 0 for all. */
  nicId = 0;
  receiveBytesMax = RMEM_DEFAULT;
  /** Packets received and dropped since they were last asked for: PACKET_STATISTICS. */
  receivedCount = 0;
  droppedCount = 0;
  pendingError = 0;
  isClosed = false;
  /** SO_ATTACH_FILTER: what of each packet the socket gets; null for all. */
  socketFilter: SocketFilter | null = null;
  #sink: PacketSink | null = null;
  readonly #queue = new PacketQueue();
  readonly #promiscuous = new Map<Nic, number>();
  #queuedBytes = 0;

  constructor(stack: Stack, isCooked: boolean, protocol: number) {
    this.stack = stack;
    this.isCooked = isCooked;
    this.protocol = protocol;
    stack.raw.addPacket(this);
  }

  /** Receives of one interface and protocol only. Errors: ENODEV. */
  bind(nicId: number, protocol: number): number {
    if (this.isClosed) return -EBADF;
    if (nicId !== 0 && this.stack.nic(nicId) === undefined) return -ENODEV;
    this.nicId = nicId;
    if (protocol !== 0) this.protocol = protocol;
    return 0;
  }

  /** Takes frames for others too while the socket lives: PACKET_ADD_MEMBERSHIP of PACKET_MR_PROMISC. Errors: ENODEV. */
  addPromiscuous(nicId: number): number {
    const nic = this.stack.nic(nicId);
    if (nic === undefined) return -ENODEV;
    this.#promiscuous.set(nic, (this.#promiscuous.get(nic) ?? 0) + 1);
    nic.promiscuity++;
    return 0;
  }

  /** Undoes one {@link PacketSocket.addPromiscuous}. Errors: EADDRNOTAVAIL if there was none. */
  dropPromiscuous(nicId: number): number {
    const nic = this.stack.nic(nicId);
    const count = nic === undefined ? undefined : this.#promiscuous.get(nic);
    if (nic === undefined || count === undefined) return -EADDRNOTAVAIL;
    if (count > 1) this.#promiscuous.set(nic, count - 1);
    else this.#promiscuous.delete(nic);
    nic.promiscuity--;
    return 0;
  }

  /** Length of the first packet that waits, 0 if none. */
  get nextLen(): number {
    return this.#queue.head?.len ?? 0;
  }

  readiness(): number {
    const error = this.pendingError !== 0 ? POLLERR : 0;
    const isReadable = this.#sink === null ? this.#queue.count > 0 : this.#sink.isReadable;
    return POLLOUT | POLLWRNORM | error | (isReadable ? POLLIN | POLLRDNORM : 0);
  }

  /** Gives packets to a sink from now on, or with null to the queue; what has not been read is dropped. */
  divert(sink: PacketSink | null): void {
    this.#sink = sink;
    this.#queue.clear();
    this.#queuedBytes = 0;
  }

  /** Queues a copy of a frame that passes by, if the socket wants it. */
  tap(nic: Nic, packet: PacketBuffer, isOutgoing: boolean): void {
    if (this.nicId !== 0 && this.nicId !== nic.id) return;
    if (this.protocol !== ETH_P_ALL && (isOutgoing || this.protocol !== packet.etherType)) return;
    if (isOutgoing && nic.isLoopback) return;
    const isFramed = nic.link.linkAddress !== null;
    const copy = nic.isLoopback && !this.isCooked ? withLinkHeader(packet) : packet.clone();
    copy.nicId = nic.id;
    copy.linkAt = copy.at;
    copy.flags = isOutgoing ? packet.flags | PacketFlag.FORWARDED : packet.flags & ~PacketFlag.FORWARDED;
    if (this.isCooked && isFramed) copy.trimFront(ETHERNET_HEADER_BYTES);
    const lenMax = this.socketFilter === null ? Infinity : this.socketFilter.run(copy, copy.at);
    if (lenMax === 0) return copy.release();
    const wholeLen = copy.len;
    copy.trimTo(lenMax);
    this.receivedCount++;
    if (this.#sink !== null) this.#putInto(this.#sink, nic, copy, wholeLen);
    else this.#enqueue(copy);
  }

  /** Receives the next packet; as {@link DatagramSocket.receive}. */
  receive(dst: Uint8Array, at: number, len: number, flags: number, from: LinkSocketAddress | null): number {
    if (this.pendingError !== 0) {
      const error = this.pendingError;
      this.pendingError = 0;
      return -error;
    }
    const packet = this.#queue.head;
    if (packet === null) return -EAGAIN;
    const count = Math.min(len, packet.len);
    copyBytes(packet.bytes, packet.at, dst, at, count);
    if (from !== null) this.#describe(packet, from);
    const packetLen = packet.len;
    if ((flags & MSG_PEEK) === 0) {
      this.#queue.shift();
      this.#queuedBytes -= packet.bytes.length + PACKET_OVERHEAD_BYTES;
      packet.release();
    }
    return flags & MSG_TRUNC ? packetLen : count;
  }

  /** Sends a frame, or what goes in one, by `to` or the interface that it is bound to. Errors: ENXIO, EMSGSIZE, EINVAL. */
  send(bytes: Uint8Array, at: number, len: number, to: LinkSocketAddress | null): number {
    if (this.isClosed) return -EBADF;
    const nic = this.stack.nic(to === null || to.nicId === 0 ? this.nicId : to.nicId);
    if (nic === undefined) return this.nicId === 0 && to === null ? -ENOTCONN : -ENXIO;
    if (!nic.isUp) return -ENETDOWN;
    const hasHeader = (nic.link.linkAddress !== null || nic.isLoopback) && !this.isCooked;
    const headerLen = hasHeader ? ETHERNET_HEADER_BYTES : 0;
    if (len < headerLen) return -EINVAL;
    if (len > nic.mtu + headerLen) return -EMSGSIZE;
    this.stack.enter();
    const packet = PacketBuffer.allocate(len);
    packet.append(bytes, at, len);
    packet.etherType = to === null || to.protocol === 0 ? this.protocol : to.protocol;
    if (nic.isLoopback && hasHeader) packet.trimFront(ETHERNET_HEADER_BYTES);
    if (nic.link.linkAddress === null || hasHeader) nic.transmitRaw(packet);
    else nic.transmitTo(packet, to === null ? NO_LINK_ADDRESS : to.linkAddress);
    this.stack.leave();
    return len;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#queue.clear();
    this.stack.raw.removePacket(this);
    for (const [nic, count] of this.#promiscuous) nic.promiscuity -= count;
    this.#promiscuous.clear();
    this.waiters.notify(POLLHUP);
  }

  #enqueue(copy: PacketBuffer): void {
    const cost = copy.bytes.length + PACKET_OVERHEAD_BYTES;
    if (this.#queuedBytes + cost > this.receiveBytesMax && this.#queue.count > 0) {
      this.droppedCount++;
      return copy.release();
    }
    this.#queuedBytes += cost;
    this.#queue.push(copy);
    this.waiters.notify(POLLIN | POLLRDNORM);
  }

  #putInto(sink: PacketSink, nic: Nic, copy: PacketBuffer, wholeLen: number): void {
    const hasHeader = !this.isCooked && (nic.isLoopback || nic.link.linkAddress !== null);
    this.#describe(copy, described);
    if (!sink.put(copy, wholeLen, hasHeader ? ETHERNET_HEADER_BYTES : 0, described)) this.droppedCount++;
    copy.release();
    this.waiters.notify(POLLIN | POLLRDNORM);
  }

  #describe(packet: PacketBuffer, from: LinkSocketAddress): void {
    const nic = this.stack.nic(packet.nicId);
    const own = nic === undefined ? null : nic.link.linkAddress;
    from.protocol = packet.etherType;
    from.nicId = packet.nicId;
    from.packetType = packetTypeOf(packet, own);
    const sourceAt = ethernetSourceAt(packet.linkAt);
    from.linkAddress = own === null ? NO_LINK_ADDRESS : packet.bytes.slice(sourceAt, sourceAt + ETH_ALEN);
  }
}

/** Who the packet is from that a sink is given. */
const described = new LinkSocketAddress();

/** A copy of a packet of the loopback interface, which has an Ethernet header of zeros on Linux. */
function withLinkHeader(packet: PacketBuffer): PacketBuffer {
  const copy = packet.clone();
  const at = copy.prepend(ETHERNET_HEADER_BYTES);
  copy.bytes.fill(0, at, at + ETHERNET_HEADER_BYTES);
  storeU16(copy.bytes, at + ETHERNET_HEADER_BYTES - 2, packet.etherType);
  return copy;
}

function packetTypeOf(packet: PacketBuffer, own: LinkAddress | null): number {
  if (packet.flags & PacketFlag.FORWARDED) return PACKET_OUTGOING;
  if (packet.flags & PacketFlag.LINK_BROADCAST) return PACKET_BROADCAST;
  if (packet.flags & PacketFlag.LINK_MULTICAST) return PACKET_MULTICAST;
  if (own === null || linkAddressEquals(packet.bytes, ethernetDestinationAt(packet.linkAt), own)) return PACKET_HOST;
  return PACKET_OTHERHOST;
}
