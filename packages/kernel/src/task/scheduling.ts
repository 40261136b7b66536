import { SCHED_OTHER } from '@tsv/abi';

/** How a thread asked to be scheduled, sched(7). Kept and told; the host decides who runs. */
export class Scheduling {
  policy = SCHED_OTHER;
  /** Real-time priority, 1 to 99, or 0. */
  priority = 0;
  /** -20 to 19. */
  nice = 0;
  /** ioprio_set(2): class and level; 0 for none. */
  ioPriority = 0;
  resetsOnFork = false;
  /** sched_setaffinity(2): one bit a CPU; empty for all. */
  affinity = new Uint8Array(0);
  /** SCHED_DEADLINE's nanoseconds. */
  runtimeNs = 0;
  deadlineNs = 0;
  periodNs = 0;

  /** What a child gets, fork(2). */
  copyToChild(child: Scheduling): void {
    const isReset = this.resetsOnFork;
    child.policy = isReset ? SCHED_OTHER : this.policy;
    child.priority = isReset ? 0 : this.priority;
    child.nice = isReset && this.nice < 0 ? 0 : this.nice;
    child.ioPriority = this.ioPriority;
    child.affinity = this.affinity.slice();
  }
}
