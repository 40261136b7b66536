import {
  CLD_CONTINUED,
  CLD_STOPPED,
  POLLIN,
  SA_NOCLDSTOP,
  SIGCHLD,
  SIGCONT,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIG_IGN,
} from '@tsv/abi';
import { wakeFromTraceStop } from '../ptrace/trace-stop.js';
import type { Tracing } from '../ptrace/tracing.js';
import { TaskState, type Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { childSignal } from './child-signal.js';
import { sendSignal } from './send-signal.js';
import { lowSignals } from './sig-set.js';

const STOP_LOW = lowSignals(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);

/** Drops pending signals of the two halves from a process and all its threads. */
export function discardPending(group: ThreadGroup, low: number, high: number): void {
  group.pending.discard(low, high);
  for (const task of group.tasks) {
    task.signals.pending.discard(low, high);
    task.signals.recalculate();
  }
}

/** `signo` begins to stop the process: every thread parks when it next leaves the kernel. */
export function beginStop(group: ThreadGroup, signo: number): void {
  if (group.stopSignal !== 0 || group.isExiting) return;
  group.stopSignal = signo;
  for (const task of group.tasks) {
    if (task.hasExited || task.state === TaskState.STOPPED) continue;
    if (task.tracing !== null) task.tracing.hasToldGroupStop = false;
    task.signals.isInterruptPending = true;
    task.interrupt();
  }
}

/** Parks `task` for the stop that has begun; the last thread to park tells the parent. */
export function parkStopped(task: Task): void {
  const group = task.threadGroup;
  task.state = TaskState.STOPPED;
  group.stoppedCount++;
  reportStopIfComplete(group);
}

/** Tells the parent of a stop once all threads are parked; called too when a thread exits meanwhile. */
export function reportStopIfComplete(group: ThreadGroup): void {
  if (group.stopSignal === 0 || group.stoppedCount === 0 || group.stoppedCount < group.liveCount) return;
  if (group.unreportedStop !== 0) return;
  group.unreportedStop = group.stopSignal;
  group.hasUnreportedContinue = false;
  tellParent(group, CLD_STOPPED, group.stopSignal);
}

/** SIGCONT was sent, blocked and ignored or not: stop signals are forgotten and the process runs on. */
export function continueGroup(group: ThreadGroup): void {
  const wasStopped = group.isStopped;
  const wasStopping = group.stopSignal !== 0;
  group.stopSignal = 0;
  discardPending(group, STOP_LOW, 0);
  if (!wasStopping) return;
  group.unreportedStop = 0;
  wakeStopped(group);
  if (!wasStopped) return;
  group.hasUnreportedContinue = true;
  tellParent(group, CLD_CONTINUED, SIGCONT);
}

/** Lets parked threads go on. */
export function wakeStopped(group: ThreadGroup): void {
  for (const task of group.tasks) {
    if (task.state === TaskState.STOPPED) {
      group.stoppedCount--;
      task.unpark();
    } else if (task.tracing !== null) {
      continueTraced(task, task.tracing);
    }
  }
}

function tellParent(group: ThreadGroup, code: number, status: number): void {
  const parent = group.parent;
  if (parent === null) return;
  const action = parent.signalActions.get(SIGCHLD);
  if (action.handlerAddr !== SIG_IGN && (action.flags & SA_NOCLDSTOP) === 0) {
    sendSignal(parent, childSignal(group, parent, SIGCHLD, code, status));
  }
  parent.childExited.notify(POLLIN);
}

/** The stop of a traced process has ended: whoever listens to it is told, ptrace(2) PTRACE_LISTEN. */
function continueTraced(task: Task, tracing: Tracing): void {
  tracing.hasToldGroupStop = false;
  if (!tracing.isSeized) return;
  tracing.isInterruptWanted = true;
  if (tracing.isListening) wakeFromTraceStop(task, tracing);
}
