import {
  AT_EMPTY_PATH,
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  R_OK,
  STATX_BASIC_STATS,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  UTIME_OMIT,
} from '@tsv/abi';
import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  faccessat,
  fchmod,
  fchmodat,
  fchownat,
  getdents64,
  linkat,
  mkdirat,
  mknodat,
  readlinkat,
  renameat2,
  symlinkat,
  unlinkat,
  utimensat,
} from './directory.js';
import { close, openat2 } from './open-file.js';
import {
  STATFS_BSIZE,
  STATFS_COUNT,
  STATFS_NAMELEN,
  STAT_ATIME_SEC,
  STAT_COUNT,
  STAT_DEV_MAJOR,
  STAT_DEV_MINOR,
  STAT_INO,
  STAT_MODE,
  STAT_MTIME_NSEC,
  STAT_MTIME_SEC,
  STAT_NLINK,
  STAT_RDEV_MAJOR,
  STAT_RDEV_MINOR,
  STAT_SIZE,
  STAT_UID,
  fstatfs,
  statx,
} from './stat.js';

const AT_FDCWD = -100;
const isRoot = process.getuid?.() === 0;
// Skipped without root: device nodes and other owners need it.
const itAsRoot = isRoot ? it : it.skip;

let dir: string;
let dirfd: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'host-'));
  dirfd = openat2(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, 0);
  writeFileSync(join(dir, 'file'), 'content');
});
afterEach(() => {
  expect(close(dirfd)).toBe(0);
  rmSync(dir, { recursive: true });
});

const fields = new Float64Array(STAT_COUNT);
function stat(name: string): Float64Array {
  expect(statx(dirfd, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, fields)).toBe(0);
  return fields;
}

describe('statx', () => {
  it('says what Node says', () => {
    const node = statSync(join(dir, 'file'));
    const ours = stat('file');
    expect([ours[STAT_INO], ours[STAT_MODE], ours[STAT_SIZE], ours[STAT_NLINK], ours[STAT_UID]]).toEqual([
      node.ino,
      node.mode,
      node.size,
      node.nlink,
      node.uid,
    ]);
    expect(ours[STAT_MTIME_SEC]! * 1e3 + ours[STAT_MTIME_NSEC]! / 1e6).toBeCloseTo(node.mtimeMs, 2);
    expect(ours[STAT_DEV_MAJOR]! * 256 + ours[STAT_DEV_MINOR]!).toBe(node.dev);
  });

  it('takes a descriptor alone', () => {
    expect(statx(dirfd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, fields)).toBe(0);
    expect(fields[STAT_MODE]! & S_IFMT).toBe(S_IFDIR);
  });

  it.each`
    name        | count             | errno
    ${'absent'} | ${STAT_COUNT}     | ${ENOENT}
    ${'file/x'} | ${STAT_COUNT}     | ${ENOTDIR}
    ${'file'}   | ${STAT_COUNT - 1} | ${EINVAL}
  `('of $name into $count: errno $errno', ({ name, count, errno }: { name: string; count: number; errno: number }) => {
    expect(statx(dirfd, name, 0, STATX_BASIC_STATS, new Float64Array(count))).toBe(-errno);
  });
});

describe('fstatfs', () => {
  it('tells of the filesystem', () => {
    const numbers = new Float64Array(STATFS_COUNT);
    expect(fstatfs(dirfd, numbers)).toBe(0);
    expect([numbers[STATFS_BSIZE]! >= 512, numbers[STATFS_NAMELEN]]).toEqual([true, 255]);
    expect(fstatfs(dirfd, new Float64Array(1))).toBe(-EINVAL);
  });
});

describe('getdents64', () => {
  it('lists names, and then says 0', () => {
    mkdirat(dirfd, 'sub', 0o755);
    const fd = openat2(dirfd, '.', O_RDONLY | O_DIRECTORY, 0, 0);
    const buffer = new Uint8Array(4096);
    const len = getdents64(fd, buffer, 8, 4088);
    const view = new DataView(buffer.buffer);
    const names: string[] = [];
    for (let at = 8; at < 8 + len; at += view.getUint16(at + 16, true)) {
      names.push(Buffer.from(buffer.subarray(at + 19, buffer.indexOf(0, at + 19))).toString('latin1'));
    }
    expect(names.sort()).toEqual(['.', '..', 'file', 'sub']);
    expect(getdents64(fd, buffer, 0, 4096)).toBe(0);
    expect(close(fd)).toBe(0);
  });

  it('says EINVAL when no record has room', () => {
    expect(getdents64(dirfd, new Uint8Array(8), 0, 8)).toBe(-EINVAL);
  });
});

