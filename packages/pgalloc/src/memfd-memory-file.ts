import { ENOMEM } from '@tsv/abi';
import {
  CHUNK_PAGES,
  CHUNK_SHIFT,
  PAGE_SHIFT,
  USAGE_KIND_COUNT,
  UsageKind,
  chunkAt,
  chunkOf,
  type MemoryFile,
} from '@tsv/platform';
import native from '../native/index.js';
import { FreeRanges, FreeState } from './free-ranges.js';

const CHUNK_MASK = CHUNK_PAGES - 1;
/** Page numbers are below 2^31. */
const CHUNK_COUNT_MAX = 1 << (31 - CHUNK_SHIFT);

/** The word of an allocated page is `kind << KIND_SHIFT | references`. */
const KIND_SHIFT = 28;
const COUNT_MASK = (1 << KIND_SHIFT) - 1;
const FREE_RANGE = 'MemoryFile: page is free';

/** A freed range of at most this many pages is kept with its old data: to fill it is cheaper than to fault it in. */
const RECYCLED_PAGES_MAX = 256;
/** Pages that are kept so. */
const DIRTY_PAGES_MAX = 16384;
/** An allocation of at most this many pages is filled with zeros if it must; a larger one is worth a system call. */
const FILLED_PAGES_MAX = 64;
/** Pages that wait to be given back together. */
const RELEASING_PAGES_MAX = 8192;
/** Pages of a huge page; allocations that have room for one are aligned to it. */
const HUGE_PAGE_PAGES = 512;
/**
 * Pages of the first chunk that are mapped at first, 16 MiB. V8 takes what a buffer can hold for memory in use and collects
 * garbage when it hears of 32 MiB: that would be a tenth of a sandbox's start, for guests that never need so much.
 */
const FIRST_PAGES = 4096;
/** Below this, a loop is faster than a call of `TypedArray.prototype.fill`. */
const LOOP_PAGES_MAX = 32;

/** What {@link MemfdMemoryFile} may be told. */
export interface MemoryFileOptions {
  /** Name of the file in `/proc/PID/maps`. */
  readonly name?: string;
  /** Chunks of 1 GiB that it may have; pages held beyond them are refused with ENOMEM. */
  readonly chunkCountMax?: number;
}

/** An empty memory file. Throws when the host refuses memfd_create(2). */
export function createMemoryFile(options: MemoryFileOptions = {}): MemoryFile {
  return new MemfdMemoryFile(options);
}

/** The memory file over a memfd of the host, memfd_create(2). */
export class MemfdMemoryFile implements MemoryFile {
  readonly chunks: Uint8Array[] = [];
  readonly views: DataView[] = [];
  readonly #host: InstanceType<typeof native.HostMemory>;
  readonly #free = new FreeRanges();
  /** Reference counts and kinds; see {@link KIND_SHIFT}. */
  readonly #words = this.#free.words;
  readonly #pageCounts = new Float64Array(USAGE_KIND_COUNT);
  readonly #chunkCountMax: number;
  /** What was lent: a smaller buffer of a chunk too, which views of it still use. */
  readonly #buffers: ArrayBuffer[] = [];
  /** Pages of the last chunk that are mapped. */
  #mappedPages = CHUNK_PAGES;

  constructor(options: MemoryFileOptions = {}) {
    this.#host = new native.HostMemory(options.name ?? 'tsv-memory');
    this.#chunkCountMax = Math.min(options.chunkCountMax ?? CHUNK_COUNT_MAX, CHUNK_COUNT_MAX);
  }

  get fd(): number {
    return this.#host.fd;
  }

  allocate(pageCount: number, kind: UsageKind, hintPfn: number): number {
    if (!Number.isInteger(pageCount) || pageCount < 1 || pageCount > CHUNK_PAGES) {
      throw new RangeError(`MemoryFile.allocate: ${pageCount} pages is not 1 to ${CHUNK_PAGES}`);
    }
    let pfn = hintPfn < 0 ? -1 : this.#takeAt(hintPfn, pageCount);
    if (pfn < 0) pfn = this.#take(pageCount);
    if (pfn < 0) return -ENOMEM;

    const words = this.#words[chunkOf(pfn)]!;
    const first = pfn & CHUNK_MASK;
    const word = (kind << KIND_SHIFT) | 1;
    if (pageCount > LOOP_PAGES_MAX) words.fill(word, first, first + pageCount);
    else for (let index = first; index < first + pageCount; index++) words[index] = word;
    this.#pageCounts[kind] = this.#pageCounts[kind]! + pageCount;
    return pfn;
  }

