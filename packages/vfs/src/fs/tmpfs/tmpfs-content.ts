import { EFAULT, EFBIG, ENOSPC, type Errno } from '@tsv/abi';
import type { IoBuffer } from '../../file/io-buffer.js';
import type { MappingObserver } from '../../file/mappable.js';
import { FILE_BYTES_MAX } from '../../file/seek.js';
import { CHUNK_SHIFT, PAGE_BYTES, PAGE_KIND_TMPFS, chunkAt, chunkOf, type PagePool } from '../../page/page-pool.js';
import type { FileContent } from './file-content.js';
import { PageMap } from './page-map.js';

/** Pages taken at once for a write. */
const ALLOCATE_PAGES_MAX = 512;

/** Whoever limits how many pages the files of a filesystem have together. */
export interface PageBudget {
  /** Takes up to `pageCount` pages; returns how many it got. */
  takePages(pageCount: number): number;
  givePages(pageCount: number): void;
  /** Pages that can be taken still. */
  readonly freePageCount: number;
}

/** The bytes of one file, in pages of a pool. */
export class TmpfsContent implements FileContent {
  readonly hostFd = -1;
  sizeBytes = 0;
  runCount = 0;
  readonly #pool: PagePool;
  readonly #budget: PageBudget;
  readonly #pages = new PageMap();
  readonly #observers = new Set<MappingObserver>();
  /** Where the last page was put: the next one goes behind it if it can. */
  #hintPfn = -1;

  constructor(pool: PagePool, budget: PageBudget) {
    this.#pool = pool;
    this.#budget = budget;
  }

  get pageCount(): number {
    return this.#pages.pageCount;
  }

