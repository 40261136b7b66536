import { ENOSYS, type SysResult } from '@tsv/abi';

/** A number that Linux keeps for a call that it does not have any more, or never had, syscalls(2) and unimplemented(2). Errors: ENOSYS. */
export function sysNiSyscall(): SysResult {
  return -ENOSYS;
}
