import { copyBytes, PacketBuffer } from '../buffer/packet-buffer.js';
import { ACK, CWR, FIN, PSH } from '../tcp/segment.js';
import { loadU32, storeU32 } from '../wire/byte-order.js';
import { IPV4_HEADER_BYTES, ipv4Id, storeIpv4Checksum, storeIpv4Id, storeIpv4TotalLen } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, storeIpv6PayloadLen } from '../wire/ipv6.js';
import { IPPROTO_UDP } from '../wire/protocol.js';
import { storeUdpLen, UDP_HEADER_BYTES } from '../wire/udp.js';
import { completeChecksum } from './transport-checksum.js';

const TCP_SEQ = 4;
const TCP_ACK = 8;
const TCP_OFFSET = 12;
const TCP_FLAGS = 13;
const TCP_HEADER_BYTES = 20;
const PACKET_BYTES_MAX = 65_535;

/** Bytes of the largest IP packet that `packet` is on the wire: of one segment, where it stands for several. */
export function wireLen(packet: PacketBuffer): number {
  if (packet.segmentBytes === 0) return packet.len;
  return Math.min(packet.len, gsoHeaderLen(packet) + packet.segmentBytes);
}

/** Bytes of text in a packet of several TCP segments or UDP datagrams. */
export function gsoTextLen(packet: PacketBuffer): number {
  return packet.end - packet.networkAt - gsoHeaderLen(packet);
}

/** The segment whose text starts `from` bytes into that of `packet`, complete with checksums. `packet` stays as it is. */
export function gsoSegment(packet: PacketBuffer, from: number): PacketBuffer {
  const piece = gsoPiece(packet, from);
  completeChecksum(piece);
  return piece;
}

/** As {@link gsoSegment}, for somebody on this machine: the upper-layer checksum is not computed. */
export function gsoPiece(packet: PacketBuffer, from: number): PacketBuffer {
  const { bytes, networkAt } = packet;
  const headerLen = gsoHeaderLen(packet);
  const len = Math.min(packet.segmentBytes, gsoTextLen(packet) - from);
  const isLast = from + len === gsoTextLen(packet);
  const piece = PacketBuffer.allocate(headerLen + len);
  piece.noteFrom(packet);
  piece.segmentBytes = 0;
  const at = piece.extend(headerLen + len);
  copyBytes(bytes, networkAt, piece.bytes, at, headerLen);
  copyBytes(bytes, networkAt + headerLen + from, piece.bytes, at + headerLen, len);
  piece.networkAt = at;
  piece.transportAt = at + packet.transportAt - networkAt;
  storeLengths(piece, Math.floor(from / packet.segmentBytes));
  if (packet.protocol === IPPROTO_UDP) {
    storeUdpLen(piece.bytes, piece.transportAt, UDP_HEADER_BYTES + len);
    return piece;
  }
  const tcpAt = piece.transportAt;
  storeU32(piece.bytes, tcpAt + TCP_SEQ, loadU32(bytes, packet.transportAt + TCP_SEQ) + from);
  // CWR is for the first, FIN and PSH for the last: RFC 3168 section 6.1.2.
  if (!isLast) piece.bytes[tcpAt + TCP_FLAGS]! &= ~(FIN | PSH);
  if (from > 0) piece.bytes[tcpAt + TCP_FLAGS]! &= ~CWR;
  return piece;
}

/**
 * Whether `next` may follow in the same packet as `held`: plain segments of one flow, in order, that could have been
 * one packet of several segments. Both start with the IP header at `networkAt` and the TCP header at `transportAt`.
 */
export function gsoFollows(held: PacketBuffer, next: PacketBuffer): boolean {
  const textLen = gsoTextLen(next);
  const unit = held.segmentBytes === 0 ? gsoTextLen(held) : held.segmentBytes;
  if (gsoHeaderLen(next) !== gsoHeaderLen(held) || textLen <= 0 || textLen > unit) return false;
  if (gsoTextLen(held) % unit !== 0 || held.end - held.networkAt + textLen > PACKET_BYTES_MAX) return false;
  const [at, from] = [held.transportAt, next.transportAt];
  if (loadU32(next.bytes, from + TCP_SEQ) !== (loadU32(held.bytes, at + TCP_SEQ) + gsoTextLen(held)) >>> 0)
    return false;
  const flags = next.bytes[from + TCP_FLAGS]!;
  return held.bytes[at + TCP_FLAGS]! === ACK && (flags & ~PSH) === ACK && isSameFlow(held, next);
}

/** Appends the text of `next`, which follows ({@link gsoFollows}); `next` stays the caller's. There is room for it. */
export function gsoAppend(held: PacketBuffer, next: PacketBuffer): void {
  const tcpHeaderLen = gsoHeaderLen(held) - (held.transportAt - held.networkAt);
  if (held.segmentBytes === 0) held.segmentBytes = gsoTextLen(held);
  // The last acknowledgement, window and options count.
  const [at, from] = [held.transportAt + TCP_ACK, next.transportAt + TCP_ACK];
  const textLen = gsoTextLen(next);
  copyBytes(next.bytes, from, held.bytes, at, tcpHeaderLen - TCP_ACK);
  held.append(next.bytes, next.transportAt + tcpHeaderLen, textLen);
  storeLengths(held, 0);
}

/** Bytes of the headers of IP and TCP or UDP. */
export function gsoHeaderLen(packet: PacketBuffer): number {
  const { bytes, networkAt, transportAt } = packet;
  if (packet.protocol === IPPROTO_UDP) return transportAt - networkAt + UDP_HEADER_BYTES;
  return transportAt - networkAt + (bytes[transportAt + TCP_OFFSET]! >>> 4) * 4;
}

/** Stores the lengths of the IP header; an IPv4 packet gets an identification `index` above that in its header. */
function storeLengths(packet: PacketBuffer, index: number): void {
  const { bytes, networkAt } = packet;
  const len = packet.end - networkAt;
  if (bytes[networkAt]! >>> 4 === 6) return storeIpv6PayloadLen(bytes, networkAt, len - IPV6_HEADER_BYTES);
  storeIpv4TotalLen(bytes, networkAt, len);
  if (index > 0) storeIpv4Id(bytes, networkAt, (ipv4Id(bytes, networkAt) + index) & 0xffff);
  storeIpv4Checksum(bytes, networkAt, packet.transportAt - networkAt);
}

/** Same addresses, ports, traffic class and hop limit, no IP options. */
function isSameFlow(a: PacketBuffer, b: PacketBuffer): boolean {
  if (a.transportAt - a.networkAt !== b.transportAt - b.networkAt || b.end - b.transportAt < TCP_HEADER_BYTES)
    return false;
  const isIpv4 = a.bytes[a.networkAt]! >>> 4 === 4;
  if (a.transportAt - a.networkAt !== (isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES)) return false;
  // What may differ: lengths, identification and checksum of IPv4; of TCP everything behind the ports.
  const fixed = isIpv4 ? IPV4_FIXED : IPV6_FIXED;
  for (const i of fixed) if (a.bytes[a.networkAt + i] !== b.bytes[b.networkAt + i]) return false;
  for (let i = 0; i < 4; i++) if (a.bytes[a.transportAt + i] !== b.bytes[b.transportAt + i]) return false;
  return true;
}

const IPV4_FIXED = [0, 1, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19];
const IPV6_FIXED = [0, 1, 2, 3, 6, 7, ...Array.from({ length: 32 }, (_, i) => 8 + i)];
