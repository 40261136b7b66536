import { SIGRTMIN } from '@tsv/abi';
import type { SigInfo } from './sig-info.js';
import { firstSignal, SigSet } from './sig-set.js';

/** Signals raised by the instruction that the task executes come before others. SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS. */
const SYNCHRONOUS_LOW = ((1 << 3) | (1 << 4) | (1 << 6) | (1 << 7) | (1 << 10) | (1 << 30)) >>> 0;

/** Pending signals of a task or of a process: standard ones once each, real-time ones queued, signal(7). */
export class SignalQueue {
  readonly set = new SigSet();
  readonly #infos: SigInfo[] = [];

  /** Number of queued signals, RLIMIT_SIGPENDING. */
  get count(): number {
    return this.#infos.length;
  }

  /** Adds a signal. A standard one that is pending already is dropped. */
  add(info: SigInfo): void {
    if (info.signo < SIGRTMIN && this.set.has(info.signo)) return;
    this.set.add(info.signo);
    this.#infos.push(info);
    info.isQueued = true;
  }

  /** Takes the next signal that the mask (blocked halves) lets through, or null: synchronous ones, then the lowest. */
  take(blockedLow: number, blockedHigh: number): SigInfo | null {
    const low = (this.set.low & ~blockedLow) >>> 0;
    const high = (this.set.high & ~blockedHigh) >>> 0;
    const synchronous = (low & SYNCHRONOUS_LOW) >>> 0;
    const signo = synchronous !== 0 ? firstSignal(synchronous, 0) : firstSignal(low, high);
    return signo === 0 ? null : this.#takeSignal(signo);
  }

  /** Drops what is pending of the signals in the two halves. */
  discard(low: number, high: number): void {
    if ((this.set.low & low) === 0 && (this.set.high & high) === 0) return;
    this.set.set(this.set.low & ~low, this.set.high & ~high);
    let kept = 0;
    for (const info of this.#infos) {
      if (this.set.has(info.signo)) this.#infos[kept++] = info;
      else info.isQueued = false;
    }
    this.#infos.length = kept;
  }

  clear(): void {
    this.set.set(0, 0);
    this.#infos.length = 0;
  }

  /** The pending signals in order of arrival, for inspection. */
  get infos(): readonly SigInfo[] {
    return this.#infos;
  }

  #takeSignal(signo: number): SigInfo {
    let found = -1;
    let hasMore = false;
    for (let i = 0; i < this.#infos.length && !hasMore; i++) {
      if (this.#infos[i]!.signo !== signo) continue;
      if (found < 0) found = i;
      else hasMore = true;
    }
    const info = this.#infos[found]!;
    this.#infos.splice(found, 1);
    if (!hasMore) this.set.remove(signo);
    info.isQueued = false;
    info.source?.signalTaken(info);
    return info;
  }
}
