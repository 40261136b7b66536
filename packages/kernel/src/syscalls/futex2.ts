import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  EFAULT,
  EINVAL,
  FUTEX2_SIZE_U32,
  FUTEX_PRIVATE_FLAG,
  FUTEX_WAITV_FLAGS,
  FUTEX_WAITV_RESERVED,
  FUTEX_WAITV_UADDR,
  FUTEX_WAITV_VAL,
  SIZEOF_FUTEX_WAITV,
  EAGAIN,
  loadU64,
  type SysResult,
} from '@tsv/abi';
import { waitFutex } from '../futex/futex-wait.js';
import type { Task } from '../task/task.js';
import { loadAbsoluteDeadline } from './futex.js';
import type { SyscallArgs } from './syscall-args.js';

const U32_MAX = 0xffff_ffff;

/** Whether `flags` are those of a word of 32 bits, futex(7): other sizes are not there yet on Linux either. */
function isKnown(flags: number): boolean {
  return (flags & ~FUTEX_PRIVATE_FLAG) === FUTEX2_SIZE_U32;
}

/** futex_wake(2). Errors: EFAULT, EINVAL. */
export function sysFutexWake(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const mask = a.u64(1);
  const count = a.i32(2);
  const flags = a.u32(3);

  if (!isKnown(flags) || mask > U32_MAX || mask === 0 || addr % 4 !== 0) return -EINVAL;
  const isPrivate = (flags & FUTEX_PRIVATE_FLAG) !== 0;
  const key = t.mm.futexKey(addr, isPrivate);
  if (Number.isNaN(key)) return -EFAULT;
  return count <= 0 ? 0 : t.kernel.futexes.wake(t.mm.futexMm(addr, isPrivate), key, count, mask | 0);
}

/** futex_wait(2). Errors: EAGAIN, EFAULT, EINTR, EINVAL, ETIMEDOUT. */
export function sysFutexWait(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const expected = a.u64(1);
  const mask = a.u64(2);
  const flags = a.u32(3);
  const timeoutAddr = a.u64(4);
  const clockId = a.i32(5);

  if (!isKnown(flags) || expected > U32_MAX || mask > U32_MAX || mask === 0) return -EINVAL;
  if (t.restart.tryCount === 0) {
    if (timeoutAddr !== 0 && clockId !== CLOCK_MONOTONIC && clockId !== CLOCK_REALTIME) return -EINVAL;
    const status = loadAbsoluteDeadline(t, timeoutAddr, clockId === CLOCK_REALTIME);
    if (status < 0) return status;
  }
  return waitFutex(t, addr, (flags & FUTEX_PRIVATE_FLAG) !== 0, expected, mask | 0);
}

/** futex_requeue(2): from the first of two waiters to the second. Errors: EAGAIN, EFAULT, EINVAL. */
export function sysFutexRequeue(t: Task, a: SyscallArgs): SysResult {
  const waitersAddr = a.u64(0);
  const flags = a.u32(1);
  const wakeCount = a.i32(2);
  const requeueCount = a.i32(3);

  if (flags !== 0 || waitersAddr === 0) return -EINVAL;
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, waitersAddr, 2 * SIZEOF_FUTEX_WAITV) < 0) return -EFAULT;
  for (const at of [0, SIZEOF_FUTEX_WAITV]) {
    if (!isKnown(mem.getUint32(at + FUTEX_WAITV_FLAGS, true))) return -EINVAL;
    if (mem.getUint32(at + FUTEX_WAITV_RESERVED, true) !== 0) return -EINVAL;
  }
  const [from, to] = [futexAt(t, 0), futexAt(t, SIZEOF_FUTEX_WAITV)];
  const expected = loadU64(mem, FUTEX_WAITV_VAL);
  if (wakeCount < 0 || requeueCount < 0 || expected > U32_MAX) return -EINVAL;
  if (from.addr % 4 !== 0 || to.addr % 4 !== 0) return -EINVAL;
  if (Number.isNaN(from.key) || Number.isNaN(to.key)) return -EFAULT;
  const value = t.mm.load32(from.addr);
  if (Number.isNaN(value)) return -EFAULT;
  if (value >>> 0 !== expected) return -EAGAIN;
  const { futexes } = t.kernel;
  return (
    futexes.wake(from.mm, from.key, wakeCount, ~0) + futexes.requeue(from.mm, from.key, to.mm, to.key, requeueCount)
  );
}

/** The word that the `struct futex_waitv` at `at` of the scratch memory names. */
function futexAt(t: Task, at: number) {
  const { scratchView: mem } = t.kernel;
  const addr = loadU64(mem, at + FUTEX_WAITV_UADDR);
  const isPrivate = (mem.getUint32(at + FUTEX_WAITV_FLAGS, true) & FUTEX_PRIVATE_FLAG) !== 0;
  return { addr, key: t.mm.futexKey(addr, isPrivate), mm: t.mm.futexMm(addr, isPrivate) };
}
