import {
  CLOCK_REALTIME,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  SIZEOF_TIMEX,
  STA_UNSYNC,
  TIMEX_CONSTANT,
  TIMEX_ESTERROR,
  TIMEX_MAXERROR,
  TIMEX_MODES,
  TIMEX_PRECISION,
  TIMEX_STATUS,
  TIMEX_TICK,
  TIMEX_TIME,
  TIMEX_TOLERANCE,
  TIME_ERROR,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { clockMs } from '../time/guest-clock.js';
import type { SyscallArgs } from './syscall-args.js';

/** NTP_PHASE_LIMIT: the error of a clock that nobody synchronizes, in microseconds. */
const ERROR_US = 16_000_000;
const TIME_CONSTANT = 2;
const PRECISION_US = 1;
/** 500 parts per million, scaled by 2^16. */
const TOLERANCE = 32_768_000;
const TICK_US = 10_000;

/** adjtimex(2). Errors: EFAULT; EPERM for changes: the clock is the host's. */
export function sysAdjtimex(t: Task, a: SyscallArgs): SysResult {
  return tellClock(t, a.u64(0));
}

/** clock_adjtime(2). Errors: EFAULT, EINVAL, EOPNOTSUPP for other clocks than CLOCK_REALTIME, EPERM. */
export function sysClockAdjtime(t: Task, a: SyscallArgs): SysResult {
  const clockId = a.i32(0);
  const timexAddr = a.u64(1);

  if (clockId !== CLOCK_REALTIME) return clockMs(t, clockId) === -EINVAL ? -EINVAL : -EOPNOTSUPP;
  return tellClock(t, timexAddr);
}

/** Tells of a clock that runs free, as ntp_adjtime(3) has it. */
function tellClock(t: Task, addr: number): SysResult {
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_TIMEX) < 0) return -EFAULT;
  if (mem.getUint32(TIMEX_MODES, true) !== 0) return -EPERM;
  const nowMs = t.kernel.clock.realtimeMs();
  const sec = Math.floor(nowMs / 1000);
  scratch.fill(0, 0, SIZEOF_TIMEX);
  storeI64(mem, TIMEX_MAXERROR, ERROR_US);
  storeI64(mem, TIMEX_ESTERROR, ERROR_US);
  mem.setInt32(TIMEX_STATUS, STA_UNSYNC, true);
  storeI64(mem, TIMEX_CONSTANT, TIME_CONSTANT);
  storeI64(mem, TIMEX_PRECISION, PRECISION_US);
  storeI64(mem, TIMEX_TOLERANCE, TOLERANCE);
  storeI64(mem, TIMEX_TIME, sec);
  storeI64(mem, TIMEX_TIME + 8, Math.floor((nowMs - sec * 1000) * 1000));
  storeI64(mem, TIMEX_TICK, TICK_US);
  return t.mm.copyOut(addr, scratch, 0, SIZEOF_TIMEX) < 0 ? -EFAULT : TIME_ERROR;
}
