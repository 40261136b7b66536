import { EMSGSIZE } from '@tsv/abi';
import { copyBytes, PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { loadU16 } from '../wire/byte-order.js';
import { ETH_P_IP } from '../wire/ethernet.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_EXC_FRAGTIME,
  ICMP_EXC_TTL,
  ICMP_FRAG_NEEDED,
  ICMP_NET_UNREACH,
  ICMP_PARAMETERPROB,
  ICMP_PKT_FILTERED,
  ICMP_PROT_UNREACH,
  ICMP_REDIRECT,
  ICMP_REDIR_HOST,
  ICMP_HOST_UNREACH,
  ICMP_TIME_EXCEEDED,
} from '../wire/icmpv4.js';
import {
  decrementIpv4Ttl,
  IP_DF,
  IP_MF,
  IPOPT_COPY,
  IPOPT_EOL,
  IPOPT_NOP,
  IPV4_HEADER_BYTES,
  IPV4_PACKET_BYTES_MAX,
  ipv4BadOptionAt,
  ipv4ChecksumIsRight,
  ipv4FragmentOffsetBytes,
  ipv4HasDf,
  ipv4HasMoreFragments,
  ipv4HeaderLen,
  ipv4Id,
  ipv4IsWellFormed,
  ipv4Protocol,
  ipv4Tos,
  ipv4TotalLen,
  ipv4Ttl,
  loadIpv4Dst,
  loadIpv4Src,
  storeIpv4,
  storeIpv4Checksum,
  storeIpv4Fragment,
  storeIpv4Id,
  storeIpv4Src,
  storeIpv4TotalLen,
} from '../wire/ipv4.js';
import { wireLen } from './gso.js';
import type { Nic } from './nic.js';
import {
  NF_INET_FORWARD,
  NF_INET_LOCAL_IN,
  NF_INET_LOCAL_OUT,
  NF_INET_POST_ROUTING,
  NF_INET_PRE_ROUTING,
} from './packet-filter.js';
import type { Path } from './path.js';
import { Reassembler } from './reassembly.js';
import { RTN_BLACKHOLE, RTN_PROHIBIT, RTN_UNICAST, RTN_UNREACHABLE } from './route-table.js';
import { completeChecksum } from './transport-checksum.js';

/** ipfrag_time of ip-sysctl. */
const REASSEMBLY_TIMEOUT_MS = 30_000;

