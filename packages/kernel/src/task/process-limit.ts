import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE, EAGAIN, RLIMIT_NPROC } from '@tsv/abi';
import type { Task } from './task.js';

/** RLIMIT_NPROC for another thread of the user of `task`, getrlimit(2). Returns 0. Errors: EAGAIN. */
export function checkProcessLimit(task: Task): number {
  const { kernel, creds } = task;
  const limit = task.threadGroup.limits.soft(RLIMIT_NPROC);
  if (kernel.tasks.taskCount < limit || creds.uid === 0) return 0;
  if (creds.hasCap(CAP_SYS_RESOURCE) || creds.hasCap(CAP_SYS_ADMIN)) return 0;
  let count = 0;
  for (const group of kernel.tasks.threadGroups()) {
    for (const thread of group.tasks) if (thread.creds.uid === creds.uid) count++;
  }
  return count < limit ? 0 : -EAGAIN;
}
