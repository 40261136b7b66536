import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  EAGAIN,
  EFAULT,
  EINVAL,
  ENOSYS,
  EPERM,
  ERESTARTSYS,
  ERESTART_RESTARTBLOCK,
  ESRCH,
  ETIMEDOUT,
  FUTEX2_SIZE_U32,
  FUTEX_BITSET_MATCH_ANY,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMP_REQUEUE,
  FUTEX_LOCK_PI,
  FUTEX_LOCK_PI2,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAITV_FLAGS,
  FUTEX_WAITV_MAX,
  FUTEX_WAITV_RESERVED,
  FUTEX_WAITV_UADDR,
  FUTEX_WAITV_VAL,
  FUTEX_WAIT_BITSET,
  FUTEX_WAIT_REQUEUE_PI,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
  SIZEOF_FUTEX_WAITV,
  SIZEOF_ROBUST_LIST_HEAD,
  SIZEOF_TIMESPEC,
  loadTimespecMs,
  loadU64,
  type SysResult,
} from '@tsv/abi';
import { FutexWaiter } from '../futex/futex-table.js';
import { PHASE_QUEUED, waitFutex } from '../futex/futex-wait.js';
import { applyWakeOp, isWakeOpKnown, wakeOpHolds } from '../futex/wake-op.js';
import { lockPi, tryLockPi, unlockPi } from '../futex/pi-futex.js';
import { mayInspect } from '../cred/inspect-permission.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const CMD_MASK = ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
const MATCH_ANY = FUTEX_BITSET_MATCH_ANY | 0;

/** futex(2). Errors: EAGAIN, EDEADLK, EFAULT, EINTR, EINVAL, ENOSYS, EPERM, ESRCH, ETIMEDOUT. */
export function sysFutex(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const op = a.i32(1);
  const val = a.u32(2);
  const cmd = op & CMD_MASK;
  const isPrivate = (op & FUTEX_PRIVATE_FLAG) !== 0;
  if ((op & FUTEX_CLOCK_REALTIME) !== 0 && !takesClock(cmd)) return -ENOSYS;
  switch (cmd) {
    case FUTEX_WAIT:
      return loadDeadline(t, a.u64(3), op, cmd) || waitFutex(t, addr, isPrivate, val, MATCH_ANY);
    case FUTEX_WAIT_BITSET:
      return loadDeadline(t, a.u64(3), op, cmd) || waitFutex(t, addr, isPrivate, val, a.i32(5));
    case FUTEX_WAKE:
      return wake(t, addr, isPrivate, val, MATCH_ANY);
    case FUTEX_WAKE_BITSET:
      return wake(t, addr, isPrivate, val, a.i32(5));
    case FUTEX_REQUEUE:
      return requeue(t, a, isPrivate, false);
    case FUTEX_CMP_REQUEUE:
      return requeue(t, a, isPrivate, true);
    case FUTEX_WAKE_OP:
      return wakeOp(t, a, isPrivate);
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
      return loadDeadline(t, a.u64(3), op, cmd) || lockPi(t, addr, isPrivate);
    case FUTEX_TRYLOCK_PI:
      return tryLockPi(t, addr);
    case FUTEX_UNLOCK_PI:
      return unlockPi(t, addr, isPrivate);
    default:
      return -ENOSYS;
  }
}

/** futex_waitv(2). Errors: EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT. */
export function sysFutexWaitv(t: Task, a: SyscallArgs): SysResult {
  const waitersAddr = a.u64(0);
  const count = a.u32(1);
  const flags = a.u32(2);
  const timeoutAddr = a.u64(3);
  const clockId = a.i32(4);
  if (flags !== 0 || count === 0 || count > FUTEX_WAITV_MAX || waitersAddr === 0) return -EINVAL;
  if (t.restart.tryCount === 0) {
    if (timeoutAddr !== 0 && clockId !== CLOCK_MONOTONIC && clockId !== CLOCK_REALTIME) return -EINVAL;
    const result = loadAbsoluteDeadline(t, timeoutAddr, clockId === CLOCK_REALTIME);
    if (result < 0) return result;
  }
  if (t.restart.phase !== PHASE_QUEUED) {
    const result = queueVector(t, waitersAddr, count);
    if (result < 0) return result;
    t.restart.phase = PHASE_QUEUED;
  }
  return sleepForVector(t, count);
}

