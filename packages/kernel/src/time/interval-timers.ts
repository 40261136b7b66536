import { ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, SIGALRM, SIGPROF, SIGVTALRM } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import type { Kernel } from '../kernel.js';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal, type SigInfo, type SignalSource } from '../signal/sig-info.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { processCpuMs } from './cpu-clock.js';
import { CpuTimer } from './cpu-timer.js';
import { nextExpiry } from './next-expiry.js';

const SIGNALS: Readonly<Record<number, number>> = {
  [ITIMER_REAL]: SIGALRM,
  [ITIMER_VIRTUAL]: SIGVTALRM,
  [ITIMER_PROF]: SIGPROF,
};

/** ITIMER_REAL. The next period begins when the signal is taken: ignored, it does not keep the kernel busy. */
class RealTimer extends Timer implements SignalSource {
  readonly #group: ThreadGroup;
  intervalMs = 0;
  #lastMs = 0;

  constructor(group: ThreadGroup) {
    super();
    this.#group = group;
  }

  set(deadlineMs: number, intervalMs: number): void {
    this.intervalMs = intervalMs;
    this.#kernel().timers.arm(this, deadlineMs);
  }

  get leftMs(): number {
    return this.isArmed ? Math.max(MIN_LEFT_MS, this.deadlineMs - this.#kernel().clock.monotonicMs()) : 0;
  }

  override fired(nowMs: number): void {
    this.#lastMs = nowMs;
    const info = kernelSignal(SIGALRM);
    info.source = this;
    sendSignal(this.#group, info);
    if (!info.isQueued) this.signalTaken();
  }

  signalTaken(_info?: SigInfo): void {
    if (this.intervalMs === 0 || this.isArmed || this.#group.isZombie) return;
    const nowMs = this.#kernel().clock.monotonicMs();
    this.#kernel().timers.arm(this, nextExpiry(this.#lastMs, this.intervalMs, nowMs));
  }

  #kernel(): Kernel {
    return this.#group.kernel;
  }
}

/** A timer that was set is never told to have nothing left. */
const MIN_LEFT_MS = 0.001;

/** ITIMER_VIRTUAL and ITIMER_PROF. System time is not told apart from user time, so that both count the same. */
class ProfileTimer extends CpuTimer {
  readonly #group: ThreadGroup;
  readonly #signo: number;
  intervalMs = 0;

  constructor(group: ThreadGroup, signo: number) {
    super(group.kernel);
    this.#group = group;
    this.#signo = signo;
  }

  cpuMs(): number {
    return processCpuMs(this.#group);
  }

  threadCount(): number {
    return this.#group.liveCount;
  }

  get leftMs(): number {
    return this.dueCpuMs === Infinity ? 0 : Math.max(MIN_LEFT_MS, this.dueCpuMs - this.cpuMs());
  }

  protected due(): void {
    sendSignal(this.#group, kernelSignal(this.#signo));
    if (this.intervalMs > 0 && !this.#group.isZombie) this.set(this.cpuMs() + this.intervalMs);
  }
}

/** setitimer(2): the three interval timers of a process. */
export class IntervalTimers {
  readonly #real: RealTimer;
  readonly #virtual: ProfileTimer;
  readonly #profile: ProfileTimer;
  readonly #kernel: Kernel;

  constructor(group: ThreadGroup) {
    this.#kernel = group.kernel;
    this.#real = new RealTimer(group);
    this.#virtual = new ProfileTimer(group, SIGNALS[ITIMER_VIRTUAL]!);
    this.#profile = new ProfileTimer(group, SIGNALS[ITIMER_PROF]!);
  }

  /** Milliseconds until timer `which` expires, 0 when it is not set. */
  leftMs(which: number): number {
    return which === ITIMER_REAL ? this.#real.leftMs : this.#cpuTimer(which).leftMs;
  }

  intervalMs(which: number): number {
    return which === ITIMER_REAL ? this.#real.intervalMs : this.#cpuTimer(which).intervalMs;
  }

  /** Sets timer `which` to expire in `valueMs`, then every `intervalMs` (0 for once); a value of 0 disarms it. */
  set(which: number, valueMs: number, intervalMs: number): void {
    if (which === ITIMER_REAL) {
      this.#real.set(
        valueMs === 0 ? Infinity : this.#kernel.clock.monotonicMs() + valueMs,
        valueMs === 0 ? 0 : intervalMs,
      );
      return;
    }
    const timer = this.#cpuTimer(which);
    timer.intervalMs = valueMs === 0 ? 0 : intervalMs;
    timer.set(valueMs === 0 ? Infinity : timer.cpuMs() + valueMs);
  }

  /** Disarms all; the process has ended. */
  clear(): void {
    for (const which of [ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF]) this.set(which, 0, 0);
  }

  #cpuTimer(which: number): ProfileTimer {
    return which === ITIMER_VIRTUAL ? this.#virtual : this.#profile;
  }
}
