import { EAGAIN, EEXIST, ENOMEM, type Errno } from '@tsv/abi';
import type { ThreadGroup } from '../task/thread-group.js';
import type { UserNamespace } from './user-namespace.js';
import { Pid } from './pid.js';

/** /proc/sys/kernel/pid_max. */
export const PID_MAX = 4194304;
/** Numbers below this are not given out again once the counter has wrapped, as Linux does. */
const RESERVED_PIDS = 300;

/** pid_namespaces(7). */
export class PidNamespace {
  readonly parent: PidNamespace | null;
  readonly level: number;
  readonly userNs: UserNamespace;
  /** Process 1, which orphans are given to; null before it starts. */
  init: ThreadGroup | null = null;
  /** Whether process 1 has ended: no process can be added any more. */
  isDead = false;
  readonly #pids = new Map<number, Pid>();
  readonly #selfAndAncestors: readonly PidNamespace[];
  #lastNumber = 0;

  constructor(parent: PidNamespace | null, userNs: UserNamespace) {
    this.parent = parent;
    this.level = parent === null ? 0 : parent.level + 1;
    this.userNs = userNs;
    this.#selfAndAncestors = parent === null ? [this] : [this, ...parent.#selfAndAncestors];
  }

  /** What is called `number` here, or undefined. */
  lookup(number: number): Pid | undefined {
    return this.#pids.get(number);
  }

  /** All IDs here, in no order. */
  pids(): IterableIterator<Pid> {
    return this.#pids.values();
  }

  get count(): number {
    return this.#pids.size;
  }

  /**
   * A new ID with a number here and in every ancestor. `wanted` are the numbers asked for, innermost first
   * (`set_tid` of clone3(2)). Errors: EAGAIN when no number is free, EEXIST when a wanted one is taken, ENOMEM when
   * process 1 has ended.
   */
  allocate(wanted: readonly number[] = []): Pid | Errno {
    if (this.isDead) return -ENOMEM;
    const numbers: number[] = [];
    for (const ns of this.#selfAndAncestors) {
      const number = ns.#choose(wanted[this.level - ns.level]);
      if (number < 0) return number;
      numbers[ns.level] = number;
    }
    const pid = new Pid(this, numbers);
    for (const ns of this.#selfAndAncestors) ns.#pids.set(numbers[ns.level]!, pid);
    return pid;
  }

  /** Removes a number; called by {@link Pid.releaseIfUnused}. */
  forget(number: number, pid: Pid): void {
    if (this.#pids.get(number) === pid) this.#pids.delete(number);
  }

  /** Whether this is `other` or one of its ancestors. */
  contains(other: PidNamespace): boolean {
    let ns: PidNamespace | null = other;
    while (ns !== null && ns.level > this.level) ns = ns.parent;
    return ns === this;
  }

  #choose(wanted: number | undefined): number {
    if (wanted !== undefined) {
      if (this.#pids.has(wanted)) return -EEXIST;
      return wanted;
    }
    if (this.#pids.size >= PID_MAX - RESERVED_PIDS) return -EAGAIN;
    let number = this.#lastNumber + 1;
    while (number >= PID_MAX || this.#pids.has(number)) number = number >= PID_MAX ? RESERVED_PIDS : number + 1;
    this.#lastNumber = number;
    return number;
  }
}
