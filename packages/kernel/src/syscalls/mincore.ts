import { EFAULT, EINVAL, ENOMEM, type SysResult } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil } from '../mm/pma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** mincore(2). Errors: EFAULT, EINVAL, ENOMEM. Differs: pages that were never touched may be told as resident. */
export function sysMincore(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const vec = a.u64(2);

  if (addr % PAGE_BYTES !== 0) return -EINVAL;
  const end = addr + pageCeil(length);
  if (!(end <= t.mm.layout.maxAddr)) return -ENOMEM;
  const { scratch } = t.kernel;
  for (let at = addr, out = vec; at < end;) {
    const pageCount = Math.min((end - at) / PAGE_BYTES, scratch.length);
    for (let i = 0; i < pageCount; i++) {
      const isResident = residency(t, at + i * PAGE_BYTES);
      if (isResident < 0) return isResident;
      scratch[i] = isResident;
    }
    if (t.mm.copyOut(out, scratch, 0, pageCount) < 0) return -EFAULT;
    at += pageCount * PAGE_BYTES;
    out += pageCount;
  }
  return 0;
}

/** 1 for a page in memory, 0 for one that is not. Errors: ENOMEM where nothing is mapped. */
function residency(t: Task, addr: number): number {
  const vma = t.mm.vmaAt(addr);
  if (vma === null) return -ENOMEM;
  return t.mm.addressMap.pmas.at(addr) !== null || vma.isHostMapped ? 1 : 0;
}
