import { copyBytes, PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold, checksumUpdate } from '../checksum/checksum.js';
import type { Nic } from '../net/nic.js';
import type { Path } from '../net/path.js';
import { transportChecksumIsRight } from '../net/transport-checksum.js';
import type { Stack } from '../stack.js';
import { loadU16 } from '../wire/byte-order.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_FRAG_NEEDED,
  ICMP_HEADER_BYTES,
  ICMP_REDIRECT,
  icmpChecksum,
  icmpCode,
  icmpFragNeededMtu,
  icmpId,
  icmpIsError,
  icmpRest,
  icmpType,
  storeIcmp,
  storeIcmpChecksum,
  storeIcmpType,
} from '../wire/icmpv4.js';
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMPV6_MGM_QUERY,
  ICMPV6_PARAMPROB,
  ICMPV6_PKT_TOOBIG,
  ICMPV6_UNK_OPTION,
  icmpv6IsError,
  NDISC_REDIRECT,
  NDISC_ROUTER_SOLICITATION,
} from '../wire/icmpv6.js';
import type { IpAddress } from '../wire/ip-address.js';
import {
  IPV4_HEADER_BYTES,
  IPV4_MTU_MIN,
  ipv4FragmentOffsetBytes,
  ipv4HeaderLen,
  ipv4Protocol,
  loadIpv4Dst,
  loadIpv4Src,
} from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, IPV6_MTU_MIN, loadIpv6Dst, loadIpv6Src } from '../wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../wire/protocol.js';
import { ExtensionWalk } from '../net/ipv6-extensions.js';
import { errnoOfIcmp, errnoOfIcmpv6, IcmpError, SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 } from './icmp-error.js';
import { IcmpRateLimit } from './rate-limit.js';

/** Bytes of an ICMPv4 error, RFC 1812 section 4.3.2.3. */
const ERROR_BYTES_MAX = 576;

