import {
  EBADF,
  EEXIST,
  EINVAL,
  ELOOP,
  ENOENT,
  ENXIO,
  EPERM,
  EXDEV,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FD_CLOEXEC,
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_GETLK,
  F_SEAL_WRITE,
  F_SETFL,
  O_APPEND,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  RWF_NOWAIT,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from '@tsv/abi';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  close,
  copyFileRange,
  dup3,
  fallocate,
  fcntl,
  fdatasync,
  syncfs,
  fsync,
  ftruncate,
  lseek,
  memfdCreate,
  openat2,
  preadv2,
  pwritev2,
  read,
  write,
} from './open-file.js';

const AT_FDCWD = -100;
const MFD_ALLOW_SEALING = 2;
const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const text = (buffer: Uint8Array, len: number) => Buffer.from(buffer.subarray(0, len)).toString('latin1');

let dir: string;
let dirfd: number;
let fds: number[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'host-'));
  dirfd = openat2(AT_FDCWD, dir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
  fds = [dirfd];
});
afterEach(() => {
  expect(fds.map((fd) => close(fd))).toEqual(fds.map(() => 0));
  rmSync(dir, { recursive: true });
});

function opened(fd: number): number {
  if (fd >= 0) fds.push(fd);
  return fd;
}

function create(name: string, content = ''): number {
  const fd = opened(openat2(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600, 0));
  expect(write(fd, bytes(content), 0, content.length)).toBe(content.length);
  return fd;
}

describe('openat2', () => {
  it('opens beneath a directory', () => {
    create('file', 'content');
    const fd = opened(openat2(dirfd, 'file', O_RDONLY, 0, RESOLVE_BENEATH));
    const buffer = new Uint8Array(16);
    expect(text(buffer, read(fd, buffer, 0, 16))).toBe('content');
  });

  it.each`
    name           | flags               | resolve                | errno
    ${'absent'}    | ${O_RDONLY}         | ${0}                   | ${ENOENT}
    ${'file'}      | ${O_CREAT | O_EXCL} | ${0}                   | ${EEXIST}
    ${'../escape'} | ${O_RDONLY}         | ${RESOLVE_BENEATH}     | ${EXDEV}
    ${'/etc'}      | ${O_RDONLY}         | ${RESOLVE_BENEATH}     | ${EXDEV}
    ${'link'}      | ${O_RDONLY}         | ${RESOLVE_NO_SYMLINKS} | ${ELOOP}
    ${'file'}      | ${O_RDONLY}         | ${0x4000}              | ${EINVAL}
    ${'fi\0le'}    | ${O_RDONLY}         | ${0}                   | ${EINVAL}
  `('$name, flags $flags, resolve $resolve: errno $errno', ({ name, flags, resolve, errno }: Refusal) => {
    create('file');
    symlinkSync('file', join(dir, 'link'));
    expect(openat2(dirfd, name, flags, 0, resolve)).toBe(-errno);
  });

  it('takes names as bytes', () => {
    create('\xff\xfe');
    expect(readFileSync(Buffer.from(`${dir}/\xff\xfe`, 'latin1'))).toHaveLength(0);
  });

  it.each([-1, -2, 1 << 20])('says EBADF for directory %d', (fd) => {
    expect(openat2(fd, 'file', O_RDONLY, 0, 0)).toBe(-EBADF);
  });

  it.each([1.5, NaN, Infinity, 2 ** 31])('throws for descriptor %d, which is our own bug', (fd) => {
    expect(() => openat2(fd, 'file', O_RDONLY, 0, 0)).toThrow('is not a whole number');
  });

  it('throws for what is not a string', () => {
    expect(() => openat2(dirfd, 7 as unknown as string, O_RDONLY, 0, 0)).toThrow('A string is expected');
  });
});

type Refusal = { name: string; flags: number; resolve: number; errno: number };

