import {
  CLOCK_REALTIME,
  CLOCK_THREAD_CPUTIME_ID,
  EAGAIN,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME_COARSE,
  ITIMER_PROF,
  ITIMER_REAL,
  IT_INTERVAL,
  IT_VALUE,
  NSIG,
  RLIMIT_SIGPENDING,
  SIGALRM,
  SIGEV_NONE,
  SIGEV_NOTIFY_AT,
  SIGEV_SIGNAL,
  SIGEV_SIGNO_AT,
  SIGEV_THREAD,
  SIGEV_THREAD_ID,
  SIGEV_TID_AT,
  SIGEV_VALUE_AT,
  SIZEOF_ITIMERSPEC,
  SIZEOF_ITIMERVAL,
  SIZEOF_SIGEVENT,
  TIMER_ABSTIME,
  loadI64,
  loadTimespecMs,
  storeTimespecMs,
  storeTimevalMs,
  type SysResult,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { clockMs, isCpuClock, isRealtimeClock, monotonicDeadline } from '../time/guest-clock.js';
import { IntervalTimers } from '../time/interval-timers.js';
import { PosixTimers, type PosixTimer, type TimerEvent } from '../time/posix-timers.js';
import type { SyscallArgs } from './syscall-args.js';

/** alarm(2). */
export function sysAlarm(t: Task, a: SyscallArgs): SysResult {
  const sec = a.u32(0);
  const timers = intervalTimersOf(t);
  const leftMs = timers.leftMs(ITIMER_REAL);
  timers.set(ITIMER_REAL, sec * 1000, 0);
  return leftMs === 0 ? 0 : Math.max(1, Math.round(leftMs / 1000));
}

/** getitimer(2). Errors: EFAULT, EINVAL. */
export function sysGetitimer(t: Task, a: SyscallArgs): SysResult {
  const which = a.i32(0);
  const valueAddr = a.u64(1);
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  return storeItimer(t, which, valueAddr);
}

/** setitimer(2). Errors: EFAULT, EINVAL. */
export function sysSetitimer(t: Task, a: SyscallArgs): SysResult {
  const which = a.i32(0);
  const newAddr = a.u64(1);
  const oldAddr = a.u64(2);
  const { scratch, scratchView } = t.kernel;
  let intervalMs = 0;
  let valueMs = 0;
  if (newAddr !== 0) {
    if (t.mm.copyIn(scratch, 0, newAddr, SIZEOF_ITIMERVAL) < 0) return -EFAULT;
    intervalMs = loadTimevalMs(scratchView, IT_INTERVAL);
    valueMs = loadTimevalMs(scratchView, IT_VALUE);
    if (Number.isNaN(intervalMs) || Number.isNaN(valueMs)) return -EINVAL;
  }
  if (which < ITIMER_REAL || which > ITIMER_PROF) return -EINVAL;
  if (oldAddr !== 0 && storeItimer(t, which, oldAddr) < 0) return -EFAULT;
  intervalTimersOf(t).set(which, valueMs, intervalMs);
  return 0;
}

/** timer_create(2). Errors: EAGAIN, EFAULT, EINVAL, EOPNOTSUPP. */
export function sysTimerCreate(t: Task, a: SyscallArgs): SysResult {
  const clockId = a.i32(0);
  const eventAddr = a.u64(1);
  const idAddr = a.u64(2);
  if (clockMs(t, clockId) < 0) return -EINVAL;
  if (isWithoutTimers(clockId)) return -EOPNOTSUPP;
  const event = eventAddr === 0 ? defaultEvent : loadEvent(t, eventAddr);
  if (typeof event === 'number') return event;
  const group = t.threadGroup;
  group.posixTimers ??= new PosixTimers();
  if (group.posixTimers.count >= group.limits.soft(RLIMIT_SIGPENDING)) return -EAGAIN;
  const clockTask = clockId === CLOCK_THREAD_CPUTIME_ID ? t : null;
  const timer = group.posixTimers.create(group, clockId, event, clockTask);
  if (t.mm.store32(idAddr, timer.id) === 0) return 0;
  group.posixTimers.delete(timer);
  return -EFAULT;
}

/** timer_settime(2). Errors: EFAULT, EINVAL. */
export function sysTimerSettime(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const flags = a.i32(1);
  const newAddr = a.u64(2);
  const oldAddr = a.u64(3);
  if (newAddr === 0) return -EINVAL;
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, newAddr, SIZEOF_ITIMERSPEC) < 0) return -EFAULT;
  const intervalMs = loadTimespecMs(scratchView, IT_INTERVAL);
  const valueMs = loadTimespecMs(scratchView, IT_VALUE);
  if (Number.isNaN(intervalMs) || Number.isNaN(valueMs)) return -EINVAL;
  const timer = t.threadGroup.posixTimers?.get(id);
  if (timer === undefined) return -EINVAL;
  if (oldAddr !== 0 && storeTimer(t, timer, oldAddr) < 0) return -EFAULT;
  if (valueMs === 0) timer.set(Infinity, 0);
  else timer.set(dueOf(t, timer, valueMs, (flags & TIMER_ABSTIME) !== 0), intervalMs);
  return 0;
}

