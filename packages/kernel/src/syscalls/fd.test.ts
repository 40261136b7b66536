import {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  EACCES,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOPKG,
  ENOTTY,
  EPERM,
  ESRCH,
  FD_CLOEXEC,
  FIOASYNC,
  FIOCLEX,
  FIONBIO,
  FIONCLEX,
  FIONREAD,
  FIOQSIZE,
  F_ADD_SEALS,
  F_DUPFD,
  F_DUPFD_CLOEXEC,
  F_DUPFD_QUERY,
  F_GETFD,
  F_GETFL,
  F_GETOWN,
  F_GETOWN_EX,
  F_GETPIPE_SZ,
  F_GETSIG,
  F_GET_SEALS,
  F_SEAL_EXEC,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  F_SETFD,
  F_SETFL,
  F_SETOWN,
  F_SETOWN_EX,
  F_SETPIPE_SZ,
  F_SETSIG,
  MAP_SHARED,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_NOEXEC_SEAL,
  O_APPEND,
  O_ASYNC,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECT,
  O_EXCL,
  O_LARGEFILE,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  O_WRONLY,
  POLL_IN,
  PROT_READ,
  PROT_WRITE,
  SIGIO,
  SIGUSR1,
  SYS_close,
  SYS_close_range,
  SYS_dup,
  SYS_dup2,
  SYS_dup3,
  SYS_fcntl,
  SYS_ftruncate,
  SYS_ioctl,
  SYS_memfd_create,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
  SYS_open,
  SYS_pipe,
  SYS_pipe2,
  SYS_pread64,
  SYS_read,
  SYS_write,
} from '@tsv/abi';
import { FdTable } from '../fd/fd-table.js';
import { UserNamespace } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';

const PATH = DATA_ADDR;
const BUF = DATA_ADDR + 0x1000;

let k: TestKernel;
let t: Task;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
});

function open(path: string, flags: number): number {
  return k.call(t, SYS_open, k.put(t, PATH, path), flags, 0o644);
}

function fcntl(fd: number, cmd: number, arg = 0): number {
  return k.call(t, SYS_fcntl, fd, cmd, arg);
}

function putInt(value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return k.put(t, BUF, bytes);
}

describe('pipe2(2)', () => {
  it('gives two descriptors with the flags asked for', () => {
    expect(k.call(t, SYS_pipe2, BUF, O_CLOEXEC | O_NONBLOCK | O_DIRECT)).toBe(0);
    expect([k.peek(t, BUF, 8).getInt32(0, true), k.peek(t, BUF, 8).getInt32(4, true)]).toEqual([0, 1]);
    expect([fcntl(0, F_GETFD), fcntl(0, F_GETFL), fcntl(1, F_GETFL)]).toEqual([
      FD_CLOEXEC,
      O_LARGEFILE | O_NONBLOCK,
      O_LARGEFILE | O_NONBLOCK | O_DIRECT | O_WRONLY,
    ]);
  });

  it('leaves nothing behind when it fails', () => {
    expect([k.call(t, SYS_pipe, BAD_ADDR), t.fds.count]).toEqual([-EFAULT, 0]);
    t.fds.limit = 1;
    expect([k.call(t, SYS_pipe, BUF), t.fds.count]).toEqual([-EMFILE, 0]);
    expect([k.call(t, SYS_pipe2, BUF, O_APPEND), k.call(t, SYS_pipe2, BUF, O_EXCL)]).toEqual([-EINVAL, -ENOPKG]);
  });
});

