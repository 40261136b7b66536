import type { Task } from './task.js';

/** Makes a new task known: by its ID, by its guest thread, and as a thread of its process. */
export function enroll(task: Task): void {
  const { kernel, threadGroup } = task;
  task.threadPid.task = task;
  threadGroup.tasks.push(task);
  if (threadGroup.tasks.length === 1) {
    threadGroup.leader = task;
    kernel.tasks.add(threadGroup);
    threadGroup.cgroup.enter(threadGroup);
  }
  kernel.tasks.taskCount++;
  threadGroup.cgroup.countTasks(1);
  kernel.setTaskOfContext(task.page.index, task);
}