/** set_robust_list(2). Errors: EINVAL. */
export function sysSetRobustList(t: Task, a: SyscallArgs): SysResult {
  const headAddr = a.u64(0);
  const bytes = a.u64(1);
  if (bytes !== SIZEOF_ROBUST_LIST_HEAD) return -EINVAL;
  t.robustListAddr = headAddr;
  return 0;
}

/** get_robust_list(2). Errors: EFAULT, EPERM, ESRCH. */
export function sysGetRobustList(t: Task, a: SyscallArgs): SysResult {
  const tid = a.i32(0);
  const headAddrAddr = a.u64(1);
  const bytesAddr = a.u64(2);
  const target = tid === 0 ? t : (t.pidNs.lookup(tid)?.task ?? null);
  if (target === null) return -ESRCH;
  if (!mayInspect(t, target)) return -EPERM;
  if (t.mm.store64(bytesAddr, SIZEOF_ROBUST_LIST_HEAD) < 0) return -EFAULT;
  return t.mm.store64(headAddrAddr, target.robustListAddr);
}

function takesClock(cmd: number): boolean {
  return cmd === FUTEX_WAIT || cmd === FUTEX_WAIT_BITSET || cmd === FUTEX_WAIT_REQUEUE_PI || cmd === FUTEX_LOCK_PI2;
}

/** Sets `restart.deadlineMs` at the first try: relative for FUTEX_WAIT, absolute for the others. Returns 0. */
function loadDeadline(t: Task, timeoutAddr: number, op: number, cmd: number): number {
  if (t.restart.tryCount !== 0) return 0;
  const isRealtime = (op & FUTEX_CLOCK_REALTIME) !== 0 || cmd === FUTEX_LOCK_PI;
  if (cmd !== FUTEX_WAIT) return loadAbsoluteDeadline(t, timeoutAddr, isRealtime);
  const timeoutMs = loadTimeout(t, timeoutAddr);
  if (timeoutMs < 0) return timeoutMs;
  t.restart.deadlineMs = timeoutMs === Infinity ? Infinity : t.kernel.clock.monotonicMs() + timeoutMs;
  return 0;
}

/** Sets `restart.deadlineMs` from an absolute time, none for a null pointer. Returns 0. Errors: EFAULT, EINVAL. */
export function loadAbsoluteDeadline(t: Task, timeoutAddr: number, isRealtime: boolean): number {
  const { clock } = t.kernel;
  const untilMs = loadTimeout(t, timeoutAddr);
  if (untilMs < 0) return untilMs;
  t.restart.deadlineMs =
    isRealtime && untilMs !== Infinity ? untilMs - clock.realtimeMs() + clock.monotonicMs() : untilMs;
  return 0;
}

/** Milliseconds of a `struct timespec`, Infinity for a null pointer. Errors: EFAULT, EINVAL. */
function loadTimeout(t: Task, addr: number): number {
  if (addr === 0) return Infinity;
  if (t.mm.copyIn(t.kernel.scratch, 0, addr, SIZEOF_TIMESPEC) < 0) return -EFAULT;
  const ms = loadTimespecMs(t.kernel.scratchView, 0);
  return Number.isNaN(ms) ? -EINVAL : ms;
}

function wake(t: Task, addr: number, isPrivate: boolean, val: number, bitset: number): SysResult {
  if (addr % 4 !== 0 || bitset === 0) return -EINVAL;
  const key = t.mm.futexKey(addr, isPrivate);
  if (Number.isNaN(key)) return -EFAULT;
  return t.kernel.futexes.wake(t.mm.futexMm(addr, isPrivate), key, Math.max(1, val | 0), bitset);
}

function requeue(t: Task, a: SyscallArgs, isPrivate: boolean, isCompared: boolean): SysResult {
  const addr = a.u64(0);
  const wakeCount = a.i32(2);
  const requeueCount = a.i32(3);
  const toAddr = a.u64(4);
  const expected = a.u32(5);
  if (wakeCount < 0 || requeueCount < 0 || addr % 4 !== 0 || toAddr % 4 !== 0) return -EINVAL;
  const key = t.mm.futexKey(addr, isPrivate);
  const toKey = t.mm.futexKey(toAddr, isPrivate);
  if (Number.isNaN(key) || Number.isNaN(toKey)) return -EFAULT;
  if (isCompared) {
    const value = t.mm.load32(addr);
    if (Number.isNaN(value)) return -EFAULT;
    if (value >>> 0 !== expected) return -EAGAIN;
  }
  const mm = t.mm.futexMm(addr, isPrivate);
  const { futexes } = t.kernel;
  const woken = futexes.wake(mm, key, wakeCount, ~0);
  return woken + futexes.requeue(mm, key, t.mm.futexMm(toAddr, isPrivate), toKey, requeueCount);
}

