import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_REMOVEDIR,
  AT_SYMLINK_FOLLOW,
  CAP_DAC_READ_SEARCH,
  EINVAL,
  ENOENT,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_EMPTY, LOOKUP_FOLLOW } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { pathAt, startOf } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** link(2). Errors: EACCES, EEXIST, EPERM, EXDEV, ENOENT, ENOTDIR, EROFS, … */
export function sysLink(t: Task, a: SyscallArgs): SysResult {
  return linkAt(t, AT_FDCWD, a.u64(0), AT_FDCWD, a.u64(1), 0);
}

/** linkat(2). Errors: those of link(2), EBADF, EINVAL. */
export function sysLinkat(t: Task, a: SyscallArgs): SysResult {
  const olddirfd = a.i32(0);
  const oldpath = a.u64(1);
  const newdirfd = a.i32(2);
  const newpath = a.u64(3);
  const flags = a.u32(4);

  return linkAt(t, olddirfd, oldpath, newdirfd, newpath, flags);
}

/** unlink(2). Errors: EACCES, EBUSY, EISDIR, ENOENT, ENOTDIR, EPERM, EROFS. */
export function sysUnlink(t: Task, a: SyscallArgs): SysResult {
  return removeAt(t, AT_FDCWD, a.u64(0), false);
}

/** rmdir(2). Errors: EACCES, EBUSY, EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS. */
export function sysRmdir(t: Task, a: SyscallArgs): SysResult {
  return removeAt(t, AT_FDCWD, a.u64(0), true);
}

/** unlinkat(2). Errors: those of unlink(2) and rmdir(2), EBADF, EINVAL. */
export function sysUnlinkat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.u32(2);

  if ((flags & ~AT_REMOVEDIR) !== 0) return -EINVAL;
  return removeAt(t, dirfd, pathname, (flags & AT_REMOVEDIR) !== 0);
}

/** rename(2). Errors: EACCES, EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV. */
export function sysRename(t: Task, a: SyscallArgs): SysResult {
  return renameAt(t, AT_FDCWD, a.u64(0), AT_FDCWD, a.u64(1), 0);
}

/** renameat(2). Errors: those of rename(2), EBADF. */
export function sysRenameat(t: Task, a: SyscallArgs): SysResult {
  return renameAt(t, a.i32(0), a.u64(1), a.i32(2), a.u64(3), 0);
}

/** renameat2(2). Errors: those of renameat(2), EEXIST, EINVAL. */
export function sysRenameat2(t: Task, a: SyscallArgs): SysResult {
  return renameAt(t, a.i32(0), a.u64(1), a.i32(2), a.u64(3), a.u32(4));
}

/** symlink(2). Errors: EACCES, EEXIST, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EROFS. */
export function sysSymlink(t: Task, a: SyscallArgs): SysResult {
  return symlinkAt(t, a.u64(0), AT_FDCWD, a.u64(1));
}

/** symlinkat(2). Errors: those of symlink(2), EBADF. */
export function sysSymlinkat(t: Task, a: SyscallArgs): SysResult {
  return symlinkAt(t, a.u64(0), a.i32(1), a.u64(2));
}

function linkAt(
  t: Task,
  oldDirfd: number,
  oldAddr: number,
  newDirfd: number,
  newAddr: number,
  flags: number,
): SysResult {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  let lookup = (flags & AT_SYMLINK_FOLLOW) !== 0 ? LOOKUP_FOLLOW : 0;
  if ((flags & AT_EMPTY_PATH) !== 0) {
    if (!t.creds.hasCap(CAP_DAC_READ_SEARCH)) return -ENOENT;
    lookup |= LOOKUP_EMPTY;
  }
  const newPath = t.mm.copyInPath(newAddr);
  if (typeof newPath === 'number') return newPath;
  const old = pathAt(t, oldDirfd, oldAddr, lookup);
  if (typeof old === 'number') return old;
  const start = startOf(t, newDirfd, newPath);
  const result = typeof start === 'number' ? start : t.kernel.vfs.linkAt(t, old, start, newPath);
  old.decRef();
  return result;
}

function removeAt(t: Task, dirfd: number, pathAddr: number, isDirectory: boolean): SysResult {
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  const start = startOf(t, dirfd, path);
  if (typeof start === 'number') return start;
  return isDirectory ? t.kernel.vfs.rmdirAt(t, start, path) : t.kernel.vfs.unlinkAt(t, start, path);
}

function renameAt(
  t: Task,
  oldDirfd: number,
  oldAddr: number,
  newDirfd: number,
  newAddr: number,
  flags: number,
): SysResult {
  const oldPath = t.mm.copyInPath(oldAddr);
  if (typeof oldPath === 'number') return oldPath;
  const newPath = t.mm.copyInPath(newAddr);
  if (typeof newPath === 'number') return newPath;
  const oldStart = startOf(t, oldDirfd, oldPath);
  if (typeof oldStart === 'number') return oldStart;
  const newStart = startOf(t, newDirfd, newPath);
  if (typeof newStart === 'number') return newStart;
  return t.kernel.vfs.renameAt(t, oldStart, oldPath, newStart, newPath, flags);
}

function symlinkAt(t: Task, targetAddr: number, dirfd: number, pathAddr: number): SysResult {
  const target = t.mm.copyInPath(targetAddr);
  if (typeof target === 'number') return target;
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  const start = startOf(t, dirfd, path);
  return typeof start === 'number' ? start : t.kernel.vfs.symlinkAt(t, target, start, path);
}