describe('names', () => {
  it('are made and removed', () => {
    expect([mkdirat(dirfd, 'sub', 0o700), mkdirat(dirfd, 'sub', 0o700)]).toEqual([0, -EEXIST]);
    expect(mkdirat(dirfd, 'sub/inner', 0o700)).toBe(0);
    expect(unlinkat(dirfd, 'sub', AT_REMOVEDIR)).toBe(-ENOTEMPTY);
    expect([unlinkat(dirfd, 'sub/inner', AT_REMOVEDIR), unlinkat(dirfd, 'sub', AT_REMOVEDIR)]).toEqual([0, 0]);
    expect([unlinkat(dirfd, 'file', 0), unlinkat(dirfd, 'file', 0)]).toEqual([0, -ENOENT]);
  });

  it('are moved', () => {
    writeFileSync(join(dir, 'other'), 'other');
    expect(renameat2(dirfd, 'file', dirfd, 'other', RENAME_NOREPLACE)).toBe(-EEXIST);
    expect(renameat2(dirfd, 'file', dirfd, 'other', RENAME_EXCHANGE)).toBe(0);
    expect(readFileSync(join(dir, 'file'), 'latin1')).toBe('other');
    expect(renameat2(dirfd, 'file', dirfd, 'new', 0)).toBe(0);
  });

  it('are links', () => {
    expect(symlinkat('t\xe4rget', dirfd, 'symbolic')).toBe(0);
    expect(readlinkSync(join(dir, 'symbolic'), { encoding: 'latin1' })).toBe('t\xe4rget');
    const buffer = new Uint8Array(4);
    expect(readlinkat(dirfd, 'symbolic', buffer)).toBe(4);
    expect(Buffer.from(buffer).toString('latin1')).toBe('t\xe4rg');
    expect(stat('symbolic')[STAT_MODE]! & S_IFMT).toBe(S_IFLNK);
    expect(linkat(dirfd, 'file', dirfd, 'hard', 0)).toBe(0);
    expect(stat('hard')[STAT_NLINK]).toBe(2);
    expect(readlinkat(dirfd, 'file', buffer)).toBe(-EINVAL);
  });

  it('are regular files without a type', () => {
    expect(mknodat(dirfd, 'plain', 0o640, 0, 0)).toBe(0);
    expect(stat('plain')[STAT_MODE]).toBe(S_IFREG | 0o640);
  });

  it('are fifos', () => {
    expect(mknodat(dirfd, 'fifo', S_IFIFO | 0o600, 0, 0)).toBe(0);
    expect(stat('fifo')[STAT_MODE]).toBe(S_IFIFO | 0o600);
  });

  itAsRoot('are devices', () => {
    expect(mknodat(dirfd, 'null', S_IFCHR | 0o600, 1, 3)).toBe(0);
    const node = stat('null');
    expect([node[STAT_RDEV_MAJOR], node[STAT_RDEV_MINOR]]).toEqual([1, 3]);
  });
});

describe('attributes', () => {
  it('have a mode', () => {
    const fd = openat2(dirfd, 'file', O_RDONLY, 0, 0);
    expect(fchmod(fd, 0o640)).toBe(0);
    expect(stat('file')[STAT_MODE]).toBe(S_IFREG | 0o640);
    expect(fchmodat(dirfd, 'file', 0o4711, 0)).toBe(0);
    expect(stat('file')[STAT_MODE]).toBe(S_IFREG | 0o4711);
    expect(fchmodat(dirfd, 'absent', 0o600, 0)).toBe(-ENOENT);
    close(fd);
  });

  it('have a mode that an O_PATH descriptor reaches', () => {
    const fd = openat2(dirfd, 'file', O_PATH, 0, 0);
    const result = fchmodat(fd, '', 0o604, AT_EMPTY_PATH);
    close(fd);
    if (result === -38) return; // before Linux 6.6
    expect([result, stat('file')[STAT_MODE]]).toEqual([0, S_IFREG | 0o604]);
  });

  it('have owners, that stay when not given', () => {
    expect(fchownat(dirfd, 'file', 0xffff_ffff, 0xffff_ffff, 0)).toBe(0);
    expect(stat('file')[STAT_UID]).toBe(process.getuid?.());
  });

  itAsRoot('have owners', () => {
    expect(fchownat(dirfd, 'file', 12, 34, AT_SYMLINK_NOFOLLOW)).toBe(0);
    const node = lstatSync(join(dir, 'file'));
    expect([node.uid, node.gid]).toEqual([12, 34]);
  });

  it('have times, before 1970 too', () => {
    expect(utimensat(dirfd, 'file', 1_000_000_000, 5, -100, 999_999_999, 0)).toBe(0);
    const ours = stat('file');
    expect([ours[STAT_ATIME_SEC], ours[STAT_MTIME_SEC], ours[STAT_MTIME_NSEC]]).toEqual([
      1_000_000_000, -100, 999_999_999,
    ]);
    expect(utimensat(dirfd, 'file', 0, UTIME_OMIT, 7, 0, 0)).toBe(0);
    expect([stat('file')[STAT_ATIME_SEC], stat('file')[STAT_MTIME_SEC]]).toEqual([1_000_000_000, 7]);
    expect(utimensat(dirfd, 'file', 0, 1_000_000_000, 0, 0, 0)).toBe(-EINVAL);
  });

  it('grant access', () => {
    expect([faccessat(dirfd, 'file', R_OK, 0), faccessat(dirfd, 'absent', R_OK, 0)]).toEqual([0, -ENOENT]);
  });
});
