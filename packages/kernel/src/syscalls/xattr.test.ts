import {
  E2BIG,
  EBADF,
  EEXIST,
  EFAULT,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODATA,
  ENODEV,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  O_RDONLY,
  O_RDWR,
  RLIMIT_FSIZE,
  SEEK_DATA,
  SEEK_HOLE,
  SIGXFSZ,
  SYS_chown,
  SYS_fallocate,
  SYS_fsync,
  SYS_ftruncate,
  SYS_getxattr,
  SYS_listxattr,
  SYS_lseek,
  SYS_mknod,
  SYS_pwrite64,
  SYS_removexattr,
  SYS_setxattr,
  SYS_sync_file_range,
  SYS_truncate,
  XATTR_CREATE,
  XATTR_REPLACE,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  g.mkdir('/dir');
  g.create('/file', 'content');
  g.create('/mine');
  g.call(SYS_chown, '/mine', 1000, 1000);
  g.call(SYS_mknod, '/null', 0o020666, 0x103);
  return g;
}

describe('truncate(2) and fallocate(2)', () => {
  it('cuts and extends with zeros', () => {
    const g = guest();
    expect(g.call(SYS_truncate, '/file', 3)).toBe(0);
    expect(g.call(SYS_truncate, '/file', 5)).toBe(0);
    expect(g.read('/file')).toBe('con\0\0');
  });

  it.each`
    call            | run                                                                             | expected
    ${'truncate'}   | ${(g: GuestFiles) => g.call(SYS_truncate, '/file', -1)}                         | ${-EINVAL}
    ${'truncate'}   | ${(g: GuestFiles) => g.call(SYS_truncate, '/dir', 1)}                           | ${-EISDIR}
    ${'truncate'}   | ${(g: GuestFiles) => g.call(SYS_truncate, '/null', 1)}                          | ${-EINVAL}
    ${'ftruncate'}  | ${(g: GuestFiles) => g.call(SYS_ftruncate, g.open('/file', O_RDONLY), 1)}       | ${-EINVAL}
    ${'ftruncate'}  | ${(g: GuestFiles) => g.call(SYS_ftruncate, 99, 1)}                              | ${-EBADF}
    ${'fallocate'}  | ${(g: GuestFiles) => g.call(SYS_fallocate, g.open('/file', O_RDONLY), 0, 0, 1)} | ${-EBADF}
    ${'fallocate'}  | ${(g: GuestFiles) => g.call(SYS_fallocate, g.open('/file', O_RDWR), 0, 0, 0)}   | ${-EINVAL}
    ${'fallocate'}  | ${(g: GuestFiles) => g.call(SYS_fallocate, g.open('/file', O_RDWR), 0, -1, 1)}  | ${-EINVAL}
    ${'fallocate'}  | ${(g: GuestFiles) => g.call(SYS_fallocate, g.open('/file', O_RDWR), 2, 0, 1)}   | ${-EOPNOTSUPP}
    ${'fallocate'}  | ${(g: GuestFiles) => g.call(SYS_fallocate, g.open('/null', O_RDWR), 0, 0, 1)}   | ${-ENODEV}
    ${'fsync'}      | ${(g: GuestFiles) => g.call(SYS_fsync, g.open('/file', O_RDWR))}                | ${0}
    ${'fsync'}      | ${(g: GuestFiles) => g.call(SYS_fsync, g.open('/null', O_RDWR))}                | ${-EINVAL}
    ${'sync_range'} | ${(g: GuestFiles) => g.call(SYS_sync_file_range, g.open('/file'), 0, 0, 8)}     | ${-EINVAL}
  `('$call $#: $expected', ({ run, expected }: { run: (g: GuestFiles) => number; expected: number }) => {
    expect(run(guest())).toBe(expected);
  });

  it('stays below RLIMIT_FSIZE, with SIGXFSZ', () => {
    const g = guest();
    g.task.threadGroup.limits.set(RLIMIT_FSIZE, 100, 100);
    expect(g.call(SYS_truncate, '/file', 100)).toBe(0);
    g.task.signals.blocked.add(SIGXFSZ);
    expect(g.call(SYS_truncate, '/file', 101)).toBe(-EFBIG);
    expect(g.call(SYS_fallocate, g.open('/file', O_RDWR), 0, 50, 51)).toBe(-EFBIG);
    expect(g.call(SYS_ftruncate, g.open('/file', O_RDWR), 5)).toBe(0);
  });

  it('punches holes that seeks find', () => {
    const g = guest();
    const fd = g.open('/file', O_RDWR);
    expect(g.call(SYS_fallocate, fd, 0, 0, 4 * 4096)).toBe(0);
    expect(g.call(SYS_pwrite64, fd, 'end', 3, 3 * 4096)).toBe(3);
    expect(g.call(SYS_fallocate, fd, 3, 4096, 2 * 4096)).toBe(0);
    expect(
      [SEEK_HOLE, SEEK_DATA].map((whence) => g.call(SYS_lseek, fd, whence === SEEK_HOLE ? 0 : 5000, whence)),
    ).toEqual([4096, 3 * 4096]);
    expect(g.call(SYS_lseek, fd, 4 * 4096, SEEK_DATA)).toBe(-ENXIO);
    expect(g.call(SYS_lseek, fd, 3 * 4096, SEEK_HOLE)).toBe(4 * 4096);
  });
});