  incRef(pfn: number, pageCount: number): void {
    for (let at = pfn, left = pageCount; left > 0;) {
      const first = at & CHUNK_MASK;
      const count = Math.min(left, CHUNK_PAGES - first);
      this.#incRefInChunk(this.#wordsOf(at), first, count);
      at += count;
      left -= count;
    }
  }

  decRef(pfn: number, pageCount: number): void {
    for (let at = pfn, left = pageCount; left > 0;) {
      const first = at & CHUNK_MASK;
      const count = Math.min(left, CHUNK_PAGES - first);
      this.#decRefInChunk(this.#wordsOf(at), at - first, first, count);
      at += count;
      left -= count;
    }
    if (this.#free.pageCounts[FreeState.RELEASING]! >= RELEASING_PAGES_MAX) this.#release(FreeState.RELEASING);
  }

  refCount(pfn: number): number {
    const word = this.#words[chunkOf(pfn)]?.[pfn & CHUNK_MASK] ?? 0;
    return word > 0 ? word & COUNT_MASK : 0;
  }

  decommit(pfn: number, pageCount: number): void {
    if (this.#host.punch(pfn, pageCount) === 0) return;
    for (let at = pfn; at < pfn + pageCount; at++) this.#fill(at, 1);
  }

  pageCount(kind: UsageKind): number {
    return this.#pageCounts[kind]!;
  }

  residentCount(pfn: number, pageCount: number): number {
    return succeeded(this.#host.residentCount(pfn, pageCount));
  }

  markResident(pfn: number, pageCount: number, dst: Uint8Array, at: number): void {
    succeeded(this.#host.markResident(pfn, pageCount, dst, at));
  }

  committedBytes(): number {
    return this.#host.committedBytes();
  }

  trim(): void {
    this.#release(FreeState.RELEASING);
    this.#release(FreeState.DIRTY);
  }

  close(): void {
    this.chunks.length = 0;
    this.views.length = 0;
    this.#host.close(this.#buffers.splice(0));
  }

  #incRefInChunk(words: Int32Array, first: number, count: number): void {
    for (let index = first; index < first + count; index++) {
      const word = words[index]!;
      if (word <= 0) throw new Error(FREE_RANGE);
      if ((word & COUNT_MASK) === COUNT_MASK) throw new Error('MemoryFile: too many references');
      words[index] = word + 1;
    }
  }

  #decRefInChunk(words: Int32Array, chunkPfn: number, first: number, count: number): void {
    const end = first + count;
    let runStart = -1;
    for (let index = first; index < end; index++) {
      const word = words[index]!;
      if (word <= 0) throw new Error(FREE_RANGE);
      if ((word & COUNT_MASK) === 1) {
        words[index] = 0;
        const kind = word >>> KIND_SHIFT;
        this.#pageCounts[kind] = this.#pageCounts[kind]! - 1;
        if (runStart < 0) runStart = index;
      } else {
        words[index] = word - 1;
        if (runStart >= 0) this.#recycle(chunkPfn + runStart, index - runStart);
        runStart = -1;
      }
    }
    if (runStart >= 0) this.#recycle(chunkPfn + runStart, end - runStart);
  }

  /** Puts freed pages, whose words are 0, where {@link #take} finds them again. */
  #recycle(pfn: number, pageCount: number): void {
    const isKept =
      pageCount <= RECYCLED_PAGES_MAX && this.#free.pageCounts[FreeState.DIRTY]! + pageCount <= DIRTY_PAGES_MAX;
    this.#free.insert(pfn, pageCount, isKept ? FreeState.DIRTY : FreeState.RELEASING);
  }

  /** Takes zeroed pages where the caller would like them, or returns -1. */
  #takeAt(pfn: number, pageCount: number): number {
    const start = this.#free.findAt(pfn, pageCount);
    if (start < 0) return -1;
    const state = this.#free.stateOf(start);
    this.#free.carve(start, pfn, pageCount);
    if (state === FreeState.DIRTY && pageCount <= FILLED_PAGES_MAX) this.#fill(pfn, pageCount);
    else if (state !== FreeState.CLEAN) this.decommit(pfn, pageCount);
    return pfn;
  }

