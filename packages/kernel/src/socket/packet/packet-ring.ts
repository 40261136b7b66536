import {
  AF_PACKET,
  EINVAL,
  ENOMEM,
  SIZEOF_SOCKADDR_LL,
  SIZEOF_TPACKET2_HDR,
  SLL_ADDR,
  SLL_HALEN,
  SLL_HATYPE,
  SLL_IFINDEX,
  SLL_PKTTYPE,
  SLL_PROTOCOL,
  TP2_LEN,
  TP2_MAC,
  TP2_NET,
  TP2_NSEC,
  TP2_SEC,
  TP2_SNAPLEN,
  TP2_STATUS,
  TP2_VLAN_TCI,
  TPACKET_ALIGNMENT,
  TP_STATUS_CSUMNOTREADY,
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
  type Errno,
} from '@tsv/abi';
import { PacketFlag, type LinkSocketAddress, type PacketBuffer, type PacketSink } from '@tsv/netstack';
import { PAGE_BYTES, chunkAt, chunkOf, type MemoryFile } from '@tsv/platform';
import type { Mappable } from '@tsv/vfs';
import type { Kernel } from '../../kernel.js';
import { SharedAnonymous } from '../../mm/shared-anonymous.js';

/** What one ring may have: it lies in one piece of the memory file. */
const RING_BYTES_MAX = 64 << 20;
/** Room in front of a packet for a link header, where there may be one. */
const LINK_ROOM_BYTES = 16;
const LINK_ADDRESS_BYTES = 6;

/** `struct tpacket_req`: how a ring is cut into blocks and frames. */
export interface RingShape {
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly frameBytes: number;
  readonly frameCount: number;
}

/** Checks what packet(7) demands of a ring whose frames have `reservedBytes` for the user. Errors: EINVAL, ENOMEM. */
export function checkRing(shape: RingShape, reservedBytes: number): 0 | Errno {
  const { blockBytes, blockCount, frameBytes, frameCount } = shape;
  if (blockBytes <= 0 || blockBytes % PAGE_BYTES !== 0) return -EINVAL;
  if (frameBytes < SIZEOF_TPACKET2_HDR + SIZEOF_SOCKADDR_LL + reservedBytes) return -EINVAL;
  if (frameBytes % TPACKET_ALIGNMENT !== 0) return -EINVAL;
  const perBlock = Math.floor(blockBytes / frameBytes);
  if (perBlock === 0 || perBlock * blockCount !== frameCount) return -EINVAL;
  return blockBytes * blockCount > RING_BYTES_MAX ? -ENOMEM : 0;
}

/**
 * The PACKET_RX_RING of packet(7), version 2: frames in memory that the user maps, handed to and fro by a status word in
 * each. What the user writes there decides about nothing but whether a frame is free.
 */
export class PacketRing implements PacketSink {
  readonly mappable: Mappable;
  readonly #memory: MemoryFile;
  readonly #pages: SharedAnonymous;
  readonly #pfn: number;
  readonly #shape: RingShape;
  readonly #perBlock: number;
  readonly #reservedBytes: number;
  readonly #kernel: Kernel;
  readonly #typeOf: (nicId: number) => number;
  /** The frame that the next packet goes to. */
  #head = 0;

  private constructor(
    kernel: Kernel,
    pages: SharedAnonymous,
    pfn: number,
    shape: RingShape,
    reservedBytes: number,
    typeOf: (nicId: number) => number,
  ) {
    this.#kernel = kernel;
    this.#memory = kernel.memoryFile;
    this.#pages = pages;
    this.mappable = pages;
    this.#pfn = pfn;
    this.#shape = shape;
    this.#perBlock = Math.floor(shape.blockBytes / shape.frameBytes);
    this.#reservedBytes = reservedBytes;
    this.#typeOf = typeOf;
  }

