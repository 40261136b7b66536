import {
  EEXIST,
  EFAULT,
  EFBIG,
  ENOSPC,
  ENOTEMPTY,
  EPERM,
  F_SEAL_GROW,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  O_APPEND,
  O_CREAT,
  O_RDWR,
  SEEK_DATA,
  SEEK_HOLE,
} from '@tsv/abi';
import { MemoryIo } from '../../file/io-buffer.js';
import type { Mappable, MappingObserver } from '../../file/mappable.js';
import { HeapPagePool } from '../../page/heap-page-pool.js';
import { PAGE_BYTES, chunkAt, chunkOf } from '../../page/page-pool.js';
import { TestTree, bytes, text } from '../../testing/test-tree.js';
import { mountFileSystem, unmount } from '../../mount/mount-operations.js';
import { PageMap } from './page-map.js';
import { TmpfsFile } from './tmpfs-file.js';
import { TmpfsFileSystem } from './tmpfs-file-system.js';
import { tmpfsType } from './tmpfs-type.js';

describe('PageMap', () => {
  it('finds pages and holes over leaves', () => {
    const map = new PageMap();
    for (const index of [3, 511, 512, 5_000_000_000]) map.set(index, index % 1000);
    expect([map.get(3), map.get(4), map.get(512), map.get(5_000_000_000), map.pageCount]).toEqual([3, -1, 512, 0, 4]);
    expect([map.nextPage(0), map.nextPage(4), map.nextPage(513), map.nextPage(5_000_000_001)]).toEqual([
      3, 511, 5_000_000_000, -1,
    ]);
    expect([map.nextHole(3), map.nextHole(511)]).toEqual([4, 513]);
  });

  it('removes ranges', () => {
    const map = new PageMap();
    const gone: number[] = [];
    for (let i = 0; i < 2000; i++) map.set(i, i);
    map.remove(500, 1500, (pfn) => gone.push(pfn));
    expect([gone.length, gone[0], gone.at(-1), map.pageCount]).toEqual([1000, 500, 1499, 1000]);
    expect([map.get(499), map.get(500), map.get(1499), map.get(1500)]).toEqual([499, -1, -1, 1500]);
    map.remove(0, Infinity, () => undefined);
    expect(map.pageCount).toBe(0);
  });
});

