import { EINVAL, EPERM, type SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** iopl(2) asks for a level up to this. */
const IO_LEVEL_MAX = 3;

/**
 * What only the host's administrator could do: swapon(2), acct(2), kexec_load(2), init_module(2) and their kin. EPERM, as
 * for a process without the capability.
 */
export function sysNotPermitted(): SysResult {
  return -EPERM;
}

/** iopl(2): nobody gets more than level 0. Errors: EINVAL, EPERM. */
export function sysIopl(_t: Task, a: SyscallArgs): SysResult {
  const level = a.u32(0);
  if (level > IO_LEVEL_MAX) return -EINVAL;
  return level === 0 ? 0 : -EPERM;
}
