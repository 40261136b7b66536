import {
  EAGAIN,
  EBADF,
  ECHILD,
  EFAULT,
  EINVAL,
  ESRCH,
  POLLIN,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  SIGCHLD,
  SIZEOF_RUSAGE,
  SIZEOF_SIGINFO,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
  __WALL,
  __WCLONE,
  __WNOTHREAD,
  type SysResult,
} from '@tsv/abi';
import { SigInfo, storeSigInfo } from '../signal/sig-info.js';
import { PidFile } from '../task/pid-file.js';
import { storeRusage } from '../task/resource-usage.js';
import type { Task } from '../task/task.js';
import { WaitedChild, WaitResult, WaitTarget, waitChild } from '../task/wait-child.js';
import type { SyscallArgs } from './syscall-args.js';

const WAIT4_OPTIONS = WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
const WAITID_OPTIONS = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL;
const INT_MIN = -0x8000_0000;

const target = new WaitTarget();
const found = new WaitedChild();

/** wait4(2). Errors: ECHILD, EFAULT, EINVAL, EINTR, ESRCH. */
export function sysWait4(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const statusAddr = a.u64(1);
  const options = a.u32(2);
  const rusageAddr = a.u64(3);
  if ((options & ~WAIT4_OPTIONS) !== 0) return -EINVAL;
  if (pid === INT_MIN) return -ESRCH;

  selectByPid(t, pid);
  const result = waitChild(t, target, options | WEXITED, found);
  if (result === WaitResult.NO_CHILD) return -ECHILD;
  if (result === WaitResult.NOTHING_YET) return nothingYet(t, options);
  const { pid: childPid, status } = found;
  if (statusAddr !== 0 && t.mm.store32(statusAddr, status) < 0) return -EFAULT;
  return rusageAddr === 0 ? childPid : copyOutRusage(t, rusageAddr) || childPid;
}

/** waitid(2), with the kernel's fifth argument. Errors: EAGAIN, EBADF, ECHILD, EFAULT, EINVAL, EINTR. */
export function sysWaitid(t: Task, a: SyscallArgs): SysResult {
  const type = a.i32(0);
  const id = a.i32(1);
  const infoAddr = a.u64(2);
  const options = a.u32(3);
  const rusageAddr = a.u64(4);
  if ((options & ~WAITID_OPTIONS) !== 0) return -EINVAL;
  if ((options & (WEXITED | WSTOPPED | WCONTINUED)) === 0) return -EINVAL;

  const selected = selectByType(t, type, id);
  if (selected < 0) return selected;
  const result = waitChild(t, target, options, found);
  if (result === WaitResult.NO_CHILD) return -ECHILD;
  const isFound = result === WaitResult.FOUND;
  if (!isFound && type === P_PIDFD && t.fds.get(id)?.isNonblocking === true) return -EAGAIN;
  if (!isFound && (options & WNOHANG) === 0) return nothingYet(t, options);
  if (infoAddr !== 0 && copyOutInfo(t, infoAddr, isFound) < 0) return -EFAULT;
  return rusageAddr === 0 || !isFound ? 0 : copyOutRusage(t, rusageAddr);
}

function nothingYet(t: Task, options: number): SysResult {
  return (options & WNOHANG) !== 0 ? 0 : t.waitOn(t.threadGroup.childExited, POLLIN);
}

function selectByPid(t: Task, pid: number): void {
  target.type = pid === -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
  target.group = pid > 0 ? groupOf(t, pid) : null;
  target.tid = pid;
  if (pid === 0) target.processGroup = t.threadGroup.processGroup;
  else target.processGroup = pid < -1 ? (t.pidNs.lookup(-pid)?.processGroup ?? null) : null;
}

function selectByType(t: Task, type: number, id: number): SysResult {
  target.type = type;
  target.group = null;
  target.processGroup = null;
  if (type === P_ALL) return 0;
  if (type === P_PID) {
    if (id <= 0) return -EINVAL;
    target.tid = id;
    target.group = groupOf(t, id);
    return 0;
  }
  if (type === P_PGID) {
    if (id < 0) return -EINVAL;
    target.processGroup = id === 0 ? t.threadGroup.processGroup : (t.pidNs.lookup(id)?.processGroup ?? null);
    return 0;
  }
  if (type !== P_PIDFD || id < 0) return -EINVAL;
  const file = t.fds.get(id);
  if (!(file instanceof PidFile)) return -EBADF;
  target.group = file.threadGroup;
  return 0;
}

function groupOf(t: Task, pid: number): WaitTarget['group'] {
  const task = t.pidNs.lookup(pid)?.task ?? null;
  return task !== null && task.isLeader ? task.threadGroup : null;
}

function copyOutInfo(t: Task, addr: number, isFound: boolean): SysResult {
  const { scratch, scratchView } = t.kernel;
  if (!isFound) {
    scratch.fill(0, 0, SIZEOF_SIGINFO);
  } else {
    const info = new SigInfo(SIGCHLD, found.code);
    info.pid = found.pid;
    info.uid = found.uid;
    info.status = found.sigStatus;
    storeSigInfo(scratchView, 0, info);
  }
  return t.mm.copyOut(addr, scratch, 0, WAITID_INFO_BYTES);
}

/** Linux writes the fields up to `si_status` only. */
const WAITID_INFO_BYTES = 28;

function copyOutRusage(t: Task, addr: number): SysResult {
  const group = found.group!;
  storeRusage(t.kernel.scratchView, 0, group.exitedTimes, group.childTimes, group.maxRssBytes, group.exitedSwitchCount);
  return t.mm.copyOut(addr, t.kernel.scratch, 0, SIZEOF_RUSAGE);
}
