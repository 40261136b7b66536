import { availableParallelism } from 'node:os';
import type { Errno } from '@tsv/abi';
import type { Platform, PlatformOptions } from '@tsv/platform';
import native from '../native/index.js';
import { SystrapAddressSpace } from './address-space.js';
import { Bell } from './bell.js';
import { RunQueue } from './run-queue.js';

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

/** A guest that has not stopped for so long has made itself deaf to the signal; its process is ended. */
const INTERRUPT_PATIENCE_MS = 2000;

/** Runs guest threads in stub processes whose system calls trap. Only the thread that made it may use it. */
export class SystrapPlatform implements Platform {
  readonly name = 'systrap';
  readonly minUserAddr = native.minUserAddr();
  readonly maxUserAddr = native.maxUserAddr();
  readonly xstateBytes: number;
  readonly #stubs: InstanceType<typeof native.SystrapStubs>;
  readonly #pages: Uint32Array;
  readonly #bell: Bell;
  readonly #queue: RunQueue;
  /** Guests that may run while the sentry spins. */
  readonly #freeProcessors = availableParallelism() - 1;
  #spinUs = SPIN_MAX_US;
  #doStubsSpin = false;

  /** Throws when the host does not let this process start stubs. */
  constructor(options: PlatformOptions) {
    this.#stubs = new native.SystrapStubs(options.memoryFile.fd);
    this.xstateBytes = this.#stubs.xstateBytes;
    this.#pages = new Uint32Array(this.#stubs.contextPages());
    this.#bell = new Bell(this.#stubs.bellPage());
    this.#queue = new RunQueue(this.#pages, native.contextMax());
  }

  createAddressSpace(): SystrapAddressSpace | Errno {
    const index = this.#stubs.createSpace();
    return index < 0 ? index : new SystrapAddressSpace(this.#stubs, this.#pages, this.#queue, index);
  }

  next(): number {
    const index = this.#queue.take();
    if (index >= 0) return index;
    if (this.#bell.isRung) this.#collect();
    else if (this.#queue.runningCount > 0) this.#spin();
    return this.#queue.take();
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
