/** Something that occupies the addresses `[start, end)`. */
export interface AddressRange {
  start: number;
  end: number;
}

/** Disjoint ranges in ascending order: a sorted array with binary search that remembers its last hit. */
export class RangeList<R extends AddressRange> {
  readonly items: R[] = [];
  #lastIndex = 0;

  get count(): number {
    return this.items.length;
  }

  /** Index of the first range that ends above `addr`: the one that holds it, or the next one; `count` for none. */
  indexFrom(addr: number): number {
    const items = this.items;
    const last = this.#lastIndex;
    if (last < items.length && addr < items[last]!.end && (last === 0 || addr >= items[last - 1]!.end)) return last;
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (items[middle]!.end > addr) high = middle;
      else low = middle + 1;
    }
    this.#lastIndex = low;
    return low;
  }

  /** The range that holds `addr`, or null. */
  at(addr: number): R | null {
    const item = this.items[this.indexFrom(addr)];
    return item !== undefined && addr >= item.start ? item : null;
  }

  /** Whether no range has an address in `[start, end)`. */
  isFree(start: number, end: number): boolean {
    const item = this.items[this.indexFrom(start)];
    return item === undefined || item.start >= end;
  }

  /** Adds `item`, which overlaps none. Returns its index. */
  insert(item: R): number {
    const index = this.indexFrom(item.start);
    this.items.splice(index, 0, item);
    return index;
  }

  /** Adds `item` at `index`, where it belongs. */
  insertAt(index: number, item: R): void {
    this.items.splice(index, 0, item);
  }

  removeAt(index: number, count: number): void {
    this.items.splice(index, count);
  }
}
