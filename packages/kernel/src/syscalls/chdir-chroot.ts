import {
  AT_FDCWD,
  CAP_SYS_CHROOT,
  EBADF,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EPERM,
  ERANGE,
  PATH_MAX,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, MAY_EXEC, pathText } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { pathAt } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** getcwd(2). Returns the bytes with the final NUL. Errors: EFAULT, ENAMETOOLONG, ENOENT, ERANGE. */
export function sysGetcwd(t: Task, a: SyscallArgs): SysResult {
  const buf = a.u64(0);
  const size = a.u64(1);

  const { text, isReachable, isUnlinked } = pathText(t.root, t.cwd);
  if (isUnlinked) return -ENOENT;
  const shown = isReachable ? text : `(unreachable)${text}`;
  const len = shown.length + 1;
  if (len > PATH_MAX) return -ENAMETOOLONG;
  if (len > size) return -ERANGE;
  const { scratch } = t.kernel;
  for (let i = 0; i < shown.length; i++) scratch[i] = shown.charCodeAt(i);
  scratch[shown.length] = 0;
  const error = t.mm.copyOut(buf, scratch, 0, len);
  return error < 0 ? error : len;
}

/** chdir(2). Errors: EACCES, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR. */
export function sysChdir(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);

  const path = pathAt(t, AT_FDCWD, pathname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof path === 'number') return path;
  const error = path.inode.checkAccess(MAY_EXEC, t.creds);
  if (error === 0) t.fs.setCwd(path);
  path.decRef();
  return error;
}

/** fchdir(2). Errors: EACCES, EBADF, ENOTDIR. */
export function sysFchdir(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);

  const file = t.fds.get(fd);
  if (file === undefined) return -EBADF;
  if (file.path === null || !file.inode.isDirectory) return -ENOTDIR;
  const error = file.inode.checkAccess(MAY_EXEC, t.creds);
  if (error === 0) t.fs.setCwd(file.path);
  return error;
}

/** chroot(2). Errors: those of chdir(2), EPERM. */
export function sysChroot(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);

  const path = pathAt(t, AT_FDCWD, pathname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof path === 'number') return path;
  let error = path.inode.checkAccess(MAY_EXEC, t.creds);
  if (error === 0 && !t.creds.hasCap(CAP_SYS_CHROOT)) error = -EPERM;
  if (error === 0) t.fs.setRoot(path);
  path.decRef();
  return error;
}
