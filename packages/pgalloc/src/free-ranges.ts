import { CHUNK_PAGES, CHUNK_SHIFT } from '@tsv/platform';

/** What the pages of a free range hold. Ranges of one state that touch are one range. */
export const FreeState = {
  /** Zeros, and no host memory. */
  CLEAN: 0,
  /** Old data, kept for reuse. */
  DIRTY: 1,
  /** Old data, to be given back to the host. */
  RELEASING: 2,
} as const;
export type FreeState = (typeof FreeState)[keyof typeof FreeState];
const STATE_COUNT = 3;

const CHUNK_MASK = CHUNK_PAGES - 1;

/** The word of the last page of a free range of two or more pages; `next` of that page is the first one. */
const END = -1;
/** The word of the first page of a free range is `START_BASE - (pageCount << STATE_BITS | state)`. */
const START_BASE = -2;
const STATE_BITS = 2;
const STATE_MASK = 3;

/** Ranges below this have a size class each; above, four classes a power of two. */
const EXACT_CLASSES = 16;
const CLASS_COUNT = EXACT_CLASSES + (CHUNK_SHIFT - 4) * 4 + 1;
const BITMAP_WORDS = (CLASS_COUNT + 31) >>> 5;
/** Ranges of the request's own class that are tried before the file grows. */
const SCAN_COUNT_MAX = 32;

/**
 * The free ranges of a memory file, by state and size class, in constant time. A page has a word: positive while it
 * is allocated (the owner's to define), negative on the edges of a free range, 0 inside one.
 */
export class FreeRanges {
  /** Pages in each {@link FreeState}. */
  readonly pageCounts = new Float64Array(STATE_COUNT);
  /** A chunk's words, one a page. The owner writes those of pages that it took. */
  readonly words: Int32Array[] = [];
  readonly #next: Int32Array[] = [];
  readonly #prev: Int32Array[] = [];
  /** First range of each state and class, or -1. */
  readonly #heads = new Int32Array(STATE_COUNT * CLASS_COUNT).fill(-1);
  /** A bit for each class with a range. */
  readonly #bitmaps = new Int32Array(STATE_COUNT * BITMAP_WORDS);

  /** Adds a chunk behind the others, whose first `pageCount` pages are clean; the rest is to be inserted later. */
  addChunk(pageCount = CHUNK_PAGES): void {
    const pfn = this.words.length << CHUNK_SHIFT;
    this.words.push(new Int32Array(CHUNK_PAGES));
    this.#next.push(new Int32Array(CHUNK_PAGES));
    this.#prev.push(new Int32Array(CHUNK_PAGES));
    this.#link(pfn, pageCount, FreeState.CLEAN);
  }

  /** Adds pages of one chunk, whose words are 0. */
  insert(pfn: number, pageCount: number, state: FreeState): void {
    const words = this.words[pfn >>> CHUNK_SHIFT]!;
    const index = pfn & CHUNK_MASK;
    let start = pfn;
    let count = pageCount;
    if (index > 0 && words[index - 1]! < 0) {
      const before = words[index - 1] === END ? this.#next[pfn >>> CHUNK_SHIFT]![index - 1]! : pfn - 1;
      if (this.stateOf(before) === state) {
        count += this.countOf(before);
        start = before;
        this.#remove(before);
      }
    }
    const after = index + pageCount;
    if (after < CHUNK_PAGES && words[after]! < 0 && this.stateOf(pfn + pageCount) === state) {
      count += this.countOf(pfn + pageCount);
      this.#remove(pfn + pageCount);
    }
    this.#link(start, count, state);
  }

  /** First page of a range of at least `pageCount` pages, the smallest at hand, or -1. */
  find(pageCount: number, state: FreeState): number {
    const found = this.#headFrom(searchClass(pageCount), state);
    if (found >= 0) return found;
    let at = this.#heads[state * CLASS_COUNT + sizeClass(pageCount)]!;
    for (let tries = 0; at >= 0 && tries < SCAN_COUNT_MAX; tries++) {
      if (this.countOf(at) >= pageCount) return at;
      at = this.#next[at >>> CHUNK_SHIFT]![at & CHUNK_MASK]!;
    }
    return -1;
  }

  /** First page of some range in `state`, the largest class first, or -1. */
  findAny(state: FreeState): number {
    for (let word = BITMAP_WORDS - 1; word >= 0; word--) {
      const bits = this.#bitmaps[state * BITMAP_WORDS + word]!;
      if (bits !== 0) return this.#heads[state * CLASS_COUNT + (word << 5) + 31 - Math.clz32(bits)]!;
    }
    return -1;
  }

  /** First page of the free range that has these pages at one of its ends, or -1. */
  findAt(pfn: number, pageCount: number): number {
    const index = pfn & CHUNK_MASK;
    const words = this.words[pfn >>> CHUNK_SHIFT];
    if (words === undefined || index + pageCount > CHUNK_PAGES) return -1;
    if (words[index]! < END) return this.countOf(pfn) >= pageCount ? pfn : -1;
    if (words[index + pageCount - 1] !== END) return -1;
    const start = this.#next[pfn >>> CHUNK_SHIFT]![index + pageCount - 1]!;
    return start <= pfn ? start : -1;
  }

