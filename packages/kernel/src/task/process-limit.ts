import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE, EAGAIN, RLIMIT_NPROC } from '@tsv/abi';
import type { Task } from './task.js';

/** Threads that may exist at once, zombies included, /proc/sys/kernel/threads-max: each takes memory of the kernel. */
export const THREAD_COUNT_MAX = 32_768;

/** Whether there may be another thread, clone(2): of all, and by RLIMIT_NPROC of the user of `task`. Errors: EAGAIN. */
export function checkProcessLimit(task: Task): number {
  const { kernel, creds } = task;
  if (kernel.tasks.taskCount >= THREAD_COUNT_MAX) return -EAGAIN;
  const limit = task.threadGroup.limits.soft(RLIMIT_NPROC);
  if (kernel.tasks.taskCount < limit || creds.uid === 0) return 0;
  if (creds.hasCap(CAP_SYS_RESOURCE) || creds.hasCap(CAP_SYS_ADMIN)) return 0;
  let count = 0;
  for (const group of kernel.tasks.threadGroups()) {
    for (const thread of group.tasks) if (thread.creds.uid === creds.uid) count++;
  }
  return count < limit ? 0 : -EAGAIN;
}
