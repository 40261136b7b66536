import { EACCES, ENOSYS } from '@tsv/abi';

/** What a sentry does besides running JavaScript; each adds system calls to its {@link sentryFilter}. */
export const SyscallGroup = {
  /** Opens and changes host files below descriptors that it holds. */
  HOST_FILES: 'HOST_FILES',
  /** Uses files that others have opened for it, and no names. */
  DONATED_FILES: 'DONATED_FILES',
  /** Makes sockets of the host's network. */
  HOST_NETWORK: 'HOST_NETWORK',
  /** Has connections made to sockets that its gofer has bound to names of the host. */
  NAMED_SOCKETS: 'NAMED_SOCKETS',
  /** Talks to stub processes that run already, which fork themselves, and ends them. */
  STUBS: 'STUBS',
  /** Traces stubs. Nothing new can be attached to: a stub's children are traced from the beginning. */
  PTRACE: 'PTRACE',
  /** Runs guests with /dev/kvm. */
  KVM: 'KVM',
  /** Ends processes that it has started and waits for their end. */
  CHILDREN: 'CHILDREN',
  /** Removes names that it has made, beneath directories that it holds. */
  LEFTOVERS: 'LEFTOVERS',
} as const;
export type SyscallGroup = (typeof SyscallGroup)[keyof typeof SyscallGroup];

/** A condition on an argument that fits 32 bits: `(argument & mask) == value`. */
interface Condition {
  readonly index: number;
  readonly mask: number;
  readonly values: readonly number[];
}

const WHOLE = 0xffff_ffff;
const CLONE_THREAD = 0x1_0000;

/** What Node, its threads, libuv and V8 need while they run, and I/O on descriptors that are open. */
const RUNTIME = [
  ...['read', 'write', 'readv', 'writev', 'pread64', 'pwrite64', 'preadv', 'pwritev', 'preadv2', 'pwritev2', 'lseek'],
  ...['close', 'close_range', 'dup', 'dup2', 'dup3', 'fcntl', 'fstat', 'newfstatat', 'statx', 'pipe2', 'eventfd2'],
  ...['ftruncate', 'fallocate', 'fsync', 'fdatasync', 'syncfs', 'fadvise64', 'copy_file_range', 'flock', 'fstatfs'],
  ...['mmap', 'munmap', 'mremap', 'mprotect', 'madvise', 'brk', 'memfd_create', 'msync', 'mincore'],
  ...['pkey_alloc', 'pkey_free', 'pkey_mprotect', 'membarrier', 'futex', 'set_robust_list', 'rseq'],
  ...['epoll_create1', 'epoll_ctl', 'epoll_wait', 'epoll_pwait', 'epoll_pwait2', 'poll', 'ppoll', 'select', 'pselect6'],
  ...['timerfd_create', 'timerfd_settime', 'timerfd_gettime', 'nanosleep', 'clock_nanosleep'],
  ...['clock_gettime', 'clock_getres', 'gettimeofday', 'time', 'getrandom', 'sysinfo', 'uname', 'getrusage', 'times'],
  ...['getpid', 'gettid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid', 'getresuid', 'getresgid', 'getpgid'],
  ...['rt_sigaction', 'rt_sigprocmask', 'rt_sigreturn', 'rt_sigtimedwait', 'sigaltstack', 'restart_syscall', 'tgkill'],
  ...['sched_yield', 'sched_getaffinity', 'sched_setaffinity', 'sched_getparam', 'sched_getscheduler', 'getcpu'],
  ...['exit', 'exit_group', 'getcwd', 'capget', 'prlimit64', 'getrlimit', 'seccomp', 'getpriority', 'setpriority'],
  ...['accept4', 'shutdown', 'sendmsg', 'recvmsg', 'sendto', 'recvfrom', 'sendmmsg', 'recvmmsg', 'socketpair'],
  ...['getsockname', 'getpeername', 'getsockopt', 'setsockopt', 'clone3'],
];

/** What Node and libuv try in passing, and do without: they are told EACCES, unless a group allows it. */
const TRIED = [
  'open',
  'openat',
  'readlink',
  'readlinkat',
  'access',
  'faccessat',
  'faccessat2',
  'stat',
  'lstat',
  'statfs',
];

