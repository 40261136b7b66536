import type { Task } from '../task/task.js';

/** Wakes up to `countMax` waiters of the futex at `addr` in the memory of `task`, as FUTEX_WAKE does. Returns how many. */
export function wakeFutex(task: Task, addr: number, countMax: number): number {
  const { kernel, mm } = task;
  const key = mm.futexKey(addr, false);
  return Number.isNaN(key) ? 0 : kernel.futexes.wake(mm.futexMm(addr, false), key, countMax, ~0);
}
