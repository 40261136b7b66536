import {
  EBUSY,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOTDIR,
  EPERM,
  EROFS,
  MNT_DETACH,
  MNT_EXPIRE,
  EAGAIN,
  MS_BIND,
  MS_MOVE,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  O_CREAT,
  O_RDWR,
  SYS_chdir,
  SYS_chroot,
  SYS_fchdir,
  SYS_getcwd,
  SYS_mkdir,
  SYS_mount,
  SYS_open,
  SYS_pivot_root,
  SYS_rmdir,
  SYS_umount2,
  SYS_unshare,
  EACCES,
  ERANGE,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  for (const dir of ['/a', '/a/in', '/b', '/c', '/new']) g.mkdir(dir);
  g.create('/file', 'content');
  return g;
}

function mount(g: GuestFiles, source: string, target: string, flags: number, type = 'tmpfs'): number {
  g.kernel.put(g.task, BUFFER_ADDR, type);
  return g.call(SYS_mount, source, target, BUFFER_ADDR, flags, 0);
}

function cwd(g: GuestFiles): string {
  const n = g.call(SYS_getcwd, BUFFER_ADDR, 4096);
  return n < 0 ? `errno ${-n}` : g.text(BUFFER_ADDR, n - 1);
}

describe('mount(2) and umount2(2)', () => {
  it('hides what is below, and shows it again', () => {
    const g = guest();
    expect(mount(g, 'none', '/a', 0)).toBe(0);
    expect(g.call(SYS_open, '/a/in', 0)).toBe(-ENOENT);
    expect(g.call(SYS_umount2, '/a', 0)).toBe(0);
    expect(g.call(SYS_open, '/a/in', 0)).toBeGreaterThanOrEqual(0);
  });

  it.each`
    what                       | run                                                               | expected
    ${'an unknown type'}       | ${(g: GuestFiles) => mount(g, 'none', '/a', 0, 'nofs')}           | ${-ENODEV}
    ${'no place'}              | ${(g: GuestFiles) => mount(g, 'none', '/none', 0)}                | ${-ENOENT}
    ${'a file as the place'}   | ${(g: GuestFiles) => mount(g, 'none', '/file', 0)}                | ${-ENOTDIR}
    ${'not root'}              | ${(g: GuestFiles) => (g.become(1000), mount(g, 'none', '/a', 0))} | ${-EPERM}
    ${'a bind of nothing'}     | ${(g: GuestFiles) => mount(g, '/none', '/a', MS_BIND)}            | ${-ENOENT}
    ${'a file on a directory'} | ${(g: GuestFiles) => mount(g, '/file', '/a', MS_BIND)}            | ${-ENOTDIR}
    ${'a remount of no mount'} | ${(g: GuestFiles) => mount(g, 'none', '/a', MS_REMOUNT)}          | ${-EINVAL}
    ${'two propagations'}      | ${(g: GuestFiles) => mount(g, 'none', '/', MS_SHARED | MS_SLAVE)} | ${-EINVAL}
    ${'umount of no mount'}    | ${(g: GuestFiles) => g.call(SYS_umount2, '/a', 0)}                | ${-EINVAL}
    ${'bad umount flags'}      | ${(g: GuestFiles) => g.call(SYS_umount2, '/a', 16)}               | ${-EINVAL}
    ${'umount of the root'}    | ${(g: GuestFiles) => g.call(SYS_umount2, '/', 0)}                 | ${-EBUSY}
    ${'moving no mount'}       | ${(g: GuestFiles) => mount(g, '/a', '/b', MS_MOVE)}               | ${-EINVAL}
  `('$what: $expected', ({ run, expected }: { run: (g: GuestFiles) => number; expected: number }) => {
    expect(run(guest())).toBe(expected);
  });

  it('binds, read-only if remounted so', () => {
    const g = guest();
    expect(mount(g, '/a', '/b', MS_BIND)).toBe(0);
    g.create('/b/made', 'x');
    expect(g.read('/a/made')).toBe('x');
    expect(mount(g, 'none', '/b', MS_REMOUNT | MS_BIND | MS_RDONLY)).toBe(0);
    expect(g.call(SYS_open, '/b/more', O_CREAT | O_RDWR, 0o644)).toBe(-EROFS);
    expect(g.call(SYS_open, '/a/more', O_CREAT | O_RDWR, 0o644)).toBeGreaterThanOrEqual(0);
  });

  it('binds files', () => {
    const g = guest();
    g.create('/other', 'other');
    expect(mount(g, '/file', '/other', MS_BIND)).toBe(0);
    expect(g.read('/other')).toBe('content');
  });

  it('binds recursively only if told', () => {
    const g = guest();
    mount(g, 'none', '/a/in', 0);
    g.create('/a/in/deep');
    mount(g, '/a', '/b', MS_BIND);
    expect(g.call(SYS_open, '/b/in/deep', 0)).toBe(-ENOENT);
    mount(g, '/a', '/c', MS_BIND | MS_REC);
    expect(g.call(SYS_open, '/c/in/deep', 0)).toBeGreaterThanOrEqual(0);
  });

  it('does not unmount what is in use, unless lazily', () => {
    const g = guest();
    mount(g, 'none', '/a', 0);
    g.create('/a/x', 'still here');
    const fd = g.open('/a/x');
    expect(g.call(SYS_umount2, '/a', 0)).toBe(-EBUSY);
    expect(g.call(SYS_umount2, '/a', MNT_DETACH)).toBe(0);
    expect(g.call(0, fd, BUFFER_ADDR, 20)).toBe(10);
    expect(g.call(SYS_open, '/a/x', 0)).toBe(-ENOENT);
  });

  it('expires at the second call', () => {
    const g = guest();
    mount(g, 'none', '/a', 0);
    expect(g.call(SYS_umount2, '/a', MNT_EXPIRE)).toBe(-EAGAIN);
    expect(g.call(SYS_umount2, '/a', MNT_EXPIRE)).toBe(0);
  });

  it('moves', () => {
    const g = guest();
    mount(g, 'none', '/a', 0);
    g.create('/a/x');
    expect(mount(g, '/a', '/b', MS_MOVE)).toBe(0);
    expect([g.call(SYS_open, '/b/x', 0) >= 0, g.call(SYS_open, '/a/in', 0) >= 0]).toEqual([true, true]);
  });

  it('does not bind what is unbindable', () => {
    const g = guest();
    mount(g, 'none', '/a', 0);
    expect(mount(g, 'none', '/a', MS_UNBINDABLE)).toBe(0);
    expect(mount(g, '/a', '/b', MS_BIND)).toBe(-EINVAL);
    expect(mount(g, 'none', '/a', MS_PRIVATE)).toBe(0);
    expect(mount(g, '/a', '/b', MS_BIND)).toBe(0);
  });
});

