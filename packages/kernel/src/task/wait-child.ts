import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  CLD_TRAPPED,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  SIGCHLD,
  SIGCONT,
  WCONTINUED,
  WEXITED,
  WNOWAIT,
  WSTOPPED,
  W_CONTINUED,
  __WALL,
  __WCLONE,
  stoppedStatus,
} from '@tsv/abi';
import { exitSigCode, exitSigStatus, reap } from './exit-notify.js';
import type { ProcessGroup } from './session.js';
import type { Task } from './task.js';
import type { ThreadGroup } from './thread-group.js';

/** Which children a wait is for. One is kept for all calls: a search does not outlive its call. */
export class WaitTarget {
  /** P_ALL, P_PID, P_PGID or P_PIDFD. */
  type: number = P_ALL;
  /** For P_PID and P_PIDFD; null matches none. */
  group: ThreadGroup | null = null;
  /** For P_PID: the number itself, which may be a traced thread's. */
  tid = 0;
  /** For P_PGID; null matches none. */
  processGroup: ProcessGroup | null = null;
}

/** What {@link waitChild} found. Written by it, read by the handler right after. */
export class WaitedChild {
  pid = 0;
  uid = 0;
  /** As wait4(2) stores it. */
  status = 0;
  /** CLD_*, and what goes with it in `si_status`. */
  code = 0;
  sigStatus = 0;
  /** The child; a zombie was reaped, but its times can be read. */
  group: ThreadGroup | null = null;
}

/** Result of {@link waitChild}. */
export const WaitResult = {
  FOUND: 0,
  /** There are such children, but nothing to tell of them yet. */
  NOTHING_YET: 1,
  /** There is no such child. */
  NO_CHILD: 2,
} as const;
export type WaitResult = (typeof WaitResult)[keyof typeof WaitResult];

/** Looks for a child of `task` with something to tell of what `options` ask for, wait(2), and fills `found`. */
export function waitChild(task: Task, target: WaitTarget, options: number, found: WaitedChild): WaitResult {
  let result: WaitResult = WaitResult.NO_CHILD;
  for (const tracee of task.threadGroup.tracees) {
    if (!matchesTracee(tracee, target)) continue;
    result = WaitResult.NOTHING_YET;
    if (tellsTraceStop(task, tracee, options, found)) return WaitResult.FOUND;
  }
  if (tellsEndedTracee(task, target, options, found)) return WaitResult.FOUND;
  for (const child of task.threadGroup.children) {
    if (!matches(child, target, options)) continue;
    result = WaitResult.NOTHING_YET;
    if (tells(task, child, options, found)) return WaitResult.FOUND;
  }
  return result;
}

function matchesTracee(tracee: Task, target: WaitTarget): boolean {
  if (target.type === P_PID) return tracee.tracing?.tracer.pidNs.lookup(target.tid)?.task === tracee;
  if (target.type === P_PIDFD) return tracee.isLeader && tracee.threadGroup === target.group;
  return target.type !== P_PGID || tracee.threadGroup.processGroup === target.processGroup;
}

/** Tells of a trace stop once, ptrace(2): whatever the options say of stops. */
function tellsTraceStop(task: Task, tracee: Task, options: number, found: WaitedChild): boolean {
  const { tracing } = tracee;
  if (tracing === null || tracing.stop === null || tracing.isStopTold || tracing.isListening) return false;
  if ((options & WNOWAIT) === 0) tracing.isStopTold = true;
  found.pid = tracee.threadPid.in(task.pidNs);
  found.uid = task.creds.userNs.uidInside(tracee.creds.uid);
  found.status = (tracing.stop.code << 8) | 0x7f;
  found.code = CLD_TRAPPED;
  found.sigStatus = tracing.stop.code;
  found.group = tracee.threadGroup;
  return true;
}

/** Tells of a traced thread that has ended and is no child. */
function tellsEndedTracee(task: Task, target: WaitTarget, options: number, found: WaitedChild): boolean {
  const { endedTracees } = task.threadGroup;
  if ((options & WEXITED) === 0 || endedTracees.length === 0) return false;
  const index = target.type === P_PID ? endedTracees.findIndex(({ tid }) => tid === target.tid) : 0;
  const ended = endedTracees[index];
  if (ended === undefined || target.type === P_PGID || target.type === P_PIDFD) return false;
  if ((options & WNOWAIT) === 0) endedTracees.splice(index, 1);
  const signo = ended.status & 0x7f;
  found.pid = ended.tid;
  found.uid = ended.uid;
  found.status = ended.status;
  found.code = signo === 0 ? CLD_EXITED : CLD_KILLED;
  found.sigStatus = signo === 0 ? (ended.status >> 8) & 0xff : signo;
  found.group = task.threadGroup;
  return true;
}

function matches(child: ThreadGroup, target: WaitTarget, options: number): boolean {
  if ((target.type === P_PID || target.type === P_PIDFD) && child !== target.group) return false;
  if (target.type === P_PGID && child.processGroup !== target.processGroup) return false;
  if ((options & __WALL) !== 0) return true;
  return (child.exitSignal !== SIGCHLD) === ((options & __WCLONE) !== 0);
}

function tells(task: Task, child: ThreadGroup, options: number, found: WaitedChild): boolean {
  const isKept = (options & WNOWAIT) !== 0;
  if (child.isZombie) {
    if ((options & WEXITED) === 0) return false;
    describe(task, child, found, child.exitStatus, exitSigCode(child), exitSigStatus(child));
    if (!isKept) collect(task.threadGroup, child);
    return true;
  }
  if ((options & WSTOPPED) !== 0 && child.unreportedStop !== 0) {
    const signo = child.unreportedStop;
    if (!isKept) child.unreportedStop = 0;
    describe(task, child, found, stoppedStatus(signo), CLD_STOPPED, signo);
    return true;
  }
  if ((options & WCONTINUED) !== 0 && child.hasUnreportedContinue) {
    if (!isKept) child.hasUnreportedContinue = false;
    describe(task, child, found, W_CONTINUED, CLD_CONTINUED, SIGCONT);
    return true;
  }
  return false;
}

function describe(
  task: Task,
  child: ThreadGroup,
  found: WaitedChild,
  status: number,
  code: number,
  sigStatus: number,
): void {
  found.pid = child.pidIn(task.pidNs);
  found.uid = task.creds.userNs.uidInside(child.leader.creds.uid);
  found.status = status;
  found.code = code;
  found.sigStatus = sigStatus;
  found.group = child;
}

/** Reaps a zombie and counts its use of resources to its parent. */
function collect(parent: ThreadGroup, child: ThreadGroup): void {
  parent.childTimes.add(child.exitedTimes);
  parent.childTimes.add(child.childTimes);
  parent.childSwitchCount += child.exitedSwitchCount + child.childSwitchCount;
  parent.childMaxRssBytes = Math.max(parent.childMaxRssBytes, child.maxRssBytes, child.childMaxRssBytes);
  reap(child);
}
