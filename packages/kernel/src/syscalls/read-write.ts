import {
  EBADF,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  ESPIPE,
  MAX_RW_COUNT,
  O_APPEND,
  O_NONBLOCK,
  RWF_APPEND,
  RWF_DSYNC,
  RWF_HIPRI,
  RWF_NOAPPEND,
  RWF_NOWAIT,
  RWF_SYNC,
  SEEK_HOLE,
  UIO_MAXIOV,
  type SysResult,
} from '@tsv/abi';
import { IN_MODIFY, notifyFile, type OpenFile } from '@tsv/vfs';
import { fileOf, readAtBlocking, readBlocking, readNowait, skipMoved, writeBlocking } from '../fd/blocking-io.js';
import { limitFileSize } from '../fd/file-size-limit.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** No buffer reaches beyond the user half of the address space. */
const USER_BYTES_MAX = 2 ** 47;
const RWF_SUPPORTED = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND | RWF_NOAPPEND;

/** read(2). Errors: EBADF, EFAULT, and what the file returns. */
export function sysRead(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const addr = a.u64(1);
  const count = a.u64(2);

  const file = fileOf(t, fd);
  if (file === undefined || !file.isReadable) return -EBADF;
  const status = setBuffer(t, addr, count, true);
  return status < 0 ? status : readBlocking(t, file);
}

/** write(2). Errors: EBADF, EFAULT, EPIPE, and what the file returns. */
export function sysWrite(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const addr = a.u64(1);
  const count = a.u64(2);

  const file = fileOf(t, fd);
  if (file === undefined || !file.isWritable) return -EBADF;
  const status = setBuffer(t, addr, count, false);
  if (status < 0) return status;
  if (t.restart.moved > 0) skipMoved(t);
  return writeBlocking(t, file);
}

/** pread(2). Errors: EBADF, EFAULT, EINVAL for a negative offset, ESPIPE. */
export function sysPread64(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const addr = a.u64(1);
  const count = a.u64(2);
  const offset = a.i64(3);

  if (offset < 0) return -EINVAL;
  const file = fileOf(t, fd);
  const status = checkAt(file, true);
  if (status < 0) return status;
  const bufferStatus = setBuffer(t, addr, count, true);
  return bufferStatus < 0 ? bufferStatus : readAtBlocking(t, file!, offset);
}

/** pwrite(2). Errors: EBADF, EFAULT, EINVAL for a negative offset, ESPIPE. */
export function sysPwrite64(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const addr = a.u64(1);
  const count = a.u64(2);
  const offset = a.i64(3);

  if (offset < 0) return -EINVAL;
  const file = t.fds.get(fd);
  const status = checkAt(file, false);
  if (status < 0) return status;
  const bufferStatus = setBuffer(t, addr, count, false);
  return bufferStatus < 0 ? bufferStatus : writeAt(t, file!, offset);
}

/** readv(2). Errors: EBADF, EFAULT, EINVAL. */
export function sysReadv(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);

  const file = fileOf(t, fd);
  if (file === undefined || !file.isReadable) return -EBADF;
  const status = setVector(t, iov, iovcnt, true);
  return status < 0 ? status : readBlocking(t, file);
}

/** writev(2). Errors: EBADF, EFAULT, EINVAL, EPIPE. */
export function sysWritev(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);

  const file = fileOf(t, fd);
  if (file === undefined || !file.isWritable) return -EBADF;
  const status = setVector(t, iov, iovcnt, false);
  if (status < 0) return status;
  if (t.restart.moved > 0) skipMoved(t);
  return writeBlocking(t, file);
}

/** preadv(2). Errors: EBADF, EFAULT, EINVAL, ESPIPE. */
export function sysPreadv(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);
  const offset = a.i64(3);

  if (offset < 0) return -EINVAL;
  return readVectorAt(t, fd, iov, iovcnt, offset, 0);
}

/** pwritev(2). Errors: EBADF, EFAULT, EINVAL, ESPIPE. */
export function sysPwritev(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);
  const offset = a.i64(3);

  if (offset < 0) return -EINVAL;
  return writeVectorAt(t, fd, iov, iovcnt, offset);
}

