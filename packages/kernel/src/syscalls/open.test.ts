import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  E2BIG,
  EACCES,
  EBADF,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  ELOOP,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  ENOEXEC,
  ENOTDIR,
  ENXIO,
  EPERM,
  EROFS,
  ETXTBSY,
  EXDEV,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOATIME,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
  SYS_close,
  SYS_creat,
  SYS_execve,
  SYS_execveat,
  SYS_memfd_create,
  SYS_fcntl,
  SYS_linkat,
  SYS_mknod,
  SYS_mount,
  SYS_open,
  SYS_openat,
  SYS_openat2,
  SYS_read,
  SYS_symlink,
  SYS_truncate,
  SYS_write,
  S_IFIFO,
  S_IFSOCK,
  __O_TMPFILE,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';
import { BAD_ADDR } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  g.mkdir('/dir');
  g.create('/file', 'content');
  g.create('/secret', 'x', 0o600);
  g.create('/theirs', 'x', 0o666);
  g.call(SYS_symlink, 'file', '/link');
  g.call(SYS_symlink, 'missing', '/dangling');
  g.call(SYS_symlink, 'loop', '/loop');
  g.call(SYS_mknod, '/socket', S_IFSOCK | 0o644, 0);
  g.call(SYS_mknod, '/null', 0o020666, 0x103);
  g.mkdir('/ro');
  g.kernel.put(g.task, BUFFER_ADDR, 'tmpfs');
  expect(g.call(SYS_mount, 'none', '/ro', BUFFER_ADDR, 1, 0)).toBe(0);
  return g;
}