describe('dup(2)', () => {
  beforeEach(() => {
    k.call(t, SYS_pipe, BUF);
  });

  it('dup2 to itself is nothing, dup3 EINVAL', () => {
    expect([k.call(t, SYS_dup2, 1, 1), k.call(t, SYS_dup2, 9, 9), k.call(t, SYS_dup3, 1, 1, 0)]).toEqual([
      1,
      -EBADF,
      -EINVAL,
    ]);
  });

  it('gives the same file, without FD_CLOEXEC but with O_CLOEXEC', () => {
    expect([k.call(t, SYS_dup, 0), k.call(t, SYS_dup2, 0, 9), k.call(t, SYS_dup3, 0, 10, O_CLOEXEC)]).toEqual([
      2, 9, 10,
    ]);
    expect([2, 9, 10].map((fd) => fcntl(fd, F_GETFD))).toEqual([0, 0, FD_CLOEXEC]);
    expect([fcntl(0, F_DUPFD_QUERY, 9), fcntl(0, F_DUPFD_QUERY, 1), fcntl(0, F_DUPFD_QUERY, 99)]).toEqual([
      1,
      0,
      -EBADF,
    ]);
  });

  it('refuses what the man page refuses', () => {
    expect([
      k.call(t, SYS_dup, 9),
      k.call(t, SYS_dup2, 9, 1),
      k.call(t, SYS_dup2, 0, -1),
      k.call(t, SYS_dup2, 0, 1024),
      k.call(t, SYS_dup3, 0, 5, O_NONBLOCK),
    ]).toEqual([-EBADF, -EBADF, -EBADF, -EBADF, -EINVAL]);
    t.fds.limit = 2;
    expect([k.call(t, SYS_dup, 0), fcntl(0, F_DUPFD, 0), fcntl(0, F_DUPFD, 2), fcntl(0, F_DUPFD, -1)]).toEqual([
      -EMFILE,
      -EMFILE,
      -EINVAL,
      -EINVAL,
    ]);
  });

  it('F_DUPFD gives the lowest from its argument on', () => {
    expect([fcntl(0, F_DUPFD, 1), fcntl(0, F_DUPFD_CLOEXEC, 20), fcntl(20, F_GETFD)]).toEqual([2, 20, FD_CLOEXEC]);
  });
});

describe('close_range(2)', () => {
  it('closes what is in the range', () => {
    for (let i = 0; i < 3; i++) k.call(t, SYS_pipe, BUF);
    expect([k.call(t, SYS_close_range, 1, 4, 0), [...t.fds.fds()]]).toEqual([0, [0, 5]]);
    expect([k.call(t, SYS_close_range, 3, 0xffffffff, CLOSE_RANGE_CLOEXEC), fcntl(5, F_GETFD)]).toEqual([
      0,
      FD_CLOEXEC,
    ]);
    expect([k.call(t, SYS_close_range, 2, 1, 0), k.call(t, SYS_close_range, 0, 1, 1)]).toEqual([-EINVAL, -EINVAL]);
  });

  it('with CLOSE_RANGE_UNSHARE leaves the others their descriptors', () => {
    k.call(t, SYS_pipe, BUF);
    const shared = t.fds;
    shared.incRef();
    expect(k.call(t, SYS_close_range, 0, 9, CLOSE_RANGE_UNSHARE)).toBe(0);
    expect([t.fds === shared, t.fds.count, shared.count, shared.refCount]).toEqual([false, 0, 2, 1]);
    shared.decRef(t);
    t.fds = new FdTable();
  });

  it('close frees the descriptor', () => {
    k.call(t, SYS_pipe, BUF);
    expect([k.call(t, SYS_close, 0), k.call(t, SYS_close, 0), k.call(t, SYS_close, -1)]).toEqual([0, -EBADF, -EBADF]);
  });
});

