import {
  EBADF,
  EINVAL,
  ESRCH,
  EFAULT,
  FD_CLOEXEC,
  F_ADD_SEALS,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GETFD,
  F_GETFL,
  F_GETLEASE,
  F_GETLK,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_GET_SEALS,
  F_NOTIFY,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_OFD_SETLKW,
  F_OWNER_PGRP,
  F_OWNER_PID,
  F_OWNER_TID,
  F_SETFD,
  F_SETFL,
  F_SETLEASE,
  F_SETLK,
  F_SETLKW,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  F_UNLCK,
  NSIG,
  O_LARGEFILE,
  type SysResult,
} from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import { asyncOwnerOf, ensureAsyncOwner, setStatusFlags } from '../fd/async-owner.js';
import { addSeals, sealsOf } from '../fd/seals.js';
import { PipeFile } from '../fd/pipe-file.js';
import type { Task } from '../task/task.js';
import { getFileLock, setFileLock } from './file-lock.js';
import type { SyscallArgs } from './syscall-args.js';

/** fcntl(2). Errors: EBADF, EINVAL, and what the command says. */
export function sysFcntl(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const cmd = a.i32(1);
  const arg = a.u64(2);

  const file = t.fds.get(fd);
  if (file === undefined) return -EBADF;
  switch (cmd) {
    case F_DUPFD:
      return dupFd(t, fd, a.i32(2), false);
    case F_DUPFD_CLOEXEC:
      return dupFd(t, fd, a.i32(2), true);
    case F_GETFD:
      return t.fds.isCloseOnExec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD:
      t.fds.setCloseOnExec(fd, (a.i32(2) & FD_CLOEXEC) !== 0);
      return 0;
    case F_GETFL:
      return file.flags | (file.isPathOnly ? 0 : O_LARGEFILE);
    case F_DUPFD_QUERY:
      return queryDup(t, file, a.i32(2));
    default:
      return file.isPathOnly ? -EBADF : fileFcntl(t, fd, file, cmd, arg, a.i32(2));
  }
}

/** Whether `fd` refers to `file` too. */
function queryDup(t: Task, file: OpenFile, fd: number): number {
  const other = t.fds.get(fd);
  if (other === undefined) return -EBADF;
  return other === file ? 1 : 0;
}

/** The commands that O_PATH descriptors do not have. */
function fileFcntl(t: Task, fd: number, file: OpenFile, cmd: number, arg: number, intArg: number): number {
  switch (cmd) {
    case F_SETFL:
      return setStatusFlags(file, fd, intArg);
    case F_GETLK:
    case F_OFD_GETLK:
      return getFileLock(t, file, arg, cmd === F_OFD_GETLK);
    case F_SETLK:
    case F_OFD_SETLK:
      return setFileLock(t, file, arg, cmd === F_OFD_SETLK, false);
    case F_SETLKW:
    case F_OFD_SETLKW:
      return setFileLock(t, file, arg, cmd === F_OFD_SETLKW, true);
    case F_ADD_SEALS:
      return addSeals(t.kernel, file, intArg >>> 0);
    case F_GET_SEALS:
      return sealsOf(file);
    case F_GETPIPE_SZ:
      return file instanceof PipeFile ? file.pipe.capacity : -EBADF;
    case F_SETPIPE_SZ:
      return file instanceof PipeFile ? file.resize(intArg >>> 0, t) : -EBADF;
    case F_GETLEASE:
      return F_UNLCK;
    case F_SETLEASE:
    case F_NOTIFY:
      return -EINVAL;
    default:
      return ownerFcntl(t, file, cmd, arg, intArg);
  }
}

/** Who gets SIGIO, and which signal it is. */
function ownerFcntl(t: Task, file: OpenFile, cmd: number, arg: number, intArg: number): number {
  switch (cmd) {
    case F_GETOWN: {
      const owner = asyncOwnerOf(file);
      const id = owner?.pid?.in(t.pidNs) ?? 0;
      return owner?.type === F_OWNER_PGRP ? -id : id;
    }
    case F_SETOWN:
      if (intArg === -0x8000_0000) return -EINVAL;
      return intArg < 0 ? setOwner(t, file, F_OWNER_PGRP, -intArg) : setOwner(t, file, F_OWNER_PID, intArg);
    case F_GETSIG:
      return asyncOwnerOf(file)?.signo ?? 0;
    case F_SETSIG:
      if (arg > NSIG) return -EINVAL;
      ensureAsyncOwner(file).signo = arg;
      return 0;
    case F_GETOWN_EX: {
      const owner = asyncOwnerOf(file);
      t.kernel.scratchView.setInt32(0, owner?.type ?? F_OWNER_PID, true);
      t.kernel.scratchView.setInt32(4, owner?.pid?.in(t.pidNs) ?? 0, true);
      return t.mm.copyOut(arg, t.kernel.scratch, 0, 8);
    }
    case F_SETOWN_EX: {
      if (t.mm.copyIn(t.kernel.scratch, 0, arg, 8) !== 0) return -EFAULT;
      const type = t.kernel.scratchView.getInt32(0, true);
      if (type !== F_OWNER_TID && type !== F_OWNER_PID && type !== F_OWNER_PGRP) return -EINVAL;
      return setOwner(t, file, type, t.kernel.scratchView.getInt32(4, true));
    }
    default:
      return -EINVAL;
  }
}

/** Errors: ESRCH when there is no such process or group. */
function setOwner(t: Task, file: OpenFile, type: number, id: number): number {
  const pid = id === 0 ? null : (t.pidNs.lookup(id) ?? null);
  if (id !== 0 && (type === F_OWNER_PGRP ? pid?.processGroup : pid?.task) == null) return -ESRCH;
  const owner = ensureAsyncOwner(file);
  owner.type = type;
  owner.pid = pid;
  return 0;
}

function dupFd(t: Task, fd: number, minFd: number, isCloseOnExec: boolean): number {
  if (minFd < 0 || minFd >= t.fds.limit) return -EINVAL;
  return t.fds.dup(fd, minFd, isCloseOnExec);
}
