import { AT_FDCWD, EINVAL, ENOENT, type SysResult } from '@tsv/abi';
import { LOOKUP_EMPTY } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { pathAt } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** readlink(2). Errors: EACCES, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR. */
export function sysReadlink(t: Task, a: SyscallArgs): SysResult {
  return readlinkAt(t, AT_FDCWD, a.u64(0), a.u64(1), a.i32(2));
}

/** readlinkat(2). Errors: those of readlink(2), EBADF. */
export function sysReadlinkat(t: Task, a: SyscallArgs): SysResult {
  return readlinkAt(t, a.i32(0), a.u64(1), a.u64(2), a.i32(3));
}

function readlinkAt(t: Task, dirfd: number, pathAddr: number, buf: number, bufsiz: number): SysResult {
  if (bufsiz <= 0) return -EINVAL;
  const path = pathAt(t, dirfd, pathAddr, LOOKUP_EMPTY);
  if (typeof path === 'number') return path;
  const { inode } = path;
  const target = inode.isSymlink ? inode.readlink(t) : isEmptyPath(t, pathAddr) ? -ENOENT : -EINVAL;
  path.decRef();
  if (typeof target === 'number') return target;
  const len = Math.min(target.length, bufsiz);
  const { scratch } = t.kernel;
  for (let i = 0; i < len; i++) scratch[i] = target.charCodeAt(i);
  const error = t.mm.copyOut(buf, scratch, 0, len);
  return error < 0 ? error : len;
}

function isEmptyPath(t: Task, pathAddr: number): boolean {
  return t.mm.copyInPath(pathAddr) === '';
}
