/** Writes packets in the pcapng format (draft-ietf-opsawg-pcapng), which Wireshark and tcpdump read. */

export const LINKTYPE_ETHERNET = 1;
export const LINKTYPE_RAW = 101;

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const OPT_IF_NAME = 2;
const OPT_EPB_FLAGS = 2;
const OPT_END = 0;
/** Timestamps count microseconds, the default. */
const MICROSECONDS_PER_MS = 1000;
const TWO_32 = 0x1_0000_0000;

/** `epb_flags`: direction of a packet. */
export const PCAPNG_INBOUND = 1;
export const PCAPNG_OUTBOUND = 2;

/** A capture file of one section. Blocks go to `write` in order; each is a new array. */
export class PcapngWriter {
  readonly #write: (block: Uint8Array) => void;
  #interfaceCount = 0;

  constructor(write: (block: Uint8Array) => void) {
    this.#write = write;
    const { view, block } = startBlock(SECTION_HEADER, 28);
    view.setUint32(8, BYTE_ORDER_MAGIC, true);
    view.setUint16(12, 1, true);
    view.setInt32(16, -1, true);
    view.setInt32(20, -1, true);
    this.#write(block);
  }

  /** Describes an interface and returns its number for {@link PcapngWriter.packet}. `linkType`: `LINKTYPE_*`. */
  addInterface(name: string, linkType: number, snapBytes = 0): number {
    // Interface names are ASCII.
    const text = Uint8Array.from(name, (char) => char.charCodeAt(0) & 0x7f);
    const optionsAt = 16;
    const { view, block } = startBlock(INTERFACE_DESCRIPTION, optionsAt + 4 + padded(text.length) + 4 + 4);
    view.setUint16(8, linkType, true);
    view.setUint32(12, snapBytes, true);
    view.setUint16(optionsAt, OPT_IF_NAME, true);
    view.setUint16(optionsAt + 2, text.length, true);
    block.set(text, optionsAt + 4);
    view.setUint32(optionsAt + 4 + padded(text.length), OPT_END, true);
    this.#write(block);
    return this.#interfaceCount++;
  }

  /** Writes `bytes[at..at+len)`, seen at `epochMs` since the Unix epoch, cut to `snapBytes`. */
  packet(
    interfaceIndex: number,
    epochMs: number,
    flags: number,
    bytes: Uint8Array,
    at: number,
    len: number,
    snapBytes = Infinity,
  ): void {
    const captured = Math.min(len, snapBytes);
    const optionsAt = 28 + padded(captured);
    const { view, block } = startBlock(ENHANCED_PACKET, optionsAt + 8 + 4 + 4);
    const microseconds = Math.floor(epochMs * MICROSECONDS_PER_MS);
    view.setUint32(8, interfaceIndex, true);
    view.setUint32(12, Math.floor(microseconds / TWO_32), true);
    view.setUint32(16, microseconds % TWO_32, true);
    view.setUint32(20, captured, true);
    view.setUint32(24, len, true);
    block.set(bytes.subarray(at, at + captured), 28);
    view.setUint16(optionsAt, OPT_EPB_FLAGS, true);
    view.setUint16(optionsAt + 2, 4, true);
    view.setUint32(optionsAt + 4, flags, true);
    view.setUint32(optionsAt + 8, OPT_END, true);
    this.#write(block);
  }
}

/** A block of `len` bytes with type and both lengths. */
function startBlock(type: number, len: number): { view: DataView; block: Uint8Array } {
  const block = new Uint8Array(len);
  const view = new DataView(block.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, len, true);
  view.setUint32(len - 4, len, true);
  return { view, block };
}

function padded(len: number): number {
  return (len + 3) & ~3;
}
