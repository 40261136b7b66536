import { PacketFlag, type PacketBuffer } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import { gsoPiece, gsoTextLen } from '../net/gso.js';
import type { Nic } from '../net/nic.js';
import { transportChecksumIsRight } from '../net/transport-checksum.js';
import { PortTable } from '../socket/port-table.js';
import type { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { loadU16 } from '../wire/byte-order.js';
import { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH } from '../wire/icmpv4.js';
import { ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH } from '../wire/icmpv6.js';
import type { IpAddress } from '../wire/ip-address.js';
import { UDP_HEADER_BYTES, udpChecksum, udpDstPort, udpIsWellFormed, udpLen, udpSrcPort } from '../wire/udp.js';

/** Takes datagrams that no socket wants: for gateways that stand for the hosts behind them. */
export interface UdpForwarder {
  /** A socket for the flow of the datagram, which is queued there; undefined drops it. The packet is borrowed. */
  socketFor(packet: PacketBuffer, srcPort: number, dstPort: number): UdpSocket | undefined;
}

/** UDP's part of a stack: finds the sockets of datagrams and ICMP errors. RFC 768, RFC 1122 section 4.1. */
export class Udp {
  readonly sockets = new PortTable<UdpSocket>();
  forwarder: UdpForwarder | null = null;
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Handles a datagram that starts at `packet.at`; the packet is ours. */
  input(nic: Nic, packet: PacketBuffer): void {
    const { stats } = this.#stack;
    const { bytes, at } = packet;
    if (!udpIsWellFormed(bytes, at, packet.len) || !this.#checksumIsRight(packet)) {
      stats.udpInErrors++;
      return packet.release();
    }
    packet.trimTo(udpLen(bytes, at));
    const isGroup = packet.dst.isMulticast || nic.isBroadcast(packet.dst);
    if (isGroup) return this.#deliverToGroup(packet);
    const srcPort = udpSrcPort(bytes, at);
    const dstPort = udpDstPort(bytes, at);
    let socket = this.lookup(packet.dst, dstPort, packet.src, srcPort, packet.nicId);
    if (socket === undefined && this.forwarder !== null) {
      socket = this.forwarder.socketFor(packet, srcPort, dstPort);
      if (socket === undefined) return packet.release();
    }
    if (socket === undefined) {
      stats.udpNoPorts++;
      this.#portUnreachable(packet);
      return packet.release();
    }
    stats.udpInDatagrams++;
    this.#enqueue(socket, packet);
  }

  /** Hands an ICMP error to the socket that sent the datagram; whether there is one. */
  error(error: IcmpError): boolean {
    const { bytes } = error.packet!;
    const srcPort = loadU16(bytes, error.quoteAt);
    const dstPort = loadU16(bytes, error.quoteAt + 2);
    const socket = this.lookup(error.src, srcPort, error.dst, dstPort, error.packet!.nicId);
    socket?.icmpError(error);
    return socket !== undefined;
  }

  /** The socket that fits a datagram best: by peer, then by address, then by interface; among equals by hash. */
  lookup(dst: IpAddress, dstPort: number, src: IpAddress, srcPort: number, nicId: number): UdpSocket | undefined {
    const sockets = this.sockets.on(dstPort);
    if (sockets === undefined) return undefined;
    let best: UdpSocket | undefined;
    let bestScore = -1;
    let equalCount = 0;
    for (const socket of sockets) {
      const score = socket.score(dst, src, srcPort, nicId);
      if (score > bestScore) {
        best = socket;
        bestScore = score;
        equalCount = 1;
      } else if (score === bestScore && score >= 0) equalCount++;
    }
    if (equalCount < 2 || best === undefined || !best.reusesPort) return best;
    return this.#choose(sockets, bestScore, equalCount, dst, src, srcPort, nicId);
  }

  /** SO_REUSEPORT: the datagrams of one flow always go to the same socket of the group. */
  #choose(
    sockets: Iterable<UdpSocket>,
    score: number,
    count: number,
    dst: IpAddress,
    src: IpAddress,
    srcPort: number,
    nicId: number,
  ): UdpSocket | undefined {
    let left = (src.hash(srcPort ^ this.#stack.hashSeed) >>> 0) % count;
    for (const socket of sockets) {
      if (socket.score(dst, src, srcPort, nicId) !== score) continue;
      if (left-- === 0) return socket;
    }
    return undefined;
  }

  #checksumIsRight(packet: PacketBuffer): boolean {
    if (packet.flags & PacketFlag.CHECKSUM_VERIFIED) return true;
    // RFC 768: zero means none over IPv4; RFC 8200 section 8.1 forbids that for IPv6.
    if (udpChecksum(packet.bytes, packet.at) === 0) return packet.src.isIpv4;
    const end = packet.end;
    packet.trimTo(udpLen(packet.bytes, packet.at));
    const isRight = transportChecksumIsRight(packet);
    packet.end = end;
    return isRight;
  }

  #deliverToGroup(packet: PacketBuffer): void {
    const { bytes, at, dst, src, nicId } = packet;
    const srcPort = udpSrcPort(bytes, at);
    let last: UdpSocket | undefined;
    for (const socket of this.sockets.on(udpDstPort(bytes, at)) ?? []) {
      if (socket.score(dst, src, srcPort, nicId) < 0) continue;
      if (dst.isMulticast && !socket.wantsGroup(dst, nicId, src)) continue;
      if (last !== undefined) this.#enqueue(last, packet.clone());
      last = socket;
    }
    if (last === undefined) return packet.release();
    this.#stack.stats.udpInDatagrams++;
    this.#enqueue(last, packet);
  }

  /** Queues a datagram that starts with its header; several in one packet one by one, unless the socket takes them so. */
  #enqueue(socket: UdpSocket, packet: PacketBuffer): void {
    if (packet.segmentBytes === 0 || socket.takesSegments) {
      packet.trimFront(UDP_HEADER_BYTES);
      return socket.enqueue(packet);
    }
    const textLen = gsoTextLen(packet);
    for (let from = 0; from < textLen; from += packet.segmentBytes) {
      const piece = gsoPiece(packet, from);
      piece.at = piece.transportAt + UDP_HEADER_BYTES;
      socket.enqueue(piece);
    }
    packet.release();
  }

  #portUnreachable(packet: PacketBuffer): void {
    if (packet.src.isIpv4) this.#stack.icmp.sendError4(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, packet);
    else this.#stack.icmp.sendError6(ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0, packet);
  }
}
