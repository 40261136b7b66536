import { EBUSY, EINVAL, ENOMEM, MS_ASYNC, MS_INVALIDATE, MS_SYNC, type SysResult } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil } from '../mm/pma.js';
import { VM_LOCKED } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** msync(2). Errors: EBUSY, EINVAL, EIO, ENOMEM. Mappings are coherent with their files: only MS_SYNC has work to do. */
export function sysMsync(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const flags = a.u32(2);

  if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) !== 0 || addr % PAGE_BYTES !== 0) return -EINVAL;
  if ((flags & MS_ASYNC) !== 0 && (flags & MS_SYNC) !== 0) return -EINVAL;
  const end = addr + pageCeil(length);
  if (!(end <= 2 ** 64)) return -ENOMEM;
  const { vmas } = t.mm.addressMap;
  let error = 0;
  for (let at = addr; at < end;) {
    const vma = vmas.items[vmas.indexFrom(at)];
    if (vma === undefined || vma.start >= end) return -ENOMEM;
    if (vma.start > at) error = -ENOMEM;
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY;
    if ((flags & MS_SYNC) !== 0 && vma.isShared && vma.file !== null) {
      const status = vma.file.sync(false, t);
      // EINVAL: there is nothing behind the file that could be synchronised.
      if (status < 0 && status !== -EINVAL) return status;
    }
    at = vma.end;
  }
  return error;
}
