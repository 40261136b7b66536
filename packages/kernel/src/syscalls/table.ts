import { sysPselect6, sysSelect } from './select.js';
import { sysPoll, sysPpoll } from './poll.js';
import { sysIoctl } from './ioctl.js';
import { sysFcntl } from './fcntl.js';
import { sysClose, sysCloseRange } from './close.js';
import { sysDup, sysDup2, sysDup3 } from './dup.js';
import { sysPipe, sysPipe2 } from './pipe.js';
import {
  sysLseek,
  sysPread64,
  sysPreadv,
  sysPreadv2,
  sysPwrite64,
  sysPwritev,
  sysPwritev2,
  sysRead,
  sysReadv,
  sysWrite,
  sysWritev,
} from './read-write.js';
import type { Syscall, SyscallHandler } from './syscall.js';

/**
 * The system call table: data only, by number. Rows are grouped by the man page's topic, as the files are; a number
 * without a row does not exist here and returns ENOSYS.
 */
export const SYSCALLS: readonly Syscall[] = [
  // read-write.ts
  { nr: 0, name: 'read', run: sysRead },
  { nr: 1, name: 'write', run: sysWrite },
  { nr: 8, name: 'lseek', run: sysLseek },
  { nr: 17, name: 'pread64', run: sysPread64 },
  { nr: 18, name: 'pwrite64', run: sysPwrite64 },
  { nr: 19, name: 'readv', run: sysReadv },
  { nr: 20, name: 'writev', run: sysWritev },
  { nr: 295, name: 'preadv', run: sysPreadv },
  { nr: 296, name: 'pwritev', run: sysPwritev },
  { nr: 327, name: 'preadv2', run: sysPreadv2 },
  { nr: 328, name: 'pwritev2', run: sysPwritev2 },
  // pipe.ts
  { nr: 22, name: 'pipe', run: sysPipe },
  { nr: 293, name: 'pipe2', run: sysPipe2 },
  // dup.ts
  { nr: 32, name: 'dup', run: sysDup },
  { nr: 33, name: 'dup2', run: sysDup2 },
  { nr: 292, name: 'dup3', run: sysDup3 },
  // close.ts
  { nr: 3, name: 'close', run: sysClose },
  { nr: 436, name: 'close_range', run: sysCloseRange },
  // fcntl.ts
  { nr: 72, name: 'fcntl', run: sysFcntl },
  // ioctl.ts
  { nr: 16, name: 'ioctl', run: sysIoctl },
  // poll.ts
  { nr: 7, name: 'poll', run: sysPoll },
  { nr: 271, name: 'ppoll', run: sysPpoll },
  // select.ts
  { nr: 23, name: 'select', run: sysSelect },
  { nr: 270, name: 'pselect6', run: sysPselect6 },
];

/** The handlers by number, with holes. */
export function syscallHandlers(): SyscallHandler[] {
  const handlers: SyscallHandler[] = [];
  for (const { nr, run } of SYSCALLS) handlers[nr] = run;
  return handlers;
}
