import { sysInotifyAddWatch, sysInotifyInit, sysInotifyInit1, sysInotifyRmWatch } from './inotify.js';
import { sysSplice, sysTee, sysVmsplice } from './splice.js';
import { sysCopyFileRange, sysSendfile } from './sendfile.js';
import { sysMemfdCreate } from './memfd.js';
import { sysReboot } from './reboot.js';
import { sysRecvfrom, sysRecvmmsg, sysRecvmsg } from './recvmsg.js';
import { sysSendmmsg, sysSendmsg, sysSendto } from './sendmsg.js';
import { sysGetsockopt, sysSetsockopt } from './sockopt.js';
import {
  sysAccept,
  sysAccept4,
  sysBind,
  sysConnect,
  sysGetpeername,
  sysGetsockname,
  sysListen,
  sysShutdown,
  sysSocket,
  sysSocketpair,
} from './socket.js';
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
import { sysBrk } from './brk.js';
import { sysMadvise } from './madvise.js';
import { sysMembarrier } from './membarrier.js';
import { sysMincore } from './mincore.js';
import { sysMlock, sysMlock2, sysMlockall, sysMunlock, sysMunlockall } from './mlock.js';
import { sysMmap, sysMunmap } from './mmap.js';
import { sysMprotect, sysPkeyAlloc, sysPkeyFree, sysPkeyMprotect } from './mprotect.js';
import { sysMremap } from './mremap.js';
import { sysMsync } from './msync.js';
import { sysProcessVmReadv, sysProcessVmWritev } from './process-vm.js';
import { sysWait4, sysWaitid } from './wait.js';
import { sysCapget, sysCapset } from './capget.js';
import {
  sysClockGetres,
  sysClockGettime,
  sysClockNanosleep,
  sysClockSettime,
  sysGettimeofday,
  sysNanosleep,
  sysSettimeofday,
  sysTime,
  sysTimes,
} from './clock.js';
import {
  sysGetegid,
  sysGeteuid,
  sysGetgid,
  sysGetgroups,
  sysGetresgid,
  sysGetresuid,
  sysGetuid,
  sysSetfsgid,
  sysSetfsuid,
  sysSetgid,
  sysSetgroups,
  sysSetregid,
  sysSetresgid,
  sysSetresuid,
  sysSetreuid,
  sysSetuid,
} from './cred.js';
import { sysFutex, sysFutexWaitv, sysGetRobustList, sysSetRobustList } from './futex.js';
import { sysPidfdGetfd, sysPidfdOpen, sysPidfdSendSignal } from './pidfd.js';
import { sysArchPrctl, sysPrctl } from './prctl.js';
import { sysGetrlimit, sysGetrusage, sysPrlimit64, sysSetrlimit } from './rlimit.js';
import {
  sysGetcpu,
  sysGetpriority,
  sysRseq,
  sysSchedGetPriorityMax,
  sysSchedGetPriorityMin,
  sysSchedGetaffinity,
  sysSchedGetattr,
  sysSchedGetparam,
  sysSchedGetscheduler,
  sysSchedRrGetInterval,
  sysSchedSetaffinity,
  sysSchedSetattr,
  sysSchedSetparam,
  sysSchedSetscheduler,
  sysSchedYield,
  sysSetpriority,
} from './sched.js';
import {
  sysGetrandom,
  sysPersonality,
  sysSetdomainname,
  sysSethostname,
  sysSysinfo,
  sysSyslog,
  sysUname,
} from './system.js';
import {
  sysAlarm,
  sysGetitimer,
  sysSetitimer,
  sysTimerCreate,
  sysTimerDelete,
  sysTimerGetoverrun,
  sysTimerGettime,
  sysTimerSettime,
} from './timer.js';
import { sysNiSyscall } from './ni-syscall.js';
import { sysIoprioGet, sysIoprioSet } from './ioprio.js';
import { sysKcmp } from './kcmp.js';
import { sysPtrace } from './ptrace.js';
import { sysSeccomp } from './seccomp.js';
import { sysSetns } from './setns.js';
import { sysUnshare } from './unshare.js';
import { sysCreat, sysOpen, sysOpenat, sysOpenat2 } from './open.js';
import { sysFstat, sysLstat, sysNewfstatat, sysStat, sysStatx } from './stat.js';
import { sysFstatfs, sysStatfs } from './statfs.js';
import { sysGetdents, sysGetdents64 } from './getdents.js';
import {
  sysLink,
  sysLinkat,
  sysRename,
  sysRenameat,
  sysRenameat2,
  sysRmdir,
  sysSymlink,
  sysSymlinkat,
  sysUnlink,
  sysUnlinkat,
} from './link.js';
import { sysMkdir, sysMkdirat, sysMknod, sysMknodat, sysUmask } from './mkdir-mknod.js';
import { sysReadlink, sysReadlinkat } from './readlink.js';
import {
  sysChmod,
  sysChown,
  sysFchmod,
  sysFchmodat,
  sysFchmodat2,
  sysFchown,
  sysFchownat,
  sysLchown,
} from './chmod-chown.js';
import { sysFutimesat, sysUtime, sysUtimensat, sysUtimes } from './utime.js';
import { sysAccess, sysFaccessat, sysFaccessat2 } from './access.js';
import { sysChdir, sysChroot, sysFchdir, sysGetcwd } from './chdir-chroot.js';
import { sysFallocate, sysFtruncate, sysTruncate } from './truncate-fallocate.js';
import { sysFdatasync, sysFsync, sysSync, sysSyncFileRange, sysSyncfs } from './sync.js';
import { sysFadvise64, sysReadahead } from './fadvise.js';
import {
  sysFgetxattr,
  sysFlistxattr,
  sysFremovexattr,
  sysFsetxattr,
  sysGetxattr,
  sysLgetxattr,
  sysListxattr,
  sysLlistxattr,
  sysLremovexattr,
  sysLsetxattr,
  sysRemovexattr,
  sysSetxattr,
} from './xattr.js';
import { sysMount, sysPivotRoot, sysUmount2 } from './mount.js';
import { sysFlock } from './file-lock.js';
import type { Syscall, SyscallHandler } from './syscall.js';
import { ADMIN_SYSCALLS } from './table-admin.js';
import { IPC_SYSCALLS } from './table-ipc.js';