describe('open(2) errors', () => {
  it.each`
    path            | flags                        | uid     | expected
    ${'/none'}      | ${O_RDONLY}                  | ${0}    | ${-ENOENT}
    ${''}           | ${O_RDONLY}                  | ${0}    | ${-ENOENT}
    ${''}           | ${O_CREAT}                   | ${0}    | ${-ENOENT}
    ${'/dangling'}  | ${O_RDONLY}                  | ${0}    | ${-ENOENT}
    ${'/none/file'} | ${O_CREAT | O_RDWR}          | ${0}    | ${-ENOENT}
    ${'/file/x'}    | ${O_RDONLY}                  | ${0}    | ${-ENOTDIR}
    ${'/file'}      | ${O_DIRECTORY}               | ${0}    | ${-ENOTDIR}
    ${'/file/'}     | ${O_RDONLY}                  | ${0}    | ${-ENOTDIR}
    ${'/dir'}       | ${O_WRONLY}                  | ${0}    | ${-EISDIR}
    ${'/dir'}       | ${O_RDONLY | O_TRUNC}        | ${0}    | ${-EISDIR}
    ${'/dir'}       | ${O_RDONLY | O_CREAT}        | ${0}    | ${-EISDIR}
    ${'/new/'}      | ${O_RDWR | O_CREAT}          | ${0}    | ${-EISDIR}
    ${'/dir/..'}    | ${O_RDWR | O_CREAT}          | ${0}    | ${-EISDIR}
    ${'/loop'}      | ${O_RDONLY}                  | ${0}    | ${-ELOOP}
    ${'/link'}      | ${O_RDONLY | O_NOFOLLOW}     | ${0}    | ${-ELOOP}
    ${'/link'}      | ${O_DIRECTORY | O_NOFOLLOW}  | ${0}    | ${-ENOTDIR}
    ${'/file'}      | ${O_RDWR | O_CREAT | O_EXCL} | ${0}    | ${-EEXIST}
    ${'/dangling'}  | ${O_RDWR | O_CREAT | O_EXCL} | ${0}    | ${-EEXIST}
    ${'/dir'}       | ${O_CREAT | O_DIRECTORY}     | ${0}    | ${-EINVAL}
    ${'/dir'}       | ${O_TMPFILE | O_RDONLY}      | ${0}    | ${-EINVAL}
    ${'/dir'}       | ${__O_TMPFILE | O_RDWR}      | ${0}    | ${-EINVAL}
    ${'/socket'}    | ${O_RDWR}                    | ${0}    | ${-ENXIO}
    ${'/ro/new'}    | ${O_RDWR | O_CREAT}          | ${0}    | ${-EROFS}
    ${'/ro'}        | ${O_TMPFILE | O_RDWR}        | ${0}    | ${-EROFS}
    ${'/secret'}    | ${O_RDONLY}                  | ${1000} | ${-EACCES}
    ${'/file'}      | ${O_WRONLY}                  | ${1000} | ${-EACCES}
    ${'/file'}      | ${O_RDONLY | O_TRUNC}        | ${1000} | ${-EACCES}
    ${'/new'}       | ${O_RDWR | O_CREAT}          | ${1000} | ${-EACCES}
    ${'/theirs'}    | ${O_RDONLY | O_NOATIME}      | ${1000} | ${-EPERM}
  `(
    '$path, flags $flags, user $uid: $expected',
    (row: { path: string; flags: number; uid: number; expected: number }) => {
      const g = guest();
      if (row.uid !== 0) g.become(row.uid);
      expect(g.call(SYS_open, row.path, row.flags, 0o644)).toBe(row.expected);
    },
  );

  it('EFAULT, EBADF, ENAMETOOLONG, EMFILE', () => {
    const g = guest();
    expect(g.call(SYS_open, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(g.call(SYS_openat, 77, 'file', 0)).toBe(-EBADF);
    expect(g.call(SYS_openat, g.open('/file'), 'file', 0)).toBe(-ENOTDIR);
    expect(g.call(SYS_open, 'x'.repeat(256), 0)).toBe(-ENAMETOOLONG);
    expect(g.call(SYS_open, 'x'.repeat(4096), 0)).toBe(-ENAMETOOLONG);
    g.task.fds.limit = g.task.fds.count;
    expect(g.call(SYS_open, '/file', 0)).toBe(-EMFILE);
  });
});

describe('open(2)', () => {
  it('creates with the umask, and truncates', () => {
    const g = guest();
    expect(g.call(SYS_creat, '/new', 0o777)).toBeGreaterThanOrEqual(0);
    expect(g.task.fs.cwd.inode.lookup('new')).toMatchObject({ mode: 0o100755 });
    g.call(SYS_close, g.open('/file', O_WRONLY | O_TRUNC));
    expect(g.read('/file')).toBe('');
  });

  it('does not open a running program for writing, nor run what is being written', () => {
    const g = guest();
    g.create('/program', 'x', 0o755);
    const running = g.kernel.kernel.vfs.open(g.task, '/program', O_RDONLY);
    if (typeof running === 'number') throw new Error(`open: ${running}`);
    g.task.mm.exeFile = running;
    expect(g.call(SYS_open, '/program', O_WRONLY)).toBe(-ETXTBSY);
    expect(g.call(SYS_truncate, '/program', 0)).toBe(-ETXTBSY);
    g.task.mm.exeFile = null;
    const writing = g.open('/program', O_WRONLY);
    expect(g.call(SYS_execve, '/program', 0, 0)).toBe(-ETXTBSY);
    g.call(SYS_close, writing);
    expect(g.call(SYS_execve, '/program', 0, 0)).toBe(-ENOEXEC);
  });

  it('runs a memory file though its descriptor may write', () => {
    const g = guest();
    const memfd = g.call(SYS_memfd_create, 'program', 0);
    expect(g.call(SYS_execveat, memfd, '', 0, 0, AT_EMPTY_PATH)).toBe(-ENOEXEC);
  });

  it('creates what a dangling link names', () => {
    const g = guest();
    g.create('/dangling', 'made');
    expect(g.read('/missing')).toBe('made');
  });

  it('appends', () => {
    const g = guest();
    const fd = g.open('/file', O_WRONLY | O_APPEND);
    g.call(SYS_write, fd, ' and more', 9);
    expect(g.read('/file')).toBe('content and more');
  });

  it('gives O_PATH descriptors that can name but not do', () => {
    const g = guest();
    const fd = g.open('/link', O_PATH | O_NOFOLLOW);
    expect(g.call(SYS_read, fd, BUFFER_ADDR, 1)).toBe(-EBADF);
    expect(g.call(SYS_fcntl, fd, 3) & O_PATH).toBe(O_PATH);
    expect(g.call(SYS_openat, g.open('/dir', O_PATH), '../file', O_RDONLY)).toBeGreaterThanOrEqual(0);
  });

  it('does not give O_TMPFILE a name until linkat(2) does', () => {
    const g = guest();
    const fd = g.open('/dir', O_TMPFILE | O_RDWR);
    expect(g.call(SYS_write, fd, 'hidden', 6)).toBe(6);
    expect(g.call(SYS_linkat, fd, '', AT_FDCWD, '/dir/named', 0x1000)).toBe(0);
    expect(g.read('/dir/named')).toBe('hidden');
    const exclusive = g.open('/dir', O_TMPFILE | O_RDWR | O_EXCL);
    expect(g.call(SYS_linkat, exclusive, '', AT_FDCWD, '/dir/other', 0x1000)).toBe(-ENOENT);
  });

  it('waits at a FIFO for its other end', () => {
    const g = guest();
    g.call(SYS_mknod, '/fifo', S_IFIFO | 0o644, 0);
    const reader = g.task;
    expect(g.call(SYS_open, '/fifo', O_RDONLY)).toBe(BLOCKED);
    g.task = g.kernel.spawn();
    const writeFd = g.open('/fifo', O_WRONLY);
    const readFd = g.kernel.result(reader);
    expect(readFd).toBeGreaterThanOrEqual(0);
    g.call(SYS_write, writeFd, 'through', 7);
    g.task = reader;
    expect(g.call(SYS_read, readFd, BUFFER_ADDR, 10)).toBe(7);
    expect(g.text(BUFFER_ADDR, 7)).toBe('through');
  });

  it('says ENXIO for a FIFO that nobody reads, with O_NONBLOCK', () => {
    const g = guest();
    g.call(SYS_mknod, '/fifo', S_IFIFO | 0o644, 0);
    expect(g.call(SYS_open, '/fifo', O_WRONLY | O_NONBLOCK)).toBe(-ENXIO);
  });

  it('reads and writes /dev/null, and refuses devices on a nodev mount', () => {
    const g = guest();
    const fd = g.open('/null', O_RDWR);
    expect([g.call(SYS_write, fd, BAD_ADDR, 5), g.call(SYS_read, fd, BUFFER_ADDR, 5)]).toEqual([5, 0]);
    g.kernel.put(g.task, BUFFER_ADDR, 'tmpfs');
    g.mkdir('/nodev');
    expect(g.call(SYS_mount, 'none', '/nodev', BUFFER_ADDR, 4, 0)).toBe(0);
    g.call(SYS_mknod, '/nodev/null', 0o020666, 0x103);
    expect(g.call(SYS_open, '/nodev/null', O_RDONLY)).toBe(-EACCES);
  });
});

describe('openat2(2)', () => {
  function openat2(g: GuestFiles, path: string, flags: number, mode = 0, resolve = 0, size = 24, extra = 0): number {
    const how = new DataView(new ArrayBuffer(40));
    how.setUint32(0, flags, true);
    how.setUint32(8, mode, true);
    how.setUint32(16, resolve, true);
    how.setUint32(24, extra, true);
    g.kernel.put(g.task, BUFFER_ADDR, new Uint8Array(how.buffer));
    return g.call(SYS_openat2, g.open('/dir', O_PATH), path, BUFFER_ADDR, size);
  }

  it.each`
    what                      | args                                  | expected
    ${'a short structure'}    | ${['x', 0, 0, 0, 16]}                 | ${-EINVAL}
    ${'a long one'}           | ${['x', 0, 0, 0, 8192]}               | ${-E2BIG}
    ${'unknown fields set'}   | ${['x', 0, 0, 0, 32, 1]}              | ${-E2BIG}
    ${'unknown flags'}        | ${['x', 0x40000000]}                  | ${-EINVAL}
    ${'unknown resolve'}      | ${['x', 0, 0, 0x40]}                  | ${-EINVAL}
    ${'mode without O_CREAT'} | ${['x', 0, 0o644]}                    | ${-EINVAL}
    ${'a mode beyond 07777'}  | ${['x', O_CREAT, 0o10000]}            | ${-EINVAL}
    ${'both roots'}           | ${['x', 0, 0, 0x18]}                  | ${-EINVAL}
    ${'O_PATH and others'}    | ${['x', O_PATH | O_RDWR]}             | ${-EINVAL}
    ${'an escape'}            | ${['../file', 0, 0, RESOLVE_BENEATH]} | ${-EXDEV}
    ${'zero unknown fields'}  | ${['none', 0, 0, 0, 32, 0]}           | ${-ENOENT}
  `('$what: $expected', ({ args, expected }: { args: [string, number]; expected: number }) => {
    expect(openat2(guest(), ...args)).toBe(expected);
  });

  it('opens', () => {
    expect(openat2(guest(), '../file', O_RDONLY)).toBeGreaterThanOrEqual(0);
  });
});
