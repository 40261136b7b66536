import { CONTEXT_BYTES } from '@tsv/platform';
import type { RunQueue } from './run-queue.js';

/** Contexts that can be watched: looking at more of them takes longer than a ring. */
const WATCHED_MAX = 4;

/**
 * Contexts whose state words the sentry looks at by itself while it spins, so that their threads need not ring: to ring and
 * to find who has rung moves six cache lines between processors, one after the other, and a state word is one.
 */
export class WatchList {
  /** Whether contexts that are resumed are watched. */
  isOpen = true;
  readonly #pages: Uint32Array;
  readonly #queue: RunQueue;
  readonly #isWatched: Uint8Array;
  readonly #watched = new Uint32Array(WATCHED_MAX);
  #count = 0;
  /** Who is looked at first: another each time, so that none is kept waiting. */
  #first = 0;

  constructor(pages: Uint32Array, contextMax: number, queue: RunQueue) {
    this.#pages = pages;
    this.#queue = queue;
    this.#isWatched = new Uint8Array(contextMax);
  }

  /** Watches a context that is about to be resumed, if there is room. */
  add(index: number): void {
    if (this.#isWatched[index] !== 0 || !this.isOpen || this.#count === WATCHED_MAX) return;
    this.#isWatched[index] = 1;
    this.#watched[this.#count++] = index;
    this.#pages[index * PAGE_WORDS + WATCHED] = 1;
  }

  /** A context that has stopped, or -1. */
  find(): number {
    for (let i = this.#count; i > 0; i--) {
      const index = this.#next();
      if (this.#queue.hasStopped(index)) return index;
    }
    return -1;
  }

  /** The same, whatever the compiler makes of it. */
  findCertainly(): number {
    for (let i = this.#count; i > 0; i--) {
      const index = this.#next();
      if (this.#queue.hasCertainlyStopped(index)) return index;
    }
    return -1;
  }

  /** Has all ring from now on, and queues those that have stopped without. Returns whether there was one. */
  dismiss(): boolean {
    let hasFound = false;
    while (this.#count > 0) {
      const index = this.#watched[--this.#count]!;
      this.#isWatched[index] = 0;
      // The thread changes its state before it looks whether to ring.
      Atomics.store(this.#pages, index * PAGE_WORDS + WATCHED, 0);
      if (this.#queue.add(index)) hasFound = true;
    }
    return hasFound;
  }

  /** A context is no more in use. */
  remove(index: number): void {
    if (this.#isWatched[index] === 0) return;
    this.#isWatched[index] = 0;
    this.#pages[index * PAGE_WORDS + WATCHED] = 0;
    const at = this.#watched.indexOf(index);
    this.#watched[at] = this.#watched[--this.#count]!;
  }

  #next(): number {
    if (++this.#first >= this.#count) this.#first = 0;
    return this.#watched[this.#first]!;
  }
}

const PAGE_WORDS = CONTEXT_BYTES / 4;
/** `WATCHED_AT` of `crates/stub-systrap`. */
const WATCHED = 600 / 4;
