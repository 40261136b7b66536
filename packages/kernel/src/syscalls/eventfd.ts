import { EFD_CLOEXEC, EFD_NONBLOCK, EFD_SEMAPHORE, EINVAL, type SysResult } from '@tsv/abi';
import { EventFile } from '../fd/event-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** eventfd(2), the first version. Errors: EMFILE. */
export function sysEventfd(t: Task, a: SyscallArgs): SysResult {
  return createEvent(t, a.u32(0), 0);
}

/** eventfd(2). Errors: EINVAL, EMFILE. */
export function sysEventfd2(t: Task, a: SyscallArgs): SysResult {
  const initval = a.u32(0);
  const flags = a.u32(1);

  if ((flags & ~(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE)) !== 0) return -EINVAL;
  return createEvent(t, initval, flags);
}

function createEvent(t: Task, initval: number, flags: number): number {
  const inode = t.kernel.anonymousFiles.createInode('[eventfd]');
  const file = new EventFile(inode, initval, (flags & EFD_SEMAPHORE) !== 0, flags);
  return t.fds.install(file, 0, (flags & EFD_CLOEXEC) !== 0);
}
