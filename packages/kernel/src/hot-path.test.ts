import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME,
  FUTEX_PRIVATE_FLAG,
  FUTEX_WAKE,
  SYS_clock_gettime,
  SYS_futex,
  SYS_getpid,
  SYS_getppid,
  SYS_gettid,
  SYS_getuid,
  SYS_rt_sigprocmask,
  SYS_sched_yield,
} from '@tsv/abi';
import { bytesPerCall } from './testing/bytes-per-call.js';
import { DATA_ADDR, TestKernel } from './testing/test-kernel.js';

/** Bytes that system call `nr` allocates between the guest's stop and its resume. */
function bytesOf(nr: number, args: readonly number[]): number {
  const k = new TestKernel();
  const t = k.spawn();
  k.call(t, nr, ...args);
  const context = k.contextOf(t);
  const { dispatcher } = k.kernel;
  return bytesPerCall(() => {
    context.isRunning = false;
    dispatcher.serve(t);
  });
}

describe('the hot path, from the stop to the resume', () => {
  it.each`
    name                    | nr                    | args
    ${'getpid'}             | ${SYS_getpid}         | ${[]}
    ${'gettid'}             | ${SYS_gettid}         | ${[]}
    ${'getppid'}            | ${SYS_getppid}        | ${[]}
    ${'getuid'}             | ${SYS_getuid}         | ${[]}
    ${'sched_yield'}        | ${SYS_sched_yield}    | ${[]}
    ${'futex, wake'}        | ${SYS_futex}          | ${[DATA_ADDR, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1]}
    ${'futex, shared wake'} | ${SYS_futex}          | ${[DATA_ADDR, FUTEX_WAKE, 1]}
    ${'clock_gettime'}      | ${SYS_clock_gettime}  | ${[CLOCK_MONOTONIC, DATA_ADDR]}
    ${'rt_sigprocmask'}     | ${SYS_rt_sigprocmask} | ${[2, DATA_ADDR, DATA_ADDR + 64, 8]}
  `('allocates nothing in $name', ({ nr, args }: { nr: number; args: number[] }) => {
    expect(bytesOf(nr, args)).toBeLessThan(1);
  });

  it('makes one number in clock_gettime when the clock computes its answer', () => {
    expect(bytesOf(SYS_clock_gettime, [CLOCK_REALTIME, DATA_ADDR])).toBeLessThan(17);
  });
});