function wakeOp(t: Task, a: SyscallArgs, isPrivate: boolean): SysResult {
  const addr = a.u64(0);
  const wakeCount = a.i32(2);
  const secondWakeCount = a.i32(3);
  const secondAddr = a.u64(4);
  const encoded = a.u32(5);
  if (addr % 4 !== 0 || secondAddr % 4 !== 0) return -EINVAL;
  const key = t.mm.futexKey(addr, isPrivate);
  const secondKey = t.mm.futexKey(secondAddr, isPrivate);
  if (Number.isNaN(key) || Number.isNaN(secondKey)) return -EFAULT;
  if (!isWakeOpKnown(encoded)) return -ENOSYS;
  const before = applyWakeOp(t.mm, secondAddr, encoded);
  if (Number.isNaN(before)) return -EFAULT;
  const { futexes } = t.kernel;
  const woken = futexes.wake(t.mm.futexMm(addr, isPrivate), key, Math.max(1, wakeCount), ~0);
  if (!wakeOpHolds(before, encoded)) return woken;
  return woken + futexes.wake(t.mm.futexMm(secondAddr, isPrivate), secondKey, Math.max(1, secondWakeCount), ~0);
}

/** Queues a waiter for each word, unless one does not hold its value any more. */
function queueVector(t: Task, waitersAddr: number, count: number): SysResult {
  const { kernel, mm } = t;
  const { scratch, scratchView: mem } = kernel;
  if (mm.copyIn(scratch, 0, waitersAddr, count * SIZEOF_FUTEX_WAITV) < 0) return -EFAULT;
  for (let i = 0; i < count; i++) {
    const flags = mem.getUint32(i * SIZEOF_FUTEX_WAITV + FUTEX_WAITV_FLAGS, true);
    const reserved = mem.getUint32(i * SIZEOF_FUTEX_WAITV + FUTEX_WAITV_RESERVED, true);
    if ((flags & ~FUTEX_PRIVATE_FLAG) !== FUTEX2_SIZE_U32 || reserved !== 0) return -EINVAL;
  }
  t.futexVector ??= [];
  while (t.futexVector.length < count) t.futexVector.push(new FutexWaiter(t));
  for (let i = 0; i < count; i++) {
    const at = i * SIZEOF_FUTEX_WAITV;
    const isPrivate = (mem.getUint32(at + FUTEX_WAITV_FLAGS, true) & FUTEX_PRIVATE_FLAG) !== 0;
    const result = queueWord(t, i, loadU64(mem, at + FUTEX_WAITV_UADDR), loadU64(mem, at + FUTEX_WAITV_VAL), isPrivate);
    if (result < 0) {
      leaveVector(t, i);
      return result;
    }
  }
  return 0;
}

function queueWord(t: Task, index: number, addr: number, expected: number, isPrivate: boolean): SysResult {
  if (addr % 4 !== 0) return -EINVAL;
  const key = t.mm.futexKey(addr, isPrivate);
  const value = t.mm.load32(addr);
  if (Number.isNaN(key) || Number.isNaN(value)) return -EFAULT;
  if (value >>> 0 !== expected) return -EAGAIN;
  t.kernel.futexes.add(t.futexVector![index]!, t.mm.futexMm(addr, isPrivate), key, ~0);
  return 0;
}

function sleepForVector(t: Task, count: number): SysResult {
  const { restart } = t;
  for (let i = 0; i < count; i++) {
    if (!t.futexVector![i]!.isWoken) continue;
    leaveVector(t, count);
    return i;
  }
  let result = -ETIMEDOUT;
  if (t.kernel.clock.monotonicMs() < restart.deadlineMs) {
    t.wait.until(restart.deadlineMs);
    if (restart.deadlineMs === Infinity) result = t.block(ERESTARTSYS);
    else result = t.block(ERESTART_RESTARTBLOCK);
  }
  if (result === BLOCKED) return BLOCKED;
  leaveVector(t, count);
  restart.phase = 0;
  return result;
}

function leaveVector(t: Task, count: number): void {
  for (let i = 0; i < count; i++) t.kernel.futexes.remove(t.futexVector![i]!);
}
