import { EFAULT, EINVAL, ENOMEM, type SysResult } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil, pagesIn } from '../mm/pma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** mincore(2). Errors: EFAULT, EINVAL, ENOMEM. Differs: pages of directly mapped host files are told as resident. */
export function sysMincore(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const vec = a.u64(2);

  if (addr % PAGE_BYTES !== 0) return -EINVAL;
  const end = addr + pageCeil(length);
  if (!(end <= t.mm.layout.maxAddr)) return -ENOMEM;
  const { scratch } = t.kernel;
  for (let at = addr, out = vec; at < end;) {
    const pageCount = markRun(t, at, Math.min(end, at + scratch.length * PAGE_BYTES), scratch);
    if (pageCount < 0) return pageCount;
    if (t.mm.copyOut(out, scratch, 0, pageCount) < 0) return -EFAULT;
    at += pageCount * PAGE_BYTES;
    out += pageCount;
  }
  return 0;
}

/** Marks the pages from `addr` on that are of one piece of one mapping. Returns how many. Errors: ENOMEM for a hole. */
function markRun(t: Task, addr: number, end: number, dst: Uint8Array): number {
  const map = t.mm.addressMap;
  const vma = map.vmas.at(addr);
  if (vma === null) return -ENOMEM;
  const { pmas } = map;
  const pma = pmas.items[pmas.indexFrom(addr)];
  const isHole = pma === undefined || pma.start > addr;
  const pageCount = pagesIn(Math.min(end, vma.end, isHole ? (pma?.start ?? end) : pma.end) - addr);
  if (isHole) dst.fill(vma.isHostMapped ? 1 : 0, 0, pageCount);
  else map.memory.markResident(pma.pfnAt(addr), pageCount, dst, 0);
  return pageCount;
}
