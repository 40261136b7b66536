import type { Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';

/** CPU time of a thread up to now, in milliseconds. Time is told apart by the dispatcher's looks at the clock. */
export function taskCpuMs(task: Task): number {
  const { times } = task;
  if (!task.isInGuest) return times.userMs + times.systemMs;
  return times.userMs + times.systemMs + Math.max(0, task.kernel.clock.monotonicMs() - task.resumedMs);
}

/** CPU time of a process up to now, in milliseconds: threads that have exited included, children not. */
export function processCpuMs(group: ThreadGroup): number {
  let ms = group.exitedTimes.userMs + group.exitedTimes.systemMs;
  for (const task of group.tasks) if (!task.hasExited) ms += taskCpuMs(task);
  return ms;
}
