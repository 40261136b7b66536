import {
  CAP_SYS_NICE,
  EBADF,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  IOV_BASE,
  IOV_LEN,
  MADV_COLD,
  MADV_COLLAPSE,
  MADV_PAGEOUT,
  MADV_WILLNEED,
  SIZEOF_IOVEC,
  type SysResult,
} from '@tsv/abi';
import { mayInspect } from '../cred/inspect-permission.js';
import { IOV_MAX } from '../mm/user-io.js';
import { PidFile } from '../task/pid-file.js';
import type { Task } from '../task/task.js';
import { adviseRange } from './madvise.js';
import type { SyscallArgs } from './syscall-args.js';

/** Advice that another process may give. */
const REMOTE_ADVICE: ReadonlySet<number> = new Set([MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE]);

/** process_madvise(2): the bytes that were advised. Errors: EBADF, EFAULT, EINVAL, ENOMEM, EPERM, ESRCH. */
export function sysProcessMadvise(t: Task, a: SyscallArgs): SysResult {
  const pidfd = a.i32(0);
  const iovAddr = a.u64(1);
  const count = a.u64(2);
  const advice = a.i32(3);
  const flags = a.u32(4);

  if (flags !== 0 || count > IOV_MAX) return -EINVAL;
  const ranges: [addr: number, len: number][] = [];
  for (let i = 0; i < count; i++) {
    const addr = t.mm.load64(iovAddr + i * SIZEOF_IOVEC + IOV_BASE);
    const len = t.mm.load64(iovAddr + i * SIZEOF_IOVEC + IOV_LEN);
    if (Number.isNaN(addr) || Number.isNaN(len)) return -EFAULT;
    if (len >= 2 ** 63) return -EINVAL;
    ranges.push([addr, len]);
  }
  const file = t.fds.get(pidfd);
  if (!(file instanceof PidFile)) return -EBADF;
  const target = file.threadGroup?.tasks.find((task) => !task.hasExited);
  if (target === undefined) return -ESRCH;
  if (!mayInspect(t, target)) return -EPERM;
  if (target.mm !== t.mm) {
    if (!REMOTE_ADVICE.has(advice)) return -EINVAL;
    if (!t.creds.hasCap(CAP_SYS_NICE)) return -EPERM;
  }
  let advised = 0;
  for (const [addr, len] of ranges) {
    const status = adviseRange(target, addr, len, advice);
    if (status < 0) return advised > 0 ? advised : status;
    advised += len;
  }
  return advised;
}
