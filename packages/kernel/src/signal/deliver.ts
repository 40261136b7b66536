import {
  EINTR,
  ERESTARTNOINTR,
  ERESTARTSYS,
  ERESTART_RESTARTBLOCK,
  SA_NODEFER,
  SA_RESETHAND,
  SA_RESTART,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIG_DFL,
  SIG_IGN,
} from '@tsv/abi';
import { dumpCore } from '../coredump/dump-core.js';
import { REG_ORIG_RAX, REG_RAX, REG_RIP } from '@tsv/platform';
import { stopForInterrupt, stopForSignal, stopsBeforeExit, stopWithGroup } from '../ptrace/trace-stop.js';
import { TraceNext, type Tracing } from '../ptrace/tracing.js';
import { exitGroup, exitTask } from '../task/exit.js';
import { TaskState, type Task } from '../task/task.js';
import { beginStop, parkStopped } from './job-control.js';
import { forceSignal } from './force-signal.js';
import { kernelSignal, type SigInfo } from './sig-info.js';
import { isDefaultIgnored, isDefaultStop, type SigAction } from './signal-actions.js';
import { pushSignalFrame } from './signal-frame.js';
import { retargetShared } from './send-signal.js';

/** How a task leaves the kernel. */
export const Leave = {
  /** The guest runs on. */
  RESUME: 0,
  /** It does not: the task has exited or is stopped. */
  PARKED: 1,
  /** The interrupted system call begins anew; what its `restart` state holds survives. */
  RERUN: 2,
} as const;
export type Leave = (typeof Leave)[keyof typeof Leave];

/** Acts on everything that is due before the guest of `task` can run on: signals, stops, the end of the process. */
export function deliverSignals(task: Task): Leave {
  const { signals, threadGroup } = task;
  let isRerun = false;
  task.isLeaving = false;
  for (;;) {
    if (threadGroup.isExiting) {
      exitTask(task, threadGroup.exitStatus);
      return Leave.PARKED;
    }
    const { tracing } = task;
    if (threadGroup.stopSignal !== 0 && tracing?.hasToldGroupStop !== true) {
      if (isRerun) signals.restartCode = ERESTARTNOINTR;
      task.isLeaving = true;
      if (tracing === null) parkStopped(task);
      else stopWithGroup(task, tracing, threadGroup.stopSignal);
      return Leave.PARKED;
    }
    const injected = tracing === null ? null : takeInjected(task, tracing);
    if (tracing?.isInterruptWanted === true) {
      if (isRerun) signals.restartCode = ERESTARTNOINTR;
      stopForInterrupt(task, tracing);
      return Leave.PARKED;
    }
    const info = injected ?? (signals.isInterruptPending ? signals.take() : null);
    if (info !== null && tracing !== null && injected === null && info.signo !== SIGKILL) {
      if (isRerun) signals.restartCode = ERESTARTNOINTR;
      stopForSignal(task, tracing, info);
      return Leave.PARKED;
    }
    if (info !== null) {
      if (isRerun) rewindSyscall(task);
      isRerun = false;
      act(task, info);
      if (task.state >= TaskState.TRACED) return Leave.PARKED;
      continue;
    }
    signals.recalculate();
    if (signals.restartCode !== 0) isRerun = !restartsTraced(task);
    signals.restartCode = 0;
    if (!signals.hasSavedMask) return isRerun ? Leave.RERUN : Leave.RESUME;
    signals.restoreMask();
  }
}

/** The signal that the tracer lets through, or null. */
function takeInjected(task: Task, tracing: Tracing): SigInfo | null {
  const { injected } = tracing;
  tracing.injected = null;
  task.signals.isTraceDue = tracing.isInterruptWanted;
  return injected;
}

/** A traced task makes an interrupted system call again by its instruction, so that its tracer is told of it. */
function restartsTraced(task: Task): boolean {
  if (task.tracing === null || task.signals.restartCode === ERESTART_RESTARTBLOCK) return false;
  rewindSyscall(task);
  return true;
}

/** Carries out one signal: nothing, a stop, the end of the process, or a call of the handler. */
function act(task: Task, info: SigInfo): void {
  const { threadGroup } = task;
  const signo = info.signo;
  const action = threadGroup.signalActions.get(signo);
  if (action.handlerAddr === SIG_IGN) return;
  if (action.handlerAddr !== SIG_DFL) return callHandler(task, info, action);
  if (isDefaultIgnored(signo)) return;
  if (threadGroup.isNamespaceInit && !info.isForced) return;
  if (isDefaultStop(signo)) {
    if (signo === SIGSTOP || !threadGroup.processGroup.isOrphaned()) beginStop(threadGroup, signo);
    return;
  }
  if (stopsBeforeExit(task, signo, TraceNext.LEAVE)) {
    task.tracing!.injected = info;
    return;
  }
  exitGroup(task, signo | dumpCore(task, info));
}

function callHandler(task: Task, info: SigInfo, action: SigAction): void {
  const { signals } = task;
  const signo = info.signo;
  endInterruptedCall(task, action.flags);
  const mask = signals.hasSavedMask ? signals.saved : signals.blocked;
  if (pushSignalFrame(task, info, action, mask) < 0) {
    if (signo === SIGSEGV) action.handlerAddr = SIG_DFL;
    forceSignal(task, kernelSignal(SIGSEGV));
    return;
  }
  let low = signals.blocked.low | action.maskLow;
  let high = signals.blocked.high | action.maskHigh;
  if ((action.flags & SA_NODEFER) === 0) {
    if (signo <= 32) low |= 1 << (signo - 1);
    else high |= 1 << (signo - 33);
  }
  if ((action.flags & SA_RESETHAND) !== 0) action.handlerAddr = SIG_DFL;
  signals.hasSavedMask = false;
  changeBlocked(task, low, high);
}

/** Sets the signal mask and lets other threads take the process's signals that this one now blocks. */
export function changeBlocked(task: Task, low: number, high: number): void {
  task.signals.setBlocked(low, high);
  retargetShared(task);
}

/** What the handler's return finds: EINTR, or the call about to be made again, signal(7). */
function endInterruptedCall(task: Task, actionFlags: number): void {
  const code = task.signals.restartCode;
  if (code === 0) return;
  task.signals.restartCode = 0;
  if (code === ERESTARTNOINTR || (code === ERESTARTSYS && (actionFlags & SA_RESTART) !== 0)) rewindSyscall(task);
  else task.page.set(REG_RAX, -EINTR);
}

/** Puts the registers back to before the `syscall` instruction. */
function rewindSyscall(task: Task): void {
  const { page } = task;
  page.setHalves(REG_RAX, page.low(REG_ORIG_RAX), page.high(REG_ORIG_RAX));
  page.set(REG_RIP, page.restartIp);
}
