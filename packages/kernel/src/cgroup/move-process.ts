import { EBUSY, EINVAL, ENOENT, EOPNOTSUPP, ESRCH, type Errno } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { Cgroup } from './cgroup.js';
import type { CgroupFileSystem } from './cgroup-file-system.js';

/**
 * A write of a process ID to cgroup.procs of `target`, 0 for the writer itself. Errors: EACCES, EBUSY for a cgroup that
 * shares out to its children, EINVAL, ENOENT beyond the cgroup namespace, ESRCH.
 */
export function moveProcess(fs: CgroupFileSystem, target: Cgroup, text: string, writer: Task): 0 | Errno {
  const task = taskNamed(text, writer);
  if (typeof task === 'number') return task;
  const group = task.threadGroup;
  const denied = checkMove(fs, group.cgroup, target, writer);
  if (denied < 0) return denied;
  group.cgroup.move(group, target);
  return 0;
}

/** A write of a thread ID to cgroup.threads. Differs: there are no threaded cgroups, so that no thread moves. */
export function moveThread(target: Cgroup, text: string, writer: Task): 0 | Errno {
  const task = taskNamed(text, writer);
  if (typeof task === 'number') return task;
  return task.threadGroup.cgroup === target ? 0 : -EOPNOTSUPP;
}

/** Whether `writer` may move a process from `source` to `target`. Errors: EACCES, EBUSY, ENOENT. */
export function checkMove(fs: CgroupFileSystem, source: Cgroup, target: Cgroup, writer: Task): 0 | Errno {
  const { root } = writer.ns.cgroup;
  const denied = fs.checkMoveWithin(commonAncestor(source, target), writer);
  if (denied < 0) return denied;
  if (!source.isBelow(root) || !target.isBelow(root)) return -ENOENT;
  return target.parent !== null && target.subtreeControl.size > 0 ? -EBUSY : 0;
}

function taskNamed(text: string, writer: Task): Task | Errno {
  if (!/^\d{1,10}$/.test(text)) return -EINVAL;
  const task = text === '0' ? writer : writer.pidNs.lookup(Number(text))?.task;
  return task == null || task.threadGroup.isZombie ? -ESRCH : task;
}

function commonAncestor(a: Cgroup, b: Cgroup): Cgroup {
  let common = a;
  while (common.parent !== null && !b.isBelow(common)) common = common.parent;
  return common;
}
