import { ENOMEM } from '@tsv/abi';
import { CHUNK_PAGES, PAGE_BYTES, UsageKind, chunkAt, chunkOf } from '@tsv/platform';
import fc from 'fast-check';
import { fstatSync, readSync } from 'node:fs';
import { createMemoryFile, MemfdMemoryFile } from './memfd-memory-file.js';

const ANYWHERE = -1;
let file: MemfdMemoryFile;

beforeEach(() => {
  file = new MemfdMemoryFile({ name: 'memory-under-test' });
});
afterEach(() => {
  const { fd } = file;
  file.close();
  if (fd >= 0) expect(() => fstatSync(fd)).toThrow('EBADF');
});

function page(pfn: number): Uint8Array {
  return file.chunks[chunkOf(pfn)]!.subarray(chunkAt(pfn), chunkAt(pfn) + PAGE_BYTES);
}

function isZero(pfn: number, pageCount: number): boolean {
  for (let at = pfn; at < pfn + pageCount; at++) if (page(at).some((byte) => byte !== 0)) return false;
  return true;
}

function writeAll(pfn: number, pageCount: number, value: number): void {
  for (let at = pfn; at < pfn + pageCount; at++) page(at).fill(value);
}

const allocate = (pageCount: number, hintPfn = ANYWHERE) => file.allocate(pageCount, UsageKind.ANONYMOUS, hintPfn);

describe('MemoryFile.allocate', () => {
  it('puts allocations one behind the other', () => {
    const first = allocate(4);
    expect([allocate(4), allocate(3)]).toEqual([first + 4, first + 8]);
  });

  it('takes pages behind the hint', () => {
    const first = allocate(4);
    const second = allocate(4);
    file.decRef(second, 4);
    allocate(100);
    expect(allocate(2, first + 4)).toBe(first + 4);
  });

  it('takes pages before the hint end, for stacks that grow down', () => {
    const range = allocate(64);
    const top = allocate(4);
    file.decRef(range, 64);
    expect(allocate(8, top - 8)).toBe(top - 8);
  });

  it('goes elsewhere when the hint is taken', () => {
    const first = allocate(4);
    const second = allocate(4, first);
    expect(second).toBeGreaterThanOrEqual(first + 4);
  });

  it('aligns ranges with room for a huge page', () => {
    allocate(1);
    expect(allocate(512) % 512).toBe(0);
  });

  it('gives a whole chunk, and no range across two', () => {
    allocate(1);
    const pfn = allocate(CHUNK_PAGES);
    expect([pfn, file.chunks.length]).toEqual([CHUNK_PAGES, 2]);
  });

  it('maps more of the first chunk when that is needed, and what was mapped shows the same memory', () => {
    const first = allocate(1);
    const before = page(first);
    const mappedBytes = file.chunks[0]!.length;
    const large = allocate(mappedBytes / PAGE_BYTES);
    writeAll(large, 1, 1);
    writeAll(first, 1, 7);
    expect([mappedBytes, file.chunks.map((chunk) => chunk.length)]).toEqual([2 ** 24, [2 ** 30]]);
    expect([chunkOf(large), before[0], file.views[0]!.getUint8(chunkAt(first))]).toEqual([0, 7, 7]);
  });

  it('maps a whole chunk at once for a range that needs it', () => {
    allocate(4097);
    expect(file.chunks.map((chunk) => chunk.length)).toEqual([2 ** 30]);
  });

  it.each([0, -1, CHUNK_PAGES + 1, 1.5, NaN])('refuses %p pages', (pageCount) => {
    expect(() => allocate(pageCount)).toThrow(RangeError);
  });

  it('returns -ENOMEM past the chunk limit, and not at it', () => {
    file.close();
    file = new MemfdMemoryFile({ chunkCountMax: 1 });
    expect(allocate(CHUNK_PAGES)).toBe(0);
    expect(allocate(1)).toBe(-ENOMEM);
    file.decRef(7, 1);
    expect(allocate(1)).toBe(7);
  });

  it('finds a large range that was freed in small pieces', () => {
    file.close();
    file = new MemfdMemoryFile({ chunkCountMax: 1 });
    allocate(CHUNK_PAGES);
    for (let pfn = 0; pfn < 1024; pfn += 8) file.decRef(pfn, 8);
    expect(allocate(1024)).toBe(0);
  });
});

