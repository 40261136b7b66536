import type { Flow } from '../filter/flow.js';
import { IpAddress } from '../wire/ip-address.js';

/** Room in front of the text of a new packet: Ethernet with a VLAN tag, IPv6, extension headers and TCP with options. */
export const HEADROOM_BYTES = 160;

/** Buffers kept of each class; more are left to the garbage collector. */
const POOL_COUNT_MAX = 512;
const SMALL_BYTES = 512;
const MTU_BYTES = 2048;
const LARGE_BYTES = 65536 + HEADROOM_BYTES;
const LARGE_COUNT_MAX = 64;

const NO_BYTES = new Uint8Array(0);

/** Bits of {@link PacketBuffer.flags}. */
export const PacketFlag = {
  /** The transport checksum is known to be right, or the packet never left the machine: it need not be verified. */
  CHECKSUM_VERIFIED: 1 << 0,
  /** Came as link-layer broadcast. */
  LINK_BROADCAST: 1 << 1,
  /** Came as link-layer multicast. */
  LINK_MULTICAST: 1 << 2,
  /** Was made from fragments. */
  REASSEMBLED: 1 << 3,
  /** Has been routed by this stack for somebody else. */
  FORWARDED: 1 << 4,
  /** Looped back by the sender's own stack: a copy of what it multicast or broadcast. */
  LOOPED_BACK: 1 << 5,
  /** The transport checksum has not been computed: the link does it, or nobody needs it. */
  CHECKSUM_PARTIAL: 1 << 6,
  /** The sender forbids fragmentation (IPv4 DF, IPV6_DONTFRAG). */
  DONT_FRAGMENT: 1 << 7,
  /** The sender wants no copy of what it sends to a group (IP_MULTICAST_LOOP off). */
  NO_LOOP: 1 << 8,
} as const;

/** Whose memory a packet may be in. */
export interface PacketLender {
  /** The packet in its memory number `slot` was released. */
  takeBack(slot: number): void;
}

/**
 * A packet and what the layers have learned of it. The data is `bytes[at..end)`; layers move `at` past their header on
 * the way up and in front of it on the way down, and nothing is copied.
 *
 * Ownership goes with the call: who is given a packet passes it on or calls {@link PacketBuffer.release}, and does not
 * touch it after that. A packet that is dropped without release is garbage, not a leak.
 */
export class PacketBuffer {
  bytes: Uint8Array;
  /** Start of the data. */
  at = 0;
  /** End of the data. */
  end = 0;

  /** Where the headers start; -1 before the layer has seen the packet. */
  linkAt = -1;
  networkAt = -1;
  transportAt = -1;

  /** EtherType; which network protocol the data is. */
  etherType = 0;
  /** Upper-layer protocol, `IPPROTO_*`. */
  protocol = 0;
  /** TOS or traffic class. */
  trafficClass = 0;
  /** TTL or hop limit. */
  hopLimit = 0;
  /** {@link PacketFlag} bits. */
  flags = 0;
  /** Payload bytes of each segment when the packet stands for several (GSO), else 0. */
  segmentBytes = 0;
  /** Mark as of SO_MARK and the MARK target. */
  mark = 0;
  /** User and group of the socket that sent it; -1 if none did. */
  ownerUid = -1;
  ownerGid = -1;
  /** Interface that the packet came in by, 0 for none. */
  nicId = 0;
  /** Monotonic milliseconds at which the packet came in. */
  arrivedMs = 0;
  readonly src = new IpAddress();
  readonly dst = new IpAddress();
  /** The tracked connection that it belongs to, whether it goes against its first packet, and what it is to it. */
  flow: Flow | null = null;
  isReply = false;
  ctState = 0;

  /** Link to the next packet of a queue. Written by {@link PacketQueue}. */
  next: PacketBuffer | null = null;
  #isFree = false;
  readonly #poolBytes: number;
  /** For a packet in the memory of somebody else: whose, and which. */
  #lender: PacketLender | null = null;
  #slot = 0;
  #lentBytes: Uint8Array = NO_BYTES;

  private constructor(bytes: Uint8Array, poolBytes: number) {
    this.bytes = bytes;
    this.#poolBytes = poolBytes;
  }

  /** A packet of `lender` in its memory number `slot`, which is `bytes`. It is used whenever the memory is lent. */
  static lendable(lender: PacketLender, slot: number, bytes: Uint8Array): PacketBuffer {
    const packet = new PacketBuffer(bytes, NOT_POOLED);
    packet.#lender = lender;
    packet.#slot = slot;
    packet.#lentBytes = bytes;
    packet.#isFree = true;
    return packet;
  }

