import {
  CLD_DUMPED,
  CLD_EXITED,
  CLD_KILLED,
  NSIG,
  POLLIN,
  SA_NOCLDWAIT,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
  SIG_IGN,
  WCOREFLAG,
} from '@tsv/abi';
import { releaseTracees } from '../ptrace/attach.js';
import { childSignal } from '../signal/child-signal.js';
import { killGroup, sendSignal } from '../signal/send-signal.js';
import { kernelSignal, userSignal } from '../signal/sig-info.js';
import type { ProcessGroup } from './session.js';
import { TaskState } from './task.js';
import type { ThreadGroup } from './thread-group.js';

/** The last thread of `group` has exited: children find a new parent, and the old parent is told. */
export function exitGroupNotify(group: ThreadGroup): void {
  group.isZombie = true;
  group.cgroup.memberDied();
  releaseTracees(group);
  group.pending.clear();
  group.intervalTimers?.clear();
  group.posixTimers?.clear();
  group.cpuLimit?.set(Infinity);
  if (group.isSessionLeader) endSession(group);
  if (group.isNamespaceInit) endPidNamespace(group);
  const orphanedGroup = groupThatLosesParent(group);
  reparentChildren(group);
  if (orphanedGroup !== null) hangUpIfOrphaned(orphanedGroup);
  group.kernel.onExit?.(group);
  group.exited.notify(POLLIN);
  tellParent(group);
}

/** Removes a zombie for good: its IDs are free again. */
export function reap(group: ThreadGroup): void {
  const { leader, kernel, parent } = group;
  group.isReaped = true;
  leader.state = TaskState.DEAD;
  group.tasks.length = 0;
  parent?.children.delete(group);
  leader.threadPid.task = null;
  group.processGroup.remove(group);
  leader.threadPid.releaseIfUnused();
  kernel.tasks.remove(group);
  group.cgroup.leave(group);
  kernel.tasks.taskCount--;
  group.cgroup.countTasks(-1);
}

/** `si_code` and `si_status` of a zombie, waitid(2). */
export function exitSigCode(group: ThreadGroup): number {
  if ((group.exitStatus & 0x7f) === 0) return CLD_EXITED;
  return (group.exitStatus & WCOREFLAG) !== 0 ? CLD_DUMPED : CLD_KILLED;
}
export function exitSigStatus(group: ThreadGroup): number {
  return (group.exitStatus & 0x7f) === 0 ? (group.exitStatus >> 8) & 0xff : group.exitStatus & 0x7f;
}

function tellParent(group: ThreadGroup): void {
  const { parent, exitSignal } = group;
  if (parent === null || parent.isZombie) return reap(group);
  const action = parent.signalActions.get(SIGCHLD);
  const isIgnored = exitSignal === SIGCHLD && action.handlerAddr === SIG_IGN;
  const isAutoReaped = isIgnored || (exitSignal === SIGCHLD && (action.flags & SA_NOCLDWAIT) !== 0);
  if (exitSignal !== 0 && exitSignal <= NSIG && !isIgnored) {
    sendSignal(parent, childSignal(group, parent, exitSignal, exitSigCode(group), exitSigStatus(group)));
  }
  if (isAutoReaped) reap(group);
  parent.childExited.notify(POLLIN);
}

function reparentChildren(group: ThreadGroup): void {
  for (const child of [...group.children]) {
    const reaper = reaperOf(group, child);
    const deathSignal = child.leader.parentDeathSignal;
    group.children.delete(child);
    child.parent = reaper;
    for (const task of child.tasks) task.context.forgetAnswers?.();
    reaper?.children.add(child);
    if (deathSignal !== 0 && !child.isZombie) {
      sendSignal(child, userSignal(deathSignal, 0, group.pidIn(child.pidNs), group.leader.creds.uid));
    }
    child.exitSignal = SIGCHLD;
    if (child.isZombie) tellParent(child);
    else if (reaper === null || reaper.session !== child.session || reaper.processGroup === child.processGroup) {
      hangUpIfOrphaned(child.processGroup);
    }
  }
}

/** Who takes the children of `group`: the next subreaper among its ancestors, or process 1 of their PID namespace. */
function reaperOf(group: ThreadGroup, child: ThreadGroup): ThreadGroup | null {
  const init = child.pidNs.init;
  for (let g = group.parent; g !== null && g !== init && g.pidNs === group.pidNs; g = g.parent) {
    if (g.isSubreaper && !g.isExiting) return g;
  }
  return init === null || init === group || init === child || init.isZombie ? null : init;
}

/** The process group of `group` if its exit takes away a parent in another group of the session. */
function groupThatLosesParent(group: ThreadGroup): ProcessGroup | null {
  const { parent, processGroup } = group;
  if (parent === null || parent.processGroup === processGroup || parent.session !== group.session) return null;
  return processGroup;
}

/** A newly orphaned process group with a stopped member is hung up and continued, setpgid(2) and exit(3). */
function hangUpIfOrphaned(group: ProcessGroup): void {
  if (!group.hasStoppedMember || !group.isOrphaned()) return;
  sendSignal(group, kernelSignal(SIGHUP));
  sendSignal(group, kernelSignal(SIGCONT));
}

function endSession(leader: ThreadGroup): void {
  const session = leader.session;
  const { tty, foregroundGroup } = session;
  if (tty === null) return;
  session.tty = null;
  if (foregroundGroup !== null) {
    sendSignal(foregroundGroup, kernelSignal(SIGHUP));
    sendSignal(foregroundGroup, kernelSignal(SIGCONT));
  }
  session.foregroundGroup = null;
  tty.sessionEnded(session);
}

/** Process 1 has ended: everyone else in the namespace is killed, pid_namespaces(7). */
function endPidNamespace(init: ThreadGroup): void {
  const ns = init.pidNs;
  ns.isDead = true;
  for (const pid of [...ns.pids()]) {
    const group = pid.task?.threadGroup;
    if (group !== undefined && group !== init && !group.isZombie) killGroup(group, SIGKILL);
  }
}
