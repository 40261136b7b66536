import { SIGKILL } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { sendSignal } from './signal/send-signal.js';
import { kernelSignal } from './signal/sig-info.js';
import { SYSCALLS } from './syscalls/table.js';
import type { Task } from './task/task.js';
import { randomOf } from './testing/random.js';
import { BAD_ADDR, DATA_ADDR, DATA_BYTES, TestKernel } from './testing/test-kernel.js';

/** Files whose calls are tried here: those about processes, signals, time and identity. */
const TOPICS =
  /^(clone|clone3|fork|vfork|execve|execveat|exit|exit_group|wait|get|set|rt_|sig|pause|restart|kill|tkill|tgkill|futex|cap|prctl|arch_prctl|prlimit|sched|nanosleep|clock|time|times|alarm|timer|pidfd|uname|sysinfo|syslog|personality|reboot|unshare|rseq|seccomp)/;
const CALLS = SYSCALLS.filter(({ name }) => TOPICS.test(name) && !/xattr|sock|peername|opt|dents|cwd/.test(name));
const CALL_COUNT = 4000;
const TASK_COUNT_MAX = 24;

const INTERESTING = [0, 1, 2, 3, 4, 5, 8, 9, 16, 17, 24, 32, 64, 65, 88, 128, 4096, 0x7fffffff, 0x80000000, 0xffffffff];

class Guest {
  readonly k = new TestKernel();
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    this.k.spawn();
    this.k.spawn();
  }

  step(): string | null {
    const task = this.#task();
    const { nr, name } = this.#pick(CALLS);
    const args = Array.from({ length: 6 }, () => this.#argument());
    this.#scribble(task);
    const line = `${task.tid}: ${name}(${args.join(', ')})`;
    let result: number;
    try {
      result = this.k.call(task, nr, ...args);
    } catch (error) {
      throw new Error(line, { cause: error });
    }
    this.k.clock.advance(this.#random() * 10);
    const isRestartCode = result <= -512 && result >= -516;
    return isRestartCode ? `${line} = ${result}` : null;
  }

  /** Kills every process. */
  end(): void {
    for (const group of [...this.k.kernel.tasks.threadGroups()]) sendSignal(group, kernelSignal(SIGKILL));
    this.k.pump();
    this.k.pump();
  }

  /** A thread that runs; one is made when there is none. */
  #task(): Task {
    const all: Task[] = [];
    for (const group of this.k.kernel.tasks.threadGroups()) {
      for (const task of group.tasks) if (task.isInGuest && group.pid !== 1) all.push(task);
    }
    if (this.k.kernel.tasks.taskCount > TASK_COUNT_MAX) this.end();
    if (this.k.kernel.tasks.taskCount <= 1 || all.every((task) => !task.isInGuest)) return this.#fresh();
    return this.#pick(all.filter((task) => task.isInGuest));
  }

  #fresh(): Task {
    if (this.k.kernel.pidNs.init?.isZombie !== false) this.k.kernel.pidNs.init = null;
    this.k.kernel.pidNs.isDead = false;
    return this.k.spawn();
  }

  #argument(): number {
    const kind = this.#random();
    if (kind < 0.45) return this.#pick(INTERESTING);
    if (kind < 0.8) return DATA_ADDR + Math.floor((this.#random() * DATA_BYTES) / 8) * 8;
    if (kind < 0.9) return BAD_ADDR;
    if (kind < 0.95) return -Math.floor(this.#random() * 10);
    return Math.floor(this.#random() * 2 ** 47);
  }

  /** Puts small and large numbers where pointers may point. */
  #scribble(task: Task): void {
    for (let i = 0; i < 8; i++) {
      const addr = DATA_ADDR + Math.floor(this.#random() * (DATA_BYTES / 4 - 2)) * 4;
      task.mm.store32(addr, this.#argument());
    }
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }
}

describe('system calls with arguments that make no sense', () => {
  it.each([1, 2, 3, 4])('neither break the kernel nor leak, seed %d', (seed) => {
    const guest = new Guest(seed);
    for (let i = 0; i < CALL_COUNT; i++) expect(guest.step()).toBeNull();
    guest.end();
    const { kernel, platform, memoryFile } = guest.k;
    expect([kernel.tasks.taskCount, platform.contextCount, platform.addressSpaceCount]).toEqual([0, 0, 0]);
    expect([kernel.timers.count, memoryFile.usedPageCount * PAGE_BYTES]).toEqual([0, 0]);
  });
});