describe('fcntl(2)', () => {
  it('F_SETFL changes status flags only', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    expect([fcntl(fd, F_SETFL, O_APPEND | O_WRONLY | O_CREAT | O_NONBLOCK), fcntl(fd, F_GETFL)]).toEqual([
      0,
      O_LARGEFILE | O_RDWR | O_APPEND | O_NONBLOCK,
    ]);
  });

  it('F_SETFD sets FD_CLOEXEC', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    expect([fcntl(fd, F_SETFD, FD_CLOEXEC), fcntl(fd, F_GETFD), fcntl(fd, F_SETFD, 0), fcntl(fd, F_GETFD)]).toEqual([
      0, 1, 0, 0,
    ]);
  });

  it('O_PATH descriptors have few commands', () => {
    const fd = open('/', O_PATH);
    expect([fcntl(fd, F_GETFL), fcntl(fd, F_GETFD), fcntl(fd, F_SETFL, 0), fcntl(fd, F_GETOWN)]).toEqual([
      O_PATH,
      0,
      -EBADF,
      -EBADF,
    ]);
  });

  it('the size of pipes', () => {
    k.call(t, SYS_pipe, BUF);
    const file = open('/f', O_RDWR | O_CREAT);
    expect([
      fcntl(0, F_GETPIPE_SZ),
      fcntl(0, F_SETPIPE_SZ, 5000),
      fcntl(1, F_GETPIPE_SZ),
      fcntl(file, F_GETPIPE_SZ),
    ]).toEqual([65536, 8192, 8192, -EBADF]);
    expect(fcntl(0, F_SETPIPE_SZ, 2 ** 21)).toBe(2 ** 21);
  });

  it('the capabilities of a user namespace raise no limit of pipes', () => {
    const user = k.spawn(t.creds.with({ userNs: new UserNamespace(k.kernel.userNs, 0, 0) }));
    k.call(user, SYS_pipe, BUF);
    expect([2 ** 21, 2 ** 20].map((bytes) => k.call(user, SYS_fcntl, 0, F_SETPIPE_SZ, bytes))).toEqual([
      -EPERM,
      2 ** 20,
    ]);
  });

  it('unknown commands and descriptors', () => {
    expect([fcntl(9, F_GETFD), fcntl(open('/f', O_RDWR | O_CREAT), 4711)]).toEqual([-EBADF, -EINVAL]);
  });

  it('the owner of SIGIO', () => {
    k.call(t, SYS_pipe, BUF);
    expect([
      fcntl(0, F_GETOWN),
      fcntl(0, F_SETOWN, t.tid),
      fcntl(0, F_GETOWN),
      fcntl(0, F_SETOWN, -t.tid),
      fcntl(0, F_GETOWN),
    ]).toEqual([0, 0, t.tid, 0, -t.tid]);
    expect([fcntl(0, F_SETOWN, 999), fcntl(0, F_SETOWN, -0x8000_0000), fcntl(0, F_SETSIG, 65)]).toEqual([
      -ESRCH,
      -EINVAL,
      -EINVAL,
    ]);
    expect([fcntl(0, F_SETSIG, SIGUSR1), fcntl(0, F_GETSIG)]).toEqual([0, SIGUSR1]);
    const owner = new Uint8Array(8);
    new DataView(owner.buffer).setInt32(4, t.tid, true);
    expect([
      fcntl(0, F_SETOWN_EX, k.put(t, BUF, owner)),
      fcntl(0, F_GETOWN_EX, BUF + 8),
      k.peek(t, BUF, 16).getInt32(12, true),
    ]).toEqual([0, 0, t.tid]);
    owner[0] = 9;
    expect([fcntl(0, F_SETOWN_EX, k.put(t, BUF, owner)), fcntl(0, F_SETOWN_EX, BAD_ADDR)]).toEqual([-EINVAL, -EFAULT]);
  });

  it('O_ASYNC sends the signal when bytes come', () => {
    k.call(t, SYS_pipe, BUF);
    t.signals.setBlocked(0xffffffff, 0xffffffff);
    fcntl(0, F_SETOWN, t.tid);
    k.call(t, SYS_write, 1, BUF, 1);
    expect(t.threadGroup.pending.count).toBe(0);
    fcntl(0, F_SETFL, O_ASYNC);
    k.call(t, SYS_write, 1, BUF, 1);
    expect(t.threadGroup.pending.set.has(SIGIO)).toBe(true);
    fcntl(0, F_SETSIG, 40);
    k.call(t, SYS_write, 1, BUF, 1);
    expect(t.threadGroup.pending.infos.at(-1)).toMatchObject({ signo: 40, code: POLL_IN, fd: 0 });
    fcntl(0, F_SETFL, 0);
    const before = t.threadGroup.pending.count;
    k.call(t, SYS_write, 1, BUF, 1);
    expect(t.threadGroup.pending.count).toBe(before);
  });
});

describe('ioctl(2) of every file', () => {
  it('FIOCLEX, FIONCLEX, FIONBIO', () => {
    k.call(t, SYS_pipe, BUF);
    k.call(t, SYS_ioctl, 0, FIOCLEX, 0);
    expect(fcntl(0, F_GETFD)).toBe(FD_CLOEXEC);
    k.call(t, SYS_ioctl, 0, FIONCLEX, 0);
    expect(fcntl(0, F_GETFD)).toBe(0);
    k.call(t, SYS_ioctl, 0, FIONBIO, putInt(1));
    expect(fcntl(0, F_GETFL) & O_NONBLOCK).toBe(O_NONBLOCK);
    k.call(t, SYS_ioctl, 0, FIONBIO, putInt(0));
    expect(fcntl(0, F_GETFL) & O_NONBLOCK).toBe(0);
  });

  it('FIONREAD and FIOQSIZE of a file', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    k.call(t, SYS_write, fd, BUF, 100);
    k.call(t, SYS_ioctl, fd, FIONREAD, BUF);
    expect(k.peek(t, BUF, 4).getInt32(0, true)).toBe(0);
    k.call(t, SYS_ioctl, fd, FIOQSIZE, BUF);
    expect(k.peek(t, BUF, 8).getInt32(0, true)).toBe(100);
  });

  it('refuses the rest', () => {
    k.call(t, SYS_pipe, BUF);
    const path = open('/', O_PATH);
    expect([
      k.call(t, SYS_ioctl, 9, FIOCLEX, 0),
      k.call(t, SYS_ioctl, path, FIOCLEX, 0),
      k.call(t, SYS_ioctl, 0, FIONBIO, BAD_ADDR),
      k.call(t, SYS_ioctl, 0, FIOASYNC, BAD_ADDR),
      k.call(t, SYS_ioctl, 0, FIOQSIZE, BUF),
      k.call(t, SYS_ioctl, 0, 0x5401, BUF),
      k.call(t, SYS_ioctl, 0, FIONREAD, BAD_ADDR),
    ]).toEqual([-EBADF, -EBADF, -EFAULT, -EFAULT, -ENOTTY, -ENOTTY, -EFAULT]);
  });
});

