import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  CAP_NET_RAW,
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
  E2BIG,
  EACCES,
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOEXEC,
  ENOTDIR,
  EPERM,
  O_CREAT,
  O_RDONLY,
  O_WRONLY,
  SIGTERM,
  SIGUSR1,
  SIG_DFL,
  SIG_IGN,
  S_ISUID,
  SYS_clone,
  SYS_execve,
  SYS_execveat,
  SYS_fork,
  SYS_getpid,
  SYS_gettid,
  SYS_vfork,
  type Errno,
} from '@tsv/abi';
import { REG_RIP, REG_RSP } from '@tsv/platform';
import { MemoryIo, type OpenFile } from '@tsv/vfs';
import { CapSet } from '../cred/cap-set.js';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, byteString, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { TINY_ELF_ENTRY, tinyElf } from '../testing/tiny-elf.js';
import { BLOCKED, TASK_GONE } from './syscall.js';

const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
const PATH_ADDR = DATA_ADDR;
const ARGV_ADDR = DATA_ADDR + 0x200;
const STRING_ADDR = DATA_ADDR + 0x400;

function opened(file: OpenFile | Errno): OpenFile {
  if (typeof file === 'number') throw new Error(`open: ${file}`);
  return file;
}

function writeProgram(k: TestKernel, t: Task, path: string, content: Uint8Array, mode: number): void {
  const file = opened(k.kernel.vfs.open(t, path, O_CREAT | O_WRONLY, mode));
  expect(file.write(new MemoryIo(content), t)).toBe(content.length);
  file.inode.setAttributes({ mode: (file.inode.mode & 0o170000) | mode }, t);
  file.decRef();
}

function exec(k: TestKernel, t: Task, path = '/prog'): number {
  k.put(t, PATH_ADDR, path);
  k.put(t, STRING_ADDR, 'prog');
  t.mm.store64(ARGV_ADDR, STRING_ADDR);
  t.mm.store64(ARGV_ADDR + 8, 0);
  return k.call(t, SYS_execve, PATH_ADDR, ARGV_ADDR, 0);
}

function withProgram(mode = 0o755): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  const t = k.spawn();
  writeProgram(k, t, '/prog', tinyElf(), mode);
  return { k, t };
}

/** Sets security.capability of the program. */
function setCapabilities(k: TestKernel, t: Task, permitted: number, flags: number): void {
  const file = opened(k.kernel.vfs.open(t, '/prog', O_RDONLY));
  const bytes = new Uint8Array(20);
  new DataView(bytes.buffer).setUint32(0, 0x0200_0000 | flags, true);
  new DataView(bytes.buffer).setUint32(4, permitted, true);
  expect(file.inode.setXattr('security.capability', bytes, 0)).toBe(0);
  file.decRef();
}

