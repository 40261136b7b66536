import { EBADF, EINVAL, O_CLOEXEC, type SysResult } from '@tsv/abi';
import { hasLingered, lingerAfter } from '../socket/lingering-close.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** dup(2). Errors: EBADF, EMFILE. */
export function sysDup(t: Task, a: SyscallArgs): SysResult {
  return t.fds.dup(a.i32(0), 0, false);
}

/** dup2(2). Errors: EBADF. */
export function sysDup2(t: Task, a: SyscallArgs): SysResult {
  const oldfd = a.i32(0);
  const newfd = a.i32(1);

  if (oldfd === newfd) return t.fds.get(oldfd) === undefined ? -EBADF : newfd;
  return dupAt(t, oldfd, newfd, false);
}

/** dup3(2). Errors: EBADF, EINVAL. */
export function sysDup3(t: Task, a: SyscallArgs): SysResult {
  const oldfd = a.i32(0);
  const newfd = a.i32(1);
  const flags = a.u32(2);

  if ((flags & ~O_CLOEXEC) !== 0 || oldfd === newfd) return -EINVAL;
  return dupAt(t, oldfd, newfd, (flags & O_CLOEXEC) !== 0);
}

function dupAt(t: Task, oldfd: number, newfd: number, isCloseOnExec: boolean): number {
  if (hasLingered(t)) return lingerAfter(t, newfd);
  const file = t.fds.get(oldfd);
  if (file === undefined) return -EBADF;
  file.incRef();
  return lingerAfter(t, t.fds.installAt(newfd, file, isCloseOnExec, t));
}
