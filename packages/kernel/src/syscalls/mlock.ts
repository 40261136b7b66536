import {
  CAP_IPC_LOCK,
  EAGAIN,
  EINVAL,
  ENOMEM,
  EPERM,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
  RLIMIT_MEMLOCK,
  type SysResult,
} from '@tsv/abi';
import { pageCeil, pageFloor } from '../mm/pma.js';
import { VM_LOCKED, VM_LOCKONFAULT, VM_SPECIAL } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import { mayLock } from './mmap.js';
import type { SyscallArgs } from './syscall-args.js';

const LOCK_FLAGS = VM_LOCKED | VM_LOCKONFAULT;

/** mlock(2). Errors: EAGAIN, EINVAL, ENOMEM, EPERM. Pages are not swapped anyway: they are made present and counted. */
export function sysMlock(t: Task, a: SyscallArgs): SysResult {
  return lockRange(t, a.u64(0), a.u64(1), VM_LOCKED);
}

/** mlock2(2). Errors: as mlock(2). */
export function sysMlock2(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(2);
  if ((flags & ~MLOCK_ONFAULT) !== 0) return -EINVAL;
  return lockRange(t, a.u64(0), a.u64(1), flags === 0 ? VM_LOCKED : LOCK_FLAGS);
}

/** munlock(2). Errors: EINVAL, ENOMEM. */
export function sysMunlock(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const start = pageFloor(addr);
  const end = pageCeil(addr + length);
  if (!(end <= 2 ** 63)) return -EINVAL;
  return setLockFlags(t, start, end, 0);
}

/** mlockall(2). Errors: EINVAL, ENOMEM, EPERM. */
export function sysMlockall(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(0);
  if (flags === 0 || flags === MCL_ONFAULT || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) !== 0) return -EINVAL;
  if (!mayLock(t)) return -EPERM;
  const { mm } = t;
  if ((flags & MCL_CURRENT) !== 0 && mm.vmBytes > lockedBytesMax(t)) return -ENOMEM;
  const vmFlags = (flags & MCL_ONFAULT) !== 0 ? LOCK_FLAGS : VM_LOCKED;
  mm.futureLock = (flags & MCL_FUTURE) !== 0 ? vmFlags : 0;
  if ((flags & MCL_CURRENT) !== 0) lockAll(t, vmFlags);
  return 0;
}

/** munlockall(2). */
export function sysMunlockall(t: Task): SysResult {
  t.mm.futureLock = 0;
  lockAll(t, 0);
  return 0;
}

function lockedBytesMax(t: Task): number {
  return t.creds.hasCap(CAP_IPC_LOCK) ? Infinity : t.threadGroup.limits.soft(RLIMIT_MEMLOCK);
}

function lockRange(t: Task, addr: number, length: number, vmFlags: number): number {
  if (!mayLock(t)) return -EPERM;
  const start = pageFloor(addr);
  const end = pageCeil(addr + length);
  if (!(end <= 2 ** 63)) return -EINVAL;
  if (t.mm.lockedBytes - lockedIn(t, start, end) + (end - start) > lockedBytesMax(t)) return -ENOMEM;
  const status = setLockFlags(t, start, end, vmFlags);
  if (status < 0 || (vmFlags & VM_LOCKONFAULT) !== 0) return status;
  const populated = t.mm.makeAllPresent(start, end, false);
  return populated < 0 ? (populated === -ENOMEM ? -EAGAIN : -ENOMEM) : 0;
}

/** Bytes of `[start, end)` that are locked already. */
function lockedIn(t: Task, start: number, end: number): number {
  const { vmas } = t.mm.addressMap;
  let bytes = 0;
  for (let i = vmas.indexFrom(start); i < vmas.count && vmas.items[i]!.start < end; i++) {
    const vma = vmas.items[i]!;
    if ((vma.flags & VM_LOCKED) !== 0) bytes += Math.min(end, vma.end) - Math.max(start, vma.start);
  }
  return bytes;
}

/** Sets the lock flags up to the first hole. Errors: ENOMEM for a hole. */
function setLockFlags(t: Task, start: number, end: number, vmFlags: number): number {
  let at = start;
  for (let vma = t.mm.vmaAt(at); at < end && vma !== null; vma = t.mm.vmaAt(at)) at = Math.min(end, vma.end);
  if (at > start) t.mm.addressMap.setFlags(start, at, vmFlags, LOCK_FLAGS);
  return at < end ? -ENOMEM : 0;
}

function lockAll(t: Task, vmFlags: number): void {
  const ranges = t.mm.vmas().map((vma) => [vma.start, vma.end, vma.flags] as const);
  for (const [start, end, flags] of ranges) {
    if ((flags & VM_SPECIAL) !== 0) continue;
    t.mm.addressMap.setFlags(start, end, vmFlags, LOCK_FLAGS);
    // What cannot be made present now comes by fault, as Linux ignores it too.
    if (vmFlags === VM_LOCKED) t.mm.makeAllPresent(start, end, false);
  }
}