describe('execve(2)', () => {
  it('starts the program with its arguments', () => {
    const { k, t } = withProgram();
    exec(k, t);
    expect(t.page.get(REG_RIP)).toBe(TINY_ELF_ENTRY);
    expect(t.mm.load64(t.page.get(REG_RSP))).toBe(1);
    expect(t.mm.copyInString(t.mm.load64(t.page.get(REG_RSP) + 8), 100)).toBe('prog');
    expect(t.comm).toBe('prog');
    expect([k.platform.contextCount, k.platform.addressSpaceCount]).toEqual([1, 1]);
  });

  it('resets handlers, keeps ignored signals, and closes what is close-on-exec', () => {
    const { k, t } = withProgram();
    t.threadGroup.signalActions.get(SIGUSR1).handlerAddr = 0x1234;
    t.threadGroup.signalActions.get(SIGTERM).handlerAddr = SIG_IGN;
    t.signals.altStackBytes = 8192;
    const fd = t.fds.install(opened(k.kernel.vfs.open(t, '/prog', O_RDONLY)), 0, true);
    const kept = t.fds.install(opened(k.kernel.vfs.open(t, '/prog', O_RDONLY)), 0, false);
    exec(k, t);
    expect(t.threadGroup.signalActions.get(SIGUSR1).handlerAddr).toBe(SIG_DFL);
    expect(t.threadGroup.signalActions.get(SIGTERM).handlerAddr).toBe(SIG_IGN);
    expect(t.signals.altStackBytes).toBe(0);
    expect([t.fds.get(fd), t.fds.get(kept) === undefined]).toEqual([undefined, false]);
  });

  it('ends the other threads and gives the caller the process ID', () => {
    const { k, t } = withProgram();
    const tid = k.call(t, SYS_clone, THREAD, DATA_ADDR + 0x3000);
    const thread = k.task(tid);
    exec(k, thread);
    expect(k.result(t)).toBe(TASK_GONE);
    expect([k.call(thread, SYS_getpid), k.call(thread, SYS_gettid)]).toEqual([1, 1]);
    expect(thread.threadGroup.leader).toBe(thread);
    expect(k.kernel.tasks.taskOf(tid)).toBeUndefined();
    expect([k.kernel.tasks.taskCount, k.platform.contextCount, k.platform.addressSpaceCount]).toEqual([1, 1, 1]);
  });

  it('lets the vfork(2) parent go on', () => {
    const { k, t } = withProgram();
    expect(k.call(t, SYS_vfork)).toBe(BLOCKED);
    exec(k, k.task(2));
    expect(k.result(t)).toBe(2);
  });

  it('gives a set-user-ID program its owner, unless no_new_privs is set', () => {
    const { k, t } = withProgram(S_ISUID | 0o755);
    for (const [hasNoNewPrivs, euid] of [
      [false, 0],
      [true, 1000],
    ] as const) {
      const child = k.task(k.call(t, SYS_fork));
      child.creds = Credentials.forUser(k.kernel.userNs, 1000, 1000);
      child.hasNoNewPrivs = hasNoNewPrivs;
      exec(k, child);
      expect([child.creds.uid, child.creds.euid, child.creds.suid]).toEqual([1000, euid, euid]);
      expect(child.creds.permitted.isEmpty).toBe(hasNoNewPrivs);
      expect(child.threadGroup.dumpable).toBe(hasNoNewPrivs ? 1 : 0);
    }
  });

  it('keeps ambient capabilities of a user and drops the others', () => {
    const { k, t } = withProgram();
    const raw = CapSet.of([CAP_NET_RAW]);
    t.creds = Credentials.forUser(k.kernel.userNs, 1000, 1000).with({
      permitted: CapSet.FULL,
      effective: CapSet.FULL,
      inheritable: raw,
      ambient: raw,
    });
    exec(k, t);
    expect(t.creds.permitted).toEqual(raw);
    expect(t.creds.effective).toEqual(raw);
  });

  it.each`
    permitted | flags | bounding        | after
    ${0x2000} | ${1}  | ${CapSet.FULL}  | ${[0x2000, 0x2000]}
    ${0x2000} | ${0}  | ${CapSet.FULL}  | ${[0x2000, 0]}
    ${0x2000} | ${0}  | ${CapSet.EMPTY} | ${[0, 0]}
  `('gives the capabilities of the file: $permitted, flags $flags', ({ permitted, flags, bounding, after }: Given) => {
    const { k, t } = withProgram();
    setCapabilities(k, t, permitted, flags);
    t.creds = Credentials.forUser(k.kernel.userNs, 1000, 1000).with({ bounding });
    exec(k, t);
    expect(t.page.get(REG_RIP)).toBe(TINY_ELF_ENTRY);
    expect([t.creds.permitted.low, t.creds.effective.low]).toEqual(after);
  });

  it('returns EPERM when the file’s effective capabilities are out of bounds', () => {
    const { k, t } = withProgram();
    setCapabilities(k, t, 0x2000, 1);
    t.creds = Credentials.forUser(k.kernel.userNs, 1000, 1000).with({ bounding: CapSet.EMPTY });
    expect(exec(k, t)).toBe(-EPERM);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = withProgram();
    writeProgram(k, t, '/text', byteString('hello'), 0o755);
    writeProgram(k, t, '/data', tinyElf(), 0o644);
    const argvAddr = ARGV_ADDR;
    t.mm.store64(argvAddr, BAD_ADDR);
    expect(exec(k, t, '/nothing')).toBe(-ENOENT);
    expect(exec(k, t, '/text')).toBe(-ENOEXEC);
    expect(exec(k, t, '/data')).toBe(-EACCES);
    expect(exec(k, t, '/')).toBe(-EACCES);
    expect(exec(k, t, '/prog/x')).toBe(-ENOTDIR);
    expect(k.call(t, SYS_execve, BAD_ADDR, 0, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_execve, PATH_ADDR, BAD_ADDR, 0)).toBe(-EFAULT);
    expect([k.platform.contextCount, k.platform.addressSpaceCount]).toEqual([1, 1]);
  });

  it('returns E2BIG for more than a quarter of the stack limit', () => {
    const { k, t } = withProgram();
    k.put(t, PATH_ADDR, '/prog');
    const longText = byteString('x'.repeat(0x7000) + '\0');
    k.put(t, DATA_ADDR + 0x1000, longText);
    for (let i = 0; i < 400; i++) t.mm.store64(DATA_ADDR + 0x9000 + 8 * i, DATA_ADDR + 0x1000);
    expect(k.call(t, SYS_execve, PATH_ADDR, DATA_ADDR + 0x9000, 0)).toBe(-E2BIG);
  });
});

describe('execveat(2)', () => {
  it('starts the program of a descriptor', () => {
    const { k, t } = withProgram();
    const fd = t.fds.install(opened(k.kernel.vfs.open(t, '/prog', O_RDONLY)), 0, false);
    k.put(t, PATH_ADDR, '');
    k.call(t, SYS_execveat, fd, PATH_ADDR, 0, 0, AT_EMPTY_PATH);
    expect(t.page.get(REG_RIP)).toBe(TINY_ELF_ENTRY);
  });

  it.each`
    fd          | path      | flags      | errno
    ${9}        | ${'prog'} | ${0}       | ${EBADF}
    ${AT_FDCWD} | ${'prog'} | ${0x10000} | ${EINVAL}
    ${AT_FDCWD} | ${''}     | ${0}       | ${ENOENT}
  `('of fd $fd, "$path", flags $flags: $errno', ({ fd, path, flags, errno }: Row) => {
    const { k, t } = withProgram();
    k.put(t, PATH_ADDR, path);
    expect(k.call(t, SYS_execveat, fd, PATH_ADDR, 0, 0, flags)).toBe(-errno);
  });
});

interface Row {
  readonly fd: number;
  readonly path: string;
  readonly flags: number;
  readonly errno: number;
}

interface Given {
  readonly permitted: number;
  readonly flags: number;
  readonly bounding: CapSet;
  readonly after: number[];
}
