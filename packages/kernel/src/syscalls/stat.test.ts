import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOTDIR,
  STATX_BASIC_STATS,
  SYS_fstat,
  SYS_fstatfs,
  SYS_getdents,
  SYS_getdents64,
  SYS_lseek,
  SYS_lstat,
  SYS_newfstatat,
  SYS_pipe,
  SYS_stat,
  SYS_statfs,
  SYS_statx,
  SYS_symlink,
  SYS_unlink,
  TMPFS_MAGIC,
} from '@tsv/abi';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';
import { BAD_ADDR } from '../testing/test-kernel.js';

function guest(): GuestFiles {
  const g = new GuestFiles();
  g.mkdir('/dir');
  g.create('/file', 'content', 0o640);
  g.call(SYS_symlink, 'file', '/link');
  return g;
}

const STX = STATX_BASIC_STATS;

describe('stat(2) and its kin', () => {
  it.each`
    call            | nr                | args                                               | expected
    ${'stat'}       | ${SYS_stat}       | ${['/none', BUFFER_ADDR]}                          | ${-ENOENT}
    ${'stat'}       | ${SYS_stat}       | ${['', BUFFER_ADDR]}                               | ${-ENOENT}
    ${'stat'}       | ${SYS_stat}       | ${['/file/x', BUFFER_ADDR]}                        | ${-ENOTDIR}
    ${'stat'}       | ${SYS_stat}       | ${['/file', BAD_ADDR]}                             | ${-EFAULT}
    ${'fstat'}      | ${SYS_fstat}      | ${[9, BUFFER_ADDR]}                                | ${-EBADF}
    ${'newfstatat'} | ${SYS_newfstatat} | ${[AT_FDCWD, '/file', BUFFER_ADDR, 0x8000]}        | ${-EINVAL}
    ${'newfstatat'} | ${SYS_newfstatat} | ${[9, 'file', BUFFER_ADDR, 0]}                     | ${-EBADF}
    ${'newfstatat'} | ${SYS_newfstatat} | ${[9, '', BUFFER_ADDR, AT_EMPTY_PATH]}             | ${-EBADF}
    ${'statx'}      | ${SYS_statx}      | ${[AT_FDCWD, '/file', 0, 0x80000000, BUFFER_ADDR]} | ${-EINVAL}
    ${'statx'}      | ${SYS_statx}      | ${[AT_FDCWD, '/file', 0x6000, STX, BUFFER_ADDR]}   | ${-EINVAL}
    ${'statx'}      | ${SYS_statx}      | ${[AT_FDCWD, '/file', 1, STX, BUFFER_ADDR]}        | ${-EINVAL}
    ${'statfs'}     | ${SYS_statfs}     | ${['/none', BUFFER_ADDR]}                          | ${-ENOENT}
    ${'fstatfs'}    | ${SYS_fstatfs}    | ${[9, BUFFER_ADDR]}                                | ${-EBADF}
    ${'getdents64'} | ${SYS_getdents64} | ${[9, BUFFER_ADDR, 100]}                           | ${-EBADF}
  `('$call $args: $expected', ({ nr, args, expected }: { nr: number; args: number[]; expected: number }) => {
    expect(guest().call(nr, ...args)).toBe(expected);
  });

  it('tells size, mode, links and times', () => {
    const g = guest();
    expect(g.call(SYS_stat, '/file', BUFFER_ADDR)).toBe(0);
    const st = g.buffer(144);
    expect([st.getUint32(24, true), st.getUint32(16, true), st.getUint32(48, true), st.getUint32(64, true)]).toEqual([
      0o100640, 1, 7, 8,
    ]);
    expect(st.getUint32(88, true)).toBe(1_700_001_000);
  });

  it('tells a link from its target', () => {
    const g = guest();
    g.call(SYS_lstat, '/link', BUFFER_ADDR);
    expect(g.buffer(144).getUint32(24, true)).toBe(0o120777);
    g.call(SYS_newfstatat, AT_FDCWD, '/link', BUFFER_ADDR, AT_SYMLINK_NOFOLLOW);
    expect(g.buffer(144).getUint32(24, true)).toBe(0o120777);
    g.call(SYS_stat, '/link', BUFFER_ADDR);
    expect(g.buffer(144).getUint32(24, true)).toBe(0o100640);
  });

  it('tells of a descriptor by an empty path, a pipe too', () => {
    const g = guest();
    g.call(SYS_pipe, BUFFER_ADDR);
    const fd = g.buffer(4).getInt32(0, true);
    expect(g.call(SYS_newfstatat, fd, '', BUFFER_ADDR, AT_EMPTY_PATH)).toBe(0);
    expect(g.buffer(144).getUint32(24, true) & 0o170000).toBe(0o010000);
    expect(g.call(SYS_newfstatat, AT_FDCWD, '', BUFFER_ADDR, AT_EMPTY_PATH)).toBe(0);
    expect(g.buffer(144).getUint32(24, true) & 0o170000).toBe(0o040000);
  });

  it('fills statx', () => {
    const g = guest();
    expect(g.call(SYS_statx, AT_FDCWD, '/file', 0, STX, BUFFER_ADDR)).toBe(0);
    const stx = g.buffer(256);
    expect([stx.getUint16(0x1c, true), stx.getUint32(0x28, true), stx.getUint32(0x50, true)]).toEqual([
      0o100640, 7, 1_700_001_000,
    ]);
    expect(stx.getUint32(0x8c, true)).toBeGreaterThan(0);
    expect(g.call(SYS_statx, AT_FDCWD, '/', 0, STX, BUFFER_ADDR)).toBe(0);
    expect(g.buffer(256).getUint32(0x08, true)).toBe(0x2000);
  });

  it('tells of the filesystem', () => {
    const g = guest();
    expect(g.call(SYS_statfs, '/file', BUFFER_ADDR)).toBe(0);
    const st = g.buffer(120);
    expect([st.getUint32(0, true), st.getUint32(8, true), st.getUint32(64, true)]).toEqual([TMPFS_MAGIC, 4096, 255]);
    expect(g.call(SYS_fstatfs, g.open('/dir'), BUFFER_ADDR)).toBe(0);
  });
});

