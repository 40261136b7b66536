import { Timer } from '@tsv/clock';
import type { Kernel } from '../kernel.js';

/** A look is not taken more often than this. */
const LOOK_MS_MIN = 1;

/**
 * A timer on CPU time. Nothing tells the kernel how much a guest has computed, so it looks: at the earliest time that
 * the deadline can have come, and again after what is left then.
 */
export abstract class CpuTimer extends Timer {
  readonly kernel: Kernel;
  /** CPU milliseconds at which it is due, Infinity while it is not set. */
  dueCpuMs = Infinity;

  constructor(kernel: Kernel) {
    super();
    this.kernel = kernel;
  }

  /** CPU milliseconds now. */
  abstract cpuMs(): number;
  /** Threads whose time is counted: they may all compute at once. */
  abstract threadCount(): number;
  /** The CPU time has come; it may be set again. */
  protected abstract due(): void;

  /** Sets it to `dueCpuMs` of CPU time; Infinity disarms it. */
  set(dueCpuMs: number): void {
    this.dueCpuMs = dueCpuMs;
    if (dueCpuMs === Infinity) this.kernel.timers.disarm(this);
    else this.#armLook(dueCpuMs - this.cpuMs());
  }

  fired(): void {
    const leftMs = this.dueCpuMs - this.cpuMs();
    if (leftMs > 0) return this.#armLook(leftMs);
    this.dueCpuMs = Infinity;
    this.due();
  }

  #armLook(leftMs: number): void {
    const waitMs = Math.max(LOOK_MS_MIN, leftMs / Math.max(1, this.threadCount()));
    this.kernel.timers.arm(this, this.kernel.clock.monotonicMs() + waitMs);
  }
}
