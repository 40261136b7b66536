import { sysSignalfd, sysSignalfd4 } from './signalfd.js';
import { sysTimerfdCreate, sysTimerfdGettime, sysTimerfdSettime } from './timerfd.js';
import { sysEventfd, sysEventfd2 } from './eventfd.js';
import { sysEpollCreate, sysEpollCreate1, sysEpollCtl, sysEpollPwait, sysEpollPwait2, sysEpollWait } from './epoll.js';
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
import { sysClone, sysClone3, sysFork, sysVfork } from './clone.js';
import { sysExecve, sysExecveat } from './execve.js';
import { sysExit, sysExitGroup } from './exit.js';
import {
  sysGetpgid,
  sysGetpgrp,
  sysGetpid,
  sysGetppid,
  sysGetsid,
  sysGettid,
  sysSetTidAddress,
  sysSetpgid,
  sysSetsid,
} from './identity.js';
import { sysKill, sysRtSigqueueinfo, sysRtTgsigqueueinfo, sysTgkill, sysTkill } from './kill.js';
import {
  sysPause,
  sysRestartSyscall,
  sysRtSigaction,
  sysRtSigpending,
  sysRtSigprocmask,
  sysRtSigreturn,
  sysRtSigsuspend,
  sysRtSigtimedwait,
  sysSigaltstack,
} from './signal.js';
import { sysWait4, sysWaitid } from './wait.js';
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
  // epoll.ts
  { nr: 213, name: 'epoll_create', run: sysEpollCreate },
  { nr: 291, name: 'epoll_create1', run: sysEpollCreate1 },
  { nr: 233, name: 'epoll_ctl', run: sysEpollCtl },
  { nr: 232, name: 'epoll_wait', run: sysEpollWait },
  { nr: 281, name: 'epoll_pwait', run: sysEpollPwait },
  { nr: 441, name: 'epoll_pwait2', run: sysEpollPwait2 },
  // eventfd.ts
  { nr: 284, name: 'eventfd', run: sysEventfd },
  { nr: 290, name: 'eventfd2', run: sysEventfd2 },
  // clone.ts
  { nr: 56, name: 'clone', run: sysClone },
  { nr: 57, name: 'fork', run: sysFork },
  { nr: 58, name: 'vfork', run: sysVfork },
  { nr: 435, name: 'clone3', run: sysClone3, partial: 'CLONE_INTO_CGROUP, CLONE_NEWTIME: EINVAL' },
  // execve.ts
  { nr: 59, name: 'execve', run: sysExecve },
  { nr: 322, name: 'execveat', run: sysExecveat },
  // exit.ts
  { nr: 60, name: 'exit', run: sysExit },
  { nr: 231, name: 'exit_group', run: sysExitGroup },
  // wait.ts
  { nr: 61, name: 'wait4', run: sysWait4 },
  { nr: 247, name: 'waitid', run: sysWaitid },
  // identity.ts
  { nr: 39, name: 'getpid', run: sysGetpid },
  { nr: 186, name: 'gettid', run: sysGettid },
  { nr: 110, name: 'getppid', run: sysGetppid },
  { nr: 109, name: 'setpgid', run: sysSetpgid },
  { nr: 111, name: 'getpgrp', run: sysGetpgrp },
  { nr: 112, name: 'setsid', run: sysSetsid },
  { nr: 121, name: 'getpgid', run: sysGetpgid },
  { nr: 124, name: 'getsid', run: sysGetsid },
  { nr: 218, name: 'set_tid_address', run: sysSetTidAddress },
  // signal.ts
  { nr: 13, name: 'rt_sigaction', run: sysRtSigaction },
  { nr: 14, name: 'rt_sigprocmask', run: sysRtSigprocmask },
  { nr: 15, name: 'rt_sigreturn', run: sysRtSigreturn },
  { nr: 34, name: 'pause', run: sysPause },
  { nr: 127, name: 'rt_sigpending', run: sysRtSigpending },
  { nr: 128, name: 'rt_sigtimedwait', run: sysRtSigtimedwait },
  { nr: 130, name: 'rt_sigsuspend', run: sysRtSigsuspend },
  { nr: 131, name: 'sigaltstack', run: sysSigaltstack },
  { nr: 219, name: 'restart_syscall', run: sysRestartSyscall },
  // kill.ts
  { nr: 62, name: 'kill', run: sysKill },
  { nr: 129, name: 'rt_sigqueueinfo', run: sysRtSigqueueinfo },
  { nr: 200, name: 'tkill', run: sysTkill },
  { nr: 234, name: 'tgkill', run: sysTgkill },
  { nr: 297, name: 'rt_tgsigqueueinfo', run: sysRtTgsigqueueinfo },
  // timerfd.ts
  { nr: 283, name: 'timerfd_create', run: sysTimerfdCreate },
  { nr: 286, name: 'timerfd_settime', run: sysTimerfdSettime },
  { nr: 287, name: 'timerfd_gettime', run: sysTimerfdGettime },
  // signalfd.ts
  { nr: 282, name: 'signalfd', run: sysSignalfd },
  { nr: 289, name: 'signalfd4', run: sysSignalfd4 },
];

/** The handlers by number, with holes. */
export function syscallHandlers(): SyscallHandler[] {
  const handlers: SyscallHandler[] = [];
  for (const { nr, run } of SYSCALLS) handlers[nr] = run;
  return handlers;
}