  /** A ring of a shape that {@link checkRing} has passed. `typeOf`: ARPHRD_* of an interface. Errors: ENOMEM. */
  static create(
    kernel: Kernel,
    shape: RingShape,
    reservedBytes: number,
    typeOf: (nicId: number) => number,
  ): PacketRing | Errno {
    const pages = new SharedAnonymous(kernel.memoryFile, shape.blockBytes * shape.blockCount);
    pages.hold();
    const pfn = pages.pageRun(0, 1, true);
    if (pfn >= 0) return new PacketRing(kernel, pages, pfn, shape, reservedBytes, typeOf);
    pages.drop();
    return pfn;
  }

  /** Lets the memory go, when nobody maps it any more. */
  close(): void {
    this.#pages.drop();
  }

  /** Whether the packet that was put last has not been taken. */
  get isReadable(): boolean {
    const { frameCount } = this.#shape;
    return this.#statusOf((this.#head + frameCount - 1) % frameCount) !== TP_STATUS_KERNEL;
  }

  put(packet: PacketBuffer, wholeLen: number, linkLen: number, from: LinkSocketAddress): boolean {
    if (this.#statusOf(this.#head) !== TP_STATUS_KERNEL) return false;
    const at = this.#frameAt(this.#head);
    const headerLen = SIZEOF_TPACKET2_HDR + SIZEOF_SOCKADDR_LL;
    // The network header is aligned; a packet without a link header has room for one in front of it all the same.
    const base =
      linkLen === 0 ? align(headerLen) + LINK_ROOM_BYTES : align(headerLen + Math.max(linkLen, LINK_ROOM_BYTES));
    const netOffset = base + this.#reservedBytes;
    const macOffset = netOffset - linkLen;
    const snapLen = Math.min(packet.len, Math.max(this.#shape.frameBytes - macOffset, 0));
    const bytes = this.#chunk();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    bytes.set(packet.bytes.subarray(packet.at, packet.at + snapLen), at + macOffset);
    view.setUint32(at + TP2_LEN, wholeLen, true);
    view.setUint32(at + TP2_SNAPLEN, snapLen, true);
    view.setUint16(at + TP2_MAC, macOffset, true);
    view.setUint16(at + TP2_NET, netOffset, true);
    const nowMs = this.#kernel.clock.realtimeMs();
    view.setUint32(at + TP2_SEC, Math.floor(nowMs / 1e3), true);
    view.setUint32(at + TP2_NSEC, Math.floor((nowMs % 1e3) * 1e6), true);
    view.setUint32(at + TP2_VLAN_TCI, 0, true);
    this.#storeAddress(view, at + SIZEOF_TPACKET2_HDR, from);
    const isPartial = (packet.flags & PacketFlag.CHECKSUM_PARTIAL) !== 0;
    view.setUint32(at + TP2_STATUS, TP_STATUS_USER | (isPartial ? TP_STATUS_CSUMNOTREADY : 0), true);
    this.#head = (this.#head + 1) % this.#shape.frameCount;
    return true;
  }

  #storeAddress(view: DataView, at: number, from: LinkSocketAddress): void {
    view.setUint16(at, AF_PACKET, true);
    view.setUint16(at + SLL_PROTOCOL, from.protocol);
    view.setInt32(at + SLL_IFINDEX, from.nicId, true);
    view.setUint16(at + SLL_HATYPE, this.#typeOf(from.nicId), true);
    view.setUint8(at + SLL_PKTTYPE, from.packetType);
    view.setUint8(at + SLL_HALEN, LINK_ADDRESS_BYTES);
    from.linkAddress.forEach((byte, index) => {
      view.setUint8(at + SLL_ADDR + index, byte);
    });
  }

  #statusOf(index: number): number {
    return loadU32(this.#chunk(), this.#frameAt(index) + TP2_STATUS);
  }

  /** Where a frame is in its chunk of the memory file. */
  #frameAt(index: number): number {
    const { blockBytes, frameBytes } = this.#shape;
    const block = Math.floor(index / this.#perBlock);
    return chunkAt(this.#pfn) + block * blockBytes + (index % this.#perBlock) * frameBytes;
  }

  #chunk(): Uint8Array {
    return this.#memory.chunks[chunkOf(this.#pfn)]!;
  }
}

function loadU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

function align(len: number): number {
  return Math.ceil(len / TPACKET_ALIGNMENT) * TPACKET_ALIGNMENT;
}
