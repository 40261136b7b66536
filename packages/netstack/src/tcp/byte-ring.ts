import { copyBytes } from '../buffer/packet-buffer.js';

/** Smallest ring with memory of its own. */
export const RING_BYTES_MIN = 4096;
const NO_BYTES = new Uint8Array(0);

/** Memory of rings that were freed, kept for the next ones: a busy connection empties and fills its ring all the time. */
const SPARE_BYTES_MAX = 8 << 20;
/** By the binary logarithm of their length. */
const spares: Uint8Array[][] = Array.from({ length: 32 }, () => []);
let spareBytes = 0;

function takeBytes(capacity: number): Uint8Array {
  const bytes = spares[31 - Math.clz32(capacity)]!.pop();
  if (bytes === undefined) return new Uint8Array(capacity);
  spareBytes -= capacity;
  return bytes;
}

function keepBytes(bytes: Uint8Array): void {
  const { length } = bytes;
  if (length === 0 || spareBytes + length > SPARE_BYTES_MAX) return;
  spares[31 - Math.clz32(length)]!.push(bytes);
  spareBytes += length;
}

/** Rings that were given back, without memory. */
const SPARE_RINGS_MAX = 1024;
const spareRings: ByteRing[] = [];

/**
 * A queue of bytes in a ring that grows by doubling. Who has nothing queued has {@link NO_RING}. Bytes may be stored behind the end of the
 * queue, where they wait until {@link ByteRing.commit} makes them part of it: so out-of-order text is stored once.
 */
export class ByteRing {
  #bytes: Uint8Array = NO_BYTES;
  #headAt = 0;
  #len = 0;
  /** What it starts with: as much as the one before it had, less with each time that less is needed. */
  #wantedBytes = RING_BYTES_MIN;

  /** The array, and where in it {@link ByteRing.span} found the bytes. */
  spanAt = 0;

  /** An empty ring. `wantedBytes`: what the last one of the same queue had ({@link ByteRing.release}). */
  static take(wantedBytes: number): ByteRing {
    const ring = spareRings.pop() ?? new ByteRing();
    ring.#wantedBytes = wantedBytes;
    return ring;
  }

  /** Bytes in the queue. */
  get len(): number {
    return this.#len;
  }

  get capacityBytes(): number {
    return this.#bytes.length;
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Stores bytes from `offset` bytes behind the head on, which may be past the end of the queue. */
  store(offset: number, src: Uint8Array, at: number, len: number): void {
    if (offset + len > this.#bytes.length) this.#grow(offset + len);
    const toAt = (this.#headAt + offset) & (this.#bytes.length - 1);
    const firstLen = Math.min(len, this.#bytes.length - toAt);
    copyBytes(src, at, this.#bytes, toAt, firstLen);
    if (firstLen < len) copyBytes(src, at + firstLen, this.#bytes, 0, len - firstLen);
  }

  /** Appends bytes to the queue. */
  push(src: Uint8Array, at: number, len: number): void {
    this.store(this.#len, src, at, len);
    this.#len += len;
  }

  /** Makes `len` bytes stored behind the end part of the queue. */
  commit(len: number): void {
    this.#len += len;
  }

  /** Copies up to `len` bytes from `offset` bytes behind the head and returns how many. */
  copyTo(offset: number, dst: Uint8Array, at: number, len: number): number {
    const count = Math.min(len, this.#len - offset);
    if (count <= 0) return 0;
    const fromAt = (this.#headAt + offset) & (this.#bytes.length - 1);
    const firstLen = Math.min(count, this.#bytes.length - fromAt);
    copyBytes(this.#bytes, fromAt, dst, at, firstLen);
    if (firstLen < count) copyBytes(this.#bytes, 0, dst, at + firstLen, count - firstLen);
    return count;
  }

  /** How many of the `len` bytes at `offset` lie in one piece, which starts at `bytes[spanAt]`. */
  span(offset: number, len: number): number {
    this.spanAt = (this.#headAt + offset) & (this.#bytes.length - 1);
    return Math.min(len, this.#len - offset, this.#bytes.length - this.spanAt);
  }

  /** Removes `len` bytes, which there are, from the head. */
  consume(len: number): void {
    this.#headAt = (this.#headAt + len) & (this.#bytes.length - 1);
    this.#len -= len;
  }

  /**
   * Gives the ring back with all that is in it, and returns how large it was, or should be. Nobody reads what
   * {@link ByteRing.bytes} was after that.
   */
  release(): number {
    const bytes = this.#bytes;
    if (bytes === NO_BYTES) return this.#wantedBytes;
    this.#bytes = NO_BYTES;
    this.#headAt = 0;
    this.#len = 0;
    keepBytes(bytes);
    if (spareRings.length < SPARE_RINGS_MAX) spareRings.push(this);
    return bytes.length;
  }

  #grow(needed: number): void {
    const old = this.#bytes;
    while (needed * 4 < this.#wantedBytes && this.#wantedBytes > RING_BYTES_MIN) this.#wantedBytes /= 2;
    let capacity = Math.max(old.length, this.#wantedBytes);
    while (capacity < needed) capacity *= 2;
    const bytes = takeBytes(capacity);
    // All of it, for there may be bytes behind the end.
    copyBytes(old, this.#headAt, bytes, 0, old.length - this.#headAt);
    copyBytes(old, 0, bytes, old.length - this.#headAt, this.#headAt);
    keepBytes(old);
    this.#bytes = bytes;
    this.#headAt = 0;
  }
}

/** The ring of all queues that have nothing. Only read. */
export const NO_RING = new ByteRing();
