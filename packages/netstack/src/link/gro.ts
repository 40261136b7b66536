import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { gsoAppend, gsoFollows, gsoTextLen } from '../net/gso.js';
import { packetChecksumIsRight } from '../net/transport-checksum.js';
import { ETHERNET_HEADER_BYTES } from '../wire/ethernet.js';

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
