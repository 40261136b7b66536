import {
  CLONE_NEWPID,
  CLONE_NEWUSER,
  EINVAL,
  EPERM,
  SIGCHLD,
  SIGHUP,
  SIGINT,
  SYS_clone,
  SYS_fork,
  SYS_reboot,
  SYS_setuid,
  SYS_wait4,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { TASK_GONE } from './syscall.js';

const MAGIC1 = 0xfee1_dead;
const MAGIC2 = 672274793;
const [RESTART, RESTART2, HALT, POWER_OFF, CAD_ON] = [0x01234567, 0xa1b2c3d4, 0xcdef0123, 0x4321fedc, 0x89abcdef];

/** A process, process 1 of a PID namespace that is its child, and a child of that. */
function family(flags = 0): { k: TestKernel; outer: Task; init: Task; inner: Task } {
  const k = new TestKernel();
  const outer = k.spawn();
  const init = k.task(k.call(outer, SYS_clone, CLONE_NEWPID | flags | SIGCHLD));
  const fork = k.call(init, SYS_fork);
  const inner = k.task(init.pidNs.lookup(fork)!.task!.tid);
  return { k, outer, init, inner };
}

const reboot = (k: TestKernel, t: Task, cmd: number, magic2 = MAGIC2): number =>
  k.call(t, SYS_reboot, MAGIC1, magic2, cmd, 0);

/** The wait status of the child of `t` that has ended. */
function ended({ k, outer }: { k: TestKernel; outer: Task }): number {
  expect(k.call(outer, SYS_wait4, -1, DATA_ADDR, 0, 0)).toBeGreaterThan(0);
  return k.peek(outer, DATA_ADDR, 4).getInt32(0, true);
}

describe('reboot(2), "Behavior inside PID namespaces"', () => {
  it.each([
    ['RESTART', RESTART, SIGHUP],
    ['RESTART2', RESTART2, SIGHUP],
    ['HALT', HALT, SIGINT],
    ['POWER_OFF', POWER_OFF, SIGINT],
  ])('%s ends all of the namespace, and its process 1 by a signal', (_, cmd, signo) => {
    const f = family();
    expect(reboot(f.k, f.init, cmd)).toBe(TASK_GONE);
    expect([ended(f), f.inner.hasExited, f.outer.hasExited]).toEqual([signo, true, false]);
  });

  it('may be called by another process of it', () => {
    const f = family();
    expect(reboot(f.k, f.inner, POWER_OFF)).toBe(TASK_GONE);
    f.k.pump();
    expect([ended(f), f.init.hasExited]).toEqual([SIGINT, true]);
  });

  it('may be called by who has the capability in the user namespace that owns it', () => {
    const f = family(CLONE_NEWUSER);
    expect(reboot(f.k, f.init, HALT)).toBe(TASK_GONE);
    expect(ended(f)).toBe(SIGINT);
  });

  it('refuses what the man page refuses, and to end the machine', () => {
    const { k, outer, init, inner } = family();
    expect(k.call(init, SYS_reboot, MAGIC1 - 1, MAGIC2, HALT, 0)).toBe(-EINVAL);
    expect([reboot(k, init, HALT, 1), reboot(k, init, CAD_ON), reboot(k, outer, HALT)]).toEqual([
      -EINVAL,
      -EINVAL,
      -EINVAL,
    ]);
    k.call(inner, SYS_setuid, 1000);
    expect([reboot(k, inner, HALT), init.hasExited]).toEqual([-EPERM, false]);
  });
});
