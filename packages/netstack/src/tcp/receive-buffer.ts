import { copyBytes, type PacketBuffer } from '../buffer/packet-buffer.js';
import { ByteRing, NO_RING } from './byte-ring.js';

/** Shorter text is copied out of its packet. */
const KEPT_BYTES_MIN = 16_384;
/** Buffers that were given back, kept for the next ones. */
const SPARE_COUNT_MAX = 1024;

/**
 * Text that waits to be read: long text in the packets that it came in, and behind that a ring with what was copied.
 * Who has nothing that waits has {@link NO_TEXT}.
 */
export class ReceiveBuffer {
  #head: PacketBuffer | null = null;
  #tail: PacketBuffer | null = null;
  #keptBytes = 0;
  #ring = NO_RING;
  #ringBytes = 0;

  /** An empty one. `ringBytes`: how large the ring of the last one of the same connection was. */
  static take(ringBytes: number): ReceiveBuffer {
    const buffer = spares.pop() ?? new ReceiveBuffer();
    buffer.#ringBytes = ringBytes;
    return buffer;
  }

  /** Bytes that wait. */
  get len(): number {
    return this.#keptBytes + this.#ring.len;
  }

  /** Memory that it takes. */
  get capacityBytes(): number {
    let sum = this.#ring.capacityBytes;
    for (let packet = this.#head; packet !== null; packet = packet.next) sum += packet.bytes.length;
    return sum;
  }

  /**
   * Whether `len` bytes at the end are better kept in `packet`: they are at least half of its memory, so that what waits
   * takes no more than twice its length, and nothing is in the ring. Text behind a gap is the caller's business.
   */
  canKeep(packet: Readonly<PacketBuffer>, len: number): boolean {
    return len >= KEPT_BYTES_MIN && 2 * len >= packet.bytes.length && this.#ring.len === 0;
  }

  /** Appends `bytes[at..at+len)` of a packet, which is the buffer's from now on. */
  keep(packet: PacketBuffer, at: number, len: number): void {
    packet.at = at;
    packet.end = at + len;
    packet.next = null;
    if (this.#tail === null) this.#head = packet;
    else this.#tail.next = packet;
    this.#tail = packet;
    this.#keptBytes += len;
  }

  /** Copies text to where it is `gap` bytes behind the end; it waits there for {@link ReceiveBuffer.commit}. */
  store(gap: number, src: Uint8Array, at: number, len: number): void {
    if (this.#ring === NO_RING) this.#ring = ByteRing.take(this.#ringBytes);
    this.#ring.store(this.#ring.len + gap, src, at, len);
  }

  /** Makes `len` bytes that are stored behind the end part of the text. */
  commit(len: number): void {
    this.#ring.commit(len);
  }

  /** Copies up to `len` bytes from `offset` on and returns how many. */
  copyTo(offset: number, dst: Uint8Array, at: number, len: number): number {
    let skipped = offset;
    let copied = 0;
    for (let packet = this.#head; packet !== null && copied < len; packet = packet.next) {
      const count = Math.min(packet.len - skipped, len - copied);
      if (count > 0) copyBytes(packet.bytes, packet.at + skipped, dst, at + copied, count);
      copied += Math.max(0, count);
      skipped = Math.max(0, skipped - packet.len);
    }
    return copied + this.#ring.copyTo(skipped, dst, at + copied, len - copied);
  }

  /** Removes `len` bytes, which there are, from the front. */
  consume(len: number): void {
    let left = len;
    for (let packet = this.#head; packet !== null && left > 0; packet = this.#head) {
      const count = Math.min(packet.len, left);
      packet.trimFront(count);
      this.#keptBytes -= count;
      left -= count;
      if (packet.len === 0) this.#shift(packet);
    }
    if (left > 0) this.#ring.consume(left);
  }

  /** Gives it back with all that is in it, and returns how large its ring was, or should be. */
  release(): number {
    for (let packet = this.#head; packet !== null; packet = this.#head) this.#shift(packet);
    this.#keptBytes = 0;
    if (this.#ring !== NO_RING) this.#ringBytes = this.#ring.release();
    this.#ring = NO_RING;
    if (spares.length < SPARE_COUNT_MAX) spares.push(this);
    return this.#ringBytes;
  }

  #shift(packet: PacketBuffer): void {
    this.#head = packet.next;
    if (this.#head === null) this.#tail = null;
    packet.next = null;
    packet.release();
  }
}

const spares: ReceiveBuffer[] = [];

/** What waits at all connections at which nothing does. Only read. */
export const NO_TEXT = new ReceiveBuffer();
