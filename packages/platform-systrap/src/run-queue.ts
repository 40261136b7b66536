import { CONTEXT_BYTES, CONTEXT_REASON, REASON_DEAD, STATE_GUEST, STATE_KERNEL } from '@tsv/platform';

/** What a context does, as only the sentry knows it. */
export const RunState = { FREE: 0, STOPPED: 1, RUNNING: 2, READY: 3 } as const;

/** Which contexts run, and those that have stopped and were not told yet, first come first served. */
export class RunQueue {
  /** How many run. */
  runningCount = 0;
  readonly #pages: Uint32Array;
  readonly #states: Uint8Array;
  readonly #dead: Uint8Array;
  /** A ring; a context is in it at most once. */
  readonly #ready: Uint32Array;
  /** When a running context was first asked to stop, or 0. */
  readonly #interruptedMs: Float64Array;
  /** Contexts that were asked; some have stopped since. */
  #interrupted: number[] = [];
  #head = 0;
  #count = 0;

  /** `pages` are the context pages of `contextMax` contexts. */
  constructor(pages: Uint32Array, contextMax: number) {
    this.#pages = pages;
    this.#states = new Uint8Array(contextMax);
    this.#dead = new Uint8Array(contextMax);
    this.#ready = new Uint32Array(contextMax);
    this.#interruptedMs = new Float64Array(contextMax);
  }

  /** A context is in use from now on, stopped. */
  begin(index: number): void {
    this.#states[index] = RunState.STOPPED;
    this.#dead[index] = 0;
  }

  /** A context is no more in use. Returns whether it was running. */
  end(index: number): boolean {
    const state = this.#states[index];
    this.#states[index] = RunState.FREE;
    this.#interruptedMs[index] = 0;
    if (state === RunState.RUNNING) this.runningCount--;
    if (state === RunState.READY) this.#remove(index);
    return state === RunState.RUNNING;
  }

  /** Whether a context runs, so that an interrupt would reach it. */
  isRunning(index: number): boolean {
    return this.#states[index] === RunState.RUNNING;
  }

  /** Notes that a running context was asked to stop. */
  interrupt(index: number, nowMs: number): void {
    if (this.#interruptedMs[index] !== 0) return;
    this.#interruptedMs[index] = nowMs;
    this.#interrupted.push(index);
  }

  /** Whether a context was asked to stop that runs on. */
  get hasInterrupted(): boolean {
    if (this.#interrupted.length > 0) this.#interrupted = this.#interrupted.filter((i) => this.#interruptedMs[i] !== 0);
    return this.#interrupted.length > 0;
  }

  /** A context that was asked to stop before `beforeMs` and runs on, or -1. */
  findStubborn(beforeMs: number): number {
    return this.#interrupted.find((i) => this.#interruptedMs[i] !== 0 && this.#interruptedMs[i]! < beforeMs) ?? -1;
  }

  /** Hands a context's page to its guest. Returns the state word that was there before. */
  run(index: number): number {
    if (this.#dead[index] !== 0) {
      this.#tellDead(index);
      return STATE_GUEST;
    }
    this.#states[index] = RunState.RUNNING;
    this.runningCount++;
    const runsAt = index * PAGE_WORDS + RUNS;
    this.#pages[runsAt] = this.#pages[runsAt]! + 1;
    return Atomics.exchange(this.#pages, index * PAGE_WORDS, STATE_GUEST);
  }

  /** Has the thread of a context that was told sleep until it is resumed. Nothing happens to one that runs. */
  rest(index: number): void {
    if (this.#states[index] === RunState.RUNNING) return;
    Atomics.compareExchange(this.#pages, index * PAGE_WORDS, STATE_KERNEL, STATE_RESTING);
  }

  /** Whether a context has stopped since it was resumed, and is not queued. */
  hasStopped(index: number): boolean {
    // Not an Atomics call, which costs 15 ns: looks are repeated, and what is missed once is seen the next time.
    return this.#states[index] === RunState.RUNNING && this.#pages[index * PAGE_WORDS] !== STATE_GUEST;
  }

  /** The same, whatever the compiler makes of it. */
  hasCertainlyStopped(index: number): boolean {
    return this.#states[index] === RunState.RUNNING && Atomics.load(this.#pages, index * PAGE_WORDS) !== STATE_GUEST;
  }

  /** Queues a context if it has stopped since it was resumed. Returns whether it has. */
  add(index: number): boolean {
    if (!this.hasCertainlyStopped(index)) return false;
    this.runningCount--;
    this.#push(index);
    return true;
  }

  /** Tells a context that has stopped, and is not queued, at once. */
  claim(index: number): void {
    this.runningCount--;
    this.#tell(index);
  }

  /** A context has no thread any more: that is told now if it runs, or when it is resumed. */
  kill(index: number): void {
    if (this.#dead[index] !== 0) return;
    this.#dead[index] = 1;
    if (this.#states[index] !== RunState.RUNNING) return;
    this.runningCount--;
    this.#tellDead(index);
  }

  /** The next context to tell, or -1. */
  take(): number {
    if (this.#count === 0) return -1;
    const index = this.#ready[this.#head]!;
    this.#head = (this.#head + 1) % this.#ready.length;
    this.#count--;
    this.#tell(index);
    return index;
  }

  #tell(index: number): void {
    this.#states[index] = RunState.STOPPED;
    // An interrupt that came too late is void.
    const interruptAt = index * PAGE_WORDS + INTERRUPT;
    if (this.#pages[interruptAt] !== 0) this.#pages[interruptAt] = 0;
    this.#interruptedMs[index] = 0;
  }

  #tellDead(index: number): void {
    this.#pages[index * PAGE_WORDS + (CONTEXT_REASON >>> 2)] = REASON_DEAD;
    this.#push(index);
  }

  #push(index: number): void {
    this.#states[index] = RunState.READY;
    this.#ready[(this.#head + this.#count) % this.#ready.length] = index;
    this.#count++;
  }

  #remove(index: number): void {
    const ready = this.#ready;
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const other = ready[(this.#head + i) % ready.length]!;
      if (other === index) continue;
      ready[(this.#head + kept) % ready.length] = other;
      kept++;
    }
    this.#count = kept;
  }
}

const PAGE_WORDS = CONTEXT_BYTES / 4;
/** `STATE_RESTING` of `crates/stub-systrap`. */
const STATE_RESTING = 5;
/** `INTERRUPT_AT` of `crates/stub-systrap`. */
const INTERRUPT = 576 / 4;
/** `RUNS_AT`. */
const RUNS = 704 / 4;
