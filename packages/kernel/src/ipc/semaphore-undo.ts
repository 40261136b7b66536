import { POLLIN } from '@tsv/abi';
import type { Task } from '../task/task.js';
import { SEMAPHORE_VALUE_MAX, type SemaphoreSet } from './semaphore-set.js';

/** What is undone when a process exits, semop(2) SEM_UNDO; shared by tasks of clone(2) CLONE_SYSVSEM. */
export class SemaphoreUndo {
  /** Tasks that share it. */
  userCount = 1;
  readonly #adjustments = new Map<SemaphoreSet, Int16Array>();

  /** Whether the sum would still be in range. */
  mayAdd(set: SemaphoreSet, num: number, adjustment: number): boolean {
    const sum = (this.#adjustments.get(set)?.[num] ?? 0) + adjustment;
    return sum >= -SEMAPHORE_VALUE_MAX - 1 && sum <= SEMAPHORE_VALUE_MAX;
  }

  /** Adds to what is done to a semaphore at exit. */
  add(set: SemaphoreSet, num: number, adjustment: number): void {
    let adjustments = this.#adjustments.get(set);
    if (adjustments === undefined) {
      adjustments = new Int16Array(set.count);
      this.#adjustments.set(set, adjustments);
      set.undos.add(this);
    }
    adjustments[num]! += adjustment;
  }

  /** The semaphore got a value that nothing is taken back from. */
  forget(set: SemaphoreSet, num: number): void {
    const adjustments = this.#adjustments.get(set);
    if (adjustments !== undefined) adjustments[num] = 0;
  }

  /** The set is removed. */
  forgetSet(set: SemaphoreSet): void {
    this.#adjustments.delete(set);
  }

  /** Undoes everything. */
  apply(task: Task): void {
    for (const [set, adjustments] of this.#adjustments) {
      set.undos.delete(this);
      for (const [num, adjustment] of adjustments.entries()) {
        if (adjustment !== 0) set.undo(task.threadGroup.leader.threadPid, num, adjustment);
      }
      set.changed.notify(POLLIN);
    }
    this.#adjustments.clear();
  }
}

/** `task` exits, or takes part in no list any more: the last one of a list undoes it. */
export function leaveSemaphoreUndo(task: Task): void {
  const undo = task.semaphoreUndo;
  if (undo === null) return;
  task.semaphoreUndo = null;
  if (--undo.userCount === 0) undo.apply(task);
}

/** The list of `task`, made when it is first needed. */
export function semaphoreUndoOf(task: Task): SemaphoreUndo {
  task.semaphoreUndo ??= new SemaphoreUndo();
  return task.semaphoreUndo;
}
