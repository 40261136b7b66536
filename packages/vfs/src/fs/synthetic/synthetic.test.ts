import { EIO, ENOENT, O_RDWR } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { MemoryIo } from '../../file/io-buffer.js';
import type { Inode } from '../../inode.js';
import { mountFileSystem } from '../../mount/mount-operations.js';
import type { VfsPath } from '../../path/vfs-path.js';
import { TestTree, bytes, direntNames, readAll } from '../../testing/test-tree.js';
import { SyntheticDirectory, type DynamicEntrySink } from './synthetic-directory.js';
import { SyntheticFileSystem } from './synthetic-file-system.js';
import { SyntheticFile } from './synthetic-file.js';
import { StaticSymlink, SyntheticSymlink } from './synthetic-symlink.js';

class Counter extends SyntheticFile {
  count = 0;
  written = '';
  generate(): string {
    return `${this.count++}\n`.repeat(3000);
  }
  override write(data: Uint8Array): number {
    this.written += String.fromCharCode(...data);
    return data.length;
  }
}

class Readable extends SyntheticFile {
  generate(): string {
    return 'fixed';
  }
}

/** A name for each number that is alive, as /proc has. */
class Numbers extends SyntheticDirectory {
  readonly alive = new Set([1, 20, 300]);

  protected override lookupDynamic(name: string): Inode | number {
    return this.alive.has(Number(name)) ? new SyntheticDirectory(this.fs) : -ENOENT;
  }
  protected override isDynamicCurrent(name: string, child: Inode | null): boolean {
    return this.alive.has(Number(name)) === (child !== null);
  }
  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    for (const key of [...this.alive].sort((a, b) => a - b)) {
      if (key >= fromKey && !take(key, String(key), 1000 + key, 0o040555)) return;
    }
  }
}

class Magic extends SyntheticSymlink {
  target: VfsPath | null = null;
  readlink(): string {
    return '/does/not/matter (deleted)';
  }
  override followMagic(_caller: Caller): VfsPath | number {
    this.target!.incRef();
    return this.target!;
  }
}

class TestFileSystem extends SyntheticFileSystem {
  readonly root: Numbers;
  readonly counter: Counter;
  readonly magic: Magic;
  constructor(t: TestTree) {
    super({ typeName: 'test', magic: 0x1234, dev: t.vfs.allocateDev(), clock: t.clock, mustRevalidate: true });
    this.counter = new Counter(this, 0o644);
    this.magic = new Magic(this);
    this.root = new Numbers(this);
    this.root
      .add('counter', this.counter)
      .add('plain', new Readable(this, 0o644))
      .add('link', new StaticSymlink(this, 'plain'))
      .add('magic', this.magic);
  }
}

function tree(): { t: TestTree; fs: TestFileSystem } {
  const t = new TestTree();
  const fs = new TestFileSystem(t);
  t.mkdir('/s');
  mountFileSystem(t.vfs, fs, 'test', t.at('/s'), 0);
  return { t, fs };
}

describe('synthetic filesystems', () => {
  it('makes content at the first read and keeps it to the end', () => {
    const { t } = tree();
    const file = t.open('/s/counter');
    expect(readAll(file, t.caller)).toBe('0\n'.repeat(3000));
    file.seek(0, 0, t.caller);
    expect(readAll(file, t.caller)).toBe('1\n'.repeat(3000));
  });

  it('takes writes where there is somebody for them', () => {
    const { t, fs } = tree();
    t.write('/s/counter', 'hello');
    expect(fs.counter.written).toBe('hello');
    const file = t.open('/s/plain', O_RDWR);
    expect(file.write(new MemoryIo(bytes('x')), t.caller)).toBe(-EIO);
  });

  it('finds names that come and go', () => {
    const { t, fs } = tree();
    const first = t.at('/s/20').inode;
    expect(t.at('/s/20').inode).toBe(first);
    fs.root.alive.delete(20);
    expect(t.vfs.resolve(t.caller, t.root, '/s/20')).toBe(-ENOENT);
    fs.root.alive.add(20);
    expect(t.at('/s/20').inode).not.toBe(first);
  });

  it.each([1, 2, 100])('lists fixed and dynamic names, %d at a time', (perCall) => {
    const { t } = tree();
    expect(direntNames(t.open('/s'), t.caller, perCall)).toEqual([
      '.',
      '..',
      'counter',
      'plain',
      'link',
      'magic',
      '1',
      '20',
      '300',
    ]);
  });

  it('follows fixed links by name and magic ones by place', () => {
    const { t, fs } = tree();
    t.write('/file', 'by place');
    fs.magic.target = t.at('/file');
    t.vfs.unlinkAt(t.caller, t.root, '/file');
    expect([t.read('/s/link'), t.read('/s/magic')]).toEqual(['fixed', 'by place']);
  });
});
