import { EMSGSIZE } from '@tsv/abi';
import { copyBytes, PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { ETH_P_IPV6 } from '../wire/ethernet.js';
import {
  ICMPV6_ADDR_UNREACH,
  ICMPV6_ADM_PROHIBITED,
  ICMPV6_DEST_UNREACH,
  ICMPV6_EXC_FRAGTIME,
  ICMPV6_EXC_HOPLIMIT,
  ICMPV6_NOROUTE,
  ICMPV6_HDR_FIELD,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_TIME_EXCEED,
  ICMPV6_UNK_NEXTHDR,
} from '../wire/icmpv6.js';
import {
  IPV6_FRAGMENT_HEADER_BYTES,
  IPV6_HEADER_BYTES,
  IPV6_MTU_MIN,
  ipv6FragmentId,
  ipv6FragmentOffsetBytes,
  ipv6HasMoreFragments,
  ipv6HopLimit,
  ipv6IsWellFormed,
  ipv6NextHeader,
  ipv6NextHeaderAt,
  ipv6PayloadLen,
  ipv6TrafficClass,
  loadIpv6Dst,
  loadIpv6Src,
  storeIpv6,
  storeIpv6FragmentHeader,
  storeIpv6HopLimit,
  storeIpv6PayloadLen,
} from '../wire/ipv6.js';
import { IPPROTO_FRAGMENT } from '../wire/protocol.js';
import { ExtensionWalk, WalkResult } from './ipv6-extensions.js';
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
import { RTN_BLACKHOLE, RTN_PROHIBIT, RTN_UNICAST } from './route-table.js';
import { completeChecksum } from './transport-checksum.js';

/** RFC 8200 section 4.5. */
const REASSEMBLY_TIMEOUT_MS = 60_000;
const PAYLOAD_BYTES_MAX = 65535;

/** IPv6, RFC 8200. */
export class Ipv6 {
  readonly #stack: Stack;
  readonly #extensions = new ExtensionWalk();
  readonly reassembler: Reassembler;
  #nextFragmentId: number;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#nextFragmentId = stack.random.u32();
    this.reassembler = new Reassembler(stack.timers, REASSEMBLY_TIMEOUT_MS, (first) => {
      if (first !== null) stack.icmp.sendError6(ICMPV6_TIME_EXCEED, ICMPV6_EXC_FRAGTIME, 0, first);
    });
  }

  /** Handles a packet that came in by `nic`; it starts at `packet.at`. */
  input(nic: Nic, packet: PacketBuffer): void {
    const { stats, filter } = this.#stack;
    stats.ip6InReceives++;
    const { bytes, at } = packet;
    if (!ipv6IsWellFormed(bytes, at, packet.len)) {
      stats.ip6InHdrErrors++;
      return packet.release();
    }
    packet.trimTo(IPV6_HEADER_BYTES + ipv6PayloadLen(bytes, at));
    this.#note(packet);
    if (this.#isMartian(nic, packet)) {
      stats.ip6InAddrErrors++;
      return packet.release();
    }
    if (!this.#walk(packet)) return packet.release();
    if (filter === null) return this.#route(nic, packet);
    const whole = this.#defragment(packet);
    if (whole === null || !filter.accepts(NF_INET_PRE_ROUTING, whole, nic, null)) return;
    this.#route(nic, whole);
  }

  /**
   * Sends `packet`, upper-layer data without an IP header, along `path`. `hopLimit` 0 means the default. Errors:
   * EMSGSIZE if it does not fit and must not be fragmented. The packet is gone in any case.
   */
  send(packet: PacketBuffer, path: Path, protocol: number, hopLimit: number, trafficClass: number): number {
    const payloadLen = packet.len;
    const mustNotFragment = (packet.flags & PacketFlag.DONT_FRAGMENT) !== 0;
    const isTooLong = mustNotFragment && payloadLen + IPV6_HEADER_BYTES > path.mtu && packet.segmentBytes === 0;
    if (payloadLen > PAYLOAD_BYTES_MAX || isTooLong) {
      packet.release();
      return -EMSGSIZE;
    }
    packet.transportAt = packet.at;
    const at = packet.prepend(IPV6_HEADER_BYTES);
    packet.networkAt = at;
    const hops = hopLimit !== 0 ? hopLimit : path.dst.isMulticast ? 1 : path.nic.hopLimit;
    storeIpv6(packet.bytes, at, trafficClass, 0, payloadLen, protocol, hops, path.src, path.dst);
    packet.protocol = protocol;
    packet.trafficClass = trafficClass;
    packet.hopLimit = hops;
    packet.src.copyFrom(path.src);
    packet.dst.copyFrom(path.dst);
    return this.#output(packet, path);
  }

  /** Sends a packet with a header of the caller's (IPV6_HDRINCL). Preconditions: it is well-formed. */
  sendWithHeader(packet: PacketBuffer, path: Path): number {
    if (packet.len > path.mtu) {
      packet.release();
      return -EMSGSIZE;
    }
    storeIpv6PayloadLen(packet.bytes, packet.at, packet.len - IPV6_HEADER_BYTES);
    this.#note(packet);
    this.#extensions.walk(packet);
    return this.#output(packet, path);
  }

  #output(packet: PacketBuffer, path: Path): number {
    const { filter } = this.#stack;
    this.#stack.stats.ip6OutRequests++;
    packet.etherType = ETH_P_IPV6;
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

  #transmit(packet: PacketBuffer, path: Path): void {
    const { nic } = path;
    if (packet.dst.isMulticast && !nic.isLoopback && (packet.flags & PacketFlag.FORWARDED) === 0) {
      if (nic.takesGroup(packet.dst, packet.src) && (packet.flags & PacketFlag.NO_LOOP) === 0) {
        const copy = packet.clone();
        copy.flags |= PacketFlag.LOOPED_BACK | PacketFlag.CHECKSUM_VERIFIED;
        this.#stack.enqueue(nic, copy);
      }
    }
    if (packet.len <= path.mtu || packet.segmentBytes > 0) return nic.transmit(packet, path.nextHop);
    this.#fragment(packet, path);
  }

  /** Cuts a packet of ours into fragments: RFC 8200 section 4.5. What we send has no extension headers of its own. */
  #fragment(packet: PacketBuffer, path: Path): void {
    if (packet.flags & PacketFlag.CHECKSUM_PARTIAL) completeChecksum(packet);
    const { bytes, at } = packet;
    const payloadLen = packet.len - IPV6_HEADER_BYTES;
    const nextHeader = ipv6NextHeader(bytes, at);
    const id = this.#nextFragmentId++ >>> 0;
    const headerLen = IPV6_HEADER_BYTES + IPV6_FRAGMENT_HEADER_BYTES;
    const step = (path.mtu - headerLen) & ~7;
    for (let from = 0; from < payloadLen; from += step) {
      const len = Math.min(step, payloadLen - from);
      const piece = PacketBuffer.allocate(headerLen + len);
      piece.noteFrom(packet);
      const pieceAt = piece.extend(headerLen + len);
      copyBytes(bytes, at, piece.bytes, pieceAt, IPV6_HEADER_BYTES);
      piece.bytes[ipv6NextHeaderAt(pieceAt)] = IPPROTO_FRAGMENT;
      storeIpv6PayloadLen(piece.bytes, pieceAt, IPV6_FRAGMENT_HEADER_BYTES + len);
      const hasMore = from + len < payloadLen;
      storeIpv6FragmentHeader(piece.bytes, pieceAt + IPV6_HEADER_BYTES, nextHeader, from, hasMore, id);
      copyBytes(bytes, at + IPV6_HEADER_BYTES + from, piece.bytes, pieceAt + headerLen, len);
      piece.networkAt = pieceAt;
      this.#stack.stats.ip6FragCreates++;
      path.nic.transmit(piece, path.nextHop);
    }
    packet.release();
  }

  #note(packet: PacketBuffer): void {
    const { bytes, at } = packet;
    packet.networkAt = at;
    packet.trafficClass = ipv6TrafficClass(bytes, at);
    packet.hopLimit = ipv6HopLimit(bytes, at);
    loadIpv6Src(bytes, at, packet.src);
    loadIpv6Dst(bytes, at, packet.dst);
  }

  /** Addresses that cannot be on the wire: RFC 4291 sections 2.5.3 and 2.7. IPv4-mapped ones are a way round filters. */
  #isMartian(nic: Nic, packet: PacketBuffer): boolean {
    const { src, dst } = packet;
    if (src.isMulticast || src.isIpv4 || dst.isIpv4 || dst.isUnspecified) return true;
    if (nic.isLoopback || packet.flags & PacketFlag.LOOPED_BACK) return false;
    return src.isLoopback || dst.isLoopback;
  }

  /** Walks the extension headers and reports what is wrong with them; whether the packet is still good. */
  #walk(packet: PacketBuffer): boolean {
    const walk = this.#extensions;
    const result = walk.walk(packet);
    if (result === WalkResult.REACHED) return true;
    this.#stack.stats.ip6InHdrErrors++;
    if (result === WalkResult.REPORT || (result === WalkResult.REPORT_UNICAST && !packet.dst.isMulticast)) {
      this.#stack.icmp.sendError6(ICMPV6_PARAMPROB, walk.problemCode, walk.problemAt, packet);
    }
    return false;
  }

  #route(nic: Nic, packet: PacketBuffer): void {
    const { dst } = packet;
    const isOurs = dst.isMulticast ? nic.takesGroup(dst, packet.src) : this.#stack.acceptsOn(nic, dst);
    if (isOurs) return this.#deliver(nic, packet);
    const isUnicast =
      !dst.isMulticast && (packet.flags & (PacketFlag.LINK_BROADCAST | PacketFlag.LINK_MULTICAST)) === 0;
    const mayLeave = isUnicast && !dst.isLinkLocal && !packet.src.isLinkLocal && !packet.src.isUnspecified;
    if (mayLeave && this.#stack.forwardsIpv6) return this.#forward(nic, packet);
    this.#stack.stats.ip6InAddrErrors++;
    packet.release();
  }

  #deliver(nic: Nic, packet: PacketBuffer): void {
    const whole = this.#defragment(packet);
    if (whole === null) return;
    const { filter, stats, raw } = this.#stack;
    if (filter !== null && !filter.accepts(NF_INET_LOCAL_IN, whole, nic, null)) return;
    stats.ip6InDelivers++;
    const wasTaken = raw.hasRawSockets && raw.deliver(whole);
    whole.at = whole.transportAt;
    if (this.#stack.deliver(nic, whole)) return;
    if (!wasTaken) {
      stats.ip6InUnknownProtos++;
      this.#stack.icmp.sendError6(ICMPV6_PARAMPROB, ICMPV6_UNK_NEXTHDR, nextHeaderFieldOf(whole), whole);
    }
    whole.release();
  }

  /** The packet itself if it is whole, the datagram when it was the last fragment, else null. */
  #defragment(packet: PacketBuffer): PacketBuffer | null {
    const walk = this.#extensions;
    const fragmentAt = walk.fragmentAt;
    if (fragmentAt < 0) return packet;
    // The walk was this packet's: nothing else is handled between it and here.
    walk.fragmentAt = -1;
    const { bytes } = packet;
    const from = ipv6FragmentOffsetBytes(bytes, fragmentAt);
    const hasMore = ipv6HasMoreFragments(bytes, fragmentAt);
    const id = ipv6FragmentId(bytes, fragmentAt);
    this.#stack.stats.ip6ReasmReqds++;
    const len = packet.end - fragmentAt - IPV6_FRAGMENT_HEADER_BYTES;
    const problemAt = fragmentProblemAt(len, from, hasMore, fragmentAt - packet.networkAt);
    if (problemAt >= 0) {
      this.#stack.icmp.sendError6(ICMPV6_PARAMPROB, ICMPV6_HDR_FIELD, problemAt, packet);
      packet.release();
      return null;
    }
    this.#removeFragmentHeader(packet, fragmentAt, walk.fragmentFieldAt);
    packet.at = fragmentAt + IPV6_FRAGMENT_HEADER_BYTES;
    if (from === 0 && !hasMore) return this.#finish(packet); // An atomic fragment, RFC 6946.
    const whole = this.reassembler.add(packet, id, from, hasMore, this.#stack.nowMs);
    return whole === null ? null : this.#finish(whole);
  }

  /** Moves what is in front of the fragment header over it, so that the unfragmentable part joins the payload. */
  #removeFragmentHeader(packet: PacketBuffer, fragmentAt: number, fieldAt: number): void {
    const { bytes, networkAt } = packet;
    bytes[fieldAt] = bytes[fragmentAt]!;
    bytes.copyWithin(networkAt + IPV6_FRAGMENT_HEADER_BYTES, networkAt, fragmentAt);
    packet.networkAt = networkAt + IPV6_FRAGMENT_HEADER_BYTES;
  }

  /** Makes the packet, whose payload starts at `packet.at`, an unfragmented one and walks its headers again. */
  #finish(packet: PacketBuffer): PacketBuffer | null {
    packet.at = packet.networkAt;
    storeIpv6PayloadLen(packet.bytes, packet.at, packet.len - IPV6_HEADER_BYTES);
    packet.flags = (packet.flags & ~PacketFlag.CHECKSUM_VERIFIED) | PacketFlag.REASSEMBLED;
    if (this.#walk(packet) && packet.transportAt >= 0) {
      this.#stack.stats.ip6ReasmOks++;
      return packet;
    }
    packet.release();
    return null;
  }

  #forward(nic: Nic, packet: PacketBuffer): void {
    const { icmp, filter, stats } = this.#stack;
    packet.at = packet.networkAt;
    if (packet.hopLimit <= 1) {
      stats.ip6InHdrErrors++;
      icmp.sendError6(ICMPV6_TIME_EXCEED, ICMPV6_EXC_HOPLIMIT, 0, packet);
      return packet.release();
    }
    const path = this.#stack.findForwardPath(packet);
    if (typeof path === 'number') {
      stats.ip6OutNoRoutes++;
      if (path !== RTN_BLACKHOLE) icmp.sendError6(ICMPV6_DEST_UNREACH, unreachableCode(path), 0, packet);
      return packet.release();
    }
    if (wireLen(packet) > path.mtu && (packet.flags & PacketFlag.REASSEMBLED) === 0) {
      stats.ip6InTooBigErrors++;
      icmp.sendError6(ICMPV6_PKT_TOOBIG, 0, Math.max(path.mtu, IPV6_MTU_MIN), packet);
      return packet.release();
    }
    if (filter !== null && !filter.accepts(NF_INET_FORWARD, packet, nic, path.nic)) return;
    if (path.nic === nic && packet.flow?.isTranslated !== true) this.#stack.ndp.redirect(nic, packet, path.nextHop);
    packet.hopLimit--;
    storeIpv6HopLimit(packet.bytes, packet.networkAt, packet.hopLimit);
    packet.flags |= PacketFlag.FORWARDED;
    stats.ip6ForwDatagrams++;
    if (filter !== null && !filter.accepts(NF_INET_POST_ROUTING, packet, nic, path.nic)) return;
    this.#transmit(packet, path);
  }
}

