import {
  CAP_KILL,
  EBADF,
  EFAULT,
  EINVAL,
  EMFILE,
  EPERM,
  ESRCH,
  POLLIN,
  SIGCONT,
  SIGKILL,
  SIGTERM,
  SIGUSR1,
  SI_QUEUE,
  SI_TKILL,
  SI_USER,
  SYS_exit,
  SYS_fork,
  SYS_kill,
  SYS_pidfd_getfd,
  SYS_pidfd_open,
  SYS_pidfd_send_signal,
  SYS_pipe2,
  SYS_rt_sigqueueinfo,
  SYS_rt_tgsigqueueinfo,
  SYS_setpgid,
  SYS_tgkill,
  SYS_tkill,
  SYS_wait4,
} from '@tsv/abi';
import { CapSet } from '../cred/cap-set.js';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

const INT_MIN = -0x8000_0000;

function pair(): { k: TestKernel; t: Task; other: Task } {
  const k = new TestKernel();
  k.spawn();
  const t = k.spawn();
  const other = k.spawn();
  other.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
  return { k, t, other };
}

describe('kill(2)', () => {
  it('tells who sent it', () => {
    const { k, t, other } = pair();
    expect(k.call(t, SYS_kill, other.tid, SIGUSR1)).toBe(0);
    const info = other.threadGroup.pending.infos[0]!;
    expect([info.signo, info.code, info.pid, info.uid]).toEqual([SIGUSR1, SI_USER, t.tid, 0]);
  });

  it('reaches a process group, and every process but 1 and the caller', () => {
    const { k, t, other } = pair();
    const child = k.task(k.call(other, SYS_fork));
    expect(k.call(t, SYS_kill, -other.tid, SIGUSR1)).toBe(0);
    expect([other, child].map((each) => each.threadGroup.pending.set.has(SIGUSR1))).toEqual([true, true]);
    expect(k.call(t, SYS_kill, -1, SIGKILL)).toBe(0);
    expect([k.task(1).isInGuest, t.isInGuest, other.hasExited, child.hasExited]).toEqual([true, true, true, true]);
  });

  it.each`
    pid        | signo | errno
    ${1}       | ${65} | ${EINVAL}
    ${1}       | ${-1} | ${EINVAL}
    ${77}      | ${0}  | ${ESRCH}
    ${-77}     | ${0}  | ${ESRCH}
    ${INT_MIN} | ${0}  | ${ESRCH}
  `('$pid with signal $signo: $errno', ({ pid, signo, errno }: Record<string, number>) => {
    const { k, t } = pair();
    expect(k.call(t, SYS_kill, pid!, signo!)).toBe(-errno!);
  });

  it('needs the same user or CAP_KILL; SIGCONT the same session', () => {
    const { k, t } = pair();
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(user, SYS_kill, t.tid, 0)).toBe(-EPERM);
    expect(k.call(user, SYS_kill, t.tid, SIGCONT)).toBe(-EPERM);
    expect(k.call(t, SYS_kill, user.tid, 0)).toBe(0);
    user.creds = user.creds.with({ effective: CapSet.of([CAP_KILL]) });
    expect(k.call(user, SYS_kill, t.tid, 0)).toBe(0);
    const child = k.task(k.call(t, SYS_fork));
    child.creds = Credentials.forUser(k.kernel.userNs, 1000, 1000);
    expect(k.call(child, SYS_kill, t.tid, SIGCONT)).toBe(0);
    expect(k.call(child, SYS_kill, t.tid, SIGTERM)).toBe(-EPERM);
  });

  it('succeeds for a zombie, and not once it is reaped', () => {
    const { k, t } = pair();
    const child = k.task(k.call(t, SYS_fork));
    const { tid } = child;
    k.call(child, SYS_exit, 0);
    expect(k.call(t, SYS_kill, tid, SIGTERM)).toBe(0);
    k.call(t, SYS_wait4, tid, 0, 0, 0);
    expect(k.call(t, SYS_kill, tid, 0)).toBe(-ESRCH);
  });
});

describe('tkill(2), tgkill(2)', () => {
  it('send to one thread', () => {
    const { k, t, other } = pair();
    expect(k.call(t, SYS_tgkill, other.tid, other.tid, SIGUSR1)).toBe(0);
    expect(other.signals.pending.infos[0]!.code).toBe(SI_TKILL);
    expect(k.call(t, SYS_tkill, other.tid, SIGUSR1)).toBe(0);
  });

  it.each`
    tgid  | tid   | signo | errno
    ${0}  | ${3}  | ${0}  | ${EINVAL}
    ${3}  | ${0}  | ${0}  | ${EINVAL}
    ${3}  | ${3}  | ${65} | ${EINVAL}
    ${2}  | ${3}  | ${0}  | ${ESRCH}
    ${77} | ${77} | ${0}  | ${ESRCH}
  `('tgkill $tgid, $tid, $signo: $errno', ({ tgid, tid, signo, errno }: Record<string, number>) => {
    const { k, t } = pair();
    expect(k.call(t, SYS_tgkill, tgid!, tid!, signo!)).toBe(-errno!);
  });

  it('need permission', () => {
    const { k, t } = pair();
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(user, SYS_tkill, t.tid, SIGTERM)).toBe(-EPERM);
    expect(k.call(user, SYS_tkill, 0, SIGTERM)).toBe(-EINVAL);
    expect(k.call(user, SYS_tkill, 77, SIGTERM)).toBe(-ESRCH);
  });
});

