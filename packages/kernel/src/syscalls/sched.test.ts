import {
  E2BIG,
  EACCES,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  PRIO_PGRP,
  PRIO_PROCESS,
  PRIO_USER,
  RLIMIT_NICE,
  SCHED_DEADLINE,
  SCHED_FIFO,
  SCHED_OTHER,
  SCHED_RESET_ON_FORK,
  SCHED_RR,
  SYS_fork,
  SYS_getcpu,
  SYS_getpriority,
  SYS_sched_get_priority_max,
  SYS_sched_get_priority_min,
  SYS_sched_getaffinity,
  SYS_sched_getattr,
  SYS_sched_getparam,
  SYS_sched_getscheduler,
  SYS_sched_rr_get_interval,
  SYS_sched_setaffinity,
  SYS_sched_setattr,
  SYS_sched_setparam,
  SYS_sched_setscheduler,
  SYS_sched_yield,
  SYS_setpriority,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

function started(uid = 0): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn(Credentials.forUser(k.kernel.userNs, uid, uid)) };
}

describe('sched_setaffinity(2), sched_getaffinity(2)', () => {
  it('keep the CPUs that exist', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_sched_getaffinity, 0, 128, DATA_ADDR)).toBe(8);
    expect(t.mm.load32(DATA_ADDR)).toBe(3);
    t.mm.store32(DATA_ADDR, 0xfe);
    expect(k.call(t, SYS_sched_setaffinity, 0, 8, DATA_ADDR)).toBe(0);
    k.call(t, SYS_sched_getaffinity, t.tid, 8, DATA_ADDR);
    expect(t.mm.load32(DATA_ADDR)).toBe(2);
  });

  it('return the errors of their man page', () => {
    const { k, t } = started(1000);
    expect(k.call(t, SYS_sched_getaffinity, 0, 7, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_getaffinity, 77, 8, DATA_ADDR)).toBe(-ESRCH);
    expect(k.call(t, SYS_sched_getaffinity, 0, 8, BAD_ADDR)).toBe(-EFAULT);
    t.mm.store32(DATA_ADDR, 4);
    expect(k.call(t, SYS_sched_setaffinity, 0, 8, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_setaffinity, 0, 8, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_sched_setaffinity, 77, 8, DATA_ADDR)).toBe(-ESRCH);
    expect(k.call(t, SYS_sched_setaffinity, 1, 8, DATA_ADDR)).toBe(-EPERM);
  });

  it.each([0, 1])('have getcpu(2) tell a CPU that the thread may use: %i', (cpu) => {
    const { k, t } = started();
    t.mm.store32(DATA_ADDR, 1 << cpu);
    expect(k.call(t, SYS_sched_setaffinity, 0, 4, DATA_ADDR)).toBe(0);
    expect(k.call(t, SYS_getcpu, DATA_ADDR, 0)).toBe(0);
    expect(t.mm.load32(DATA_ADDR)).toBe(cpu);
    expect(k.contextOf(t).answers.get(SYS_getcpu)).toBe(cpu);
    expect(k.call(t, SYS_sched_setaffinity, 0, 4, DATA_ADDR + 4)).toBe(-EINVAL);
    t.mm.store32(DATA_ADDR, 3);
    expect(k.call(t, SYS_sched_setaffinity, 0, 4, DATA_ADDR)).toBe(0);
    expect(k.contextOf(t).answers.size).toBe(0);
  });
});

