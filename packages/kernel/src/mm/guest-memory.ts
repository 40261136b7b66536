import { E2BIG, EFAULT, ENAMETOOLONG, PATH_MAX, type Errno } from '@tsv/abi';
import { CHUNK_PAGES, PAGE_BYTES, type MemoryFile } from '@tsv/platform';
import { copyBytes, type UserMemory } from '@tsv/vfs';
import { StringCache } from './string-cache.js';
import type { Translation } from './translation.js';

const TWO_32 = 0x1_0000_0000;
const CHUNK_WORDS = (CHUNK_PAGES * PAGE_BYTES) / 4;

/**
 * Guest memory as the kernel accesses it: with the rights of the guest's own mappings, and through the memory file
 * only. A mapped host file is never touched through a mapping (it may be truncated at any time): it is read and written
 * as a file, page by page, in a buffer.
 */
export abstract class GuestMemory implements UserMemory {
  /** The piece that {@link segment} found begins at `segAt` of `seg`. */
  seg: Uint8Array = EMPTY;
  segAt = 0;
  /** The piece is a buffer: what was written to it takes effect by {@link writeBack}. */
  segIsBuffer = false;

  protected abstract readonly memory: MemoryFile;
  protected abstract readonly reads: Translation;
  protected abstract readonly writes: Translation;
  readonly #words: Int32Array[] = [];
  readonly #small = new Uint8Array(8);
  readonly #smallView = new DataView(this.#small.buffer);

  /** Finds memory at `addr`: 0 with a translation set, the length of a buffered piece in `seg`, or -EFAULT. */
  protected abstract resolve(addr: number, isWrite: boolean): number;

  /** Writes `len` bytes of the buffered piece at `addr` back to the mapped file. Errors: EFAULT. */
  abstract writeBack(addr: number, len: number): number;

  /** Finds the longest piece at `addr` in one stretch, at most `max` (1 or more) bytes. Returns its length, or -EFAULT. */
  segment(addr: number, max: number, isWrite: boolean): number {
    const t = isWrite ? this.writes : this.reads;
    if (addr < t.start || addr >= t.end) {
      const status = this.resolve(addr, isWrite);
      if (status !== 0) {
        this.segIsBuffer = status > 0;
        return Math.min(status, max);
      }
    }
    this.segIsBuffer = false;
    this.seg = t.bytes;
    this.segAt = addr - t.base;
    return Math.min(max, t.end - addr);
  }

  /**
   * The view in which `[addr, addr + len)` lies from `segAt` on, to be written in place; null where it is not one piece
   * of the memory file, which {@link copyOut} knows what to do with.
   */
  viewToWrite(addr: number, len: number): DataView | null {
    return this.segment(addr, len, true) === len && !this.segIsBuffer ? this.writes.view : null;
  }

  /** Copies guest memory to `dst`. Returns 0. Errors: EFAULT, with an unknown part copied. */
  copyIn(dst: Uint8Array, at: number, addr: number, len: number): number {
    for (let done = 0; done < len;) {
      const n = this.segment(addr + done, len - done, false);
      if (n < 0) return n;
      copyBytes(dst, at + done, this.seg, this.segAt, n);
      done += n;
    }
    return 0;
  }

  /** Copies `src` to guest memory. Returns 0. Errors: EFAULT, with an unknown part copied. */
  copyOut(addr: number, src: Uint8Array, at: number, len: number): number {
    for (let done = 0; done < len;) {
      const n = this.segment(addr + done, len - done, true);
      if (n < 0) return n;
      copyBytes(this.seg, this.segAt, src, at + done, n);
      if (this.segIsBuffer && this.writeBack(addr + done, n) < 0) return -EFAULT;
      done += n;
    }
    return 0;
  }

  /** Fills guest memory with zeros. Returns 0. Errors: EFAULT. */
  zeroOut(addr: number, len: number): number {
    for (let done = 0; done < len;) {
      const n = this.segment(addr + done, len - done, true);
      if (n < 0) return n;
      this.seg.fill(0, this.segAt, this.segAt + n);
      if (this.segIsBuffer && this.writeBack(addr + done, n) < 0) return -EFAULT;
      done += n;
    }
    return 0;
  }

