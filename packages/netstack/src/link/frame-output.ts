import { copyBytes, type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { gsoSegment, gsoTextLen } from '../net/gso.js';
import { completeChecksum } from '../net/transport-checksum.js';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.js';
import { noteHeaders, noteTcpHeaders } from './frame-headers.js';
import type { LinkEndpoint } from './link-endpoint.js';

/**
 * Sends a whole frame by a link, after doing what the link does not: cutting up a packet of several segments, and
 * computing checksums. The link's frames have an Ethernet header.
 */
export function sendFrame(link: LinkEndpoint, packet: PacketBuffer): void {
  const isTooLarge = packet.segmentBytes > 0 && packet.len - ETHERNET_HEADER_BYTES > link.gsoBytesMax;
  if (!isTooLarge) {
    const isUnfinished = (packet.flags & PacketFlag.CHECKSUM_PARTIAL) !== 0 && !link.hasChecksumOffload;
    if (isUnfinished && noteHeaders(packet, ETHERNET_HEADER_BYTES)) completeChecksum(packet);
    return link.send(packet);
  }
  if (!noteTcpHeaders(packet, ETHERNET_HEADER_BYTES)) return packet.release();
  const textLen = gsoTextLen(packet);
  for (let from = 0; from < textLen; from += packet.segmentBytes) {
    const piece = gsoSegment(packet, from);
    const at = piece.prepend(ETHERNET_HEADER_BYTES);
    copyBytes(packet.bytes, packet.at, piece.bytes, at, ETHERNET_HEADER_BYTES);
    link.send(piece);
  }
  packet.release();
}
