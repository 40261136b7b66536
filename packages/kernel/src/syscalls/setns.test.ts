import {
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  EBADF,
  EINVAL,
  EPERM,
  ESRCH,
  SIGCHLD,
  SYS_clone,
  SYS_exit,
  SYS_fork,
  SYS_getpid,
  SYS_pidfd_open,
  SYS_pipe2,
  SYS_setns,
  SYS_unshare,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

function started(uid = 0): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn(Credentials.forUser(k.kernel.userNs, uid, uid)) };
}

/** A descriptor of `t` for a namespace, as opening /proc/PID/ns/KIND gives. */
function openNamespace(
  k: TestKernel,
  t: Task,
  namespace: Parameters<typeof k.kernel.namespaceFiles.inodeOf>[0],
): number {
  const file = k.kernel.namespaceFiles.inodeOf(namespace, 'any').open(null, 0, t);
  if (typeof file === 'number') throw new Error(`open: ${file}`);
  return t.fds.install(file, 0, false);
}

describe('setns(2)', () => {
  it('enters a namespace by its file', () => {
    const { k, t } = started();
    const before = openNamespace(k, t, t.ns.uts);
    k.call(t, SYS_unshare, CLONE_NEWUTS);
    t.ns.uts.hostname = 'inside';
    expect(k.call(t, SYS_setns, before, CLONE_NEWUTS)).toBe(0);
    expect(t.ns.uts.hostname).toBe('box');
  });

  it('enters those of a process by its pidfd', () => {
    const { k, t } = started();
    const child = k.task(k.call(t, SYS_clone, CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS | SIGCHLD));
    const pidfd = k.call(t, SYS_pidfd_open, child.tid, 0);
    expect(k.call(t, SYS_setns, pidfd, CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS)).toBe(0);
    expect([t.ns.uts, t.fs.mountNamespace]).toEqual([child.ns.uts, child.fs.mountNamespace]);
    expect(k.call(k.task(k.call(t, SYS_fork)), SYS_getpid)).toBe(2);
  });

  it('gives the capabilities of a user namespace that the caller owns', () => {
    const { k, t } = started(1000);
    const child = k.task(k.call(t, SYS_clone, CLONE_NEWUSER | CLONE_NEWUTS | SIGCHLD));
    const user = openNamespace(k, t, child.creds.userNs);
    const uts = openNamespace(k, t, child.ns.uts);
    expect(k.call(t, SYS_setns, uts, 0)).toBe(-EPERM);
    expect(k.call(t, SYS_setns, user, 0)).toBe(0);
    expect(k.call(t, SYS_setns, uts, 0)).toBe(0);
    expect(k.call(t, SYS_setns, user, 0)).toBe(-EINVAL);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started();
    const uts = openNamespace(k, t, t.ns.uts);
    const pipe = (k.call(t, SYS_pipe2, DATA_ADDR, 0), t.mm.load32(DATA_ADDR));
    expect(k.call(t, SYS_setns, 99, 0)).toBe(-EBADF);
    expect(k.call(t, SYS_setns, uts, CLONE_NEWPID)).toBe(-EINVAL);
    expect(k.call(t, SYS_setns, pipe, 0)).toBe(-EINVAL);
    const child = k.task(k.call(t, SYS_fork));
    const pidfd = k.call(t, SYS_pidfd_open, child.tid, 0);
    expect(k.call(t, SYS_setns, pidfd, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_setns, pidfd, 1)).toBe(-EINVAL);
    k.call(child, SYS_exit, 0);
    expect(k.call(t, SYS_setns, pidfd, CLONE_NEWUTS)).toBe(-ESRCH);
    k.call(t, SYS_unshare, CLONE_NEWPID);
    const inner = k.task(k.call(t, SYS_fork));
    const outer = openNamespace(k, inner, k.kernel.pidNs);
    expect(k.call(inner, SYS_setns, outer, 0)).toBe(-EINVAL);
  });
});
