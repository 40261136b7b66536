import { ENODATA, EEXIST, ERANGE, O_PATH, O_RDWR, XATTR_CREATE } from '@tsv/abi';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { close, openat2 } from './open-file.js';
import { fgetxattr, flistxattr, fremovexattr, fsetxattr } from './xattr.js';

const value = new Uint8Array(Buffer.from('some value'));

describe.each`
  kind        | flags
  ${'O_RDWR'} | ${O_RDWR}
  ${'O_PATH'} | ${O_PATH}
`('extended attributes by an $kind descriptor', ({ flags }: { flags: number }) => {
  let dir: string;
  let fd: number;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'host-'));
    writeFileSync(join(dir, 'file'), '');
    fd = openat2(-100, join(dir, 'file'), flags, 0, 0);
  });
  afterEach(() => {
    close(fd);
    rmSync(dir, { recursive: true });
  });

  it('are set, read, listed and removed', () => {
    const buffer = new Uint8Array(64);
    expect(fgetxattr(fd, 'user.name', buffer, 0, 64)).toBe(-ENODATA);
    expect(fsetxattr(fd, 'user.name', value, 5, 5, XATTR_CREATE)).toBe(0);
    expect(fsetxattr(fd, 'user.name', value, 0, 4, XATTR_CREATE)).toBe(-EEXIST);
    expect(fgetxattr(fd, 'user.name', buffer, 2, 62)).toBe(5);
    expect(Buffer.from(buffer.subarray(2, 7)).toString()).toBe('value');
    expect(fgetxattr(fd, 'user.name', buffer, 0, 0)).toBe(5);
    expect(fgetxattr(fd, 'user.name', buffer, 0, 4)).toBe(-ERANGE);
    const len = flistxattr(fd, buffer, 0, 64);
    expect(flistxattr(fd, buffer, 0, 0)).toBe(len);
    expect(Buffer.from(buffer.subarray(0, len)).toString()).toContain('user.name\0');
    expect([fremovexattr(fd, 'user.name'), fremovexattr(fd, 'user.name')]).toEqual([0, -ENODATA]);
  });
});
