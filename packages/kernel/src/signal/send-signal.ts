import { EAGAIN, POLLIN, RLIMIT_SIGPENDING, SIGCONT, SIGKILL, SIGRTMIN, SIGSTOP, SIG_DFL, SI_USER } from '@tsv/abi';
import { FrozenBy, thaw } from '../task/freezer.js';
import { ProcessGroup } from '../task/session.js';
import { Task, TaskState } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { continueGroup, discardPending } from './job-control.js';
import type { SigInfo } from './sig-info.js';
import { isDefaultStop } from './signal-actions.js';

const SIGCONT_LOW = 1 << (SIGCONT - 1);

/**
 * Sends a signal to a thread, a process or every process of a group. Permission was checked before. Errors: EAGAIN
 * when a queued signal is beyond RLIMIT_SIGPENDING.
 */
export function sendSignal(target: Task | ThreadGroup | ProcessGroup, info: SigInfo): number {
  if (target instanceof Task) return send(target.threadGroup, target, info);
  if (!(target instanceof ProcessGroup)) return send(target, null, info);
  for (const member of [...target.members]) send(member, null, info);
  return 0;
}

function send(group: ThreadGroup, task: Task | null, info: SigInfo): number {
  const signo = info.signo;
  if (group.isZombie || group.isReaped) return 0;
  if (signo === SIGCONT) continueGroup(group);
  else if (isDefaultStop(signo)) discardPending(group, SIGCONT_LOW, 0);
  if (isDropped(group, task, info)) return 0;
  const queue = task === null ? group.pending : task.signals.pending;
  if (signo >= SIGRTMIN && info.code !== SI_USER && queue.count >= group.limits.soft(RLIMIT_SIGPENDING)) {
    return -EAGAIN;
  }
  queue.add(info);
  group.signalArrived.notify(POLLIN);
  if (signo === SIGKILL) return killGroup(group, SIGKILL);
  if (task !== null) interruptTask(task, signo);
  else interruptSomeTask(group, signo);
  return 0;
}

/** Whether the signal has no effect at all: ignored and blocked by no one who could still change his mind. */
function isDropped(group: ThreadGroup, task: Task | null, info: SigInfo): boolean {
  const signo = info.signo;
  const target = task ?? group.leader;
  const { blocked, awaited } = target.signals;
  if (blocked.has(signo) || awaited.has(signo) || (target.tracing !== null && signo !== SIGKILL)) return false;
  if (isProtected(group, info)) return true;
  return group.signalActions.isIgnored(signo);
}

/** Process 1 of a namespace gets from its own namespace only what it has a handler for, pid_namespaces(7). */
function isProtected(group: ThreadGroup, info: SigInfo): boolean {
  if (!group.isNamespaceInit || group.signalActions.get(info.signo).handlerAddr !== SIG_DFL) return false;
  return !(info.isForced && (info.signo === SIGKILL || info.signo === SIGSTOP));
}

/** Ends the process: its threads exit with `status` as soon as they can. */
export function killGroup(group: ThreadGroup, status: number): number {
  if (!group.isExiting) {
    group.isExiting = true;
    group.exitStatus = status;
  }
  group.stopSignal = 0;
  thaw(group, FrozenBy.CGROUP);
  for (const task of group.tasks) interruptForExit(task);
  return 0;
}

function interruptForExit(task: Task): void {
  if (task.hasExited) return;
  task.signals.isInterruptPending = true;
  task.interrupt();
}

function interruptSomeTask(group: ThreadGroup, signo: number): void {
  const leader = group.leader;
  if (canTake(leader, signo)) return interruptTask(leader, signo);
  for (const task of group.tasks) if (canTake(task, signo)) return interruptTask(task, signo);
}

/** Whether `task` would take the signal when told of it. */
function canTake(task: Task, signo: number): boolean {
  if (task.state >= TaskState.STOPPED) return false;
  return !task.signals.blocked.has(signo) || task.signals.awaited.has(signo);
}

function interruptTask(task: Task, signo: number): void {
  const signals = task.signals;
  if (task.hasExited) return;
  if (signals.blocked.has(signo)) {
    if (signals.awaited.has(signo)) task.wake();
    return;
  }
  signals.isInterruptPending = true;
  if (task.state < TaskState.STOPPED) task.interrupt();
}

/** Lets other threads take the process's pending signals that `task` no longer takes: it blocks them, or exits. */
export function retargetShared(task: Task): void {
  const group = task.threadGroup;
  if (group.pending.set.isEmpty || group.tasks.length < 2) return;
  for (const other of group.tasks) {
    if (other === task || other.state >= TaskState.STOPPED) continue;
    other.signals.recalculate();
    if (other.signals.isInterruptPending) other.interrupt();
  }
}
