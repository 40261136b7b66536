import { EFAULT, EINVAL, EPERM, ESRCH, NSIG, SIZEOF_SIGINFO, SI_TKILL, SI_USER, type SysResult } from '@tsv/abi';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import { sendSignal } from '../signal/send-signal.js';
import { loadQueuedSigInfo, userSignal, type SigInfo } from '../signal/sig-info.js';
import { checkKill } from '../signal/signal-permission.js';
import type { Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import type { SyscallArgs } from './syscall-args.js';

const INT_MIN = -0x8000_0000;

/** kill(2). Errors: EINVAL, EPERM, ESRCH. */
export function sysKill(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const signo = a.i32(1);
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (pid === INT_MIN) return -ESRCH;

  if (pid > 0) {
    const group = t.pidNs.lookup(pid)?.task?.threadGroup;
    return group === undefined ? -ESRCH : killGroup(t, group, signo);
  }
  if (pid === -1) return killAll(t, signo);
  const target = pid === 0 ? t.threadGroup.processGroup : t.pidNs.lookup(-pid)?.processGroup;
  return target === undefined || target === null ? -ESRCH : killEach(t, [...target.members], signo);
}

/** tkill(2). Errors: EINVAL, EPERM, ESRCH. */
export function sysTkill(t: Task, a: SyscallArgs): SysResult {
  const tid = a.i32(0);
  const signo = a.i32(1);
  if (tid <= 0) return -EINVAL;
  return killTask(t, null, tid, signo, null);
}

/** tgkill(2). Errors: EINVAL, EPERM, ESRCH. */
export function sysTgkill(t: Task, a: SyscallArgs): SysResult {
  const tgid = a.i32(0);
  const tid = a.i32(1);
  const signo = a.i32(2);
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  return killTask(t, tgid, tid, signo, null);
}

/** rt_sigqueueinfo(2). Errors: EAGAIN, EFAULT, EINVAL, EPERM, ESRCH. */
export function sysRtSigqueueinfo(t: Task, a: SyscallArgs): SysResult {
  const tgid = a.i32(0);
  const signo = a.i32(1);
  const infoAddr = a.u64(2);
  const info = copyInSigInfo(t, infoAddr, signo);
  if (typeof info === 'number') return info;
  const group = t.pidNs.lookup(tgid)?.task?.threadGroup;
  if (isForged(info) && group !== t.threadGroup) return -EPERM;
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (group === undefined) return -ESRCH;
  const error = checkKill(t, group.leader, signo);
  return error < 0 || signo === 0 ? error : sendSignal(group, info);
}

/** rt_tgsigqueueinfo(2). Errors: EAGAIN, EFAULT, EINVAL, EPERM, ESRCH. */
export function sysRtTgsigqueueinfo(t: Task, a: SyscallArgs): SysResult {
  const tgid = a.i32(0);
  const tid = a.i32(1);
  const signo = a.i32(2);
  const infoAddr = a.u64(3);
  const info = copyInSigInfo(t, infoAddr, signo);
  if (typeof info === 'number') return info;
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  const target = t.pidNs.lookup(tid)?.task;
  if (isForged(info) && target !== t) return -EPERM;
  return killTask(t, tgid, tid, signo, info);
}

/** Whether a process pretends that another than it made the signal: only the kernel uses such codes. */
export function isForged(info: SigInfo): boolean {
  return info.code >= 0 || info.code === SI_TKILL;
}

/** Reads the siginfo of a process. Errors: EFAULT. */
export function copyInSigInfo(t: Task, addr: number, signo: number): SigInfo | number {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SIGINFO) < 0) return -EFAULT;
  return loadQueuedSigInfo(scratchView, 0, signo);
}

/** A signal from `t` as a receiver in `ns` sees it. */
export function signalFrom(t: Task, ns: PidNamespace, target: Task, signo: number, code: number): SigInfo {
  const info = userSignal(signo, code, t.threadGroup.pidIn(ns), target.creds.userNs.uidInside(t.creds.uid));
  info.isForced = t.pidNs !== ns && t.pidNs.contains(ns);
  return info;
}

function killGroup(t: Task, group: ThreadGroup, signo: number): SysResult {
  const error = checkKill(t, group.leader, signo);
  if (error < 0 || signo === 0) return error;
  return sendSignal(group, signalFrom(t, group.pidNs, group.leader, signo, SI_USER));
}

/** Succeeds if one of the groups could be signalled. */
function killEach(t: Task, groups: readonly ThreadGroup[], signo: number): SysResult {
  let result = -ESRCH;
  for (const group of groups) {
    const one = killGroup(t, group, signo);
    if (one === 0) result = 0;
    else if (result !== 0) result = one;
  }
  return result;
}

/** Every process that `t` sees and may signal, but for process 1 and its own. */
function killAll(t: Task, signo: number): SysResult {
  const groups: ThreadGroup[] = [];
  for (const pid of t.pidNs.pids()) {
    const task = pid.task;
    if (task === null || !task.isLeader) continue;
    if (task.threadGroup !== t.threadGroup && pid.in(t.pidNs) > 1) groups.push(task.threadGroup);
  }
  let result = -ESRCH;
  for (const group of groups) {
    const one = killGroup(t, group, signo);
    if (one !== -EPERM) result = one;
  }
  return result;
}

function killTask(t: Task, tgid: number | null, tid: number, signo: number, queued: SigInfo | null): SysResult {
  if (signo < 0 || signo > NSIG) return -EINVAL;
  const target = t.pidNs.lookup(tid)?.task ?? null;
  if (target === null) return -ESRCH;
  if (tgid !== null && target.threadGroup.pidIn(t.pidNs) !== tgid) return -ESRCH;
  const error = checkKill(t, target, signo);
  if (error < 0 || signo === 0) return error;
  const info = queued ?? signalFrom(t, target.pidNs, target, signo, SI_TKILL);
  return sendSignal(target, info);
}
