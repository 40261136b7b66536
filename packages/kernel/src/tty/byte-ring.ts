import type { IoBuffer } from '@tsv/vfs';

const BYTES_FIRST = 4096;

/** Bytes in order, at most `capacity` (a power of two) of them. Memory grows with use. */
export class ByteRing {
  readonly capacity: number;
  #bytes = new Uint8Array(0);
  #head = 0;
  #count = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get count(): number {
    return this.#count;
  }

  get free(): number {
    return this.capacity - this.#count;
  }

  /** Adds a byte; it is lost when there is no room. */
  push(byte: number): void {
    if (this.#count === this.capacity) return;
    if (this.#count === this.#bytes.length) this.#grow();
    this.#bytes[(this.#head + this.#count) & (this.#bytes.length - 1)] = byte;
    this.#count++;
  }

  /** Gives as many bytes as fit to `io`. Returns how many. Errors: EFAULT. */
  take(io: IoBuffer): number {
    const len = Math.min(this.#count, io.remaining);
    if (len === 0) return 0;
    const first = Math.min(len, this.#bytes.length - this.#head);
    let moved = io.put(this.#bytes, this.#head, first);
    if (moved === first && first < len) moved += Math.max(0, io.put(this.#bytes, 0, len - first));
    if (moved > 0) {
      this.#head = (this.#head + moved) & (this.#bytes.length - 1);
      this.#count -= moved;
    }
    return moved;
  }

  clear(): void {
    this.#count = 0;
  }

  #grow(): void {
    const bytes = new Uint8Array(Math.min(this.capacity, Math.max(BYTES_FIRST, this.#bytes.length * 4)));
    for (let i = 0; i < this.#count; i++) bytes[i] = this.#bytes[(this.#head + i) & (this.#bytes.length - 1)]!;
    this.#bytes = bytes;
    this.#head = 0;
  }
}
