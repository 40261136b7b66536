import { ENOENT } from '@tsv/abi';
import { TestTree } from '../testing/test-tree.js';
import { DentryCache } from './dentry-cache.js';

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

  it('needs room for two', () => {
    expect(() => new DentryCache(1)).toThrow(RangeError);
  });
});