describe('xattr(7)', () => {
  function set(g: GuestFiles, path: string, name: string, value: string, flags = 0): number {
    g.kernel.put(g.task, BUFFER_ADDR, value);
    return g.call(SYS_setxattr, path, name, BUFFER_ADDR, value.length, flags);
  }

  it('sets, gets, lists and removes', () => {
    const g = guest();
    expect(set(g, '/file', 'user.a', 'value')).toBe(0);
    expect(g.call(SYS_getxattr, '/file', 'user.a', BUFFER_ADDR, 100)).toBe(5);
    expect(g.text(BUFFER_ADDR, 5)).toBe('value');
    expect(g.call(SYS_getxattr, '/file', 'user.a', 0, 0)).toBe(5);
    set(g, '/file', 'trusted.b', '');
    expect(g.call(SYS_listxattr, '/file', BUFFER_ADDR, 100)).toBe(17);
    expect(g.text(BUFFER_ADDR, 17)).toBe('user.a\0trusted.b\0');
    g.become(1000);
    expect(g.call(SYS_listxattr, '/file', BUFFER_ADDR, 100)).toBe(7);
    expect(g.call(SYS_getxattr, '/file', 'trusted.b', BUFFER_ADDR, 100)).toBe(-ENODATA);
  });

  it.each`
    what                      | run                                                                                                               | uid     | expected
    ${'a value not there'}    | ${(g: GuestFiles) => g.call(SYS_getxattr, '/file', 'user.x', BUFFER_ADDR, 9)}                                     | ${0}    | ${-ENODATA}
    ${'no room for it'}       | ${(g: GuestFiles) => set(g, '/file', 'user.a', 'xyz') || g.call(SYS_getxattr, '/file', 'user.a', BUFFER_ADDR, 2)} | ${0}    | ${-ERANGE}
    ${'an unknown space'}     | ${(g: GuestFiles) => set(g, '/file', 'other.a', 'x')}                                                             | ${0}    | ${-EOPNOTSUPP}
    ${'a name too long'}      | ${(g: GuestFiles) => set(g, '/file', 'user.' + 'x'.repeat(251), 'x')}                                             | ${0}    | ${-ERANGE}
    ${'no name'}              | ${(g: GuestFiles) => set(g, '/file', '', 'x')}                                                                    | ${0}    | ${-ERANGE}
    ${'bad flags'}            | ${(g: GuestFiles) => set(g, '/file', 'user.a', 'x', 4)}                                                           | ${0}    | ${-EINVAL}
    ${'a value too long'}     | ${(g: GuestFiles) => g.call(SYS_setxattr, '/file', 'user.a', BUFFER_ADDR, 65537, 0)}                              | ${0}    | ${-E2BIG}
    ${'a value in no memory'} | ${(g: GuestFiles) => g.call(SYS_setxattr, '/file', 'user.a', 8, 8, 0)}                                            | ${0}    | ${-EFAULT}
    ${'XATTR_REPLACE alone'}  | ${(g: GuestFiles) => set(g, '/file', 'user.a', 'x', XATTR_REPLACE)}                                               | ${0}    | ${-ENODATA}
    ${'XATTR_CREATE again'}   | ${(g: GuestFiles) => set(g, '/file', 'user.a', 'x') || set(g, '/file', 'user.a', 'x', XATTR_CREATE)}              | ${0}    | ${-EEXIST}
    ${'trusted, not root'}    | ${(g: GuestFiles) => set(g, '/mine', 'trusted.a', 'x')}                                                           | ${1000} | ${-EPERM}
    ${'user on a device'}     | ${(g: GuestFiles) => set(g, '/null', 'user.a', 'x')}                                                              | ${0}    | ${-EPERM}
    ${'removal of nothing'}   | ${(g: GuestFiles) => g.call(SYS_removexattr, '/file', 'user.a')}                                                  | ${0}    | ${-ENODATA}
    ${"a file of one's own"}  | ${(g: GuestFiles) => set(g, '/mine', 'user.a', 'x')}                                                              | ${1000} | ${0}
  `('$what: $expected', ({ run, uid, expected }: { run: (g: GuestFiles) => number; uid: number; expected: number }) => {
    const g = guest();
    if (uid !== 0) g.become(uid);
    expect(run(g)).toBe(expected);
  });
});
