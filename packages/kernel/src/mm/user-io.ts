import { EFAULT, EINVAL } from '@tsv/abi';
import { IoBuffer } from '@tsv/vfs';
import type { Mm } from './mm.js';

/** UIO_MAXIOV, readv(2). */
export const IOV_MAX = 1024;
/** What one call moves at most, read(2). */
export const MAX_RW_COUNT = 0x7fff_f000;
const SIZEOF_IOVEC = 16;

/** Guest memory as the caller's side of a read or write. Made once per task and used again. */
export class UserIo extends IoBuffer {
  #mm: Mm | null = null;
  #isWriteToUser = false;
  #addr = 0;
  /** Bytes left of the range at `#addr`. */
  #left = 0;
  /** Ranges behind it: address and length pairs, from `#next` to `#end`. */
  readonly #ranges: number[] = [];
  #next = 0;
  #end = 0;

  /** Starts over at `len` bytes at `addr`. Returns 0. Errors: EFAULT beyond the user's addresses. */
  reset(mm: Mm, addr: number, len: number, isWriteToUser: boolean): number {
    this.#mm = mm;
    this.#isWriteToUser = isWriteToUser;
    this.#next = this.#end = 0;
    this.remaining = 0;
    this.canWait = false;
    this.pendingRead = null;
    if (!(addr + len <= mm.layout.maxAddr)) return -EFAULT;
    this.#addr = addr;
    this.#left = Math.min(len, MAX_RW_COUNT);
    this.remaining = this.#left;
    return 0;
  }

  /** Starts over at an array of `struct iovec`, readv(2). Returns 0. Errors: EFAULT, EINVAL. */
  resetVec(mm: Mm, iovAddr: number, iovCount: number, isWriteToUser: boolean): number {
    this.#mm = mm;
    this.#isWriteToUser = isWriteToUser;
    this.#addr = this.#left = this.#next = this.#end = 0;
    this.remaining = 0;
    this.canWait = false;
    this.pendingRead = null;
    if (!(iovCount >= 0 && iovCount <= IOV_MAX)) return -EINVAL;
    const status = this.#loadVec(mm, iovAddr, iovCount);
    if (status < 0) this.remaining = this.#end = 0;
    else this.#nextRange();
    return status;
  }

  segment(max: number): number {
    if (this.remaining === 0) return 0;
    const mm = this.#mm!;
    const n = mm.segment(this.#addr, Math.min(max, this.#left), this.#isWriteToUser);
    this.seg = mm.seg;
    this.segAt = mm.segAt;
    return n;
  }

  advance(len: number): void {
    const mm = this.#mm!;
    // What was put in a buffer for a mapped file is written there; the file's own error has nobody to tell, as with
    // a store instruction.
    if (this.#isWriteToUser && mm.segIsBuffer && len > 0) mm.writeBack(this.#addr, len);
    this.#addr += len;
    this.#left -= len;
    this.remaining -= len;
    if (this.#left === 0) this.#nextRange();
  }

  #nextRange(): void {
    while (this.#left === 0 && this.#next < this.#end) {
      this.#addr = this.#ranges[this.#next++]!;
      this.#left = this.#ranges[this.#next++]!;
    }
  }

  #loadVec(mm: Mm, iovAddr: number, iovCount: number): number {
    let total = 0;
    let isNegative = false;
    for (let i = 0; i < iovCount; i++) {
      const addr = mm.load64(iovAddr + i * SIZEOF_IOVEC);
      const len = mm.load64(iovAddr + i * SIZEOF_IOVEC + 8);
      if (Number.isNaN(addr) || Number.isNaN(len)) return -EFAULT;
      if (len >= 2 ** 63) isNegative = true;
      else if (!(addr + len <= mm.layout.maxAddr)) return -EFAULT;
      const taken = Math.min(len, MAX_RW_COUNT - total);
      this.#ranges[this.#end++] = addr;
      this.#ranges[this.#end++] = taken;
      total += taken;
    }
    if (isNegative) return -EINVAL;
    this.remaining = total;
    return 0;
  }
}
