import { EINVAL, ENOMEM, EPERM, MINSIGSTKSZ, SS_AUTODISARM, SS_DISABLE, SS_ONSTACK } from '@tsv/abi';
import { REG_RSP } from '@tsv/platform';
import type { Task } from '../task/task.js';

/** Sets the alternate signal stack, sigaltstack(2). Errors: EINVAL, ENOMEM, EPERM. */
export function setAltStack(task: Task, addr: number, flags: number, bytes: number): number {
  const { signals } = task;
  if (signals.altStackBytes > 0 && signals.isOnAltStack(task.page.get(REG_RSP))) return -EPERM;
  const mode = (flags & ~SS_AUTODISARM) >>> 0;
  if (mode !== SS_DISABLE && mode !== SS_ONSTACK && mode !== 0) return -EINVAL;
  if (mode === SS_DISABLE) {
    signals.resetAltStack();
    signals.altStackFlags = flags;
    return 0;
  }
  if (bytes < MINSIGSTKSZ) return -ENOMEM;
  signals.altStackAddr = addr;
  signals.altStackBytes = bytes;
  signals.altStackFlags = flags;
  return 0;
}