describe('MemoryFile memory', () => {
  it.each([1, 4, 64, 65, 256, 257, 9000])('reads as zeros when %d written pages are used again', (pageCount) => {
    const pfn = allocate(pageCount);
    allocate(1);
    writeAll(pfn, pageCount, 0xaa);
    file.decRef(pfn, pageCount);
    expect(allocate(pageCount, pfn)).toBe(pfn);
    expect(isZero(pfn, pageCount)).toBe(true);
  });

  it('is given back by decommit and reads as zeros then', () => {
    const pfn = allocate(16);
    writeAll(pfn, 16, 1);
    file.decommit(pfn + 4, 8);
    expect(file.committedBytes()).toBe(8 * PAGE_BYTES);
    expect([page(pfn + 3)[0], page(pfn + 4)[0], page(pfn + 12)[0]]).toEqual([1, 0, 1]);
    expect(file.refCount(pfn + 4)).toBe(1);
  });

  it('is counted and marked where pages were touched', () => {
    const pfn = allocate(16);
    for (const index of [0, 3, 4, 15]) page(pfn + index)[0] = 1;
    const marks = new Uint8Array(18).fill(9);
    file.markResident(pfn, 16, marks, 1);
    expect([...marks]).toEqual([9, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9]);
    expect([file.residentCount(pfn, 16), file.residentCount(pfn + 1, 3), file.residentCount(pfn + 5, 10)]).toEqual([
      4, 1, 0,
    ]);
  });

  it('is kept for reuse when a small range is freed, up to a bound', () => {
    const ranges = Array.from({ length: 100 }, () => allocate(256));
    for (const pfn of ranges) writeAll(pfn, 256, 1);
    for (const pfn of ranges) file.decRef(pfn, 256);
    const keptPages = file.committedBytes() / PAGE_BYTES;
    expect(keptPages).toBeGreaterThanOrEqual(16384);
    expect(keptPages).toBeLessThan(16384 + 8192);
  });

  it('is given back when large ranges are freed, in batches', () => {
    const ranges = Array.from({ length: 40 }, () => allocate(1024));
    for (const pfn of ranges) for (let at = pfn; at < pfn + 1024; at++) page(at)[0] = 1;
    for (const pfn of ranges) file.decRef(pfn, 1024);
    expect(file.committedBytes() / PAGE_BYTES).toBeLessThan(8192);
  });

  it('is all given back by trim', () => {
    for (const pageCount of [1, 4, 300, 2000]) {
      const pfn = allocate(pageCount);
      writeAll(pfn, pageCount, 1);
      file.decRef(pfn, pageCount);
    }
    file.trim();
    expect(file.committedBytes()).toBe(0);
  });

  it('is the same file as the descriptor', () => {
    const pfn = allocate(2);
    file.views[chunkOf(pfn)]!.setUint32(chunkAt(pfn), 0x1234_5678, true);
    const bytes = new Uint8Array(4);
    readSync(file.fd, bytes, 0, 4, pfn * PAGE_BYTES);
    expect([...bytes]).toEqual([0x78, 0x56, 0x34, 0x12]);
    expect(fstatSync(file.fd).size).toBe(CHUNK_PAGES * PAGE_BYTES);
  });

  it('is out of reach after close', () => {
    const pfn = allocate(1);
    const bytes = page(pfn);
    file.close();
    expect([bytes.length, file.chunks.length]).toEqual([0, 0]);
  });
});

describe('MemoryFile references', () => {
  it('free a page when the last is dropped', () => {
    const pfn = allocate(4);
    file.incRef(pfn + 1, 2);
    file.decRef(pfn, 4);
    expect([0, 1, 2, 3].map((index) => file.refCount(pfn + index))).toEqual([0, 1, 1, 0]);
    expect(file.pageCount(UsageKind.ANONYMOUS)).toBe(2);
  });

  it('are counted across chunks', () => {
    allocate(CHUNK_PAGES);
    allocate(CHUNK_PAGES);
    file.incRef(CHUNK_PAGES - 1, 2);
    expect([CHUNK_PAGES - 2, CHUNK_PAGES - 1, CHUNK_PAGES, CHUNK_PAGES + 1].map((pfn) => file.refCount(pfn))).toEqual([
      1, 2, 2, 1,
    ]);
    file.decRef(CHUNK_PAGES - 1, 2);
    file.decRef(0, 2 * CHUNK_PAGES);
    expect(file.pageCount(UsageKind.ANONYMOUS)).toBe(0);
  });

  it.each(['incRef', 'decRef'] as const)('of a free page are a bug: %s throws', (method) => {
    const pfn = allocate(4);
    file.decRef(pfn, 1);
    expect(() => {
      file[method](pfn, 1);
    }).toThrow('page is free');
    expect(() => {
      file[method](CHUNK_PAGES * 3, 1);
    }).toThrow('page is free');
  });

  it('are counted by kind', () => {
    const tmpfs = file.allocate(5, UsageKind.TMPFS, ANYWHERE);
    file.allocate(3, UsageKind.SYSTEM, ANYWHERE);
    file.decRef(tmpfs, 2);
    expect(
      [UsageKind.ANONYMOUS, UsageKind.PAGE_CACHE, UsageKind.TMPFS, UsageKind.SYSTEM].map((kind) =>
        file.pageCount(kind),
      ),
    ).toEqual([0, 0, 3, 3]);
  });
});

type Step = {
  op: 'allocate' | 'incRef' | 'decRef' | 'decommit' | 'trim';
  pageCount: number;
  pick: number;
  hint: number;
};

