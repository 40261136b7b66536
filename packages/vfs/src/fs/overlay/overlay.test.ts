import {
  EEXIST,
  ENOENT,
  ENOTEMPTY,
  EROFS,
  EXDEV,
  O_APPEND,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  RENAME_EXCHANGE,
  S_IFCHR,
  S_IFMT,
} from '@tsv/abi';
import { chmodPath } from '../../attributes/attributes.js';
import { MemoryIo } from '../../file/io-buffer.js';
import { mountFileSystem } from '../../mount/mount-operations.js';
import { TestTree, bytes, direntNames, readAll } from '../../testing/test-tree.js';
import { OverlayFileSystem } from './overlay-file-system.js';

/** A tree with layers at /low1 (topmost), /low2 and /up, merged at /m. */
function overlay(isChangeable = true): TestTree {
  const t = new TestTree();
  for (const dir of ['low1', 'low2', 'up', 'm', 'low1/dir', 'low2/dir', 'low2/dir/sub', 'low2/other']) t.mkdir(dir);
  t.write('low1/a', 'a1');
  t.write('low2/a', 'a2');
  t.write('low2/b', 'b2');
  t.write('low1/dir/x', 'x1');
  t.write('low2/dir/y', 'y2');
  t.write('low2/dir/sub/deep', 'deep');
  t.vfs.symlinkAt(t.caller, 'a', t.root, 'low2/link');
  t.vfs.linkAt(t.caller, t.at('low2/b'), t.root, 'low2/b-too');
  const fs = new OverlayFileSystem({
    upper: isChangeable ? t.at('up').inode : null,
    lowers: [t.at('low1').inode, t.at('low2').inode],
    dev: t.vfs.allocateDev(),
    clock: t.clock,
  });
  expect(mountFileSystem(t.vfs, fs, 'overlay', t.at('m'), 0)).toBe(0);
  return t;
}