/** ICMPv4 (RFC 792, RFC 1122 section 3.2.2) and ICMPv6 (RFC 4443): echo, and errors out and in. */
export class Icmp {
  readonly #stack: Stack;
  readonly #limit: IcmpRateLimit;
  readonly #error = new IcmpError();
  readonly #walk = new ExtensionWalk();

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#limit = new IcmpRateLimit(stack.nowMs, stack.random.u32());
  }

  /** Handles an ICMPv4 message that starts at `packet.at`, and releases the packet. */
  input4(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const { stats } = this.#stack;
    stats.icmpInMsgs++;
    const isTrusted = (packet.flags & PacketFlag.CHECKSUM_VERIFIED) !== 0;
    const isWhole = packet.len >= ICMP_HEADER_BYTES;
    if (!isWhole || !(isTrusted || checksumFold(checksumAdd(0, bytes, at, packet.len)) === 0)) {
      stats.icmpInErrors++;
      return packet.release();
    }
    const type = icmpType(bytes, at);
    if (type === ICMP_ECHO) return this.#reply(nic, packet, ICMP_ECHOREPLY, IPPROTO_ICMP);
    if (type === ICMP_ECHOREPLY) this.#stack.ping.deliver(packet, icmpId(bytes, at));
    else if (type === ICMP_REDIRECT) this.#stack.redirects.input4(nic, packet);
    else if (icmpIsError(type)) this.#inputError4(packet);
    packet.release();
  }

  /** Handles an ICMPv6 message that starts at `packet.at`, and releases the packet. */
  input6(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const { stats } = this.#stack;
    stats.icmp6InMsgs++;
    if (packet.len < ICMP_HEADER_BYTES || !transportChecksumIsRight(packet)) {
      stats.icmp6InErrors++;
      return packet.release();
    }
    const type = icmpType(bytes, at);
    if (type === ICMPV6_ECHO_REQUEST) return this.#reply(nic, packet, ICMPV6_ECHO_REPLY, IPPROTO_ICMPV6);
    if (type === ICMPV6_ECHO_REPLY) this.#stack.ping.deliver(packet, icmpId(bytes, at));
    else if (icmpv6IsError(type)) this.#inputError6(packet);
    else if (type >= NDISC_ROUTER_SOLICITATION && type <= NDISC_REDIRECT) this.#stack.ndp.input(nic, packet, type);
    else if (type === ICMPV6_MGM_QUERY) this.#stack.groups.queried(nic, packet);
    packet.release();
  }

  /** Sends an error about `about`, whose IPv4 header is at `about.networkAt`; nothing where RFC 1122 forbids it. */
  sendError4(type: number, code: number, rest: number, about: PacketBuffer): void {
    const { bytes, networkAt } = about;
    if (!this.#mayReport(about) || about.src.isLimitedBroadcast) return;
    if (ipv4FragmentOffsetBytes(bytes, networkAt) !== 0) return;
    const headerLen = ipv4HeaderLen(bytes, networkAt);
    if (ipv4Protocol(bytes, networkAt) === IPPROTO_ICMP) {
      if (about.end - networkAt < headerLen + 1 || icmpIsError(icmpType(bytes, networkAt + headerLen))) return;
    }
    const isPmtu = type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED;
    const path = this.#errorPath(about, isPmtu);
    if (path === null) return;
    const quoted = Math.min(about.end - networkAt, ERROR_BYTES_MAX - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES);
    const packet = makeError(type, code, rest, about, quoted);
    storeIcmpChecksum(packet.bytes, packet.at, checksumFold(checksumAdd(0, packet.bytes, packet.at, packet.len)));
    this.#stack.stats.icmpOutMsgs++;
    this.#stack.ipv4.send(packet, path, IPPROTO_ICMP, 0, about.trafficClass & 0x1e);
  }

  /** Sends an error about `about`, whose IPv6 header is at `about.networkAt`; nothing where RFC 4443 forbids it. */
  sendError6(type: number, code: number, rest: number, about: PacketBuffer): void {
    const { bytes, networkAt } = about;
    const toGroup = type === ICMPV6_PKT_TOOBIG || (type === ICMPV6_PARAMPROB && code === ICMPV6_UNK_OPTION);
    if (!this.#mayReport(about) && !(toGroup && about.dst.isMulticast && isUnicast(about.src))) return;
    const at = about.transportAt;
    if (about.protocol === IPPROTO_ICMPV6 && at >= 0) {
      if (about.end <= at || icmpv6IsError(icmpType(bytes, at)) || icmpType(bytes, at) === NDISC_REDIRECT) return;
    }
    const path = this.#errorPath(about, type === ICMPV6_PKT_TOOBIG);
    if (path === null) return;
    const quoted = Math.min(about.end - networkAt, IPV6_MTU_MIN - IPV6_HEADER_BYTES - ICMP_HEADER_BYTES);
    const packet = makeError(type, code, rest, about, quoted);
    packet.flags |= PacketFlag.CHECKSUM_PARTIAL;
    this.#stack.stats.icmp6OutMsgs++;
    this.#stack.ipv6.send(packet, path, IPPROTO_ICMPV6, 0, 0);
  }

  /** Whether `dst` may be told of something now: the limit of errors is that of redirects, too. */
  mayTell(dst: IpAddress): boolean {
    return this.#limit.allows(dst, this.#stack.nowMs);
  }

  /** No error answers a packet that was not sent to one node, or not by one: RFC 1122 section 3.2.2. */
  #mayReport(about: PacketBuffer): boolean {
    if (about.flags & (PacketFlag.LINK_BROADCAST | PacketFlag.LINK_MULTICAST)) return false;
    if (about.dst.isMulticast || !isUnicast(about.src)) return false;
    const nic = this.#stack.nic(about.nicId);
    return nic === undefined || !(nic.isBroadcast(about.dst) || nic.isBroadcast(about.src));
  }

  #errorPath(about: PacketBuffer, isPmtu: boolean): Path | null {
    const src = this.#stack.isLocal(about.dst) ? about.dst.clone() : null;
    const scope = about.src.isLinkLocal ? about.nicId : 0;
    const path = this.#stack.findPath(about.src.clone(), src, scope);
    if (typeof path === 'number') return null;
    const isLimited = !isPmtu && !path.nic.isLoopback;
    return isLimited && !this.#limit.allows(about.src, this.#stack.nowMs) ? null : path;
  }

  /** Answers an echo request with the request's own packet. */
  #reply(nic: Nic, packet: PacketBuffer, type: number, protocol: number): void {
    const isGroup = packet.dst.isMulticast || nic.isBroadcast(packet.dst);
    const isV6 = protocol === IPPROTO_ICMPV6;
    // We do not answer for others, even if we take their packets.
    const isOurs = isGroup ? isV6 : this.#stack.isLocal(packet.dst);
    if (!isOurs || packet.flags & PacketFlag.LOOPED_BACK) return packet.release();
    const scope = packet.src.isLinkLocal ? nic.id : 0;
    const path = this.#stack.findPath(packet.src.clone(), isGroup ? null : packet.dst.clone(), scope);
    if (typeof path === 'number') return packet.release();
    const { bytes, at } = packet;
    const before = loadU16(bytes, at);
    storeIcmpType(bytes, at, type);
    packet.flags = 0;
    packet.mark = 0;
    packet.forgetFlow();
    if (isV6) {
      packet.flags = PacketFlag.CHECKSUM_PARTIAL;
      this.#stack.ipv6.send(packet, path, protocol, 0, packet.trafficClass);
      return;
    }
    storeIcmpChecksum(bytes, at, checksumUpdate(icmpChecksum(bytes, at), before, loadU16(bytes, at)));
    this.#stack.ipv4.send(packet, path, protocol, 0, packet.trafficClass);
  }

  #inputError4(packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const error = this.#error;
    const quoteAt = at + ICMP_HEADER_BYTES;
    if (packet.end - quoteAt < IPV4_HEADER_BYTES || bytes[quoteAt]! >>> 4 !== 4) return;
    const headerLen = ipv4HeaderLen(bytes, quoteAt);
    if (headerLen < IPV4_HEADER_BYTES || packet.end - quoteAt < headerLen + 8) return;
    if (ipv4FragmentOffsetBytes(bytes, quoteAt) !== 0) return;
    error.origin = SO_EE_ORIGIN_ICMP;
    loadIpv4Src(bytes, quoteAt, error.src);
    loadIpv4Dst(bytes, quoteAt, error.dst);
    error.protocol = ipv4Protocol(bytes, quoteAt);
    error.quoteAt = quoteAt + headerLen;
    const isPmtu = icmpType(bytes, at) === ICMP_DEST_UNREACH && icmpCode(bytes, at) === ICMP_FRAG_NEEDED;
    if (isPmtu) error.info = Math.max(icmpFragNeededMtu(bytes, at), IPV4_MTU_MIN);
    else error.info = icmpRest(bytes, at) >>> 24;
    this.#report(packet, errnoOfIcmp(icmpType(bytes, at), icmpCode(bytes, at)), isPmtu);
  }

  #inputError6(packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const error = this.#error;
    const quoteAt = at + ICMP_HEADER_BYTES;
    if (packet.end - quoteAt < IPV6_HEADER_BYTES || bytes[quoteAt]! >>> 4 !== 6) return;
    error.origin = SO_EE_ORIGIN_ICMP6;
    loadIpv6Src(bytes, quoteAt, error.src);
    loadIpv6Dst(bytes, quoteAt, error.dst);
    const networkAt = packet.networkAt;
    packet.networkAt = quoteAt;
    this.#walk.walk(packet);
    packet.networkAt = networkAt;
    if (packet.transportAt <= quoteAt || packet.end - packet.transportAt < 8) return;
    error.protocol = packet.protocol;
    error.quoteAt = packet.transportAt;
    const isPmtu = icmpType(bytes, at) === ICMPV6_PKT_TOOBIG;
    error.info = icmpRest(bytes, at);
    // RFC 8201 section 4: every link takes as much as that.
    if (isPmtu && error.info < IPV6_MTU_MIN) return;
    this.#report(packet, errnoOfIcmpv6(icmpType(bytes, at), icmpCode(bytes, at)), isPmtu);
  }

  #report(packet: PacketBuffer, errno: number, isPmtu: boolean): void {
    const error = this.#error;
    if (errno === 0 || !this.#stack.isLocal(error.src)) return;
    error.type = icmpType(packet.bytes, packet.at);
    error.code = icmpCode(packet.bytes, packet.at);
    error.errno = Math.abs(errno);
    error.isHard = errno < 0;
    error.offender = packet.src;
    error.packet = packet;
    error.quoteEnd = packet.end;
    const isKnown = this.#stack.transportError(error);
    // RFC 5927: only an error about a flow that there is may change what is known of its path.
    if (isPmtu && isKnown) this.#stack.learnPmtu(error.dst, error.info);
    error.packet = null;
  }
}

function isUnicast(address: IpAddress): boolean {
  return !address.isUnspecified && !address.isMulticast;
}

function makeError(type: number, code: number, rest: number, about: PacketBuffer, quoted: number): PacketBuffer {
  const packet = PacketBuffer.allocate(ICMP_HEADER_BYTES + quoted);
  const at = packet.extend(ICMP_HEADER_BYTES + quoted);
  storeIcmp(packet.bytes, at, type, code, rest);
  copyBytes(about.bytes, about.networkAt, packet.bytes, at + ICMP_HEADER_BYTES, quoted);
  return packet;
}
