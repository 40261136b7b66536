import {
  ARCH_GET_CPUID,
  ARCH_GET_FS,
  ARCH_SET_CPUID,
  ARCH_SET_FS,
  ARCH_SET_GS,
  EFAULT,
  EINVAL,
  ENODEV,
  EPERM,
  ESRCH,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_NAME,
  PR_GET_PDEATHSIG,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_NAME,
  PR_SET_PDEATHSIG,
  RLIMIT_NOFILE,
  RUSAGE_SELF,
  SIGHUP,
  SYS_arch_prctl,
  SYS_exit_group,
  SYS_fork,
  SYS_getpgid,
  SYS_getrandom,
  SYS_getrlimit,
  SYS_getrusage,
  SYS_getsid,
  SYS_personality,
  SYS_prctl,
  SYS_prlimit64,
  SYS_setdomainname,
  SYS_sethostname,
  SYS_setpgid,
  SYS_setrlimit,
  SYS_setsid,
  SYS_sysinfo,
  SYS_syslog,
  SYS_uname,
} from '@tsv/abi';
import { REG_FS_BASE, REG_GS_BASE } from '@tsv/platform';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

function started(uid = 0): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn(Credentials.forUser(k.kernel.userNs, uid, uid)) };
}

describe('uname(2), sethostname(2)', () => {
  it('tell and set names', () => {
    const { k, t } = started();
    k.put(t, DATA_ADDR, 'newname');
    expect(k.call(t, SYS_sethostname, DATA_ADDR, 3)).toBe(0);
    expect(k.call(t, SYS_uname, DATA_ADDR)).toBe(0);
    expect(t.mm.copyInString(DATA_ADDR, 65)).toBe('Linux');
    expect(t.mm.copyInString(DATA_ADDR + 65, 65)).toBe('new');
    expect(t.mm.copyInString(DATA_ADDR + 4 * 65, 65)).toBe('x86_64');
  });

  it('return the errors of their man pages', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_uname, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_sethostname, DATA_ADDR, 65)).toBe(-EINVAL);
    expect(k.call(t, SYS_sethostname, DATA_ADDR, -1)).toBe(-EINVAL);
    expect(k.call(t, SYS_setdomainname, BAD_ADDR, 5)).toBe(-EFAULT);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1, 1));
    expect(k.call(user, SYS_sethostname, DATA_ADDR, 1)).toBe(-EPERM);
  });
});

describe('sysinfo(2)', () => {
  it('tells memory, up time and processes', () => {
    const { k, t } = started();
    k.advance(5000);
    expect(k.call(t, SYS_sysinfo, DATA_ADDR)).toBe(0);
    expect([t.mm.load64(DATA_ADDR), t.mm.load64(DATA_ADDR + 32)]).toEqual([5, 2 ** 30]);
    expect([t.mm.load32(DATA_ADDR + 80), t.mm.load32(DATA_ADDR + 104)]).toEqual([2, 1]);
    expect(k.call(t, SYS_sysinfo, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('getrandom(2)', () => {
  it('fills the memory it is given', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_getrandom, DATA_ADDR, 300, 0)).toBe(300);
    const view = k.peek(t, DATA_ADDR, 301);
    expect(new Set(Array.from({ length: 300 }, (_, i) => view.getUint8(i))).size).toBeGreaterThan(100);
    expect(view.getUint8(300)).toBe(0);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_getrandom, BAD_ADDR, 8, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_getrandom, DATA_ADDR, 8, 8)).toBe(-EINVAL);
    expect(k.call(t, SYS_getrandom, DATA_ADDR, 8, 6)).toBe(-EINVAL);
  });
});

describe('personality(2), syslog(2)', () => {
  it('keep a persona, and an empty log', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_personality, 0x40000)).toBe(0);
    expect(k.call(t, SYS_personality, 0xffffffff)).toBe(0x40000);
    expect(k.call(t, SYS_syslog, 3, DATA_ADDR, 10)).toBe(0);
    expect(k.call(t, SYS_syslog, 11, DATA_ADDR, 10)).toBe(-EINVAL);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1, 1));
    expect(k.call(user, SYS_syslog, 2, DATA_ADDR, 10)).toBe(-EPERM);
  });
});

