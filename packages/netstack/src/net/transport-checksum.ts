import { PacketFlag, type PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../checksum/checksum.js';
import { storeU16 } from '../wire/byte-order.js';
import { ipv4DstAt, ipv4SrcAt } from '../wire/ipv4.js';
import { ipv6DstAt, ipv6SrcAt } from '../wire/ipv6.js';
import { udpChecksum, udpIsWellFormed, udpLen } from '../wire/udp.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';

const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
const ICMPV6_CHECKSUM = 2;

/** Sum of the pseudo-header of the packet whose IP header is at `networkAt`, for `len` upper-layer bytes. */
export function packetPseudoSum(packet: PacketBuffer, len: number): number {
  const { bytes, networkAt, protocol } = packet;
  if (bytes[networkAt]! >>> 4 === 4) {
    return pseudoHeaderSum4(bytes, ipv4SrcAt(networkAt), bytes, ipv4DstAt(networkAt), protocol, len);
  }
  return pseudoHeaderSum6(bytes, ipv6SrcAt(networkAt), bytes, ipv6DstAt(networkAt), protocol, len);
}

/** Whether the upper-layer data at `packet.at` has a right checksum, or is known to be right. */
export function transportChecksumIsRight(packet: PacketBuffer): boolean {
  if (packet.flags & PacketFlag.CHECKSUM_VERIFIED) return true;
  return checksumFold(checksumAdd(packetPseudoSum(packet, packet.len), packet.bytes, packet.at, packet.len)) === 0;
}

/**
 * Whether the upper-layer checksum of a whole packet is right, whose data starts with the IP header: what connection
 * tracking asks, as nf_conntrack_checksum. A right one is not verified again.
 */
export function packetChecksumIsRight(packet: PacketBuffer): boolean {
  const { bytes, transportAt, protocol, end } = packet;
  let len = end - transportAt;
  if (packet.flags & PacketFlag.CHECKSUM_VERIFIED || transportAt < 0) return true;
  if (protocol === IPPROTO_UDP) {
    if (!udpIsWellFormed(bytes, transportAt, len)) return false;
    if (udpChecksum(bytes, transportAt) === 0) return packet.src.isIpv4;
    len = udpLen(bytes, transportAt);
  } else if (protocol === IPPROTO_TCP ? len < 20 : protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) {
    return protocol !== IPPROTO_TCP;
  }
  const pseudo = protocol === IPPROTO_ICMP ? 0 : packetPseudoSum(packet, len);
  if (checksumFold(checksumAdd(pseudo, bytes, transportAt, len)) !== 0) return false;
  packet.flags |= PacketFlag.CHECKSUM_VERIFIED;
  return true;
}

/** Fills in the checksum that was left to the link ({@link PacketFlag.CHECKSUM_PARTIAL}), before the packet is cut up
 * or leaves by a link that does not do it. */
export function completeChecksum(packet: PacketBuffer): void {
  packet.flags &= ~PacketFlag.CHECKSUM_PARTIAL;
  const { bytes, transportAt, protocol } = packet;
  const field = checksumFieldOf(protocol);
  const len = packet.end - transportAt;
  if (field < 0 || transportAt < 0 || len < field + 2) return;
  storeU16(bytes, transportAt + field, 0);
  const sum = checksumFold(checksumAdd(packetPseudoSum(packet, len), bytes, transportAt, len));
  storeU16(bytes, transportAt + field, protocol === IPPROTO_UDP && sum === 0 ? 0xffff : sum);
}

/** Offset of the checksum in the header of `protocol`, or -1. */
export function checksumFieldOf(protocol: number): number {
  return protocol === IPPROTO_TCP
    ? TCP_CHECKSUM
    : protocol === IPPROTO_UDP
      ? UDP_CHECKSUM
      : protocol === IPPROTO_ICMPV6
        ? ICMPV6_CHECKSUM
        : -1;
}
