import { availableParallelism } from 'node:os';
import type { Errno } from '@tsv/abi';
import type { CpuAnswerPlace, Platform, PlatformOptions } from '@tsv/platform';
import native, { type SystrapStubs } from '../native/index.js';
import { SystrapAddressSpace } from './address-space.js';
import { Bell } from './bell.js';
import { CPU_ANSWER_AT, type SystrapContext } from './context.js';
import { Pace, WAKE_US } from './pace.js';
import { RunQueue } from './run-queue.js';
import { SitePatcher, SpacePatches } from './site-patcher.js';
import { WatchList } from './watch-list.js';

/**
 * How long the sentry looks for a stop before that was in vain: as long as waking a processor takes, so that waiting longer
 * for a guest that may stop soon costs more than it saves.
 */
const SPIN_MS_MAX = 0.05;
/** Guests that compute cost the sentry no more than this a call: it still notices when they begin to make calls. */
const SPIN_MS_MIN = 0.003;
/** Looks between two at the clock, some microsecond. */
const LOOKS_PER_CLOCK_LOOK = 256;
/** What a look takes: the clock is not looked at for each stop. */
const LOOK_US = 0.006;
/** Cycles that a stopped thread waits for its answer before it sleeps: 20 to 40 us. */
const SPIN_CYCLES = 80_000;
/** How long a handover is waited for before the event loop gets its turn, which is made ready then. */
const HANDOVER_US = 300;
/** `WAY_FAST` of `crates/stub-systrap`: a system call of a patched site. */
const WAY_FAST = 1;
/** `SLOTS_ADDR` and `SLOT_BYTES`: a guest that does not use GS itself has its slot's address in GS where code is patched. */
const SLOTS_ADDR = 0x7fff_4000_0000;
const SLOT_BYTES = 64 << 10;
/** A guest that stops so soon after looking was in vain should have been near: it waited for a processor, or was woken. */
const SOON_MS = 8;

/** A guest that has not stopped for so long has made itself deaf to the signal; its process is ended. */
const INTERRUPT_PATIENCE_MS = 2000;

/** What the platform, its address spaces and its contexts work with. */
export interface SystrapParts {
  readonly stubs: SystrapStubs;
  readonly pages: Uint32Array;
  readonly queue: RunQueue;
  readonly watchList: WatchList;
  /** Wakes the thread of a context that was resumed in its sleep. */
  readonly wakeSleeper: (index: number) => void;
  readonly patcher: SitePatcher;
  readonly mayPatch: boolean;
  readonly mayAnswer: boolean;
  /** By number. */
  readonly contexts: (SystrapContext | undefined)[];
}

/** Runs guest threads in stub processes whose system calls trap. Only the thread that made it may use it. */
export class SystrapPlatform implements Platform {
  readonly name = 'systrap';
  readonly minUserAddr = native.minUserAddr();
  readonly maxUserAddr = native.maxUserAddr();
  readonly xstateBytes: number;
  readonly cpuAnswer?: CpuAnswerPlace;
  readonly #parts: SystrapParts;
  readonly #stubs: SystrapStubs;
  readonly #pages: Uint32Array;
  readonly #bell: Bell;
  readonly #queue: RunQueue;
  readonly #watchList: WatchList;
  /** Guests that may run while the sentry spins. */
  readonly #freeProcessors = availableParallelism() - 1;
  readonly #wake: (index: number) => number;
  readonly #wait: (limitUs: number) => number;
  readonly #pace = new Pace();
  #spinMs = SPIN_MS_MAX;
  /** When looking was first in vain for the stop that comes next, or 0. */
  #lookingSinceMs = 0;
  #doStubsSpin = false;
  /** The context that was told last, or -1. */
  #told = -1;
  #hasBegun = false;

