import {
  CAP_IPC_LOCK,
  EINVAL,
  MREMAP_DONTUNMAP,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  RLIMIT_MEMLOCK,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { pageCeil } from '../mm/pma.js';
import { remap } from '../mm/remap.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** mremap(2). Errors: EAGAIN, EFAULT, EINVAL, ENOMEM. */
export function sysMremap(t: Task, a: SyscallArgs): SysResult {
  const oldAddr = a.u64(0);
  const oldSize = a.u64(1);
  const newSize = a.u64(2);
  const flags = a.u32(3);
  const newAddr = a.u64(4);

  const { mm } = t;
  const mustMove = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
  if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0) return -EINVAL;
  if (mustMove && (flags & MREMAP_MAYMOVE) === 0) return -EINVAL;
  const oldLen = pageCeil(oldSize);
  const newLen = pageCeil(newSize);
  if ((flags & MREMAP_DONTUNMAP) !== 0 && oldLen !== newLen) return -EINVAL;
  if (oldAddr % PAGE_BYTES !== 0 || newLen === 0) return -EINVAL;
  if (!(oldAddr + oldLen <= mm.layout.maxAddr) || !(newLen <= mm.layout.maxAddr)) return -EINVAL;
  mm.limits = t.threadGroup.limits;
  const lockedBytesMax = t.creds.hasCap(CAP_IPC_LOCK) ? Infinity : mm.limits.soft(RLIMIT_MEMLOCK);
  return remap(mm, { oldAddr, oldLen, newLen, flags, newAddr: mustMove ? newAddr : 0, lockedBytesMax });
}
