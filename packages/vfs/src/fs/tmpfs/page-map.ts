const LEAF_PAGES = 512;
const HOLE = -1;

/** The pages of a sparse file: page index to page number. Costs memory only where there are pages. */
export class PageMap {
  readonly #leaves = new Map<number, Int32Array>();
  #lastKey = -1;
  #lastLeaf: Int32Array | null = null;
  #pageCount = 0;

  /** Pages that are there. */
  get pageCount(): number {
    return this.#pageCount;
  }

  /** The page at `index`, or -1 for a hole. */
  get(index: number): number {
    const leaf = this.#leaf(index);
    return leaf === null ? HOLE : leaf[index % LEAF_PAGES]!;
  }

  /** Puts a page into the hole at `index`. */
  set(index: number, pfn: number): void {
    let leaf = this.#leaf(index);
    if (leaf === null) {
      leaf = new Int32Array(LEAF_PAGES).fill(HOLE);
      const key = Math.floor(index / LEAF_PAGES);
      this.#leaves.set(key, leaf);
      this.#lastKey = key;
      this.#lastLeaf = leaf;
    }
    leaf[index % LEAF_PAGES] = pfn;
    this.#pageCount++;
  }

  /** Takes out the pages `[start, end)`; `release` gets each page number. */
  remove(start: number, end: number, release: (pfn: number) => void): void {
    for (const key of this.#keysFrom(start)) {
      const base = key * LEAF_PAGES;
      if (base >= end) break;
      const leaf = this.#leaves.get(key)!;
      const from = Math.max(0, start - base);
      const to = Math.min(LEAF_PAGES, end - base);
      for (let i = from; i < to; i++) {
        const pfn = leaf[i]!;
        if (pfn === HOLE) continue;
        leaf[i] = HOLE;
        this.#pageCount--;
        release(pfn);
      }
      if (leaf.every((pfn) => pfn === HOLE)) this.#dropLeaf(key);
    }
  }

  /** The first page that is there at `index` or after, or -1. */
  nextPage(index: number): number {
    for (const key of this.#keysFrom(index)) {
      const base = key * LEAF_PAGES;
      const leaf = this.#leaves.get(key)!;
      for (let i = Math.max(0, index - base); i < LEAF_PAGES; i++) if (leaf[i] !== HOLE) return base + i;
    }
    return -1;
  }

  /** The first hole at `index` or after. */
  nextHole(index: number): number {
    let at = index;
    for (;;) {
      const leaf = this.#leaf(at);
      if (leaf === null) return at;
      for (let i = at % LEAF_PAGES; i < LEAF_PAGES; i++, at++) if (leaf[i] === HOLE) return at;
    }
  }

  #keysFrom(index: number): number[] {
    const first = Math.floor(index / LEAF_PAGES);
    return [...this.#leaves.keys()].filter((key) => key >= first).sort((a, b) => a - b);
  }

  #leaf(index: number): Int32Array | null {
    const key = Math.floor(index / LEAF_PAGES);
    if (key === this.#lastKey) return this.#lastLeaf;
    const leaf = this.#leaves.get(key);
    if (leaf === undefined) return null;
    this.#lastKey = key;
    this.#lastLeaf = leaf;
    return leaf;
  }

  #dropLeaf(key: number): void {
    this.#leaves.delete(key);
    if (key !== this.#lastKey) return;
    this.#lastKey = -1;
    this.#lastLeaf = null;
  }
}
