import {
  CLD_TRAPPED,
  ENOSYS,
  ERESTARTSYS,
  ERESTART_RESTARTBLOCK,
  POLLIN,
  PTRACE_EVENT_EXEC,
  PTRACE_EVENT_EXIT,
  PTRACE_EVENT_STOP,
  PTRACE_O_TRACEEXEC,
  PTRACE_O_TRACEEXIT,
  PTRACE_O_TRACESYSGOOD,
  SA_NOCLDSTOP,
  SIGCHLD,
  SIGTRAP,
  SIG_IGN,
} from '@tsv/abi';
import { REG_EFLAGS, REG_ORIG_RAX, REG_R11, REG_RAX } from '@tsv/platform';
import { sendSignal } from '../signal/send-signal.js';
import { SigInfo, userSignal } from '../signal/sig-info.js';
import { TaskState, type Task } from '../task/task.js';
import { TraceMode, TraceNext, TraceStopKind, type TraceStop, type Tracing } from './tracing.js';

/** EFLAGS bit that makes the processor trap after one instruction. */
const TRAP_FLAG = 0x100;
const EVENT_SHIFT = 8;

/** Stops `task`, which is traced, and tells its tracer. */
export function enterTraceStop(task: Task, tracing: Tracing, stop: TraceStop): void {
  task.state = TaskState.TRACED;
  task.isLeaving = stop.next === TraceNext.LEAVE;
  tracing.stop = stop;
  tracing.isStopTold = false;
  tracing.isListening = false;
  if (stop.kind === TraceStopKind.GROUP) task.threadGroup.stoppedCount++;
  showRestart(task, stop);
  tellTracer(task, tracing, CLD_TRAPPED, stop.code & 0x7f);
}

/** Stops for a PTRACE_EVENT_*. */
export function stopForEvent(task: Task, tracing: Tracing, event: number, next: TraceNext, signo = SIGTRAP): void {
  const code = signo | (event << EVENT_SHIFT);
  enterTraceStop(task, tracing, { kind: TraceStopKind.EVENT, code, info: trapInfo(task, code), next });
}

/** A signal is about to be delivered: the tracer decides what becomes of it. */
export function stopForSignal(task: Task, tracing: Tracing, info: SigInfo): void {
  enterTraceStop(task, tracing, { kind: TraceStopKind.SIGNAL, code: info.signo, info, next: TraceNext.LEAVE });
}

/** PTRACE_INTERRUPT was asked for, or a seized child begins. */
export function stopForInterrupt(task: Task, tracing: Tracing): void {
  tracing.isInterruptWanted = false;
  task.signals.isTraceDue = tracing.isAttentionDue;
  stopForEvent(task, tracing, PTRACE_EVENT_STOP, TraceNext.LEAVE);
}

/** The process is stopped by a signal. */
export function stopWithGroup(task: Task, tracing: Tracing, signo: number): void {
  tracing.hasToldGroupStop = true;
  const code = tracing.isSeized ? signo | (PTRACE_EVENT_STOP << EVENT_SHIFT) : signo;
  const info = tracing.isSeized ? trapInfo(task, code) : null;
  enterTraceStop(task, tracing, { kind: TraceStopKind.GROUP, code, info, next: TraceNext.LEAVE });
}

/** A system call was made: whether the task stops before its handler runs. */
export function stopsAtEntry(task: Task, tracing: Tracing): boolean {
  takeTrapFlagBack(task, tracing);
  tracing.isStepInSyscall = tracing.mode === TraceMode.STEP;
  if (tracing.mode !== TraceMode.SYSCALL) return false;
  task.page.set(REG_RAX, -ENOSYS);
  stopForSyscall(task, tracing, TraceStopKind.SYSCALL_ENTRY, TraceNext.HANDLER);
  return true;
}

/** A system call has ended, with its result stored: whether the task stops to tell of that, or of an event in it. */
export function stopsAtExit(task: Task, tracing: Tracing): boolean {
  const event = tracing.pendingEvent;
  if (event !== 0) {
    tracing.pendingEvent = 0;
    if (event !== PTRACE_EVENT_EXEC || (tracing.options & PTRACE_O_TRACEEXEC) !== 0) {
      stopForEvent(task, tracing, event, TraceNext.FINISH);
      return true;
    }
    // Without the option execve(2) ends with a plain SIGTRAP, unless the task was seized.
    if (!tracing.isSeized) sendSignal(task, userSignal(SIGTRAP, 0, task.threadPid.number, task.creds.uid));
  }
  if (tracing.isStepInSyscall) {
    tracing.isStepInSyscall = false;
    sendSignal(task, stepInfo());
    return false;
  }
  if (tracing.mode !== TraceMode.SYSCALL) return false;
  stopForSyscall(task, tracing, TraceStopKind.SYSCALL_EXIT, TraceNext.LEAVE);
  return true;
}

/** Whether `task`, which ends with wait status `status`, stops once more for a tracer that wants to see it off. */
export function stopsBeforeExit(task: Task, status: number, next: TraceNext = TraceNext.HANDLER): boolean {
  const { tracing } = task;
  if (tracing === null || tracing.isExitTold || (tracing.options & PTRACE_O_TRACEEXIT) === 0) return false;
  tracing.isExitTold = true;
  tracing.eventMessage = status;
  stopForEvent(task, tracing, PTRACE_EVENT_EXIT, next);
  return true;
}

