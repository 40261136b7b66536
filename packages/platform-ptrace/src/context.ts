import { ContextPage, type Context } from '@tsv/platform';
import type { PtraceStubs } from '../native/index.js';

/** The contexts that were resumed and not yet started: a count, then indices. The addon empties it. */
export type ResumedList = Uint32Array;

/** A guest thread that runs in a thread of a stub process. */
export class PtraceContext implements Context {
  readonly page: ContextPage;
  readonly #stubs: PtraceStubs;
  readonly #resumed: ResumedList;

  constructor(stubs: PtraceStubs, pages: Uint32Array, resumed: ResumedList, index: number) {
    this.page = new ContextPage(pages, index);
    this.#stubs = stubs;
    this.#resumed = resumed;
  }

  resume(): void {
    const resumed = this.#resumed;
    const count = resumed[0]! + 1;
    resumed[count] = this.page.index;
    resumed[0] = count;
  }

  interrupt(): void {
    this.#stubs.interrupt(this.page.index);
  }

  loadFp(dst: Uint8Array, at: number): void {
    this.#stubs.loadFp(this.page.index, dst, at);
  }

  storeFp(src: Uint8Array, at: number): number {
    return this.#stubs.storeFp(this.page.index, src, at);
  }

  resetFp(): void {
    this.#stubs.resetFp(this.page.index);
  }

  release(): void {
    this.#stubs.releaseContext(this.page.index);
  }
}
