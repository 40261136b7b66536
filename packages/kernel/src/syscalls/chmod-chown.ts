import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, EINVAL, EOPNOTSUPP, type Errno, type SysResult } from '@tsv/abi';
import { LOOKUP_FOLLOW, chmodPath, chownPath, type VfsPath } from '@tsv/vfs';
import { INVALID_ID } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';
import { lookupOf, pathAt, pathOfFd } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

const AT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;

/** chmod(2). Errors: EACCES, EFAULT, ELOOP, ENOENT, ENOTDIR, EPERM, EROFS. */
export function sysChmod(t: Task, a: SyscallArgs): SysResult {
  return chmod(t, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW), a.u32(1));
}

/** fchmod(2). Errors: EBADF, EPERM, EROFS. */
export function sysFchmod(t: Task, a: SyscallArgs): SysResult {
  return chmod(t, pathOfFd(t, a.i32(0)), a.u32(1));
}

/** fchmodat(2). Errors: those of chmod(2), EBADF. */
export function sysFchmodat(t: Task, a: SyscallArgs): SysResult {
  return chmod(t, pathAt(t, a.i32(0), a.u64(1), LOOKUP_FOLLOW), a.u32(2));
}

/** fchmodat2(2). Errors: those of chmod(2), EBADF, EINVAL, EOPNOTSUPP for a symbolic link itself. */
export function sysFchmodat2(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const mode = a.u32(2);
  const flags = a.u32(3);

  if ((flags & ~AT_FLAGS) !== 0) return -EINVAL;
  return chmod(t, pathAt(t, dirfd, pathname, lookupOf(flags)), mode);
}

/** chown(2). Errors: EACCES, EFAULT, ELOOP, ENOENT, ENOTDIR, EPERM, EROFS. */
export function sysChown(t: Task, a: SyscallArgs): SysResult {
  return chown(t, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW), a.i32(1), a.i32(2));
}

/** lchown(2). Errors: those of chown(2). */
export function sysLchown(t: Task, a: SyscallArgs): SysResult {
  return chown(t, pathAt(t, AT_FDCWD, a.u64(0), 0), a.i32(1), a.i32(2));
}

/** fchown(2). Errors: EBADF, EPERM, EROFS. */
export function sysFchown(t: Task, a: SyscallArgs): SysResult {
  return chown(t, pathOfFd(t, a.i32(0)), a.i32(1), a.i32(2));
}

/** fchownat(2). Errors: those of chown(2), EBADF, EINVAL. */
export function sysFchownat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const owner = a.i32(2);
  const group = a.i32(3);
  const flags = a.u32(4);

  if ((flags & ~AT_FLAGS) !== 0) return -EINVAL;
  return chown(t, pathAt(t, dirfd, pathname, lookupOf(flags)), owner, group);
}

/** Consumes the reference of `path`. */
function chmod(t: Task, path: VfsPath | Errno, mode: number): SysResult {
  if (typeof path === 'number') return path;
  const result = path.inode.isSymlink ? -EOPNOTSUPP : chmodPath(t, path, mode);
  path.decRef();
  return result;
}

/** Consumes the reference of `path`. */
function chown(t: Task, path: VfsPath | Errno, uid: number, gid: number): SysResult {
  if (typeof path === 'number') return path;
  const { userNs } = t.creds;
  // -1 stays; other IDs are those of the caller's user namespace.
  const kernelUid = uid === -1 ? -1 : userNs.uidToKernel(uid >>> 0);
  const kernelGid = gid === -1 ? -1 : userNs.gidToKernel(gid >>> 0);
  const isMapped = kernelUid !== INVALID_ID && kernelGid !== INVALID_ID;
  const result = isMapped ? chownPath(t, path, kernelUid, kernelGid) : -EINVAL;
  path.decRef();
  return result;
}
