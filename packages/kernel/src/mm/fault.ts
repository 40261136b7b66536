import {
  BUS_ADRERR,
  EACCES,
  EFAULT,
  ENOMEM,
  SEGV_ACCERR,
  SEGV_MAPERR,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGSEGV,
  SIGTRAP,
} from '@tsv/abi';
import { FAULT_ERROR_FETCH, FAULT_ERROR_UNKNOWN, FAULT_ERROR_WRITE, REG_RIP } from '@tsv/platform';
import { forceFaultSignal, forceSignal } from '../signal/force-signal.js';
import { kernelSignal } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';

/** Page fault, Intel SDM 3, 6.15. */
const TRAP_PAGE_FAULT = 14;

/** What an instruction can raise, signal(7). */
const FAULT_SIGNALS: ReadonlySet<number> = new Set([SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV]);

/** Answers the fault that the guest of `task` stopped with: the page appears, or the task gets the fault's signal. */
export function handleFault(task: Task): void {
  const { page } = task;
  const { sigCode, faultAddr } = page;
  // The page is the guest's to write: what is no signal of a fault is told as the one that fits all.
  const told = page.signo;
  const signo = FAULT_SIGNALS.has(told) ? told : SIGSEGV;
  if (signo !== SIGSEGV || !isPageFault(page.faultTrapno, sigCode)) {
    forceFaultSignal(task, signo, sigCode, faultAddr);
    return;
  }
  const status = accessFaulted(task, faultAddr);
  if (status === 0) return;
  if (status === -EFAULT) forceFaultSignal(task, SIGSEGV, SEGV_MAPERR, faultAddr);
  else if (status === -EACCES) forceFaultSignal(task, SIGSEGV, SEGV_ACCERR, faultAddr);
  else if (status === -ENOMEM) forceSignal(task, kernelSignal(SIGKILL));
  else forceFaultSignal(task, SIGBUS, BUS_ADRERR, faultAddr);
}

function isPageFault(trapno: number, sigCode: number): boolean {
  return trapno === TRAP_PAGE_FAULT || (trapno === 0 && (sigCode === SEGV_MAPERR || sigCode === SEGV_ACCERR));
}

function accessFaulted(task: Task, addr: number): number {
  const { mm, page } = task;
  mm.limits = task.threadGroup.limits;
  const error = page.faultError;
  if (error !== FAULT_ERROR_UNKNOWN) {
    return mm.handleFault(addr, (error & FAULT_ERROR_WRITE) !== 0, (error & FAULT_ERROR_FETCH) !== 0);
  }
  // The platform cannot say what was tried: whatever the mapping allows is made possible. If the same instruction
  // faults there again, it tried something else.
  const ip = page.get(REG_RIP);
  const isRepeated = task.unknownFaultAddr === addr && task.unknownFaultIp === ip;
  task.unknownFaultAddr = addr;
  task.unknownFaultIp = ip;
  if (isRepeated && !mm.lacksPage(addr)) {
    task.unknownFaultAddr = -1;
    return -EACCES;
  }
  return mm.handleFault(addr, mm.vmaAt(addr)?.isWritable === true, false);
}
