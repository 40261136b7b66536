import { CONTEXT_BYTES, ContextPage, type Context } from '@tsv/platform';
import type { SystrapAddressSpace } from './address-space.js';
import type { SystrapParts } from './platform.js';

/** `STATE_ASLEEP` of `crates/stub-systrap`: the thread sleeps until it is woken. */
const STATE_ASLEEP = 2;

/** `ANSWERS_AT` and `NO_ANSWER`: results in the context page that the stub gives by itself. */
const ANSWERS_AT = 640;
const NO_ANSWER = 0xffff_ffff;
/**
 * What has an answer at which place, if anything: getpid, gettid, getppid, getuid, geteuid, getgid, getegid; and getcpu,
 * which code of the guest reads there by itself.
 */
const ANSWERED_CALLS = [-1, 39, 186, 110, 102, 107, 104, 108, 309];
/** `CPU_ANSWER_AT`. */
export const CPU_ANSWER_AT = ANSWERS_AT + 4 * ANSWERED_CALLS.indexOf(309);

/** A guest thread that runs in a thread of a stub process. */
export class SystrapContext implements Context {
  readonly page: ContextPage;
  readonly space: SystrapAddressSpace;
  readonly #parts: SystrapParts;
  /** Its thread may be on its way still. */
  #hasRun = false;

  constructor(parts: SystrapParts, space: SystrapAddressSpace, index: number) {
    this.page = new ContextPage(parts.pages, index);
    this.space = space;
    this.#parts = parts;
    parts.queue.begin(index);
    parts.contexts[index] = this;
    this.forgetAnswers();
  }

  answer(nr: number, result: number): void {
    if (!this.#parts.mayAnswer) return;
    const place = ANSWERED_CALLS.indexOf(nr);
    if (place >= 0) this.#parts.pages[this.#answersAt() + place] = result;
  }

  forgetAnswers(): void {
    const { pages } = this.#parts;
    for (let place = 0; place < ANSWERED_CALLS.length; place++) pages[this.#answersAt() + place] = NO_ANSWER;
  }

  #answersAt(): number {
    return (this.page.index * CONTEXT_BYTES + ANSWERS_AT) >>> 2;
  }

  resume(): void {
    const { index } = this.page;
    this.space.prepareRun();
    if (!this.#hasRun) {
      this.#hasRun = true;
      this.#parts.stubs.beginContext(index);
    }
    this.#parts.watchList.add(index);
    const before = this.#parts.queue.run(index);
    if (before === STATE_ASLEEP) this.#parts.wakeSleeper(index);
  }

  interrupt(): void {
    const { index } = this.page;
    if (!this.#parts.queue.isRunning(index)) return;
    this.#parts.queue.interrupt(index, performance.now());
    this.#parts.stubs.interrupt(index);
  }

  loadFp(dst: Uint8Array, at: number): void {
    this.#parts.stubs.loadFp(this.page.index, dst, at);
  }

  storeFp(src: Uint8Array, at: number): number {
    return this.#parts.stubs.storeFp(this.page.index, src, at);
  }

  resetFp(): void {
    this.#parts.stubs.resetFp(this.page.index);
  }

  release(): void {
    this.#parts.queue.end(this.page.index);
    this.#parts.watchList.remove(this.page.index);
    this.#parts.contexts[this.page.index] = undefined;
    this.#parts.stubs.releaseContext(this.page.index);
  }
}