describe('mount namespaces, mount_namespaces(7)', () => {
  it('sees later mounts in a copy only if they are shared', () => {
    const g = guest();
    mount(g, 'none', '/a', 0);
    mount(g, 'none', '/b', 0);
    mount(g, 'none', '/a', MS_SHARED);
    g.mkdir('/a/sub');
    g.mkdir('/b/sub');
    const first = g.task;
    const second = g.kernel.spawn();
    g.task = second;
    expect(g.call(SYS_unshare, 0x20000)).toBe(0);
    g.task = first;
    mount(g, 'none', '/a/sub', 0);
    mount(g, 'none', '/b/sub', 0);
    g.create('/a/sub/seen');
    g.create('/b/sub/hidden');
    g.task = second;
    expect(g.call(SYS_open, '/a/sub/seen', 0)).toBeGreaterThanOrEqual(0);
    expect(g.call(SYS_open, '/b/sub/hidden', 0)).toBe(-ENOENT);
    expect(mount(g, 'none', '/a', MS_SLAVE)).toBe(0);
    expect(g.call(SYS_umount2, '/a/sub', MNT_DETACH)).toBe(0);
    expect(g.call(SYS_open, '/a/sub/seen', 0)).toBe(-ENOENT);
    g.task = first;
    expect(g.call(SYS_open, '/a/sub/seen', 0)).toBeGreaterThanOrEqual(0);
  });

  it('does not let a user namespace change or reveal what it was given', () => {
    const g = guest();
    mount(g, 'none', '/a', MS_RDONLY);
    g.become(1000);
    expect(g.call(SYS_unshare, 0x1000_0000)).toBe(0);
    expect(mount(g, 'none', '/b', 0)).toBe(-EPERM);
    expect(g.call(SYS_unshare, 0x20000)).toBe(0);
    expect(mount(g, 'none', '/b', 0)).toBe(0);
    expect(g.call(SYS_umount2, '/a', 0)).toBe(-EINVAL);
    expect(mount(g, 'none', '/a', MS_REMOUNT | MS_BIND)).toBe(-EPERM);
    expect(mount(g, 'none', '/a', MS_REMOUNT | MS_RDONLY)).toBe(-EPERM);
    expect(mount(g, '/', '/c', MS_BIND)).toBe(-EINVAL);
    expect(mount(g, '/', '/c', MS_BIND | MS_REC)).toBe(0);
    expect(g.call(SYS_open, '/file', O_RDWR)).toBe(-EACCES);
    expect(g.call(SYS_umount2, '/b', 0)).toBe(0);
  });

  it('lets a name go that is a mount point elsewhere only', () => {
    const g = guest();
    const first = g.task;
    g.task = g.kernel.spawn();
    g.call(SYS_unshare, 0x20000);
    mount(g, 'none', '/b', 0);
    expect(g.call(SYS_rmdir, '/b')).toBe(-EBUSY);
    g.task = first;
    expect(g.call(SYS_rmdir, '/b')).toBe(0);
  });
});

