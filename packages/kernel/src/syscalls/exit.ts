import { exitedStatus, type SysResult } from '@tsv/abi';
import { exitGroup, exitTask } from '../task/exit.js';
import type { Task } from '../task/task.js';
import { stopsBeforeExit } from '../ptrace/trace-stop.js';
import { BLOCKED, TASK_GONE } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** exit(2) of the thread, _exit(2). */
export function sysExit(t: Task, a: SyscallArgs): SysResult {
  const status = a.i32(0);
  if (stopsBeforeExit(t, exitedStatus(status))) return BLOCKED;
  exitTask(t, exitedStatus(status));
  return TASK_GONE;
}

/** exit_group(2). */
export function sysExitGroup(t: Task, a: SyscallArgs): SysResult {
  const status = a.i32(0);
  if (stopsBeforeExit(t, exitedStatus(status))) return BLOCKED;
  exitGroup(t, exitedStatus(status));
  return TASK_GONE;
}
