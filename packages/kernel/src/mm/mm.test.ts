import {
  EACCES,
  EEXIST,
  EFAULT,
  EINVAL,
  EIO,
  ENOMEM,
  EPERM,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_AS,
  RLIMIT_DATA,
  RLIMIT_STACK,
  UIO_MAXIOV,
} from '@tsv/abi';
import { PAGE_BYTES, UsageKind } from '@tsv/platform';
import { Placement } from './map-request.js';
import { SharedAnonymous } from './shared-anonymous.js';
import { FakeHostFile, MAX_ADDR, MMAP_BASE, MmFixture } from './testing/mm-fixture.js';
import { UserIo } from './user-io.js';
import { VM_DONTCOPY, VM_GROWSDOWN, VM_SHARED, VM_WIPEONFORK } from './vma.js';
import { WRITTEN_PAGES_MAX } from './written-pages.js';

const RW = PROT_READ | PROT_WRITE;
let fixture: MmFixture;

beforeEach(() => {
  fixture = new MmFixture();
});

afterEach(() => {
  expect(fixture.mismatches()).toEqual([]);
  fixture.mm.decRef();
  expect(fixture.memory.pageCount(UsageKind.ANONYMOUS)).toBe(0);
  expect(fixture.memory.pageCount(UsageKind.TMPFS)).toBe(0);
});

describe('pages that are taken from a guest whose one thread has stopped', () => {
  it.each([
    [false, 0],
    [true, 1],
  ])('wait for the host if it may feign that (%s): %d flushes', (canFeignStops, flushCount) => {
    const addr = fixture.map({ len: 2 * PAGE_BYTES });
    fixture.mirror.canFeignStops = canFeignStops;
    fixture.mirror.flushCount = 0;
    fixture.map({ len: PAGE_BYTES });
    fixture.mm.unmap(addr, PAGE_BYTES);
    expect(fixture.mirror.flushCount).toBe(flushCount);
  });
});