/** IPv4, RFC 791 and RFC 1122 section 3, with the router's part of RFC 1812. */
export class Ipv4 {
  readonly #stack: Stack;
  readonly reassembler: Reassembler;
  #nextId: number;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#nextId = stack.random.u32();
    this.reassembler = new Reassembler(stack.timers, REASSEMBLY_TIMEOUT_MS, (first) => {
      if (first !== null) stack.icmp.sendError4(ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0, first);
    });
  }

  /** Handles a packet that came in by `nic`; it starts at `packet.at`. */
  input(nic: Nic, packet: PacketBuffer): void {
    const { stats } = this.#stack;
    stats.ipInReceives++;
    const { bytes, at } = packet;
    const isTrusted = (packet.flags & PacketFlag.CHECKSUM_VERIFIED) !== 0;
    if (!ipv4IsWellFormed(bytes, at, packet.len) || !(isTrusted || ipv4ChecksumIsRight(bytes, at))) {
      stats.ipInHdrErrors++;
      return packet.release();
    }
    packet.trimTo(ipv4TotalLen(bytes, at));
    this.#note(packet);
    if (this.#isMartian(nic, packet)) {
      stats.ipInAddrErrors++;
      return packet.release();
    }
    const badAt = ipv4HeaderLen(bytes, at) === IPV4_HEADER_BYTES ? 0 : ipv4BadOptionAt(bytes, at);
    if (badAt !== 0) {
      stats.ipInHdrErrors++;
      this.#stack.icmp.sendError4(ICMP_PARAMETERPROB, 0, badAt << 24, packet);
      return packet.release();
    }
    const { filter } = this.#stack;
    if (filter !== null) {
      const whole = this.#defragment(packet);
      if (whole === null || !filter.accepts(NF_INET_PRE_ROUTING, whole, nic, null)) return;
      return this.#route(nic, whole);
    }
    this.#route(nic, packet);
  }

  /**
   * Sends `packet`, upper-layer data without an IP header, along `path`. `ttl` 0 means the default. Errors: EMSGSIZE if
   * it does not fit and must not be fragmented. The packet is gone in any case.
   */
  send(packet: PacketBuffer, path: Path, protocol: number, ttl: number, tos: number): number {
    const totalLen = packet.len + IPV4_HEADER_BYTES;
    if (totalLen > IPV4_PACKET_BYTES_MAX) return this.#refuse(packet);
    const mustNotFragment = (packet.flags & PacketFlag.DONT_FRAGMENT) !== 0;
    if (mustNotFragment && totalLen > path.mtu && packet.segmentBytes === 0) return this.#refuse(packet);
    packet.transportAt = packet.at;
    const at = packet.prepend(IPV4_HEADER_BYTES);
    packet.networkAt = at;
    const hops = ttl !== 0 ? ttl : path.dst.isMulticast ? 1 : this.#stack.hopLimit;
    // RFC 6864: only a packet that may be fragmented needs an identification of its own.
    const id = mustNotFragment ? 0 : this.#nextId++ & 0xffff;
    const flags = mustNotFragment ? IP_DF : 0;
    storeIpv4(packet.bytes, at, IPV4_HEADER_BYTES, totalLen, tos, id, flags, hops, protocol, path.src, path.dst);
    packet.protocol = protocol;
    packet.trafficClass = tos;
    packet.hopLimit = hops;
    packet.src.copyFrom(path.src);
    packet.dst.copyFrom(path.dst);
    return this.#output(packet, path);
  }

  /** Sends a packet with a header of the caller's (IP_HDRINCL, raw(7)): lengths, checksum and zero fields are filled in. */
  sendWithHeader(packet: PacketBuffer, path: Path): number {
    const { bytes, at } = packet;
    if (packet.len > path.mtu) return this.#refuse(packet);
    const headerLen = ipv4HeaderLen(bytes, at);
    storeIpv4TotalLen(bytes, at, packet.len);
    if (ipv4Id(bytes, at) === 0) storeIpv4Id(bytes, at, this.#nextId++ & 0xffff);
    loadIpv4Src(bytes, at, packet.src);
    if (packet.src.isUnspecified) storeIpv4Src(bytes, at, path.src);
    storeIpv4Checksum(bytes, at, headerLen);
    this.#note(packet);
    return this.#output(packet, path);
  }

  #refuse(packet: PacketBuffer): number {
    packet.release();
    return -EMSGSIZE;
  }

  #output(packet: PacketBuffer, path: Path): number {
    const { filter } = this.#stack;
    this.#stack.stats.ipOutRequests++;
    packet.etherType = ETH_P_IP;
    if (filter === null) {
      this.#transmit(packet, path);
      return 0;
    }
    const { mark } = packet;
    if (!filter.accepts(NF_INET_LOCAL_OUT, packet, null, path.nic)) return 0;
    let out: Path | number = path;
    const isRemarked = packet.mark !== mark && this.#stack.rules.hasOwn;
    if (isRemarked || !packet.dst.equals(path.dst)) {
      out = this.#stack.findPath(packet.dst.clone(), packet.src.clone(), 0, packet.mark);
    }
    if (typeof out === 'number') {
      packet.release();
      return out;
    }
    if (filter.accepts(NF_INET_POST_ROUTING, packet, null, out.nic)) this.#transmit(packet, out);
    return 0;
  }

  /** Sends a packet that the filters have passed: to the link, and to ourselves if it is multicast or broadcast. */
  #transmit(packet: PacketBuffer, path: Path): void {
    const { nic } = path;
    const isGroup = packet.dst.isMulticast;
    if ((isGroup || nic.isBroadcast(packet.dst)) && !nic.isLoopback) {
      const isWanted =
        !isGroup || (nic.takesGroup(packet.dst, packet.src) && (packet.flags & PacketFlag.NO_LOOP) === 0);
      if (isWanted && !(packet.flags & (PacketFlag.LOOPED_BACK | PacketFlag.FORWARDED))) this.#loopBack(nic, packet);
      if (isGroup && packet.hopLimit === 0) return packet.release();
    }
    if (packet.len <= path.mtu || packet.segmentBytes > 0) return nic.transmit(packet, path.nextHop);
    this.#fragment(packet, path);
  }

  #loopBack(nic: Nic, packet: PacketBuffer): void {
    const copy = packet.clone();
    copy.flags |= PacketFlag.LOOPED_BACK | PacketFlag.CHECKSUM_VERIFIED;
    this.#stack.enqueue(nic, copy);
  }

  /** Cuts a packet into fragments that fit the path: RFC 791 section 3.2. */
  #fragment(packet: PacketBuffer, path: Path): void {
    if (packet.flags & PacketFlag.CHECKSUM_PARTIAL) completeChecksum(packet);
    const { bytes, at } = packet;
    const headerLen = ipv4HeaderLen(bytes, at);
    const payloadLen = packet.len - headerLen;
    const base = loadU16(bytes, at + 6);
    const step = (path.mtu - headerLen) & ~7;
    for (let from = 0; from < payloadLen; from += step) {
      const len = Math.min(step, payloadLen - from);
      const isLast = from + len === payloadLen;
      const piece = PacketBuffer.allocate(headerLen + len);
      piece.noteFrom(packet);
      const pieceAt = piece.extend(headerLen + len);
      copyBytes(bytes, at, piece.bytes, pieceAt, headerLen);
      if (from > 0 && headerLen > IPV4_HEADER_BYTES) blankUncopiedOptions(piece.bytes, pieceAt, headerLen);
      copyBytes(bytes, at + headerLen + from, piece.bytes, pieceAt + headerLen, len);
      storeIpv4TotalLen(piece.bytes, pieceAt, headerLen + len);
      const more = isLast ? base & IP_MF : IP_MF;
      storeIpv4Fragment(piece.bytes, pieceAt, more | ((base & 0x1fff) + (from >>> 3)));
      storeIpv4Checksum(piece.bytes, pieceAt, headerLen);
      piece.networkAt = pieceAt;
      this.#stack.stats.ipFragCreates++;
      path.nic.transmit(piece, path.nextHop);
    }
    packet.release();
  }

  /** Reads the header into the packet's fields. */
  #note(packet: PacketBuffer): void {
    const { bytes, at } = packet;
    packet.networkAt = at;
    const isFirst = ipv4FragmentOffsetBytes(bytes, at) === 0;
    packet.transportAt = isFirst ? at + ipv4HeaderLen(bytes, at) : -1;
    packet.protocol = ipv4Protocol(bytes, at);
    packet.trafficClass = ipv4Tos(bytes, at);
    packet.hopLimit = ipv4Ttl(bytes, at);
    loadIpv4Src(bytes, at, packet.src);
    loadIpv4Dst(bytes, at, packet.dst);
  }

  /** Addresses that cannot be on the wire: RFC 1122 section 3.2.1.3, RFC 1812 section 5.3.7. */
  #isMartian(nic: Nic, packet: PacketBuffer): boolean {
    const { src, dst } = packet;
    if (src.isMulticast || nic.isBroadcast(src) || dst.isUnspecified) return true;
    if (nic.isLoopback || packet.flags & PacketFlag.LOOPED_BACK) return false;
    return src.isLoopback || dst.isLoopback || this.#stack.isLocal(src);
  }

  /** To us, to somebody else, or to nobody: RFC 1812 section 5.2.3. */
  #route(nic: Nic, packet: PacketBuffer): void {
    const { dst } = packet;
    if (this.#stack.acceptsOn(nic, dst)) return this.#deliver(nic, packet);
    if (dst.isMulticast ? nic.takesGroup(dst, packet.src) : nic.isBroadcast(dst)) return this.#deliver(nic, packet);
    const isUnicast =
      !dst.isMulticast && (packet.flags & (PacketFlag.LINK_BROADCAST | PacketFlag.LINK_MULTICAST)) === 0;
    if (isUnicast && this.#stack.forwardsIpv4) return this.#forward(nic, packet);
    this.#stack.stats.ipInAddrErrors++;
    packet.release();
  }

  #deliver(nic: Nic, packet: PacketBuffer): void {
    const whole = this.#defragment(packet);
    if (whole === null) return;
    const { filter, stats, raw } = this.#stack;
    if (filter !== null && !filter.accepts(NF_INET_LOCAL_IN, whole, nic, null)) return;
    stats.ipInDelivers++;
    const wasTaken = raw.hasRawSockets && raw.deliver(whole);
    whole.at = whole.transportAt;
    if (this.#stack.deliver(nic, whole)) return;
    if (!wasTaken) {
      stats.ipInUnknownProtos++;
      this.#stack.icmp.sendError4(ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0, whole);
    }
    whole.release();
  }

  /** The packet itself if it is whole, the datagram when it was the last fragment, else null. */
  #defragment(packet: PacketBuffer): PacketBuffer | null {
    const { bytes, networkAt } = packet;
    const from = ipv4FragmentOffsetBytes(bytes, networkAt);
    const hasMore = ipv4HasMoreFragments(bytes, networkAt);
    if (from === 0 && !hasMore) return packet;
    this.#stack.stats.ipReasmReqds++;
    packet.at = networkAt + ipv4HeaderLen(bytes, networkAt);
    const whole = this.reassembler.add(packet, ipv4Id(bytes, networkAt), from, hasMore, this.#stack.nowMs);
    if (whole === null) return null;
    const headerLen = whole.at - whole.networkAt;
    whole.transportAt = whole.at;
    whole.at = whole.networkAt;
    storeIpv4TotalLen(whole.bytes, whole.at, whole.len);
    storeIpv4Fragment(whole.bytes, whole.at, 0);
    storeIpv4Checksum(whole.bytes, whole.at, headerLen);
    whole.flags = (whole.flags & ~PacketFlag.CHECKSUM_VERIFIED) | PacketFlag.REASSEMBLED;
    this.#stack.stats.ipReasmOks++;
    return whole;
  }

  /** Sends somebody else's packet on: RFC 1812 section 5.2.1.2. */
  #forward(nic: Nic, packet: PacketBuffer): void {
    const { icmp, filter, stats } = this.#stack;
    const { bytes, networkAt } = packet;
    packet.at = networkAt;
    if (packet.hopLimit <= 1) {
      stats.ipInHdrErrors++;
      icmp.sendError4(ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0, packet);
      return packet.release();
    }
    const path = this.#stack.findForwardPath(packet);
    if (typeof path === 'number') {
      stats.ipOutNoRoutes++;
      if (path !== RTN_BLACKHOLE) icmp.sendError4(ICMP_DEST_UNREACH, unreachableCode(path), 0, packet);
      return packet.release();
    }
    if (wireLen(packet) > path.mtu && ipv4HasDf(bytes, networkAt)) {
      stats.ipFragFails++;
      icmp.sendError4(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, path.mtu, packet);
      return packet.release();
    }
    if (filter !== null && !filter.accepts(NF_INET_FORWARD, packet, nic, path.nic)) return;
    if (path.nic === nic) this.#redirect(nic, packet, path);
    decrementIpv4Ttl(packet.bytes, packet.networkAt);
    packet.hopLimit--;
    packet.flags |= PacketFlag.FORWARDED;
    stats.ipForwDatagrams++;
    if (filter !== null && !filter.accepts(NF_INET_POST_ROUTING, packet, nic, path.nic)) return;
    this.#transmit(packet, path);
  }

  /** Tells a neighbour that its packet goes back to the link it came from: RFC 1812 section 5.2.7.2. */
  #redirect(nic: Nic, packet: PacketBuffer, { nextHop }: Path): void {
    if (packet.flow?.isTranslated === true) return;
    if (!this.#stack.redirects.shouldSend4(nic, packet.src, nextHop)) return;
    this.#stack.icmp.sendError4(ICMP_REDIRECT, ICMP_REDIR_HOST, nextHop.w3 >>> 0, packet);
  }
}

/** The ICMP code for a destination without a usable route; `type` is the route's or {@link RTN_UNICAST} for none. */
function unreachableCode(type: number): number {
  if (type === RTN_PROHIBIT) return ICMP_PKT_FILTERED;
  if (type === RTN_UNREACHABLE) return ICMP_HOST_UNREACH;
  return type === RTN_UNICAST ? ICMP_NET_UNREACH : ICMP_HOST_UNREACH;
}

/** Turns options that only the first fragment carries into no-operations: RFC 791 section 3.1. */
function blankUncopiedOptions(bytes: Uint8Array, at: number, headerLen: number): void {
  for (let i = IPV4_HEADER_BYTES; i < headerLen;) {
    const type = bytes[at + i]!;
    if (type === IPOPT_EOL) return;
    if (type === IPOPT_NOP) {
      i++;
      continue;
    }
    const len = Math.max(2, bytes[at + i + 1]!);
    if ((type & IPOPT_COPY) === 0) bytes.fill(IPOPT_NOP, at + i, Math.min(at + i + len, at + headerLen));
    i += len;
  }
}
