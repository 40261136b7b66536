import {
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  MADV_COLD,
  MADV_DONTNEED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_PAGEOUT,
  MADV_REMOVE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_SYNC,
  MCL_FUTURE,
  MCL_ONFAULT,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_MEMLOCK,
  SYS_brk,
  SYS_fork,
  SYS_madvise,
  SYS_mincore,
  SYS_mlock,
  SYS_mlock2,
  SYS_mlockall,
  SYS_mmap,
  SYS_mprotect,
  SYS_mremap,
  SYS_msync,
  SYS_munlock,
  SYS_munlockall,
  SYS_munmap,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { MemoryIo } from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { FakeAddressSpace } from '../testing/fake-platform.js';
import { BAD_ADDR, TestKernel } from '../testing/test-kernel.js';

const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const P = PAGE_BYTES;

let k: TestKernel;
let task: Task;
beforeEach(() => {
  k = new TestKernel();
  task = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
});

const mmap = (len: number, prot = RW, flags = ANON, fd = -1, offset = 0, addr = 0) =>
  k.call(task, SYS_mmap, addr, len, prot, flags, fd, offset);
const load = (addr: number) => task.mm.load32(addr);

/** Opens a file of two pages: bytes 1 and 2. */
function openFile(flags: number, path = '/tmp-file'): number {
  const root = k.spawn();
  const writer = k.kernel.vfs.open(root, path, O_CREAT | O_WRONLY, 0o666);
  if (typeof writer === 'number') throw new Error(`open: ${writer}`);
  writer.write(new MemoryIo(new Uint8Array(2 * P).fill(1, 0, P).fill(2, P)), root);
  writer.decRef();
  const file = k.kernel.vfs.open(root, path, flags);
  if (typeof file === 'number') throw new Error(`open: ${file}`);
  return task.fds.install(file, 0, false);
}

describe('mmap(2)', () => {
  it.each`
    name                      | len        | prot  | flags                                         | fd    | offset | addr       | errno
    ${'length 0'}             | ${0}       | ${RW} | ${ANON}                                       | ${-1} | ${0}   | ${0}       | ${EINVAL}
    ${'no type'}              | ${P}       | ${RW} | ${MAP_ANONYMOUS}                              | ${-1} | ${0}   | ${0}       | ${EINVAL}
    ${'an odd offset'}        | ${P}       | ${RW} | ${ANON}                                       | ${-1} | ${1}   | ${0}       | ${EINVAL}
    ${'a closed descriptor'}  | ${P}       | ${RW} | ${MAP_PRIVATE}                                | ${99} | ${0}   | ${0}       | ${EBADF}
    ${'more than there is'}   | ${2 ** 47} | ${RW} | ${ANON}                                       | ${-1} | ${0}   | ${0}       | ${ENOMEM}
    ${'below mmap_min_addr'}  | ${P}       | ${RW} | ${ANON | MAP_FIXED}                           | ${-1} | ${0}   | ${P}       | ${EPERM}
    ${'an odd fixed address'} | ${P}       | ${RW} | ${ANON | MAP_FIXED}                           | ${-1} | ${0}   | ${0x20001} | ${EINVAL}
    ${'shared, growing down'} | ${P}       | ${RW} | ${MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN} | ${-1} | ${0}   | ${0}       | ${EINVAL}
    ${'huge pages'}           | ${P}       | ${RW} | ${ANON | MAP_HUGETLB}                         | ${-1} | ${0}   | ${0}       | ${ENOMEM}
    ${'validated anonymous'}  | ${P}       | ${RW} | ${MAP_SHARED_VALIDATE | MAP_ANONYMOUS}        | ${-1} | ${0}   | ${0}       | ${EINVAL}
  `('$name: errno $errno', ({ len, prot, flags, fd, offset, addr, errno }: Record<string, number>) => {
    expect(mmap(len!, prot, flags, fd, offset, addr)).toBe(-errno!);
  });
  it('EOVERFLOW for an offset that is not exact', () => {
    const fd = openFile(O_RDONLY);
    expect(mmap(P, PROT_READ, MAP_PRIVATE, fd, 2 ** 53)).toBe(-EOVERFLOW);
    expect(mmap(P, PROT_READ, MAP_PRIVATE, fd, 2 ** 53 - P)).toBeGreaterThan(0);
  });
  it('EEXIST with MAP_FIXED_NOREPLACE', () => {
    const addr = mmap(P);
    expect(mmap(P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0, addr)).toBe(-EEXIST);
  });
  it.each`
    name                      | open        | prot         | flags                             | errno
    ${'write-only'}           | ${O_WRONLY} | ${PROT_READ} | ${MAP_PRIVATE}                    | ${EACCES}
    ${'shared and read-only'} | ${O_RDONLY} | ${RW}        | ${MAP_SHARED}                     | ${EACCES}
    ${'MAP_SYNC'}             | ${O_RDWR}   | ${RW}        | ${MAP_SHARED_VALIDATE | MAP_SYNC} | ${EOPNOTSUPP}
    ${'huge pages of a file'} | ${O_RDWR}   | ${RW}        | ${MAP_SHARED | MAP_HUGETLB}       | ${EINVAL}
    ${'a growing file'}       | ${O_RDWR}   | ${RW}        | ${MAP_PRIVATE | MAP_GROWSDOWN}    | ${EINVAL}
  `('a file, $name: errno $errno', ({ open, prot, flags, errno }: Record<string, number>) => {
    expect(mmap(P, prot, flags, openFile(open!))).toBe(-errno!);
  });
  it('ENODEV for a directory', () => {
    const dir = k.kernel.vfs.open(k.spawn(), '/', O_RDONLY);
    if (typeof dir === 'number') throw new Error(`open: ${dir}`);
    expect(mmap(P, PROT_READ, MAP_PRIVATE, task.fds.install(dir, 0, false))).toBe(-ENODEV);
  });
  it('maps a file in memory: shared writes reach it, private ones do not', () => {
    const fd = openFile(O_RDWR);
    const shared = mmap(2 * P, RW, MAP_SHARED, fd);
    const other = mmap(2 * P, RW, MAP_PRIVATE, fd);
    expect([load(shared), load(other + P)]).toEqual([0x0101_0101, 0x0202_0202]);
    task.mm.store32(shared, 7);
    task.mm.store32(other + P, 8);
    expect([load(other), load(shared + P), load(other + P)]).toEqual([7, 0x0202_0202, 8]);
  });
  it('has nothing behind the end of a file', () => {
    const addr = mmap(4 * P, PROT_READ, MAP_SHARED, openFile(O_RDWR));
    expect(load(addr + P)).toBe(0x0202_0202);
    expect(load(addr + 2 * P)).toBeNaN();
  });
});

describe('mprotect(2) and munmap(2)', () => {
  it('errors', () => {
    const addr = mmap(2 * P);
    expect(k.call(task, SYS_mprotect, addr + 1, P, RW)).toBe(-EINVAL);
    expect(k.call(task, SYS_mprotect, addr, P, 0x100)).toBe(-EINVAL);
    expect(k.call(task, SYS_mprotect, BAD_ADDR, P, RW)).toBe(-ENOMEM);
    expect(k.call(task, SYS_mprotect, mmap(P, PROT_READ, MAP_SHARED, openFile(O_RDONLY)), P, RW)).toBe(-EACCES);
    expect(k.call(task, SYS_munmap, addr, 0)).toBe(-EINVAL);
    expect(k.call(task, SYS_munmap, addr + 1, P)).toBe(-EINVAL);
    expect(k.call(task, SYS_munmap, 2 ** 50, P)).toBe(-EINVAL);
    expect(k.call(task, SYS_munmap, BAD_ADDR, P)).toBe(0);
  });
  it('munmap leaves to the platform what lies below the first address of guests', () => {
    mmap(P);
    expect(k.call(task, SYS_munmap, 0, P)).toBe(0);
    expect(k.call(task, SYS_munmap, 0, task.mm.layout.maxAddr)).toBe(0);
    expect(task.mm.vmBytes).toBe(0);
  });
  it('changes what lies before a hole', () => {
    const addr = mmap(4 * P);
    k.call(task, SYS_munmap, addr + 2 * P, P);
    expect(k.call(task, SYS_mprotect, addr, 4 * P, PROT_NONE)).toBe(-ENOMEM);
    expect([load(addr), load(addr + 3 * P)]).toEqual([NaN, 0]);
  });
});

describe('mremap(2)', () => {
  it.each`
    name                         | oldLen   | newLen    | flags                                | newAddr    | errno
    ${'unknown flags'}           | ${P}     | ${P}      | ${8}                                 | ${0}       | ${EINVAL}
    ${'fixed without may move'}  | ${P}     | ${P}      | ${MREMAP_FIXED}                      | ${0}       | ${EINVAL}
    ${'new length 0'}            | ${P}     | ${0}      | ${MREMAP_MAYMOVE}                    | ${0}       | ${EINVAL}
    ${'no room'}                 | ${P}     | ${3 * P}  | ${0}                                 | ${0}       | ${ENOMEM}
    ${'private, old length 0'}   | ${0}     | ${P}      | ${MREMAP_MAYMOVE}                    | ${0}       | ${EINVAL}
    ${'longer than the mapping'} | ${9 * P} | ${10 * P} | ${MREMAP_MAYMOVE}                    | ${0}       | ${EFAULT}
    ${'another length'}          | ${P}     | ${2 * P}  | ${MREMAP_MAYMOVE | MREMAP_DONTUNMAP} | ${0}       | ${EINVAL}
    ${'an odd target'}           | ${P}     | ${P}      | ${MREMAP_MAYMOVE | MREMAP_FIXED}     | ${0x20001} | ${EINVAL}
  `('$name: errno $errno', ({ oldLen, newLen, flags, newAddr, errno }: Record<string, number>) => {
    const addr = mmap(2 * P);
    expect(k.call(task, SYS_mremap, addr, oldLen!, newLen!, flags!, newAddr!)).toBe(-errno!);
  });
  it('moves pages, or leaves an empty mapping behind', () => {
    mmap(P);
    const addr = mmap(P);
    task.mm.store32(addr, 5);
    const moved = k.call(task, SYS_mremap, addr, P, 4 * P, MREMAP_MAYMOVE, 0);
    expect([load(moved), load(moved + 3 * P), load(addr)]).toEqual([5, 0, NaN]);
    const again = k.call(task, SYS_mremap, moved, P, P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    expect([load(again), load(moved)]).toEqual([5, 0]);
  });
  it('takes pages for what is new only, not for what it moves', () => {
    mmap(P);
    const addr = mmap(64 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE);
    for (let page = 0; page < 64; page++) task.mm.store32(addr + page * P, page + 1);
    const allocate = jest.spyOn(k.memoryFile, 'allocate');
    const moved = k.call(task, SYS_mremap, addr, 64 * P, 65 * P, MREMAP_MAYMOVE, 0);
    const away = k.call(task, SYS_mremap, moved, 65 * P, 65 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    const pageCount = allocate.mock.calls.reduce((sum, [count]) => sum + count, 0);
    expect(pageCount).toBeLessThanOrEqual(1);
    expect([load(away), load(away + 63 * P), load(away + 64 * P)]).toEqual([1, 64, 0]);
    expect(moved).not.toBe(addr);
  });
});

describe('what the host is asked for', () => {
  it('is one change for each call, of all its pages', () => {
    const space = task.mm.addressSpace;
    if (!(space instanceof FakeAddressSpace)) throw new Error('it is of another platform');
    const { changes } = space;
    const asked = (call: () => unknown): string[] => {
      changes.length = 0;
      call();
      return changes.map(({ op, len }) => `${op} ${len / P}`);
    };
    let addr = 0;
    expect(asked(() => (addr = mmap(16 * P)))).toEqual(['memory 16']);
    expect(asked(() => task.mm.store32(addr, 1))).toEqual([]);
    expect(asked(() => k.call(task, SYS_mprotect, addr, 16 * P, PROT_READ))).toEqual(['protect 16']);
    expect(asked(() => k.call(task, SYS_munmap, addr, 16 * P))).toEqual(['unmap 16']);
  });
});

describe('madvise(2)', () => {
  it('throws private pages away', () => {
    const addr = mmap(2 * P);
    task.mm.store32(addr, 5);
    k.call(task, SYS_fork);
    task.mm.store32(addr + P, 6);
    expect(k.call(task, SYS_madvise, addr, 2 * P, MADV_DONTNEED)).toBe(0);
    expect([load(addr), load(addr + P)]).toEqual([0, 0]);
  });
  it('takes no page to throw away, to free or to advise', () => {
    const addr = mmap(16 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE);
    const allocate = jest.spyOn(k.memoryFile, 'allocate');
    for (const advice of [MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_HUGEPAGE, MADV_FREE, MADV_DONTNEED])
      expect([advice, k.call(task, SYS_madvise, addr + P, 8 * P, advice)]).toEqual([advice, 0]);
    expect(allocate).not.toHaveBeenCalled();
  });
  it('removes shared pages', () => {
    const addr = mmap(P, RW, MAP_SHARED | MAP_ANONYMOUS);
    task.mm.store32(addr, 5);
    expect(k.call(task, SYS_madvise, addr, P, MADV_DONTNEED)).toBe(0);
    expect(load(addr)).toBe(5);
    expect(k.call(task, SYS_madvise, addr, P, MADV_REMOVE)).toBe(0);
    expect(load(addr)).toBe(0);
  });
  it('wipes pages of children', () => {
    const addr = mmap(P);
    task.mm.store32(addr, 5);
    k.call(task, SYS_madvise, addr, P, MADV_WIPEONFORK);
    const child = k.task(k.call(task, SYS_fork));
    expect([load(addr), child.mm.load32(addr)]).toEqual([5, 0]);
  });
  it('errors', () => {
    const addr = mmap(P);
    const shared = mmap(P, RW, MAP_SHARED | MAP_ANONYMOUS);
    expect(k.call(task, SYS_madvise, addr, P, 4711)).toBe(-EINVAL);
    expect(k.call(task, SYS_madvise, addr + 1, P, MADV_DONTNEED)).toBe(-EINVAL);
    expect(k.call(task, SYS_madvise, BAD_ADDR, P, MADV_DONTNEED)).toBe(-ENOMEM);
    expect(k.call(task, SYS_madvise, shared, P, MADV_FREE)).toBe(-EINVAL);
    expect(k.call(task, SYS_madvise, addr, P, MADV_REMOVE)).toBe(-EINVAL);
    expect(k.call(task, SYS_madvise, mmap(P, PROT_READ, MAP_SHARED, openFile(O_RDONLY)), P, MADV_REMOVE)).toBe(-EACCES);
  });
});

describe('mlock(2) and kin', () => {
  it('count against RLIMIT_MEMLOCK', () => {
    task.threadGroup.limits.set(RLIMIT_MEMLOCK, 2 * P, 2 * P);
    const addr = mmap(4 * P);
    expect(k.call(task, SYS_mlock, addr, 2 * P)).toBe(0);
    expect(k.call(task, SYS_mlock, addr, 2 * P)).toBe(0);
    expect(k.call(task, SYS_mlock, addr + 2 * P, P)).toBe(-ENOMEM);
    expect(mmap(P, RW, ANON | MAP_LOCKED)).toBe(-EAGAIN);
    expect(k.call(task, SYS_munlock, addr, 2 * P)).toBe(0);
    expect(task.mm.lockedBytes).toBe(0);
    expect(k.call(task, SYS_mlockall, MCL_FUTURE)).toBe(0);
    expect(mmap(3 * P)).toBe(-EAGAIN);
    expect(k.call(task, SYS_munlockall)).toBe(0);
    expect(mmap(3 * P)).toBeGreaterThan(0);
  });
  it('errors', () => {
    expect(k.call(task, SYS_mlock, BAD_ADDR, P)).toBe(-ENOMEM);
    expect(k.call(task, SYS_mlock2, BAD_ADDR, P, 2)).toBe(-EINVAL);
    expect(k.call(task, SYS_mlockall, 0)).toBe(-EINVAL);
    expect(k.call(task, SYS_mlockall, MCL_ONFAULT)).toBe(-EINVAL);
    task.threadGroup.limits.set(RLIMIT_MEMLOCK, 0, 0);
    expect(k.call(task, SYS_mlock, BAD_ADDR, P)).toBe(-EPERM);
  });
});

describe('msync(2), mincore(2) and brk(2)', () => {
  it('msync errors', () => {
    const addr = mmap(P);
    expect(k.call(task, SYS_msync, addr, P, MS_SYNC)).toBe(0);
    expect(k.call(task, SYS_msync, addr + 1, P, MS_SYNC)).toBe(-EINVAL);
    expect(k.call(task, SYS_msync, addr, P, MS_SYNC | MS_ASYNC)).toBe(-EINVAL);
    expect(k.call(task, SYS_msync, addr, P, 8)).toBe(-EINVAL);
    expect(k.call(task, SYS_msync, BAD_ADDR, P, MS_SYNC)).toBe(-ENOMEM);
    k.call(task, SYS_mlock, addr, P);
    expect(k.call(task, SYS_msync, addr, P, MS_INVALIDATE)).toBe(-EBUSY);
  });
  it('mincore tells pages', () => {
    const addr = mmap(2 * P);
    expect(k.call(task, SYS_mincore, addr, 2 * P, addr)).toBe(0);
    expect(load(addr)).toBe(0x0101);
    const sparse = mmap(3 * P, PROT_NONE);
    k.call(task, SYS_mprotect, sparse + P, P, RW);
    expect(k.call(task, SYS_mincore, sparse, 3 * P, addr)).toBe(0);
    expect(load(addr)).toBe(0x0001_00);
    expect(k.call(task, SYS_mincore, addr + 1, P, addr)).toBe(-EINVAL);
    expect(k.call(task, SYS_mincore, BAD_ADDR, P, addr)).toBe(-ENOMEM);
    expect(k.call(task, SYS_mincore, addr, P, BAD_ADDR)).toBe(-EFAULT);
  });
  it('brk returns the end of the heap', () => {
    task.mm.brkStart = task.mm.brkEnd = 0x2000_0000;
    expect(k.call(task, SYS_brk, 0)).toBe(0x2000_0000);
    expect(k.call(task, SYS_brk, 0x2000_0123)).toBe(0x2000_0123);
    expect(k.call(task, SYS_brk, 1)).toBe(0x2000_0123);
  });
});