describe('Mm.map, mmap(2)', () => {
  it('goes down from the base and joins what is alike', () => {
    expect(fixture.map({ len: 2 * PAGE_BYTES })).toBe(MMAP_BASE - 2 * PAGE_BYTES);
    expect(fixture.map({ len: PAGE_BYTES })).toBe(MMAP_BASE - 3 * PAGE_BYTES);
    expect(fixture.mm.vmas().map((vma) => [vma.start, vma.end])).toEqual([[MMAP_BASE - 3 * PAGE_BYTES, MMAP_BASE]]);
  });
  it('fills the highest gap that is large enough', () => {
    const addrs = [1, 1, 1, 1, 1].map((count) => fixture.map({ len: count * PAGE_BYTES }));
    fixture.mm.unmap(addrs[1]!, PAGE_BYTES);
    fixture.mm.unmap(addrs[3]!, PAGE_BYTES);
    expect(fixture.map({ len: 2 * PAGE_BYTES })).toBe(addrs[4]! - 2 * PAGE_BYTES);
    expect(fixture.map({ len: PAGE_BYTES })).toBe(addrs[1]);
    expect(fixture.map({ len: PAGE_BYTES })).toBe(addrs[3]);
  });
  it('takes a wish if it is free', () => {
    expect(fixture.map({ addr: 0x10_0800 })).toBe(0x10_0000);
    expect(fixture.map({ addr: 0x10_0000 })).toBe(MMAP_BASE - PAGE_BYTES);
  });
  it.each`
    addr         | placement                    | errno
    ${0x10_0001} | ${Placement.FIXED}           | ${EINVAL}
    ${0x1000}    | ${Placement.FIXED}           | ${EPERM}
    ${MAX_ADDR}  | ${Placement.FIXED}           | ${ENOMEM}
    ${2 ** 64}   | ${Placement.FIXED}           | ${ENOMEM}
    ${0x10_0000} | ${Placement.FIXED_NOREPLACE} | ${EEXIST}
  `('$addr with placement $placement: errno $errno', ({ addr, placement, errno }: Record<string, number>) => {
    fixture.map({ addr: 0x10_0000, placement: Placement.FIXED });
    expect(fixture.map({ addr: addr!, placement: placement as Placement })).toBe(-errno!);
  });
  it('replaces with MAP_FIXED, and the pages are new', () => {
    const addr = fixture.map({ len: 3 * PAGE_BYTES });
    for (let i = 0; i < 3; i++) fixture.guestStore(addr + i * PAGE_BYTES, 7);
    fixture.map({ addr: addr + PAGE_BYTES, placement: Placement.FIXED });
    expect([0, 1, 2].map((i) => fixture.guestLoad(addr + i * PAGE_BYTES))).toEqual([7, 0, 7]);
  });
  it('MAP_32BIT stays below 2 GiB', () => {
    expect(fixture.map({ placement: Placement.BELOW_2GIB })).toBe(0x4000_0000);
  });
  it('maps private memory at once: the guest does not fault', () => {
    const addr = fixture.map({ len: 64 * PAGE_BYTES });
    expect(fixture.mirror.pages.size).toBe(64);
    expect(fixture.mirror.pages.get(addr)!.prot).toBe(RW);
  });
  it('keeps to RLIMIT_AS and RLIMIT_DATA', () => {
    fixture.mm.limits.set(RLIMIT_DATA, 4 * PAGE_BYTES, Infinity);
    expect(fixture.map({ len: 5 * PAGE_BYTES })).toBe(-ENOMEM);
    expect(fixture.map({ len: 4 * PAGE_BYTES })).toBeGreaterThan(0);
    fixture.mm.limits.set(RLIMIT_AS, 8 * PAGE_BYTES, Infinity);
    expect(fixture.map({ len: 5 * PAGE_BYTES, prot: PROT_READ })).toBe(-ENOMEM);
    expect(fixture.map({ len: 4 * PAGE_BYTES, prot: PROT_READ })).toBeGreaterThan(0);
  });
  it('gives up what it did when the host refuses', () => {
    const file = new FakeHostFile(9, new Uint8Array(PAGE_BYTES));
    fixture.mirror.flushResult = -EPERM;
    expect(fixture.map({ mappable: file, file: file.file, prot: PROT_READ })).toBe(-EPERM);
    expect([fixture.mm.vmas().length, file.refCount, file.mappingCount]).toEqual([0, 0, 0]);
    fixture.mirror.flushResult = 0;
  });
  it('asks the host at once only whether it maps a file of a kind that it has not mapped yet', () => {
    const file = new FakeHostFile(9, new Uint8Array(PAGE_BYTES));
    const map = (flags: number): number =>
      fixture.map({ mappable: file, file: file.file, prot: PROT_READ, len: PAGE_BYTES, flags });
    expect(map(0)).toBeGreaterThan(0);
    fixture.mirror.flushResult = -EPERM;
    expect(map(0)).toBeGreaterThan(0);
    expect(map(VM_SHARED)).toBe(-EPERM);
    fixture.mirror.flushResult = 0;
  });
  it('reserves terabytes without pages, and fills windows on demand', () => {
    const addr = fixture.map({ len: 2 ** 42, prot: PROT_NONE });
    expect(fixture.mirror.pages.size).toBe(0);
    expect(fixture.mm.handleFault(addr, true, false)).toBe(-EACCES);
    fixture.mm.protect(addr, addr + 2 ** 30, RW);
    expect(fixture.mirror.pages.size).toBe(0);
    expect(fixture.guestStore(addr + 5 * PAGE_BYTES, 1)).toBe(0);
    expect(fixture.mirror.pages.size).toBe(512);
    fixture.mm.unmap(addr, 2 ** 42);
  });
});

