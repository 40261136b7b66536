import {
  AT_FDCWD,
  AT_REMOVEDIR,
  EACCES,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EROFS,
  EXDEV,
  SYS_chmod,
  SYS_chown,
  SYS_link,
  SYS_linkat,
  SYS_mkdir,
  SYS_mkdirat,
  SYS_mknod,
  SYS_mount,
  SYS_readlink,
  SYS_readlinkat,
  SYS_rename,
  SYS_renameat2,
  SYS_rmdir,
  SYS_symlink,
  SYS_umask,
  SYS_unlink,
  SYS_unlinkat,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';
import { BAD_ADDR } from '../testing/test-kernel.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  for (const dir of ['/dir', '/dir/sub', '/empty', '/mnt', '/ro']) g.mkdir(dir);
  g.create('/file', 'content');
  g.create('/dir/inner', 'inner');
  g.call(SYS_symlink, 'file', '/link');
  g.mkdir('/sticky');
  g.call(SYS_chmod, '/sticky', 0o1777);
  g.create('/sticky/roots', '', 0o666);
  g.mkdir('/open');
  g.call(SYS_chmod, '/open', 0o777);
  g.create('/open/roots');
  g.kernel.put(g.task, BUFFER_ADDR, 'tmpfs');
  expect(g.call(SYS_mount, 'none', '/mnt', BUFFER_ADDR, 0, 0)).toBe(0);
  expect(g.call(SYS_mount, 'none', '/ro', BUFFER_ADDR, 1, 0)).toBe(0);
  return g;
}

interface Row {
  nr: number;
  args: (string | number)[];
  uid: number;
  expected: number;
}

const LONG = 'n'.repeat(256);