describe('rt_sigqueueinfo(2)', () => {
  function queue(k: TestKernel, t: Task, tid: number, signo: number, code: number): number {
    t.mm.store32(DATA_ADDR + 8, code);
    t.mm.store32(DATA_ADDR + 24, 0x1234);
    return k.call(t, SYS_rt_sigqueueinfo, tid, signo, DATA_ADDR);
  }

  it('sends a value along', () => {
    const { k, t, other } = pair();
    expect(queue(k, t, other.tid, SIGUSR1, SI_QUEUE)).toBe(0);
    expect(other.threadGroup.pending.infos[0]!.valueLow).toBe(0x1234);
  });

  it('lets no one pretend to be the kernel, but to himself', () => {
    const { k, t, other } = pair();
    expect(queue(k, t, other.tid, SIGUSR1, SI_USER)).toBe(-EPERM);
    expect(queue(k, t, other.tid, SIGUSR1, SI_TKILL)).toBe(-EPERM);
    expect(k.call(t, SYS_rt_tgsigqueueinfo, other.tid, other.tid, SIGUSR1, DATA_ADDR)).toBe(-EPERM);
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    expect(queue(k, t, t.tid, SIGUSR1, SI_USER)).toBe(0);
  });

  it('returns the errors of its man page', () => {
    const { k, t, other } = pair();
    expect(queue(k, t, other.tid, 65, SI_QUEUE)).toBe(-EINVAL);
    expect(queue(k, t, 77, SIGUSR1, SI_QUEUE)).toBe(-ESRCH);
    expect(k.call(t, SYS_rt_sigqueueinfo, other.tid, SIGUSR1, BAD_ADDR)).toBe(-EFAULT);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(queue(k, user, other.tid, SIGUSR1, SI_QUEUE)).toBe(-EPERM);
  });
});

describe('pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2)', () => {
  it('refer to a process as long as it lives', () => {
    const { k, t } = pair();
    const child = k.task(k.call(t, SYS_fork));
    const pidfd = k.call(t, SYS_pidfd_open, child.tid, 0);
    expect(t.fds.isCloseOnExec(pidfd)).toBe(true);
    expect(t.fds.get(pidfd)!.readiness() & POLLIN).toBe(0);
    expect(k.call(t, SYS_pidfd_send_signal, pidfd, SIGTERM, 0, 0)).toBe(0);
    expect(child.threadGroup.exitStatus).toBe(SIGTERM);
    expect(t.fds.get(pidfd)!.readiness() & POLLIN).toBe(POLLIN);
    k.call(t, SYS_wait4, -1, 0, 0, 0);
    expect(k.call(t, SYS_pidfd_send_signal, pidfd, 0, 0, 0)).toBe(-ESRCH);
    expect(k.call(t, SYS_pidfd_getfd, pidfd, 0, 0)).toBe(-ESRCH);
  });

  it('fetch a descriptor of the process', () => {
    const { k, t, other } = pair();
    k.call(other, SYS_pipe2, DATA_ADDR, 0);
    const pidfd = k.call(t, SYS_pidfd_open, other.tid, 0);
    const fd = k.call(t, SYS_pidfd_getfd, pidfd, other.mm.load32(DATA_ADDR), 0);
    expect(t.fds.get(fd)).toBe(other.fds.get(other.mm.load32(DATA_ADDR)));
  });

  it('return the errors of their man pages', () => {
    const { k, t, other } = pair();
    expect(k.call(t, SYS_pidfd_open, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_pidfd_open, other.tid, 1)).toBe(-EINVAL);
    expect(k.call(t, SYS_pidfd_open, 77, 0)).toBe(-ESRCH);
    const pidfd = k.call(t, SYS_pidfd_open, other.tid, 0);
    expect(k.call(t, SYS_pidfd_send_signal, 9, 0, 0, 0)).toBe(-EBADF);
    expect(k.call(t, SYS_pidfd_send_signal, pidfd, 65, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_pidfd_send_signal, pidfd, 0, 0, 8)).toBe(-EINVAL);
    expect(k.call(t, SYS_pidfd_send_signal, pidfd, 0, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_pidfd_getfd, pidfd, 9, 0)).toBe(-EBADF);
    expect(k.call(t, SYS_pidfd_getfd, pidfd, 9, 1)).toBe(-EINVAL);
    t.fds.limit = 1;
    expect(k.call(t, SYS_pidfd_open, other.tid, 0)).toBe(-EMFILE);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    const userPidfd = k.call(user, SYS_pidfd_open, other.tid, 0);
    expect(k.call(user, SYS_pidfd_send_signal, userPidfd, SIGTERM, 0, 0)).toBe(-EPERM);
    expect(k.call(user, SYS_pidfd_getfd, userPidfd, 0, 0)).toBe(-EPERM);
  });
});

describe('setpgid(2)', () => {
  it('moves a child until it has executed a program', () => {
    const { k, t } = pair();
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(t, SYS_setpgid, child.tid, child.tid)).toBe(0);
    expect(child.threadGroup.processGroup.pgid).toBe(child.tid);
    child.threadGroup.hasExeced = true;
    expect(k.call(t, SYS_setpgid, child.tid, t.tid)).toBe(-13);
  });
});
