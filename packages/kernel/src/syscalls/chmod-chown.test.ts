import {
  AT_EACCESS,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  EACCES,
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  O_PATH,
  R_OK,
  SYS_access,
  SYS_chmod,
  SYS_chown,
  SYS_faccessat2,
  SYS_fchmod,
  SYS_fchmodat2,
  SYS_fchown,
  SYS_lchown,
  SYS_mount,
  SYS_symlink,
  SYS_utimensat,
  SYS_utimes,
  UTIME_NOW,
  UTIME_OMIT,
  W_OK,
  X_OK,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';
import { BAD_ADDR } from '../testing/test-kernel.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  g.create('/file', 'content');
  g.create('/mine');
  g.call(SYS_chown, '/mine', 1000, 1000);
  g.create('/program', '', 0o755);
  g.create('/all', '', 0o666);
  g.call(SYS_chmod, '/all', 0o666);
  g.call(SYS_symlink, 'file', '/link');
  g.mkdir('/ro');
  g.kernel.put(g.task, BUFFER_ADDR, 'tmpfs');
  g.call(SYS_mount, 'none', '/ro', BUFFER_ADDR, 1, 0);
  return g;
}

function inodeOf(
  g: GuestFiles,
  path: string,
): { mode: number; uid: number; gid: number; atime: number; mtime: number } {
  const found = g.kernel.kernel.vfs.resolve(g.task, g.task.cwd, path, 0);
  if (typeof found === 'number') throw new Error(`${path}: errno ${-found}`);
  const { mode, uid, gid, atime, mtime } = found.inode;
  found.decRef();
  return { mode, uid, gid, atime: atime.sec, mtime: mtime.sec };
}

describe('chmod(2), chown(2), access(2) and utimensat(2): results', () => {
  it.each`
    call            | nr                | args                                               | uid     | expected
    ${'chmod'}      | ${SYS_chmod}      | ${['/file', 0o600]}                                | ${0}    | ${0}
    ${'chmod'}      | ${SYS_chmod}      | ${['/file', 0o600]}                                | ${1000} | ${-EPERM}
    ${'chmod'}      | ${SYS_chmod}      | ${['/mine', 0o600]}                                | ${1000} | ${0}
    ${'chmod'}      | ${SYS_chmod}      | ${['/none', 0o600]}                                | ${0}    | ${-ENOENT}
    ${'chmod'}      | ${SYS_chmod}      | ${['/ro', 0o600]}                                  | ${0}    | ${-EROFS}
    ${'chmod'}      | ${SYS_chmod}      | ${[BAD_ADDR, 0o600]}                               | ${0}    | ${-EFAULT}
    ${'fchmod'}     | ${SYS_fchmod}     | ${[99, 0o600]}                                     | ${0}    | ${-EBADF}
    ${'fchmodat2'}  | ${SYS_fchmodat2}  | ${[AT_FDCWD, '/link', 0o600, AT_SYMLINK_NOFOLLOW]} | ${0}    | ${-EOPNOTSUPP}
    ${'fchmodat2'}  | ${SYS_fchmodat2}  | ${[AT_FDCWD, '/link', 0o600, 1]}                   | ${0}    | ${-EINVAL}
    ${'chown'}      | ${SYS_chown}      | ${['/file', 1000, 1000]}                           | ${1000} | ${-EPERM}
    ${'chown'}      | ${SYS_chown}      | ${['/mine', 0, -1]}                                | ${1000} | ${-EPERM}
    ${'chown'}      | ${SYS_chown}      | ${['/mine', -1, 5]}                                | ${1000} | ${-EPERM}
    ${'chown'}      | ${SYS_chown}      | ${['/mine', 1000, 1000]}                           | ${1000} | ${0}
    ${'chown'}      | ${SYS_chown}      | ${['/ro', 1, 1]}                                   | ${0}    | ${-EROFS}
    ${'fchown'}     | ${SYS_fchown}     | ${[99, 1, 1]}                                      | ${0}    | ${-EBADF}
    ${'access'}     | ${SYS_access}     | ${['/file', 8]}                                    | ${0}    | ${-EINVAL}
    ${'access'}     | ${SYS_access}     | ${['/none', 0]}                                    | ${0}    | ${-ENOENT}
    ${'access'}     | ${SYS_access}     | ${['/file', R_OK]}                                 | ${1000} | ${0}
    ${'access'}     | ${SYS_access}     | ${['/file', W_OK]}                                 | ${1000} | ${-EACCES}
    ${'access'}     | ${SYS_access}     | ${['/file', X_OK]}                                 | ${0}    | ${-EACCES}
    ${'access'}     | ${SYS_access}     | ${['/program', X_OK]}                              | ${1000} | ${0}
    ${'access'}     | ${SYS_access}     | ${['/ro', W_OK]}                                   | ${0}    | ${-EROFS}
    ${'faccessat2'} | ${SYS_faccessat2} | ${[AT_FDCWD, '/file', 0, AT_EACCESS]}              | ${0}    | ${0}
    ${'faccessat2'} | ${SYS_faccessat2} | ${[AT_FDCWD, '/file', 0, 1]}                       | ${0}    | ${-EINVAL}
    ${'faccessat2'} | ${SYS_faccessat2} | ${[99, 'file', 0, 0]}                              | ${0}    | ${-EBADF}
    ${'utimes'}     | ${SYS_utimes}     | ${['/file', 0]}                                    | ${1000} | ${-EACCES}
    ${'utimes'}     | ${SYS_utimes}     | ${['/all', 0]}                                     | ${1000} | ${0}
    ${'utimes'}     | ${SYS_utimes}     | ${['/all', BAD_ADDR]}                              | ${0}    | ${-EFAULT}
    ${'utimensat'}  | ${SYS_utimensat}  | ${[AT_FDCWD, '/file', 0, 1]}                       | ${0}    | ${-EINVAL}
    ${'utimensat'}  | ${SYS_utimensat}  | ${[99, 0, 0, 0]}                                   | ${0}    | ${-EBADF}
    ${'utimensat'}  | ${SYS_utimensat}  | ${[AT_FDCWD, 0, 0, 0]}                             | ${0}    | ${-EFAULT}
  `(
    '$call $args by $uid: $expected',
    ({ nr, args, uid, expected }: { nr: number; args: []; uid: number; expected: number }) => {
      const g = guest();
      if (uid !== 0) g.become(uid);
      expect(g.call(nr, ...args)).toBe(expected);
    },
  );

  it('refuses what needs a real descriptor through O_PATH', () => {
    const g = guest();
    const fd = g.open('/file', O_PATH);
    expect([g.call(SYS_fchmod, fd, 0o600), g.call(SYS_fchown, fd, 1, 1)]).toEqual([-EBADF, -EBADF]);
  });
});