describe('errors of the calls that change directories', () => {
  it.each`
    call          | nr               | args                                          | uid     | expected
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/dir', 0o755]}                            | ${0}    | ${-EEXIST}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/', 0o755]}                               | ${0}    | ${-EEXIST}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/dir/..', 0o755]}                         | ${0}    | ${-EEXIST}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/none/x', 0o755]}                         | ${0}    | ${-ENOENT}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['', 0o755]}                                | ${0}    | ${-ENOENT}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/file/x', 0o755]}                         | ${0}    | ${-ENOTDIR}
    ${'mkdir'}    | ${SYS_mkdir}     | ${[LONG, 0o755]}                              | ${0}    | ${-ENAMETOOLONG}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/ro/x', 0o755]}                           | ${0}    | ${-EROFS}
    ${'mkdir'}    | ${SYS_mkdir}     | ${['/x', 0o755]}                              | ${1000} | ${-EACCES}
    ${'mkdir'}    | ${SYS_mkdir}     | ${[BAD_ADDR, 0o755]}                          | ${0}    | ${-EFAULT}
    ${'mkdirat'}  | ${SYS_mkdirat}   | ${[55, 'x', 0o755]}                           | ${0}    | ${-EBADF}
    ${'mknod'}    | ${SYS_mknod}     | ${['/file', 0o100644, 0]}                     | ${0}    | ${-EEXIST}
    ${'mknod'}    | ${SYS_mknod}     | ${['/x', 0o040644, 0]}                        | ${0}    | ${-EPERM}
    ${'mknod'}    | ${SYS_mknod}     | ${['/x', 0o120644, 0]}                        | ${0}    | ${-EINVAL}
    ${'mknod'}    | ${SYS_mknod}     | ${['/open/x', 0o020644, 0x103]}               | ${1000} | ${-EPERM}
    ${'mknod'}    | ${SYS_mknod}     | ${['/x/', 0o010644, 0]}                       | ${0}    | ${-ENOENT}
    ${'symlink'}  | ${SYS_symlink}   | ${['', '/x']}                                 | ${0}    | ${-ENOENT}
    ${'symlink'}  | ${SYS_symlink}   | ${['target', '/link']}                        | ${0}    | ${-EEXIST}
    ${'symlink'}  | ${SYS_symlink}   | ${['target', '/x/']}                          | ${0}    | ${-ENOENT}
    ${'link'}     | ${SYS_link}      | ${['/none', '/x']}                            | ${0}    | ${-ENOENT}
    ${'link'}     | ${SYS_link}      | ${['/file', '/dir']}                          | ${0}    | ${-EEXIST}
    ${'link'}     | ${SYS_link}      | ${['/dir', '/x']}                             | ${0}    | ${-EPERM}
    ${'link'}     | ${SYS_link}      | ${['/file', '/mnt/x']}                        | ${0}    | ${-EXDEV}
    ${'link'}     | ${SYS_link}      | ${['/file', '/x/']}                           | ${0}    | ${-ENOENT}
    ${'linkat'}   | ${SYS_linkat}    | ${[AT_FDCWD, '/file', AT_FDCWD, '/x', 0x100]} | ${0}    | ${-EINVAL}
    ${'unlink'}   | ${SYS_unlink}    | ${['/none']}                                  | ${0}    | ${-ENOENT}
    ${'unlink'}   | ${SYS_unlink}    | ${['/dir']}                                   | ${0}    | ${-EISDIR}
    ${'unlink'}   | ${SYS_unlink}    | ${['/']}                                      | ${0}    | ${-EISDIR}
    ${'unlink'}   | ${SYS_unlink}    | ${['/file/']}                                 | ${0}    | ${-ENOTDIR}
    ${'unlink'}   | ${SYS_unlink}    | ${['/file']}                                  | ${1000} | ${-EACCES}
    ${'unlink'}   | ${SYS_unlink}    | ${['/sticky/roots']}                          | ${1000} | ${-EPERM}
    ${'unlink'}   | ${SYS_unlink}    | ${['/open/roots']}                            | ${1000} | ${0}
    ${'unlinkat'} | ${SYS_unlinkat}  | ${[AT_FDCWD, '/file', 1]}                     | ${0}    | ${-EINVAL}
    ${'unlinkat'} | ${SYS_unlinkat}  | ${[AT_FDCWD, '/file', AT_REMOVEDIR]}          | ${0}    | ${-ENOTDIR}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/file']}                                  | ${0}    | ${-ENOTDIR}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/dir']}                                   | ${0}    | ${-ENOTEMPTY}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/empty/.']}                               | ${0}    | ${-EINVAL}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/dir/sub/..']}                            | ${0}    | ${-ENOTEMPTY}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/']}                                      | ${0}    | ${-EBUSY}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/mnt']}                                   | ${0}    | ${-EBUSY}
    ${'rmdir'}    | ${SYS_rmdir}     | ${['/none']}                                  | ${0}    | ${-ENOENT}
    ${'rename'}   | ${SYS_rename}    | ${['/none', '/x']}                            | ${0}    | ${-ENOENT}
    ${'rename'}   | ${SYS_rename}    | ${['/dir', '/dir/sub/x']}                     | ${0}    | ${-EINVAL}
    ${'rename'}   | ${SYS_rename}    | ${['/dir/sub', '/dir']}                       | ${0}    | ${-ENOTEMPTY}
    ${'rename'}   | ${SYS_rename}    | ${['/dir', '/file']}                          | ${0}    | ${-ENOTDIR}
    ${'rename'}   | ${SYS_rename}    | ${['/file', '/dir']}                          | ${0}    | ${-EISDIR}
    ${'rename'}   | ${SYS_rename}    | ${['/empty', '/dir']}                         | ${0}    | ${-ENOTEMPTY}
    ${'rename'}   | ${SYS_rename}    | ${['/file/', '/x']}                           | ${0}    | ${-ENOTDIR}
    ${'rename'}   | ${SYS_rename}    | ${['/file', '/x/']}                           | ${0}    | ${-ENOTDIR}
    ${'rename'}   | ${SYS_rename}    | ${['/dir/.', '/x']}                           | ${0}    | ${-EBUSY}
    ${'rename'}   | ${SYS_rename}    | ${['/mnt', '/x']}                             | ${0}    | ${-EBUSY}
    ${'rename'}   | ${SYS_rename}    | ${['/file', '/mnt/x']}                        | ${0}    | ${-EXDEV}
    ${'rename'}   | ${SYS_rename}    | ${['/ro/a', '/ro/b']}                         | ${0}    | ${-EROFS}
    ${'rename'}   | ${SYS_rename}    | ${['/sticky/roots', '/sticky/x']}             | ${1000} | ${-EPERM}
    ${'renameat'} | ${SYS_renameat2} | ${[AT_FDCWD, '/file', AT_FDCWD, '/link', 1]}  | ${0}    | ${-EEXIST}
    ${'renameat'} | ${SYS_renameat2} | ${[AT_FDCWD, '/file', AT_FDCWD, '/x', 2]}     | ${0}    | ${-ENOENT}
    ${'renameat'} | ${SYS_renameat2} | ${[AT_FDCWD, '/file', AT_FDCWD, '/link', 3]}  | ${0}    | ${-EINVAL}
    ${'renameat'} | ${SYS_renameat2} | ${[AT_FDCWD, '/file', AT_FDCWD, '/x', 8]}     | ${0}    | ${-EINVAL}
    ${'readlink'} | ${SYS_readlink}  | ${['/file', BUFFER_ADDR, 10]}                 | ${0}    | ${-EINVAL}
    ${'readlink'} | ${SYS_readlink}  | ${['/link', BUFFER_ADDR, 0]}                  | ${0}    | ${-EINVAL}
    ${'readlink'} | ${SYS_readlink}  | ${['/none', BUFFER_ADDR, 10]}                 | ${0}    | ${-ENOENT}
    ${'readlink'} | ${SYS_readlink}  | ${['', BUFFER_ADDR, 10]}                      | ${0}    | ${-ENOENT}
    ${'readlink'} | ${SYS_readlink}  | ${['/link', BAD_ADDR, 10]}                    | ${0}    | ${-EFAULT}
  `('$call $args by $uid: $expected', ({ nr, args, uid, expected }: Row) => {
    const g = guest();
    if (uid !== 0) g.become(uid);
    expect(g.call(nr, ...args)).toBe(expected);
  });
});

