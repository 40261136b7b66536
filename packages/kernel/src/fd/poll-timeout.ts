import { EFAULT, EINTR, EINVAL, ERESTARTNOHAND, SIZEOF_TIMESPEC, loadTimespecMs, storeTimespecMs } from '@tsv/abi';
import type { Task } from '../task/task.js';

const bytes = new Uint8Array(SIZEOF_TIMESPEC);
const view = new DataView(bytes.buffer);

/** The monotonic time `timeoutMs` from now. */
export function deadlineAfter(t: Task, timeoutMs: number): number {
  return timeoutMs <= 0 ? 0 : t.kernel.clock.monotonicMs() + timeoutMs;
}

/**
 * Sets the call's deadline from the `struct timespec` at `addr`, or to never if that is 0. Returns 0. Errors: EFAULT,
 * EINVAL.
 */
export function loadTimeout(t: Task, addr: number): number {
  if (addr === 0) {
    t.restart.deadlineMs = Infinity;
    return 0;
  }
  if (t.mm.copyIn(bytes, 0, addr, SIZEOF_TIMESPEC) !== 0) return -EFAULT;
  const timeoutMs = loadTimespecMs(view, 0);
  if (Number.isNaN(timeoutMs)) return -EINVAL;
  t.restart.deadlineMs = deadlineAfter(t, timeoutMs);
  return 0;
}

/**
 * Stores the time that is left of the call at `addr`, unless that is 0, and returns `result`. A call whose rest
 * cannot be told is not made again after a signal: EINTR takes the place of ERESTARTNOHAND.
 */
export function storeTimeLeft(t: Task, addr: number, result: number): number {
  const { deadlineMs } = t.restart;
  if (addr === 0 || deadlineMs === Infinity || Number.isNaN(deadlineMs)) return result;
  storeTimespecMs(view, 0, Math.max(0, deadlineMs - t.kernel.clock.monotonicMs()));
  const status = t.mm.copyOut(addr, bytes, 0, SIZEOF_TIMESPEC);
  return status !== 0 && result === -ERESTARTNOHAND ? -EINTR : result;
}
