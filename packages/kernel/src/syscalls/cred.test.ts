import {
  CAP_CHOWN,
  CAP_NET_RAW,
  CAP_SETUID,
  CAP_SYS_ADMIN,
  CLONE_FS,
  CLONE_NEWNET,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_VM,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_RAISE,
  PR_GET_KEEPCAPS,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_SECUREBITS,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_SECUREBITS,
  SECBIT_KEEP_CAPS,
  SYS_capget,
  SYS_capset,
  SYS_clone,
  SYS_fork,
  SYS_getgroups,
  SYS_getpid,
  SYS_getresuid,
  SYS_getuid,
  SYS_prctl,
  SYS_setfsuid,
  SYS_setgid,
  SYS_setgroups,
  SYS_setregid,
  SYS_setresgid,
  SYS_setresuid,
  SYS_setreuid,
  SYS_setuid,
  SYS_unshare,
  _LINUX_CAPABILITY_VERSION_3,
} from '@tsv/abi';
import { CapSet } from '../cred/cap-set.js';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

const NONE = 0xffffffff;

function as(uid: number): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn(Credentials.forUser(k.kernel.userNs, uid, uid)) };
}

function uids(t: Task): number[] {
  const { uid, euid, suid, fsuid } = t.creds;
  return [uid, euid, suid, fsuid];
}

function gids(t: Task): number[] {
  const { gid, egid, sgid, fsgid } = t.creds;
  return [gid, egid, sgid, fsgid];
}

describe('user IDs of root, credentials(7)', () => {
  it.each`
    call                | nr               | args               | after
    ${'setuid'}         | ${SYS_setuid}    | ${[5]}             | ${[5, 5, 5, 5]}
    ${'setreuid'}       | ${SYS_setreuid}  | ${[5, 6]}          | ${[5, 6, 6, 6]}
    ${'setreuid, real'} | ${SYS_setreuid}  | ${[5, NONE]}       | ${[5, 0, 0, 0]}
    ${'setresuid'}      | ${SYS_setresuid} | ${[5, 6, 7]}       | ${[5, 6, 7, 6]}
    ${'setresuid, one'} | ${SYS_setresuid} | ${[NONE, 6, NONE]} | ${[0, 6, 0, 6]}
    ${'setfsuid'}       | ${SYS_setfsuid}  | ${[9]}             | ${[0, 0, 0, 9]}
  `('$call $args', ({ nr, args, after }: { nr: number; args: number[]; after: number[] }) => {
    const { k, t } = as(0);
    expect(k.call(t, nr, ...args)).toBe(0);
    expect(uids(t)).toEqual(after);
  });
});

