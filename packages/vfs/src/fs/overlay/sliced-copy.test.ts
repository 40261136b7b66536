import { EIOCBQUEUED, O_RDONLY, O_RDWR, O_WRONLY } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { MemoryIo } from '../../file/io-buffer.js';
import { mountFileSystem } from '../../mount/mount-operations.js';
import { TestTree } from '../../testing/test-tree.js';
import { OverlayFileSystem } from './overlay-file-system.js';
import { COPY_AT_ONCE_BYTES_MAX } from './sliced-copy.js';

/** A tree with a file of `sizeBytes` at /m/big, which only the lower layer of the overlay at /m has. */
function overlay(sizeBytes: number): TestTree {
  const t = new TestTree();
  for (const dir of ['low', 'up', 'm']) t.mkdir(dir);
  const content = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 7) ^ (i >> 8));
  const file = t.open('low/big', O_WRONLY | 0o100, 0o640);
  expect(file.write(new MemoryIo(content), t.caller)).toBe(sizeBytes);
  file.decRef();
  const fs = new OverlayFileSystem({
    upper: t.at('up').inode,
    lowers: [t.at('low').inode],
    dev: t.vfs.allocateDev(),
    clock: t.clock,
  });
  expect(mountFileSystem(t.vfs, fs, 'overlay', t.at('m'), 0)).toBe(0);
  return t;
}

function content(t: TestTree, path: string, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes + 1);
  const file = t.open(path, O_RDONLY);
  const n = file.read(new MemoryIo(bytes), t.caller);
  file.decRef();
  return bytes.subarray(0, n);
}

/** Opens /m/big for writing as one who can wait; returns how often it had to come again. */
function triesToOpen(t: TestTree): number {
  const patient: Caller = { ...t.as(0), comeAgain: (waiters) => (waiters === null ? -EIOCBQUEUED : null) };
  for (let tries = 0; ; tries++) {
    const file = t.vfs.open(patient, 'm/big', O_RDWR, 0);
    if (typeof file !== 'number') {
      file.decRef();
      return tries;
    }
    expect(file).toBe(-EIOCBQUEUED);
    expect(t.list('up')).toEqual([]);
  }
}

describe('OverlayInode.copyUp, for who can wait', () => {
  it.each`
    what                  | sizeBytes                       | tries
    ${'a small file'}     | ${COPY_AT_ONCE_BYTES_MAX}       | ${0}
    ${'a byte more'}      | ${COPY_AT_ONCE_BYTES_MAX + 1}   | ${1}
    ${'three and a half'} | ${3.5 * COPY_AT_ONCE_BYTES_MAX} | ${3}
  `('copies $what in slices', ({ sizeBytes, tries }: { sizeBytes: number; tries: number }) => {
    const t = overlay(sizeBytes);
    const before = t.at('m/big').inode.ino;
    expect(triesToOpen(t)).toBe(tries);
    expect(t.list('up')).toEqual(['big']);
    expect(Buffer.compare(content(t, 'm/big', sizeBytes), content(t, 'low/big', sizeBytes))).toBe(0);
    const { inode } = t.at('m/big');
    expect([inode.ino, inode.nlink, inode.mode & 0o7777, inode.sizeBytes]).toEqual([before, 1, 0o640, sizeBytes]);
  });

  it('copies at once for who cannot', () => {
    const t = overlay(3 * COPY_AT_ONCE_BYTES_MAX);
    t.open('m/big', O_RDWR).decRef();
    expect(t.list('up')).toEqual(['big']);
  });

  it('follows a file that is renamed or removed meanwhile', () => {
    const t = overlay(2 * COPY_AT_ONCE_BYTES_MAX);
    const patient: Caller = { ...t.as(0), comeAgain: () => -EIOCBQUEUED };
    const path = t.at('m/big');
    expect(t.vfs.openPath(patient, path, O_RDWR)).toBe(-EIOCBQUEUED);
    expect(t.vfs.unlinkAt(t.caller, t.root, 'm/big')).toBe(0);
    const file = t.vfs.openPath(patient, path, O_RDWR);
    if (typeof file === 'number') throw new Error(`openPath: ${file}`);
    expect([file.inode.nlink, file.inode.sizeBytes]).toEqual([0, 2 * COPY_AT_ONCE_BYTES_MAX]);
    expect(t.list('m')).toEqual([]);
    file.decRef();
    path.decRef();
  });
});
