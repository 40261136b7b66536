import { EFAULT } from '@tsv/abi';
import type { PendingRead } from './pending-read.js';

/**
 * The caller's side of a read or write: a cursor over pieces of memory. In the kernel the pieces are guest memory in
 * the memory file; other users bring their own bytes. A file moves data either with {@link put}, {@link take} and
 * {@link zero}, or piece by piece with {@link segment} and {@link advance} (host I/O goes straight into a piece).
 */
export abstract class IoBuffer {
  /** Bytes not yet moved. */
  remaining = 0;
  /** The piece that {@link segment} found: bytes `[segAt, segAt + length)` of `seg`. */
  seg: Uint8Array = EMPTY;
  segAt = 0;
  /**
   * Whether the caller can wait for a device: a file that is always ready may then read less than there is, or tell
   * -EAGAIN, with {@link pendingRead} set. The caller gives that back when it tries again where the read ended.
   */
  canWait = false;
  pendingRead: PendingRead | null = null;

  /**
   * Finds the next contiguous piece, at most `max` bytes. Returns its length, 0 when nothing remains, or -EFAULT when
   * the caller's memory cannot be accessed there. It does not move the cursor.
   */
  abstract segment(max: number): number;

  /** Moves the cursor by `len`, at most what {@link segment} just returned. */
  abstract advance(len: number): void;

  /** Gives `len` bytes of `src` to the caller. Returns how many were taken; -EFAULT if none could be. */
  put(src: Uint8Array, at: number, len: number): number {
    let moved = 0;
    while (moved < len) {
      const n = this.segment(len - moved);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      copyBytes(this.seg, this.segAt, src, at + moved, n);
      this.advance(n);
      moved += n;
    }
    return moved;
  }

  /** Takes up to `len` bytes from the caller into `dst`. Returns how many; -EFAULT if none could be. */
  take(dst: Uint8Array, at: number, len: number): number {
    let moved = 0;
    while (moved < len) {
      const n = this.segment(len - moved);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      copyBytes(dst, at + moved, this.seg, this.segAt, n);
      this.advance(n);
      moved += n;
    }
    return moved;
  }

  /** Gives `len` zero bytes to the caller. Returns how many; -EFAULT if none could be. */
  zero(len: number): number {
    let moved = 0;
    while (moved < len) {
      const n = this.segment(len - moved);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      this.seg.fill(0, this.segAt, this.segAt + n);
      this.advance(n);
      moved += n;
    }
    return moved;
  }
}

const EMPTY = new Uint8Array(0);

/** Below this, a loop is faster than making a view for `set` (measured on Node 20). */
const LOOP_BYTES_MAX = 64;

/** Copies `len` bytes between arrays; within one array no view is made. */
export function copyBytes(dst: Uint8Array, dstAt: number, src: Uint8Array, srcAt: number, len: number): void {
  if (len <= LOOP_BYTES_MAX) {
    for (let i = 0; i < len; i++) dst[dstAt + i] = src[srcAt + i]!;
  } else if (dst === src) {
    dst.copyWithin(dstAt, srcAt, srcAt + len);
  } else {
    dst.set(src.subarray(srcAt, srcAt + len), dstAt);
  }
}

/** An {@link IoBuffer} over bytes that the user has at hand. */
export class MemoryIo extends IoBuffer {
  #end: number;

  constructor(bytes: Uint8Array, at = 0, len = bytes.length - at) {
    super();
    this.seg = bytes;
    this.segAt = at;
    this.#end = at + len;
    this.remaining = len;
  }

  /** Starts again over other bytes. */
  reset(bytes: Uint8Array, at: number, len: number): void {
    if (at < 0 || len < 0 || at + len > bytes.length) throw new RangeError('MemoryIo.reset: outside of the bytes');
    this.seg = bytes;
    this.segAt = at;
    this.#end = at + len;
    this.remaining = len;
  }

  segment(max: number): number {
    if (this.segAt > this.#end) return -EFAULT;
    return Math.min(max, this.remaining);
  }

  advance(len: number): void {
    this.segAt += len;
    this.remaining -= len;
  }
}