describe('getrlimit(2), setrlimit(2), prlimit(2)', () => {
  function limit(t: Task, soft: number, hard: number): number {
    t.mm.store64(DATA_ADDR, soft);
    t.mm.store64(DATA_ADDR + 8, hard);
    return DATA_ADDR;
  }

  it('set and tell limits; that of descriptors takes effect at once', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_setrlimit, RLIMIT_NOFILE, limit(t, 10, 20))).toBe(0);
    expect(t.fds.limit).toBe(10);
    expect(k.call(t, SYS_prlimit64, 0, RLIMIT_NOFILE, 0, DATA_ADDR + 32)).toBe(0);
    expect([t.mm.load64(DATA_ADDR + 32), t.mm.load64(DATA_ADDR + 40)]).toEqual([10, 20]);
    expect(k.call(t, SYS_prlimit64, 1, RLIMIT_NOFILE, limit(t, 1, 2), DATA_ADDR + 32)).toBe(0);
    expect(t.mm.load64(DATA_ADDR + 32)).toBe(1024);
    expect(k.call(t, SYS_getrlimit, 0, DATA_ADDR)).toBe(0);
    expect([t.mm.load32(DATA_ADDR), t.mm.load32(DATA_ADDR + 4)]).toEqual([0xffffffff, 0xffffffff]);
  });

  it('return the errors of their man page', () => {
    const { k, t } = started(1000);
    expect(k.call(t, SYS_setrlimit, 16, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_setrlimit, RLIMIT_NOFILE, limit(t, 3, 2))).toBe(-EINVAL);
    expect(k.call(t, SYS_setrlimit, RLIMIT_NOFILE, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_setrlimit, RLIMIT_NOFILE, limit(t, 1, 2 ** 20 + 1))).toBe(-EPERM);
    k.call(t, SYS_setrlimit, RLIMIT_NOFILE, limit(t, 1, 2));
    expect(k.call(t, SYS_setrlimit, RLIMIT_NOFILE, limit(t, 1, 3))).toBe(-EPERM);
    expect(k.call(t, SYS_prlimit64, 77, RLIMIT_NOFILE, 0, 0)).toBe(-ESRCH);
    expect(k.call(t, SYS_prlimit64, 1, RLIMIT_NOFILE, 0, DATA_ADDR)).toBe(-EPERM);
    expect(k.call(t, SYS_getrlimit, RLIMIT_NOFILE, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_getrusage, 5, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_getrusage, RUSAGE_SELF, BAD_ADDR)).toBe(-EFAULT);
  });

  it('have getrusage(2) beside them', () => {
    const { k, t } = started();
    k.advance(1500);
    expect(k.call(t, SYS_getrusage, RUSAGE_SELF, DATA_ADDR)).toBe(0);
    expect([t.mm.load64(DATA_ADDR), t.mm.load64(DATA_ADDR + 8)]).toEqual([1, 500_000]);
  });
});

