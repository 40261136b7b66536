import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { gsoAppend, gsoFollows, gsoTextLen } from '../net/gso.js';
import { packetChecksumIsRight } from '../net/transport-checksum.js';
import { ETH_P_IP, ETH_P_IPV6, ETHERNET_HEADER_BYTES, ethernetType } from '../wire/ethernet.js';
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
import { tcpIsWellFormed } from '../tcp/wire.js';

/** The largest IP packet, with an Ethernet header. */
const LARGEST_BYTES = 65_535 + ETHERNET_HEADER_BYTES;

/**
 * Puts TCP segments that follow one another into one packet of several segments, so that the layers above handle them
 * once: generic receive offload. It holds at most one packet.
 */
export class Gro {
  #held: PacketBuffer | null = null;

  /** Appends a segment to the one that is held; it stays the caller's. False if it does not fit behind that. */
  join(packet: PacketBuffer): boolean {
    let held = this.#held;
    if (held === null || packet.segmentBytes > 0 || !packetChecksumIsRight(packet)) return false;
    if (!gsoFollows(held, packet)) return false;
    if (held.tailroom < gsoTextLen(packet)) held = this.#held = enlarge(held);
    gsoAppend(held, packet);
    // Of several segments there is no one checksum: a link computes it when it cuts them up.
    held.flags |= PacketFlag.CHECKSUM_PARTIAL | PacketFlag.CHECKSUM_VERIFIED;
    return true;
  }

  /** Keeps a segment for others to be joined to it. Preconditions: none is held. False if it is not worth it. */
  hold(packet: PacketBuffer): boolean {
    if (packet.segmentBytes > 0 || gsoTextLen(packet) === 0 || !packetChecksumIsRight(packet)) return false;
    this.#held = packet;
    return true;
  }

  /** The packet that is held, which is the caller's then; null if there is none. */
  take(): PacketBuffer | null {
    const held = this.#held;
    this.#held = null;
    return held;
  }
}

/**
 * Notes where the headers of a whole TCP segment are, in a frame with `linkBytes` of Ethernet header. False, and
 * nothing is noted, if it is something else, malformed, a fragment, or longer than its IP header says.
 */
export function parseTcp(packet: PacketBuffer, linkBytes: number): boolean {
  const { bytes } = packet;
  const at = packet.at + linkBytes;
  const len = packet.end - at;
  if (len < 1) return false;
  const version = bytes[at]! >>> 4;
  if (linkBytes > 0 && ethernetType(bytes, packet.at) !== (version === 4 ? ETH_P_IP : ETH_P_IPV6)) return false;
  const transportAt = version === 4 ? tcpAt4(bytes, at, len) : version === 6 ? tcpAt6(bytes, at, len) : -1;
  if (transportAt < 0 || !tcpIsWellFormed(bytes, transportAt, packet.end - transportAt)) return false;
  if (version === 4) {
    loadIpv4Src(bytes, at, packet.src);
    loadIpv4Dst(bytes, at, packet.dst);
  } else {
    loadIpv6Src(bytes, at, packet.src);
    loadIpv6Dst(bytes, at, packet.dst);
  }
  packet.networkAt = at;
  packet.transportAt = transportAt;
  packet.protocol = IPPROTO_TCP;
  return true;
}

/** Moves a packet to a buffer that takes the largest one. */
function enlarge(packet: PacketBuffer): PacketBuffer {
  const { bytes, at, len } = packet;
  const larger = PacketBuffer.allocate(LARGEST_BYTES);
  const shift = larger.end - at;
  larger.append(bytes, at, len);
  larger.noteFrom(packet);
  larger.networkAt = packet.networkAt + shift;
  larger.transportAt = packet.transportAt + shift;
  packet.release();
  return larger;
}

function tcpAt4(bytes: Uint8Array, at: number, len: number): number {
  if (!ipv4IsWellFormed(bytes, at, len) || ipv4TotalLen(bytes, at) !== len) return -1;
  if (ipv4Protocol(bytes, at) !== IPPROTO_TCP || !ipv4ChecksumIsRight(bytes, at)) return -1;
  if (ipv4FragmentOffsetBytes(bytes, at) !== 0 || ipv4HasMoreFragments(bytes, at)) return -1;
  return at + ipv4HeaderLen(bytes, at);
}

function tcpAt6(bytes: Uint8Array, at: number, len: number): number {
  if (!ipv6IsWellFormed(bytes, at, len) || ipv6PayloadLen(bytes, at) + IPV6_HEADER_BYTES !== len) return -1;
  return ipv6NextHeader(bytes, at) === IPPROTO_TCP ? at + IPV6_HEADER_BYTES : -1;
}
