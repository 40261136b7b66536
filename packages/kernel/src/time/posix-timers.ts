import { SIGEV_NONE, SIGEV_THREAD_ID, SI_TIMER } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import type { Kernel } from '../kernel.js';
import { sendSignal } from '../signal/send-signal.js';
import { SigInfo, type SignalSource } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { processCpuMs, taskCpuMs } from './cpu-clock.js';
import { CpuTimer } from './cpu-timer.js';
import { isCpuClock } from './guest-clock.js';
import { nextExpiry } from './next-expiry.js';

/** Timers that a process can have; Linux counts them against RLIMIT_SIGPENDING. */
export const POSIX_TIMER_COUNT_MAX = 31780;
const DELAYTIMER_MAX = 0x7fffffff;

/** What a timer does when it expires, sigevent(3type). */
export interface TimerEvent {
  readonly notify: number;
  readonly signo: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  /** The thread that SIGEV_THREAD_ID names, null for the process. */
  readonly task: Task | null;
}

class WallTimer extends Timer {
  readonly #owner: PosixTimer;
  constructor(owner: PosixTimer) {
    super();
    this.#owner = owner;
  }
  fired(): void {
    this.#owner.expired(this.#owner.group.kernel.clock.monotonicMs());
  }
}

class CpuClockTimer extends CpuTimer {
  readonly #owner: PosixTimer;
  readonly #task: Task | null;
  constructor(owner: PosixTimer, task: Task | null) {
    super(owner.group.kernel);
    this.#owner = owner;
    this.#task = task;
  }
  cpuMs(): number {
    return this.#task === null ? processCpuMs(this.#owner.group) : taskCpuMs(this.#task);
  }
  threadCount(): number {
    return this.#task === null ? this.#owner.group.liveCount : 1;
  }
  protected due(): void {
    this.#owner.expired(this.cpuMs());
  }
}

/** One timer of timer_create(2). Its clock is the monotonic one, or CPU time; times are milliseconds of that. */
export class PosixTimer implements SignalSource {
  readonly id: number;
  readonly group: ThreadGroup;
  readonly clockId: number;
  readonly event: TimerEvent;
  intervalMs = 0;
  /** When it expires next, Infinity while it is not set. */
  dueMs = Infinity;
  /** Expirations beyond the one told by the last signal, timer_getoverrun(2). */
  overrunCount = 0;
  #info: SigInfo | null = null;
  readonly #wall: WallTimer | null;
  readonly #cpu: CpuClockTimer | null;

  /** `clockTask` is the thread whose CPU time counts, null for the process's or the wall clock. */
  constructor(id: number, group: ThreadGroup, clockId: number, event: TimerEvent, clockTask: Task | null) {
    this.id = id;
    this.group = group;
    this.clockId = clockId;
    this.event = event;
    const isCpu = isCpuClock(clockId);
    this.#wall = isCpu ? null : new WallTimer(this);
    this.#cpu = isCpu ? new CpuClockTimer(this, clockTask) : null;
  }

  get nowMs(): number {
    return this.#cpu?.cpuMs() ?? this.#kernel().clock.monotonicMs();
  }

  /** Sets it to expire at `dueMs`, then every `intervalMs` (0 for once); Infinity disarms it. */
  set(dueMs: number, intervalMs: number): void {
    this.intervalMs = intervalMs;
    this.overrunCount = 0;
    if (this.#info !== null) this.#info.source = null;
    this.#info = null;
    this.#arm(dueMs);
  }

  /** Milliseconds until it expires, 0 when it is not set. */
  get leftMs(): number {
    if (this.dueMs === Infinity && this.intervalMs > 0 && this.#info?.isQueued === true) {
      return nextExpiry(this.#lastMs, this.intervalMs, this.nowMs) - this.nowMs;
    }
    return this.dueMs === Infinity ? 0 : Math.max(1e-6, this.dueMs - this.nowMs);
  }

  #lastMs = 0;

  /** It has expired at `nowMs`, or some while before. */
  expired(nowMs: number): void {
    this.#lastMs = this.dueMs;
    this.dueMs = Infinity;
    if (this.event.notify === SIGEV_NONE) return this.#rearm(nowMs);
    const info = new SigInfo(this.event.signo, SI_TIMER);
    info.timerId = this.id;
    info.valueLow = this.event.valueLow;
    info.valueHigh = this.event.valueHigh;
    info.source = this;
    this.#info = info;
    const { task, notify } = this.event;
    if (notify !== SIGEV_THREAD_ID || task === null) sendSignal(this.group, info);
    else if (!task.hasExited) sendSignal(task, info);
    if (!info.isQueued) this.#rearm(nowMs);
  }

  /** The signal is about to be handled: it tells how often the timer expired meanwhile. */
  signalTaken(info: SigInfo): void {
    this.#rearm(this.nowMs);
    this.#info = null;
    info.overrun = this.overrunCount;
  }

  #rearm(nowMs: number): void {
    this.overrunCount = 0;
    if (this.intervalMs === 0 || this.group.isZombie) return;
    const nextMs = nextExpiry(this.#lastMs, this.intervalMs, nowMs);
    const missed = Math.round((nextMs - this.#lastMs) / this.intervalMs) - 1;
    this.overrunCount = Math.min(DELAYTIMER_MAX, missed);
    this.#arm(nextMs);
  }

  #arm(dueMs: number): void {
    this.dueMs = dueMs;
    if (this.#wall !== null) this.#kernel().timers.arm(this.#wall, dueMs);
    else this.#cpu!.set(dueMs);
  }

  #kernel(): Kernel {
    return this.group.kernel;
  }
}

/** timer_create(2): the POSIX timers of a process by their IDs. */
export class PosixTimers {
  readonly #timers = new Map<number, PosixTimer>();
  #nextId = 0;

  get count(): number {
    return this.#timers.size;
  }

  get(id: number): PosixTimer | undefined {
    return this.#timers.get(id);
  }

  /** All timers, for /proc/PID/timers. */
  values(): IterableIterator<PosixTimer> {
    return this.#timers.values();
  }

  create(group: ThreadGroup, clockId: number, event: (id: number) => TimerEvent, clockTask: Task | null): PosixTimer {
    while (this.#timers.has(this.#nextId)) this.#nextId = (this.#nextId + 1) & 0x7fffffff;
    const id = this.#nextId;
    this.#nextId = (id + 1) & 0x7fffffff;
    const timer = new PosixTimer(id, group, clockId, event(id), clockTask);
    this.#timers.set(id, timer);
    return timer;
  }

  delete(timer: PosixTimer): void {
    timer.set(Infinity, 0);
    this.#timers.delete(timer.id);
  }

  /** Deletes all; the process has ended or executes another program. */
  clear(): void {
    for (const timer of [...this.#timers.values()]) this.delete(timer);
  }
}