  /** Throws when the host does not let this process start stubs. */
  constructor(options: PlatformOptions) {
    const mayPatch = options.mayPatchCode === true;
    this.#stubs = new native.SystrapStubs(options.memoryFile.fd, mayPatch);
    this.xstateBytes = this.#stubs.xstateBytes;
    this.#pages = new Uint32Array(this.#stubs.contextPages());
    this.#bell = new Bell(this.#stubs.bellPage());
    this.#queue = new RunQueue(this.#pages, native.contextMax());
    this.#watchList = new WatchList(this.#pages, native.contextMax(), this.#queue);
    if (mayPatch) {
      const gsEnd = SLOTS_ADDR + native.contextMax() * SLOT_BYTES;
      this.cpuAnswer = { gsStart: SLOTS_ADDR, gsEnd, offset: CPU_ANSWER_AT };
    }
    const patcher = new SitePatcher(this.#stubs);
    this.#wake = this.#stubs.wakeFunction();
    const wakeSleeper = (index: number): void => {
      // Where others run, none that idles has to be woken.
      if (!this.#pace.isNear && !this.#isCrowded()) this.#missed(WAKE_US, performance.now());
      this.#wake(index);
    };
    this.#wait = this.#stubs.waitFunction();
    this.#parts = {
      stubs: this.#stubs,
      pages: this.#pages,
      queue: this.#queue,
      watchList: this.#watchList,
      wakeSleeper,
      patcher,
      mayPatch,
      mayAnswer: options.mayAnswerCalls !== false,
      contexts: [],
    };
  }

  createAddressSpace(): SystrapAddressSpace | Errno {
    if (!this.#hasBegun) this.#begin();
    const index = this.#stubs.createSpace();
    return index < 0 ? index : new SystrapAddressSpace(this.#parts, index, new SpacePatches());
  }

  next(): number {
    this.#restTold();
    let index = this.#queue.take();
    if (index < 0) {
      if (this.#bell.isRung) this.#found(0);
      else if (this.#queue.runningCount > 0) index = this.#await();
      if (index < 0) index = this.#queue.take();
    }
    return (this.#told = this.#admit(index));
  }

  sleep(timeoutMs: number): boolean {
    if (this.#watchList.dismiss()) return false;
    if (this.#queue.hasInterrupted) return this.#sleepForInterrupted(timeoutMs);
    return this.#stubs.sleep(timeoutMs);
  }

  wake(): void {
    this.#stubs.wake();
  }

  close(): void {
    this.#stubs.close();
  }

  #begin(): void {
    this.#hasBegun = true;
    this.#pace.begin(performance.now());
    this.#watchList.isOpen = false;
    this.#stubs.comeNear();
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

  /** A guest whose call was not answered at once waits for more than that: others that run may have its processor. */
  #restTold(): void {
    if (this.#told < 0) return;
    if (this.#doStubsSpin && this.#queue.runningCount >= this.#freeProcessors) this.#queue.rest(this.#told);
    this.#told = -1;
  }

  #sleepForInterrupted(timeoutMs: number): boolean {
    const stubborn = this.#queue.findStubborn(performance.now() - INTERRUPT_PATIENCE_MS);
    if (stubborn >= 0) this.#stubs.killContext(stubborn);
    return this.#stubs.sleep(Math.min(timeoutMs, INTERRUPT_PATIENCE_MS / 2));
  }

  /** Waits for a stop for a while. Returns the context that has stopped, if it did so without a ring, or -1. */
  #await(): number {
    const pace = this.#pace;
    if (!pace.isNear && this.#freeProcessors > 0) return this.#spin();
    this.#adviseStubs(false);
    if (this.#watchList.dismiss()) return -1;
    this.#wait(HANDOVER_US);
    if (this.#bell.isRung) this.#found(0);
    return -1;
  }

  /** Guests wait for the processor on which the sentry looks: more go on than there are others. */
  #isCrowded(): boolean {
    return this.#queue.runningCount > this.#freeProcessors;
  }

  /** Takes what has rung. */
  #found(looks: number): void {
    this.#collect();
    this.#seen(looks);
  }

  /** A guest has stopped, after so many looks: counts how long that was looked for. */
  #seen(looks: number): void {
    const sinceMs = this.#lookingSinceMs;
    this.#lookingSinceMs = 0;
    if (this.#pace.isNear) {
      if (this.#pace.handedOver()) this.#tryFar(performance.now());
    } else if (sinceMs === 0) {
      this.#spinMs = SPIN_MS_MAX;
      if (!this.#isCrowded()) this.#pace.found();
      else if (this.#pace.foundInCrowd(looks * LOOK_US)) this.#comeNear(performance.now());
    } else {
      const nowMs = performance.now();
      const lostMs = nowMs - sinceMs;
      if (lostMs < SOON_MS) this.#missed(lostMs * 1000, nowMs);
    }
  }

  #missed(lostUs: number, nowMs: number): void {
    if (this.#pace.missed(lostUs)) this.#comeNear(nowMs);
  }

  #comeNear(nowMs: number): void {
    this.#pace.comeNear(nowMs);
    this.#adviseStubs(false);
    this.#watchList.isOpen = false;
    this.#watchList.dismiss();
    this.#stubs.comeNear();
  }

  #tryFar(nowMs: number): void {
    if ((this.#isCrowded() && !this.#pace.isNew) || !this.#pace.mayRetry(nowMs)) return;
    this.#pace.goFar(nowMs);
    this.#stubs.goFar();
    this.#watchList.isOpen = true;
    this.#spinMs = SPIN_MS_MAX;
  }

  /** Looks for a stop for a while: for less and less when that was in vain. */
  #spin(): number {
    this.#adviseStubs(true);
    const bell = this.#bell;
    const watchList = this.#watchList;
    let endMs = 0;
    for (let looks = 1; ; looks++) {
      let index = watchList.find();
      // A compiler may take it that nobody else writes; now and then it may not.
      const isClockLook = looks % LOOKS_PER_CLOCK_LOOK === 0;
      if (isClockLook && index < 0) index = watchList.findCertainly();
      if (index >= 0) {
        this.#queue.claim(index);
        this.#seen(looks);
        return index;
      }
      if (bell.isRung || (isClockLook && bell.isCertainlyRung)) {
        this.#found(looks);
        return -1;
      }
      if (!isClockLook) continue;
      const nowMs = performance.now();
      if (endMs === 0) endMs = nowMs + this.#spinMs;
      else if (nowMs >= endMs) break;
    }
    const nowMs = performance.now();
    if (this.#isCrowded()) this.#missed(this.#spinMs * 1000, nowMs);
    if (this.#lookingSinceMs === 0) this.#lookingSinceMs = nowMs;
    this.#spinMs = Math.max(SPIN_MS_MIN, this.#spinMs / 2);
    return -1;
  }

  #collect(): void {
    if (!this.#bell.collect(this.#queue)) return;
    for (let index = this.#stubs.takeDead(); index >= 0; index = this.#stubs.takeDead()) this.#queue.kill(index);
  }

  /** Stopped threads spin only while there is a processor for each that runs and for the sentry. */
  #adviseStubs(doSpin: boolean): void {
    if (doSpin === this.#doStubsSpin) return;
    this.#doStubsSpin = doSpin;
    this.#bell.spinCycles = doSpin ? SPIN_CYCLES : 0;
  }
}
