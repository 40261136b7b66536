/**
 * How the arguments of each system call are shown: a word an argument, in order; `>x` is shown after the call. The word
 * behind `=` says what the result is. Words are the keys of the printers in `format-argument.ts`.
 */
const SIGNATURES = `
read fd >data:2 size
write fd data:2 size
open path openflags mode = fd
close fd
stat path >stat
fstat fd >stat
lstat path >stat
poll >pollfds:1 int int
lseek fd off whence
mmap ptr size prot mapflags fd hex = ptr
mprotect ptr size prot
munmap ptr size
brk ptr = ptr
rt_sigaction sig sigaction >sigaction size
rt_sigprocmask sighow sigset >sigset size
rt_sigreturn
ioctl fd ioctl ptr
pread64 fd >data:2 size off
pwrite64 fd data:2 size off
readv fd >iovec:2 int
writev fd iovec:2 int
access path accmode
pipe >fds
select int fdset fdset fdset timeval
sched_yield
mremap ptr size size mremapflags ptr = ptr
msync ptr size hex
mincore ptr size ptr
madvise ptr size advice
dup fd = fd
dup2 fd fd = fd
pause
nanosleep timespec >timespec
getitimer int ptr
alarm int
setitimer int ptr ptr
getpid
sendfile fd fd ptr size
socket family socktype int = fd
connect fd sockaddr:2 int
accept fd >sockaddr:2 ptr = fd
sendto fd data:2 size msgflags sockaddr:5 int
recvfrom fd >data:2 size msgflags >sockaddr:5 ptr
sendmsg fd msghdr msgflags
recvmsg fd >msghdr msgflags
shutdown fd int
bind fd sockaddr:2 int
listen fd int
getsockname fd >sockaddr:2 ptr
getpeername fd >sockaddr:2 ptr
socketpair family socktype int >fds
setsockopt fd int int ptr int
getsockopt fd int int ptr ptr
clone cloneflags ptr ptr ptr ptr
fork
vfork
execve path strings envs
exit int
wait4 int >int32 waitflags ptr
kill int sig
uname >utsname
fcntl fd fcntl hex
flock fd int
fsync fd
fdatasync fd
truncate path off
ftruncate fd off
getdents fd ptr size
getcwd >string size
chdir path
fchdir fd
rename path path
mkdir path mode
rmdir path
creat path mode = fd
link path path
unlink path
symlink path path
readlink path >string size
chmod path mode
fchmod fd mode
chown path int int
fchown fd int int
lchown path int int
umask mode
gettimeofday >timeval ptr
getrlimit rlimit >rlim
getrusage int ptr
sysinfo ptr
times ptr
ptrace int int ptr ptr
getuid
syslog int ptr int
getgid
setuid int
setgid int
geteuid
getegid
setpgid int int
getppid
getpgrp
setsid
setreuid int int
setregid int int
getgroups int ptr
setgroups int ptr
setresuid int int int
getresuid >int32 >int32 >int32
setresgid int int int
getresgid >int32 >int32 >int32
getpgid int
getsid int
capget ptr ptr
capset ptr ptr
rt_sigpending >sigset size
rt_sigtimedwait sigset ptr timespec size
rt_sigsuspend sigset size
sigaltstack ptr ptr
mknod path mode hex
personality hex
statfs path ptr
fstatfs fd ptr
prctl prctl hex hex hex hex
arch_prctl archprctl ptr
setrlimit rlimit rlim
sync
chroot path
mount path path path hex ptr
umount2 path hex
sethostname string size
gettid
readahead fd off size
getxattr path string ptr size
lgetxattr path string ptr size
fgetxattr fd string ptr size
listxattr path ptr size
tkill int sig
time ptr
futex ptr futexop int timespec ptr hex
sched_setaffinity int size ptr
sched_getaffinity int size ptr
epoll_create int = fd
getdents64 fd ptr size
set_tid_address ptr
fadvise64 fd off size int
clock_settime clock timespec
clock_gettime clock >timespec
clock_getres clock >timespec
clock_nanosleep clock hex timespec >timespec
exit_group int
epoll_wait fd ptr int int
epoll_ctl fd epollop fd epollevent
tgkill int int sig
utimes path ptr
waitid int int ptr waitflags ptr
inotify_init = fd
inotify_add_watch fd path hex
inotify_rm_watch fd int
openat dirfd path openflags mode = fd
mkdirat dirfd path mode
mknodat dirfd path mode hex
fchownat dirfd path int int atflags
newfstatat dirfd path >stat atflags
unlinkat dirfd path atflags
renameat dirfd path dirfd path
linkat dirfd path dirfd path atflags
symlinkat path dirfd path
readlinkat dirfd path >string size
fchmodat dirfd path mode
faccessat dirfd path accmode
pselect6 int fdset fdset fdset timespec ptr
ppoll >pollfds:1 int timespec sigset size
unshare cloneflags
set_robust_list ptr size
get_robust_list int ptr ptr
splice fd ptr fd ptr size hex
tee fd fd size hex
vmsplice fd iovec:2 int hex
utimensat dirfd path ptr atflags
epoll_pwait fd ptr int int sigset size
signalfd fd sigset size = fd
timerfd_create clock hex = fd
eventfd int = fd
fallocate fd hex off off
timerfd_settime fd hex ptr ptr
timerfd_gettime fd ptr
accept4 fd >sockaddr:2 ptr socktype = fd
signalfd4 fd sigset size openflags = fd
eventfd2 int openflags = fd
epoll_create1 openflags = fd
dup3 fd fd openflags = fd
pipe2 >fds openflags
inotify_init1 openflags = fd
preadv fd >iovec:2 int off
pwritev fd iovec:2 int off
recvmmsg fd ptr int msgflags timespec
prlimit64 int rlimit rlim >rlim
sendmmsg fd ptr int msgflags
getcpu >int32 >int32 ptr
renameat2 dirfd path dirfd path hex
seccomp int hex ptr
getrandom ptr size hex
memfd_create string hex = fd
execveat dirfd path strings envs atflags
membarrier int hex int
mlock2 ptr size hex
copy_file_range fd ptr fd ptr size hex
preadv2 fd >iovec:2 int off hex
pwritev2 fd iovec:2 int off hex
statx dirfd path atflags hex ptr
rseq ptr int hex hex
pidfd_send_signal fd sig ptr hex
mq_open path openflags mode ptr = fd
mq_unlink path
mq_timedsend fd data:2 size int timespec
mq_timedreceive fd >data:2 size >int32 timespec
mq_notify fd ptr
mq_getsetattr fd ptr ptr
pidfd_open int hex = fd
open_tree fd path hex = fd
move_mount fd path fd path hex
fsopen path hex = fd
fsconfig fd int path path int
fsmount fd hex hex = fd
fspick fd path hex = fd
mount_setattr fd path hex ptr size
add_key path path data:3 size int
request_key path path path int
keyctl int hex hex hex hex
mbind ptr size int ptr size hex
set_mempolicy int ptr size
get_mempolicy >int32 ptr size ptr hex
process_madvise fd ptr size advice hex
futex_wake ptr hex int hex
futex_wait ptr hex hex hex timespec int
futex_requeue ptr hex int int
adjtimex ptr
clock_adjtime int ptr
clone3 ptr size
close_range int int hex
openat2 dirfd path ptr size = fd
faccessat2 dirfd path accmode atflags
`;

/** The parsed form of one row. */
export interface StraceSignature {
  readonly args: readonly StraceArgument[];
  /** How the result is shown: `fd`, `ptr` or a plain number. */
  readonly result: string;
}

export interface StraceArgument {
  /** Printer. */
  readonly kind: string;
  /** Index of the argument that holds the count or length, -1 for none or the result. */
  readonly lenArg: number;
  /** Whether the call writes it: shown after the call. */
  readonly isOutput: boolean;
}

/** Signatures by call name; parsed once, when tracing is switched on. */
export function parseSignatures(): Map<string, StraceSignature> {
  const rows = SIGNATURES.trim().split('\n');
  return new Map(
    rows.map((row) => {
      const [left, result = 'int'] = row.split(' = ');
      const [name, ...words] = left!.split(' ');
      return [name!, { result, args: words.map(parseArgument) }];
    }),
  );
}

function parseArgument(word: string): StraceArgument {
  const isOutput = word.startsWith('>');
  const [kind, lenArg] = (isOutput ? word.slice(1) : word).split(':');
  return { kind: kind!, lenArg: lenArg === undefined ? -1 : Number(lenArg), isOutput };
}