describe('Mm.protect, mprotect(2)', () => {
  it('splits and joins mappings', () => {
    const addr = fixture.map({ len: 3 * PAGE_BYTES });
    fixture.mm.protect(addr + PAGE_BYTES, addr + 2 * PAGE_BYTES, PROT_NONE);
    expect(fixture.mm.vmas().map((vma) => vma.prot)).toEqual([RW, PROT_NONE, RW]);
    expect(fixture.guestLoad(addr + PAGE_BYTES)).toBe(-EACCES);
    expect(fixture.mm.handleFault(addr, false, true)).toBe(-EACCES);
    expect(fixture.mismatches()).toEqual([]);
    fixture.mm.protect(addr + PAGE_BYTES, addr + 2 * PAGE_BYTES, RW);
    expect(fixture.mm.vmas()).toHaveLength(1);
  });
  it('keeps copy-on-write pages read-only in the platform', () => {
    const addr = fixture.map({});
    fixture.guestStore(addr, 1);
    const child = fixture.fork();
    fixture.mm.protect(addr, addr + PAGE_BYTES, PROT_READ);
    fixture.mm.protect(addr, addr + PAGE_BYTES, RW);
    expect(fixture.mirror.pages.get(addr)!.prot).toBe(PROT_READ);
    fixture.guestStore(addr, 2);
    expect([fixture.guestLoad(addr), child.guestLoad(addr)]).toEqual([2, 1]);
    child.mm.decRef();
  });
  it('counts RLIMIT_DATA', () => {
    const addr = fixture.map({ len: 4 * PAGE_BYTES, prot: PROT_READ });
    fixture.mm.limits.set(RLIMIT_DATA, 2 * PAGE_BYTES, Infinity);
    expect(fixture.mm.protect(addr, addr + 3 * PAGE_BYTES, RW)).toBe(-ENOMEM);
    expect(fixture.mm.protect(addr, addr + 2 * PAGE_BYTES, RW)).toBe(0);
    expect(fixture.mm.dataBytes).toBe(2 * PAGE_BYTES);
  });
});

describe('Mm.brk, brk(2)', () => {
  const start = 0x60_0000;
  beforeEach(() => {
    fixture.mm.brkStart = fixture.mm.brkEnd = start;
  });
  it('grows and shrinks, to the byte', () => {
    expect(fixture.mm.brk(0)).toBe(start);
    expect(fixture.mm.brk(start + 5000)).toBe(start + 5000);
    expect(fixture.guestStore(start + 8191, 1)).toBe(0);
    expect(fixture.mm.brk(start + 10)).toBe(start + 10);
    expect(fixture.guestLoad(start + 4096)).toBe(-EFAULT);
    expect(fixture.mm.vmas()[0]!.name).toBe('[heap]');
    expect(fixture.mm.brk(start)).toBe(start);
    expect(fixture.mm.vmas()).toHaveLength(0);
  });
  it('stays where it is below its start, at a mapping and at RLIMIT_DATA', () => {
    fixture.mm.brk(start + PAGE_BYTES);
    expect(fixture.mm.brk(start - 1)).toBe(start + PAGE_BYTES);
    fixture.map({ addr: start + 4 * PAGE_BYTES, placement: Placement.FIXED });
    expect(fixture.mm.brk(start + 4 * PAGE_BYTES)).toBe(start + 4 * PAGE_BYTES);
    expect(fixture.mm.brk(start + 4 * PAGE_BYTES + 1)).toBe(start + 4 * PAGE_BYTES);
    fixture.mm.unmap(start + 4 * PAGE_BYTES, PAGE_BYTES);
    fixture.mm.limits.set(RLIMIT_DATA, 4 * PAGE_BYTES, Infinity);
    expect(fixture.mm.brk(start + 5 * PAGE_BYTES)).toBe(start + 4 * PAGE_BYTES);
  });
});

