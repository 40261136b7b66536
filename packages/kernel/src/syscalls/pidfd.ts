import { EBADF, EINVAL, EPERM, ESRCH, NSIG, O_NONBLOCK, SI_USER, type SysResult } from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import { mayInspect } from '../cred/inspect-permission.js';
import { ProcessDirectory } from '../proc/process-directory.js';
import { sendSignal } from '../signal/send-signal.js';
import { checkKill } from '../signal/signal-permission.js';
import { installPidfd, PidFile } from '../task/pid-file.js';
import type { Task } from '../task/task.js';
import { copyInSigInfo, isForged, signalFrom } from './kill.js';
import type { SyscallArgs } from './syscall-args.js';

/** pidfd_open(2). Errors: EINVAL, EMFILE, ESRCH. */
export function sysPidfdOpen(t: Task, a: SyscallArgs): SysResult {
  const number = a.i32(0);
  const flags = a.u32(1);
  if ((flags & ~O_NONBLOCK) !== 0 || number <= 0) return -EINVAL;
  const pid = t.pidNs.lookup(number);
  const task = pid?.task ?? null;
  if (pid === undefined || task === null) return -ESRCH;
  return task.isLeader ? installPidfd(t, pid, task.threadGroup, flags) : -EINVAL;
}

/** What a descriptor of pidfd_open(2), or of a process's directory in /proc, refers to; null for any other. */
function processOf(file: OpenFile | undefined): Pick<PidFile, 'pid' | 'threadGroup'> | null {
  if (file instanceof PidFile) return file;
  const inode = file?.inode;
  if (!(inode instanceof ProcessDirectory) || inode.isThread) return null;
  const { threadGroup, threadPid } = inode.task;
  return { pid: threadPid, threadGroup: threadGroup.isReaped ? null : threadGroup };
}

/** pidfd_send_signal(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, EPERM, ESRCH. */
export function sysPidfdSendSignal(t: Task, a: SyscallArgs): SysResult {
  const pidfd = a.i32(0);
  const signo = a.i32(1);
  const infoAddr = a.u64(2);
  const flags = a.u32(3);
  if (flags !== 0) return -EINVAL;
  const process = processOf(t.fds.get(pidfd));
  if (process === null) return -EBADF;
  if (process.pid.in(t.pidNs) === 0) return -EINVAL;
  const group = process.threadGroup;
  const queued = infoAddr === 0 ? null : copyInSigInfo(t, infoAddr, signo);
  if (typeof queued === 'number') return queued;
  if (queued !== null && t.kernel.scratchView.getInt32(0, true) !== signo) return -EINVAL;
  if (queued !== null && isForged(queued) && group !== t.threadGroup) return -EPERM;
  if (signo < 0 || signo > NSIG) return -EINVAL;
  if (group === null) return -ESRCH;
  const error = checkKill(t, group.leader, signo);
  if (error < 0 || signo === 0) return error;
  return sendSignal(group, queued ?? signalFrom(t, group.pidNs, group.leader, signo, SI_USER));
}

/** pidfd_getfd(2). Errors: EBADF, EINVAL, EMFILE, EPERM, ESRCH. */
export function sysPidfdGetfd(t: Task, a: SyscallArgs): SysResult {
  const pidfd = a.i32(0);
  const targetFd = a.i32(1);
  const flags = a.u32(2);
  if (flags !== 0) return -EINVAL;
  const pidFile = t.fds.get(pidfd);
  if (!(pidFile instanceof PidFile)) return -EBADF;
  const group = pidFile.threadGroup;
  if (group === null || group.isZombie) return -ESRCH;
  const target = group.tasks.find((task) => !task.hasExited);
  if (target === undefined) return -ESRCH;
  if (!mayInspect(t, target)) return -EPERM;
  const file = target.fds.get(targetFd);
  if (file === undefined) return -EBADF;
  file.incRef();
  return t.fds.install(file, 0, true);
}
