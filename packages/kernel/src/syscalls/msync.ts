import { EBUSY, EINVAL, ENOMEM, MS_ASYNC, MS_INVALIDATE, MS_SYNC, type SysResult } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil } from '../mm/pma.js';
import { VM_LOCKED } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import { syncOrWait } from './sync.js';
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
  const { restart } = t;
  // Where an earlier try has come to, and whether there was a hole before.
  let at = restart.tryCount === 0 ? addr : restart.value;
  let error = restart.phase;
  while (at < end) {
    const vma = vmas.items[vmas.indexFrom(at)];
    if (vma === undefined || vma.start >= end) return -ENOMEM;
    if (vma.start > at) error = -ENOMEM;
    if ((flags & MS_INVALIDATE) !== 0 && (vma.flags & VM_LOCKED) !== 0) return -EBUSY;
    if ((flags & MS_SYNC) !== 0 && vma.isShared && vma.file !== null) {
      const { file } = vma;
      const status = syncOrWait(t, () => file.beginSync(false, t));
      if (restart.pendingSync !== null) {
        restart.value = at;
        restart.phase = error;
        return status;
      }
      // EINVAL: there is nothing behind the file that could be synchronised.
      if (status < 0 && status !== -EINVAL) return status;
    }
    at = vma.end;
  }
  return error;
}
