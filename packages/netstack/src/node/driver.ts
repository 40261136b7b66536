/// <reference types="node" />
import { randomFillSync } from 'node:crypto';
import type { Clock } from '@tsv/clock';
import type { RandomSource } from '../net/random.js';
import { Stack, type StackOptions } from '../stack.js';

/** The host's clocks. */
export class HostClock implements Clock {
  monotonicMs(): number {
    return performance.now();
  }

  realtimeMs(): number {
    return performance.timeOrigin + performance.now();
  }
}

/** The host's random numbers. */
export class HostRandom implements RandomSource {
  fill(bytes: Uint8Array): void {
    randomFillSync(bytes);
  }
}

/** Polls a stack when it is due, by timers of the event loop. */
export class StackDriver {
  readonly stack: Stack;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;
  readonly #keepsAlive: boolean;

  /** `keepsAlive`: whether a deadline of the stack keeps the process from ending. */
  constructor(stack: Stack, keepsAlive = false) {
    this.stack = stack;
    this.#keepsAlive = keepsAlive;
    stack.onDeadline = (atMs) => this.#schedule(atMs);
    this.#schedule(stack.pollAtMs());
  }

  /** A stack on the host's clock and random numbers, or those of `options`, with a driver. */
  static create(options: Partial<StackOptions> = {}): StackDriver {
    return new StackDriver(new Stack({ clock: new HostClock(), random: new HostRandom(), ...options }));
  }

  /** Stops polling. */
  close(): void {
    this.#isClosed = true;
    this.stack.onDeadline = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #schedule(atMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#isClosed || atMs === Infinity) return;
    const delayMs = Math.min(Math.max(0, Math.ceil(atMs - this.stack.clock.monotonicMs())), DELAY_MS_MAX);
    this.#timer = setTimeout(this.#poll, delayMs);
    if (!this.#keepsAlive) this.#timer.unref();
  }

  readonly #poll = (): void => {
    this.#timer = null;
    this.stack.poll();
    this.#schedule(this.stack.pollAtMs());
  };
}

/** What setTimeout takes. */
const DELAY_MS_MAX = 0x7fffffff;
