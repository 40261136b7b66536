import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EOVERFLOW,
  F_RDLCK,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  POLLOUT,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
  loadI64,
  storeI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { locksOf, type LockOwner, type OpenFile } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';
import { BLOCKED } from './syscall.js';

/** `struct flock`, fcntl_locking(2), x86-64. */
const SIZEOF_FLOCK = 32;
const L_TYPE = 0;
const L_WHENCE = 2;
const L_START = 8;
const L_LEN = 16;
const L_PID = 24;

/** flock(2). Errors: EBADF, EINTR, EINVAL, EWOULDBLOCK. */
export function sysFlock(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const operation = a.u32(1);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  const kind = operation & ~LOCK_NB;
  if (kind !== LOCK_SH && kind !== LOCK_EX && kind !== LOCK_UN) return -EINVAL;
  const locks = locksOf(file.inode);
  const type = kind === LOCK_SH ? F_RDLCK : kind === LOCK_EX ? F_WRLCK : F_UNLCK;
  const result = locks.setWhole(file, type);
  return result === -EAGAIN && (operation & LOCK_NB) === 0 ? t.waitOn(locks.waiters, POLLOUT) : result;
}

/** A locked range as the guest asked for it: bytes `[start, end)`. */
interface RequestedLock {
  readonly type: number;
  readonly start: number;
  readonly end: number;
  readonly pid: number;
}

/** fcntl_locking(2) F_GETLK, F_OFD_GETLK: the lock that is in the way. Errors: EFAULT, EINVAL, EOVERFLOW. */
export function getFileLock(t: Task, file: OpenFile, flockAddr: number, isOfd: boolean): SysResult {
  const asked = loadFlock(t, file, flockAddr);
  if (typeof asked === 'number') return asked;
  if (asked.type === F_UNLCK || (isOfd && asked.pid !== 0)) return -EINVAL;
  const found = file.inode.locks?.conflict(ownerOf(t, file, isOfd), asked.type, asked.start, asked.end) ?? null;
  const view = t.kernel.scratchView;
  view.setInt16(L_TYPE, found === null ? F_UNLCK : found.type, true);
  if (found !== null) {
    view.setInt16(L_WHENCE, SEEK_SET, true);
    storeI64(view, L_START, found.start);
    storeI64(view, L_LEN, found.end === Infinity ? 0 : found.end - found.start);
    view.setInt32(L_PID, found.pid, true);
  }
  return t.mm.copyOut(flockAddr, t.kernel.scratch, 0, SIZEOF_FLOCK);
}

/**
 * fcntl_locking(2) F_SETLK, F_SETLKW (`isWaiting`) and their F_OFD_ kin. Errors: EAGAIN, EBADF, EDEADLK, EFAULT, EINTR,
 * EINVAL, ENOLCK, EOVERFLOW.
 */
export function setFileLock(t: Task, file: OpenFile, flockAddr: number, isOfd: boolean, isWaiting: boolean): SysResult {
  const asked = loadFlock(t, file, flockAddr);
  if (typeof asked === 'number') return asked;
  if (isOfd && asked.pid !== 0) return -EINVAL;
  if (asked.type === F_RDLCK && !file.isReadable) return -EBADF;
  if (asked.type === F_WRLCK && !file.isWritable) return -EBADF;
  const locks = locksOf(file.inode);
  const owner = ownerOf(t, file, isOfd);
  const pid = isOfd ? -1 : t.threadGroup.leader.threadPid.in(t.pidNs);
  const result = locks.set(owner, asked.type, asked.start, asked.end, pid, isWaiting && !isOfd);
  if (result !== -EAGAIN || !isWaiting) return result;
  const blocked = t.waitOn(locks.waiters, POLLOUT);
  if (blocked !== BLOCKED) locks.stopWaiting(owner);
  return blocked;
}

/** POSIX locks belong to the descriptor table, OFD locks to the open file. */
function ownerOf(t: Task, file: OpenFile, isOfd: boolean): LockOwner {
  return isOfd ? file : t.fds;
}

function loadFlock(t: Task, file: OpenFile, addr: number): RequestedLock | Errno {
  const view = t.kernel.scratchView;
  if (t.mm.copyIn(t.kernel.scratch, 0, addr, SIZEOF_FLOCK) !== 0) return -EFAULT;
  const type = view.getInt16(L_TYPE, true);
  const whence = view.getInt16(L_WHENCE, true);
  const len = loadI64(view, L_LEN);
  const pid = view.getInt32(L_PID, true);
  let start = loadI64(view, L_START);
  if (type !== F_RDLCK && type !== F_WRLCK && type !== F_UNLCK) return -EINVAL;
  if (whence === SEEK_CUR) start += file.pos;
  else if (whence === SEEK_END) {
    file.inode.refresh();
    start += file.inode.sizeBytes;
  } else if (whence !== SEEK_SET) return -EINVAL;
  // A negative length is the bytes before the start.
  const first = len < 0 ? start + len : start;
  const end = len === 0 ? Infinity : len < 0 ? start : start + len;
  if (first < 0) return -EINVAL;
  if (first > Number.MAX_SAFE_INTEGER || (end !== Infinity && end > Number.MAX_SAFE_INTEGER + 1)) return -EOVERFLOW;
  return { type, start: first, end, pid };
}
