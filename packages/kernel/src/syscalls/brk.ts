import type { SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** brk(2): the system call returns the end of the heap, which is where it was when it cannot be moved. */
export function sysBrk(t: Task, a: SyscallArgs): SysResult {
  t.mm.limits = t.threadGroup.limits;
  return t.mm.brk(a.u64(0));
}
