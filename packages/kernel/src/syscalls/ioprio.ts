import { CAP_SYS_ADMIN, CAP_SYS_NICE, EINVAL, EPERM, ESRCH, type SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import { maySchedule, priorityTargets } from './sched.js';
import type { SyscallArgs } from './syscall-args.js';

/** `linux/ioprio.h`: a class above a level. IOPRIO_WHO_* are one more than PRIO_*. */
const CLASS_SHIFT = 13;
const CLASS_NONE = 0;
const CLASS_RT = 1;
const CLASS_BE = 2;
const CLASS_IDLE = 3;
const LEVEL_MASK = 7;

/** ioprio_set(2). Kept and told: the host decides on the order of its I/O. Errors: EINVAL, EPERM, ESRCH. */
export function sysIoprioSet(t: Task, a: SyscallArgs): SysResult {
  const which = a.i32(0);
  const who = a.i32(1);
  const ioprio = a.i32(2);

  const ioClass = ioprio >> CLASS_SHIFT;
  if (ioClass === CLASS_NONE) {
    if ((ioprio & LEVEL_MASK) !== 0) return -EINVAL;
  } else if (ioClass === CLASS_RT) {
    if (!t.creds.hasCap(CAP_SYS_ADMIN) && !t.creds.hasCap(CAP_SYS_NICE)) return -EPERM;
  } else if (ioClass !== CLASS_BE && ioClass !== CLASS_IDLE) {
    return -EINVAL;
  }
  const targets = priorityTargets(t, which - 1, who);
  if (typeof targets === 'number') return targets;
  if (targets.some((target) => !maySchedule(t, target))) return -EPERM;
  for (const target of targets) target.scheduling.ioPriority = ioprio;
  return targets.length === 0 ? -ESRCH : 0;
}

/** ioprio_get(2): the best of those asked for. Errors: EINVAL, ESRCH. */
export function sysIoprioGet(t: Task, a: SyscallArgs): SysResult {
  const which = a.i32(0);
  const who = a.i32(1);

  const targets = priorityTargets(t, which - 1, who);
  if (typeof targets === 'number') return targets;
  if (targets.length === 0) return -ESRCH;
  return targets.map((target) => target.scheduling.ioPriority).reduce(better);
}

/** The one of the lower class and level; none at all counts as best effort in the middle. */
function better(one: number, other: number): number {
  const rank = (ioprio: number): number =>
    ioprio >> CLASS_SHIFT === CLASS_NONE ? (CLASS_BE << CLASS_SHIFT) | 4 : ioprio;
  return rank(other) < rank(one) ? other : one;
}
