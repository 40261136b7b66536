import { EAGAIN, EFAULT, EINVAL, ERESTARTSYS, ERESTART_RESTARTBLOCK, ETIMEDOUT } from '@tsv/abi';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { FutexWaiter } from './futex-table.js';

/** `restart.phase` of a call whose waiter is queued. */
export const PHASE_QUEUED = 1;

/** The waiter of `task`, made at its first wait. */
export function waiterOf(task: Task): FutexWaiter {
  task.futexWaiter ??= new FutexWaiter(task);
  return task.futexWaiter;
}

/**
 * Sleeps while the word at `addr` holds `expected`, until a wake that meets `bitset` or `restart.deadlineMs`. Returns
 * 0 when woken, and BLOCKED. Errors: EAGAIN, EFAULT, EINVAL, ETIMEDOUT, and a restart code when a signal comes.
 */
export function waitFutex(task: Task, addr: number, isPrivate: boolean, expected: number, bitset: number): number {
  const { restart, kernel } = task;
  const waiter = waiterOf(task);
  if (restart.phase !== PHASE_QUEUED) {
    if (addr % 4 !== 0 || bitset === 0) return -EINVAL;
    const key = task.mm.futexKey(addr, isPrivate);
    const value = task.mm.load32(addr);
    if (Number.isNaN(key) || Number.isNaN(value)) return -EFAULT;
    if (value >>> 0 !== expected) return -EAGAIN;
    kernel.futexes.add(waiter, task.mm.futexMm(addr, isPrivate), key, bitset);
    restart.phase = PHASE_QUEUED;
  } else if (waiter.isWoken) {
    return 0;
  }
  return sleepQueued(task, waiter);
}

/** The waiter is queued and not woken: the task sleeps, unless its time is over or a signal is due. */
export function sleepQueued(task: Task, waiter: FutexWaiter): number {
  const { restart, kernel } = task;
  const { deadlineMs } = restart;
  let result = -ETIMEDOUT;
  if (deadlineMs === Infinity) {
    result = task.block(ERESTARTSYS);
  } else if (kernel.clock.monotonicMs() < deadlineMs) {
    task.wait.until(deadlineMs);
    result = task.block(ERESTART_RESTARTBLOCK);
  }
  if (result === BLOCKED) return BLOCKED;
  kernel.futexes.remove(waiter);
  restart.phase = 0;
  return result;
}

/** The thread ends: it waits for no futex any more. */
export function leaveFutexes(task: Task): void {
  if (task.futexWaiter !== null) task.kernel.futexes.remove(task.futexWaiter);
  if (task.futexVector !== null) for (const waiter of task.futexVector) task.kernel.futexes.remove(waiter);
}
