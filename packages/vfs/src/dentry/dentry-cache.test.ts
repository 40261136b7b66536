import { ENOENT } from '@tsv/abi';
import type { VfsPath } from '../path/vfs-path.js';
import { TestTree } from '../testing/test-tree.js';
import { DentryCache } from './dentry-cache.js';

/** More directories than calls fit on a stack. */
const DEEP = 20_000;

/** Directories in one another, held. */
function deepDirectories(t: TestTree): VfsPath[] {
  const paths: VfsPath[] = [];
  for (let i = 0, at = t.root; i < DEEP; i++) {
    t.vfs.mkdirAt(t.caller, at, 'd', 0o755);
    const path = t.vfs.resolve(t.caller, at, 'd');
    if (typeof path === 'number') throw new Error(`level ${i}: errno ${-path}`);
    paths.push((at = path));
  }
  return paths;
}

describe('DentryCache', () => {
  it('keeps at most what it was told, the last used longest', () => {
    const t = new TestTree(10);
    for (let i = 0; i < 50; i++) t.write(`/f${i}`, '');
    expect(t.vfs.dentries.unusedCount).toBe(10);
    const { dentry } = t.root;
    expect([dentry.children?.has('f49'), dentry.children?.has('f0'), dentry.children?.size]).toEqual([true, false, 10]);
  });

  it('gives a name that is used a second chance', () => {
    const t = new TestTree(4);
    t.write('/often', '');
    for (let i = 0; i < 20; i++) {
      t.at('/often').decRef();
      t.write(`/f${i}`, '');
    }
    expect(t.root.dentry.children?.has('often')).toBe(true);
  });

  it('keeps a name that was just found, though all others were used since', () => {
    const t = new TestTree(4);
    for (let i = 0; i < 10; i++) t.write(`/f${i}`, `${i}`);
    for (let i = 0; i < 10; i++) {
      const { dentry } = t.root;
      for (const name of dentry.children!.keys()) t.vfs.dentries.find(dentry, name);
      expect(t.read(`/f${i}`)).toBe(`${i}`);
    }
  });

  it('remembers names that are not there, until they are', () => {
    const t = new TestTree();
    expect(t.vfs.resolve(t.caller, t.root, '/x')).toBe(-ENOENT);
    expect(t.root.dentry.children?.get('x')?.isNegative).toBe(true);
    t.write('/x', 'there');
    expect(t.read('/x')).toBe('there');
  });

  it('holds nothing after a hundred changes, but what is open', () => {
    const t = new TestTree();
    t.mkdir('/d');
    const held = t.root.dentry.refCount;
    for (let i = 0; i < 100; i++) {
      t.write('/d/a', '');
      const a = t.at('/d/a');
      t.vfs.linkAt(t.caller, a, t.root, '/d/b');
      a.decRef();
      t.vfs.renameAt(t.caller, t.root, '/d/a', t.root, '/c');
      t.vfs.unlinkAt(t.caller, t.root, '/d/b');
      t.vfs.unlinkAt(t.caller, t.root, '/c');
    }
    t.vfs.dentries.prune(t.root.dentry);
    expect(t.root.dentry.refCount).toBeLessThanOrEqual(held);
  });

  it('gives up any number of directories that were held by one name each, at once', () => {
    const t = new TestTree(DEEP);
    for (let i = 0; i <= DEEP; i++) {
      t.mkdir(`/d${i}`);
      t.write(`/d${i}/f`, '');
    }
    expect(t.vfs.dentries.unusedCount).toBeLessThanOrEqual(DEEP);
    expect(t.root.dentry.children?.has(`d${DEEP}`)).toBe(true);
  });

  it('lets go of directories that are nested deeper than a call stack', () => {
    const t = new TestTree(2 * DEEP);
    for (const path of deepDirectories(t)) path.decRef();
    expect(t.vfs.dentries.unusedCount).toBe(1);
    t.vfs.dentries.prune(t.root.dentry);
    expect([t.vfs.dentries.unusedCount, t.root.dentry.children?.size]).toEqual([0, 0]);
  });

  it('lets go of them when they were removed, and the innermost is closed', () => {
    const t = new TestTree(2 * DEEP);
    const paths = deepDirectories(t);
    const outermost = paths[0]!.dentry;
    for (let i = DEEP - 1; i >= 0; i--) {
      expect(t.vfs.rmdirAt(t.caller, i === 0 ? t.root : paths[i - 1]!, 'd')).toBe(0);
    }
    const innermost = paths.pop()!;
    for (const path of paths) path.decRef();
    expect(outermost.inode).not.toBeNull();
    innermost.decRef();
    expect(outermost.inode).toBeNull();
  });

  it('needs room for two', () => {
    expect(() => new DentryCache(1)).toThrow(RangeError);
  });
});