describe('a growing stack', () => {
  const top = 0x7fff_0000_0000;
  const mapStack = () =>
    fixture.map({ addr: top - PAGE_BYTES, placement: Placement.FIXED, flags: VM_GROWSDOWN, name: '[stack]' });
  it('grows to where it is touched, by guest and kernel', () => {
    mapStack();
    expect(fixture.guestStore(top - 100 * PAGE_BYTES, 1)).toBe(0);
    expect(fixture.mm.copyOut(top - 500 * PAGE_BYTES, new Uint8Array(8), 0, 8)).toBe(0);
    expect(fixture.mm.vmas()).toHaveLength(1);
  });
  it('ends at RLIMIT_STACK', () => {
    mapStack();
    fixture.mm.limits.set(RLIMIT_STACK, 64 * PAGE_BYTES, Infinity);
    expect(fixture.guestStore(top - 65 * PAGE_BYTES, 1)).toBe(-EFAULT);
    expect(fixture.guestStore(top - 64 * PAGE_BYTES, 1)).toBe(0);
  });
  it('keeps a gap of 256 pages to what lies below', () => {
    mapStack();
    const below = top - 1000 * PAGE_BYTES;
    fixture.map({ addr: below, placement: Placement.FIXED });
    expect(fixture.guestStore(below + 256 * PAGE_BYTES, 1)).toBe(-EFAULT);
    expect(fixture.guestStore(below + 257 * PAGE_BYTES, 1)).toBe(0);
    expect(fixture.map({ addr: below + 10 * PAGE_BYTES })).not.toBe(below + 10 * PAGE_BYTES);
  });
});

describe('Mm.fork', () => {
  it('copies private pages when they are written, several at once', () => {
    const addr = fixture.map({ len: 64 * PAGE_BYTES });
    for (let i = 0; i < 64; i++) fixture.guestStore(addr + i * PAGE_BYTES, i);
    const child = fixture.fork();
    expect(child.guestStore(addr + 20 * PAGE_BYTES, 99)).toBe(0);
    expect(fixture.memory.pageCount(UsageKind.ANONYMOUS)).toBe(64 + 16);
    expect(child.mismatches()).toEqual([]);
    expect([fixture.guestLoad(addr + 20 * PAGE_BYTES), child.guestLoad(addr + 21 * PAGE_BYTES)]).toEqual([20, 21]);
    child.mm.decRef();
  });
  it('writes to pages that nobody shares any more in place', () => {
    const addr = fixture.map({ len: 4 * PAGE_BYTES });
    fixture.guestStore(addr, 1);
    fixture.fork().mm.decRef();
    const { pfn } = fixture.mirror.pages.get(addr)!;
    fixture.guestStore(addr, 2);
    expect(fixture.mirror.pages.get(addr)).toMatchObject({ pfn, prot: RW });
  });
  it('copies at once what was written after the last fork, by either side', () => {
    const addr = fixture.map({ len: 64 * PAGE_BYTES });
    const [ofParent, ofChild] = [addr + 8 * PAGE_BYTES, addr + 40 * PAGE_BYTES];
    for (const page of [addr, ofParent, ofChild]) fixture.guestStore(page, 1);
    const first = fixture.fork();
    fixture.guestStore(ofParent, 2);
    first.guestStore(ofChild, 3);
    first.mm.decRef();

    const child = fixture.fork();
    const writable = [addr, ofParent, ofChild].map((page) =>
      [fixture, child].map(({ mirror }) => mirror.pages.get(page)!.prot === RW),
    );
    expect(writable).toEqual([
      [false, false],
      [true, true],
      [false, true],
    ]);
    expect(child.mismatches()).toEqual([]);
    fixture.guestStore(ofParent, 4);
    child.guestStore(ofParent, 5);
    child.guestStore(ofChild, 6);
    expect([fixture, child].map((of) => [of.guestLoad(ofParent), of.guestLoad(ofChild)])).toEqual([
      [4, 1],
      [5, 6],
    ]);
    child.mm.decRef();
  });
  it('copies nothing at once while another thread may write', () => {
    const addr = fixture.map({});
    fixture.guestStore(addr, 1);
    fixture.fork().mm.decRef();
    fixture.guestStore(addr, 2);
    fixture.mm.incRef();
    const child = fixture.fork();
    expect(fixture.mirror.pages.get(addr)!.prot).toBe(PROT_READ);
    child.mm.decRef();
    fixture.mm.decRef();
  });
  it('copies at once what a child has of it, and no more than is remembered', () => {
    const addr = fixture.map({ len: 64 * PAGE_BYTES });
    const pages = Array.from({ length: WRITTEN_PAGES_MAX + 2 }, (_, i) => addr + 2 * i * PAGE_BYTES);
    const [wiped, leftOut] = [pages.at(-1)!, pages.at(-2)!];
    for (const page of pages) {
      fixture.guestStore(page, 1);
      fixture.fork().mm.decRef();
      fixture.guestStore(page, 2);
    }
    fixture.mm.addressMap.setFlags(wiped, wiped + PAGE_BYTES, VM_WIPEONFORK, 0);
    fixture.mm.addressMap.setFlags(leftOut, leftOut + PAGE_BYTES, VM_DONTCOPY, 0);
    const child = fixture.fork();
    expect(child.mismatches()).toEqual([]);
    expect(pages.filter((page) => child.mirror.pages.get(page)?.prot === RW)).toEqual(pages.slice(2, -2));
    expect([child.guestLoad(wiped), child.guestLoad(leftOut)]).toEqual([0, -EFAULT]);
    child.mm.decRef();
  });
  it('shares shared memory', () => {
    const mappable = new SharedAnonymous(fixture.memory, 2 * PAGE_BYTES);
    const addr = fixture.map({ len: 2 * PAGE_BYTES, flags: VM_SHARED, mappable });
    const child = fixture.fork();
    child.guestStore(addr, 5);
    expect(fixture.guestLoad(addr)).toBe(5);
    expect(child.mm.futexKey(addr, false)).toBe(fixture.mm.futexKey(addr, false));
    expect([child.mm.futexMm(addr, false), child.mm.futexMm(addr, true)]).toEqual([null, child.mm]);
    child.mm.decRef();
  });
});

