import {
  CAP_SYS_RESOURCE,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  RLIMIT_CPU,
  RLIMIT_NOFILE,
  RLIM_NLIMITS,
  RUSAGE_CHILDREN,
  RUSAGE_SELF,
  RUSAGE_THREAD,
  SIZEOF_RLIMIT,
  SIZEOF_RUSAGE,
  loadRlim,
  storeRlim,
  type SysResult,
} from '@tsv/abi';
import { NR_OPEN } from '../fd/fd-table.js';
import { CpuTimes } from '../task/cpu-times.js';
import { storeRusage } from '../task/resource-usage.js';
import type { Task } from '../task/task.js';
import { taskCpuMs } from '../time/cpu-clock.js';
import { watchCpuLimit } from '../time/cpu-limit.js';
import type { SyscallArgs } from './syscall-args.js';

/** getrlimit(2). Errors: EFAULT, EINVAL. */
export function sysGetrlimit(t: Task, a: SyscallArgs): SysResult {
  const resource = a.u32(0);
  const limitAddr = a.u64(1);
  return resource >= RLIM_NLIMITS ? -EINVAL : copyOutLimit(t, t, resource, limitAddr);
}

/** setrlimit(2). Errors: EFAULT, EINVAL, EPERM. */
export function sysSetrlimit(t: Task, a: SyscallArgs): SysResult {
  const resource = a.u32(0);
  const limitAddr = a.u64(1);
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  return setLimit(t, t, resource, limitAddr);
}

/** prlimit(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysPrlimit64(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const resource = a.u32(1);
  const newLimitAddr = a.u64(2);
  const oldLimitAddr = a.u64(3);
  if (resource >= RLIM_NLIMITS) return -EINVAL;
  const target = pid === 0 ? t : (t.pidNs.lookup(pid)?.task ?? null);
  if (target === null) return -ESRCH;
  if (!mayLimit(t, target)) return -EPERM;
  const { limits } = target.threadGroup;
  const soft = limits.soft(resource);
  const hard = limits.hard(resource);
  if (newLimitAddr !== 0) {
    const result = setLimit(t, target, resource, newLimitAddr);
    if (result < 0) return result;
  }
  return oldLimitAddr === 0 ? 0 : copyOut(t, soft, hard, oldLimitAddr);
}

/** getrusage(2). Errors: EFAULT, EINVAL. */
export function sysGetrusage(t: Task, a: SyscallArgs): SysResult {
  const who = a.i32(0);
  const usageAddr = a.u64(1);
  const group = t.threadGroup;
  const mem = t.kernel.scratchView;
  const residentBytes = Math.max(group.maxRssBytes, t.mm.rssBytes);
  if (who === RUSAGE_THREAD) {
    refresh(own, t);
    storeRusage(mem, 0, own, NONE, residentBytes, t.voluntarySwitchCount);
  } else if (who === RUSAGE_CHILDREN) {
    storeRusage(mem, 0, group.childTimes, NONE, group.childMaxRssBytes, group.childSwitchCount);
  } else if (who === RUSAGE_SELF) {
    own.clear();
    let switchCount = group.exitedSwitchCount;
    for (const task of group.tasks) {
      if (task.hasExited) continue;
      own.userMs += taskCpuMs(task) - task.times.systemMs;
      own.systemMs += task.times.systemMs;
      switchCount += task.voluntarySwitchCount;
    }
    storeRusage(mem, 0, own, group.exitedTimes, residentBytes, switchCount);
  } else {
    return -EINVAL;
  }
  return t.mm.copyOut(usageAddr, t.kernel.scratch, 0, SIZEOF_RUSAGE);
}

const NONE = new CpuTimes();
const own = new CpuTimes();

function refresh(times: CpuTimes, t: Task): void {
  times.systemMs = t.times.systemMs;
  times.userMs = taskCpuMs(t) - times.systemMs;
}

function mayLimit(t: Task, target: Task): boolean {
  if (t.threadGroup === target.threadGroup) return true;
  const { creds } = t;
  const to = target.creds;
  const isSameUser = creds.uid === to.uid && creds.uid === to.euid && creds.uid === to.suid;
  const isSameGroup = creds.gid === to.gid && creds.gid === to.egid && creds.gid === to.sgid;
  return (isSameUser && isSameGroup) || creds.hasCapIn(to.userNs, CAP_SYS_RESOURCE);
}

function setLimit(t: Task, target: Task, resource: number, limitAddr: number): SysResult {
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, limitAddr, SIZEOF_RLIMIT) < 0) return -EFAULT;
  const soft = loadRlim(mem, 0);
  const hard = loadRlim(mem, 8);
  const group = target.threadGroup;
  if (soft > hard) return -EINVAL;
  if (resource === RLIMIT_NOFILE && hard > NR_OPEN) return -EPERM;
  if (hard > group.limits.hard(resource) && !t.creds.hasCap(CAP_SYS_RESOURCE)) return -EPERM;
  group.limits.set(resource, soft, hard);
  if (resource === RLIMIT_NOFILE) for (const task of group.tasks) if (!task.hasExited) task.fds.limit = soft;
  if (resource === RLIMIT_CPU) watchCpuLimit(group);
  return 0;
}

function copyOutLimit(t: Task, target: Task, resource: number, limitAddr: number): SysResult {
  const { limits } = target.threadGroup;
  return copyOut(t, limits.soft(resource), limits.hard(resource), limitAddr);
}

function copyOut(t: Task, soft: number, hard: number, limitAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  storeRlim(scratchView, 0, soft);
  storeRlim(scratchView, 8, hard);
  return t.mm.copyOut(limitAddr, scratch, 0, SIZEOF_RLIMIT);
}
