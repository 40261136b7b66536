import type { ProcessGroup, Session } from '../task/session.js';
import type { Task } from '../task/task.js';
import type { PidNamespace } from './pid-namespace.js';

/**
 * A process ID as an object: one number in its PID namespace and one in each ancestor. It outlives its task as long
 * as a process group or a session is called by it, and a pidfd holds it for good.
 */
export class Pid {
  /** The innermost namespace it has a number in. */
  readonly ns: PidNamespace;
  /** Numbers by namespace level, the root's first. */
  readonly numbers: readonly number[];
  /** The thread with this ID, null when it is gone. */
  task: Task | null = null;
  processGroup: ProcessGroup | null = null;
  session: Session | null = null;

  constructor(ns: PidNamespace, numbers: readonly number[]) {
    this.ns = ns;
    this.numbers = numbers;
  }

  /** Number in its own namespace: what getpid(2) returns. */
  get number(): number {
    return this.numbers[this.ns.level]!;
  }

  /** Number in the root namespace. */
  get rootNumber(): number {
    return this.numbers[0]!;
  }

  /** Number as `ns` sees it, 0 when it does not. */
  in(ns: PidNamespace): number {
    if (ns === this.ns) return this.numbers[ns.level]!;
    return ns.level < this.numbers.length && ns.contains(this.ns) ? this.numbers[ns.level]! : 0;
  }

  /** Forgets the numbers when nothing is called by them any more. */
  releaseIfUnused(): void {
    if (this.task !== null || this.processGroup !== null || this.session !== null) return;
    for (let ns: PidNamespace | null = this.ns; ns !== null; ns = ns.parent) ns.forget(this.numbers[ns.level]!, this);
  }
}