const NI = 'ENOSYS, as on Linux';

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
  { nr: 435, name: 'clone3', run: sysClone3, partial: 'CLONE_NEWTIME: EINVAL' },
  // execve.ts
  { nr: 59, name: 'execve', run: sysExecve },
  { nr: 322, name: 'execveat', run: sysExecveat },
  // exit.ts
  { nr: 60, name: 'exit', run: sysExit },
  { nr: 231, name: 'exit_group', run: sysExitGroup },
  // mmap.ts mprotect.ts brk.ts mremap.ts madvise.ts mlock.ts msync.ts mincore.ts
  { nr: 9, name: 'mmap', run: sysMmap, partial: 'MAP_HUGETLB: ENOMEM; MAP_SYNC: EOPNOTSUPP' },
  { nr: 10, name: 'mprotect', run: sysMprotect },
  { nr: 329, name: 'pkey_mprotect', run: sysPkeyMprotect, partial: 'no protection keys' },
  { nr: 330, name: 'pkey_alloc', run: sysPkeyAlloc, partial: 'ENOSPC: no protection keys' },
  { nr: 331, name: 'pkey_free', run: sysPkeyFree, partial: 'EINVAL: no protection keys' },
  { nr: 11, name: 'munmap', run: sysMunmap },
  { nr: 12, name: 'brk', run: sysBrk },
  { nr: 25, name: 'mremap', run: sysMremap },
  { nr: 26, name: 'msync', run: sysMsync, partial: 'MS_INVALIDATE does nothing' },
  { nr: 27, name: 'mincore', run: sysMincore, partial: 'pages never touched may be told as resident' },
  { nr: 28, name: 'madvise', run: sysMadvise, partial: 'no huge pages; MADV_COLLAPSE: EINVAL' },
  { nr: 149, name: 'mlock', run: sysMlock },
  { nr: 150, name: 'munlock', run: sysMunlock },
  { nr: 151, name: 'mlockall', run: sysMlockall },
  { nr: 152, name: 'munlockall', run: sysMunlockall },
  { nr: 325, name: 'mlock2', run: sysMlock2 },
  // membarrier.ts
  { nr: 324, name: 'membarrier', run: sysMembarrier, partial: 'no RSEQ commands' },
  // process-vm.ts
  { nr: 310, name: 'process_vm_readv', run: sysProcessVmReadv },
  { nr: 311, name: 'process_vm_writev', run: sysProcessVmWritev },
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
  // socket.ts
  { nr: 41, name: 'socket', run: sysSocket },
  { nr: 42, name: 'connect', run: sysConnect },
  { nr: 43, name: 'accept', run: sysAccept },
  { nr: 48, name: 'shutdown', run: sysShutdown },
  { nr: 49, name: 'bind', run: sysBind },
  { nr: 50, name: 'listen', run: sysListen },
  { nr: 51, name: 'getsockname', run: sysGetsockname },
  { nr: 52, name: 'getpeername', run: sysGetpeername },
  { nr: 53, name: 'socketpair', run: sysSocketpair },
  { nr: 288, name: 'accept4', run: sysAccept4 },
  // sockopt.ts
  { nr: 54, name: 'setsockopt', run: sysSetsockopt },
  { nr: 55, name: 'getsockopt', run: sysGetsockopt },
  // sendmsg.ts
  { nr: 44, name: 'sendto', run: sysSendto },
  { nr: 46, name: 'sendmsg', run: sysSendmsg },
  { nr: 307, name: 'sendmmsg', run: sysSendmmsg },
  // recvmsg.ts
  { nr: 45, name: 'recvfrom', run: sysRecvfrom },
  { nr: 47, name: 'recvmsg', run: sysRecvmsg },
  { nr: 299, name: 'recvmmsg', run: sysRecvmmsg },
  // open.ts
  { nr: 2, name: 'open', run: sysOpen },
  { nr: 257, name: 'openat', run: sysOpenat },
  { nr: 85, name: 'creat', run: sysCreat },
  { nr: 437, name: 'openat2', run: sysOpenat2 },
  // stat.ts
  { nr: 4, name: 'stat', run: sysStat },
  { nr: 5, name: 'fstat', run: sysFstat },
  { nr: 6, name: 'lstat', run: sysLstat },
  { nr: 262, name: 'newfstatat', run: sysNewfstatat },
  { nr: 332, name: 'statx', run: sysStatx },
  // statfs.ts
  { nr: 137, name: 'statfs', run: sysStatfs },
  { nr: 138, name: 'fstatfs', run: sysFstatfs },
  // getdents.ts
  { nr: 78, name: 'getdents', run: sysGetdents },
  { nr: 217, name: 'getdents64', run: sysGetdents64 },
  // link.ts
  { nr: 86, name: 'link', run: sysLink },
  { nr: 265, name: 'linkat', run: sysLinkat },
  { nr: 87, name: 'unlink', run: sysUnlink },
  { nr: 84, name: 'rmdir', run: sysRmdir },
  { nr: 263, name: 'unlinkat', run: sysUnlinkat },
  { nr: 82, name: 'rename', run: sysRename },
  { nr: 264, name: 'renameat', run: sysRenameat },
  { nr: 316, name: 'renameat2', run: sysRenameat2 },
  { nr: 88, name: 'symlink', run: sysSymlink },
  { nr: 266, name: 'symlinkat', run: sysSymlinkat },
  // mkdir-mknod.ts
  { nr: 83, name: 'mkdir', run: sysMkdir },
  { nr: 258, name: 'mkdirat', run: sysMkdirat },
  { nr: 133, name: 'mknod', run: sysMknod },
  { nr: 259, name: 'mknodat', run: sysMknodat },
  { nr: 95, name: 'umask', run: sysUmask },
  // readlink.ts
  { nr: 89, name: 'readlink', run: sysReadlink },
  { nr: 267, name: 'readlinkat', run: sysReadlinkat },
  // chmod-chown.ts
  { nr: 90, name: 'chmod', run: sysChmod },
  { nr: 91, name: 'fchmod', run: sysFchmod },
  { nr: 268, name: 'fchmodat', run: sysFchmodat },
  { nr: 452, name: 'fchmodat2', run: sysFchmodat2 },
  { nr: 92, name: 'chown', run: sysChown },
  { nr: 94, name: 'lchown', run: sysLchown },
  { nr: 93, name: 'fchown', run: sysFchown },
  { nr: 260, name: 'fchownat', run: sysFchownat },
  // utime.ts
  { nr: 132, name: 'utime', run: sysUtime },
  { nr: 235, name: 'utimes', run: sysUtimes },
  { nr: 261, name: 'futimesat', run: sysFutimesat },
  { nr: 280, name: 'utimensat', run: sysUtimensat },
  // access.ts
  { nr: 21, name: 'access', run: sysAccess },
  { nr: 269, name: 'faccessat', run: sysFaccessat },
  { nr: 439, name: 'faccessat2', run: sysFaccessat2 },
  // chdir-chroot.ts
  { nr: 79, name: 'getcwd', run: sysGetcwd },
  { nr: 80, name: 'chdir', run: sysChdir },
  { nr: 81, name: 'fchdir', run: sysFchdir },
  { nr: 161, name: 'chroot', run: sysChroot },
  // truncate-fallocate.ts
  { nr: 76, name: 'truncate', run: sysTruncate },
  { nr: 77, name: 'ftruncate', run: sysFtruncate },
  { nr: 285, name: 'fallocate', run: sysFallocate },
  // sync.ts
  { nr: 162, name: 'sync', run: sysSync },
  { nr: 306, name: 'syncfs', run: sysSyncfs },
  { nr: 74, name: 'fsync', run: sysFsync },
  { nr: 75, name: 'fdatasync', run: sysFdatasync },
  { nr: 277, name: 'sync_file_range', run: sysSyncFileRange },
  // fadvise.ts
  { nr: 221, name: 'fadvise64', run: sysFadvise64 },
  { nr: 187, name: 'readahead', run: sysReadahead },
  // xattr.ts
  { nr: 188, name: 'setxattr', run: sysSetxattr },
  { nr: 189, name: 'lsetxattr', run: sysLsetxattr },
  { nr: 190, name: 'fsetxattr', run: sysFsetxattr },
  { nr: 191, name: 'getxattr', run: sysGetxattr },
  { nr: 192, name: 'lgetxattr', run: sysLgetxattr },
  { nr: 193, name: 'fgetxattr', run: sysFgetxattr },
  { nr: 194, name: 'listxattr', run: sysListxattr },
  { nr: 195, name: 'llistxattr', run: sysLlistxattr },
  { nr: 196, name: 'flistxattr', run: sysFlistxattr },
  { nr: 197, name: 'removexattr', run: sysRemovexattr },
  { nr: 198, name: 'lremovexattr', run: sysLremovexattr },
  { nr: 199, name: 'fremovexattr', run: sysFremovexattr },
  // mount.ts
  { nr: 165, name: 'mount', run: sysMount },
  { nr: 166, name: 'umount2', run: sysUmount2 },
  { nr: 155, name: 'pivot_root', run: sysPivotRoot },
  // file-lock.ts
  { nr: 73, name: 'flock', run: sysFlock },
  // futex.ts
  { nr: 202, name: 'futex', run: sysFutex, partial: 'FUTEX_WAIT_REQUEUE_PI, FUTEX_CMP_REQUEUE_PI: ENOSYS' },
  { nr: 273, name: 'set_robust_list', run: sysSetRobustList },
  { nr: 274, name: 'get_robust_list', run: sysGetRobustList },
  { nr: 449, name: 'futex_waitv', run: sysFutexWaitv },
  // cred.ts
  { nr: 102, name: 'getuid', run: sysGetuid },
  { nr: 104, name: 'getgid', run: sysGetgid },
  { nr: 105, name: 'setuid', run: sysSetuid },
  { nr: 106, name: 'setgid', run: sysSetgid },
  { nr: 107, name: 'geteuid', run: sysGeteuid },
  { nr: 108, name: 'getegid', run: sysGetegid },
  { nr: 113, name: 'setreuid', run: sysSetreuid },
  { nr: 114, name: 'setregid', run: sysSetregid },
  { nr: 115, name: 'getgroups', run: sysGetgroups },
  { nr: 116, name: 'setgroups', run: sysSetgroups },
  { nr: 117, name: 'setresuid', run: sysSetresuid },
  { nr: 118, name: 'getresuid', run: sysGetresuid },
  { nr: 119, name: 'setresgid', run: sysSetresgid },
  { nr: 120, name: 'getresgid', run: sysGetresgid },
  { nr: 122, name: 'setfsuid', run: sysSetfsuid },
  { nr: 123, name: 'setfsgid', run: sysSetfsgid },
  // capget.ts
  { nr: 125, name: 'capget', run: sysCapget },
  { nr: 126, name: 'capset', run: sysCapset },
  // prctl.ts
  { nr: 157, name: 'prctl', run: sysPrctl, partial: 'PR_SET_MM, PR_SET_VMA: EINVAL' },
  { nr: 158, name: 'arch_prctl', run: sysArchPrctl },
  // rlimit.ts
  { nr: 97, name: 'getrlimit', run: sysGetrlimit },
  { nr: 98, name: 'getrusage', run: sysGetrusage },
  { nr: 160, name: 'setrlimit', run: sysSetrlimit },
  { nr: 302, name: 'prlimit64', run: sysPrlimit64 },
  // sched.ts
  { nr: 24, name: 'sched_yield', run: sysSchedYield },
  { nr: 140, name: 'getpriority', run: sysGetpriority },
  { nr: 141, name: 'setpriority', run: sysSetpriority },
  { nr: 142, name: 'sched_setparam', run: sysSchedSetparam },
  { nr: 143, name: 'sched_getparam', run: sysSchedGetparam },
  { nr: 144, name: 'sched_setscheduler', run: sysSchedSetscheduler, partial: 'SCHED_DEADLINE: EINVAL' },
  { nr: 145, name: 'sched_getscheduler', run: sysSchedGetscheduler },
  { nr: 146, name: 'sched_get_priority_max', run: sysSchedGetPriorityMax },
  { nr: 147, name: 'sched_get_priority_min', run: sysSchedGetPriorityMin },
  { nr: 148, name: 'sched_rr_get_interval', run: sysSchedRrGetInterval },
  { nr: 203, name: 'sched_setaffinity', run: sysSchedSetaffinity },
  { nr: 204, name: 'sched_getaffinity', run: sysSchedGetaffinity },
  { nr: 309, name: 'getcpu', run: sysGetcpu },
  { nr: 314, name: 'sched_setattr', run: sysSchedSetattr, partial: 'SCHED_DEADLINE: EINVAL' },
  { nr: 315, name: 'sched_getattr', run: sysSchedGetattr },
  { nr: 334, name: 'rseq', run: sysRseq, partial: 'ENOSYS: preemption by the host is not seen' },
  // clock.ts
  { nr: 35, name: 'nanosleep', run: sysNanosleep },
  { nr: 96, name: 'gettimeofday', run: sysGettimeofday },
  { nr: 100, name: 'times', run: sysTimes },
  { nr: 164, name: 'settimeofday', run: sysSettimeofday, partial: "EPERM: the clock is the host's" },
  { nr: 201, name: 'time', run: sysTime },
  { nr: 227, name: 'clock_settime', run: sysClockSettime, partial: "EPERM: the clock is the host's" },
  { nr: 228, name: 'clock_gettime', run: sysClockGettime },
  { nr: 229, name: 'clock_getres', run: sysClockGetres },
  { nr: 230, name: 'clock_nanosleep', run: sysClockNanosleep },
  // timer.ts
  { nr: 36, name: 'getitimer', run: sysGetitimer },
  { nr: 37, name: 'alarm', run: sysAlarm },
  { nr: 38, name: 'setitimer', run: sysSetitimer },
  { nr: 222, name: 'timer_create', run: sysTimerCreate },
  { nr: 223, name: 'timer_settime', run: sysTimerSettime },
  { nr: 224, name: 'timer_gettime', run: sysTimerGettime },
  { nr: 225, name: 'timer_getoverrun', run: sysTimerGetoverrun },
  { nr: 226, name: 'timer_delete', run: sysTimerDelete },
  // pidfd.ts
  { nr: 424, name: 'pidfd_send_signal', run: sysPidfdSendSignal },
  { nr: 434, name: 'pidfd_open', run: sysPidfdOpen },
  { nr: 438, name: 'pidfd_getfd', run: sysPidfdGetfd },
  // system.ts
  { nr: 63, name: 'uname', run: sysUname },
  { nr: 99, name: 'sysinfo', run: sysSysinfo },
  { nr: 103, name: 'syslog', run: sysSyslog, partial: 'the log is empty' },
  { nr: 135, name: 'personality', run: sysPersonality },
  { nr: 169, name: 'reboot', run: sysReboot, partial: 'in a PID namespace of its own' },
  { nr: 170, name: 'sethostname', run: sysSethostname },
  { nr: 171, name: 'setdomainname', run: sysSetdomainname },
  { nr: 318, name: 'getrandom', run: sysGetrandom },
  // seccomp.ts
  { nr: 317, name: 'seccomp', run: sysSeccomp, partial: 'SECCOMP_FILTER_FLAG_NEW_LISTENER: EINVAL' },
  // setns.ts
  { nr: 308, name: 'setns', run: sysSetns },
  // unshare.ts
  { nr: 272, name: 'unshare', run: sysUnshare, partial: 'CLONE_NEWTIME: EINVAL' },
  // memfd.ts
  { nr: 319, name: 'memfd_create', run: sysMemfdCreate },
  // sendfile.ts
  { nr: 40, name: 'sendfile', run: sysSendfile },
  { nr: 326, name: 'copy_file_range', run: sysCopyFileRange },
  // splice.ts
  { nr: 275, name: 'splice', run: sysSplice },
  { nr: 276, name: 'tee', run: sysTee },
  { nr: 278, name: 'vmsplice', run: sysVmsplice },
  // inotify.ts
  { nr: 253, name: 'inotify_init', run: sysInotifyInit },
  { nr: 254, name: 'inotify_add_watch', run: sysInotifyAddWatch },
  { nr: 255, name: 'inotify_rm_watch', run: sysInotifyRmWatch },
  { nr: 294, name: 'inotify_init1', run: sysInotifyInit1 },
  ...IPC_SYSCALLS,
  ...ADMIN_SYSCALLS,
  // ioprio.ts
  { nr: 251, name: 'ioprio_set', run: sysIoprioSet },
  { nr: 252, name: 'ioprio_get', run: sysIoprioGet },
  // kcmp.ts
  { nr: 312, name: 'kcmp', run: sysKcmp },
  // ptrace.ts
  { nr: 101, name: 'ptrace', run: sysPtrace, partial: 'no SYSEMU, seccomp stops or debug registers' },
  // ni-syscall.ts
  { nr: 134, name: 'uselib', run: sysNiSyscall, partial: NI },
  { nr: 156, name: '_sysctl', run: sysNiSyscall, partial: NI },
  { nr: 174, name: 'create_module', run: sysNiSyscall, partial: NI },
  { nr: 177, name: 'get_kernel_syms', run: sysNiSyscall, partial: NI },
  { nr: 178, name: 'query_module', run: sysNiSyscall, partial: NI },
  { nr: 180, name: 'nfsservctl', run: sysNiSyscall, partial: NI },
  { nr: 181, name: 'getpmsg', run: sysNiSyscall, partial: NI },
  { nr: 182, name: 'putpmsg', run: sysNiSyscall, partial: NI },
  { nr: 183, name: 'afs_syscall', run: sysNiSyscall, partial: NI },
  { nr: 184, name: 'tuxcall', run: sysNiSyscall, partial: NI },
  { nr: 185, name: 'security', run: sysNiSyscall, partial: NI },
  { nr: 205, name: 'set_thread_area', run: sysNiSyscall, partial: NI },
  { nr: 211, name: 'get_thread_area', run: sysNiSyscall, partial: NI },
  { nr: 212, name: 'lookup_dcookie', run: sysNiSyscall, partial: NI },
  { nr: 214, name: 'epoll_ctl_old', run: sysNiSyscall, partial: NI },
  { nr: 215, name: 'epoll_wait_old', run: sysNiSyscall, partial: NI },
  { nr: 236, name: 'vserver', run: sysNiSyscall, partial: NI },
];

/** The handlers by number, with holes. */
export function syscallHandlers(): SyscallHandler[] {
  const handlers: SyscallHandler[] = [];
  for (const { nr, run } of SYSCALLS) handlers[nr] = run;
  return handlers;
}
