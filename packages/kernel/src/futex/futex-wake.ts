import type { Task } from '../task/task.js';

/** Wakes up to `countMax` waiters of the futex at `addr` in the memory of `task`, shared or private. Returns how many. */
export function wakeFutex(task: Task, addr: number, countMax: number): number {
  const { kernel, mm } = task;
  const woken = kernel.futexes.wake(mm, addr, countMax, ~0);
  if (woken >= countMax) return woken;
  const key = mm.futexKey(addr, false);
  return Number.isNaN(key) ? woken : woken + kernel.futexes.wake(null, key, countMax - woken, ~0);
}