const BY_GROUP: Record<SyscallGroup, readonly string[]> = {
  HOST_FILES: [
    ...['openat2', 'getdents64', 'readlinkat', 'faccessat', 'faccessat2', 'mkdirat', 'mknodat', 'unlinkat'],
    ...['renameat2', 'symlinkat', 'linkat', 'fchmod', 'fchmodat', 'fchmodat2', 'fchown', 'fchownat', 'utimensat'],
    ...['fgetxattr', 'fsetxattr', 'flistxattr', 'fremovexattr'],
  ],
  DONATED_FILES: ['getdents64', 'readlinkat', 'fgetxattr', 'fsetxattr', 'flistxattr', 'fremovexattr'],
  HOST_NETWORK: ['bind', 'connect', 'listen'],
  NAMED_SOCKETS: ['listen'],
  STUBS: [
    ...['wait4', 'waitid', 'kill', 'tkill', 'process_vm_readv', 'process_vm_writev', 'pidfd_open', 'pidfd_send_signal'],
    ...['timer_create', 'timer_settime', 'timer_delete'],
  ],
  PTRACE: [],
  KVM: [],
  CHILDREN: ['waitid', 'pidfd_send_signal'],
  LEFTOVERS: ['unlinkat'],
};

/** ioctl(2) requests for terminals and of libuv. */
const RUNTIME_IOCTLS = [
  ...[0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x5414, 0x541b, 0x5421, 0x5450, 0x5451], // TC*, TIOC*WINSZ, FIO*
  ...[0x540b, 0x540e, 0x540f, 0x5410, 0x5429, 0x5441], // TCFLSH, TIOCSCTTY, TIOC[GS]PGRP, TIOCGSID, TIOCGPTPEER
];
/** PTRACE_* requests to a tracee: all but PTRACE_TRACEME (0), PTRACE_ATTACH (16) and PTRACE_SEIZE (0x4206). */
const TRACEE_REQUESTS = [
  ...[0x03, 0x06, 0x07, 0x0c, 0x0d, 0x1f], // PEEKUSER, POKEUSER, CONT, GETREGS, SETREGS, SYSEMU
  ...[0x4202, 0x4204, 0x4205, 0x4207, 0x4208], // GETSIGINFO, GETREGSET, SETREGSET, INTERRUPT, LISTEN
];
/** The type byte of the ioctl(2) requests of /dev/kvm. */
const KVMIO = 0xae;

const PR_SET_DUMPABLE = 4;
const PR_SET_NAME = 15;
const PR_GET_NAME = 16;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_GET_NO_NEW_PRIVS = 39;
const PR_SET_VMA = 0x5356_4d41;
/** AF_INET, AF_INET6. */
const SOCKET_DOMAINS = [2, 10];

/**
 * The seccomp filters of a sentry, for `installSeccompFilter`, in this order. Any other system call kills the process.
 * Threads may be made but no processes, and nothing can be executed: the first stub must run when they are installed.
 * The first answers ENOSYS to clone3(2), whose flags a filter cannot see, so that libc asks with clone(2); the second
 * EACCES to names of files.
 */
export function sentryFilters(groups: readonly SyscallGroup[]): string[] {
  const ofGroups = groups.flatMap((group) => BY_GROUP[group]);
  const refused = TRIED.filter((syscall) => !ofGroups.includes(syscall));
  const rules: object[] = calls([...new Set([...RUNTIME, ...TRIED, ...ofGroups])]);
  const add = (syscall: string, condition: Condition) => rules.push(...rulesFor(syscall, condition));
  add('ioctl', { index: 1, mask: WHOLE, values: RUNTIME_IOCTLS });
  add('prctl', {
    index: 0,
    mask: WHOLE,
    values: [PR_SET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS, PR_SET_VMA],
  });
  if (groups.includes('KVM')) add('ioctl', { index: 1, mask: 0xff00, values: [KVMIO << 8] });
  if (groups.includes('HOST_NETWORK')) add('socket', { index: 0, mask: WHOLE, values: SOCKET_DOMAINS });
  if (groups.includes('PTRACE')) add('ptrace', { index: 0, mask: WHOLE, values: TRACEE_REQUESTS });
  add('clone', { index: 0, mask: CLONE_THREAD, values: [CLONE_THREAD] });
  return [
    JSON.stringify({ mismatch_action: 'allow', match_action: { errno: ENOSYS }, filter: calls(['clone3']) }),
    JSON.stringify({ mismatch_action: 'allow', match_action: { errno: EACCES }, filter: calls(refused) }),
    JSON.stringify({ mismatch_action: 'kill_process', match_action: 'allow', filter: rules }),
  ];
}

function calls(syscalls: readonly string[]): object[] {
  return syscalls.map((syscall) => ({ syscall }));
}

function rulesFor(syscall: string, { index, mask, values }: Condition): object[] {
  const op = mask === WHOLE ? 'eq' : { masked_eq: mask };
  return values.map((val) => ({ syscall, args: [{ index, type: 'dword', op, val }] }));
}