  read(io: IoBuffer, offset: number): number {
    const end = Math.min(offset + io.remaining, this.sizeBytes);
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / PAGE_BYTES);
      const pfn = this.#pages.get(index);
      let len = Math.min(PAGE_BYTES - (at - index * PAGE_BYTES), end - at);
      if (pfn >= 0) len = this.#contiguous(index, pfn, len, end - at);
      const n =
        pfn < 0 ? io.zero(len) : io.put(this.#pool.chunks[chunkOf(pfn)]!, chunkAt(pfn) + (at % PAGE_BYTES), len);
      if (n < 0) return at === offset ? n : at - offset;
      at += n;
      if (n < len) break;
    }
    return at > offset ? at - offset : 0;
  }

  write(io: IoBuffer, offset: number): number {
    const end = offset + io.remaining;
    if (end > FILE_BYTES_MAX) return -EFBIG;
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / PAGE_BYTES);
      let pfn = this.#pages.get(index);
      if (pfn < 0) {
        const wanted = Math.ceil(end / PAGE_BYTES) - index;
        pfn = this.#fill(index, Math.min(wanted, ALLOCATE_PAGES_MAX));
        if (pfn < 0) return at === offset ? pfn : at - offset;
      }
      const inPage = at - index * PAGE_BYTES;
      const len = this.#contiguous(index, pfn, Math.min(PAGE_BYTES - inPage, end - at), end - at);
      const n = io.take(this.#pool.chunks[chunkOf(pfn)]!, chunkAt(pfn) + inPage, len);
      if (n < 0) return at === offset ? n : at - offset;
      at += n;
      if (at > this.sizeBytes) this.sizeBytes = at;
      if (n < len) break;
    }
    return at - offset;
  }

  truncate(lenBytes: number): 0 | Errno {
    if (lenBytes > FILE_BYTES_MAX) return -EFBIG;
    const isShrinking = lenBytes < this.sizeBytes;
    this.sizeBytes = lenBytes;
    if (isShrinking) {
      const firstGone = Math.ceil(lenBytes / PAGE_BYTES);
      this.#zero(lenBytes, firstGone * PAGE_BYTES);
      this.#release(firstGone, Infinity);
    }
    return 0;
  }

  punchHole(start: number, end: number): 0 | Errno {
    const firstWhole = Math.ceil(start / PAGE_BYTES);
    const endWhole = Math.floor(end / PAGE_BYTES);
    if (firstWhole > endWhole) {
      this.#zero(start, end);
      return 0;
    }
    this.#zero(start, firstWhole * PAGE_BYTES);
    this.#zero(endWhole * PAGE_BYTES, end);
    this.#release(firstWhole, endWhole);
    return 0;
  }

  preallocate(start: number, end: number): 0 | Errno {
    const endIndex = Math.ceil(end / PAGE_BYTES);
    const wanted = endIndex - Math.floor(start / PAGE_BYTES) - this.#pages.pageCount;
    if (wanted > this.#budget.freePageCount) return -ENOSPC;
    // First and end of each run of pages that was filled.
    const taken: number[] = [];
    let index = Math.floor(start / PAGE_BYTES);
    while (index < endIndex) {
      if (this.#pages.get(index) >= 0) {
        index++;
        continue;
      }
      const before = this.#pages.pageCount;
      const pfn = this.#fill(index, Math.min(endIndex - index, ALLOCATE_PAGES_MAX));
      if (pfn < 0) {
        for (let i = 0; i < taken.length; i += 2) this.#release(taken[i]!, taken[i + 1]!);
        return pfn;
      }
      const end = index + this.#pages.pageCount - before;
      if (taken.at(-1) === index) taken[taken.length - 1] = end;
      else taken.push(index, end);
      index = end;
    }
    return 0;
  }

  nextData(offset: number): number {
    const index = Math.floor(offset / PAGE_BYTES);
    const found = this.#pages.nextPage(index);
    if (found < 0 || found * PAGE_BYTES >= this.sizeBytes) return -1;
    return found === index ? offset : found * PAGE_BYTES;
  }

  nextHole(offset: number): number {
    const index = Math.floor(offset / PAGE_BYTES);
    const found = this.#pages.nextHole(index);
    return found === index ? offset : Math.min(found * PAGE_BYTES, this.sizeBytes);
  }

  beforeMapping(): 0 {
    return 0;
  }

  pageRun(pageIndex: number, countMax: number, mayAllocate: boolean): number {
    const endIndex = Math.ceil(this.sizeBytes / PAGE_BYTES);
    if (pageIndex >= endIndex) return -EFAULT;
    let pfn = this.#pages.get(pageIndex);
    if (pfn < 0) {
      if (!mayAllocate) return -EFAULT;
      pfn = this.#fill(pageIndex, Math.min(countMax, endIndex - pageIndex, ALLOCATE_PAGES_MAX));
      if (pfn < 0) return pfn;
    }
    const bytes = this.#contiguous(pageIndex, pfn, PAGE_BYTES, Math.min(countMax, endIndex - pageIndex) * PAGE_BYTES);
    this.runCount = bytes / PAGE_BYTES;
    return pfn;
  }

  addMapping(observer: MappingObserver): void {
    this.#observers.add(observer);
  }

  removeMapping(observer: MappingObserver): void {
    this.#observers.delete(observer);
  }

  destroy(): void {
    this.sizeBytes = 0;
    this.#release(0, Infinity);
  }

  /** How many of `max` bytes from page `pfn` at `index` on lie one behind the other; at least `len`. */
  #contiguous(index: number, pfn: number, len: number, max: number): number {
    let bytes = len;
    let next = pfn + 1;
    for (let i = index + 1; bytes < max; i++, next++) {
      if (next >>> CHUNK_SHIFT !== pfn >>> CHUNK_SHIFT || this.#pages.get(i) !== next) break;
      bytes += PAGE_BYTES;
    }
    return Math.min(bytes, max);
  }

  /** Fills the hole at `index` and up to `countMax - 1` that follow it. Returns the first page. Errors: ENOSPC. */
  #fill(index: number, countMax: number): number {
    let count = 1;
    while (count < countMax && this.#pages.get(index + count) < 0) count++;
    count = this.#budget.takePages(count);
    if (count === 0) return -ENOSPC;
    let pfn = this.#pool.allocate(count, PAGE_KIND_TMPFS, this.#hintPfn);
    if (pfn < 0 && count > 1) {
      this.#budget.givePages(count - 1);
      count = 1;
      pfn = this.#pool.allocate(1, PAGE_KIND_TMPFS, this.#hintPfn);
    }
    if (pfn < 0) {
      this.#budget.givePages(count);
      return -ENOSPC;
    }
    for (let i = 0; i < count; i++) this.#pages.set(index + i, pfn + i);
    this.#hintPfn = pfn + count;
    return pfn;
  }

  #zero(start: number, end: number): void {
    if (start >= end) return;
    const pfn = this.#pages.get(Math.floor(start / PAGE_BYTES));
    if (pfn < 0) return;
    const at = chunkAt(pfn) + (start % PAGE_BYTES);
    this.#pool.chunks[chunkOf(pfn)]!.fill(0, at, at + (end - start));
  }

  #release(start: number, end: number): void {
    this.#tellObservers(start);
    let count = 0;
    this.#pages.remove(start, end, (pfn) => {
      this.#pool.decRef(pfn, 1);
      count++;
    });
    this.#budget.givePages(count);
  }

  #tellObservers(pageIndex: number): void {
    if (this.#observers.size > 0) for (const observer of this.#observers) observer.invalidated(this, pageIndex);
  }
}
