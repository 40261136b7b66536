import { EBADF, EINVAL, ESPIPE, type SysResult } from '@tsv/abi';
import type { FileSystem } from '@tsv/vfs';
import { fileOf } from '../fd/blocking-io.js';
import { waitForDevice } from '../fd/cold-read.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const SYNC_FILE_RANGE_FLAGS = 7;

/** sync(2). It cannot fail. */
export function sysSync(t: Task, _a: SyscallArgs): SysResult {
  const done = new Set<FileSystem>();
  for (const { fs } of t.fs.mountNamespace.mounts) {
    if (done.has(fs)) continue;
    done.add(fs);
    fs.sync();
  }
  return 0;
}

/** syncfs(2). Errors: EBADF, EIO. */
export function sysSyncfs(t: Task, a: SyscallArgs): SysResult {
  const file = t.fds.get(a.i32(0));
  return file === undefined || file.isPathOnly ? -EBADF : file.inode.fs.sync();
}

/** fsync(2). Errors: EBADF, EINVAL, EIO, EROFS. */
export function sysFsync(t: Task, a: SyscallArgs): SysResult {
  return syncFile(t, a.i32(0), false);
}

/** fdatasync(2). Errors: those of fsync(2). */
export function sysFdatasync(t: Task, a: SyscallArgs): SysResult {
  return syncFile(t, a.i32(0), true);
}

/** sync_file_range(2): the whole file is. Errors: EBADF, EINVAL, EIO, ESPIPE. */
export function sysSyncFileRange(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const offset = a.i64(1);
  const nbytes = a.i64(2);
  const flags = a.u32(3);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if ((flags & ~SYNC_FILE_RANGE_FLAGS) !== 0 || offset < 0 || nbytes < 0) return -EINVAL;
  const { inode } = file;
  if (!inode.isRegular && !inode.isDirectory && !inode.isSymlink) return -ESPIPE;
  return file.sync(true, t);
}

/** Waits for the device as for a read: nothing but the end of the process ends that. */
function syncFile(t: Task, fd: number, isDataOnly: boolean): SysResult {
  const { restart } = t;
  const file = fileOf(t, fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  const pending = restart.pendingSync ?? file.beginSync(isDataOnly, t);
  if (typeof pending === 'number') return pending;
  if (pending.result !== null) return pending.result;
  restart.holdFile(file);
  restart.pendingSync = pending;
  return waitForDevice(t, pending.waiters);
}
