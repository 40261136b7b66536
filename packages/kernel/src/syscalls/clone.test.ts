import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
  E2BIG,
  EAGAIN,
  EFAULT,
  EINVAL,
  EPERM,
  RLIMIT_NPROC,
  SIGCHLD,
  SYS_clone,
  SYS_clone3,
  SYS_exit,
  SYS_fork,
  SYS_getpid,
  SYS_getppid,
  SYS_gettid,
  SYS_vfork,
  storeI64,
} from '@tsv/abi';
import { REG_FS_BASE, REG_RSP } from '@tsv/platform';
import { Credentials } from '../cred/credentials.js';
import { THREAD_COUNT_MAX } from '../task/process-limit.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

describe('fork(2)', () => {
  it('gives the child an ID of its own, 0 in rax, and a copy of the memory', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    parent.mm.store32(DATA_ADDR, 7);
    const pid = k.call(parent, SYS_fork);
    const child = k.task(pid);
    child.mm.store32(DATA_ADDR, 8);
    expect([pid, k.result(child), parent.mm.load32(DATA_ADDR)]).toEqual([2, 0, 7]);
    expect([k.call(child, SYS_getpid), k.call(child, SYS_getppid), k.call(child, SYS_gettid)]).toEqual([2, 1, 2]);
  });

  it('fails with EAGAIN at RLIMIT_NPROC, unless the user is root', () => {
    const k = new TestKernel();
    k.spawn();
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    user.threadGroup.limits.set(RLIMIT_NPROC, 2, 2);
    expect(k.call(user, SYS_fork)).toBeGreaterThan(0);
    expect(k.call(user, SYS_fork)).toBe(-EAGAIN);
  });

  it('fails with EAGAIN where there are threads-max, zombies or not, for root too', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    k.kernel.tasks.taskCount = THREAD_COUNT_MAX - 1;
    const child = k.task(k.call(parent, SYS_fork));
    k.call(child, SYS_exit, 0);
    expect(k.call(parent, SYS_fork)).toBe(-EAGAIN);
  });
});

describe('vfork(2)', () => {
  it('lets the parent wait until the child exits', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    expect(k.call(parent, SYS_vfork)).toBe(BLOCKED);
    const child = k.task(2);
    expect(child.mm).toBe(parent.mm);
    k.call(child, SYS_exit, 0);
    expect(k.result(parent)).toBe(2);
  });
});

describe('clone(2)', () => {
  it('makes a thread with a stack, a TLS base and its ID where it was asked for', () => {
    const k = new TestKernel();
    const leader = k.spawn();
    const flags = THREAD | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    const tid = k.call(leader, SYS_clone, flags, DATA_ADDR + 0x2000, DATA_ADDR, DATA_ADDR + 4, 0x7000);
    const thread = k.task(tid);
    expect(thread.threadGroup).toBe(leader.threadGroup);
    expect([thread.page.get(REG_RSP), thread.page.get(REG_FS_BASE)]).toEqual([DATA_ADDR + 0x2000, 0x7000]);
    expect([leader.mm.load32(DATA_ADDR), leader.mm.load32(DATA_ADDR + 4)]).toEqual([tid, tid]);
    k.call(thread, SYS_exit, 0);
    expect(leader.mm.load32(DATA_ADDR + 4)).toBe(0);
  });

  it('gives process 1 of a new PID namespace the ID 1 there', () => {
    const k = new TestKernel();
    const child = k.task(k.call(k.spawn(), SYS_clone, CLONE_NEWPID | SIGCHLD));
    expect([child.tid, k.call(child, SYS_getpid), k.call(child, SYS_getppid)]).toEqual([2, 1, 0]);
    expect(child.threadGroup.isNamespaceInit).toBe(true);
  });

  it.each`
    flags                                | why
    ${CLONE_NEWNS | CLONE_FS}            | ${'shares and copies the file system context'}
    ${CLONE_NEWUSER | CLONE_FS}          | ${'shares it with another user namespace'}
    ${CLONE_THREAD}                      | ${'a thread without CLONE_SIGHAND'}
    ${CLONE_SIGHAND}                     | ${'CLONE_SIGHAND without CLONE_VM'}
    ${THREAD | CLONE_NEWPID}             | ${'a thread in another PID namespace'}
    ${CLONE_PARENT}                      | ${'a sibling of process 1'}
    ${CLONE_PIDFD | CLONE_PARENT_SETTID} | ${'one address for two results'}
  `('returns EINVAL: $why', ({ flags }: { flags: number }) => {
    const k = new TestKernel();
    expect(k.call(k.spawn(), SYS_clone, flags)).toBe(-EINVAL);
  });

  it('returns EPERM for a namespace without CAP_SYS_ADMIN', () => {
    const k = new TestKernel();
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(user, SYS_clone, CLONE_NEWPID | SIGCHLD)).toBe(-EPERM);
    expect(k.call(user, SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD)).toBeGreaterThan(0);
  });

  it('undoes the child when the pidfd cannot be stored', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    const pagesBefore = k.memoryFile.usedPageCount;
    expect(k.call(parent, SYS_clone, CLONE_PIDFD | SIGCHLD, 0, BAD_ADDR)).toBe(-EFAULT);
    expect([k.platform.contextCount, k.kernel.pidNs.count, parent.fds.count]).toEqual([1, 1, 0]);
    expect(k.memoryFile.usedPageCount).toBe(pagesBefore);
  });
});

describe('clone3(2)', () => {
  function args(k: TestKernel, fields: Record<number, number>, bytes = 88): Uint8Array {
    const memory = new Uint8Array(bytes);
    const mem = new DataView(memory.buffer);
    for (const [at, value] of Object.entries(fields)) storeI64(mem, Number(at), value);
    return memory;
  }
  const SET_TID = 64;
  const SET_TID_SIZE = 72;

  it('makes the child with the ID that was asked for', () => {
    const k = new TestKernel();
    const parent = k.spawn();
    parent.mm.store32(DATA_ADDR + 0x100, 77);
    k.put(parent, DATA_ADDR, args(k, { 32: SIGCHLD, [SET_TID]: DATA_ADDR + 0x100, [SET_TID_SIZE]: 1 }));
    expect(k.call(parent, SYS_clone3, DATA_ADDR, 88)).toBe(77);
  });

  it.each`
    fields                        | bytes   | errno
    ${{}}                         | ${56}   | ${EINVAL}
    ${{}}                         | ${8192} | ${E2BIG}
    ${{ 88: 1 }}                  | ${96}   | ${E2BIG}
    ${{ 0: SIGCHLD }}             | ${88}   | ${EINVAL}
    ${{ 32: 65 }}                 | ${88}   | ${EINVAL}
    ${{ 40: DATA_ADDR }}          | ${88}   | ${EINVAL}
    ${{ 0: THREAD, 32: SIGCHLD }} | ${88}   | ${EINVAL}
    ${{ [SET_TID_SIZE]: 1 }}      | ${88}   | ${EINVAL}
  `(
    'refuses $fields of $bytes bytes',
    ({ fields, bytes, errno }: { fields: Record<number, number>; bytes: number; errno: number }) => {
      const k = new TestKernel();
      const parent = k.spawn();
      k.put(parent, DATA_ADDR, args(k, fields, Math.max(bytes, 88)));
      expect(k.call(parent, SYS_clone3, DATA_ADDR, bytes)).toBe(-errno);
    },
  );

  it('returns EFAULT for arguments that cannot be read', () => {
    const k = new TestKernel();
    expect(k.call(k.spawn(), SYS_clone3, BAD_ADDR, 88)).toBe(-EFAULT);
  });
});