function unreachableCode(type: number): number {
  if (type === RTN_PROHIBIT) return ICMPV6_ADM_PROHIBITED;
  return type === RTN_UNICAST ? ICMPV6_NOROUTE : ICMPV6_ADDR_UNREACH;
}

/** Offset in the packet of the next-header field that named the upper-layer protocol. */
function nextHeaderFieldOf(packet: PacketBuffer): number {
  const { bytes, networkAt } = packet;
  let fieldAt = ipv6NextHeaderAt(networkAt);
  let at = networkAt + IPV6_HEADER_BYTES;
  while (at < packet.transportAt) {
    fieldAt = at;
    at += (bytes[at + 1]! + 1) * 8;
  }
  return fieldAt - networkAt;
}

/** Offsets of the payload length in the header, and of the fragment offset in its own. */
const PAYLOAD_LEN_AT = 4;
const FRAGMENT_OFFSET_AT = 2;

/** Which field is wrong of a fragment of `len` bytes from `from` on, as an offset in the packet; -1 for none. RFC 8200 section 4.5. */
function fragmentProblemAt(len: number, from: number, hasMore: boolean, headerAt: number): number {
  if (hasMore && (len & 7) !== 0) return PAYLOAD_LEN_AT;
  return from + len > PAYLOAD_BYTES_MAX ? headerAt + FRAGMENT_OFFSET_AT : -1;
}
