import {
  EACCES,
  EINVAL,
  ENOMEM,
  MADV_COLD,
  MADV_DODUMP,
  MADV_DOFORK,
  MADV_DONTDUMP,
  MADV_DONTFORK,
  MADV_DONTNEED,
  MADV_DONTNEED_LOCKED,
  MADV_FREE,
  MADV_HUGEPAGE,
  MADV_KEEPONFORK,
  MADV_MERGEABLE,
  MADV_NOHUGEPAGE,
  MADV_NORMAL,
  MADV_PAGEOUT,
  MADV_POPULATE_READ,
  MADV_POPULATE_WRITE,
  MADV_RANDOM,
  MADV_REMOVE,
  MADV_SEQUENTIAL,
  MADV_UNMERGEABLE,
  MADV_WILLNEED,
  MADV_WIPEONFORK,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { discardPages } from '../mm/advise.js';
import { pageCeil, pagesIn } from '../mm/pma.js';
import { SharedAnonymous } from '../mm/shared-anonymous.js';
import { VM_DONTCOPY, VM_DONTDUMP, VM_LOCKED, VM_SPECIAL, VM_WIPEONFORK, type Vma } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, fallocate(2). */
const PUNCH_HOLE = 0x01 | 0x02;

/** Advice that changes nothing here: how to read ahead, what to merge or to write out, and huge pages. */
const HINTS: ReadonlySet<number> = new Set([
  MADV_NORMAL,
  MADV_RANDOM,
  MADV_SEQUENTIAL,
  MADV_WILLNEED,
  MADV_MERGEABLE,
  MADV_UNMERGEABLE,
  MADV_HUGEPAGE,
  MADV_NOHUGEPAGE,
  MADV_COLD,
  MADV_PAGEOUT,
]);

/** madvise(2). Errors: EACCES, EFAULT, EINVAL, ENOMEM for a hole, after the rest was advised. */
export function sysMadvise(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const advice = a.i32(2);

  return adviseRange(t, addr, length, advice);
}

/** madvise(2) for the memory of `t`, which need not be the caller. Errors: those of {@link sysMadvise}. */
export function adviseRange(t: Task, addr: number, length: number, advice: number): SysResult {
  const run = HINTS.has(advice) ? hint : ADVICE[advice];
  if (run === undefined || addr % PAGE_BYTES !== 0) return -EINVAL;
  const end = addr + pageCeil(length);
  if (length === 0) return 0;
  if (!(end <= t.mm.layout.maxAddr)) return end > 2 ** 63 ? -EINVAL : -ENOMEM;
  let error = 0;
  for (let at = addr; at < end;) {
    const { vmas } = t.mm.addressMap;
    const vma = vmas.items[vmas.indexFrom(at)];
    if (vma === undefined || vma.start >= end) return settle(t, -ENOMEM);
    if (vma.start > at) {
      error = -ENOMEM;
      at = vma.start;
    }
    const stop = Math.min(end, vma.end);
    const status = run(t, vma, at, stop);
    if (status < 0) return settle(t, status);
    at = stop;
  }
  return settle(t, error);
}

type Advice = (t: Task, vma: Vma, start: number, end: number) => number;

const ADVICE: Readonly<Record<number, Advice>> = {
  [MADV_DONTNEED]: (t, vma, start, end) => ((vma.flags & VM_LOCKED) !== 0 ? -EINVAL : discard(t, vma, start, end)),
  [MADV_DONTNEED_LOCKED]: discard,
  [MADV_FREE]: (t, vma, start, end) => {
    const isAllowed = vma.isPrivateAnonymous && (vma.flags & VM_LOCKED) === 0;
    return isAllowed ? discard(t, vma, start, end) : -EINVAL;
  },
  [MADV_REMOVE]: remove,
  [MADV_DONTFORK]: (t, _vma, start, end) => setFlags(t, start, end, VM_DONTCOPY, 0),
  [MADV_DOFORK]: (t, vma, start, end) =>
    (vma.flags & VM_SPECIAL) !== 0 ? -EINVAL : setFlags(t, start, end, 0, VM_DONTCOPY),
  [MADV_DONTDUMP]: (t, _vma, start, end) => setFlags(t, start, end, VM_DONTDUMP, 0),
  [MADV_DODUMP]: (t, vma, start, end) =>
    (vma.flags & VM_SPECIAL) !== 0 ? -EINVAL : setFlags(t, start, end, 0, VM_DONTDUMP),
  [MADV_WIPEONFORK]: (t, vma, start, end) =>
    vma.isPrivateAnonymous && (vma.flags & VM_SPECIAL) === 0 ? setFlags(t, start, end, VM_WIPEONFORK, 0) : -EINVAL,
  [MADV_KEEPONFORK]: (t, _vma, start, end) => setFlags(t, start, end, 0, VM_WIPEONFORK),
  [MADV_POPULATE_READ]: (t, vma, start, end) => populate(t, vma, start, end, false),
  [MADV_POPULATE_WRITE]: (t, vma, start, end) => populate(t, vma, start, end, true),
};

function hint(_t: Task, vma: Vma, _start: number, _end: number): number {
  return (vma.flags & VM_SPECIAL) !== 0 ? -EINVAL : 0;
}

function discard(t: Task, vma: Vma, start: number, end: number): number {
  if ((vma.flags & VM_SPECIAL) !== 0) return -EINVAL;
  discardPages(t.mm, vma, start, end);
  return 0;
}

/** Frees the memory of a shared mapping for all who map it. */
function remove(t: Task, vma: Vma, start: number, end: number): number {
  if ((vma.flags & VM_LOCKED) !== 0 || vma.mappable === null) return -EINVAL;
  if (!vma.isShared || !vma.isWritable) return -EACCES;
  const offset = vma.offsetOf(start);
  if (vma.mappable instanceof SharedAnonymous) {
    vma.mappable.discard(pagesIn(offset), pagesIn(end - start));
    return 0;
  }
  return vma.file === null ? -EINVAL : vma.file.allocate(PUNCH_HOLE, offset, end - start, t);
}

function setFlags(t: Task, start: number, end: number, set: number, clear: number): number {
  t.mm.addressMap.setFlags(start, end, set, clear);
  return 0;
}

function populate(t: Task, vma: Vma, start: number, end: number, isWrite: boolean): number {
  if ((vma.flags & VM_SPECIAL) !== 0 || (isWrite ? !vma.isWritable : !vma.isAccessible)) return -EINVAL;
  return t.mm.makeAllPresent(start, end, isWrite);
}

/** Lets other threads see the change before the call returns `result`. */
function settle(t: Task, result: number): number {
  const status = t.mm.addressMap.commit();
  return status < 0 ? status : result;
}