describe('user and group IDs of a user', () => {
  it.each`
    call           | nr               | args               | errno
    ${'setuid'}    | ${SYS_setuid}    | ${[0]}             | ${EPERM}
    ${'setuid'}    | ${SYS_setuid}    | ${[NONE]}          | ${EINVAL}
    ${'setgid'}    | ${SYS_setgid}    | ${[0]}             | ${EPERM}
    ${'setreuid'}  | ${SYS_setreuid}  | ${[0, NONE]}       | ${EPERM}
    ${'setreuid'}  | ${SYS_setreuid}  | ${[NONE, 0]}       | ${EPERM}
    ${'setregid'}  | ${SYS_setregid}  | ${[0, NONE]}       | ${EPERM}
    ${'setresuid'} | ${SYS_setresuid} | ${[NONE, NONE, 0]} | ${EPERM}
    ${'setresgid'} | ${SYS_setresgid} | ${[0, NONE, NONE]} | ${EPERM}
    ${'setgroups'} | ${SYS_setgroups} | ${[0, 0]}          | ${EPERM}
  `('$call $args returns $errno', ({ nr, args, errno }: { nr: number; args: number[]; errno: number }) => {
    const { k, t } = as(1000);
    expect(k.call(t, nr, ...args)).toBe(-errno);
    expect([uids(t), gids(t)]).toEqual([
      [1000, 1000, 1000, 1000],
      [1000, 1000, 1000, 1000],
    ]);
  });

  it('change among the real, effective and saved ones', () => {
    const { k, t } = as(1000);
    t.creds = t.creds.with({ suid: 7 });
    expect(k.call(t, SYS_setuid, 7)).toBe(0);
    expect(uids(t)).toEqual([1000, 7, 7, 7]);
    expect(k.call(t, SYS_setreuid, NONE, 1000)).toBe(0);
    expect(uids(t)).toEqual([1000, 1000, 7, 1000]);
  });

  it('are told by getresuid(2)', () => {
    const { k, t } = as(1000);
    expect(k.call(t, SYS_getresuid, DATA_ADDR, DATA_ADDR + 4, DATA_ADDR + 8)).toBe(0);
    expect(t.mm.load32(DATA_ADDR + 8)).toBe(1000);
    expect(k.call(t, SYS_getresuid, DATA_ADDR, DATA_ADDR + 4, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('supplementary groups', () => {
  it('are set and told', () => {
    const { k, t } = as(0);
    for (const [i, gid] of [30, 10, 20].entries()) t.mm.store32(DATA_ADDR + 4 * i, gid);
    expect(k.call(t, SYS_setgroups, 3, DATA_ADDR)).toBe(0);
    expect(k.call(t, SYS_getgroups, 0, 0)).toBe(3);
    expect(k.call(t, SYS_getgroups, 3, DATA_ADDR)).toBe(3);
    expect(t.creds.groups).toEqual([10, 20, 30]);
    expect([t.creds.inGroup(20), t.creds.inGroup(40)]).toEqual([true, false]);
  });

  it('return the errors of their man page', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_setgroups, 65537, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_setgroups, 1, BAD_ADDR)).toBe(-EFAULT);
    k.call(t, SYS_setgroups, 2, DATA_ADDR);
    expect(k.call(t, SYS_getgroups, 1, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_getgroups, -1, DATA_ADDR)).toBe(-EINVAL);
    expect(k.call(t, SYS_getgroups, 2, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('the effect of user ID changes on capabilities, capabilities(7)', () => {
  it('takes all of them when the last 0 goes', () => {
    const { k, t } = as(0);
    k.call(t, SYS_setuid, 1000);
    expect([t.creds.permitted.isEmpty, t.creds.effective.isEmpty]).toEqual([true, true]);
  });

  it('keeps the permitted ones with PR_SET_KEEPCAPS', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_prctl, PR_SET_KEEPCAPS, 1)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_GET_KEEPCAPS)).toBe(1);
    k.call(t, SYS_setuid, 1000);
    expect([t.creds.permitted.has(CAP_SETUID), t.creds.effective.isEmpty]).toEqual([true, true]);
  });

  it('takes the effective ones with the effective ID, and gives them back', () => {
    const { k, t } = as(0);
    k.call(t, SYS_setresuid, NONE, 1000, NONE);
    expect([t.creds.permitted.has(CAP_SETUID), t.creds.effective.isEmpty]).toEqual([true, true]);
    k.call(t, SYS_setresuid, NONE, 0, NONE);
    expect(t.creds.effective).toEqual(CapSet.FULL);
  });

  it('takes those for files with the filesystem ID', () => {
    const { k, t } = as(0);
    k.call(t, SYS_setfsuid, 1000);
    expect([t.creds.effective.has(CAP_CHOWN), t.creds.effective.has(CAP_SETUID)]).toEqual([false, true]);
    k.call(t, SYS_setfsuid, 0);
    expect(t.creds.effective.has(CAP_CHOWN)).toBe(true);
  });
});

describe('capget(2), capset(2)', () => {
  const HEADER = DATA_ADDR;
  const SETS = DATA_ADDR + 0x20;

  function capset(k: TestKernel, t: Task, effective: number, permitted: number, inheritable: number): number {
    t.mm.store32(HEADER, _LINUX_CAPABILITY_VERSION_3);
    t.mm.store32(HEADER + 4, 0);
    for (const [i, word] of [effective, permitted, inheritable, 0, 0, 0].entries()) t.mm.store32(SETS + 4 * i, word);
    return k.call(t, SYS_capset, HEADER, SETS);
  }

  it('set and tell the three sets', () => {
    const { k, t } = as(0);
    expect(capset(k, t, 1, 3, 2)).toBe(0);
    expect(k.call(t, SYS_capget, HEADER, SETS)).toBe(0);
    expect([0, 4, 8, 12].map((at) => t.mm.load32(SETS + at))).toEqual([1, 3, 2, 0]);
  });

  it('give no capability that was not permitted', () => {
    const { k, t } = as(0);
    capset(k, t, 1, 1, 0);
    expect(capset(k, t, 1, 3, 0)).toBe(-EPERM);
    expect(capset(k, t, 2, 1, 0)).toBe(-EPERM);
    expect(capset(k, t, 1, 1, 2)).toBe(-EPERM);
  });

  it('return the errors of their man page', () => {
    const { k, t } = as(0);
    t.mm.store32(HEADER, 1);
    expect(k.call(t, SYS_capget, HEADER, SETS)).toBe(-EINVAL);
    expect(t.mm.load32(HEADER)).toBe(_LINUX_CAPABILITY_VERSION_3);
    expect(k.call(t, SYS_capget, BAD_ADDR, SETS)).toBe(-EFAULT);
    t.mm.store32(HEADER + 4, 77);
    expect(k.call(t, SYS_capget, HEADER, SETS)).toBe(-ESRCH);
    expect(k.call(t, SYS_capset, HEADER, SETS)).toBe(-EPERM);
    t.mm.store32(HEADER + 4, -1);
    expect(k.call(t, SYS_capget, HEADER, SETS)).toBe(-EINVAL);
    t.mm.store32(HEADER + 4, 0);
    expect(k.call(t, SYS_capset, HEADER, BAD_ADDR)).toBe(-EFAULT);
  });
});

describe('prctl(2) about privileges', () => {
  it('drops capabilities from the bounding set', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_prctl, PR_CAPBSET_READ, CAP_NET_RAW)).toBe(1);
    expect(k.call(t, SYS_prctl, PR_CAPBSET_DROP, CAP_NET_RAW)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_CAPBSET_READ, CAP_NET_RAW)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_CAPBSET_READ, 41)).toBe(-EINVAL);
    expect(k.call(t, SYS_prctl, PR_CAPBSET_DROP, 41)).toBe(-EINVAL);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(user, SYS_prctl, PR_CAPBSET_DROP, CAP_NET_RAW)).toBe(-EPERM);
  });

  it('raises ambient capabilities that are permitted and inheritable', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW)).toBe(-EPERM);
    t.creds = t.creds.with({ inheritable: CapSet.of([CAP_NET_RAW]) });
    expect(k.call(t, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_RAW)).toBe(1);
    expect(k.call(t, SYS_prctl, PR_CAP_AMBIENT, 9, CAP_NET_RAW)).toBe(-EINVAL);
  });

  it('locks securebits', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_prctl, PR_SET_SECUREBITS, 0x30)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_GET_SECUREBITS)).toBe(0x30);
    expect(k.call(t, SYS_prctl, PR_SET_SECUREBITS, 0x20)).toBe(-EPERM);
    expect(k.call(t, SYS_prctl, PR_SET_KEEPCAPS, 0)).toBe(-EPERM);
    expect(t.creds.securebits & SECBIT_KEEP_CAPS).toBe(SECBIT_KEEP_CAPS);
  });

  it('sets no_new_privs for good, and children have it', () => {
    const { k, t } = as(1000);
    expect(k.call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 2)).toBe(-EINVAL);
    expect(k.call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1)).toBe(0);
    expect(k.call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 0)).toBe(-EINVAL);
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_prctl, PR_GET_NO_NEW_PRIVS)).toBe(1);
  });
});