describe('overlay', () => {
  it('merges directories, the topmost layer first', () => {
    const t = overlay();
    expect(t.list('m')).toEqual(['a', 'b', 'b-too', 'dir', 'link', 'other']);
    expect(t.list('m/dir')).toEqual(['sub', 'x', 'y']);
    expect([t.read('m/a'), t.read('m/b'), t.read('m/link'), t.read('m/dir/y')]).toEqual(['a1', 'b2', 'a1', 'y2']);
  });

  it('copies a file up when it is opened for writing, with its directories', () => {
    const t = overlay();
    const before = t.at('m/dir/sub/deep').inode.ino;
    const file = t.open('m/dir/sub/deep', O_WRONLY | O_APPEND);
    file.write(new MemoryIo(bytes('er')), t.caller);
    file.decRef();
    expect(t.read('m/dir/sub/deep')).toBe('deeper');
    expect(t.read('low2/dir/sub/deep')).toBe('deep');
    expect(t.read('up/dir/sub/deep')).toBe('deeper');
    expect(t.at('m/dir/sub/deep').inode.ino).toBe(before);
  });

  it('does not copy for a read, nor the content for O_TRUNC', () => {
    const t = overlay();
    expect(t.read('m/b')).toBe('b2');
    expect(t.list('up')).toEqual([]);
    t.write('m/a', 'new');
    expect([t.read('up/a'), t.read('low1/a')]).toEqual(['new', 'a1']);
  });

  it('shows a copy to files that were opened before', () => {
    const t = overlay();
    const reader = t.open('m/b');
    t.write('m/b', 'changed');
    expect(readAll(reader, t.caller)).toBe('changed');
  });

  it('copies metadata changes up and keeps times and owner', () => {
    const t = overlay();
    t.clock.advance(5000);
    const path = t.at('m/dir/y');
    expect(chmodPath(t.caller, path, 0o600)).toBe(0);
    const { mode, mtime } = t.at('up/dir/y').inode;
    expect(mode & 0o777).toBe(0o600);
    expect(mtime.sec).toBe(1_700_000_000);
    expect(t.at('up/dir').inode.mode).toBe(t.at('low1/dir').inode.mode);
  });

  it('covers removed names with whiteouts and makes them again', () => {
    const t = overlay();
    expect(t.vfs.unlinkAt(t.caller, t.root, 'm/a')).toBe(0);
    expect(t.vfs.open(t.caller, 'm/a', O_RDONLY)).toBe(-ENOENT);
    expect(t.list('m')).not.toContain('a');
    const whiteout = t.at('up/a').inode;
    expect([whiteout.mode & S_IFMT, whiteout.rdev]).toEqual([S_IFCHR, 0]);
    t.write('m/a', 'again');
    expect([t.read('m/a'), t.read('low2/a')]).toEqual(['again', 'a2']);
  });

  it('removes directories with whiteouts in them, and new ones hide the old', () => {
    const t = overlay();
    expect(t.vfs.rmdirAt(t.caller, t.root, 'm/dir')).toBe(-ENOTEMPTY);
    for (const name of ['m/dir/x', 'm/dir/y', 'm/dir/sub/deep']) expect(t.vfs.unlinkAt(t.caller, t.root, name)).toBe(0);
    expect(t.vfs.rmdirAt(t.caller, t.root, 'm/dir/sub')).toBe(0);
    expect(t.vfs.rmdirAt(t.caller, t.root, 'm/dir')).toBe(0);
    expect(t.vfs.resolve(t.caller, t.root, 'm/dir')).toBe(-ENOENT);
    t.mkdir('m/dir');
    expect(t.list('m/dir')).toEqual([]);
    expect(t.list('low2/dir')).toEqual(['sub', 'y']);
  });

  it('renames files; merged directories are EXDEV', () => {
    const t = overlay();
    const rename = (from: string, to: string, flags = 0): number =>
      t.vfs.renameAt(t.caller, t.root, from, t.root, to, flags);
    expect(rename('m/b', 'm/dir/b')).toBe(0);
    expect([t.read('m/dir/b'), t.list('m').includes('b')]).toEqual(['b2', false]);
    expect(rename('m/dir', 'm/moved')).toBe(-EXDEV);
    t.mkdir('m/new');
    t.write('m/new/f', 'f');
    expect(rename('m/new', 'm/newer')).toBe(0);
    expect(t.read('m/newer/f')).toBe('f');
    expect(rename('m/a', 'm/dir/x', RENAME_EXCHANGE)).toBe(0);
    expect([t.read('m/a'), t.read('m/dir/x')]).toEqual(['x1', 'a1']);
  });

  it('puts a new directory over a removed one', () => {
    const t = overlay();
    expect(t.vfs.rmdirAt(t.caller, t.root, 'm/other')).toBe(0);
    t.mkdir('m/fresh');
    t.write('m/fresh/f', 'f');
    expect(t.vfs.renameAt(t.caller, t.root, 'm/fresh', t.root, 'm/other')).toBe(0);
    expect(t.list('m/other')).toEqual(['f']);
  });

  it('keeps hard links of a lower file together', () => {
    const t = overlay();
    expect(t.at('m/b').inode.nlink).toBe(2);
    t.write('m/b', 'both');
    expect(t.read('m/b-too')).toBe('both');
    t.at('m/b').inode.refresh();
    expect(t.at('m/b').inode.nlink).toBe(2);
    expect(t.vfs.unlinkAt(t.caller, t.root, 'm/b-too')).toBe(0);
    t.at('m/b').inode.refresh();
    expect(t.at('m/b').inode.nlink).toBe(1);
    expect(t.vfs.linkAt(t.caller, t.at('m/b'), t.root, 'm/a')).toBe(-EEXIST);
    expect(t.vfs.linkAt(t.caller, t.at('m/b'), t.root, 'm/c')).toBe(0);
    expect(t.read('m/c')).toBe('both');
  });

  it('copies up a file whose name is gone', () => {
    const t = overlay();
    const file = t.open('m/b', O_RDONLY);
    t.vfs.unlinkAt(t.caller, t.root, 'm/b-too');
    t.vfs.unlinkAt(t.caller, t.root, 'm/b');
    expect(chmodPath(t.caller, file.path!, 0o600)).toBe(0);
    expect(readAll(file, t.caller)).toBe('b2');
    expect(t.list('up').sort()).toEqual(['b', 'b-too']);
  });

  it('reads directories in pieces while names go', () => {
    const t = overlay();
    const dir = t.open('m/dir');
    const names = direntNames(dir, t.caller, 2);
    expect(names.sort()).toEqual(['.', '..', 'sub', 'x', 'y']);
    t.vfs.unlinkAt(t.caller, t.root, 'm/dir/x');
    dir.seek(0, 0, t.caller);
    expect(direntNames(dir, t.caller).sort()).toEqual(['.', '..', 'sub', 'y']);
  });

  it('shows its changes to those who look into the upper layer', () => {
    const t = overlay();
    expect(t.vfs.resolve(t.caller, t.root, 'up/b')).toBe(-ENOENT);
    t.write('m/b', 'up');
    expect(t.read('up/b')).toBe('up');
    expect(t.vfs.renameAt(t.caller, t.root, 'm/b', t.root, 'm/moved')).toBe(0);
    expect([t.at('up/b').inode.mode & S_IFMT, t.read('up/moved')]).toEqual([S_IFCHR, 'up']);
    expect(t.vfs.unlinkAt(t.caller, t.root, 'm/moved')).toBe(0);
    expect(t.vfs.resolve(t.caller, t.root, 'up/moved')).toBe(-ENOENT);
  });

  it('can be the upper layer of another overlay, and of one more', () => {
    const t = overlay();
    let below = 'm';
    for (const name of ['second', 'third']) {
      for (const dir of [`${below}/up`, name]) t.mkdir(dir);
      const fs = new OverlayFileSystem({
        upper: t.at(`${below}/up`).inode,
        lowers: [t.at('low1').inode, t.at('low2').inode],
        dev: t.vfs.allocateDev(),
        clock: t.clock,
      });
      mountFileSystem(t.vfs, fs, 'overlay', t.at(name), 0);
      expect(t.vfs.unlinkAt(t.caller, t.root, `${name}/a`)).toBe(0);
      expect(t.list(name)).not.toContain('a');
      expect(t.at(`${below}/up/a`).inode.rdev).toBe(0);
      expect(t.vfs.rmdirAt(t.caller, t.root, `${name}/other`)).toBe(0);
      t.mkdir(`${name}/other`);
      expect(t.at(`${below}/up/other`).inode.listXattrs()).toEqual(['trusted.overlay.opaque']);
      expect(t.at(`${name}/other`).inode.listXattrs()).toEqual([]);
      below = name;
    }
  });

  it('refuses changes without an upper layer', () => {
    const t = overlay(false);
    expect(t.vfs.open(t.caller, 'm/a', O_RDWR)).toBe(-EROFS);
    expect(t.vfs.mkdirAt(t.caller, t.root, 'm/new', 0o755)).toBe(-EROFS);
    expect(t.vfs.unlinkAt(t.caller, t.root, 'm/a')).toBe(-EROFS);
    expect(t.read('m/a')).toBe('a1');
  });
});
