import {
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_PROCESS_CPUTIME_ID,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  CLOCK_REALTIME_COARSE,
  CLOCK_TAI,
  CLOCK_THREAD_CPUTIME_ID,
  EINVAL,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { processCpuMs, taskCpuMs } from './cpu-clock.js';

/** Bits of a clock ID that names a process's or a thread's CPU time, clock_getcpuclockid(3): `~id << 3 | kind`. */
const CPUCLOCK_PERTHREAD = 4;
const CPUCLOCK_KIND_MASK = 3;
const CPUCLOCK_MAX = 3;

/** Time of clock `id` in milliseconds, clock_gettime(2). Errors: EINVAL for a clock that does not exist. */
export function clockMs(task: Task, id: number): number {
  const { clock } = task.kernel;
  switch (id) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return clock.realtimeMs();
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return clock.monotonicMs();
    case CLOCK_PROCESS_CPUTIME_ID:
      return processCpuMs(task.threadGroup);
    case CLOCK_THREAD_CPUTIME_ID:
      return taskCpuMs(task);
    default:
      return id < 0 ? cpuClockMs(task, id) : -EINVAL;
  }
}

/** Whether clock `id` follows the wall clock. */
export function isRealtimeClock(id: number): boolean {
  return id === CLOCK_REALTIME || id === CLOCK_REALTIME_ALARM || id === CLOCK_TAI;
}

/** Whether clock `id` counts CPU time. */
export function isCpuClock(id: number): boolean {
  return id < 0 || id === CLOCK_PROCESS_CPUTIME_ID || id === CLOCK_THREAD_CPUTIME_ID;
}

/** The monotonic time at which clock `id`, which is no CPU clock, shows `ms`. */
export function monotonicDeadline(task: Task, id: number, ms: number): number {
  if (!isRealtimeClock(id)) return ms;
  const { clock } = task.kernel;
  return ms - clock.realtimeMs() + clock.monotonicMs();
}

function cpuClockMs(task: Task, id: number): number {
  if ((id & CPUCLOCK_KIND_MASK) >= CPUCLOCK_MAX) return -EINVAL;
  const number = ~(id >> 3);
  const target = number === 0 ? task : (task.pidNs.lookup(number)?.task ?? null);
  if (target === null) return -EINVAL;
  if ((id & CPUCLOCK_PERTHREAD) === 0)
    return target.isLeader || number === 0 ? processCpuMs(target.threadGroup) : -EINVAL;
  return target.threadGroup === task.threadGroup ? taskCpuMs(target) : -EINVAL;
}
