import {
  AT_FDCWD,
  E2BIG,
  EFAULT,
  EINVAL,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  O_TRUNC,
  O_WRONLY,
  OPEN_HOW_FLAGS,
  OPEN_HOW_MODE,
  OPEN_HOW_RESOLVE,
  OPEN_HOW_SIZE_VER0,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  __O_TMPFILE,
  loadU64,
  type SysResult,
} from '@tsv/abi';
import { OpenFile } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { startOf } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';
import { BLOCKED } from './syscall.js';

/** Every flag that open(2) knows; openat2(2) rejects others, open(2) ignores them. */
const OPEN_FLAGS = 0o37777703;
const RESOLVE_FLAGS =
  RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
const PAGE_BYTES = 4096;

/** open(2). Errors: EACCES, EEXIST, EFAULT, EINVAL, EISDIR, ELOOP, EMFILE, ENAMETOOLONG, ENOENT, ENOTDIR, EROFS, … */
export function sysOpen(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const flags = a.i32(1);
  const mode = a.u32(2);

  return openAt(t, AT_FDCWD, pathname, flags, mode, 0);
}

/** openat(2). Errors: those of open(2), EBADF. */
export function sysOpenat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.i32(2);
  const mode = a.u32(3);

  return openAt(t, dirfd, pathname, flags, mode, 0);
}

/** creat(2). Errors: those of open(2). */
export function sysCreat(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const mode = a.u32(1);

  return openAt(t, AT_FDCWD, pathname, O_CREAT | O_WRONLY | O_TRUNC, mode, 0);
}

/** openat2(2). Errors: those of openat(2), E2BIG, EINVAL, EXDEV. */
export function sysOpenat2(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const how = a.u64(2);
  const size = a.u64(3);

  if (size < OPEN_HOW_SIZE_VER0) return -EINVAL;
  if (size > PAGE_BYTES) return -E2BIG;
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, how, size) !== 0) return -EFAULT;
  for (let i = OPEN_HOW_SIZE_VER0; i < size; i++) if (scratch[i] !== 0) return -E2BIG;
  const flags = loadU64(scratchView, OPEN_HOW_FLAGS);
  const mode = loadU64(scratchView, OPEN_HOW_MODE);
  const resolve = loadU64(scratchView, OPEN_HOW_RESOLVE);
  if (flags > 0x7fffffff || (flags & ~OPEN_FLAGS) !== 0) return -EINVAL;
  if (resolve > RESOLVE_FLAGS) return -EINVAL;
  if ((resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) === (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) return -EINVAL;
  if (mode > 0o7777 || (mode !== 0 && (flags & (O_CREAT | __O_TMPFILE)) === 0)) return -EINVAL;
  if ((flags & O_PATH) !== 0 && (flags & ~(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) !== 0) return -EINVAL;
  return openAt(t, dirfd, pathname, flags, mode, resolve);
}

function openAt(t: Task, dirfd: number, pathAddr: number, flags: number, mode: number, resolve: number): SysResult {
  let file = t.restart.object;
  if (!(file instanceof OpenFile)) {
    const path = t.mm.copyInPath(pathAddr);
    if (typeof path === 'number') return path;
    const start = startOf(t, dirfd, path);
    if (typeof start === 'number') return start;
    const opened = t.kernel.vfs.openAt(t, start, path, flags & OPEN_FLAGS, mode & 0o7777, resolve);
    if (typeof opened === 'number') return opened;
    file = opened;
  }
  const opened = file as OpenFile;
  return opened.isOpening ? waitForOpen(t, opened) : t.fds.install(opened, 0, (flags & O_CLOEXEC) !== 0);
}

/** open(2) of a FIFO waits for its other end; the file is given up when a signal comes first. */
function waitForOpen(t: Task, file: OpenFile): SysResult {
  const { waiters } = file;
  if (waiters === null) throw new Error('waitForOpen: a file that is not open yet has somebody to wait for');
  t.restart.object = file;
  const result = t.waitOn(waiters, POLLIN | POLLOUT | POLLERR | POLLHUP);
  if (result !== BLOCKED) {
    t.restart.object = null;
    file.decRef();
  }
  return result;
}
