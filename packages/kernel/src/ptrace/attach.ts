import {
  CLD_EXITED,
  CLD_KILLED,
  CLONE_VFORK,
  PTRACE_EVENT_CLONE,
  PTRACE_EVENT_FORK,
  PTRACE_EVENT_VFORK,
  PTRACE_O_EXITKILL,
  PTRACE_O_TRACECLONE,
  PTRACE_O_TRACEFORK,
  PTRACE_O_TRACEVFORK,
  SIGCHLD,
  SIGKILL,
  SIGSTOP,
} from '@tsv/abi';
import { killGroup, sendSignal } from '../signal/send-signal.js';
import { kernelSignal, type SigInfo } from '../signal/sig-info.js';
import { TaskState, type Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { tellTracer, wakeFromTraceStop } from './trace-stop.js';
import { Tracing } from './tracing.js';

/** Ends that are kept for a tracer that does not wait: as many as there can be threads. */
const ENDED_MAX = 32768;

/** Makes `task` a tracee of `tracer`. A stop of its process becomes a trace stop. */
export function attach(task: Task, tracer: ThreadGroup, options: number, isSeized: boolean): void {
  task.tracing = new Tracing(tracer, options, isSeized);
  tracer.tracees.add(task);
  if (!isSeized) sendSignal(task, forced(SIGSTOP));
  if (task.state === TaskState.STOPPED) {
    task.threadGroup.stoppedCount--;
    task.unpark();
  }
}

/** PTRACE_TRACEME: `task` is traced by its parent from now on, and runs on. */
export function volunteer(task: Task, parent: ThreadGroup): void {
  task.tracing = new Tracing(parent, 0, false);
  parent.tracees.add(task);
}

/** The event that a new task of `parent` is for its tracer, 0 for none. */
export function cloneEvent(parent: Task, flags: number, exitSignal: number): number {
  const options = parent.tracing?.options ?? 0;
  if ((flags & CLONE_VFORK) !== 0) return (options & PTRACE_O_TRACEVFORK) !== 0 ? PTRACE_EVENT_VFORK : 0;
  if (exitSignal === SIGCHLD) return (options & PTRACE_O_TRACEFORK) !== 0 ? PTRACE_EVENT_FORK : 0;
  return (options & PTRACE_O_TRACECLONE) !== 0 ? PTRACE_EVENT_CLONE : 0;
}

/** A new task is traced by its parent's tracer from its first instruction on. */
export function attachChild(parent: Task, child: Task): void {
  const { tracer, options, isSeized } = parent.tracing!;
  const tracing = new Tracing(tracer, options, isSeized);
  child.tracing = tracing;
  tracer.tracees.add(child);
  if (isSeized) {
    tracing.isInterruptWanted = true;
    child.signals.isTraceDue = true;
  } else {
    child.signals.pending.add(forced(SIGSTOP));
  }
  child.signals.recalculate();
}

/** Ends the tracing of `task`; it goes on if it is in a trace stop. */
export function detach(task: Task): void {
  const { tracing } = task;
  if (tracing === null) return;
  tracing.tracer.tracees.delete(task);
  tracing.isInterruptWanted = false;
  wakeFromTraceStop(task, tracing);
  if (tracing.injected !== null) task.signals.pending.add(tracing.injected);
  task.tracing = null;
  task.signals.isTraceDue = false;
  task.signals.recalculate();
}

/** A process that traces has ended: its tracees run on, or die with it if they were to. */
export function releaseTracees(tracer: ThreadGroup): void {
  for (const task of [...tracer.tracees]) {
    const mustDie = ((task.tracing?.options ?? 0) & PTRACE_O_EXITKILL) !== 0;
    detach(task);
    if (mustDie) killGroup(task.threadGroup, SIGKILL);
  }
  tracer.endedTracees.length = 0;
}

/** A traced thread has ended with wait status `status`: its tracer is told unless it hears of it as its parent. */
export function endTracee(task: Task, status: number): void {
  const { tracing } = task;
  if (tracing === null) return;
  const { tracer } = tracing;
  task.tracing = null;
  tracer.tracees.delete(task);
  if (tracer.isZombie || (task.isLeader && task.threadGroup.parent === tracer)) return;
  const signo = status & 0x7f;
  if (tracer.endedTracees.length >= ENDED_MAX) tracer.endedTracees.shift();
  tracer.endedTracees.push({
    tid: task.threadPid.in(tracer.pidNs),
    uid: tracer.leader.creds.userNs.uidInside(task.creds.uid),
    status,
  });
  tellTracer(task, tracing, signo === 0 ? CLD_EXITED : CLD_KILLED, signo === 0 ? status >> 8 : signo);
}

function forced(signo: number): SigInfo {
  const info = kernelSignal(signo);
  info.isForced = true;
  return info;
}
