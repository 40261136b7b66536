import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  CLONE_PIDFD,
  EBADF,
  ECHILD,
  EFAULT,
  EINVAL,
  ESRCH,
  P_ALL,
  P_PGID,
  P_PID,
  P_PIDFD,
  PR_SET_CHILD_SUBREAPER,
  SA_NOCLDWAIT,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
  SIGSEGV,
  SIGSTOP,
  SIGTSTP,
  SIG_IGN,
  SYS_clone,
  SYS_exit,
  SYS_exit_group,
  SYS_fork,
  SYS_getppid,
  SYS_kill,
  SYS_prctl,
  SYS_setpgid,
  SYS_wait4,
  SYS_waitid,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
  WUNTRACED,
  __WALL,
  __WCLONE,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED, TASK_GONE } from './syscall.js';

const STATUS_ADDR = DATA_ADDR;
const INFO_ADDR = DATA_ADDR + 0x100;

function family(): { k: TestKernel; parent: Task; child: Task } {
  const k = new TestKernel();
  const parent = k.spawn();
  const child = k.task(k.call(parent, SYS_fork));
  return { k, parent, child };
}

function wait(k: TestKernel, t: Task, pid = -1, options = 0): number {
  return k.call(t, SYS_wait4, pid, STATUS_ADDR, options, 0);
}

function info(k: TestKernel, t: Task): { signo: number; code: number; pid: number; status: number } {
  const mem = k.peek(t, INFO_ADDR, 128);
  const at = (offset: number): number => mem.getInt32(offset, true);
  return { signo: at(0), code: at(8), pid: at(16), status: at(24) };
}

describe('wait4(2)', () => {
  it('reaps a child that has exited and tells its status', () => {
    const { k, parent, child } = family();
    expect(k.call(child, SYS_exit_group, 3)).toBe(TASK_GONE);
    expect(wait(k, parent)).toBe(2);
    expect(parent.mm.load32(STATUS_ADDR)).toBe(0x300);
    expect(wait(k, parent)).toBe(-ECHILD);
    expect([k.kernel.tasks.taskCount, k.kernel.pidNs.count, k.platform.contextCount]).toEqual([1, 1, 1]);
  });

  it('waits until a child exits', () => {
    const { k, parent, child } = family();
    expect(wait(k, parent)).toBe(BLOCKED);
    k.call(child, SYS_exit, 1);
    expect(k.result(parent)).toBe(2);
  });

  it('tells the signal that ended a child', () => {
    const { k, parent, child } = family();
    k.call(parent, SYS_kill, child.tid, SIGSEGV);
    expect([wait(k, parent), parent.mm.load32(STATUS_ADDR)]).toEqual([2, SIGSEGV]);
  });

  it('returns 0 with WNOHANG while the child runs', () => {
    const { k, parent } = family();
    expect(wait(k, parent, -1, WNOHANG)).toBe(0);
  });

  it('tells of a stop with WUNTRACED and of its end with WCONTINUED, once each', () => {
    const { k, parent, child } = family();
    k.call(parent, SYS_kill, child.tid, SIGSTOP);
    expect(wait(k, parent, -1, WNOHANG)).toBe(0);
    expect([wait(k, parent, -1, WUNTRACED), parent.mm.load32(STATUS_ADDR)]).toEqual([2, (SIGSTOP << 8) | 0x7f]);
    expect(wait(k, parent, -1, WUNTRACED | WNOHANG)).toBe(0);
    k.call(parent, SYS_kill, child.tid, SIGCONT);
    expect([wait(k, parent, -1, WCONTINUED), parent.mm.load32(STATUS_ADDR)]).toEqual([2, 0xffff]);
    expect(wait(k, parent, -1, WCONTINUED | WNOHANG)).toBe(0);
    expect(child.isInGuest).toBe(true);
  });

  it('looks for children of a process group', () => {
    const { k, parent, child } = family();
    k.call(child, SYS_setpgid, 0, 0);
    const other = k.task(k.call(parent, SYS_fork));
    k.call(other, SYS_exit, 0);
    k.call(child, SYS_exit, 0);
    expect(wait(k, parent, -child.tid)).toBe(child.tid);
    expect(wait(k, parent, 0)).toBe(other.tid);
  });

  it('tells children with another signal apart: __WCLONE, __WALL', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    const child = k.task(k.call(parent, SYS_clone, 0));
    k.call(child, SYS_exit, 0);
    expect(wait(k, parent)).toBe(-ECHILD);
    expect(wait(k, parent, -1, __WALL | WNOHANG)).toBe(child.tid);
    const next = k.task(k.call(parent, SYS_clone, 0));
    k.call(next, SYS_exit, 0);
    expect(wait(k, parent, -1, __WCLONE)).toBe(next.tid);
  });

  it.each`
    pid            | options    | errno
    ${-1}          | ${WNOWAIT} | ${EINVAL}
    ${-2147483648} | ${0}       | ${ESRCH}
    ${77}          | ${0}       | ${ECHILD}
    ${-77}         | ${0}       | ${ECHILD}
  `(
    'of $pid with options $options: $errno',
    ({ pid, options, errno }: { pid: number; options: number; errno: number }) => {
      const { k, parent } = family();
      expect(wait(k, parent, pid, options)).toBe(-errno);
    },
  );

  it('returns EFAULT for a status that cannot be stored', () => {
    const { k, parent, child } = family();
    k.call(child, SYS_exit, 0);
    expect(k.call(parent, SYS_wait4, -1, BAD_ADDR, 0, 0)).toBe(-EFAULT);
  });
});

