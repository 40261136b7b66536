import type { PidNamespace } from '../namespace/pid-namespace.js';
import type { Task } from './task.js';
import type { ThreadGroup } from './thread-group.js';

/** All tasks of the kernel, by their IDs in the root PID namespace. */
export class TaskSet {
  readonly rootPidNs: PidNamespace;
  readonly #threadGroups = new Set<ThreadGroup>();
  /** Threads that exist now, zombies included. */
  taskCount = 0;

  constructor(rootPidNs: PidNamespace) {
    this.rootPidNs = rootPidNs;
  }

  /** The thread with this ID, or undefined. */
  taskOf(tid: number): Task | undefined {
    return this.rootPidNs.lookup(tid)?.task ?? undefined;
  }

  /** The process with this ID, zombies included, or undefined. */
  threadGroupOf(pid: number): ThreadGroup | undefined {
    const task = this.taskOf(pid);
    return task !== undefined && task.threadGroup.leader === task ? task.threadGroup : undefined;
  }

  /** Every process, zombies included, the oldest first. */
  threadGroups(): IterableIterator<ThreadGroup> {
    return this.#threadGroups.values();
  }

  get threadGroupCount(): number {
    return this.#threadGroups.size;
  }

  add(threadGroup: ThreadGroup): void {
    this.#threadGroups.add(threadGroup);
  }

  remove(threadGroup: ThreadGroup): void {
    this.#threadGroups.delete(threadGroup);
  }
}
