import type { SigInfo } from '../signal/sig-info.js';
import type { ThreadGroup } from '../task/thread-group.js';

/** What a traced task stopped for, ptrace(2) "Stopped states". */
export const TraceStopKind = {
  /** Before a signal is delivered. */
  SIGNAL: 0,
  /** All threads of the process are stopped by a signal. */
  GROUP: 1,
  SYSCALL_ENTRY: 2,
  SYSCALL_EXIT: 3,
  /** PTRACE_EVENT_*. */
  EVENT: 4,
} as const;
export type TraceStopKind = (typeof TraceStopKind)[keyof typeof TraceStopKind];

/** Where a task goes on after a trace stop. */
export const TraceNext = {
  /** Out of the kernel, by way of signals. */
  LEAVE: 0,
  /** The handler of its system call runs, for the first time or again. */
  HANDLER: 1,
  /** The system call has ended: what else there is to tell of it, then out of the kernel. */
  FINISH: 2,
} as const;
export type TraceNext = (typeof TraceNext)[keyof typeof TraceNext];

/** How far a traced task runs. */
export const TraceMode = { CONT: 0, SYSCALL: 1, STEP: 2 } as const;
export type TraceMode = (typeof TraceMode)[keyof typeof TraceMode];

/** A stop of a traced task. */
export interface TraceStop {
  readonly kind: TraceStopKind;
  /** What wait(2) tells in the upper bytes of the status: a signal, and an event above it. */
  readonly code: number;
  /** PTRACE_GETSIGINFO; null for a group stop. */
  info: SigInfo | null;
  readonly next: TraceNext;
}

/** That a task is traced, ptrace(2), and where it stands. */
export class Tracing {
  /** The process whose threads trace it. Differs: on Linux one thread of it does. */
  readonly tracer: ThreadGroup;
  /** By PTRACE_SEIZE: group stops are told apart, and PTRACE_INTERRUPT and PTRACE_LISTEN work. */
  readonly isSeized: boolean;
  /** PTRACE_O_*. */
  options: number;
  /** The stop it is in; null while it runs. */
  stop: TraceStop | null = null;
  /** wait(2) has told of the stop. */
  isStopTold = false;
  /** PTRACE_GETEVENTMSG. */
  eventMessage = 0;
  mode: TraceMode = TraceMode.CONT;
  /** The signal that the tracer lets through, to be acted on without another stop. */
  injected: SigInfo | null = null;
  /** PTRACE_INTERRUPT, or the first stop of a seized child. */
  isInterruptWanted = false;
  /** PTRACE_LISTEN: stopped still, but of no use to the tracer until it is told of another stop. */
  isListening = false;
  /** It has told of the stop of its process that is in force, and may run during it. */
  hasToldGroupStop = false;
  /** PTRACE_EVENT_* to stop with when the system call has ended; 0 for none. */
  pendingEvent = 0;
  /** The trap flag in its registers is ours. */
  isTrapFlagOurs = false;
  /** A single step is in a system call. */
  isStepInSyscall = false;
  /** PTRACE_EVENT_EXIT was told. */
  isExitTold = false;

  constructor(tracer: ThreadGroup, options: number, isSeized: boolean) {
    this.tracer = tracer;
    this.options = options;
    this.isSeized = isSeized;
  }

  /** Whether something of the tracer's makes the task look at its signals. */
  get isAttentionDue(): boolean {
    return this.injected !== null || this.isInterruptWanted;
  }
}

/** How a traced thread ended that wait(2) does not tell of as a child: it was no leader, or has another parent. */
export interface EndedTracee {
  readonly tid: number;
  readonly uid: number;
  readonly status: number;
}