/** What the file should say: references by page, and a byte that was written to each page, 0 for none. */
class Model {
  readonly refs = new Map<number, number>();
  readonly bytes = new Map<number, number>();
  readonly ranges: { pfn: number; pageCount: number }[] = [];

  drop(pfn: number, pageCount: number): void {
    for (let at = pfn; at < pfn + pageCount; at++) {
      const left = this.refs.get(at)! - 1;
      if (left === 0) this.bytes.delete(at);
      if (left === 0) this.refs.delete(at);
      else this.refs.set(at, left);
    }
  }
}

function runStep(step: Step, model: Model, stamp: number): void {
  const { ranges } = model;
  const index = ranges.length === 0 ? -1 : step.pick % ranges.length;
  if (step.op === 'allocate') {
    const near = ranges[index];
    const hints = [ANYWHERE, step.pick, near === undefined ? 0 : near.pfn + near.pageCount];
    const pfn = allocate(step.pageCount, hints[step.hint] ?? ANYWHERE);
    let wrongCount = 0;
    for (let at = pfn; at < pfn + step.pageCount; at++) {
      const isWrong = model.refs.has(at) || page(at)[(step.pick * 61) % PAGE_BYTES] !== 0 || page(at)[0] !== 0;
      if (isWrong) wrongCount++;
      model.refs.set(at, 1);
    }
    expect(wrongCount).toBe(0);
    ranges.push({ pfn, pageCount: step.pageCount });
  } else if (step.op === 'trim') {
    file.trim();
  } else if (index >= 0) {
    const { pfn, pageCount } = ranges[index]!;
    const count = 1 + (step.pageCount % pageCount);
    if (step.op === 'incRef') {
      file.incRef(pfn, count);
      for (let at = pfn; at < pfn + count; at++) model.refs.set(at, model.refs.get(at)! + 1);
      ranges.push({ pfn, pageCount: count });
    } else if (step.op === 'decRef') {
      file.decRef(pfn, count);
      model.drop(pfn, count);
      ranges.splice(index, 1);
      if (count < pageCount) ranges.push({ pfn: pfn + count, pageCount: pageCount - count });
    } else {
      file.decommit(pfn, count);
      for (let at = pfn; at < pfn + count; at++) model.bytes.delete(at);
    }
  }
  const written = ranges[step.pick % Math.max(1, ranges.length)];
  if (written === undefined) return;
  const at = written.pfn + (step.hint % written.pageCount);
  page(at).fill(stamp);
  model.bytes.set(at, stamp);
}

describe('MemoryFile, against a model', () => {
  const steps = fc.array(
    fc.record<Step>({
      op: fc.constantFrom('allocate', 'allocate', 'incRef', 'decRef', 'decRef', 'decommit', 'trim'),
      pageCount: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 700 })),
      pick: fc.nat(1 << 18),
      hint: fc.integer({ min: 0, max: 2 }),
    }),
    { minLength: 20, maxLength: 300 },
  );

  it('counts references, hands out only free pages, and these as zeros', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const model = new Model();
        list.forEach((step, index) => {
          runStep(step, model, 1 + (index % 255));
        });
        expect([...model.refs].filter(([pfn, refs]) => file.refCount(pfn) !== refs)).toEqual([]);
        expect([...model.bytes].filter(([pfn, byte]) => page(pfn)[PAGE_BYTES - 1] !== byte)).toEqual([]);
        expect(file.pageCount(UsageKind.ANONYMOUS)).toBe(model.refs.size);
        for (const { pfn, pageCount } of model.ranges) file.decRef(pfn, pageCount);
        expect(file.pageCount(UsageKind.ANONYMOUS)).toBe(0);
        file.trim();
        expect(file.committedBytes()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});

describe('MemoryFile hot path', () => {
  it('allocates nothing in the JavaScript heap', () => {
    const cycle = (times: number) => {
      for (let index = 0; index < times; index++) {
        const pfn = allocate(4);
        file.incRef(pfn, 4);
        file.decRef(pfn, 4);
        file.decRef(pfn, 4);
      }
    };
    cycle(20_000);
    // The compiler may take its time on a busy machine.
    let bytes = Infinity;
    for (let round = 0; round < 50 && bytes >= 1; round++) {
      const before = process.memoryUsage().heapUsed;
      cycle(50_000);
      bytes = Math.abs(process.memoryUsage().heapUsed - before) / 50_000;
    }
    expect(bytes).toBeLessThan(1);
  });
});

describe('createMemoryFile', () => {
  it('makes files of their own', () => {
    const other = createMemoryFile();
    const pfn = allocate(1);
    const otherPfn = other.allocate(1, UsageKind.ANONYMOUS, ANYWHERE);
    page(pfn)[0] = 1;
    expect([otherPfn, other.chunks[0]![chunkAt(otherPfn)]]).toEqual([pfn, 0]);
    other.close();
  });
});
