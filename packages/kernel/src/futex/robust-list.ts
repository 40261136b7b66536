import {
  FUTEX_OWNER_DIED,
  FUTEX_TID_MASK,
  FUTEX_WAITERS,
  ROBUST_FUTEX_OFFSET,
  ROBUST_LIST_LIMIT,
  ROBUST_LIST_NEXT,
  ROBUST_LIST_OP_PENDING,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { wakeFutex } from './futex-wake.js';
import { releasePiFutexes } from './pi-futex.js';

/**
 * The thread ends: robust futexes that it holds are marked and a waiter of each is woken, get_robust_list(2). The list
 * is the guest's: a walk ends at the first address that cannot be read, and at ROBUST_LIST_LIMIT entries.
 */
export function releaseRobustFutexes(task: Task): void {
  const headAddr = task.robustListAddr;
  task.robustListAddr = 0;
  if (headAddr !== 0) walkList(task, headAddr);
  releasePiFutexes(task);
}

function walkList(task: Task, headAddr: number): void {
  const { mm } = task;
  const futexOffset = loadSigned64(task, headAddr + ROBUST_FUTEX_OFFSET);
  const pending = mm.load64(headAddr + ROBUST_LIST_OP_PENDING);
  let entry = mm.load64(headAddr + ROBUST_LIST_NEXT);
  if (Number.isNaN(futexOffset) || Number.isNaN(pending) || Number.isNaN(entry)) return;
  const pendingAddr = pending - (pending % 2);
  for (let count = 0; entry - (entry % 2) !== headAddr && count < ROBUST_LIST_LIMIT; count++) {
    const isPi = entry % 2 === 1;
    const entryAddr = entry - (entry % 2);
    const next = mm.load64(entryAddr);
    if (entryAddr !== pendingAddr && markOwnerDied(task, entryAddr + futexOffset, isPi, false) < 0) return;
    if (Number.isNaN(next)) return;
    entry = next;
  }
  if (pendingAddr !== 0) markOwnerDied(task, pendingAddr + futexOffset, pending % 2 === 1, true);
}

/** Marks one futex if the thread owns it. Returns -1 when its word cannot be accessed. */
function markOwnerDied(task: Task, addr: number, isPi: boolean, isPending: boolean): number {
  const { mm } = task;
  if (addr % 4 !== 0) return -1;
  for (;;) {
    const value = mm.load32(addr) >>> 0;
    if (Number.isNaN(mm.load32(addr))) return -1;
    if (isPending && !isPi && value === 0) {
      wakeFutex(task, addr, 1);
      return 0;
    }
    if ((value & FUTEX_TID_MASK) !== task.threadPid.number) return 0;
    const marked = ((value & FUTEX_WAITERS) | FUTEX_OWNER_DIED) >>> 0;
    const before = mm.cas32(addr, value, marked);
    if (Number.isNaN(before)) return -1;
    if (before >>> 0 !== value) continue;
    if (!isPi && (value & FUTEX_WAITERS) !== 0) wakeFutex(task, addr, 1);
    return 0;
  }
}

/** A signed 64-bit word of the guest's memory; NaN where it cannot be read. */
function loadSigned64(task: Task, addr: number): number {
  const low = task.mm.load32(addr);
  const high = task.mm.load32(addr + 4);
  return (high | 0) * 0x1_0000_0000 + (low >>> 0) + (Number.isNaN(low) || Number.isNaN(high) ? NaN : 0);
}
