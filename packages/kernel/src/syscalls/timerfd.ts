import {
  CAP_WAKE_ALARM,
  CLOCK_BOOTTIME,
  CLOCK_BOOTTIME_ALARM,
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  CLOCK_REALTIME_ALARM,
  EBADF,
  EFAULT,
  EINVAL,
  EPERM,
  IT_INTERVAL,
  IT_VALUE,
  SIZEOF_ITIMERSPEC,
  TFD_CLOEXEC,
  TFD_NONBLOCK,
  TFD_TIMER_ABSTIME,
  TFD_TIMER_CANCEL_ON_SET,
  loadTimespecMs,
  storeTimespecMs,
  type SysResult,
} from '@tsv/abi';
import { TimerFile } from '../fd/timer-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** timerfd_create(2). Errors: EINVAL, EMFILE, EPERM for alarm clocks without CAP_WAKE_ALARM. */
export function sysTimerfdCreate(t: Task, a: SyscallArgs): SysResult {
  const clockid = a.i32(0);
  const flags = a.u32(1);

  if ((flags & ~(TFD_CLOEXEC | TFD_NONBLOCK)) !== 0) return -EINVAL;
  const isAlarm = clockid === CLOCK_REALTIME_ALARM || clockid === CLOCK_BOOTTIME_ALARM;
  const isRealtime = clockid === CLOCK_REALTIME || clockid === CLOCK_REALTIME_ALARM;
  if (!isAlarm && !isRealtime && clockid !== CLOCK_MONOTONIC && clockid !== CLOCK_BOOTTIME) return -EINVAL;
  if (isAlarm && !t.creds.hasCap(CAP_WAKE_ALARM)) return -EPERM;
  const { anonymousFiles, clock, timers } = t.kernel;
  const file = new TimerFile(anonymousFiles.createInode('[timerfd]'), clock, timers, isRealtime, flags);
  return t.fds.install(file, 0, (flags & TFD_CLOEXEC) !== 0);
}

/** timerfd_settime(2). Errors: EBADF, EFAULT, EINVAL. */
export function sysTimerfdSettime(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const flags = a.u32(1);
  const newValue = a.u64(2);
  const oldValue = a.u64(3);

  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, newValue, SIZEOF_ITIMERSPEC) !== 0) return -EFAULT;
  const intervalMs = loadTimespecMs(scratchView, IT_INTERVAL);
  const valueMs = loadTimespecMs(scratchView, IT_VALUE);
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -EINVAL;
  if (Number.isNaN(intervalMs) || Number.isNaN(valueMs)) return -EINVAL;
  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!(file instanceof TimerFile)) return -EINVAL;
  storeTimer(scratchView, file);
  file.set(valueMs, intervalMs, (flags & TFD_TIMER_ABSTIME) !== 0);
  return oldValue === 0 ? 0 : t.mm.copyOut(oldValue, scratch, 0, SIZEOF_ITIMERSPEC);
}

/** timerfd_gettime(2). Errors: EBADF, EFAULT, EINVAL. */
export function sysTimerfdGettime(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const currValue = a.u64(1);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!(file instanceof TimerFile)) return -EINVAL;
  storeTimer(t.kernel.scratchView, file);
  return t.mm.copyOut(currValue, t.kernel.scratch, 0, SIZEOF_ITIMERSPEC);
}

function storeTimer(mem: DataView, file: TimerFile): void {
  storeTimespecMs(mem, IT_INTERVAL, file.intervalMs);
  storeTimespecMs(mem, IT_VALUE, file.remainingMs);
}