describe('a user namespace, user_namespaces(7)', () => {
  it('gives all capabilities inside and none outside', () => {
    const { k, t } = as(1000);
    expect(k.call(t, SYS_unshare, CLONE_NEWUSER)).toBe(0);
    expect(t.creds.hasCap(CAP_SYS_ADMIN)).toBe(true);
    expect(t.creds.hasCapIn(k.kernel.userNs, CAP_SYS_ADMIN)).toBe(false);
    expect(t.creds.hasCapIn(t.creds.userNs, CAP_SYS_ADMIN)).toBe(true);
    expect(k.call(t, SYS_getuid)).toBe(65534);
    expect(k.call(t, SYS_setuid, 0)).toBe(-EINVAL);
    t.creds.userNs.uidMap = [{ firstInside: 0, firstKernel: 1000, count: 1 }];
    expect([k.call(t, SYS_getuid), k.call(t, SYS_setuid, 0), k.call(t, SYS_setuid, 1)]).toEqual([0, 0, -EINVAL]);
  });

  it('belongs to its creator: he has its capabilities from outside', () => {
    const { k, t } = as(1000);
    const child = k.task(k.call(t, SYS_clone, CLONE_NEWUSER | 17));
    expect(t.creds.hasCapIn(child.creds.userNs, CAP_SYS_ADMIN)).toBe(true);
    const { t: other } = as(1001);
    expect(other.creds.hasCapIn(child.creds.userNs, CAP_SYS_ADMIN)).toBe(false);
  });
});

describe('unshare(2)', () => {
  it('gives namespaces of one’s own', () => {
    const { k, t } = as(0);
    expect(k.call(t, SYS_unshare, CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNET | CLONE_FS)).toBe(0);
    t.ns.uts.hostname = 'other';
    expect(k.kernel.ns.uts.hostname).toBe('box');
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_getpid)).toBe(1);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = as(1000);
    expect(k.call(t, SYS_unshare, CLONE_NEWUTS)).toBe(-EPERM);
    expect(k.call(t, SYS_unshare, 1)).toBe(-EINVAL);
    k.call(t, SYS_clone, 0x100 | 0x200 | 0x400 | 0x800 | 0x10000, DATA_ADDR + 0x3000);
    expect(k.call(t, SYS_unshare, CLONE_NEWUSER)).toBe(-EINVAL);
    expect(k.call(t, SYS_unshare, CLONE_VM)).toBe(-EINVAL);
  });
});
