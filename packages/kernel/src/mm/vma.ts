import { PROT_EXEC, PROT_READ, PROT_WRITE } from '@tsv/abi';
import type { Mappable, OpenFile } from '@tsv/vfs';
import type { AddressRange } from './range-list.js';

/** Writes are seen by whoever maps the same; else private copies are made. */
export const VM_SHARED = 1 << 0;
/** Grows towards lower addresses when touched below, MAP_GROWSDOWN. */
export const VM_GROWSDOWN = 1 << 1;
export const VM_LOCKED = 1 << 2;
export const VM_LOCKONFAULT = 1 << 3;
export const VM_NORESERVE = 1 << 4;
/** Not in a child, MADV_DONTFORK. */
export const VM_DONTCOPY = 1 << 5;
/** Zeros in a child, MADV_WIPEONFORK. */
export const VM_WIPEONFORK = 1 << 6;
export const VM_DONTDUMP = 1 << 7;
/** Cannot become writable: a shared mapping of a file that is not open for writing. */
export const VM_NOWRITE = 1 << 8;
/** Cannot become executable: the file is on a noexec mount. */
export const VM_NOEXEC = 1 << 9;
/** Pages of the kernel's own (vDSO): no change but munmap(2). */
export const VM_SPECIAL = 1 << 10;

/** A mapping as the guest sees it: a range of addresses with one protection and one source. */
export class Vma implements AddressRange {
  start: number;
  end: number;
  /** PROT_*. */
  prot: number;
  /** VM_*. */
  flags: number;
  /** Where pages come from; null for private anonymous memory. */
  readonly mappable: Mappable | null;
  /** The mapped file, held by reference; null for anonymous memory. */
  readonly file: OpenFile | null;
  /** Byte offset in the mappable of `start`. */
  offset: number;
  /** What /proc/PID/maps shows without a file: `[heap]`, `[stack]`, `[vdso]`; empty for none. */
  readonly name: string;

  constructor(
    start: number,
    end: number,
    prot: number,
    flags: number,
    mappable: Mappable | null,
    file: OpenFile | null,
    offset: number,
    name: string,
  ) {
    this.start = start;
    this.end = end;
    this.prot = prot;
    this.flags = flags;
    this.mappable = mappable;
    this.file = file;
    this.offset = offset;
    this.name = name;
  }

  get len(): number {
    return this.end - this.start;
  }

  get isShared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }

  get isWritable(): boolean {
    return (this.prot & PROT_WRITE) !== 0;
  }

  /** On x86-64 whatever can be accessed at all can be read. */
  get isAccessible(): boolean {
    return (this.prot & (PROT_READ | PROT_WRITE | PROT_EXEC)) !== 0;
  }

  get isPrivateAnonymous(): boolean {
    return this.mappable === null;
  }

  /** Whether pages without a copy of our own are those of a host file, mapped by the platform. */
  get isHostMapped(): boolean {
    return this.mappable !== null && this.mappable.hostFd >= 0;
  }

  /** Counted by RLIMIT_DATA: private, writable, not a stack. */
  get isData(): boolean {
    return this.isWritable && (this.flags & (VM_SHARED | VM_GROWSDOWN)) === 0;
  }

  /** Offset in the mappable of the byte at `addr`. */
  offsetOf(addr: number): number {
    return this.offset + (addr - this.start);
  }

  /** A copy of `[start, end)` of it, without references. */
  clone(start: number, end: number): Vma {
    const { prot, flags, mappable, file, name } = this;
    return new Vma(start, end, prot, flags, mappable, file, this.offsetOf(start), name);
  }

  /** Whether `next`, which begins where this ends, is more of the same. */
  continuesWith(next: Vma): boolean {
    return (
      this.end === next.start &&
      this.prot === next.prot &&
      this.flags === next.flags &&
      this.mappable === next.mappable &&
      this.file === next.file &&
      this.name === next.name &&
      (this.mappable === null || this.offset + this.len === next.offset)
    );
  }
}