/** preadv2(2). Offset -1 is the file offset. Errors: as preadv(2), EAGAIN with RWF_NOWAIT, EOPNOTSUPP. */
export function sysPreadv2(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);
  const offset = a.i64(3);
  const flags = a.u32(5);

  if (offset < -1) return -EINVAL;
  if ((flags & ~RWF_SUPPORTED) !== 0 || (flags & RWF_APPEND) !== 0) return -EOPNOTSUPP;
  if (offset !== -1) return readVectorAt(t, fd, iov, iovcnt, offset, flags);
  const file = fileOf(t, fd);
  if (file === undefined || !file.isReadable) return -EBADF;
  const status = setVector(t, iov, iovcnt, true);
  if (status < 0) return status;
  return (flags & RWF_NOWAIT) !== 0 ? readNowait(t, file, -1) : readBlocking(t, file);
}

/** pwritev2(2). Offset -1 is the file offset. Errors: as pwritev(2), EAGAIN with RWF_NOWAIT, EOPNOTSUPP. */
export function sysPwritev2(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const iovcnt = a.i32(2);
  const offset = a.i64(3);
  const flags = a.u32(5);

  if (offset < -1) return -EINVAL;
  if ((flags & ~RWF_SUPPORTED) !== 0) return -EOPNOTSUPP;
  if ((flags & RWF_APPEND) !== 0 && (flags & RWF_NOAPPEND) !== 0) return -EINVAL;
  const file = fileOf(t, fd);
  if (file === undefined || !file.isWritable) return -EBADF;
  const saved = file.flags;
  file.flags = flagsForWrite(saved, flags);
  const written = offset === -1 ? sysWritev(t, a) : writeVectorAt(t, fd, iov, iovcnt, offset);
  file.flags = saved;
  if (written <= 0 || (flags & (RWF_DSYNC | RWF_SYNC)) === 0) return written;
  const synced = file.sync((flags & RWF_SYNC) === 0, t);
  return synced < 0 && synced !== -EINVAL ? synced : written;
}

/** lseek(2). Errors: EBADF, EINVAL, ENXIO, EOVERFLOW, ESPIPE. */
export function sysLseek(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const offset = a.i64(1);
  const whence = a.u32(2);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (whence > SEEK_HOLE) return -EINVAL;
  return file.seek(offset, whence, t);
}

/** The status flags that a write with `RWF_*` flags sees. */
function flagsForWrite(fileFlags: number, rwf: number): number {
  let flags = fileFlags;
  if ((rwf & RWF_APPEND) !== 0) flags |= O_APPEND;
  if ((rwf & RWF_NOAPPEND) !== 0) flags &= ~O_APPEND;
  if ((rwf & RWF_NOWAIT) !== 0) flags |= O_NONBLOCK;
  return flags;
}

function readVectorAt(t: Task, fd: number, iov: number, iovcnt: number, offset: number, flags: number): number {
  const file = fileOf(t, fd);
  const status = checkAt(file, true);
  if (status < 0) return status;
  const vectorStatus = setVector(t, iov, iovcnt, true);
  if (vectorStatus < 0) return vectorStatus;
  return (flags & RWF_NOWAIT) !== 0 ? readNowait(t, file!, offset) : readAtBlocking(t, file!, offset);
}

function writeVectorAt(t: Task, fd: number, iov: number, iovcnt: number, offset: number): number {
  const file = t.fds.get(fd);
  const status = checkAt(file, false);
  if (status < 0) return status;
  const vectorStatus = setVector(t, iov, iovcnt, false);
  return vectorStatus < 0 ? vectorStatus : writeAt(t, file!, offset);
}

function writeAt(t: Task, file: OpenFile, offset: number): number {
  const status = limitFileSize(t, file, offset);
  if (status < 0) return status;
  const n = file.writeAt(t.io, offset, t);
  if (n > 0) notifyFile(file, IN_MODIFY);
  return n;
}

/** Whether `file` can be read or written at an offset. Errors: EBADF, ESPIPE. */
function checkAt(file: OpenFile | undefined, isRead: boolean): number {
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!file.isSeekable) return -ESPIPE;
  return isRead ? file.checkReadable() : file.checkWritable();
}

function setBuffer(t: Task, addr: number, count: number, isWriteToUser: boolean): number {
  if (count >= USER_BYTES_MAX) return -EFAULT;
  return t.io.reset(t.mm, addr, Math.min(count, MAX_RW_COUNT), isWriteToUser);
}

function setVector(t: Task, iov: number, iovcnt: number, isWriteToUser: boolean): number {
  if (iovcnt < 0 || iovcnt > UIO_MAXIOV) return -EINVAL;
  return t.io.resetVec(t.mm, iov, iovcnt, isWriteToUser);
}
