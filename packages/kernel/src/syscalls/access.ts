import {
  AT_EACCESS,
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  EACCES,
  EINVAL,
  R_OK,
  S_IFREG,
  S_IFMT,
  W_OK,
  X_OK,
  type SysResult,
} from '@tsv/abi';
import { checkPathAccess, type Caller, type VfsPath } from '@tsv/vfs';
import { CapSet } from '../cred/cap-set.js';
import type { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { lookupOf, startOf } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** access(2): with the real IDs. Errors: EACCES, EFAULT, EINVAL, ELOOP, ENOENT, ENOTDIR, EROFS. */
export function sysAccess(t: Task, a: SyscallArgs): SysResult {
  return accessAt(t, AT_FDCWD, a.u64(0), a.i32(1), 0);
}

/** faccessat(2). Errors: those of access(2), EBADF. */
export function sysFaccessat(t: Task, a: SyscallArgs): SysResult {
  return accessAt(t, a.i32(0), a.u64(1), a.i32(2), 0);
}

/** faccessat2(2). Errors: those of faccessat(2), EINVAL. */
export function sysFaccessat2(t: Task, a: SyscallArgs): SysResult {
  return accessAt(t, a.i32(0), a.u64(1), a.i32(2), a.u32(3));
}

function accessAt(t: Task, dirfd: number, pathAddr: number, mode: number, flags: number): SysResult {
  if ((mode & ~(R_OK | W_OK | X_OK)) !== 0) return -EINVAL;
  if ((flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const name = t.mm.copyInPath(pathAddr);
  if (typeof name === 'number') return name;
  const start = startOf(t, dirfd, name);
  if (typeof start === 'number') return start;
  const creds = (flags & AT_EACCESS) !== 0 ? t.creds : realCredentials(t.creds);
  const caller: Caller = creds === t.creds ? t : { creds, umask: t.umask, root: t.root, cwd: t.cwd, memory: t.memory };
  const path = t.kernel.vfs.resolve(caller, start, name, lookupOf(flags));
  if (typeof path === 'number') return path;
  const result = checkAccess(path, mode, caller);
  path.decRef();
  return result;
}

function checkAccess(path: VfsPath, mode: number, caller: Caller): SysResult {
  const isRegular = (path.inode.mode & S_IFMT) === S_IFREG;
  if ((mode & X_OK) !== 0 && isRegular && path.mount.isNoExec) return -EACCES;
  return checkPathAccess(path, mode, caller.creds);
}

/** The credentials with the real IDs, and the capabilities that go with them. */
function realCredentials(creds: Credentials): Credentials {
  const effective = creds.uid === 0 ? creds.permitted : CapSet.EMPTY;
  if (creds.fsuid === creds.uid && creds.fsgid === creds.gid && effective.equals(creds.effective)) return creds;
  return creds.with({ fsuid: creds.uid, fsgid: creds.gid, effective });
}