/** timer_gettime(2). Errors: EFAULT, EINVAL. */
export function sysTimerGettime(t: Task, a: SyscallArgs): SysResult {
  const timer = t.threadGroup.posixTimers?.get(a.i32(0));
  return timer === undefined ? -EINVAL : storeTimer(t, timer, a.u64(1));
}

/** timer_getoverrun(2). Errors: EINVAL. */
export function sysTimerGetoverrun(t: Task, a: SyscallArgs): SysResult {
  const timer = t.threadGroup.posixTimers?.get(a.i32(0));
  return timer === undefined ? -EINVAL : timer.overrunCount;
}

/** timer_delete(2). Errors: EINVAL. */
export function sysTimerDelete(t: Task, a: SyscallArgs): SysResult {
  const timers = t.threadGroup.posixTimers;
  const timer = timers?.get(a.i32(0));
  if (timers === null || timer === undefined) return -EINVAL;
  timers.delete(timer);
  return 0;
}

function isWithoutTimers(clockId: number): boolean {
  return clockId === CLOCK_MONOTONIC_RAW || clockId === CLOCK_REALTIME_COARSE || clockId === CLOCK_MONOTONIC_COARSE;
}

/** Without a sigevent: SIGALRM with the timer's ID. */
function defaultEvent(id: number): TimerEvent {
  return { notify: SIGEV_SIGNAL, signo: SIGALRM, valueLow: id, valueHigh: 0, task: null };
}

/** Reads `struct sigevent`. Errors: EFAULT, EINVAL. */
function loadEvent(t: Task, addr: number): ((id: number) => TimerEvent) | number {
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SIGEVENT) < 0) return -EFAULT;
  const notify = mem.getInt32(SIGEV_NOTIFY_AT, true);
  const signo = mem.getInt32(SIGEV_SIGNO_AT, true);
  const isToThread = notify === (SIGEV_SIGNAL | SIGEV_THREAD_ID);
  if (!isToThread && notify !== SIGEV_SIGNAL && notify !== SIGEV_NONE && notify !== SIGEV_THREAD) return -EINVAL;
  if (notify !== SIGEV_NONE && (signo < 1 || signo > NSIG)) return -EINVAL;
  const task = isToThread ? (t.pidNs.lookup(mem.getInt32(SIGEV_TID_AT, true))?.task ?? null) : null;
  if (isToThread && task?.threadGroup !== t.threadGroup) return -EINVAL;
  const event: TimerEvent = {
    notify,
    signo,
    valueLow: mem.getUint32(SIGEV_VALUE_AT, true),
    valueHigh: mem.getUint32(SIGEV_VALUE_AT + 4, true),
    task,
  };
  return () => event;
}

/** When a timer set to `valueMs` expires, by the clock that it runs on. */
function dueOf(t: Task, timer: PosixTimer, valueMs: number, isAbsolute: boolean): number {
  if (!isAbsolute) return timer.nowMs + valueMs;
  return isCpuClock(timer.clockId) || !isRealtimeClock(timer.clockId)
    ? valueMs
    : monotonicDeadline(t, CLOCK_REALTIME, valueMs);
}

function storeTimer(t: Task, timer: PosixTimer, addr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  storeTimespecMs(scratchView, IT_INTERVAL, timer.intervalMs);
  storeTimespecMs(scratchView, IT_VALUE, timer.leftMs);
  return t.mm.copyOut(addr, scratch, 0, SIZEOF_ITIMERSPEC);
}

function storeItimer(t: Task, which: number, addr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  const timers = t.threadGroup.intervalTimers;
  storeTimevalMs(scratchView, IT_INTERVAL, timers?.intervalMs(which) ?? 0);
  storeTimevalMs(scratchView, IT_VALUE, timers?.leftMs(which) ?? 0);
  return t.mm.copyOut(addr, scratch, 0, SIZEOF_ITIMERVAL);
}

function intervalTimersOf(t: Task): IntervalTimers {
  t.threadGroup.intervalTimers ??= new IntervalTimers(t.threadGroup);
  return t.threadGroup.intervalTimers;
}

/** Milliseconds of a `struct timeval`; NaN if a field is out of range. */
function loadTimevalMs(mem: DataView, at: number): number {
  const sec = loadI64(mem, at);
  const usec = loadI64(mem, at + 8);
  return sec < 0 || usec < 0 || usec >= 1e6 ? NaN : sec * 1e3 + usec / 1e3;
}
