import { EBADF, EINVAL, ESPIPE, type SysResult } from '@tsv/abi';
import type { FileSystem, PendingSync } from '@tsv/vfs';
import { fileOf } from '../fd/blocking-io.js';
import { waitForDevice } from '../fd/cold-read.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const SYNC_FILE_RANGE_FLAGS = 7;

/** sync(2), of one filesystem after the other. It cannot fail. */
export function sysSync(t: Task, _a: SyscallArgs): SysResult {
  const { restart } = t;
  const done: Set<unknown> = restart.object instanceof Set ? restart.object : new Set();
  for (const { fs } of t.fs.mountNamespace.mounts) {
    if (done.has(fs)) continue;
    const status = syncOrWait(t, () => beginSyncOf(fs));
    if (restart.pendingSync !== null) {
      restart.object = done;
      return status;
    }
    done.add(fs);
  }
  return 0;
}

/** syncfs(2). Errors: EBADF, EIO. */
export function sysSyncfs(t: Task, a: SyscallArgs): SysResult {
  const file = fileOf(t, a.i32(0));
  if (file === undefined || file.isPathOnly) return -EBADF;
  t.restart.holdFile(file);
  return syncOrWait(t, () => beginSyncOf(file.inode.fs));
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

  const file = fileOf(t, fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if ((flags & ~SYNC_FILE_RANGE_FLAGS) !== 0 || offset < 0 || nbytes < 0) return -EINVAL;
  const { inode } = file;
  if (!inode.isRegular && !inode.isDirectory && !inode.isSymlink) return -ESPIPE;
  return syncFile(t, fd, true);
}

function syncFile(t: Task, fd: number, isDataOnly: boolean): SysResult {
  const file = fileOf(t, fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  t.restart.holdFile(file);
  return syncOrWait(t, () => file.beginSync(isDataOnly, t));
}

function beginSyncOf(fs: FileSystem): PendingSync | number {
  return fs.beginSync?.() ?? fs.sync();
}

/**
 * Synchronises what `begin` does, or what an earlier try has begun. Returns how that ended, with nothing pending, or what the
 * handler must return. It waits for the device as for a read: nothing but the end of the process ends that.
 */
export function syncOrWait(t: Task, begin: () => PendingSync | number): SysResult {
  const { restart } = t;
  const pending = restart.pendingSync ?? begin();
  restart.pendingSync = null;
  if (typeof pending === 'number') return pending;
  if (pending.result !== null) return pending.result;
  restart.pendingSync = pending;
  return waitForDevice(t, pending.waiters);
}
