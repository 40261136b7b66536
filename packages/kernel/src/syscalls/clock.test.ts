import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_PROCESS_CPUTIME_ID,
  CLOCK_REALTIME,
  CLOCK_THREAD_CPUTIME_ID,
  EAGAIN,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EPERM,
  ITIMER_PROF,
  ITIMER_REAL,
  RLIMIT_CPU,
  RLIMIT_SIGPENDING,
  SA_RESTORER,
  SIGALRM,
  SIGEV_NONE,
  SIGEV_SIGNAL,
  SIGEV_THREAD_ID,
  SIGKILL,
  SIGPROF,
  SIGUSR1,
  SIGXCPU,
  SI_TIMER,
  SYS_alarm,
  SYS_clock_getres,
  SYS_clock_gettime,
  SYS_clock_nanosleep,
  SYS_clock_settime,
  SYS_getitimer,
  SYS_getpid,
  SYS_gettimeofday,
  SYS_nanosleep,
  SYS_pause,
  SYS_setitimer,
  SYS_setrlimit,
  SYS_time,
  SYS_timer_create,
  SYS_timer_delete,
  SYS_timer_getoverrun,
  SYS_timer_gettime,
  SYS_timer_settime,
  SYS_times,
  TIMER_ABSTIME,
} from '@tsv/abi';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal, type SigInfo } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const TIME = DATA_ADDR;
const SPEC = DATA_ADDR + 0x100;
const ID = DATA_ADDR + 0x200;

function started(): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn() };
}

function timespec(t: Task, addr: number, sec: number, nsec = 0): number {
  t.mm.store64(addr, sec);
  t.mm.store64(addr + 8, nsec);
  return addr;
}

/** The clock of call `nr`, in milliseconds. */
function read(k: TestKernel, t: Task, clockId: number): number {
  expect(k.call(t, SYS_clock_gettime, clockId, TIME)).toBe(0);
  return t.mm.load64(TIME) * 1e3 + t.mm.load64(TIME + 8) / 1e6;
}

/** The guest computes for `ms`. */
function compute(k: TestKernel, ms: number): void {
  k.advance(ms);
}

describe('clock_gettime(2)', () => {
  it('tells the wall clock, the monotonic clock and CPU time', () => {
    const { k, t } = started();
    compute(k, 250);
    expect(read(k, t, CLOCK_REALTIME)).toBe(k.clock.realtimeMs());
    expect(read(k, t, CLOCK_MONOTONIC)).toBe(k.clock.monotonicMs());
    expect(read(k, t, CLOCK_BOOTTIME)).toBe(k.clock.monotonicMs());
    expect(read(k, t, CLOCK_PROCESS_CPUTIME_ID)).toBe(250);
    expect(read(k, t, CLOCK_THREAD_CPUTIME_ID)).toBe(250);
    expect(read(k, t, (~1 << 3) | 2)).toBe(250);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_clock_gettime, 10, TIME)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_gettime, (~77 << 3) | 2, TIME)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_gettime, CLOCK_REALTIME, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_clock_getres, 10, TIME)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_getres, CLOCK_REALTIME, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_clock_settime, CLOCK_REALTIME, TIME)).toBe(-EPERM);
    expect(k.call(t, SYS_clock_settime, 10, TIME)).toBe(-EINVAL);
  });

  it('has resolutions of 1 ns and, for coarse clocks, 4 ms', () => {
    const { k, t } = started();
    k.call(t, SYS_clock_getres, CLOCK_MONOTONIC, TIME);
    expect(t.mm.load64(TIME + 8)).toBe(1);
    k.call(t, SYS_clock_getres, CLOCK_MONOTONIC_COARSE, TIME);
    expect(t.mm.load64(TIME + 8)).toBe(4_000_000);
  });

  it('agrees with gettimeofday(2), time(2) and times(2)', () => {
    const { k, t } = started();
    compute(k, 1250);
    expect(k.call(t, SYS_time, 0)).toBe(1_700_001_001);
    expect(k.call(t, SYS_time, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_gettimeofday, TIME, 0)).toBe(0);
    expect([t.mm.load64(TIME), t.mm.load64(TIME + 8)]).toEqual([1_700_001_001, 250_000]);
    expect(k.call(t, SYS_gettimeofday, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_times, TIME)).toBe(Math.floor(k.clock.monotonicMs() / 10));
    expect(t.mm.load64(TIME)).toBe(125);
    expect(k.call(t, SYS_times, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('nanosleep(2), clock_nanosleep(2)', () => {
  it('sleep as long as asked', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_nanosleep, timespec(t, SPEC, 1, 5e8), 0)).toBe(BLOCKED);
    k.advance(1499);
    expect(k.result(t)).toBe(BLOCKED);
    k.advance(1);
    expect(k.result(t)).toBe(0);
  });

  it.each`
    clockId            | sec
    ${CLOCK_MONOTONIC} | ${1002}
    ${CLOCK_REALTIME}  | ${1_700_001_002}
  `('wake at an absolute time of clock $clockId', ({ clockId, sec }: Record<string, number>) => {
    const { k, t } = started();
    expect(k.call(t, SYS_clock_nanosleep, clockId!, TIMER_ABSTIME, timespec(t, SPEC, sec!), 0)).toBe(BLOCKED);
    k.advance(2000);
    expect(k.result(t)).toBe(0);
  });

  it('tell what is left when a handler interrupts', () => {
    const { k, t } = started();
    const action = t.threadGroup.signalActions.get(SIGUSR1);
    action.handlerAddr = 0x1000;
    action.flags = SA_RESTORER;
    k.call(t, SYS_nanosleep, timespec(t, SPEC, 3), TIME);
    k.advance(1000);
    sendSignal(t.threadGroup, kernelSignal(SIGUSR1));
    k.pump();
    expect([t.mm.load64(TIME), t.mm.load64(TIME + 8)]).toEqual([2, 0]);
  });

  it('return the errors of their man pages', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_nanosleep, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_nanosleep, timespec(t, SPEC, 0, 1e9), 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_nanosleep, timespec(t, SPEC, -1), 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_nanosleep, 10, 0, timespec(t, SPEC, 1), 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, SPEC, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, SPEC, 0)).toBe(-EOPNOTSUPP);
  });
});

