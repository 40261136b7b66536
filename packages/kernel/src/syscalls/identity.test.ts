import {
  CLONE_NEWUSER,
  SYS_exit,
  SYS_fork,
  SYS_geteuid,
  SYS_getpid,
  SYS_getppid,
  SYS_gettid,
  SYS_getuid,
  SYS_seccomp,
  SYS_setuid,
  SYS_unshare,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { Strace } from '../strace/strace.js';
import { TestKernel } from '../testing/test-kernel.js';

let k: TestKernel;
let t: Task;
beforeEach(() => {
  k = new TestKernel();
  k.spawn();
  t = k.spawn();
});

/** What the platform may answer for `task` by itself. */
function answers(task: Task): Map<number, number> {
  return k.contextOf(task).answers;
}

describe('calls that the platform may answer', () => {
  it.each([SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid])(
    '%i is one with the result that it had',
    (nr) => {
      const result = k.call(t, nr);
      expect(answers(t).get(nr)).toBe(result);
    },
  );

  it('are forgotten when the credentials change', () => {
    k.call(t, SYS_getuid);
    expect(k.call(t, SYS_setuid, 7)).toBe(0);
    expect(answers(t).size).toBe(0);
    expect(k.call(t, SYS_getuid)).toBe(7);
  });

  it('are not those of a user namespace whose mapping may yet be written', () => {
    expect(k.call(t, SYS_unshare, CLONE_NEWUSER)).toBe(0);
    k.call(t, SYS_getuid);
    k.call(t, SYS_getpid);
    expect([...answers(t).keys()]).toEqual([SYS_getpid]);
  });

  it('are none under a filter', () => {
    k.call(t, SYS_getpid);
    expect(k.call(t, SYS_seccomp, 0, 0, 0)).toBe(0);
    expect(answers(t).size).toBe(0);
  });

  it('are none when calls are logged', () => {
    k.kernel.strace = new Strace({ names: [], dataBytesMax: 16, write: () => undefined });
    k.call(t, SYS_getpid);
    expect(answers(t).size).toBe(0);
  });

  it('of a child are forgotten when its parent dies', () => {
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_getppid)).toBe(t.tid);
    k.call(t, SYS_exit, 0);
    expect(answers(child).size).toBe(0);
    expect(k.call(child, SYS_getppid)).not.toBe(t.tid);
  });

  it('are not inherited', () => {
    k.call(t, SYS_getpid);
    expect(answers(k.task(k.call(t, SYS_fork))).size).toBe(0);
  });
});