  /** Pages of the free range that begins at `start`. */
  countOf(start: number): number {
    return (START_BASE - this.words[start >>> CHUNK_SHIFT]![start & CHUNK_MASK]!) >>> STATE_BITS;
  }

  /** State of the free range that begins at `start`. */
  stateOf(start: number): FreeState {
    const word = this.words[start >>> CHUNK_SHIFT]![start & CHUNK_MASK]!;
    return ((START_BASE - word) & STATE_MASK) as FreeState;
  }

  /** Takes pages out of the free range that begins at `start`. Their words are 0 then. */
  carve(start: number, pfn: number, pageCount: number): void {
    const state = this.stateOf(start);
    const end = start + this.countOf(start);
    this.#remove(start);
    if (pfn > start) this.#link(start, pfn - start, state);
    if (pfn + pageCount < end) this.#link(pfn + pageCount, end - pfn - pageCount, state);
  }

  /** Head of the first class from `wanted` on that has a range, or -1. */
  #headFrom(wanted: number, state: FreeState): number {
    let word = wanted >>> 5;
    let bits = this.#bitmaps[state * BITMAP_WORDS + word]! & (-1 << (wanted & 31));
    while (bits === 0) {
      if (++word === BITMAP_WORDS) return -1;
      bits = this.#bitmaps[state * BITMAP_WORDS + word]!;
    }
    const lowest = 31 - Math.clz32(bits & -bits);
    return this.#heads[state * CLASS_COUNT + (word << 5) + lowest]!;
  }

  #link(start: number, pageCount: number, state: FreeState): void {
    const chunk = start >>> CHUNK_SHIFT;
    const index = start & CHUNK_MASK;
    const words = this.words[chunk]!;
    words[index] = START_BASE - ((pageCount << STATE_BITS) | state);
    if (pageCount > 1) {
      words[index + pageCount - 1] = END;
      this.#next[chunk]![index + pageCount - 1] = start;
    }

    const sizeClassIndex = sizeClass(pageCount);
    const slot = state * CLASS_COUNT + sizeClassIndex;
    const head = this.#heads[slot]!;
    this.#next[chunk]![index] = head;
    this.#prev[chunk]![index] = -1;
    if (head >= 0) this.#prev[head >>> CHUNK_SHIFT]![head & CHUNK_MASK] = start;
    this.#heads[slot] = start;
    const bitmapWord = state * BITMAP_WORDS + (sizeClassIndex >>> 5);
    this.#bitmaps[bitmapWord] = this.#bitmaps[bitmapWord]! | (1 << (sizeClassIndex & 31));
    this.pageCounts[state] = this.pageCounts[state]! + pageCount;
  }

  /** Takes a range off its list and leaves its words 0. */
  #remove(start: number): void {
    const chunk = start >>> CHUNK_SHIFT;
    const index = start & CHUNK_MASK;
    const words = this.words[chunk]!;
    const state = this.stateOf(start);
    const pageCount = this.countOf(start);

    const next = this.#next[chunk]![index]!;
    const prev = this.#prev[chunk]![index]!;
    if (next >= 0) this.#prev[next >>> CHUNK_SHIFT]![next & CHUNK_MASK] = prev;
    if (prev >= 0) this.#next[prev >>> CHUNK_SHIFT]![prev & CHUNK_MASK] = next;
    else this.#setHead(sizeClass(pageCount), state, next);
    words[index] = 0;
    words[index + pageCount - 1] = 0;
    this.pageCounts[state] = this.pageCounts[state]! - pageCount;
  }

  #setHead(sizeClassIndex: number, state: FreeState, head: number): void {
    this.#heads[state * CLASS_COUNT + sizeClassIndex] = head;
    if (head >= 0) return;
    const bitmapWord = state * BITMAP_WORDS + (sizeClassIndex >>> 5);
    this.#bitmaps[bitmapWord] = this.#bitmaps[bitmapWord]! & ~(1 << (sizeClassIndex & 31));
  }
}

/** The class that a range of `pageCount` pages belongs to. */
function sizeClass(pageCount: number): number {
  if (pageCount < EXACT_CLASSES) return pageCount;
  const exponent = 31 - Math.clz32(pageCount);
  return EXACT_CLASSES + ((exponent - 4) << 2) + ((pageCount >>> (exponent - 2)) & 3);
}

/** The first class all of whose ranges have at least `pageCount` pages. */
function searchClass(pageCount: number): number {
  if (pageCount < EXACT_CLASSES) return pageCount;
  const exponent = 31 - Math.clz32(pageCount);
  return sizeClass(pageCount + (1 << (exponent - 2)) - 1);
}
