import {
  CAP_SYS_NICE,
  E2BIG,
  EACCES,
  EFAULT,
  EINVAL,
  ENOSYS,
  EPERM,
  ESRCH,
  PRIO_PGRP,
  PRIO_PROCESS,
  PRIO_USER,
  RLIMIT_NICE,
  RLIMIT_RTPRIO,
  SCHED_ATTR_SIZE_VER0,
  SCHED_BATCH,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_IDLE,
  SCHED_OTHER,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
  SIZEOF_TIMESPEC,
  SYS_getcpu,
  loadU64,
  storeI64,
  storeTimespecMs,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const RT_PRIORITY_MAX = 99;
const NICE_MIN = -20;
const NICE_MAX = 19;
/** sched_rr_get_interval(2) of SCHED_RR. */
const RR_INTERVAL_MS = 100;
/** `flags` of `struct sched_attr` that exist. */
const SCHED_FLAG_RESET_ON_FORK = 1;
const SCHED_FLAGS_ALL = 0x7f;

/** sched_yield(2). */
export function sysSchedYield(): SysResult {
  return 0;
}

/** sched_setaffinity(2). Kept and told; the host decides. Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysSchedSetaffinity(t: Task, a: SyscallArgs): SysResult {
  const target = taskOf(t, a.i32(0));
  const bytes = Math.min(a.u32(1), maskBytes(t));
  const maskAddr = a.u64(2);
  const { scratch } = t.kernel;
  scratch.fill(0, 0, maskBytes(t));
  if (t.mm.copyIn(scratch, 0, maskAddr, bytes) < 0) return -EFAULT;
  if (target === null) return -ESRCH;
  if (!maySchedule(t, target)) return -EPERM;
  const affinity = scratch.slice(0, maskBytes(t));
  let isAny = false;
  for (let cpu = 0; cpu < affinity.length * 8; cpu++) {
    const bit = 1 << (cpu & 7);
    if (cpu >= t.kernel.cpuCount) affinity[cpu >> 3]! &= ~bit;
    else if ((affinity[cpu >> 3]! & bit) !== 0) isAny = true;
  }
  if (!isAny) return -EINVAL;
  target.scheduling.affinity = affinity;
  target.context.forgetAnswers?.();
  return 0;
}

/** sched_getaffinity(2): returns the bytes written, as the system call does. Errors: EFAULT, EINVAL, ESRCH. */
export function sysSchedGetaffinity(t: Task, a: SyscallArgs): SysResult {
  const target = taskOf(t, a.i32(0));
  const bytes = a.u32(1);
  const maskAddr = a.u64(2);
  if (bytes * 8 < t.kernel.cpuCount || bytes % 8 !== 0) return -EINVAL;
  if (target === null) return -ESRCH;
  const count = maskBytes(t);
  const { scratch } = t.kernel;
  const { affinity } = target.scheduling;
  for (let i = 0; i < count; i++) scratch[i] = affinity.length > 0 ? affinity[i]! : presentCpus(t, i);
  const written = Math.min(bytes, count);
  return t.mm.copyOut(maskAddr, scratch, 0, written) < 0 ? -EFAULT : written;
}

/** sched_setscheduler(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysSchedSetscheduler(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const policy = a.i32(1);
  const priority = t.mm.load32(a.u64(2));
  if (policy < 0 || pid < 0) return -EINVAL;
  if (Number.isNaN(priority)) return -EFAULT;
  return setPolicy(
    t,
    taskOf(t, pid),
    policy & ~SCHED_RESET_ON_FORK,
    priority | 0,
    (policy & SCHED_RESET_ON_FORK) !== 0,
  );
}

/** sched_setparam(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysSchedSetparam(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const priority = t.mm.load32(a.u64(1));
  if (pid < 0) return -EINVAL;
  if (Number.isNaN(priority)) return -EFAULT;
  const target = taskOf(t, pid);
  if (target === null) return -ESRCH;
  return setPolicy(t, target, target.scheduling.policy, priority | 0, target.scheduling.resetsOnFork);
}

/** sched_getscheduler(2). Errors: EINVAL, ESRCH. */
export function sysSchedGetscheduler(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  if (pid < 0) return -EINVAL;
  const target = taskOf(t, pid);
  if (target === null) return -ESRCH;
  return target.scheduling.policy | (target.scheduling.resetsOnFork ? SCHED_RESET_ON_FORK : 0);
}

/** sched_getparam(2). Errors: EFAULT, EINVAL, ESRCH. */
export function sysSchedGetparam(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const paramAddr = a.u64(1);
  if (pid < 0 || paramAddr === 0) return -EINVAL;
  const target = taskOf(t, pid);
  return target === null ? -ESRCH : t.mm.store32(paramAddr, target.scheduling.priority);
}

/** `struct sched_attr` as far as it is known here: with the limits of utilization. */
const SCHED_ATTR_BYTES = 56;

/** sched_setattr(2). Errors: E2BIG, EFAULT, EINVAL, EPERM, ESRCH. */
export function sysSchedSetattr(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const attrAddr = a.u64(1);
  const flags = a.u32(2);
  if (attrAddr === 0 || pid < 0 || flags !== 0) return -EINVAL;
  const { scratch, scratchView: mem } = t.kernel;
  const given = t.mm.load32(attrAddr);
  if (Number.isNaN(given)) return -EFAULT;
  const bytes = given === 0 ? SCHED_ATTR_SIZE_VER0 : given;
  if (bytes < SCHED_ATTR_SIZE_VER0 || bytes > 4096) return tellAttrSize(t, attrAddr);
  if (t.mm.copyIn(scratch, 0, attrAddr, bytes) < 0) return -EFAULT;
  // Fields that we do not know may be there, but say nothing.
  if (scratch.subarray(SCHED_ATTR_BYTES, bytes).some((byte) => byte !== 0)) return tellAttrSize(t, attrAddr);
  const target = taskOf(t, pid);
  if (target === null) return -ESRCH;
  const attrFlags = loadU64(mem, 8);
  if (attrFlags > SCHED_FLAGS_ALL) return -EINVAL;
  const nice = mem.getInt32(16, true);
  const policy = mem.getInt32(4, true);
  const result = setPolicy(t, target, policy, mem.getInt32(20, true), (attrFlags & SCHED_FLAG_RESET_ON_FORK) !== 0);
  if (result < 0 || (policy !== SCHED_OTHER && policy !== SCHED_BATCH)) return result;
  return setNice(t, target, nice);
}

/** Stores in a `struct sched_attr` how large it is here. Returns -E2BIG, or -EFAULT. */
function tellAttrSize(t: Task, attrAddr: number): Errno {
  return t.mm.store32(attrAddr, SCHED_ATTR_BYTES) < 0 ? -EFAULT : -E2BIG;
}

/** sched_getattr(2). Errors: EFAULT, EINVAL, ESRCH. */
export function sysSchedGetattr(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const attrAddr = a.u64(1);
  const bytes = a.u32(2);
  const flags = a.u32(3);
  if (attrAddr === 0 || pid < 0 || bytes > 4096 || bytes < SCHED_ATTR_SIZE_VER0 || flags !== 0) return -EINVAL;
  const target = taskOf(t, pid);
  if (target === null) return -ESRCH;
  const { scratch, scratchView: mem } = t.kernel;
  const s = target.scheduling;
  scratch.fill(0, 0, SCHED_ATTR_SIZE_VER0);
  mem.setUint32(0, SCHED_ATTR_SIZE_VER0, true);
  mem.setUint32(4, s.policy, true);
  storeI64(mem, 8, s.resetsOnFork ? SCHED_FLAG_RESET_ON_FORK : 0);
  mem.setInt32(16, s.policy === SCHED_OTHER || s.policy === SCHED_BATCH ? s.nice : 0, true);
  mem.setUint32(20, s.priority, true);
  return t.mm.copyOut(attrAddr, scratch, 0, SCHED_ATTR_SIZE_VER0);
}

/** sched_get_priority_max(2). Errors: EINVAL. */
export function sysSchedGetPriorityMax(_t: Task, a: SyscallArgs): SysResult {
  const policy = a.i32(0);
  if (policy === SCHED_FIFO || policy === SCHED_RR) return RT_PRIORITY_MAX;
  return isPolicy(policy) ? 0 : -EINVAL;
}

/** sched_get_priority_min(2). Errors: EINVAL. */
export function sysSchedGetPriorityMin(_t: Task, a: SyscallArgs): SysResult {
  const policy = a.i32(0);
  if (policy === SCHED_FIFO || policy === SCHED_RR) return 1;
  return isPolicy(policy) ? 0 : -EINVAL;
}

/** sched_rr_get_interval(2). Errors: EFAULT, EINVAL, ESRCH. */
export function sysSchedRrGetInterval(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const intervalAddr = a.u64(1);
  if (pid < 0) return -EINVAL;
  const target = taskOf(t, pid);
  if (target === null) return -ESRCH;
  storeTimespecMs(t.kernel.scratchView, 0, target.scheduling.policy === SCHED_RR ? RR_INTERVAL_MS : 0);
  return t.mm.copyOut(intervalAddr, t.kernel.scratch, 0, SIZEOF_TIMESPEC);
}

/** getpriority(2): 20 minus the nice value, as the system call returns it. Errors: EINVAL, ESRCH. */
export function sysGetpriority(t: Task, a: SyscallArgs): SysResult {
  const targets = priorityTargets(t, a.i32(0), a.i32(1));
  if (typeof targets === 'number') return targets;
  let best = -ESRCH;
  for (const target of targets) best = Math.max(best, 20 - target.scheduling.nice);
  return best;
}

/** setpriority(2). Errors: EACCES, EINVAL, EPERM, ESRCH. */
export function sysSetpriority(t: Task, a: SyscallArgs): SysResult {
  const nice = Math.max(NICE_MIN, Math.min(NICE_MAX, a.i32(2)));
  const targets = priorityTargets(t, a.i32(0), a.i32(1));
  if (typeof targets === 'number') return targets;
  let result = -ESRCH;
  for (const target of targets) {
    const one = maySchedule(t, target) ? setNice(t, target, nice) : -EPERM;
    if (one < 0) result = one === -EPERM ? -EPERM : -EACCES;
    else if (result === -ESRCH) result = 0;
  }
  return result;
}

/**
 * getcpu(2). Threads do not know where the host runs them; each is told one CPU that it may use, from then on by the vDSO if
 * the platform has a place for it. Errors: EFAULT.
 */
export function sysGetcpu(t: Task, a: SyscallArgs): SysResult {
  const cpuAddr = a.u64(0);
  const nodeAddr = a.u64(1);
  const cpu = t.answer(SYS_getcpu, cpuOf(t));
  if (cpuAddr !== 0 && t.mm.store32(cpuAddr, cpu) < 0) return -EFAULT;
  return nodeAddr === 0 ? 0 : t.mm.store32(nodeAddr, 0);
}

/** A CPU of those that sched_setaffinity(2) allows: another for each thread. */
function cpuOf(t: Task): number {
  const { affinity } = t.scheduling;
  const { cpuCount } = t.kernel;
  for (let i = 0; i < cpuCount; i++) {
    const cpu = (t.tid + i) % cpuCount;
    if (affinity.length === 0 || (affinity[cpu >> 3]! & (1 << (cpu & 7))) !== 0) return cpu;
  }
  return 0;
}

/**
 * rseq(2). Differs: ENOSYS, as of a kernel without it. The kernel would have to hear of each preemption by the host to
 * restart the sequence it interrupts; libraries fall back to atomic operations.
 */
export function sysRseq(): SysResult {
  return -ENOSYS;
}

function isPolicy(policy: number): boolean {
  return (policy >= SCHED_OTHER && policy <= SCHED_BATCH) || policy === SCHED_IDLE || policy === SCHED_DEADLINE;
}

function setPolicy(t: Task, target: Task | null, policy: number, priority: number, resetsOnFork: boolean): SysResult {
  if (target === null) return -ESRCH;
  if (!isPolicy(policy) || policy === SCHED_DEADLINE) return -EINVAL;
  const isRealtime = policy === SCHED_FIFO || policy === SCHED_RR;
  if (isRealtime ? priority < 1 || priority > RT_PRIORITY_MAX : priority !== 0) return -EINVAL;
  if (!t.creds.hasCap(CAP_SYS_NICE)) {
    if (!maySchedule(t, target)) return -EPERM;
    const { scheduling, threadGroup } = target;
    const limit = threadGroup.limits.soft(RLIMIT_RTPRIO);
    const wasRealtime = scheduling.policy === SCHED_FIFO || scheduling.policy === SCHED_RR;
    if (isRealtime && (!wasRealtime || policy !== scheduling.policy) && limit === 0) return -EPERM;
    if (isRealtime && priority > scheduling.priority && priority > limit) return -EPERM;
    if (scheduling.resetsOnFork && !resetsOnFork) return -EPERM;
  }
  target.scheduling.policy = policy;
  target.scheduling.priority = priority;
  target.scheduling.resetsOnFork = resetsOnFork;
  return 0;
}

/** Errors: EACCES when the limit or the lack of CAP_SYS_NICE forbids a lower value. */
function setNice(t: Task, target: Task, nice: number): SysResult {
  const bounded = Math.max(NICE_MIN, Math.min(NICE_MAX, nice));
  const floor = 20 - target.threadGroup.limits.soft(RLIMIT_NICE);
  if (bounded < target.scheduling.nice && bounded < floor && !t.creds.hasCap(CAP_SYS_NICE)) return -EACCES;
  target.scheduling.nice = bounded;
  return 0;
}

/** Whether `t` may change how `target` is scheduled: its own, or CAP_SYS_NICE. */
export function maySchedule(t: Task, target: Task): boolean {
  const { creds } = t;
  return (
    creds.euid === target.creds.uid ||
    creds.euid === target.creds.euid ||
    creds.hasCapIn(target.creds.userNs, CAP_SYS_NICE)
  );
}

/** Whom PRIO_* and `who` mean, getpriority(2). Errors: EINVAL, ESRCH. */
export function priorityTargets(t: Task, which: number, who: number): Task[] | number {
  if (which === PRIO_PROCESS) {
    const target = taskOf(t, who);
    return target === null ? -ESRCH : [target];
  }
  if (which === PRIO_PGRP) {
    const group = who === 0 ? t.threadGroup.processGroup : t.pidNs.lookup(who)?.processGroup;
    if (group === undefined || group === null) return -ESRCH;
    return [...group.members].flatMap((member) => member.tasks);
  }
  if (which !== PRIO_USER) return -EINVAL;
  const uid = who === 0 ? t.creds.uid : t.creds.userNs.uidToKernel(who >>> 0);
  const targets: Task[] = [];
  for (const pid of t.pidNs.pids()) if (pid.task !== null && pid.task.creds.uid === uid) targets.push(pid.task);
  return targets;
}

function taskOf(t: Task, tid: number): Task | null {
  return tid === 0 ? t : (t.pidNs.lookup(tid)?.task ?? null);
}

/** Bytes of a CPU mask as the kernel keeps it: whole 64-bit words. */
function maskBytes(t: Task): number {
  return Math.ceil(t.kernel.cpuCount / 64) * 8;
}

function presentCpus(t: Task, byteIndex: number): number {
  const count = t.kernel.cpuCount - byteIndex * 8;
  return count >= 8 ? 0xff : count <= 0 ? 0 : (1 << count) - 1;
}
