import { EAGAIN, ERANGE, IPC_NOWAIT, POLLIN, SEM_CTIME, SEM_NSEMS, SEM_OTIME, SEM_UNDO, storeI64 } from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { Pid } from '../namespace/pid.js';
import type { Task } from '../task/task.js';
import { TaskState } from '../task/task.js';
import { IpcObject, nowSeconds } from './ipc-object.js';
import type { SemaphoreUndo } from './semaphore-undo.js';

/** Highest value of a semaphore, SEMVMX; and of what is undone at exit, SEMAEM. */
export const SEMAPHORE_VALUE_MAX = 32767;

/** One operation of semop(2). */
export interface SemaphoreOperation {
  num: number;
  op: number;
  flags: number;
}

/** A task that waits in semop(2), as data: what for is told by semctl(2) GETNCNT and GETZCNT. */
export interface SemaphoreWait {
  readonly set: SemaphoreSet;
  num: number;
  isForZero: boolean;
}

/** A set of System V semaphores, semget(2). */
export class SemaphoreSet extends IpcObject {
  readonly values: Uint16Array;
  /** Who operated last on each. */
  readonly lastPids: (Pid | null)[];
  operatedAt = 0;
  /** Told (POLLIN) when a value has changed or the set is removed. */
  readonly changed = new WaitQueue();
  /** Where the process lists of what is undone at exit have something for this set. */
  readonly undos = new Set<SemaphoreUndo>();
  readonly #waiters = new Set<Task>();
  readonly #before: Uint16Array;

  constructor(creator: Task, key: number, mode: number, count: number) {
    super(creator, key, mode);
    this.values = new Uint16Array(count);
    this.#before = new Uint16Array(count);
    this.lastPids = new Array<Pid | null>(count).fill(null);
  }

  get count(): number {
    return this.values.length;
  }

  /**
   * Does all operations or none, semop(2). Returns 0, -EAGAIN if it has to wait (`wait` says for which) and -ERANGE. An
   * EAGAIN of an operation with IPC_NOWAIT is told by `wait` being left alone.
   */
  operate(task: Task, ops: readonly SemaphoreOperation[], undo: SemaphoreUndo | null, wait: SemaphoreWait): number {
    for (const { num } of ops) this.#before[num] = this.values[num]!;
    const status = this.#apply(ops, undo, wait);
    if (status !== 0) {
      for (const { num } of ops) this.values[num] = this.#before[num]!;
      return status;
    }
    for (const { num, op, flags } of ops) {
      if ((flags & SEM_UNDO) !== 0) undo?.add(this, num, -op);
      this.lastPids[num] = task.threadGroup.leader.threadPid;
    }
    this.operatedAt = nowSeconds(task);
    if (ops.some(({ op }) => op !== 0)) this.changed.notify(POLLIN);
    return 0;
  }

  /** SETVAL and SETALL: what was to be undone is forgotten. */
  setValue(task: Task, num: number, value: number): void {
    this.values[num] = value;
    this.lastPids[num] = task.threadGroup.leader.threadPid;
    for (const undo of this.undos) undo.forget(this, num);
  }

  /** Adds what a process that exits has to undo; the value stays in its range. */
  undo(pid: Pid, num: number, adjustment: number): void {
    const value = this.values[num]! + adjustment;
    this.values[num] = Math.min(Math.max(value, 0), SEMAPHORE_VALUE_MAX);
    this.lastPids[num] = pid;
  }

  /** Notes that `task` waits; it stays noted until its wait is another. */
  addWaiter(task: Task): void {
    for (const waiter of this.#waiters) if (!isWaitingFor(waiter, this)) this.#waiters.delete(waiter);
    this.#waiters.add(task);
  }

  /** Tasks that wait for the value to grow, or to become zero. */
  waiterCount(num: number, isForZero: boolean): number {
    let count = 0;
    for (const waiter of this.#waiters) {
      if (!isWaitingFor(waiter, this)) continue;
      const wait = waiter.restart.object as SemaphoreWait;
      if (wait.num === num && wait.isForZero === isForZero) count++;
    }
    return count;
  }

  /** Stores a `struct semid64_ds` as `task` sees it; the memory is zero. */
  store(task: Task, mem: DataView, at: number): void {
    this.storePerm(task, mem, at);
    storeI64(mem, at + SEM_OTIME, this.operatedAt);
    storeI64(mem, at + SEM_CTIME, this.changedAt);
    storeI64(mem, at + SEM_NSEMS, this.count);
  }

  #apply(ops: readonly SemaphoreOperation[], undo: SemaphoreUndo | null, wait: SemaphoreWait): number {
    for (const { num, op, flags } of ops) {
      const value = this.values[num]! + op;
      const mustWait = op === 0 ? value !== 0 : value < 0;
      if (mustWait) {
        wait.num = (flags & IPC_NOWAIT) !== 0 ? -1 : num;
        wait.isForZero = op === 0;
        return -EAGAIN;
      }
      if (value > SEMAPHORE_VALUE_MAX) return -ERANGE;
      if ((flags & SEM_UNDO) !== 0 && undo !== null && !undo.mayAdd(this, num, -op)) return -ERANGE;
      this.values[num] = value;
    }
    return 0;
  }
}

function isWaitingFor(task: Task, set: SemaphoreSet): boolean {
  const isWaiting = task.state === TaskState.BLOCKED || task.state === TaskState.WOKEN;
  const object = task.restart.object as Partial<SemaphoreWait> | null;
  return isWaiting && object !== null && object.set === set;
}