describe('tmpfs content', () => {
  /** Writes `content` at `offset` of /f. */
  function put(t: TestTree, offset: number, content: string): number {
    const file = t.open('/f', O_RDWR | O_CREAT);
    const n = file.writeAt(new MemoryIo(bytes(content)), offset, t.caller);
    file.decRef();
    return n;
  }

  function get(t: TestTree, offset: number, len: number): string {
    const buffer = new Uint8Array(len);
    const file = t.open('/f', 0);
    const n = file.readAt(new MemoryIo(buffer), offset, t.caller);
    file.decRef();
    return text(buffer.subarray(0, n));
  }

  it('reads what was written, over page borders', () => {
    const t = new TestTree();
    const content = Array.from({ length: 3 * PAGE_BYTES }, (_, i) => String.fromCharCode(i % 251)).join('');
    put(t, 100, content);
    expect(get(t, 100, content.length)).toBe(content);
    expect(get(t, 4000, 200)).toBe(content.slice(3900, 4100));
    expect(get(t, 0, 100)).toBe('\0'.repeat(100));
  });

  it('keeps only pages that have something', () => {
    const t = new TestTree();
    put(t, 2 ** 40, 'x');
    const { inode } = t.at('/f');
    inode.refresh();
    expect([inode.sizeBytes, inode.blockCount]).toEqual([2 ** 40 + 1, 8]);
    const file = t.open('/f');
    expect(file.seek(0, SEEK_DATA, t.caller)).toBe(2 ** 40);
    expect(file.seek(0, SEEK_HOLE, t.caller)).toBe(0);
    expect(put(t, 2 ** 53 - 1, 'xx')).toBe(-EFBIG);
  });

  it('gives all pages back when name and file are gone', () => {
    const t = new TestTree();
    const before = t.pool.usedCount;
    put(t, 0, 'x'.repeat(10 * PAGE_BYTES));
    const file = t.open('/f');
    t.vfs.unlinkAt(t.caller, t.root, '/f');
    expect(t.pool.usedCount).toBe(before + 10);
    file.decRef();
    expect(t.pool.usedCount).toBe(before);
  });

  it('gives pages back when it is unmounted', () => {
    const t = new TestTree();
    t.mkdir('/m');
    const before = t.pool.usedCount;
    const at = t.at('/m');
    mountFileSystem(t.vfs, t.newTmpfs(), 'none', at, 0);
    at.decRef();
    t.mkdir('/m/d');
    t.write('/m/d/x', 'x'.repeat(9000));
    const top = t.at('/m');
    expect(unmount(top, 0)).toBe(0);
    top.decRef();
    expect(t.pool.usedCount).toBe(before);
  });

  it('zeroes what a truncation cut off', () => {
    const t = new TestTree();
    put(t, 0, 'a'.repeat(5000));
    const file = t.open('/f', O_RDWR);
    file.truncate(4500, t.caller);
    file.truncate(5000, t.caller);
    expect(get(t, 4499, 501)).toBe('a' + '\0'.repeat(500));
  });

  it('appends at the end, wherever the offset is', () => {
    const t = new TestTree();
    put(t, 0, 'abc');
    const file = t.open('/f', O_RDWR | O_APPEND);
    expect(file.writeAt(new MemoryIo(bytes('d')), 0, t.caller)).toBe(1);
    expect(file.write(new MemoryIo(bytes('e')), t.caller)).toBe(1);
    expect([file.pos, get(t, 0, 10)]).toEqual([5, 'abcde']);
  });

  it('writes what it can when the caller faults', () => {
    class Faulting extends MemoryIo {
      override segment(max: number): number {
        return this.remaining <= 4 ? -EFAULT : Math.min(super.segment(max), this.remaining - 4);
      }
    }
    const t = new TestTree();
    const file = t.open('/f', O_RDWR | O_CREAT);
    expect(file.write(new Faulting(bytes('12345678')), t.caller)).toBe(4);
    expect(file.write(new Faulting(bytes('1234')), t.caller)).toBe(-EFAULT);
    expect(get(t, 0, 10)).toBe('1234');
  });

  it('stops at its size, tmpfs(5)', () => {
    const t = new TestTree();
    t.mkdir('/m');
    mountFileSystem(t.vfs, t.newTmpfs({ pageCountMax: 2, inodeCountMax: 3 }), 'none', t.at('/m'), 0);
    const file = t.open('/m/f', O_RDWR | O_CREAT);
    expect(file.write(new MemoryIo(new Uint8Array(3 * PAGE_BYTES)), t.caller)).toBe(2 * PAGE_BYTES);
    expect(file.write(new MemoryIo(new Uint8Array(1)), t.caller)).toBe(-ENOSPC);
    expect(file.allocate(0, 0, 3 * PAGE_BYTES, t.caller)).toBe(-ENOSPC);
    file.truncate(PAGE_BYTES, t.caller);
    expect(file.writeAt(new MemoryIo(new Uint8Array(1)), PAGE_BYTES, t.caller)).toBe(1);
    expect(t.vfs.mkdirAt(t.caller, t.root, '/m/d', 0o755)).toBe(0);
    expect(t.vfs.mkdirAt(t.caller, t.root, '/m/e', 0o755)).toBe(-ENOSPC);
    expect(t.vfs.rmdirAt(t.caller, t.root, '/m/d')).toBe(0);
    expect(t.vfs.mkdirAt(t.caller, t.root, '/m/e', 0o755)).toBe(0);
  });

  it('takes room ahead by fallocate(2), all of it or none', () => {
    const t = new TestTree();
    t.mkdir('/m');
    const fs = t.newTmpfs({ pageCountMax: 8 });
    mountFileSystem(t.vfs, fs, 'none', t.at('/m'), 0);
    const file = t.open('/m/f', O_RDWR | O_CREAT);
    file.writeAt(new MemoryIo(new Uint8Array(1)), 3 * PAGE_BYTES, t.caller);
    expect(file.allocate(0, 0, 2 ** 52, t.caller)).toBe(-ENOSPC);
    expect(file.allocate(0, 0, 9 * PAGE_BYTES, t.caller)).toBe(-ENOSPC);
    expect(fs.freePageCount).toBe(7);
    expect(file.allocate(0, 0, 8 * PAGE_BYTES, t.caller)).toBe(0);
    expect(fs.freePageCount).toBe(0);
  });

  it('gives back what fallocate(2) took before the memory was at its end', () => {
    const pool = new HeapPagePool(5);
    const fs = new TmpfsFileSystem({ pool, clock: new TestTree().vfs.clock, dev: 1, pageCountMax: 100 });
    const file = fs.createUnnamedFile(0o600);
    expect(file.content.preallocate(PAGE_BYTES, 2 * PAGE_BYTES)).toBe(0);
    expect(file.content.preallocate(0, 50 * PAGE_BYTES)).toBe(-ENOSPC);
    expect([pool.usedCount, fs.freePageCount, file.content.pageCount]).toEqual([1, 99, 1]);
  });

  it('stops when the pool is empty', () => {
    const t = new TestTree();
    const fs = new HeapPagePool(1);
    expect([fs.allocate(1, 2, -1), fs.allocate(1, 2, -1) < 0]).toEqual([0, true]);
    expect(t.pool.usedCount).toBe(0);
  });

  it('obeys seals, memfd_create(2)', () => {
    const t = new TestTree();
    const inode = t.fs.createUnnamedFile(0o777);
    inode.seals = 0;
    const file = inode.open(null, O_RDWR, t.caller);
    if (typeof file === 'number') throw new Error(`open: ${file}`);
    inode.decRef();
    file.write(new MemoryIo(bytes('abcd')), t.caller);
    inode.seals |= F_SEAL_SHRINK | F_SEAL_GROW;
    expect([file.truncate(3, t.caller), file.truncate(5, t.caller)]).toEqual([-EPERM, -EPERM]);
    expect(file.write(new MemoryIo(bytes('e')), t.caller)).toBe(-EPERM);
    expect(file.writeAt(new MemoryIo(bytes('e')), 3, t.caller)).toBe(1);
    inode.seals |= F_SEAL_WRITE;
    expect(file.writeAt(new MemoryIo(bytes('e')), 3, t.caller)).toBe(-EPERM);
    file.decRef();
    expect(t.pool.usedCount).toBe(0);
  });
});

