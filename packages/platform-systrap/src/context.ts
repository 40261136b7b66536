import { ContextPage, type Context } from '@tsv/platform';
import type { SystrapStubs } from '../native/index.js';
import type { SystrapAddressSpace } from './address-space.js';
import type { RunQueue } from './run-queue.js';

/** `STATE_ASLEEP` of `crates/stub-systrap`: the thread sleeps until it is woken. */
const STATE_ASLEEP = 2;

/** A guest thread that runs in a thread of a stub process. */
export class SystrapContext implements Context {
  readonly page: ContextPage;
  readonly #stubs: SystrapStubs;
  readonly #queue: RunQueue;
  readonly #space: SystrapAddressSpace;

  constructor(stubs: SystrapStubs, pages: Uint32Array, queue: RunQueue, space: SystrapAddressSpace, index: number) {
    this.page = new ContextPage(pages, index);
    this.#stubs = stubs;
    this.#queue = queue;
    this.#space = space;
    queue.begin(index);
  }

  resume(): void {
    const { index } = this.page;
    this.#space.prepareRun();
    const before = this.#queue.run(index);
    if (before === STATE_ASLEEP) this.#stubs.wakeContext(index);
  }

  interrupt(): void {
    const { index } = this.page;
    if (!this.#queue.isRunning(index)) return;
    this.#queue.interrupt(index, performance.now());
    this.#stubs.interrupt(index);
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
    this.#queue.end(this.page.index);
    this.#stubs.releaseContext(this.page.index);
  }
}