describe('memfd_create(2)', () => {
  it('is a file without a name', () => {
    const fd = k.call(t, SYS_memfd_create, k.put(t, PATH, 'shared'), MFD_CLOEXEC);
    k.put(t, BUF, byteString('data'));
    expect([fcntl(fd, F_GETFD), k.call(t, SYS_write, fd, BUF, 4), fcntl(fd, F_GET_SEALS)]).toEqual([1, 4, F_SEAL_SEAL]);
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), t.fds.get(fd)!.inode.nlink]).toEqual([-EPERM, 0]);
  });

  it('can be sealed step by step', () => {
    const fd = k.call(t, SYS_memfd_create, k.put(t, PATH, 'm'), MFD_ALLOW_SEALING);
    k.call(t, SYS_ftruncate, fd, 100);
    expect([
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK),
      k.call(t, SYS_ftruncate, fd, 50),
      k.call(t, SYS_ftruncate, fd, 200),
    ]).toEqual([0, -EPERM, 0]);
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), k.call(t, SYS_ftruncate, fd, 300)]).toEqual([0, -EPERM]);
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), k.call(t, SYS_write, fd, BUF, 1)]).toEqual([0, -EPERM]);
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), fcntl(fd, F_ADD_SEALS, 0), fcntl(fd, F_GET_SEALS)]).toEqual([
      0,
      -EPERM,
      15,
    ]);
    expect(k.call(t, SYS_read, fd, BUF, 10)).toBe(10);
  });

  it('is not sealed against writing while somebody may write to it through a mapping', () => {
    const fd = k.call(t, SYS_memfd_create, k.put(t, PATH, 'm'), MFD_ALLOW_SEALING);
    k.call(t, SYS_ftruncate, fd, 4096);
    const map = (prot: number): number => k.call(t, SYS_mmap, 0, 4096, prot, MAP_SHARED, fd, 0);
    const addr = map(PROT_READ | PROT_WRITE);
    expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)).toBe(-EBUSY);
    // It may become writable again.
    k.call(t, SYS_mprotect, addr, 4096, PROT_READ);
    expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)).toBe(-EBUSY);
    k.call(t, SYS_munmap, addr, 4096);
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), map(PROT_READ | PROT_WRITE)]).toEqual([0, -EPERM]);
    expect(k.call(t, SYS_mprotect, map(PROT_READ), 4096, PROT_READ | PROT_WRITE)).toBe(-EACCES);
  });

  it('lets those who map it already write after F_SEAL_FUTURE_WRITE, and nobody else', () => {
    const fd = k.call(t, SYS_memfd_create, k.put(t, PATH, 'm'), MFD_ALLOW_SEALING);
    k.call(t, SYS_ftruncate, fd, 4096);
    const map = (): number => k.call(t, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    const addr = map();
    expect([fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), map(), k.call(t, SYS_write, fd, BUF, 1)]).toEqual([
      0,
      -EPERM,
      -EPERM,
    ]);
    k.put(t, addr, 'x');
    expect(k.call(t, SYS_pread64, fd, BUF, 1, 0)).toBe(1);
  });

  it('refuses what the man page refuses', () => {
    k.put(t, PATH, 'x'.repeat(250));
    const pipe = k.call(t, SYS_pipe, BUF);
    expect([
      pipe,
      k.call(t, SYS_memfd_create, PATH, 0),
      k.call(t, SYS_memfd_create, BAD_ADDR, 0),
      k.call(t, SYS_memfd_create, PATH + 200, 0x8000),
      fcntl(0, F_GET_SEALS),
      fcntl(0, F_ADD_SEALS, 0),
    ]).toEqual([0, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL]);
    const fd = k.call(t, SYS_memfd_create, PATH + 200, MFD_NOEXEC_SEAL);
    expect([fcntl(fd, F_GET_SEALS), t.fds.get(fd)!.inode.mode & 0o777, fcntl(fd, F_ADD_SEALS, 0x4000)]).toEqual([
      F_SEAL_EXEC,
      0o666,
      -EINVAL,
    ]);
  });
});
