import { CAP_SYS_PTRACE } from '@tsv/abi';
import type { Task } from '../task/task.js';

/** Whether `task` may look into `target`, as ptrace(2) "Ptrace access mode checking" says for real credentials. */
export function mayInspect(task: Task, target: Task): boolean {
  if (task.threadGroup === target.threadGroup) return true;
  const from = task.creds;
  const to = target.creds;
  const isSameUser =
    from.uid === to.uid &&
    from.uid === to.euid &&
    from.uid === to.suid &&
    from.gid === to.gid &&
    from.gid === to.egid &&
    from.gid === to.sgid;
  const hasCap = from.hasCapIn(to.userNs, CAP_SYS_PTRACE);
  if (!isSameUser && !hasCap) return false;
  if (target.threadGroup.dumpable !== 1 && !hasCap) return false;
  return hasCap || to.permitted.isSubsetOf(from.permitted);
}