describe('the calls that change directories', () => {
  it('makes directories with the umask, and keeps the set-group-ID bit', () => {
    const g = guest();
    expect(g.call(SYS_umask, 0o077)).toBe(0o022);
    expect(g.call(SYS_umask, 0o027)).toBe(0o077);
    g.mkdir('/new/', 0o777);
    expect(modeOf(g, '/new')).toBe(0o040750);
    g.call(SYS_chown, '/new', 0, 55);
    g.call(SYS_chmod, '/new', 0o2775);
    g.mkdir('/new/sub', 0o700);
    expect(modeOf(g, '/new/sub')).toBe(0o042700);
  });

  it('links and unlinks', () => {
    const g = guest();
    expect(g.call(SYS_link, '/file', '/dir/again')).toBe(0);
    expect(g.call(SYS_unlink, '/file')).toBe(0);
    expect(g.read('/dir/again')).toBe('content');
    expect(g.call(SYS_unlink, '/file')).toBe(-ENOENT);
  });

  it('does not follow a link to its file unless told', () => {
    const g = guest();
    expect(g.call(SYS_linkat, AT_FDCWD, '/link', AT_FDCWD, '/link2', 0)).toBe(0);
    expect(g.call(SYS_readlink, '/link2', BUFFER_ADDR, 100)).toBe(4);
    expect(g.text(BUFFER_ADDR, 4)).toBe('file');
    expect(g.call(SYS_linkat, AT_FDCWD, '/link', AT_FDCWD, '/file2', 0x400)).toBe(0);
    expect(g.call(SYS_readlink, '/file2', BUFFER_ADDR, 100)).toBe(-EINVAL);
  });

  it('cuts readlink(2) at the size of the buffer', () => {
    const g = guest();
    expect(g.call(SYS_readlink, '/link', BUFFER_ADDR, 2)).toBe(2);
    expect(g.call(SYS_readlinkat, AT_FDCWD, '/link', BUFFER_ADDR, 100)).toBe(4);
  });

  it('renames over files and empty directories', () => {
    const g = guest();
    expect(g.call(SYS_rename, '/dir/inner', '/file')).toBe(0);
    expect(g.read('/file')).toBe('inner');
    expect(g.call(SYS_rename, '/dir', '/empty')).toBe(0);
    expect(g.call(SYS_rename, '/empty/sub', '/empty/sub')).toBe(0);
    expect(g.call(SYS_rmdir, '/empty/sub/')).toBe(0);
  });

  it('does nothing for two names of one file', () => {
    const g = guest();
    g.call(SYS_link, '/file', '/same');
    expect(g.call(SYS_rename, '/file', '/same')).toBe(0);
    expect([g.read('/file'), g.read('/same')]).toEqual(['content', 'content']);
  });

  it('exchanges, and leaves a whiteout when asked', () => {
    const g = guest();
    expect(g.call(SYS_renameat2, AT_FDCWD, '/file', AT_FDCWD, '/dir/sub', 2)).toBe(0);
    expect(g.read('/dir/sub')).toBe('content');
    expect(g.call(SYS_rmdir, '/file')).toBe(0);
    expect(g.call(SYS_renameat2, AT_FDCWD, '/dir/sub', AT_FDCWD, '/moved', 4)).toBe(0);
    expect(modeOf(g, '/dir/sub')).toBe(0o020000);
  });

  it('refuses names in a directory that was removed', () => {
    const g = guest();
    const fd = g.open('/empty');
    g.call(SYS_rmdir, '/empty');
    expect(g.call(SYS_mkdirat, fd, 'x', 0o755)).toBe(-ENOENT);
  });
});

function modeOf(g: GuestFiles, path: string): number {
  const found = g.kernel.kernel.vfs.resolve(g.task, g.task.cwd, path, 0);
  if (typeof found === 'number') return found;
  const { mode } = found.inode;
  found.decRef();
  return mode;
}