describe('chdir(2), chroot(2), pivot_root(2), getcwd(2)', () => {
  it.each`
    what                   | run                                                              | expected
    ${'chdir to a file'}   | ${(g: GuestFiles) => g.call(SYS_chdir, '/file')}                 | ${-ENOTDIR}
    ${'chdir to nothing'}  | ${(g: GuestFiles) => g.call(SYS_chdir, '/none')}                 | ${-ENOENT}
    ${'fchdir to a file'}  | ${(g: GuestFiles) => g.call(SYS_fchdir, g.open('/file'))}        | ${-ENOTDIR}
    ${'chroot, not root'}  | ${(g: GuestFiles) => (g.become(1000), g.call(SYS_chroot, '/a'))} | ${-EPERM}
    ${'getcwd, no room'}   | ${(g: GuestFiles) => g.call(SYS_getcwd, BUFFER_ADDR, 1)}         | ${-ERANGE}
    ${'pivot to no mount'} | ${(g: GuestFiles) => g.call(SYS_pivot_root, '/a', '/a/in')}      | ${-EBUSY}
  `('$what: $expected', ({ run, expected }: { run: (g: GuestFiles) => number; expected: number }) => {
    expect(run(guest())).toBe(expected);
  });

  it('knows where it is', () => {
    const g = guest();
    g.call(SYS_chdir, '/a/in/..');
    expect(cwd(g)).toBe('/a');
    expect(g.call(SYS_fchdir, g.open('/b'))).toBe(0);
    expect(cwd(g)).toBe('/b');
    g.call(SYS_rmdir, '/b');
    expect(cwd(g)).toBe(`errno ${ENOENT}`);
  });

  it('needs search permission', () => {
    const g = guest();
    g.call(SYS_mkdir, '/closed', 0o700);
    g.become(1000);
    expect(g.call(SYS_chdir, '/closed')).toBe(-EACCES);
  });

  it('leaves a working directory outside of a new root unreachable', () => {
    const g = guest();
    g.call(SYS_chroot, '/a');
    expect(cwd(g)).toBe('(unreachable)/');
    g.call(SYS_chdir, '/in');
    expect(cwd(g)).toBe('/in');
  });

  it('pivots, and the old root can go', () => {
    const g = guest();
    mount(g, 'none', '/new', 0);
    g.mkdir('/new/old');
    g.create('/new/inside');
    expect(g.call(SYS_pivot_root, '/new', '/new/old')).toBe(0);
    expect([cwd(g), g.read('/old/file')]).toEqual(['/', 'content']);
    expect(g.call(SYS_umount2, '/old', MNT_DETACH)).toBe(0);
    expect(g.call(SYS_open, '/inside', 0)).toBeGreaterThanOrEqual(0);
  });

  it('pivots onto itself, as runtimes do', () => {
    const g = guest();
    mount(g, 'none', '/new', 0);
    g.call(SYS_chdir, '/new');
    expect(g.call(SYS_pivot_root, '.', '.')).toBe(0);
    expect(g.call(SYS_umount2, '.', MNT_DETACH)).toBe(0);
    g.call(SYS_chdir, '/');
    expect(g.call(SYS_open, '/file', 0)).toBe(-ENOENT);
  });
});
