import {
  CLOSE_RANGE_CLOEXEC,
  CLOSE_RANGE_UNSHARE,
  EINTR,
  EINVAL,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
  ERESTART_RESTARTBLOCK,
  type SysResult,
} from '@tsv/abi';
import { hasLingered, lingerAfter } from '../socket/lingering-close.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** close(2). The descriptor is free afterwards, whatever the result. Errors: EBADF, EINTR, EIO. */
export function sysClose(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);

  if (hasLingered(t)) return lingerAfter(t, 0);
  const result = t.fds.close(fd, t);
  const isRestart =
    result === -ERESTARTSYS ||
    result === -ERESTARTNOINTR ||
    result === -ERESTARTNOHAND ||
    result === -ERESTART_RESTARTBLOCK;
  return lingerAfter(t, isRestart ? -EINTR : result);
}

/** close_range(2). Errors: EINVAL. */
export function sysCloseRange(t: Task, a: SyscallArgs): SysResult {
  const first = a.u32(0);
  const last = a.u32(1);
  const flags = a.u32(2);

  if (hasLingered(t)) return lingerAfter(t, 0);
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -EINVAL;
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0 && t.fds.refCount > 1) {
    const shared = t.fds;
    t.fds = shared.fork();
    shared.decRef(t);
  }
  const fds = t.fds;
  if (first >= fds.capacity) return 0;
  for (let fd = fds.next(first); fd >= 0 && fd <= last; fd = fds.next(fd + 1)) {
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) fds.setCloseOnExec(fd, true);
    else fds.close(fd, t);
  }
  return lingerAfter(t, 0);
}
