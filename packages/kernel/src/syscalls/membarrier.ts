import {
  EINVAL,
  EPERM,
  ERESTARTNOINTR,
  MEMBARRIER_CMD_GET_REGISTRATIONS,
  MEMBARRIER_CMD_GLOBAL,
  MEMBARRIER_CMD_GLOBAL_EXPEDITED,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE,
  MEMBARRIER_CMD_QUERY,
  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
  type SysResult,
} from '@tsv/abi';
import type { Mm } from '../mm/mm.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const REGISTER_COMMANDS =
  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED |
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE;
const COMMANDS =
  REGISTER_COMMANDS |
  MEMBARRIER_CMD_GLOBAL |
  MEMBARRIER_CMD_GLOBAL_EXPEDITED |
  MEMBARRIER_CMD_PRIVATE_EXPEDITED |
  MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE |
  MEMBARRIER_CMD_GET_REGISTRATIONS;
/** How often it is looked whether interrupted threads have stopped. */
const LOOK_MS = 0.05;

/**
 * membarrier(2): the other threads are interrupted; one that has stopped since has passed a barrier. Errors: EINVAL,
 * EPERM without registration.
 */
export function sysMembarrier(t: Task, a: SyscallArgs): SysResult {
  const cmd = a.i32(0);
  const flags = a.u32(1);

  if (flags !== 0) return -EINVAL;
  if (cmd === MEMBARRIER_CMD_QUERY) return COMMANDS;
  const { mm } = t;
  switch (cmd) {
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
      mm.membarrierRegistrations |= cmd;
      return 0;
    case MEMBARRIER_CMD_GET_REGISTRATIONS:
      return mm.membarrierRegistrations;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
      return passBarrier(t, null);
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
      // The command to register is the bit above the one to use it.
      return (mm.membarrierRegistrations & (cmd << 1)) === 0 ? -EPERM : passBarrier(t, mm);
    default:
      return -EINVAL;
  }
}

/** A thread that ran when the barrier began, and since when. */
interface RunningThread {
  readonly task: Task;
  readonly resumedMs: number;
}

/** Waits until each thread that uses `mm` (null: any) has stopped once. */
function passBarrier(t: Task, mm: Mm | null): number {
  const { restart } = t;
  if (restart.tryCount === 0) restart.object = interruptRunning(t, mm);
  const running = (restart.object as RunningThread[]).filter(
    ({ task, resumedMs }) => task.isInGuest && task.resumedMs === resumedMs,
  );
  if (running.length === 0) return 0;
  restart.object = running;
  // One that has stopped and gone on within one reading of the clock looks as if it had not: it is asked again.
  if (restart.tryCount > 0) for (const { task } of running) task.context.interrupt();
  t.wait.until(t.kernel.clock.monotonicMs() + LOOK_MS);
  return t.block(ERESTARTNOINTR);
}

function interruptRunning(t: Task, mm: Mm | null): RunningThread[] {
  const running: RunningThread[] = [];
  for (const { tasks } of t.kernel.tasks.threadGroups()) {
    for (const task of tasks) {
      if (task === t || !task.isInGuest || (mm !== null && task.mm !== mm)) continue;
      task.context.interrupt();
      running.push({ task, resumedMs: task.resumedMs });
    }
  }
  return running;
}
