import { SIG_DFL } from '@tsv/abi';
import { FAULT_ERROR_UNKNOWN } from '@tsv/platform';
import type { Task } from '../task/task.js';
import { faultSignal, type SigInfo } from './sig-info.js';

/** Raises a signal that `task` cannot escape: blocked or ignored, it takes its default action. */
export function forceSignal(task: Task, info: SigInfo): void {
  const { signals, threadGroup } = task;
  const action = threadGroup.signalActions.get(info.signo);
  if (signals.blocked.has(info.signo) || threadGroup.signalActions.isIgnored(info.signo)) action.handlerAddr = SIG_DFL;
  if (signals.blocked.has(info.signo)) {
    signals.blocked.remove(info.signo);
    if (signals.hasSavedMask) signals.saved.remove(info.signo);
  }
  info.isForced = true;
  signals.pending.add(info);
  signals.isInterruptPending = true;
}

/** Raises the signal of a fault that `task` has just stopped with: `code` and `addr` are si_code and si_addr. */
export function forceFaultSignal(task: Task, signo: number, code: number, addr: number): void {
  const { signals, page } = task;
  signals.faultError = page.faultError === FAULT_ERROR_UNKNOWN ? 0 : page.faultError;
  signals.faultTrapno = page.faultTrapno;
  signals.faultAddr = page.faultAddr;
  forceSignal(task, faultSignal(signo, code, addr));
}