/** The guest is about to run: with the trap flag, if it is to stop after one instruction. */
export function prepareTracedRun(task: Task, tracing: Tracing): void {
  if (tracing.mode !== TraceMode.STEP) return;
  const flags = task.page.low(REG_EFLAGS);
  tracing.isTrapFlagOurs = (flags & TRAP_FLAG) === 0;
  task.page.setHalves(REG_EFLAGS, (flags | TRAP_FLAG) >>> 0, task.page.high(REG_EFLAGS));
}

/** The guest has stopped: nobody sees a trap flag that was ours. */
export function takeTrapFlagBack(task: Task, tracing: Tracing): void {
  if (!tracing.isTrapFlagOurs) return;
  tracing.isTrapFlagOurs = false;
  const { page } = task;
  page.setHalves(REG_EFLAGS, (page.low(REG_EFLAGS) & ~TRAP_FLAG) >>> 0, page.high(REG_EFLAGS));
  // `syscall` has copied the flags.
  if (task.syscallNr >= 0) page.setHalves(REG_R11, (page.low(REG_R11) & ~TRAP_FLAG) >>> 0, page.high(REG_R11));
}

/** Lets a stopped task go on as `mode` says; `signo` is what becomes of the signal that it stopped for, 0 for nothing. */
export function resumeTraced(task: Task, tracing: Tracing, mode: TraceMode, signo: number): void {
  const stop = tracing.stop!;
  tracing.mode = mode;
  if (signo !== 0) {
    if (stop.kind === TraceStopKind.SIGNAL) tracing.injected = signalFor(task, tracing, stop, signo);
    else if (stop.kind !== TraceStopKind.EVENT && stop.kind !== TraceStopKind.GROUP) {
      sendSignal(task, tracerSignal(task, tracing, signo));
    }
  }
  wakeFromTraceStop(task, tracing);
}

/** Ends a trace stop; the dispatcher takes the task on where the stop says. */
export function wakeFromTraceStop(task: Task, tracing: Tracing): void {
  const { stop } = tracing;
  if (stop === null || task.state !== TaskState.TRACED) return;
  if (stop.kind === TraceStopKind.GROUP) task.threadGroup.stoppedCount--;
  if (stop.next === TraceNext.LEAVE) readRestart(task);
  tracing.stop = null;
  tracing.isListening = false;
  task.traceNext = stop.next;
  task.signals.isTraceDue = tracing.isAttentionDue;
  task.signals.recalculate();
  task.state = TaskState.WOKEN;
  task.kernel.enqueueWoken(task);
}

/** Tells the tracer of a stop or an end, as a parent is told of its child's. */
export function tellTracer(task: Task, tracing: Tracing, code: number, status: number): void {
  const { tracer } = tracing;
  const action = tracer.signalActions.get(SIGCHLD);
  const isStop = code === CLD_TRAPPED;
  if (action.handlerAddr !== SIG_IGN && !(isStop && (action.flags & SA_NOCLDSTOP) !== 0)) {
    const info = new SigInfo(SIGCHLD, code);
    info.pid = task.threadPid.in(tracer.pidNs);
    info.uid = tracer.leader.creds.userNs.uidInside(task.creds.uid);
    info.status = status;
    sendSignal(tracer, info);
  }
  tracer.childExited.notify(POLLIN);
}

function stopForSyscall(task: Task, tracing: Tracing, kind: TraceStopKind, next: TraceNext): void {
  const code = (tracing.options & PTRACE_O_TRACESYSGOOD) !== 0 ? SIGTRAP | 0x80 : SIGTRAP;
  enterTraceStop(task, tracing, { kind, code, info: trapInfo(task, code), next });
}

/** What PTRACE_GETSIGINFO says of a stop that is no signal's. */
function trapInfo(task: Task, code: number): SigInfo {
  const info = new SigInfo(SIGTRAP, code);
  info.pid = task.threadPid.number;
  info.uid = task.creds.userNs.uidInside(task.creds.uid);
  return info;
}

/** TRAP_BRKPT: the step ended with the system call. */
function stepInfo(): SigInfo {
  const info = new SigInfo(SIGTRAP, 1);
  info.isForced = true;
  return info;
}

function signalFor(task: Task, tracing: Tracing, stop: TraceStop, signo: number): SigInfo {
  return stop.info?.signo === signo ? stop.info : tracerSignal(task, tracing, signo);
}

function tracerSignal(task: Task, tracing: Tracing, signo: number): SigInfo {
  const { leader } = tracing.tracer;
  return userSignal(signo, 0, tracing.tracer.pidIn(task.pidNs), task.creds.userNs.uidInside(leader.creds.uid));
}

/** While the task is stopped, its tracer sees in rax that a system call was interrupted, as on Linux. */
function showRestart(task: Task, stop: TraceStop): void {
  const { signals, page } = task;
  if (signals.restartCode !== 0 && stop.next === TraceNext.LEAVE) page.set(REG_RAX, -signals.restartCode);
}

/** The tracer may have changed the registers: what they say is what happens. */
function readRestart(task: Task): void {
  const { page, signals } = task;
  if (signals.restartCode === 0 && page.high(REG_RAX) !== 0xffff_ffff) return;
  const code = page.high(REG_RAX) === 0xffff_ffff ? -(page.low(REG_RAX) | 0) : 0;
  const isInCall = page.high(REG_ORIG_RAX) === 0;
  signals.restartCode = isInCall && code >= ERESTARTSYS && code <= ERESTART_RESTARTBLOCK ? code : 0;
}
