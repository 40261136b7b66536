import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  EBADF,
  EFAULT,
  EINVAL,
  UTIME_NOW,
  UTIME_OMIT,
  loadI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_FOLLOW, setPathTimes, type TimeValue, type VfsPath } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { lookupOf, pathAt, pathOfFile } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** `'now'`, a time, or null to leave it. */
type NewTime = TimeValue | 'now' | null;

/** utime(2). Errors: EACCES, EFAULT, ENOENT, EPERM, EROFS. */
export function sysUtime(t: Task, a: SyscallArgs): SysResult {
  const filename = a.u64(0);
  const times = a.u64(1);

  if (times === 0) return setTimes(t, pathAt(t, AT_FDCWD, filename, LOOKUP_FOLLOW), 'now', 'now');
  if (t.mm.copyIn(t.kernel.scratch, 0, times, 16) !== 0) return -EFAULT;
  const actime = { sec: loadI64(t.kernel.scratchView, 0), nsec: 0 };
  const modtime = { sec: loadI64(t.kernel.scratchView, 8), nsec: 0 };
  return setTimes(t, pathAt(t, AT_FDCWD, filename, LOOKUP_FOLLOW), actime, modtime);
}

/** utimes(2). Errors: those of utime(2), EINVAL. */
export function sysUtimes(t: Task, a: SyscallArgs): SysResult {
  return setTimevals(t, AT_FDCWD, a.u64(0), a.u64(1));
}

/** futimesat(2). Errors: those of utimes(2), EBADF. */
export function sysFutimesat(t: Task, a: SyscallArgs): SysResult {
  return setTimevals(t, a.i32(0), a.u64(1), a.u64(2));
}

/** utimensat(2). A null path is the file of `dirfd` itself. Errors: EACCES, EBADF, EFAULT, EINVAL, ENOENT, EPERM, EROFS. */
export function sysUtimensat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const times = a.u64(2);
  const flags = a.u32(3);

  let atime: NewTime = 'now';
  let mtime: NewTime = 'now';
  if (times !== 0) {
    if (t.mm.copyIn(t.kernel.scratch, 0, times, 32) !== 0) return -EFAULT;
    const first = loadTime(t, 0);
    const second = loadTime(t, 16);
    if (first === undefined || second === undefined) return -EINVAL;
    if (first === null && second === null) return 0;
    atime = first;
    mtime = second;
  }
  if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  if (pathname !== 0 || dirfd === AT_FDCWD)
    return setTimes(t, pathAt(t, dirfd, pathname, lookupOf(flags)), atime, mtime);
  if (flags !== 0) return -EINVAL;
  const file = t.fds.get(dirfd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  return setTimes(t, pathOfFile(t, file), atime, mtime);
}

/** A `struct timespec` in scratch memory; undefined if its nanoseconds are none. */
function loadTime(t: Task, at: number): NewTime | undefined {
  const sec = loadI64(t.kernel.scratchView, at);
  const nsec = loadI64(t.kernel.scratchView, at + 8);
  if (nsec === UTIME_NOW) return 'now';
  if (nsec === UTIME_OMIT) return null;
  return nsec < 0 || nsec >= 1e9 ? undefined : { sec, nsec };
}

function setTimevals(t: Task, dirfd: number, pathAddr: number, timesAddr: number): SysResult {
  if (timesAddr === 0) return setTimes(t, pathAt(t, dirfd, pathAddr, LOOKUP_FOLLOW), 'now', 'now');
  const view = t.kernel.scratchView;
  if (t.mm.copyIn(t.kernel.scratch, 0, timesAddr, 32) !== 0) return -EFAULT;
  const atime = { sec: loadI64(view, 0), nsec: loadI64(view, 8) * 1000 };
  const mtime = { sec: loadI64(view, 16), nsec: loadI64(view, 24) * 1000 };
  if (atime.nsec < 0 || atime.nsec >= 1e9 || mtime.nsec < 0 || mtime.nsec >= 1e9) return -EINVAL;
  return setTimes(t, pathAt(t, dirfd, pathAddr, LOOKUP_FOLLOW), atime, mtime);
}

/** Consumes the reference of `path`. */
function setTimes(t: Task, path: VfsPath | Errno, atime: NewTime, mtime: NewTime): SysResult {
  if (typeof path === 'number') return path;
  const result = setPathTimes(t, path, atime, mtime);
  path.decRef();
  return result;
}