describe('prctl(2)', () => {
  it('names the thread with at most 15 bytes', () => {
    const { k, t } = started();
    k.put(t, DATA_ADDR, '0123456789abcdefgh');
    expect(k.call(t, SYS_prctl, PR_SET_NAME, DATA_ADDR)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_GET_NAME, DATA_ADDR + 0x100)).toBe(0);
    expect(t.mm.copyInString(DATA_ADDR + 0x100, 16)).toBe('0123456789abcde');
    expect(k.call(t, SYS_prctl, PR_SET_NAME, BAD_ADDR)).toBe(-EFAULT);
  });

  it('sends a signal when the parent dies', () => {
    const { k, t } = started();
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_prctl, PR_SET_PDEATHSIG, 65)).toBe(-EINVAL);
    k.call(child, SYS_prctl, PR_SET_PDEATHSIG, SIGHUP);
    k.call(child, SYS_prctl, PR_GET_PDEATHSIG, DATA_ADDR);
    expect(child.mm.load32(DATA_ADDR)).toBe(SIGHUP);
    k.call(t, SYS_exit_group, 0);
    k.pump();
    expect(child.threadGroup.exitStatus).toBe(SIGHUP);
  });

  it('keeps flags of the process', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_prctl, PR_SET_DUMPABLE, 2)).toBe(-EINVAL);
    expect(k.call(t, SYS_prctl, PR_SET_DUMPABLE, 0)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_GET_DUMPABLE)).toBe(0);
    k.call(t, SYS_prctl, PR_SET_CHILD_SUBREAPER, 1);
    k.call(t, SYS_prctl, PR_GET_CHILD_SUBREAPER, DATA_ADDR);
    expect(t.mm.load32(DATA_ADDR)).toBe(1);
    expect(k.call(t, SYS_prctl, 12345)).toBe(-EINVAL);
  });
});

describe('arch_prctl(2)', () => {
  it('sets and tells the bases of FS and GS', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_arch_prctl, ARCH_SET_FS, 0x1234)).toBe(0);
    expect(k.call(t, SYS_arch_prctl, ARCH_SET_GS, 0x5678)).toBe(0);
    expect([t.page.get(REG_FS_BASE), t.page.get(REG_GS_BASE)]).toEqual([0x1234, 0x5678]);
    expect(k.call(t, SYS_arch_prctl, ARCH_GET_FS, DATA_ADDR)).toBe(0);
    expect(t.mm.load64(DATA_ADDR)).toBe(0x1234);
    expect(k.call(t, SYS_arch_prctl, ARCH_GET_CPUID, 0)).toBe(1);
  });

  it.each`
    option            | addr                | errno
    ${ARCH_SET_FS}    | ${0x7fff_ffff_f000} | ${EPERM}
    ${ARCH_GET_FS}    | ${BAD_ADDR}         | ${EFAULT}
    ${ARCH_SET_CPUID} | ${0}                | ${ENODEV}
    ${0x9999}         | ${0}                | ${EINVAL}
  `('$option of $addr: $errno', ({ option, addr, errno }: Record<string, number>) => {
    const { k, t } = started();
    expect(k.call(t, SYS_arch_prctl, option!, addr!)).toBe(-errno!);
  });
});

describe('sessions and process groups, setsid(2), setpgid(2)', () => {
  it('begin with a process that leads neither', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_setsid)).toBe(-EPERM);
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_getsid, 0)).toBe(t.tid);
    expect(k.call(child, SYS_setsid)).toBe(child.tid);
    expect([k.call(child, SYS_getsid, 0), k.call(child, SYS_getpgid, 0)]).toEqual([child.tid, child.tid]);
  });

  it('end with their last member', () => {
    const { k, t } = started();
    const child = k.task(k.call(t, SYS_fork));
    k.call(child, SYS_setpgid, 0, 0);
    const grandchild = k.task(k.call(child, SYS_fork));
    k.call(child, SYS_exit_group, 0);
    expect(k.call(grandchild, SYS_getpgid, 0)).toBe(child.tid);
    expect(k.kernel.pidNs.lookup(child.tid)?.processGroup).not.toBeNull();
  });

  it.each`
    pid   | pgid  | errno
    ${0}  | ${-1} | ${EINVAL}
    ${77} | ${0}  | ${ESRCH}
    ${1}  | ${0}  | ${ESRCH}
    ${0}  | ${0}  | ${EPERM}
    ${0}  | ${77} | ${EPERM}
  `('setpgid($pid, $pgid) of a session leader: $errno', ({ pid, pgid, errno }: Record<string, number>) => {
    const { k, t } = started();
    expect(k.call(t, SYS_setpgid, pid!, pgid!)).toBe(-errno!);
    expect(k.call(t, SYS_getpgid, 77)).toBe(-ESRCH);
    expect(k.call(t, SYS_getsid, 77)).toBe(-ESRCH);
  });
});