describe('tmpfs as memory', () => {
  class Observer implements MappingObserver {
    readonly told: number[] = [];
    invalidated(_mappable: Mappable, pageIndex: number): void {
      this.told.push(pageIndex);
    }
  }

  it('hands out runs of pages and tells of truncation', () => {
    const t = new TestTree();
    t.write('/f', 'x'.repeat(4 * PAGE_BYTES));
    const { inode } = t.at('/f');
    if (!(inode instanceof TmpfsFile)) throw new Error('/f is no file of a tmpfs');
    const { content } = inode;
    const pfn = content.pageRun(1, 10, false);
    expect([pfn >= 0, content.runCount]).toEqual([true, 3]);
    expect(t.pool.chunks[chunkOf(pfn)]![chunkAt(pfn)]).toBe(0x78);
    expect([content.pageRun(4, 1, true), content.pageRun(1000, 1, true)]).toEqual([-EFAULT, -EFAULT]);
    const observer = new Observer();
    content.addMapping(observer);
    content.truncate(PAGE_BYTES + 1);
    expect(observer.told).toEqual([2]);
    content.punchHole(0, PAGE_BYTES);
    expect(observer.told).toEqual([2, 0]);
    expect(content.pageRun(0, 1, false)).toBe(-EFAULT);
    expect(content.pageRun(0, 1, true)).toBeGreaterThanOrEqual(0);
    content.removeMapping(observer);
  });
});

describe('tmpfs names', () => {
  it('counts the links of directories', () => {
    const t = new TestTree();
    const links = (path: string): number => t.at(path).inode.nlink;
    t.mkdir('/a');
    t.mkdir('/a/b');
    t.mkdir('/c');
    expect([links('/a'), links('/a/b'), links('/c')]).toEqual([3, 2, 2]);
    t.vfs.renameAt(t.caller, t.root, '/a/b', t.root, '/c/b');
    expect([links('/a'), links('/c')]).toEqual([2, 3]);
    t.mkdir('/a/b');
    expect(t.vfs.renameAt(t.caller, t.root, '/c/b', t.root, '/a/b')).toBe(0);
    expect([links('/a'), links('/c')]).toEqual([3, 2]);
    t.write('/a/b/x', '');
    t.mkdir('/d');
    expect(t.vfs.renameAt(t.caller, t.root, '/d', t.root, '/a/b')).toBe(-ENOTEMPTY);
    expect(t.vfs.mkdirAt(t.caller, t.root, '/d', 0o755)).toBe(-EEXIST);
  });

  it.each`
    data                              | expected
    ${'size=8k,mode=700,uid=5,gid=6'} | ${[0o040700, 5, 6, 2]}
    ${'nr_blocks=7,nr_inodes=1k'}     | ${[0o041777, 0, 0, 7]}
    ${''}                             | ${[0o041777, 0, 0, 500]}
    ${'size=20%'}                     | ${[0o041777, 0, 0, 200]}
    ${'size=0'}                       | ${[0o041777, 0, 0, 1000]}
    ${'size=many'}                    | ${-22}
    ${'color=red'}                    | ${-22}
  `('mount options $data: $expected', ({ data, expected }: { data: string; expected: unknown }) => {
    const t = new TestTree();
    const fs = tmpfsType(t.vfs, t.pool, 1000).create({ source: 'none', data, caller: t.caller });
    const got = typeof fs === 'number' ? fs : [fs.root.mode, fs.root.uid, fs.root.gid, fs.statistics().blockCount];
    expect(got).toEqual(expected);
  });
});

describe('tmpfs on the hot path', () => {
  it('reads and writes 4 KiB without allocating', () => {
    const t = new TestTree();
    t.write('/f', 'x'.repeat(PAGE_BYTES));
    const file = t.open('/f', O_RDWR);
    // The same memory on both sides, as guest memory and tmpfs share chunks in the kernel.
    const pfn = t.pool.allocate(1, 2, -1);
    const memory = t.pool.chunks[chunkOf(pfn)]!;
    const io = new MemoryIo(memory, chunkAt(pfn), PAGE_BYTES);
    const round = (): void => {
      io.reset(memory, chunkAt(pfn), PAGE_BYTES);
      file.readAt(io, 0, t.caller);
      io.reset(memory, chunkAt(pfn), PAGE_BYTES);
      file.writeAt(io, 0, t.caller);
    };
    for (let i = 0; i < 20_000; i++) round();
    // The compiler may take its time on a busy machine.
    const rounds = 50_000;
    let perRound = Infinity;
    for (let tries = 0; tries < 50 && perRound >= 16; tries++) {
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < rounds; i++) round();
      perRound = Math.abs(process.memoryUsage().heapUsed - before) / rounds;
    }
    expect(perRound).toBeLessThan(16);
  });
});
