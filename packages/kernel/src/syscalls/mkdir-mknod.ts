import { AT_FDCWD, CAP_MKNOD, EPERM, S_IFBLK, S_IFCHR, S_IFMT, type SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import { startOf } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** mkdir(2). Errors: EACCES, EEXIST, EFAULT, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS. */
export function sysMkdir(t: Task, a: SyscallArgs): SysResult {
  return mkdirAt(t, AT_FDCWD, a.u64(0), a.u32(1));
}

/** mkdirat(2). Errors: those of mkdir(2), EBADF. */
export function sysMkdirat(t: Task, a: SyscallArgs): SysResult {
  return mkdirAt(t, a.i32(0), a.u64(1), a.u32(2));
}

/** mknod(2). Errors: EACCES, EEXIST, EFAULT, EINVAL, ENOENT, ENOTDIR, EPERM, EROFS. */
export function sysMknod(t: Task, a: SyscallArgs): SysResult {
  return mknodAt(t, AT_FDCWD, a.u64(0), a.u32(1), a.u32(2));
}

/** mknodat(2). Errors: those of mknod(2), EBADF. */
export function sysMknodat(t: Task, a: SyscallArgs): SysResult {
  return mknodAt(t, a.i32(0), a.u64(1), a.u32(2), a.u32(3));
}

/** umask(2). It cannot fail. */
export function sysUmask(t: Task, a: SyscallArgs): SysResult {
  const mask = a.u32(0);

  const before = t.fs.umask;
  t.fs.umask = mask & 0o777;
  return before;
}

function mkdirAt(t: Task, dirfd: number, pathAddr: number, mode: number): SysResult {
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  const start = startOf(t, dirfd, path);
  return typeof start === 'number' ? start : t.kernel.vfs.mkdirAt(t, start, path, mode);
}

function mknodAt(t: Task, dirfd: number, pathAddr: number, mode: number, dev: number): SysResult {
  const type = mode & S_IFMT;
  // Device files are for the first user namespace only, but for whiteouts.
  if ((type === S_IFCHR || type === S_IFBLK) && dev !== 0 && !t.creds.hasCapIn(t.kernel.userNs, CAP_MKNOD)) {
    return -EPERM;
  }
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  const start = startOf(t, dirfd, path);
  return typeof start === 'number' ? start : t.kernel.vfs.mknodAt(t, start, path, mode & 0xffff, dev);
}