describe('read and write, at places', () => {
  it('move bytes between a file and a part of a buffer', () => {
    const fd = create('file');
    expect(pwritev2(fd, bytes('xhellox'), 1, 5, 10, 0)).toBe(5);
    const buffer = new Uint8Array(8).fill(1);
    expect(preadv2(fd, buffer, 2, 3, 11, 0)).toBe(3);
    expect([...buffer]).toEqual([1, 1, ...bytes('ell'), 1, 1, 1]);
    expect(preadv2(fd, buffer, 0, 8, 100, 0)).toBe(0);
  });

  it('use the file offset for -1', () => {
    const fd = create('file', 'abcdef');
    expect(lseek(fd, 2, SEEK_SET)).toBe(2);
    const buffer = new Uint8Array(2);
    expect(preadv2(fd, buffer, 0, 2, -1, 0)).toBe(2);
    expect(text(buffer, 2)).toBe('cd');
    expect(pwritev2(fd, bytes('Z'), 0, 1, -1, 0)).toBe(1);
    expect(readFileSync(join(dir, 'file'), 'latin1')).toBe('abcdZf');
  });

  it('read what is cached with RWF_NOWAIT', () => {
    const fd = opened(memfdCreate('cached', 0));
    write(fd, bytes('cached'), 0, 6);
    expect([6, -11, -95]).toContain(preadv2(fd, new Uint8Array(6), 0, 6, 0, RWF_NOWAIT));
  });

  it.each([
    [0, 9],
    [8, 1],
    [2 ** 53, 1],
    [-1, 1],
  ])('throw for a part outside of the buffer: %d, %d', (at, len) => {
    const fd = create('file');
    expect(() => read(fd, new Uint8Array(8), at, len)).toThrow();
    expect(() => write(fd, new Uint8Array(8), at, len)).toThrow();
  });

  it('throw for an array of another type', () => {
    expect(() => read(dirfd, new Uint16Array(8) as unknown as Uint8Array, 0, 8)).toThrow('another type');
  });

  it.each([read, write])('say EBADF for a closed descriptor', (move) => {
    expect(move(1 << 20, new Uint8Array(1), 0, 1)).toBe(-EBADF);
  });
});

describe('lseek', () => {
  it('finds data and holes', () => {
    const fd = opened(memfdCreate('sparse', 0));
    ftruncate(fd, 1 << 20);
    pwritev2(fd, bytes('x'), 0, 1, 8192, 0);
    expect([lseek(fd, 0, SEEK_DATA), lseek(fd, 8192, SEEK_HOLE), lseek(fd, 0, SEEK_END)]).toEqual([
      8192,
      12288,
      1 << 20,
    ]);
    expect(lseek(fd, 65536, SEEK_DATA)).toBe(-ENXIO);
  });

  it.each([
    [0, 77],
    [-1, SEEK_SET],
  ])('says EINVAL for offset %d, whence %d', (offset, whence) => {
    expect(lseek(opened(memfdCreate('file', 0)), offset, whence)).toBe(-EINVAL);
  });
});

describe('allocation', () => {
  it('is changed by ftruncate and fallocate', () => {
    const fd = create('file', 'abcdef');
    expect(ftruncate(fd, 3)).toBe(0);
    expect(readFileSync(join(dir, 'file'), 'latin1')).toBe('abc');
    expect(fallocate(fd, 0, 0, 8192)).toBe(0);
    expect(lseek(fd, 0, SEEK_END)).toBe(8192);
    expect(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)).toBe(0);
    const buffer = new Uint8Array(3);
    preadv2(fd, buffer, 0, 3, 0, 0);
    expect([...buffer]).toEqual([0, 0, 0]);
    expect(fallocate(fd, 0, 0, 0)).toBe(-EINVAL);
  });

  it('reaches the disk', () => {
    const fd = create('file', 'x');
    expect([fsync(fd), fdatasync(fd), syncfs(fd), fsync(1 << 20), syncfs(1 << 20)]).toEqual([0, 0, 0, -EBADF, -EBADF]);
  });

  it('is copied between files by copyFileRange', () => {
    const from = create('from', 'abcdef');
    const to = create('to', '......');
    expect(copyFileRange(from, 1, to, 2, 3)).toBe(3);
    expect(readFileSync(join(dir, 'to'), 'latin1')).toBe('..bcd.');
  });
});

describe('descriptors', () => {
  it('are duplicated by dup3 and F_DUPFD_CLOEXEC', () => {
    const fd = create('file');
    const other = opened(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    expect(other).toBeGreaterThanOrEqual(100);
    expect(fcntl(other, F_GETFD, 0)).toBe(FD_CLOEXEC);
    expect(dup3(fd, other, 0)).toBe(other);
    expect(fcntl(other, F_GETFD, 0)).toBe(0);
    expect(dup3(fd, fd, 0)).toBe(-EINVAL);
  });

  it('have flags', () => {
    const fd = create('file');
    expect(fcntl(fd, F_SETFL, O_APPEND)).toBe(0);
    expect(fcntl(fd, F_GETFL, 0) & O_APPEND).toBe(O_APPEND);
  });

  it('have no commands with pointers', () => {
    expect(fcntl(dirfd, F_GETLK, 0)).toBe(-EINVAL);
  });

  it('of memory can be sealed', () => {
    const fd = opened(memfdCreate('sealed', MFD_ALLOW_SEALING));
    expect(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)).toBe(0);
    expect(write(fd, new Uint8Array(1), 0, 1)).toBe(-EPERM);
  });

  it('are closed once', () => {
    writeFileSync(join(dir, 'file'), '');
    const fd = openat2(dirfd, 'file', O_RDONLY, 0, 0);
    expect([close(fd), close(fd)]).toEqual([0, -EBADF]);
  });
});
