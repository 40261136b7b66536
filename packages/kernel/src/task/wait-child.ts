import {
  CLD_CONTINUED,
  CLD_STOPPED,
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
  for (const child of task.threadGroup.children) {
    if (!matches(child, target, options)) continue;
    result = WaitResult.NOTHING_YET;
    if (tells(task, child, options, found)) return WaitResult.FOUND;
  }
  return result;
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
