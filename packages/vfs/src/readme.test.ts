import { O_CREAT, O_RDWR } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { readFileSync } from 'node:fs';
import { HeapPagePool, MemoryIo, TmpfsFileSystem, VirtualFileSystem, superuser } from './index.js';

describe('README', () => {
  it('runs', () => {
    const clock = new VirtualClock();
    const vfs = new VirtualFileSystem({ clock });
    const fs = new TmpfsFileSystem({ pool: new HeapPagePool(), clock, dev: vfs.allocateDev() });
    const me = superuser(vfs.rootOf(vfs.createNamespace(fs)));
    vfs.symlinkAt(me, 'greeting', me.cwd, '/link');
    const file = vfs.open(me, '/link', O_CREAT | O_RDWR, 0o644);
    if (typeof file === 'number') throw new Error(`open: errno ${-file}`);
    file.write(new MemoryIo(new TextEncoder().encode('hello')), me);
    const path = vfs.resolve(me, me.cwd, '/greeting');
    if (typeof path === 'number') throw new Error(`resolve: errno ${-path}`);
    path.inode.refresh();
    expect(path.inode.sizeBytes).toBe(5);
  });

  it('shows what this test runs', () => {
    const source = readFileSync(__filename, 'utf8').replace(/^ +/gm, '');
    const example = /```ts\n([^]*?)```/.exec(readFileSync(`${__dirname}/../README.md`, 'utf8'))![1]!;
    expect(example.split('\n').filter((line) => !source.includes(line))).toEqual([]);
  });
});