describe('a mapped host file', () => {
  const contents = Uint8Array.from({ length: 3 * PAGE_BYTES - 100 }, (_, i) => i % 251);
  let file: FakeHostFile;
  const mapFile = (prot: number, flags = 0, len = 4 * PAGE_BYTES) =>
    fixture.map({ mappable: file, file: file.file, prot, flags, len });
  beforeEach(() => {
    file = new FakeHostFile(9, contents.slice());
  });
  it('is mapped directly, and read as a file by the kernel', () => {
    const addr = mapFile(PROT_READ | PROT_EXEC);
    expect(fixture.mirror.pages.get(addr + PAGE_BYTES)).toMatchObject({ hostFd: 9, fileOffset: PAGE_BYTES, pfn: -1 });
    const dst = new Uint8Array(200);
    expect(fixture.mm.copyIn(dst, 0, addr + PAGE_BYTES - 100, 200)).toBe(0);
    expect(dst).toEqual(contents.slice(PAGE_BYTES - 100, PAGE_BYTES + 100));
    fixture.mm.copyIn(dst, 0, addr + PAGE_BYTES - 100, 200);
    expect(file.readCount).toBe(2);
    expect(fixture.memory.pageCount(UsageKind.ANONYMOUS)).toBe(0);
  });
  it('reads zeros behind its end in the last page, and nothing behind that', () => {
    const addr = mapFile(PROT_READ);
    expect(fixture.mm.load32(addr + 3 * PAGE_BYTES - 4)).toBe(0);
    expect(fixture.mm.load32(addr + 3 * PAGE_BYTES)).toBeNaN();
  });
  it('is copied when it is private and small and writable', () => {
    const addr = mapFile(RW);
    expect([...fixture.mirror.pages.values()].map((page) => page.hostFd)).toEqual([-1, -1, -1, 9]);
    expect(fixture.guestStore(addr, 200)).toBe(0);
    expect(file.bytes[0]).toBe(0);
    expect(fixture.guestStore(addr + 3 * PAGE_BYTES, 1)).toBe(-EIO);
  });
  it('is copied around a write when it became writable', () => {
    const addr = mapFile(PROT_READ);
    fixture.mm.protect(addr, addr + 4 * PAGE_BYTES, RW);
    expect(fixture.mirror.pages.get(addr)!.prot).toBe(PROT_READ);
    expect(fixture.mm.store32(addr + 8, 1)).toBe(0);
    expect([fixture.mm.load32(addr + 8), fixture.guestLoad(addr + 1), file.bytes[8]]).toEqual([1, 1, 8]);
  });
  it('is written as a file by the kernel when it is shared', () => {
    const addr = mapFile(RW, VM_SHARED);
    expect(fixture.mm.copyOut(addr + PAGE_BYTES - 2, Uint8Array.of(1, 2, 3, 4), 0, 4)).toBe(0);
    expect([...file.bytes.slice(PAGE_BYTES - 2, PAGE_BYTES + 2)]).toEqual([1, 2, 3, 4]);
    file.bytes[PAGE_BYTES] = 77;
    expect(fixture.mm.load32(addr + PAGE_BYTES) % 256).toBe(77);
  });
  it('holds the file while it is mapped, in pieces and in children', () => {
    const addr = mapFile(PROT_READ);
    fixture.mm.protect(addr + PAGE_BYTES, addr + 2 * PAGE_BYTES, PROT_NONE);
    const child = fixture.fork();
    fixture.mm.unmap(addr, 4 * PAGE_BYTES);
    expect([file.refCount, file.mappingCount]).toEqual([3, 1]);
    child.mm.decRef();
    expect([file.refCount, file.mappingCount]).toEqual([0, 0]);
  });
  it('loses its copies when it is truncated', () => {
    const addr = mapFile(RW);
    file.bytes = file.bytes.slice(0, PAGE_BYTES);
    fixture.mm.addressMap.invalidated(file, 1);
    expect(fixture.mirror.pages.get(addr + PAGE_BYTES)!.hostFd).toBe(9);
    expect(fixture.guestStore(addr + PAGE_BYTES, 1)).toBe(-EIO);
    expect(fixture.guestStore(addr, 1)).toBe(0);
  });
});