  /** Begins to be a packet whose data is `bytes[at..end)`. Preconditions: it is lendable, and with its lender. */
  lend(at: number, end: number): void {
    this.#reset(at);
    this.end = end;
    this.bytes = this.#lentBytes;
  }

  /** A packet without data that has `headroom` bytes in front and can take `lenMax` bytes. */
  static allocate(lenMax: number, headroom = HEADROOM_BYTES): PacketBuffer {
    const needed = lenMax + headroom;
    const poolBytes = needed <= SMALL_BYTES ? SMALL_BYTES : needed <= MTU_BYTES ? MTU_BYTES : LARGE_BYTES;
    const pool = poolOf(poolBytes);
    const pooled = needed <= poolBytes ? pool.pop() : undefined;
    const packet =
      pooled ??
      new PacketBuffer(new Uint8Array(Math.max(needed, poolBytes)), needed <= poolBytes ? poolBytes : NOT_POOLED);
    packet.#reset(headroom);
    return packet;
  }

  /** A packet whose data is `bytes[at..at+len)` itself. The caller gives up the bytes. */
  static wrap(bytes: Uint8Array, at = 0, len = bytes.length - at): PacketBuffer {
    const packet = new PacketBuffer(bytes, NOT_POOLED);
    packet.at = at;
    packet.end = at + len;
    return packet;
  }

  /** A packet with a copy of `bytes[at..at+len)`. */
  static copyOf(bytes: Uint8Array, at = 0, len = bytes.length - at): PacketBuffer {
    const packet = PacketBuffer.allocate(len);
    packet.append(bytes, at, len);
    return packet;
  }

  get len(): number {
    return this.end - this.at;
  }

  /** Bytes free in front of the data. */
  get headroom(): number {
    return this.at;
  }

  /** Bytes free behind the data. */
  get tailroom(): number {
    return this.bytes.length - this.end;
  }

  /** Moves the start `len` bytes to the front, for a header, and returns it. */
  prepend(len: number): number {
    if (this.at < len) this.#grow(len);
    this.at -= len;
    return this.at;
  }

  /** Takes `len` bytes, which there are, off the front. */
  trimFront(len: number): void {
    this.at += len;
  }

  /** Cuts the data to `len` bytes, if it is longer. */
  trimTo(len: number): void {
    if (this.at + len < this.end) this.end = this.at + len;
  }

  /** Appends a copy of `bytes[at..at+len)`. Preconditions: the tailroom is enough. */
  append(bytes: Uint8Array, at: number, len: number): void {
    if (len > this.tailroom) throw new RangeError(`PacketBuffer.append: ${len} bytes, room for ${this.tailroom}`);
    copyBytes(bytes, at, this.bytes, this.end, len);
    this.end += len;
  }

  /** Makes `len` bytes at the end part of the data, with what they hold, and returns where they start. */
  extend(len: number): number {
    if (len > this.tailroom) throw new RangeError(`PacketBuffer.extend: ${len} bytes, room for ${this.tailroom}`);
    this.end += len;
    return this.end - len;
  }

  /** A copy with the same data, offsets and notes, of its own memory. */
  clone(): PacketBuffer {
    const from = Math.min(this.at, ...[this.linkAt, this.networkAt, this.transportAt].filter((at) => at >= 0));
    const copy = PacketBuffer.allocate(this.end - from);
    const shift = copy.end - from;
    copy.append(this.bytes, from, this.end - from);
    copy.at = this.at + shift;
    copy.linkAt = this.linkAt < 0 ? -1 : this.linkAt + shift;
    copy.networkAt = this.networkAt < 0 ? -1 : this.networkAt + shift;
    copy.transportAt = this.transportAt < 0 ? -1 : this.transportAt + shift;
    copy.noteFrom(this);
    return copy;
  }

  /** Takes over what was learned of `other`, but no data or offsets. */
  noteFrom(other: PacketBuffer): void {
    this.etherType = other.etherType;
    this.protocol = other.protocol;
    this.trafficClass = other.trafficClass;
    this.hopLimit = other.hopLimit;
    this.flags = other.flags;
    this.segmentBytes = other.segmentBytes;
    this.mark = other.mark;
    this.ownerUid = other.ownerUid;
    this.ownerGid = other.ownerGid;
    this.nicId = other.nicId;
    this.arrivedMs = other.arrivedMs;
    this.src.copyFrom(other.src);
    this.dst.copyFrom(other.dst);
    this.flow = other.flow;
    this.isReply = other.isReply;
    this.ctState = other.ctState;
  }