describe('setitimer(2), alarm(2)', () => {
  function setitimer(k: TestKernel, t: Task, which: number, valueSec: number, intervalSec: number): number {
    timespec(t, SPEC, intervalSec);
    timespec(t, SPEC + 16, valueSec);
    return k.call(t, SYS_setitimer, which, SPEC, 0);
  }

  it('send SIGALRM once, or again and again when it is taken', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGALRM - 1), 0);
    expect(setitimer(k, t, ITIMER_REAL, 2, 3)).toBe(0);
    k.advance(2000);
    expect(t.signals.takeOf(1 << (SIGALRM - 1), 0)?.signo).toBe(SIGALRM);
    expect(k.call(t, SYS_getitimer, ITIMER_REAL, TIME)).toBe(0);
    expect([t.mm.load64(TIME), t.mm.load64(TIME + 16)]).toEqual([3, 3]);
    k.advance(3000);
    expect(t.threadGroup.pending.set.has(SIGALRM)).toBe(true);
  });

  it('end the process without a handler', () => {
    const { k, t } = started();
    k.call(t, SYS_alarm, 5);
    expect(k.call(t, SYS_alarm, 1)).toBe(5);
    expect(k.call(t, SYS_pause)).toBe(BLOCKED);
    k.advance(1000);
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, SIGALRM]);
    expect(k.kernel.timers.count).toBe(0);
  });

  it('count CPU time with ITIMER_PROF', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGPROF - 1), 0);
    setitimer(k, t, ITIMER_PROF, 1, 0);
    k.call(t, SYS_nanosleep, timespec(t, TIME, 5), 0);
    k.advance(5000);
    expect(t.threadGroup.pending.set.has(SIGPROF)).toBe(false);
    for (let i = 0; i < 4; i++) k.advance(300);
    expect(t.threadGroup.pending.set.has(SIGPROF)).toBe(true);
  });

  it('return the errors of their man pages', () => {
    const { k, t } = started();
    expect(setitimer(k, t, 3, 1, 0)).toBe(-EINVAL);
    expect(setitimer(k, t, ITIMER_REAL, -1, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_setitimer, ITIMER_REAL, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_getitimer, 3, TIME)).toBe(-EINVAL);
    expect(k.call(t, SYS_getitimer, 0, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('timer_create(2)', () => {
  const EVENT = DATA_ADDR + 0x300;

  function create(k: TestKernel, t: Task, notify: number, signo: number, tid = 0): number {
    t.mm.store64(EVENT, 0x77);
    t.mm.store32(EVENT + 8, signo);
    t.mm.store32(EVENT + 12, notify);
    t.mm.store32(EVENT + 16, tid);
    return k.call(t, SYS_timer_create, CLOCK_MONOTONIC, EVENT, ID);
  }

  function settime(k: TestKernel, t: Task, id: number, valueMs: number, intervalMs: number, flags = 0): number {
    timespec(t, SPEC, Math.floor(intervalMs / 1000), (intervalMs % 1000) * 1e6);
    timespec(t, SPEC + 16, Math.floor(valueMs / 1000), (valueMs % 1000) * 1e6);
    return k.call(t, SYS_timer_settime, id, flags, SPEC, 0);
  }

  function take(t: Task): SigInfo | null {
    return t.signals.takeOf(1 << (SIGUSR1 - 1), 0);
  }

  it('sends the value, and the expirations that were missed', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    expect(create(k, t, SIGEV_SIGNAL, SIGUSR1)).toBe(0);
    const id = t.mm.load32(ID);
    settime(k, t, id, 10, 5);
    k.advance(10);
    k.advance(22);
    const info = take(t)!;
    expect([info.code, info.valueLow, info.timerId, info.overrun]).toEqual([SI_TIMER, 0x77, id, 4]);
    expect(k.call(t, SYS_timer_getoverrun, id)).toBe(4);
    k.advance(3);
    expect(take(t)!.overrun).toBe(0);
  });

  it('tells the time that is left, and expires at absolute times', () => {
    const { k, t } = started();
    create(k, t, SIGEV_NONE, 0);
    settime(k, t, 0, k.clock.monotonicMs() + 1500, 0, TIMER_ABSTIME);
    k.advance(500);
    expect(k.call(t, SYS_timer_gettime, 0, TIME)).toBe(0);
    expect([t.mm.load64(TIME + 16), t.mm.load64(TIME + 24)]).toEqual([1, 0]);
    k.advance(1000);
    k.call(t, SYS_timer_gettime, 0, TIME);
    expect(t.mm.load64(TIME + 16)).toBe(0);
  });

  it('sends to a thread', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    expect(create(k, t, SIGEV_THREAD_ID, SIGUSR1, t.tid)).toBe(0);
    settime(k, t, 0, 1, 0);
    k.advance(1);
    expect(t.signals.pending.set.has(SIGUSR1)).toBe(true);
  });

  it('does not keep the kernel busy with a period of 1 ns', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    create(k, t, SIGEV_SIGNAL, SIGUSR1);
    timespec(t, SPEC, 0, 1);
    timespec(t, SPEC + 16, 0, 1);
    k.call(t, SYS_timer_settime, 0, 0, SPEC, 0);
    k.advance(1);
    k.advance(1000);
    expect(k.kernel.timers.count).toBe(0);
    expect(take(t)!.overrun).toBeGreaterThan(900_000_000);
    expect(k.kernel.timers.nextDeadlineMs).toBeGreaterThan(k.clock.monotonicMs());
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_timer_create, 10, 0, ID)).toBe(-EINVAL);
    expect(k.call(t, SYS_timer_create, CLOCK_MONOTONIC_COARSE, 0, ID)).toBe(-EOPNOTSUPP);
    expect(k.call(t, SYS_timer_create, CLOCK_MONOTONIC, BAD_ADDR, ID)).toBe(-EFAULT);
    expect(k.call(t, SYS_timer_create, CLOCK_MONOTONIC, 0, BAD_ADDR)).toBe(-EFAULT);
    expect(create(k, t, 9, SIGUSR1)).toBe(-EINVAL);
    expect(create(k, t, SIGEV_SIGNAL, 65)).toBe(-EINVAL);
    expect(create(k, t, SIGEV_THREAD_ID, SIGUSR1, 1)).toBe(-EINVAL);
    for (const nr of [SYS_timer_gettime, SYS_timer_getoverrun, SYS_timer_delete]) {
      expect(k.call(t, nr, 9, TIME)).toBe(-EINVAL);
    }
    expect(settime(k, t, 9, 1, 1)).toBe(-EINVAL);
    expect(k.call(t, SYS_timer_settime, 0, 0, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_timer_settime, 0, 0, BAD_ADDR, 0)).toBe(-EFAULT);
    t.threadGroup.limits.set(RLIMIT_SIGPENDING, 0, 0);
    expect(create(k, t, SIGEV_SIGNAL, SIGUSR1)).toBe(-EAGAIN);
  });

  it('is deleted, and gone at the end of the process', () => {
    const { k, t } = started();
    create(k, t, SIGEV_SIGNAL, SIGUSR1);
    create(k, t, SIGEV_SIGNAL, SIGUSR1);
    settime(k, t, 0, 1000, 0);
    settime(k, t, 1, 1000, 0);
    expect(k.call(t, SYS_timer_delete, 0)).toBe(0);
    expect(k.kernel.timers.count).toBe(1);
    sendSignal(t.threadGroup, kernelSignal(SIGKILL));
    k.pump();
    expect(k.kernel.timers.count).toBe(0);
  });
});

describe('RLIMIT_CPU, getrlimit(2)', () => {
  it('sends SIGXCPU at the soft limit and SIGKILL at the hard one', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGXCPU - 1), 0);
    t.mm.store64(SPEC, 1);
    t.mm.store64(SPEC + 8, 2);
    expect(k.call(t, SYS_setrlimit, RLIMIT_CPU, SPEC)).toBe(0);
    k.advance(999);
    expect(t.threadGroup.pending.set.has(SIGXCPU)).toBe(false);
    k.advance(2);
    expect(t.threadGroup.pending.set.has(SIGXCPU)).toBe(true);
    expect(k.call(t, SYS_getpid)).toBe(2);
    k.advance(1000);
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, SIGKILL]);
  });
});
