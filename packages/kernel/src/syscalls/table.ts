import type { Syscall, SyscallHandler } from './syscall.js';

/**
 * The system call table: data only, by number. Rows are grouped by the man page's topic, as the files are; a number
 * without a row does not exist here and returns ENOSYS.
 */
export const SYSCALLS: readonly Syscall[] = [
  // read-write.ts, open-close.ts, …
];

/** The handlers by number, with holes. */
export function syscallHandlers(): SyscallHandler[] {
  const handlers: SyscallHandler[] = [];
  for (const { nr, run } of SYSCALLS) handlers[nr] = run;
  return handlers;
}
