import { EBADF, EINVAL, ESPIPE, S_IFIFO, S_IFMT, type SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const POSIX_FADV_NOREUSE = 5;

/** posix_fadvise(2): advice that the file may take. Errors: EBADF, EINVAL, ESPIPE. */
export function sysFadvise64(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const offset = a.i64(1);
  const len = a.i64(2);
  const advice = a.i32(3);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if ((file.inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (len < 0 || advice < 0 || advice > POSIX_FADV_NOREUSE) return -EINVAL;
  file.advise(Math.max(offset, 0), len, advice);
  return 0;
}

/** readahead(2). Errors: EBADF, EINVAL. */
export function sysReadahead(t: Task, a: SyscallArgs): SysResult {
  const file = t.fds.get(a.i32(0));
  if (file === undefined || !file.isReadable) return -EBADF;
  return file.inode.isRegular ? 0 : -EINVAL;
}
