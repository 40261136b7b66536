import { availableParallelism } from 'node:os';
import type { Errno } from '@tsv/abi';
import type { Platform, PlatformOptions } from '@tsv/platform';
import native, { type SystrapStubs } from '../native/index.js';
import { SystrapAddressSpace } from './address-space.js';
import { Bell } from './bell.js';
import type { SystrapContext } from './context.js';
import { RunQueue } from './run-queue.js';
import { SitePatcher, SpacePatches } from './site-patcher.js';

/**
 * How long `next` looks at the doorbell before it says -1. Waking a processor takes about 40 us, so that waiting longer for
 * a guest that may stop soon costs more than it saves.
 */
const SPIN_MAX_US = 50;
/** Guests that compute cost the sentry no more than this a call: it still notices when they begin to make calls. */
const SPIN_MIN_US = 1;
/** Looks, of a few ns each, before the first at the clock, which allocates: a system call comes back sooner. */
const LOOKS_FIRST = 1500;
/** Looks between two at the clock. */
const LOOKS_PER_CLOCK_LOOK = 100;
/** Cycles that a stopped thread waits for its answer before it sleeps: 20 to 40 us, as long as waking it would take. */
const SPIN_CYCLES = 80_000;

/** `WAY_FAST` of `crates/stub-systrap`: a system call of a patched site. */
const WAY_FAST = 1;

/** A guest that has not stopped for so long has made itself deaf to the signal; its process is ended. */
const INTERRUPT_PATIENCE_MS = 2000;

/** What the platform, its address spaces and its contexts work with. */
export interface SystrapParts {
  readonly stubs: SystrapStubs;
  readonly pages: Uint32Array;
  readonly queue: RunQueue;
  readonly patcher: SitePatcher;
  readonly mayPatch: boolean;
  /** By number. */
  readonly contexts: (SystrapContext | undefined)[];
}

/** Runs guest threads in stub processes whose system calls trap. Only the thread that made it may use it. */
export class SystrapPlatform implements Platform {
  readonly name = 'systrap';
  readonly minUserAddr = native.minUserAddr();
  readonly maxUserAddr = native.maxUserAddr();
  readonly xstateBytes: number;
  readonly #parts: SystrapParts;
  readonly #stubs: SystrapStubs;
  readonly #pages: Uint32Array;
  readonly #bell: Bell;
  readonly #queue: RunQueue;
  /** Guests that may run while the sentry spins. */
  readonly #freeProcessors = availableParallelism() - 1;
  #spinUs = SPIN_MAX_US;
  #doStubsSpin = false;

  /** Throws when the host does not let this process start stubs. */
  constructor(options: PlatformOptions) {
    const mayPatch = options.mayPatchCode === true;
    this.#stubs = new native.SystrapStubs(options.memoryFile.fd, mayPatch);
    this.xstateBytes = this.#stubs.xstateBytes;
    this.#pages = new Uint32Array(this.#stubs.contextPages());
    this.#bell = new Bell(this.#stubs.bellPage());
    this.#queue = new RunQueue(this.#pages, native.contextMax());
    const patcher = new SitePatcher(this.#stubs);
    this.#parts = { stubs: this.#stubs, pages: this.#pages, queue: this.#queue, patcher, mayPatch, contexts: [] };
  }

  createAddressSpace(): SystrapAddressSpace | Errno {
    const index = this.#stubs.createSpace();
    return index < 0 ? index : new SystrapAddressSpace(this.#parts, index, new SpacePatches());
  }

  next(): number {
    const index = this.#queue.take();
    if (index >= 0) return this.#admit(index);
    if (this.#bell.isRung) this.#collect();
    else if (this.#queue.runningCount > 0) this.#spin();
    return this.#admit(this.#queue.take());
  }

  sleep(timeoutMs: number): boolean {
    if (!this.#queue.hasInterrupted) return this.#stubs.sleep(timeoutMs);
    const stubborn = this.#queue.findStubborn(performance.now() - INTERRUPT_PATIENCE_MS);
    if (stubborn >= 0) this.#stubs.killContext(stubborn);
    return this.#stubs.sleep(Math.min(timeoutMs, INTERRUPT_PATIENCE_MS / 2));
  }

  wake(): void {
    this.#stubs.wake();
  }

  close(): void {
    this.#stubs.close();
  }

  /** The stop as the kernel is told it, or -1 when it is not the kernel's business. */
  #admit(index: number): number {
    if (index < 0 || !this.#parts.mayPatch) return index;
    const context = this.#parts.contexts[index]!;
    const { space, page } = context;
    if (page.way === WAY_FAST) return index;
    if (this.#parts.patcher.admit(page, space.index, space.patches)) return index;
    context.resume();
    return -1;
  }

  /** Looks at the doorbell for a while: for less and less when that was in vain. */
  #spin(): void {
    this.#adviseStubs();
    // Where guests take all processors, one of them waits for this one.
    if (this.#queue.runningCount > this.#freeProcessors) return;
    if (!this.#look(LOOKS_FIRST)) {
      const endMs = performance.now() + this.#spinUs / 1000;
      while (!this.#look(LOOKS_PER_CLOCK_LOOK)) {
        if (performance.now() < endMs) continue;
        this.#spinUs = Math.max(SPIN_MIN_US, this.#spinUs >>> 1);
        return;
      }
    }
    this.#spinUs = Math.min(SPIN_MAX_US, this.#spinUs * 2);
    this.#collect();
  }

  /** Looks at the doorbell a few times. Returns whether it has rung. */
  #look(count: number): boolean {
    const bell = this.#bell;
    for (let looks = count; looks > 0; looks--) if (bell.isRung) return true;
    return false;
  }

  #collect(): void {
    if (!this.#bell.collect(this.#queue)) return;
    for (let index = this.#stubs.takeDead(); index >= 0; index = this.#stubs.takeDead()) this.#queue.kill(index);
  }

  /** Stopped threads spin only while there is a processor for each that runs and for the sentry. */
  #adviseStubs(): void {
    const doSpin = this.#queue.runningCount <= this.#freeProcessors;
    if (doSpin === this.#doStubsSpin) return;
    this.#doStubsSpin = doSpin;
    this.#bell.spinCycles = doSpin ? SPIN_CYCLES : 0;
  }
}
