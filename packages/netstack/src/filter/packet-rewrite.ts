import { PacketFlag, type PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumUpdate } from '../checksum/checksum.js';
import { loadU16, storeU16 } from '../wire/byte-order.js';
import type { IpAddress } from '../wire/ip-address.js';
import { ipv4DstAt, ipv4SrcAt } from '../wire/ipv4.js';
import { ipv6DstAt, ipv6SrcAt } from '../wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';

const IPV4_CHECKSUM = 10;
const NO_CHECKSUM = -1;

/** Changes source address and port of a packet, with its checksums: RFC 3022, RFC 5508. */
export function rewriteSource(packet: PacketBuffer, address: IpAddress, port: number): void {
  const { networkAt, transportAt, protocol } = packet;
  const at = packet.src.isIpv4 ? ipv4SrcAt(networkAt) : ipv6SrcAt(networkAt);
  rewriteAddress(packet, at, address);
  packet.src.copyFrom(address);
  rewritePort(packet, protocol === IPPROTO_TCP || protocol === IPPROTO_UDP ? transportAt : transportAt + 4, port);
}

/** Changes destination address and port of a packet, with its checksums. */
export function rewriteDestination(packet: PacketBuffer, address: IpAddress, port: number): void {
  const { networkAt, transportAt, protocol } = packet;
  const at = packet.dst.isIpv4 ? ipv4DstAt(networkAt) : ipv6DstAt(networkAt);
  rewriteAddress(packet, at, address);
  packet.dst.copyFrom(address);
  rewritePort(packet, protocol === IPPROTO_TCP || protocol === IPPROTO_UDP ? transportAt + 2 : transportAt + 4, port);
}

/** Changes the address at offset `at` of the IP header. */
export function rewriteAddress(packet: PacketBuffer, at: number, address: IpAddress): void {
  const { bytes, networkAt } = packet;
  const isIpv4 = bytes[networkAt]! >>> 4 === 4;
  if (isIpv4) {
    storeWord(packet, at, address.w3 >>> 16, networkAt + IPV4_CHECKSUM, true);
    storeWord(packet, at + 2, address.w3 & 0xffff, networkAt + IPV4_CHECKSUM, true);
    return;
  }
  const words = [address.w0, address.w1, address.w2, address.w3];
  for (let i = 0; i < 4; i++) {
    storeWord(packet, at + i * 4, words[i]! >>> 16, NO_CHECKSUM, true);
    storeWord(packet, at + i * 4 + 2, words[i]! & 0xffff, NO_CHECKSUM, true);
  }
}

function rewritePort(packet: PacketBuffer, at: number, port: number): void {
  if (packet.transportAt < 0) return;
  switch (packet.protocol) {
    case IPPROTO_TCP:
    case IPPROTO_UDP:
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      storeWord(packet, at, port, NO_CHECKSUM, false);
  }
}

/** Stores a word and updates the checksum at `headerSumAt`, and the upper layer's if that covers the word. */
function storeWord(packet: PacketBuffer, at: number, value: number, headerSumAt: number, isAddress: boolean): void {
  const { bytes } = packet;
  const before = loadU16(bytes, at);
  storeU16(bytes, at, value);
  if (headerSumAt >= 0) storeU16(bytes, headerSumAt, checksumUpdate(loadU16(bytes, headerSumAt), before, value));
  const sumAt = transportSumAt(packet, isAddress);
  if (sumAt < 0) return;
  const sum = loadU16(bytes, sumAt);
  if (packet.protocol === IPPROTO_UDP && sum === 0) return;
  const updated = checksumUpdate(sum, before, value);
  storeU16(bytes, sumAt, packet.protocol === IPPROTO_UDP && updated === 0 ? 0xffff : updated);
}

/** Where the upper-layer checksum is that covers addresses, or ports; -1 if there is none or it is not computed yet. */
function transportSumAt(packet: PacketBuffer, isAddress: boolean): number {
  const { transportAt, protocol } = packet;
  if (transportAt < 0 || packet.flags & PacketFlag.CHECKSUM_PARTIAL) return -1;
  switch (protocol) {
    case IPPROTO_TCP:
      return packet.end - transportAt >= 18 ? transportAt + 16 : -1;
    case IPPROTO_UDP:
      return transportAt + 6;
    case IPPROTO_ICMP:
      return isAddress ? -1 : transportAt + 2;
    case IPPROTO_ICMPV6:
      return transportAt + 2;
    default:
      return -1;
  }
}