  /** The unsigned 32-bit word at `addr`, or NaN where it cannot be read. */
  load32(addr: number): number {
    const t = this.reads;
    if (addr >= t.start && addr + 4 <= t.end) return t.view.getUint32(addr - t.base, true);
    return this.copyIn(this.#small, 0, addr, 4) < 0 ? NaN : this.#smallView.getUint32(0, true);
  }

  /** Stores the low 32 bits of `value`. Returns 0. Errors: EFAULT. */
  store32(addr: number, value: number): number {
    const t = this.writes;
    if (addr >= t.start && addr + 4 <= t.end) {
      t.view.setUint32(addr - t.base, value, true);
      return 0;
    }
    this.#smallView.setUint32(0, value, true);
    return this.copyOut(addr, this.#small, 0, 4);
  }

  /** The unsigned 64-bit word at `addr`, exact below 2^53, or NaN where it cannot be read. */
  load64(addr: number): number {
    if (this.copyIn(this.#small, 0, addr, 8) < 0) return NaN;
    return this.#smallView.getUint32(4, true) * TWO_32 + this.#smallView.getUint32(0, true);
  }

  /** Stores a signed or unsigned 64-bit word. Returns 0. Errors: EFAULT. */
  store64(addr: number, value: number): number {
    this.#smallView.setUint32(0, value, true);
    this.#smallView.setInt32(4, Math.floor(value / TWO_32), true);
    return this.copyOut(addr, this.#small, 0, 8);
  }

  /**
   * Replaces the aligned 32-bit word at `addr` by `value` if it is `expected`, atomically for the guest. Returns what
   * was there, unsigned, or NaN where it cannot be written. Words of directly mapped host files cannot.
   */
  cas32(addr: number, expected: number, value: number): number {
    if (addr % 4 !== 0 || this.segment(addr, 4, true) < 4 || this.segIsBuffer) return NaN;
    const index = this.segAt >>> 2;
    return Atomics.compareExchange(this.#wordsOf(this.writes.chunk, index), index, expected, value) >>> 0;
  }

  /** The byte string at `addr`, which ends with NUL. Errors: EFAULT, ENAMETOOLONG when `maxBytes` hold no NUL. */
  copyInString(addr: number, maxBytes: number): string | Errno {
    let text = '';
    for (let done = 0; done < maxBytes;) {
      const n = this.segment(addr + done, Math.min(maxBytes - done, STRING_PIECE_BYTES), false);
      if (n < 0) return n;
      const { seg, segAt } = this;
      let end = segAt;
      while (end < segAt + n && seg[end] !== 0) end++;
      const piece = strings.get(seg, segAt, end);
      text = text === '' ? piece : text + piece;
      if (end < segAt + n) return text;
      done += n;
    }
    return -ENAMETOOLONG;
  }

  /** A path: a byte string shorter than PATH_MAX. Errors: EFAULT, ENAMETOOLONG. */
  copyInPath(addr: number): string | Errno {
    return this.copyInString(addr, PATH_MAX);
  }

  /** A null-terminated array of strings, as execve(2) takes; none at address 0. Errors: EFAULT, E2BIG. */
  copyInStringArray(addr: number, maxTotalBytes: number): string[] | Errno {
    const list: string[] = [];
    if (addr === 0) return list;
    let left = maxTotalBytes;
    for (let at = addr; ; at += 8) {
      const stringAddr = this.load64(at);
      if (Number.isNaN(stringAddr)) return -EFAULT;
      if (stringAddr === 0) return list;
      left -= 8;
      const text = left <= 0 ? -ENAMETOOLONG : this.copyInString(stringAddr, Math.min(left, STRING_BYTES_MAX));
      if (typeof text === 'number') return text === -ENAMETOOLONG ? -E2BIG : text;
      left -= text.length + 1;
      list.push(text);
    }
  }

  /** The words of a chunk with the one at `index`; a chunk may have grown. */
  #wordsOf(chunk: number, index: number): Int32Array {
    let words = this.#words[chunk];
    if (words === undefined || index >= words.length) {
      const bytes = this.memory.chunks[chunk]!;
      words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.min(CHUNK_WORDS, bytes.length >>> 2));
      this.#words[chunk] = words;
    }
    return words;
  }
}

const EMPTY = new Uint8Array(0);
const strings = new StringCache();
/** Bytes of a string that are looked at in one step. */
const STRING_PIECE_BYTES = 4096;
/** MAX_ARG_STRLEN, execve(2). */
const STRING_BYTES_MAX = 32 * PAGE_BYTES;
