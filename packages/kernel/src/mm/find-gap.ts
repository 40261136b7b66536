import { STACK_GUARD_BYTES } from './layout.js';
import type { RangeList } from './range-list.js';
import { VM_GROWSDOWN, type Vma } from './vma.js';

/** Where `vma` begins for others: a stack keeps its guard gap. */
export function guardedStart(vma: Vma): number {
  return (vma.flags & VM_GROWSDOWN) !== 0 ? Math.max(0, vma.start - STACK_GUARD_BYTES) : vma.start;
}

/** Finds free addresses for mappings without a fixed place: the highest gap below the base, as Linux does. */
export class GapFinder {
  readonly #vmas: RangeList<Vma>;
  /** Gaps above this are smaller than {@link #skippedBytes}, up to the base. */
  #searchEnd = Infinity;
  #skippedBytes = 0;

  constructor(vmas: RangeList<Vma>) {
    this.#vmas = vmas;
  }

  /** Something ending at `end` was unmapped. */
  freed(end: number): void {
    if (end > this.#searchEnd) {
      this.#searchEnd = Infinity;
      this.#skippedBytes = 0;
    }
  }

  /** Start of the highest `len` free bytes in `[low, base)`, from {@link freed} gaps on; -1 for none. */
  findBelow(low: number, base: number, len: number): number {
    if (len < this.#skippedBytes) {
      this.#searchEnd = Infinity;
      this.#skippedBytes = 0;
    }
    const found = this.findDown(low, Math.min(base, this.#searchEnd), len);
    if (found >= 0) {
      this.#searchEnd = found;
      this.#skippedBytes = Math.max(this.#skippedBytes, len);
    }
    return found;
  }

  /** Start of the highest `len` free bytes in `[low, high)`, or -1. */
  findDown(low: number, high: number, len: number): number {
    const items = this.#vmas.items;
    let end = high;
    let index = this.#vmas.indexFrom(high);
    const above = items[index];
    if (above !== undefined) end = Math.min(end, guardedStart(above));
    for (;;) {
      const below = items[index - 1];
      const start = Math.max(low, below?.end ?? 0);
      if (end - start >= len) return end - len;
      if (below === undefined || below.start <= low) return -1;
      end = Math.min(end, guardedStart(below));
      index--;
    }
  }

  /** Start of the lowest `len` free bytes in `[low, high)`, or -1. */
  findUp(low: number, high: number, len: number): number {
    const items = this.#vmas.items;
    let start = low;
    for (let index = this.#vmas.indexFrom(low); ; index++) {
      const next = items[index];
      const end = Math.min(high, next === undefined ? Infinity : guardedStart(next));
      if (end - start >= len) return start;
      if (next === undefined || next.end >= high) return -1;
      start = Math.max(start, next.end);
    }
  }
}