describe('waitid(2)', () => {
  it('tells exits, deaths, stops and continuations in siginfo', () => {
    const { k, parent, child } = family();
    const waitid = (options: number): unknown => {
      expect(k.call(parent, SYS_waitid, P_ALL, 0, INFO_ADDR, options, 0)).toBe(0);
      return info(k, parent);
    };
    k.call(parent, SYS_kill, child.tid, SIGSTOP);
    expect(waitid(WSTOPPED)).toEqual({ signo: SIGCHLD, code: CLD_STOPPED, pid: 2, status: SIGSTOP });
    k.call(parent, SYS_kill, child.tid, SIGCONT);
    expect(waitid(WCONTINUED)).toEqual({ signo: SIGCHLD, code: CLD_CONTINUED, pid: 2, status: SIGCONT });
    expect(waitid(WEXITED | WNOHANG)).toEqual({ signo: 0, code: 0, pid: 0, status: 0 });
    k.call(parent, SYS_kill, child.tid, SIGKILL);
    expect(waitid(WEXITED | WNOWAIT)).toEqual({ signo: SIGCHLD, code: CLD_KILLED, pid: 2, status: SIGKILL });
    expect(waitid(WEXITED)).toEqual({ signo: SIGCHLD, code: CLD_KILLED, pid: 2, status: SIGKILL });
  });

  it('waits for the process of a pidfd', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    const child = k.task(k.call(parent, SYS_clone, CLONE_PIDFD | SIGCHLD, 0, DATA_ADDR));
    const pidfd = parent.mm.load32(DATA_ADDR);
    k.call(child, SYS_exit, 4);
    expect(k.call(parent, SYS_waitid, P_PIDFD, pidfd, INFO_ADDR, WEXITED, 0)).toBe(0);
    expect(info(k, parent)).toEqual({ signo: SIGCHLD, code: CLD_EXITED, pid: 2, status: 4 });
  });

  it.each`
    type       | id    | options            | errno
    ${P_ALL}   | ${0}  | ${WNOHANG}         | ${EINVAL}
    ${P_ALL}   | ${0}  | ${WEXITED | 0x100} | ${EINVAL}
    ${9}       | ${0}  | ${WEXITED}         | ${EINVAL}
    ${P_PID}   | ${0}  | ${WEXITED}         | ${EINVAL}
    ${P_PGID}  | ${-1} | ${WEXITED}         | ${EINVAL}
    ${P_PIDFD} | ${-1} | ${WEXITED}         | ${EINVAL}
    ${P_PIDFD} | ${9}  | ${WEXITED}         | ${EBADF}
    ${P_PID}   | ${77} | ${WEXITED}         | ${ECHILD}
  `('of type $type, $id, options $options: $errno', ({ type, id, options, errno }: Row) => {
    const { k, parent } = family();
    expect(k.call(parent, SYS_waitid, type, id, INFO_ADDR, options, 0)).toBe(-errno);
  });
});

describe('a child that nobody needs to wait for', () => {
  it.each`
    how                  | handlerAddr | flags
    ${'SIGCHLD ignored'} | ${SIG_IGN}  | ${0}
    ${'SA_NOCLDWAIT'}    | ${0}        | ${SA_NOCLDWAIT}
  `('is reaped at once: $how', ({ handlerAddr, flags }: { handlerAddr: number; flags: number }) => {
    const { k, parent, child } = family();
    const action = parent.threadGroup.signalActions.get(SIGCHLD);
    action.handlerAddr = handlerAddr;
    action.flags = flags;
    expect(wait(k, parent)).toBe(BLOCKED);
    k.call(child, SYS_exit, 0);
    expect(k.result(parent)).toBe(-ECHILD);
    expect(k.kernel.tasks.taskCount).toBe(1);
  });
});

describe('orphans', () => {
  it('go to process 1, or to a subreaper on the way', () => {
    for (const isSubreaper of [false, true]) {
      const { k, parent, child } = family();
      k.call(child, SYS_prctl, PR_SET_CHILD_SUBREAPER, isSubreaper ? 1 : 0);
      const middle = k.task(k.call(child, SYS_fork));
      const grandchild = k.task(k.call(middle, SYS_fork));
      k.call(middle, SYS_exit, 0);
      expect(k.call(grandchild, SYS_getppid)).toBe(isSubreaper ? child.tid : parent.tid);
    }
  });

  it('that are stopped in an orphaned process group are hung up and continued', () => {
    const k = new TestKernel();
    k.spawn();
    const shell = k.spawn();
    const job = k.task(k.call(shell, SYS_fork));
    k.call(job, SYS_setpgid, 0, 0);
    job.threadGroup.signalActions.get(SIGHUP).handlerAddr = 0x1000;
    job.signals.setBlocked(1 << (SIGHUP - 1), 0);
    k.call(shell, SYS_kill, job.tid, SIGTSTP);
    expect(job.threadGroup.isStopped).toBe(true);
    k.call(shell, SYS_exit_group, 0);
    expect(job.threadGroup.isStopped).toBe(false);
    expect(job.threadGroup.pending.set.has(SIGHUP)).toBe(true);
  });

  it('of a PID namespace die with its process 1', () => {
    const k = new TestKernel();
    const outer = k.spawn();
    const init = k.task(k.call(outer, SYS_clone, 0x20000000 | SIGCHLD));
    const inner = k.task(k.call(init, SYS_fork));
    k.call(init, SYS_exit_group, 0);
    k.pump();
    expect(k.result(inner)).toBe(TASK_GONE);
    expect(wait(k, outer)).toBe(init.tid);
    expect(k.kernel.tasks.taskCount).toBe(1);
  });
});

interface Row {
  readonly type: number;
  readonly id: number;
  readonly options: number;
  readonly errno: number;
}
