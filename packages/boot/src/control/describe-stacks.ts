import { syscallName } from '@tsv/abi';
import { REG_RIP, REG_RSP } from '@tsv/platform';
import { TaskState, type Kernel, type Task } from '@tsv/kernel';

const STATE_NAMES: Readonly<Record<number, string>> = {
  [TaskState.RUNNING]: 'running',
  [TaskState.BLOCKED]: 'waiting',
  [TaskState.WOKEN]: 'woken',
  [TaskState.STOPPED]: 'stopped',
};

/** Where every guest thread is, and where the sentry's own thread is while it says so. */
export function describeStacks(kernel: Kernel): string {
  const lines = [
    `Sentry ${process.pid}, platform ${kernel.platform.name}:`,
    ...(new Error('stack').stack ?? '').split('\n').slice(1),
    '',
  ];
  for (const group of kernel.tasks.threadGroups()) {
    for (const task of group.tasks) if (!task.hasExited) lines.push(describeTask(task));
  }
  return `${lines.join('\n')}\n`;
}

function describeTask(task: Task): string {
  const place = `ip 0x${task.page.get(REG_RIP).toString(16)} sp 0x${task.page.get(REG_RSP).toString(16)}`;
  const state = task.isHeld ? 'frozen' : task.isInGuest ? 'in the guest' : (STATE_NAMES[task.state] ?? 'gone');
  const call = task.syscallNr >= 0 ? ` in ${syscallName(task.syscallNr)}` : '';
  return `Task ${task.tid} of process ${task.threadGroup.pid} (${task.comm}, container "${task.threadGroup.containerId}"): ${state}${call}, ${place}`;
}