describe('guest memory access', () => {
  it.each([0, 1, MAX_ADDR - 2, 2 ** 47, 2 ** 63, 2 ** 64])('address %d is EFAULT', (addr) => {
    const bytes = new Uint8Array(8);
    expect(fixture.mm.copyIn(bytes, 0, addr, 8)).toBe(-EFAULT);
    expect(fixture.mm.copyOut(addr, bytes, 0, 8)).toBe(-EFAULT);
    expect(fixture.mm.load32(addr)).toBeNaN();
    expect(fixture.mm.store64(addr, 1)).toBe(-EFAULT);
    expect(fixture.mm.cas32(addr, 0, 1)).toBeNaN();
    expect(fixture.mm.copyInString(addr, 10)).toBe(-EFAULT);
  });
  it('keeps to protections', () => {
    const addr = fixture.map({ len: 2 * PAGE_BYTES });
    fixture.mm.protect(addr + PAGE_BYTES, addr + 2 * PAGE_BYTES, PROT_READ);
    expect(fixture.mm.store32(addr + PAGE_BYTES - 4, 5)).toBe(0);
    expect(fixture.mm.store32(addr + PAGE_BYTES - 2, 5)).toBe(-EFAULT);
    expect(fixture.mm.store32(addr + PAGE_BYTES, 5)).toBe(-EFAULT);
    expect(fixture.mm.load32(addr + PAGE_BYTES)).toBe(0);
    fixture.mm.protect(addr, addr + PAGE_BYTES, PROT_NONE);
    expect(fixture.mm.load32(addr)).toBeNaN();
  });
  it('stores and loads words', () => {
    const addr = fixture.map({});
    fixture.mm.store32(addr, 0xdead_beef);
    fixture.mm.store64(addr + 8, -2);
    expect([fixture.mm.load32(addr), fixture.mm.load32(addr + 12)]).toEqual([0xdead_beef, 0xffff_ffff]);
    fixture.mm.store64(addr + 8, 2 ** 50 + 3);
    expect(fixture.mm.load64(addr + 8)).toBe(2 ** 50 + 3);
    expect(fixture.mm.cas32(addr, 0xdead_beef, 7)).toBe(0xdead_beef);
    expect(fixture.mm.cas32(addr, 0, 8)).toBe(7);
    expect(fixture.mm.load32(addr)).toBe(7);
    expect(fixture.mm.cas32(addr + 2, 0, 8)).toBeNaN();
  });
  it('reads strings up to their NUL', () => {
    const addr = fixture.map({ len: 2 * PAGE_BYTES });
    const text = Uint8Array.from('h\u00e9llo\0', (c) => c.charCodeAt(0));
    fixture.mm.copyOut(addr + PAGE_BYTES - 3, text, 0, text.length);
    expect(fixture.mm.copyInString(addr + PAGE_BYTES - 3, 100)).toBe('h\u00e9llo');
    expect(fixture.mm.copyInString(addr + PAGE_BYTES - 3, 5)).toBe(-36);
    fixture.mm.store64(addr, addr + PAGE_BYTES - 3);
    fixture.mm.store64(addr + 8, addr + PAGE_BYTES - 2);
    expect(fixture.mm.copyInStringArray(addr, 1000)).toEqual(['h\u00e9llo', '\u00e9llo']);
    expect(fixture.mm.copyInStringArray(addr, 20)).toBe(-7);
  });
});