  /** Forgets the connection: the packet has come from elsewhere. */
  forgetFlow(): void {
    this.flow = null;
    this.isReply = false;
    this.ctState = 0;
  }

  /** Gives the packet back. Nobody touches it after this. */
  release(): void {
    if (this.#poolBytes === NOT_POOLED && this.#lender === null) return;
    if (this.#isFree) throw new Error('PacketBuffer.release: the packet was released before');
    if (this.#lender !== null) {
      this.#isFree = true;
      return this.#lender.takeBack(this.#slot);
    }
    const pool = poolOf(this.#poolBytes);
    if (pool.length >= (this.#poolBytes === LARGE_BYTES ? LARGE_COUNT_MAX : POOL_COUNT_MAX)) return;
    this.#isFree = true;
    pool.push(this);
  }

  #reset(headroom: number): void {
    this.#isFree = false;
    this.at = headroom;
    this.end = headroom;
    this.linkAt = -1;
    this.networkAt = -1;
    this.transportAt = -1;
    this.etherType = 0;
    this.protocol = 0;
    this.trafficClass = 0;
    this.hopLimit = 0;
    this.flags = 0;
    this.segmentBytes = 0;
    this.mark = 0;
    this.ownerUid = -1;
    this.ownerGid = -1;
    this.nicId = 0;
    this.arrivedMs = 0;
    this.next = null;
    this.forgetFlow();
  }

  /** Moves the data into a larger buffer so that `needed` bytes fit in front of it. */
  #grow(needed: number): void {
    const shift = needed + HEADROOM_BYTES - this.at;
    const bytes = new Uint8Array(this.bytes.length + shift);
    bytes.set(this.bytes, shift);
    this.bytes = bytes;
    this.at += shift;
    this.end += shift;
    if (this.linkAt >= 0) this.linkAt += shift;
    if (this.networkAt >= 0) this.networkAt += shift;
    if (this.transportAt >= 0) this.transportAt += shift;
  }
}

/** Packets in order, without allocation. */
export class PacketQueue {
  #head: PacketBuffer | null = null;
  #tail: PacketBuffer | null = null;
  #count = 0;
  #byteCount = 0;

  get count(): number {
    return this.#count;
  }

  /** Bytes of data in the queue. */
  get byteCount(): number {
    return this.#byteCount;
  }

  get head(): PacketBuffer | null {
    return this.#head;
  }

  push(packet: PacketBuffer): void {
    packet.next = null;
    if (this.#tail === null) this.#head = packet;
    else this.#tail.next = packet;
    this.#tail = packet;
    this.#count++;
    this.#byteCount += packet.len;
  }

  /** Takes the first packet out; null when empty. */
  shift(): PacketBuffer | null {
    const packet = this.#head;
    if (packet === null) return null;
    this.#head = packet.next;
    if (this.#head === null) this.#tail = null;
    packet.next = null;
    this.#count--;
    this.#byteCount -= packet.len;
    return packet;
  }

  /** Releases all packets. */
  clear(): void {
    for (let packet = this.shift(); packet !== null; packet = this.shift()) packet.release();
  }
}

/** Below this many bytes a loop beats `TypedArray.set`, which needs a view of the source. */
const COPY_LOOP_BYTES = 48;

/** Copies `len` bytes between arrays; the ranges may overlap only in the same array when moving down. */
export function copyBytes(src: Uint8Array, srcAt: number, dst: Uint8Array, dstAt: number, len: number): void {
  if (len > COPY_LOOP_BYTES) {
    dst.set(srcAt === 0 && len === src.length ? src : src.subarray(srcAt, srcAt + len), dstAt);
    return;
  }
  for (let i = 0; i < len; i++) dst[dstAt + i] = src[srcAt + i]!;
}

const NOT_POOLED = 0;
const smallPool: PacketBuffer[] = [];
const mtuPool: PacketBuffer[] = [];
const largePool: PacketBuffer[] = [];

function poolOf(poolBytes: number): PacketBuffer[] {
  return poolBytes === SMALL_BYTES ? smallPool : poolBytes === MTU_BYTES ? mtuPool : largePool;
}
