import {
  EACCES,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EXDEV,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '@tsv/abi';
import { mountFileSystem } from '../mount/mount-operations.js';
import { TestTree } from '../testing/test-tree.js';
import { LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW } from './path-walk.js';

function tree(): TestTree {
  const t = new TestTree();
  t.mkdir('/dir');
  t.mkdir('/dir/sub');
  t.write('/dir/file', 'x');
  t.vfs.symlinkAt(t.caller, 'file', t.root, '/dir/link');
  t.vfs.symlinkAt(t.caller, '/dir', t.root, '/absolute');
  t.vfs.symlinkAt(t.caller, 'nowhere', t.root, '/dangling');
  t.vfs.symlinkAt(t.caller, 'loop', t.root, '/loop');
  t.mkdir('/mnt');
  mountFileSystem(t.vfs, t.newTmpfs(), 'tmpfs', t.at('/mnt'), 0);
  t.mkdir('/mnt/inner');
  return t;
}

/** The inode's place as text, or the negated errno. */
function resolve(t: TestTree, path: string, lookup = LOOKUP_FOLLOW, flags = 0, start = t.root): string | number {
  const found = t.vfs.resolve(t.caller, start, path, lookup, flags);
  if (typeof found === 'number') return found;
  const where = t.vfs.pathText(found, t.root);
  found.decRef();
  return where;
}

describe('path walk, path_resolution(7)', () => {
  it.each`
    path                   | expected
    ${'/'}                 | ${'/'}
    ${'.'}                 | ${'/'}
    ${'..'}                | ${'/'}
    ${'/../..'}            | ${'/'}
    ${'//dir///sub//'}     | ${'/dir/sub'}
    ${'dir/./sub/../file'} | ${'/dir/file'}
    ${'dir/link'}          | ${'/dir/file'}
    ${'absolute/sub'}      | ${'/dir/sub'}
    ${'absolute'}          | ${'/dir'}
    ${'absolute/'}         | ${'/dir'}
    ${'mnt/inner/../..'}   | ${'/'}
    ${'mnt/inner'}         | ${'/mnt/inner'}
    ${'mnt/..'}            | ${'/'}
    ${''}                  | ${-ENOENT}
    ${'none'}              | ${-ENOENT}
    ${'none/x'}            | ${-ENOENT}
    ${'dangling'}          | ${-ENOENT}
    ${'dir/file/'}         | ${-ENOTDIR}
    ${'dir/link/'}         | ${-ENOTDIR}
    ${'dir/file/x'}        | ${-ENOTDIR}
    ${'dir/file/..'}       | ${-ENOTDIR}
    ${'dir/file/.'}        | ${-ENOTDIR}
    ${'loop'}              | ${-ELOOP}
    ${'loop/x'}            | ${-ELOOP}
  `('$path: $expected', ({ path, expected }: { path: string; expected: string | number }) => {
    expect(resolve(tree(), path)).toBe(expected);
  });

  it.each`
    path           | lookup              | expected
    ${'dir/link'}  | ${0}                | ${'/dir/link'}
    ${'loop'}      | ${0}                | ${'/loop'}
    ${'absolute/'} | ${0}                | ${'/dir'}
    ${'dir/link/'} | ${0}                | ${-ENOTDIR}
    ${'dir/file'}  | ${LOOKUP_DIRECTORY} | ${-ENOTDIR}
    ${'dir/link'}  | ${LOOKUP_DIRECTORY} | ${-ENOTDIR}
    ${''}          | ${LOOKUP_EMPTY}     | ${'/'}
  `(
    '$path with $lookup: $expected',
    ({ path, lookup, expected }: { path: string; lookup: number; expected: string }) => {
      expect(resolve(tree(), path, lookup)).toBe(expected);
    },
  );

  it.each`
    path                    | flags                  | expected
    ${'sub'}                | ${RESOLVE_BENEATH}     | ${'/dir/sub'}
    ${'sub/../file'}        | ${RESOLVE_BENEATH}     | ${'/dir/file'}
    ${'..'}                 | ${RESOLVE_BENEATH}     | ${-EXDEV}
    ${'sub/../../dir/file'} | ${RESOLVE_BENEATH}     | ${-EXDEV}
    ${'/dir/file'}          | ${RESOLVE_BENEATH}     | ${-EXDEV}
    ${'/file'}              | ${RESOLVE_IN_ROOT}     | ${'/dir/file'}
    ${'../../file'}         | ${RESOLVE_IN_ROOT}     | ${'/dir/file'}
    ${'link'}               | ${RESOLVE_NO_SYMLINKS} | ${-ELOOP}
    ${'/absolute/sub'}      | ${RESOLVE_NO_SYMLINKS} | ${-ELOOP}
    ${'/mnt/inner'}         | ${RESOLVE_NO_XDEV}     | ${-EXDEV}
    ${'../dir/sub'}         | ${RESOLVE_NO_XDEV}     | ${'/dir/sub'}
  `('$path from /dir with RESOLVE $flags: $expected', (row: { path: string; flags: number; expected: string }) => {
    const t = tree();
    expect(resolve(t, row.path, LOOKUP_FOLLOW, row.flags, t.at('/dir'))).toBe(row.expected);
  });

  it.each`
    what                | path                        | expected
    ${'a name of 255'}  | ${'x'.repeat(255)}          | ${-ENOENT}
    ${'a name of 256'}  | ${'x'.repeat(256)}          | ${-ENAMETOOLONG}
    ${'a path of 4095'} | ${'./'.repeat(2047) + 'x'}  | ${-ENOENT}
    ${'a path of 4096'} | ${'./'.repeat(2047) + 'xx'} | ${-ENAMETOOLONG}
  `('$what bytes: $expected', ({ path, expected }: { path: string; expected: number }) => {
    expect(resolve(tree(), path)).toBe(expected);
  });

  it('follows 40 links and no more', () => {
    const t = new TestTree();
    t.write('/link0', 'end');
    for (let i = 1; i <= 41; i++) t.vfs.symlinkAt(t.caller, `link${i - 1}`, t.root, `/link${i}`);
    expect([resolve(t, 'link40'), resolve(t, 'link41')]).toEqual(['/link0', -ELOOP]);
  });

  it('needs search permission in each directory', () => {
    const t = tree();
    t.vfs.mkdirAt(t.caller, t.root, '/closed', 0o700);
    t.write('/closed/x', '');
    const user = t.as(1000);
    expect(t.vfs.resolve(user, t.root, '/closed/x')).toBe(-EACCES);
    expect(t.vfs.resolve(user, t.root, '/closed/..')).toBe(-EACCES);
  });

  it('does not leave the root of the caller', () => {
    const t = tree();
    const jail = { ...t.caller, root: t.at('/dir'), cwd: t.at('/dir') };
    const found = t.vfs.resolve(jail, jail.cwd, '../../../sub/../..');
    expect(typeof found === 'number' ? found : t.vfs.pathText(found, t.root)).toBe('/dir');
    const absolute = t.vfs.resolve(jail, jail.cwd, '/file');
    expect(typeof absolute === 'number' ? absolute : t.vfs.pathText(absolute, t.root)).toBe('/dir/file');
  });

  it('goes on working with a cache of two dentries', () => {
    const t = new TestTree(2);
    for (const name of ['a', 'a/b', 'a/b/c', 'a/b/c/d']) t.mkdir(name);
    for (let i = 0; i < 10; i++) t.write(`a/b/c/d/file${i}`, `${i}`);
    for (let i = 0; i < 10; i++) expect(t.read(`a/b/c/d/file${i}`)).toBe(`${i}`);
    expect(t.vfs.dentries.unusedCount).toBeLessThanOrEqual(2);
  });
});
