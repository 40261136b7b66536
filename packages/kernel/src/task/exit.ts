import { SIGKILL } from '@tsv/abi';
import { leaveFutexes } from '../futex/futex-wait.js';
import { wakeFutex } from '../futex/futex-wake.js';
import { releaseRobustFutexes } from '../futex/robust-list.js';
import { leaveSemaphoreUndo } from '../ipc/semaphore-undo.js';
import { dropKeyrings } from '../keys/task-keyrings.js';
import { endTracee } from '../ptrace/attach.js';
import { TraceStopKind } from '../ptrace/tracing.js';
import { reportStopIfComplete } from '../signal/job-control.js';
import { retargetShared } from '../signal/send-signal.js';
import { exitGroupNotify } from './exit-notify.js';
import { TaskState, type Task } from './task.js';

/** Ends `task` alone, exit(2): the process lives on if it has another thread. `status` is a wait status. */
export function exitTask(task: Task, status: number): void {
  const group = task.threadGroup;
  const isLast = group.liveCount === 1;
  if (isLast && !group.isExiting) {
    group.isExiting = true;
    group.exitStatus = status;
  }
  task.exitCode = group.isExiting ? group.exitStatus : status;
  if (task.state === TaskState.STOPPED || isGroupStopped(task)) group.stoppedCount--;
  task.wait.clear();
  leaveFutexes(task);
  leaveSemaphoreUndo(task);
  dropKeyrings(task);
  task.state = TaskState.ZOMBIE;
  endTracee(task, task.exitCode);
  retargetShared(task);
  releaseMemory(task);
  task.fds.decRef(task);
  task.fs.decRef();
  group.exitedTimes.add(task.times);
  group.exitedSwitchCount += task.voluntarySwitchCount;
  if (!task.isLeader) removeThread(task);
  if (group.liveCount === 0) exitGroupNotify(group);
  else reportStopIfComplete(group);
}

/** Ends every thread of the process of `task`, itself included, exit_group(2). `status` is a wait status. */
export function exitGroup(task: Task, status: number): void {
  const group = task.threadGroup;
  if (!group.isExiting) {
    group.isExiting = true;
    group.exitStatus = status;
  }
  group.stopSignal = 0;
  exitOtherThreads(task, group.exitStatus);
  exitTask(task, group.exitStatus);
}

/** Ends the other threads at once: they run in the guest or wait, and neither can go on before this returns. */
export function exitOtherThreads(task: Task, status: number): void {
  for (const other of [...task.threadGroup.tasks]) {
    if (other !== task && !other.hasExited) exitTask(other, status);
  }
}

/** The platform lost the guest thread of `task`: the process is killed. */
export function contextDied(task: Task): void {
  if (task.hasExited) return;
  task.kernel.log('warn', `Lost the guest thread of task ${task.tid} (${task.comm}): its process is killed`);
  exitGroup(task, SIGKILL);
}

/** Lets go of the memory: futexes that the thread held are released, and a vfork(2) parent goes on. */
export function releaseMemory(task: Task): void {
  const { mm, kernel } = task;
  releaseRobustFutexes(task);
  if (task.clearChildTid !== 0 && mm.store32(task.clearChildTid, 0) === 0) wakeFutex(task, task.clearChildTid, 1);
  task.clearChildTid = 0;
  kernel.setTaskOfContext(task.page.index, null);
  task.isInGuest = false;
  task.context.release();
  const residentBytes = mm.rssBytes;
  if (residentBytes > task.threadGroup.maxRssBytes) task.threadGroup.maxRssBytes = residentBytes;
  mm.decRef();
  completeVfork(task);
}

/** The task no longer uses its parent's memory: vfork(2) returns there. */
export function completeVfork(task: Task): void {
  const parent = task.vforkParent;
  if (parent === null) return;
  task.vforkParent = null;
  parent.wake();
}

/** Whether it stands in the stop of its process for its tracer. */
function isGroupStopped(task: Task): boolean {
  return task.tracing?.stop?.kind === TraceStopKind.GROUP;
}

function removeThread(task: Task): void {
  const { tasks } = task.threadGroup;
  tasks.splice(tasks.indexOf(task), 1);
  task.state = TaskState.DEAD;
  task.threadPid.task = null;
  task.threadPid.releaseIfUnused();
  task.kernel.tasks.taskCount--;
  task.threadGroup.cgroup.countTasks(-1);
}
