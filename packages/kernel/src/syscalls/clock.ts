import {
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_REALTIME_COARSE,
  CLOCK_THREAD_CPUTIME_ID,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  ERESTARTNOHAND,
  ERESTART_RESTARTBLOCK,
  SIZEOF_TIMESPEC,
  SIZEOF_TIMEVAL,
  SIZEOF_TMS,
  TIMER_ABSTIME,
  loadTimespecMs,
  storeI64,
  storeTimespecMs,
  storeTimevalMs,
  type SysResult,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { clockMs, isCpuClock, monotonicDeadline } from '../time/guest-clock.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** Clock ticks of times(2), sysconf(3) _SC_CLK_TCK. */
const TICK_MS = 10;
const COARSE_RESOLUTION_MS = 4;

/** clock_gettime(2). Errors: EFAULT, EINVAL. */
export function sysClockGettime(t: Task, a: SyscallArgs): SysResult {
  const clockId = a.i32(0);
  const timeAddr = a.u64(1);
  t.kernel.timekeeper?.refresh();
  const ms = clockMs(t, clockId);
  if (ms < 0) return ms;
  storeTimespecMs(t.kernel.scratchView, 0, ms);
  return t.mm.copyOut(timeAddr, t.kernel.scratch, 0, SIZEOF_TIMESPEC);
}

/** clock_getres(2). Errors: EFAULT, EINVAL. */
export function sysClockGetres(t: Task, a: SyscallArgs): SysResult {
  const clockId = a.i32(0);
  const resolutionAddr = a.u64(1);
  if (clockMs(t, clockId) < 0) return -EINVAL;
  if (resolutionAddr === 0) return 0;
  const isCoarse = clockId === CLOCK_REALTIME_COARSE || clockId === CLOCK_MONOTONIC_COARSE;
  storeTimespecMs(t.kernel.scratchView, 0, isCoarse ? COARSE_RESOLUTION_MS : 1e-6);
  return t.mm.copyOut(resolutionAddr, t.kernel.scratch, 0, SIZEOF_TIMESPEC);
}

/** clock_settime(2). Differs: the sandbox's clock is the host's and cannot be set. Errors: EPERM, EINVAL. */
export function sysClockSettime(t: Task, a: SyscallArgs): SysResult {
  return clockMs(t, a.i32(0)) < 0 ? -EINVAL : -EPERM;
}

/** settimeofday(2). Differs: as clock_settime(2). Errors: EPERM. */
export function sysSettimeofday(): SysResult {
  return -EPERM;
}

/** nanosleep(2). Errors: EFAULT, EINTR, EINVAL. */
export function sysNanosleep(t: Task, a: SyscallArgs): SysResult {
  const requestAddr = a.u64(0);
  const remainAddr = a.u64(1);
  return sleep(t, CLOCK_MONOTONIC, false, requestAddr, remainAddr);
}

/** clock_nanosleep(2). Errors: EFAULT, EINTR, EINVAL, EOPNOTSUPP. */
export function sysClockNanosleep(t: Task, a: SyscallArgs): SysResult {
  const clockId = a.i32(0);
  const flags = a.u32(1);
  const requestAddr = a.u64(2);
  const remainAddr = a.u64(3);
  if (clockId === CLOCK_THREAD_CPUTIME_ID || clockMs(t, clockId) < 0) return -EINVAL;
  if (isCpuClock(clockId)) return -EOPNOTSUPP;
  return sleep(t, clockId, (flags & TIMER_ABSTIME) !== 0, requestAddr, remainAddr);
}

/** gettimeofday(2). Errors: EFAULT. */
export function sysGettimeofday(t: Task, a: SyscallArgs): SysResult {
  const timeAddr = a.u64(0);
  const zoneAddr = a.u64(1);
  const { scratch, scratchView, clock } = t.kernel;
  t.kernel.timekeeper?.refresh();
  storeTimevalMs(scratchView, 0, clock.realtimeMs());
  if (timeAddr !== 0 && t.mm.copyOut(timeAddr, scratch, 0, SIZEOF_TIMEVAL) < 0) return -EFAULT;
  return zoneAddr === 0 ? 0 : t.mm.store64(zoneAddr, 0);
}

/** time(2). Errors: EFAULT. */
export function sysTime(t: Task, a: SyscallArgs): SysResult {
  const timeAddr = a.u64(0);
  t.kernel.timekeeper?.refresh();
  const sec = Math.floor(t.kernel.clock.realtimeMs() / 1000);
  return timeAddr !== 0 && t.mm.store64(timeAddr, sec) < 0 ? -EFAULT : sec;
}

/** times(2). Errors: EFAULT. */
export function sysTimes(t: Task, a: SyscallArgs): SysResult {
  const timesAddr = a.u64(0);
  const { scratch, scratchView: mem, clock } = t.kernel;
  const { exitedTimes, childTimes, tasks } = t.threadGroup;
  let userMs = exitedTimes.userMs;
  let systemMs = exitedTimes.systemMs;
  for (const task of tasks) {
    if (task.hasExited) continue;
    userMs += task.times.userMs;
    systemMs += task.times.systemMs;
  }
  storeI64(mem, 0, Math.floor(userMs / TICK_MS));
  storeI64(mem, 8, Math.floor(systemMs / TICK_MS));
  storeI64(mem, 16, Math.floor(childTimes.userMs / TICK_MS));
  storeI64(mem, 24, Math.floor(childTimes.systemMs / TICK_MS));
  if (timesAddr !== 0 && t.mm.copyOut(timesAddr, scratch, 0, SIZEOF_TMS) < 0) return -EFAULT;
  return Math.floor(clock.monotonicMs() / TICK_MS);
}

function sleep(t: Task, clockId: number, isAbsolute: boolean, requestAddr: number, remainAddr: number): SysResult {
  const { restart, kernel } = t;
  if (Number.isNaN(restart.deadlineMs)) {
    if (t.mm.copyIn(kernel.scratch, 0, requestAddr, SIZEOF_TIMESPEC) < 0) return -EFAULT;
    const ms = loadTimespecMs(kernel.scratchView, 0);
    if (Number.isNaN(ms)) return -EINVAL;
    restart.deadlineMs = isAbsolute ? monotonicDeadline(t, clockId, ms) : kernel.clock.monotonicMs() + ms;
  }
  const remainMs = restart.deadlineMs - kernel.clock.monotonicMs();
  if (remainMs <= 0) return 0;
  t.wait.until(restart.deadlineMs);
  if (isAbsolute) return t.block(ERESTARTNOHAND);
  const result = t.block(ERESTART_RESTARTBLOCK);
  if (result === BLOCKED || remainAddr === 0) return result;
  storeTimespecMs(kernel.scratchView, 0, remainMs);
  return t.mm.copyOut(remainAddr, kernel.scratch, 0, SIZEOF_TIMESPEC) < 0 ? -EFAULT : result;
}
