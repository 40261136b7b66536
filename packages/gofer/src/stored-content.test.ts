import { EEXIST, ENOSPC } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { HeapPagePool, MemoryIo, type FileContent } from '@tsv/vfs';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore, STORE_FDS_MAX, StoredFileSystem } from './file-store.js';

let dir: string;
let store: FileStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-store-'));
  store = FileStore.open(dir) as FileStore;
});
afterEach(() => {
  store.destroy();
  expect(readdirSync(dir)).toEqual([]);
  rmSync(dir, { recursive: true });
});

function fileSystem(pageCountMax = 0): StoredFileSystem {
  return new StoredFileSystem(store, { dev: 1, pool: new HeapPagePool(1), clock: new VirtualClock(), pageCountMax });
}

function write(content: FileContent, offset: number, text: string): number {
  return content.write(new MemoryIo(Buffer.from(text)), offset);
}

function read(content: FileContent, offset: number, len: number): string {
  const bytes = new Uint8Array(len);
  const n = content.read(new MemoryIo(bytes), offset);
  return Buffer.from(bytes.subarray(0, Math.max(0, n))).toString();
}

describe('StoredContent', () => {
  it('reads what was written, and zeros in holes', () => {
    const content = fileSystem().createContent();
    expect([write(content, 8192, 'text'), content.sizeBytes]).toEqual([4, 8196]);
    expect([read(content, 8190, 100), read(content, 8196, 1)]).toEqual(['\0\0text', '']);
  });

  it('finds data and holes, and makes some', () => {
    const content = fileSystem().createContent();
    write(content, 0, 'x'.repeat(65536));
    expect(content.pageCount).toBe(16);
    content.punchHole(4096, 61440);
    expect([content.nextHole(0), content.nextData(4096), content.pageCount]).toEqual([4096, 61440, 2]);
    expect(read(content, 4095, 3)).toBe('x\0\0');
  });

  it('has no file of the host before there are bytes, and none when it is gone', () => {
    const content = fileSystem().createContent();
    expect([read(content, 0, 1), readdirSync(dir)]).toEqual(['', []]);
    write(content, 0, 'x');
    expect(readdirSync(dir)).toHaveLength(1);
    content.destroy();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('is cut and made longer', () => {
    const content = fileSystem().createContent();
    write(content, 0, 'abcdef');
    content.truncate(3);
    content.truncate(5);
    expect(read(content, 0, 10)).toBe('abc\0\0');
  });

  it('keeps more files than descriptors', () => {
    const fs = fileSystem();
    const contents = Array.from({ length: STORE_FDS_MAX + 50 }, () => fs.createContent());
    for (const [index, content] of contents.entries()) write(content, 0, String(index));
    expect(contents.map((content) => read(content, 0, 10))).toEqual(contents.map((_, index) => String(index)));
  });

  it('keeps the descriptor of a file that is mapped', () => {
    const fs = fileSystem();
    const mapped = fs.createContent();
    expect(mapped.beforeMapping()).toBe(0);
    const observer = { invalidated: () => undefined };
    const fd = mapped.hostFd;
    mapped.addMapping(observer);
    for (let i = 0; i <= STORE_FDS_MAX; i++) write(fs.createContent(), 0, 'x');
    expect(mapped.hostFd).toBe(fd);
    mapped.removeMapping(observer);
  });

  it('is refused where its name is taken', () => {
    const other = FileStore.open(dir) as FileStore;
    write(fileSystem().createContent(), 0, 'x');
    const content = new StoredFileSystem(other, { dev: 1, pool: new HeapPagePool(1), clock: new VirtualClock() });
    expect(write(content.createContent(), 0, 'x')).toBe(-EEXIST);
    other.destroy();
  });
});

describe('a limit of all files together, tmpfs(5) size', () => {
  it('ends writes at the limit, and none is left then', () => {
    const fs = fileSystem(2);
    const content = fs.createContent();
    expect([write(content, 4000, 'x'.repeat(8192)), fs.freePageCount]).toEqual([8192 - 4000, 0]);
    expect([write(content, 8192, 'x'), write(fs.createContent(), 0, 'x')]).toEqual([-ENOSPC, -ENOSPC]);
    content.destroy();
    expect(fs.freePageCount).toBe(2);
  });

  it('counts holes, which a mapping could fill', () => {
    const fs = fileSystem(4);
    const content = fs.createContent();
    expect([content.truncate(16384), fs.freePageCount, content.truncate(16385)]).toEqual([0, 0, -ENOSPC]);
    expect([content.truncate(4096), fs.freePageCount]).toEqual([0, 3]);
  });

  it('counts what is taken in advance', () => {
    const fs = fileSystem(4);
    const content = fs.createContent();
    expect([content.preallocate(0, 12288), fs.freePageCount, content.sizeBytes]).toEqual([0, 1, 0]);
    expect([content.preallocate(0, 20480), fs.freePageCount]).toEqual([-ENOSPC, 1]);
    expect([write(content, 0, 'x'), fs.freePageCount]).toEqual([1, 1]);
  });

  it('is what statfs(2) tells; without one it is what the host has', () => {
    expect(fileSystem(4).statistics()).toMatchObject({ blockCount: 4, freeBlockCount: 4 });
    expect(fileSystem().statistics().blockCount).toBeGreaterThan(0);
  });
});
