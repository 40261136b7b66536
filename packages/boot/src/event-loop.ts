import { onPollPhase, type PollPhase, type Watchdog } from '@tsv/host';
import type { Kernel } from '@tsv/kernel';
import { setFlagsFromString } from 'node:v8';
import { IdleTrim } from './idle-trim.js';

/** How long guests are served before libuv gets a turn: a timer of ours is late by this at most. */
const SLICE_MS = 0.5;

/**
 * How many times larger V8 makes its space for new objects when they live longer than it had thought: at once to the
 * 16 MiB that it may have. What guests make the kernel keep (inodes, dentries, tasks) is copied at each step between.
 */
const NEW_SPACE_GROWTH = 16;

/**
 * When it is told so, after the first guest has begun. What starting a sandbox makes is garbage soon and needs no more room;
 * and code that V8 has cached, such as Node.js's own, is compiled anew when it is loaded after a change of flags.
 */
const GROWTH_AFTER_MS = 50;

/**
 * Joins the kernel to Node's event loop: guests are served in slices from libuv's poll phase, and the thread sleeps in
 * the platform, which wakes when a guest stops, a deadline passes or libuv has something to do.
 */
export class EventLoop {
  readonly #kernel: Kernel;
  readonly #phase: PollPhase;
  readonly #idleTrim: IdleTrim;
  /** Terminals of the host that are to be carried. */
  readonly terminals = new Set<{ pump(): void }>();
  #isStopped = false;
  #mustYield = false;
  #growth: NodeJS.Timeout | null = null;
  #watchdog: Watchdog | null = null;
  #limitMs = 0;
  #onError: (error: unknown) => void;

  /** `onError` is told of what the kernel throws, which is always a bug; the loop has stopped then. */
  constructor(kernel: Kernel, onError: (error: unknown) => void) {
    this.#kernel = kernel;
    this.#onError = onError;
    this.#idleTrim = new IdleTrim(kernel.memoryFile);
    this.#phase = onPollPhase(() => {
      this.#turn();
    });
  }

  /** Serves guests from now on. The watchdog hears of it when one thing takes longer than `limitMs`. */
  start(watchdog: Watchdog, limitMs: number): void {
    this.#watchdog = watchdog;
    this.#limitMs = limitMs;
    this.#growth = setTimeout(() => {
      setFlagsFromString(`--semi-space-growth-factor=${NEW_SPACE_GROWTH}`);
    }, GROWTH_AFTER_MS).unref();
    this.#phase.again();
  }

  /** Node's own work gets a turn before the thread sleeps: a promise was settled. */
  yield(): void {
    this.#mustYield = true;
  }

  /** Guests are not served any more. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#watchdog?.rest();
    if (this.#growth !== null) clearTimeout(this.#growth);
    this.#phase.close();
  }

  #turn(): void {
    if (this.#isStopped) return;
    this.#watchdog?.begin(this.#limitMs);
    try {
      this.#serve();
    } catch (error) {
      this.stop();
      this.#onError(error);
      return;
    }
    // What Node.js does between is watched too: callbacks of the control server use what guests use.
    if (!this.#isStoppedNow()) this.#phase.again();
  }

  #serve(): void {
    const kernel = this.#kernel;
    const endMs = kernel.clock.monotonicMs() + SLICE_MS;
    for (;;) {
      const deadlineMs = kernel.dispatcher.pump(SLICE_MS);
      for (const terminal of this.terminals) terminal.pump();
      if (deadlineMs === 0 || this.#isStoppedNow() || this.#takeYield()) return;
      const nowMs = kernel.clock.monotonicMs();
      const trimMs = this.#idleTrim.beforeSleep(kernel.dispatcher.stopCount, nowMs);
      this.#watchdog?.rest();
      const hasLoopWork = kernel.platform.sleep(Math.max(0, Math.min(deadlineMs - nowMs, trimMs)));
      this.#watchdog?.begin(this.#limitMs);
      if (hasLoopWork || kernel.clock.monotonicMs() >= endMs) {
        kernel.dispatcher.pump(SLICE_MS);
        for (const terminal of this.terminals) terminal.pump();
        return;
      }
    }
  }

  #takeYield(): boolean {
    const mustYield = this.#mustYield;
    this.#mustYield = false;
    return mustYield;
  }

  /** A field that callbacks change: the compiler must not remember it. */
  #isStoppedNow(): boolean {
    return this.#isStopped;
  }
}