describe('what they change', () => {
  it('a change of owner takes the set-ID bits away', () => {
    const g = guest();
    g.call(SYS_chmod, '/program', 0o6755);
    g.call(SYS_chown, '/program', 5, 6);
    expect(inodeOf(g, '/program')).toMatchObject({ mode: 0o100755, uid: 5, gid: 6 });
  });

  it('lchown changes the link itself', () => {
    const g = guest();
    g.call(SYS_lchown, '/link', 7, 8);
    expect([inodeOf(g, '/link').uid, inodeOf(g, '/file').uid]).toEqual([7, 0]);
  });

  it('a member of another group loses the set-group-ID bit', () => {
    const g = guest();
    g.call(SYS_chown, '/mine', 1000, 77);
    g.become(1000);
    g.call(SYS_chmod, '/mine', 0o2755);
    expect(inodeOf(g, '/mine').mode).toBe(0o100755);
  });

  it('sets times, and leaves those that are omitted', () => {
    const g = guest();
    const times = new DataView(new ArrayBuffer(32));
    times.setUint32(0, 1234, true);
    times.setUint32(24, UTIME_OMIT, true);
    const before = inodeOf(g, '/file').mtime;
    g.kernel.put(g.task, BUFFER_ADDR, new Uint8Array(times.buffer));
    expect(g.call(SYS_utimensat, AT_FDCWD, '/file', BUFFER_ADDR, 0)).toBe(0);
    expect(inodeOf(g, '/file')).toMatchObject({ atime: 1234, mtime: before });
    times.setUint32(8, UTIME_NOW, true);
    g.kernel.put(g.task, BUFFER_ADDR, new Uint8Array(times.buffer));
    g.kernel.clock.advance(60_000);
    g.call(SYS_utimensat, AT_FDCWD, '/file', BUFFER_ADDR, 0);
    expect(inodeOf(g, '/file').atime).toBe(1_700_001_060);
  });

  it('rejects nanoseconds that are none', () => {
    const g = guest();
    const times = new DataView(new ArrayBuffer(32));
    times.setUint32(8, 1_000_000_000, true);
    g.kernel.put(g.task, BUFFER_ADDR, new Uint8Array(times.buffer));
    expect(g.call(SYS_utimensat, AT_FDCWD, '/file', BUFFER_ADDR, 0)).toBe(-EINVAL);
  });
});