  /** Takes zeroed pages from anywhere, or returns -ENOMEM. */
  #take(pageCount: number): number {
    if (pageCount <= FILLED_PAGES_MAX) {
      const start = this.#free.find(pageCount, FreeState.DIRTY);
      if (start >= 0) {
        this.#free.carve(start, start, pageCount);
        this.#fill(start, pageCount);
        return start;
      }
    }
    const start = this.#findClean(pageCount);
    if (start < 0) return start;
    const pfn = pageCount < HUGE_PAGE_PAGES ? start : this.#alignedIn(start, pageCount);
    this.#free.carve(start, pfn, pageCount);
    return pfn;
  }

  /** First page of a large enough clean range, made if there is none, or -ENOMEM. */
  #findClean(pageCount: number): number {
    let start = this.#free.find(pageCount, FreeState.CLEAN);
    if (start >= 0) return start;
    this.#release(FreeState.RELEASING);
    start = this.#free.find(pageCount, FreeState.CLEAN);
    if (start >= 0) return start;
    if (this.#free.pageCounts[FreeState.DIRTY]! >= pageCount) {
      this.#release(FreeState.DIRTY);
      start = this.#free.find(pageCount, FreeState.CLEAN);
      if (start >= 0) return start;
    }
    do {
      if (!this.#grow(pageCount)) return -ENOMEM;
      start = this.#free.find(pageCount, FreeState.CLEAN);
    } while (start < 0);
    return start;
  }

  /** The first page of a huge page in the clean range at `start`, or `start` if there is no room then. */
  #alignedIn(start: number, pageCount: number): number {
    const aligned = (start + HUGE_PAGE_PAGES - 1) & -HUGE_PAGE_PAGES;
    return aligned + pageCount <= start + this.#free.countOf(start) ? aligned : start;
  }

  /** Gives the memory of free ranges back to the host, which makes them clean. */
  #release(state: FreeState): void {
    for (let start = this.#free.findAny(state); start >= 0; start = this.#free.findAny(state)) {
      const pageCount = this.#free.countOf(start);
      this.#free.carve(start, start, pageCount);
      this.decommit(start, pageCount);
      this.#free.insert(start, pageCount, FreeState.CLEAN);
    }
  }

  /** Maps the rest of the last chunk, or another one; false at the limit or when the host refuses. */
  #grow(pageCount: number): boolean {
    const isPartial = this.#mappedPages < CHUNK_PAGES;
    const index = isPartial ? this.chunks.length - 1 : this.chunks.length;
    if (index >= this.#chunkCountMax) return false;
    const isSmall = index === 0 && !isPartial && pageCount <= FIRST_PAGES;
    const mapped = isSmall ? FIRST_PAGES : CHUNK_PAGES;
    const buffer = this.#host.mapChunk(index, mapped);
    if (typeof buffer === 'number') return false;
    this.#buffers.push(buffer);
    this.chunks[index] = new Uint8Array(buffer);
    this.views[index] = new DataView(buffer);
    if (isPartial) this.#free.insert(this.#mappedPages, mapped - this.#mappedPages, FreeState.CLEAN);
    else this.#free.addChunk(mapped);
    this.#mappedPages = mapped;
    return true;
  }

  #fill(pfn: number, pageCount: number): void {
    const at = chunkAt(pfn);
    this.chunks[chunkOf(pfn)]!.fill(0, at, at + (pageCount << PAGE_SHIFT));
  }

  #wordsOf(pfn: number): Int32Array {
    const words = this.#words[chunkOf(pfn)];
    if (words === undefined) throw new Error(FREE_RANGE);
    return words;
  }
}

/** mincore(2) of pages of ours does not fail. */
function succeeded(result: number): number {
  if (result < 0) throw new Error(`MemoryFile: mincore failed with errno ${-result}`);
  return result;
}
