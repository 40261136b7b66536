/** Pages that are remembered: what most programs write between two forks is some of their stack, and of the data of libraries. */
export const WRITTEN_PAGES_MAX = 16;

/**
 * Addresses of pages that were written while they were copy-on-write, by processes that were forked from each other. Those of
 * them are likely to be written again after the next fork.
 */
export class WrittenPages {
  /** The one that was noted last is the last one. */
  readonly #addrs: number[] = [];

  /** Notes a page, in place of the one that was noted first if there are too many. */
  note(addr: number): void {
    if (this.#addrs.includes(addr)) return;
    if (this.#addrs.length === WRITTEN_PAGES_MAX) this.#addrs.shift();
    this.#addrs.push(addr);
  }

  /** The addresses in ascending order. */
  sorted(): number[] {
    return this.#addrs.slice().sort((a, b) => a - b);
  }
}
