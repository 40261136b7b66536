import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  E2BIG,
  EBADF,
  EINVAL,
  ENOTDIR,
  RLIMIT_STACK,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import type { VfsPath } from '@tsv/vfs';
import { execute } from '../task/exec.js';
import { openExecutable } from '../task/open-executable.js';
import type { Task } from '../task/task.js';
import { REGISTERS_SET } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** Longest single argument, execve(2): 32 pages. */
const MAX_ARG_STRLEN = 131072;
/** What arguments and environment may take at least and at most, execve(2). */
const ARG_BYTES_MIN = 131072;
const ARG_BYTES_MAX = 6 * 1024 * 1024;

/** execve(2). Errors: E2BIG, EACCES, EFAULT, ELIBBAD, ENOENT, ENOEXEC, ENOMEM, and what opening a path returns. */
export function sysExecve(t: Task, a: SyscallArgs): SysResult {
  const pathAddr = a.u64(0);
  const argvAddr = a.u64(1);
  const envpAddr = a.u64(2);
  return execveAt(t, AT_FDCWD, pathAddr, argvAddr, envpAddr, 0);
}

/** execveat(2). Errors: as execve(2), and EBADF, EINVAL, ELOOP, ENOTDIR. */
export function sysExecveat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathAddr = a.u64(1);
  const argvAddr = a.u64(2);
  const envpAddr = a.u64(3);
  const flags = a.u32(4);
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  return execveAt(t, dirfd, pathAddr, argvAddr, envpAddr, flags);
}

function execveAt(
  t: Task,
  dirfd: number,
  pathAddr: number,
  argvAddr: number,
  envpAddr: number,
  flags: number,
): SysResult {
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  const argv = copyInStrings(t, argvAddr, argBytesMax(t));
  if (typeof argv === 'number') return argv;
  const envp = copyInStrings(t, envpAddr, argBytesMax(t) - byteCount(argv));
  if (typeof envp === 'number') return envp;
  if (argv.length === 0) argv.push('');

  const start = startOf(t, dirfd, path);
  if (typeof start === 'number') return start;
  const file = openExecutable(t.kernel, t, start, path, flags);
  if (typeof file === 'number') return file;
  const result = execute(t, file, shownPath(dirfd, path), argv, envp);
  file.decRef();
  return result < 0 ? result : REGISTERS_SET;
}

/** Where a relative path begins. Errors: EBADF, ENOTDIR. */
function startOf(t: Task, dirfd: number, path: string): VfsPath | Errno {
  if (dirfd === AT_FDCWD || path.startsWith('/')) return t.cwd;
  const file = t.fds.get(dirfd);
  if (file === undefined) return -EBADF;
  return file.path ?? -ENOTDIR;
}

/** An array of strings, NULL for an empty one. Errors: E2BIG, EFAULT. */
function copyInStrings(t: Task, addr: number, bytesMax: number): string[] | Errno {
  if (addr === 0) return [];
  const strings = t.mm.copyInStringArray(addr, bytesMax);
  if (typeof strings === 'number') return strings;
  return strings.some((s: string) => s.length >= MAX_ARG_STRLEN) ? -E2BIG : strings;
}

function argBytesMax(t: Task): number {
  const share = t.threadGroup.limits.soft(RLIMIT_STACK) / 4;
  return Math.max(ARG_BYTES_MIN, Math.min(share, ARG_BYTES_MAX));
}

function byteCount(strings: readonly string[]): number {
  return strings.reduce((sum, s) => sum + s.length + 1, 0);
}

/** What the program is told it was called: paths relative to a descriptor are shown through /dev/fd, execveat(2). */
function shownPath(dirfd: number, path: string): string {
  if (dirfd === AT_FDCWD || path.startsWith('/')) return path;
  return path === '' ? `/dev/fd/${dirfd}` : `/dev/fd/${dirfd}/${path}`;
}