describe('sched_setscheduler(2)', () => {
  function set(k: TestKernel, t: Task, pid: number, policy: number, priority: number): number {
    t.mm.store32(DATA_ADDR, priority);
    return k.call(t, SYS_sched_setscheduler, pid, policy, DATA_ADDR);
  }

  it('keeps a policy and tells it', () => {
    const { k, t } = started();
    expect(set(k, t, 0, SCHED_RR | SCHED_RESET_ON_FORK, 5)).toBe(0);
    expect(k.call(t, SYS_sched_getscheduler, 0)).toBe(SCHED_RR | SCHED_RESET_ON_FORK);
    expect(k.call(t, SYS_sched_getparam, 0, DATA_ADDR)).toBe(0);
    expect(t.mm.load32(DATA_ADDR)).toBe(5);
    expect(k.call(t, SYS_sched_rr_get_interval, 0, DATA_ADDR)).toBe(0);
    expect(t.mm.load64(DATA_ADDR + 8)).toBe(100_000_000);
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_sched_getscheduler, 0)).toBe(SCHED_OTHER);
  });

  it.each`
    pid   | policy            | priority | errno
    ${-1} | ${SCHED_OTHER}    | ${0}     | ${EINVAL}
    ${0}  | ${-1}             | ${0}     | ${EINVAL}
    ${0}  | ${4}              | ${0}     | ${EINVAL}
    ${0}  | ${SCHED_OTHER}    | ${1}     | ${EINVAL}
    ${0}  | ${SCHED_FIFO}     | ${0}     | ${EINVAL}
    ${0}  | ${SCHED_FIFO}     | ${100}   | ${EINVAL}
    ${0}  | ${SCHED_DEADLINE} | ${0}     | ${EINVAL}
    ${0}  | ${SCHED_FIFO}     | ${1}     | ${EPERM}
    ${1}  | ${SCHED_OTHER}    | ${0}     | ${EPERM}
    ${77} | ${SCHED_OTHER}    | ${0}     | ${ESRCH}
  `('of $pid to $policy, $priority by a user: $errno', ({ pid, policy, priority, errno }: Record<string, number>) => {
    const { k, t } = started(1000);
    expect(set(k, t, pid!, policy!, priority!)).toBe(-errno!);
  });

  it('and its kin refuse what is not there', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_sched_setscheduler, 0, SCHED_OTHER, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_sched_setparam, 0, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_sched_setparam, 77, DATA_ADDR)).toBe(-ESRCH);
    expect(k.call(t, SYS_sched_getparam, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_getparam, 77, DATA_ADDR)).toBe(-ESRCH);
    expect(k.call(t, SYS_sched_getscheduler, 77)).toBe(-ESRCH);
    expect(k.call(t, SYS_sched_getscheduler, -1)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_rr_get_interval, -1, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_get_priority_max, 4)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_get_priority_max, SCHED_RR)).toBe(99);
    expect(k.call(t, SYS_sched_get_priority_min, SCHED_RR)).toBe(1);
    expect(k.call(t, SYS_sched_yield)).toBe(0);
    expect(k.call(t, SYS_getcpu, DATA_ADDR, 0)).toBe(0);
    expect(t.mm.load32(DATA_ADDR)).toBeLessThan(2);
    expect(k.call(t, SYS_getcpu, BAD_ADDR, 0)).toBe(-EFAULT);
  });
});

describe('sched_setattr(2), sched_getattr(2)', () => {
  it('set and tell nice values', () => {
    const { k, t } = started();
    t.mm.store32(DATA_ADDR, 48);
    t.mm.store32(DATA_ADDR + 16, 7);
    expect(k.call(t, SYS_sched_setattr, 0, DATA_ADDR, 0)).toBe(0);
    expect(k.call(t, SYS_sched_getattr, 0, DATA_ADDR + 0x100, 48, 0)).toBe(0);
    expect(t.mm.load32(DATA_ADDR + 0x110)).toBe(7);
  });

  it('return the errors of their man page', () => {
    const { k, t } = started();
    for (const bytes of [40, 4097]) {
      t.mm.store32(DATA_ADDR, bytes);
      expect([k.call(t, SYS_sched_setattr, 0, DATA_ADDR, 0), t.mm.load32(DATA_ADDR)]).toEqual([-E2BIG, 56]);
    }
    t.mm.store32(DATA_ADDR, 64);
    expect(k.call(t, SYS_sched_setattr, 0, DATA_ADDR, 0)).toBe(0);
    t.mm.store32(DATA_ADDR + 56, 1);
    expect([k.call(t, SYS_sched_setattr, 0, DATA_ADDR, 0), t.mm.load32(DATA_ADDR)]).toEqual([-E2BIG, 56]);
    expect(k.call(t, SYS_sched_setattr, 0, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_setattr, 0, DATA_ADDR, 1)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_setattr, 0, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_sched_getattr, 0, DATA_ADDR, 47, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_sched_getattr, 77, DATA_ADDR, 48, 0)).toBe(-ESRCH);
  });
});

describe('setpriority(2), getpriority(2)', () => {
  it('set and tell the nice value of a process, a group and a user', () => {
    const { k, t } = started(1000);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 0, 5)).toBe(0);
    expect(k.call(t, SYS_getpriority, PRIO_PROCESS, 0)).toBe(15);
    expect(k.call(t, SYS_getpriority, PRIO_PGRP, 0)).toBe(15);
    expect(k.call(t, SYS_getpriority, PRIO_USER, 1000)).toBe(15);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 0, 99)).toBe(0);
    expect(k.call(t, SYS_getpriority, PRIO_PROCESS, 0)).toBe(1);
  });

  it('return the errors of their man page', () => {
    const { k, t } = started(1000);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 0, -1)).toBe(-EACCES);
    t.threadGroup.limits.set(RLIMIT_NICE, 21, 21);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 0, -1)).toBe(0);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 1, 3)).toBe(-EPERM);
    expect(k.call(t, SYS_setpriority, PRIO_PROCESS, 77, 3)).toBe(-ESRCH);
    expect(k.call(t, SYS_setpriority, 3, 0, 3)).toBe(-EINVAL);
    expect(k.call(t, SYS_getpriority, 3, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_getpriority, PRIO_PGRP, 77)).toBe(-ESRCH);
  });
});
