import { EFAULT, EINVAL } from '@tsv/abi';
import type { Task } from '../task/task.js';

/** Bytes of the kernel's `sigset_t`. */
const SIGSET_BYTES = 8;
const bytes = new Uint8Array(SIGSET_BYTES);
const view = new DataView(bytes.buffer);

/**
 * Sets the signal mask at `addr` for the length of the call, ppoll(2); nothing happens if that is 0. Errors: EFAULT,
 * EINVAL when `sigsetBytes` is wrong.
 */
export function setTemporaryMask(t: Task, addr: number, sigsetBytes: number): number {
  if (addr === 0) return 0;
  if (sigsetBytes !== SIGSET_BYTES) return -EINVAL;
  if (t.mm.copyIn(bytes, 0, addr, SIGSET_BYTES) !== 0) return -EFAULT;
  t.signals.setTemporaryMask(view.getUint32(0, true), view.getUint32(4, true));
  return 0;
}
