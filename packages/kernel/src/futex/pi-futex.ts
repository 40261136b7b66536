import {
  EAGAIN,
  EDEADLK,
  EFAULT,
  EINVAL,
  EPERM,
  ERESTARTNOINTR,
  ESRCH,
  ETIMEDOUT,
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
} from '@tsv/abi';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import type { FutexWaiter } from './futex-table.js';
import { PHASE_QUEUED, waiterOf } from './futex-wait.js';

/** Owners that wait for one another, one for the next, at most: kernel.max_lock_depth of Linux. */
const LOCK_DEPTH_MAX = 1024;

/**
 * FUTEX_LOCK_PI of futex(2): takes the lock, or waits for its owner until `restart.deadlineMs`. Priorities are not
 * inherited: the host schedules. Returns 0 or BLOCKED. Errors: EDEADLK, EFAULT, EINVAL, ESRCH, ETIMEDOUT, and
 * ERESTARTNOINTR when a signal comes.
 */
export function lockPi(task: Task, addr: number, isPrivate: boolean): number {
  const { restart, kernel } = task;
  const waiter = waiterOf(task);
  if (restart.phase === PHASE_QUEUED && waiter.isWoken) return 0;
  if (restart.phase !== PHASE_QUEUED) {
    const result = tryLockPi(task, addr);
    if (result !== -EAGAIN) return result;
    const ownerTid = markWaiters(task, addr);
    if (Number.isNaN(ownerTid)) return -EFAULT;
    const owner = task.pidNs.lookup(ownerTid)?.task ?? null;
    if (owner === null || owner.hasExited) return -ESRCH;
    if (waitsForever(task, owner)) return -EDEADLK;
    const key = task.mm.futexKey(addr, isPrivate);
    if (Number.isNaN(key)) return -EFAULT;
    kernel.futexes.add(waiter, task.mm.futexMm(addr, isPrivate), key, ~0);
    waiter.piAddr = addr;
    waiter.piOwner = owner;
    kernel.futexes.piWaiterCount++;
    restart.phase = PHASE_QUEUED;
  }
  return sleepForLock(task, waiter);
}

/** Whether `owner` waits for `task`, itself or through the owners it waits for, or through more of them than may be. */
function waitsForever(task: Task, owner: Task): boolean {
  let next: Task | null = owner;
  for (let depth = 0; depth < LOCK_DEPTH_MAX; depth++) {
    if (next === null) return false;
    if (next === task) return true;
    next = next.futexWaiter?.piOwner ?? null;
  }
  return true;
}

/** FUTEX_TRYLOCK_PI. Returns 0. Errors: EAGAIN, EDEADLK, EFAULT, EINVAL. */
export function tryLockPi(task: Task, addr: number): number {
  if (addr % 4 !== 0) return -EINVAL;
  for (;;) {
    const value = task.mm.load32(addr);
    if (Number.isNaN(value)) return -EFAULT;
    const ownerTid = value & FUTEX_TID_MASK;
    if (ownerTid === task.threadPid.number) return -EDEADLK;
    if (ownerTid !== 0) return -EAGAIN;
    const taken = ((value & (FUTEX_OWNER_DIED | FUTEX_WAITERS)) | task.threadPid.number) >>> 0;
    const before = task.mm.cas32(addr, value >>> 0, taken);
    if (Number.isNaN(before)) return -EFAULT;
    if (before >>> 0 === value >>> 0) return 0;
  }
}

/** FUTEX_UNLOCK_PI: hands the lock to the first waiter. Returns 0. Errors: EFAULT, EINVAL, EPERM. */
export function unlockPi(task: Task, addr: number, isPrivate: boolean): number {
  if (addr % 4 !== 0) return -EINVAL;
  const value = task.mm.load32(addr);
  if (Number.isNaN(value)) return -EFAULT;
  if ((value & FUTEX_TID_MASK) !== task.threadPid.number) return -EPERM;
  const key = task.mm.futexKey(addr, isPrivate);
  if (Number.isNaN(key)) return -EFAULT;
  const first = task.kernel.futexes.first(task.mm.futexMm(addr, isPrivate), key);
  if (first !== null) return first.piOwner === null ? -EINVAL : handOver(first, 0);
  return task.mm.store32(addr, 0);
}

/** The thread ends: locks that others wait for go to the first of them, marked FUTEX_OWNER_DIED. */
export function releasePiFutexes(task: Task): void {
  const { futexes } = task.kernel;
  while (futexes.piWaiterCount > 0) {
    const waiter = futexes.firstPiWaiterFor(task);
    if (waiter === null) return;
    handOver(waiter, FUTEX_OWNER_DIED);
  }
}

/** Makes a waiter the owner and wakes it; those who still wait have a new owner to wait for. */
function handOver(waiter: FutexWaiter, died: number): number {
  const { task, piAddr, mm, key } = waiter;
  const { futexes } = task.kernel;
  futexes.remove(waiter);
  const hasMore = futexes.setPiOwner(mm, key, task);
  const word = ((hasMore ? FUTEX_WAITERS : 0) | died | task.threadPid.number) >>> 0;
  const result = task.mm.store32(piAddr, word);
  waiter.isWoken = true;
  task.wake();
  return result;
}

/** Sets FUTEX_WAITERS, so that the owner unlocks by a system call. Returns the owner's ID, NaN on a fault. */
function markWaiters(task: Task, addr: number): number {
  for (;;) {
    const value = task.mm.load32(addr);
    if (Number.isNaN(value)) return NaN;
    const before = task.mm.cas32(addr, value >>> 0, (value | FUTEX_WAITERS) >>> 0);
    if (Number.isNaN(before)) return NaN;
    if (before >>> 0 === value >>> 0) return value & FUTEX_TID_MASK;
  }
}

function sleepForLock(task: Task, waiter: FutexWaiter): number {
  const { restart, kernel } = task;
  let result = -ETIMEDOUT;
  if (kernel.clock.monotonicMs() < restart.deadlineMs) {
    task.wait.until(restart.deadlineMs);
    result = task.block(ERESTARTNOINTR);
  }
  if (result === BLOCKED) return BLOCKED;
  kernel.futexes.remove(waiter);
  restart.phase = 0;
  return result;
}