describe('getdents64(2)', () => {
  function names(g: GuestFiles, fd: number, count: number): string[] {
    const found: string[] = [];
    for (;;) {
      const n = g.call(SYS_getdents64, fd, BUFFER_ADDR, count);
      if (n < 0) throw new Error(`getdents64: ${n}`);
      if (n === 0) return found;
      const view = g.buffer(n);
      for (let at = 0; at < n; at += view.getUint16(at + 16, true)) {
        const text = g.text(BUFFER_ADDR + at + 19, view.getUint16(at + 16, true) - 19);
        found.push(text.slice(0, text.indexOf('\0')));
      }
    }
  }

  it('gives each name once, however small the buffer', () => {
    const g = guest();
    for (let i = 0; i < 20; i++) g.create(`/dir/name${i}`);
    const expected = ['.', '..', ...Array.from({ length: 20 }, (_, i) => `name${i}`)];
    expect(names(g, g.open('/dir'), 32)).toEqual(expected);
    expect(names(g, g.open('/dir'), 4096)).toEqual(expected);
  });

  it('skips nothing when names are removed meanwhile', () => {
    const g = guest();
    for (let i = 0; i < 6; i++) g.create(`/dir/${i}`);
    const fd = g.open('/dir');
    g.call(SYS_getdents64, fd, BUFFER_ADDR, 24 * 4);
    for (const gone of ['0', '1', '3']) g.call(SYS_unlink, `/dir/${gone}`);
    expect(names(g, fd, 4096)).toEqual(['2', '4', '5']);
    g.call(SYS_lseek, fd, 0, 0);
    expect(names(g, fd, 4096)).toEqual(['.', '..', '2', '4', '5']);
  });

  it.each`
    what                      | path       | count | addr           | expected
    ${'a buffer for no name'} | ${'/dir'}  | ${16} | ${BUFFER_ADDR} | ${-EINVAL}
    ${'a file'}               | ${'/file'} | ${99} | ${BUFFER_ADDR} | ${-ENOTDIR}
    ${'a bad address'}        | ${'/dir'}  | ${99} | ${BAD_ADDR}    | ${-EFAULT}
  `('$what: $expected', (row: { path: string; count: number; addr: number; expected: number }) => {
    const g = guest();
    expect(g.call(SYS_getdents64, g.open(row.path), row.addr, row.count)).toBe(row.expected);
  });

  it('getdents(2) has the type in the last byte', () => {
    const g = guest();
    const n = g.call(SYS_getdents, g.open('/dir'), BUFFER_ADDR, 4096);
    const view = g.buffer(n);
    expect([view.getUint16(16, true), view.getUint8(view.getUint16(16, true) - 1)]).toEqual([24, 4]);
  });
});
