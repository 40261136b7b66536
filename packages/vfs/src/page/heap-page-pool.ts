import { ENOMEM } from '@tsv/abi';
import { CHUNK_SHIFT, PAGE_BYTES, PAGE_SHIFT, type PageKind, type PagePool } from './page-pool.js';

const PAGES_FIRST = 64;
const PAGES_MAX = 1 << CHUNK_SHIFT;

/** Pages on the JavaScript heap: one chunk that doubles when it is full, up to 1 GiB. */
export class HeapPagePool implements PagePool {
  readonly chunks: Uint8Array[] = [new Uint8Array(PAGES_FIRST * PAGE_BYTES)];
  readonly #pagesMax: number;
  #refCounts = new Int32Array(PAGES_FIRST);
  readonly #free: number[] = [];
  #nextPfn = 0;
  #usedCount = 0;

  constructor(pagesMax = PAGES_MAX) {
    this.#pagesMax = Math.min(pagesMax, PAGES_MAX);
  }

  /** Pages that somebody holds. */
  get usedCount(): number {
    return this.#usedCount;
  }

  allocate(pageCount: number, _kind: PageKind, _hintPfn: number): number {
    if (pageCount === 1) {
      const pfn = this.#free.pop();
      if (pfn !== undefined) {
        this.chunks[0]!.fill(0, pfn << PAGE_SHIFT, (pfn + 1) << PAGE_SHIFT);
        this.#refCounts[pfn] = 1;
        this.#usedCount++;
        return pfn;
      }
    }
    const pfn = this.#nextPfn;
    const end = pfn + pageCount;
    if (end > this.#pagesMax) return -ENOMEM;
    if (end > this.#refCounts.length) this.#grow(end);
    this.#nextPfn = end;
    this.#refCounts.fill(1, pfn, end);
    this.#usedCount += pageCount;
    return pfn;
  }

  incRef(pfn: number, pageCount: number): void {
    for (let i = pfn; i < pfn + pageCount; i++) this.#refCounts[i]!++;
  }

  decRef(pfn: number, pageCount: number): void {
    for (let i = pfn; i < pfn + pageCount; i++) {
      const count = --this.#refCounts[i]!;
      if (count < 0) throw new Error('HeapPagePool.decRef: no reference is left');
      if (count > 0) continue;
      this.#free.push(i);
      this.#usedCount--;
    }
  }

  refCount(pfn: number): number {
    return this.#refCounts[pfn] ?? 0;
  }

  #grow(pageCountMin: number): void {
    let pageCount = this.#refCounts.length;
    while (pageCount < pageCountMin) pageCount *= 2;
    const bytes = new Uint8Array(pageCount * PAGE_BYTES);
    bytes.set(this.chunks[0]!);
    this.chunks[0] = bytes;
    const refCounts = new Int32Array(pageCount);
    refCounts.set(this.#refCounts);
    this.#refCounts = refCounts;
  }
}
