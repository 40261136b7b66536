import { RLIMIT_CPU, SIGKILL, SIGXCPU } from '@tsv/abi';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal } from '../signal/sig-info.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { processCpuMs } from './cpu-clock.js';
import { CpuTimer } from './cpu-timer.js';

/** RLIMIT_CPU of getrlimit(2): SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
class CpuLimit extends CpuTimer {
  readonly #group: ThreadGroup;

  constructor(group: ThreadGroup) {
    super(group.kernel);
    this.#group = group;
  }

  cpuMs(): number {
    return processCpuMs(this.#group);
  }

  threadCount(): number {
    return this.#group.liveCount;
  }

  protected due(): void {
    const group = this.#group;
    if (group.isZombie) return;
    const usedSec = Math.floor(this.cpuMs() / 1000);
    if (usedSec >= group.limits.hard(RLIMIT_CPU)) {
      sendSignal(group, kernelSignal(SIGKILL));
      return;
    }
    sendSignal(group, kernelSignal(SIGXCPU));
    this.set((usedSec + 1) * 1000);
  }
}

/** Begins to watch the CPU time of `group`, or stops when there is no limit any more. */
export function watchCpuLimit(group: ThreadGroup): void {
  const softSec = group.limits.soft(RLIMIT_CPU);
  if (softSec === Infinity && group.cpuLimit === null) return;
  group.cpuLimit ??= new CpuLimit(group);
  group.cpuLimit.set(softSec === Infinity ? Infinity : Math.max(softSec * 1000, 1));
}