describe('UserIo, readv(2)', () => {
  const io = new UserIo();
  it('goes over pieces', () => {
    const addr = fixture.map({ len: 2 * PAGE_BYTES });
    const iov = [addr + 100, 3, addr + 300, 0, addr + PAGE_BYTES - 1, 2];
    iov.forEach((word, i) => fixture.mm.store64(addr + i * 8, word));
    expect(io.resetVec(fixture.mm, addr, 3, true)).toBe(0);
    expect(io.remaining).toBe(5);
    expect(io.put(Uint8Array.of(1, 2, 3, 4, 5), 0, 5)).toBe(5);
    expect(fixture.guestLoad(addr + PAGE_BYTES)).toBe(5);
    expect(io.put(Uint8Array.of(9), 0, 1)).toBe(0);
  });
  it('moves what it can before a fault', () => {
    const addr = fixture.map({});
    expect(io.reset(fixture.mm, addr + PAGE_BYTES - 4, 10, false)).toBe(0);
    expect(io.take(new Uint8Array(10), 0, 10)).toBe(4);
    expect(io.take(new Uint8Array(10), 0, 6)).toBe(-EFAULT);
  });
  it.each`
    name                   | words                | count             | errno
    ${'a negative length'} | ${[0x1000, 2 ** 63]} | ${1}              | ${EINVAL}
    ${'too many'}          | ${[]}                | ${UIO_MAXIOV + 1} | ${EINVAL}
    ${'a kernel address'}  | ${[2 ** 63, 1]}      | ${1}              | ${EFAULT}
    ${'the most'}          | ${[]}                | ${UIO_MAXIOV}     | ${0}
  `('$name: errno $errno', ({ words, count, errno }: { words: number[]; count: number; errno: number }) => {
    const addr = fixture.map({ len: 4 * PAGE_BYTES });
    words.forEach((word, i) => {
      const halves = new Uint8Array(8);
      new DataView(halves.buffer).setBigUint64(0, BigInt(word), true);
      fixture.mm.copyOut(addr + i * 8, halves, 0, 8);
    });
    expect(io.resetVec(fixture.mm, addr, count, false)).toBe(errno === 0 ? 0 : -errno);
  });
  it('is EFAULT beyond the user addresses', () => {
    expect(io.reset(fixture.mm, MAX_ADDR - 4, 5, false)).toBe(-EFAULT);
  });
});
