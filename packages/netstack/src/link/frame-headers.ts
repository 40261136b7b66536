import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { tcpIsWellFormed } from '../tcp/wire.js';
import { ETH_P_IP, ETH_P_IPV6, ethernetType } from '../wire/ethernet.js';
import {
  ipv4ChecksumIsRight,
  ipv4FragmentOffsetBytes,
  ipv4HasMoreFragments,
  ipv4HeaderLen,
  ipv4IsWellFormed,
  ipv4Protocol,
  ipv4TotalLen,
  loadIpv4Dst,
  loadIpv4Src,
} from '../wire/ipv4.js';
import {
  IPV6_HEADER_BYTES,
  ipv6IsWellFormed,
  ipv6NextHeader,
  ipv6PayloadLen,
  loadIpv6Dst,
  loadIpv6Src,
} from '../wire/ipv6.js';
import { IPPROTO_TCP } from '../wire/protocol.js';

/**
 * Notes where the headers of a whole IP packet are, in a frame with `linkBytes` of Ethernet header, and its addresses
 * and protocol. False, and nothing is noted, if it is malformed, a fragment, or longer than its IP header says. Of IPv6
 * the first header is taken for the upper layer's.
 */
export function noteHeaders(packet: PacketBuffer, linkBytes: number): boolean {
  const { bytes } = packet;
  const at = packet.at + linkBytes;
  const len = packet.end - at;
  if (len < 1) return false;
  const version = bytes[at]! >>> 4;
  if (linkBytes > 0 && ethernetType(bytes, packet.at) !== (version === 4 ? ETH_P_IP : ETH_P_IPV6)) return false;
  if (version === 4) {
    if (!isWholeIpv4(bytes, at, len)) return false;
    packet.transportAt = at + ipv4HeaderLen(bytes, at);
    packet.protocol = ipv4Protocol(bytes, at);
    loadIpv4Src(bytes, at, packet.src);
    loadIpv4Dst(bytes, at, packet.dst);
  } else {
    if (version !== 6 || !isWholeIpv6(bytes, at, len)) return false;
    packet.transportAt = at + IPV6_HEADER_BYTES;
    packet.protocol = ipv6NextHeader(bytes, at);
    loadIpv6Src(bytes, at, packet.src);
    loadIpv6Dst(bytes, at, packet.dst);
  }
  packet.networkAt = at;
  return true;
}

/** As {@link noteHeaders}, of TCP segments whose header is whole; false for all else. */
export function noteTcpHeaders(packet: PacketBuffer, linkBytes: number): boolean {
  if (!noteHeaders(packet, linkBytes) || packet.protocol !== IPPROTO_TCP) return false;
  return tcpIsWellFormed(packet.bytes, packet.transportAt, packet.end - packet.transportAt);
}

function isWholeIpv4(bytes: Uint8Array, at: number, len: number): boolean {
  if (!ipv4IsWellFormed(bytes, at, len) || ipv4TotalLen(bytes, at) !== len || !ipv4ChecksumIsRight(bytes, at))
    return false;
  return ipv4FragmentOffsetBytes(bytes, at) === 0 && !ipv4HasMoreFragments(bytes, at);
}

function isWholeIpv6(bytes: Uint8Array, at: number, len: number): boolean {
  return ipv6IsWellFormed(bytes, at, len) && ipv6PayloadLen(bytes, at) + IPV6_HEADER_BYTES === len;
}
