import { CAP_KILL, EPERM, SIGCONT } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';

/** Whether `task` may send `signo` (0 to ask) to `target`, kill(2). Returns 0. Errors: EPERM. */
export function checkKill(task: Task, target: Task, signo: number): number {
  if (target.threadGroup === task.threadGroup) return 0;
  const from = task.creds;
  const to = target.creds;
  if (from.euid === to.suid || from.euid === to.uid || from.uid === to.suid || from.uid === to.uid) return 0;
  if (from.hasCapIn(to.userNs, CAP_KILL)) return 0;
  return signo === SIGCONT && isSameSession(task.threadGroup, target.threadGroup) ? 0 : -EPERM;
}

function isSameSession(a: ThreadGroup, b: ThreadGroup): boolean {
  return a.session === b.session;
}
