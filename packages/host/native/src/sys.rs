//! The system calls that no crate wraps, or wraps for owners of descriptors only.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, c_char, c_int, c_long};
use std::io::Error;
use std::mem::MaybeUninit;

fn last_errno() -> Errno {
    Errno::from_io_error(&Error::last_os_error()).unwrap_or(Errno::IO)
}

/// What a libc function returned, or errno.
fn checked(returned: c_int) -> Result<c_int> {
    if returned < 0 { Err(last_errno()) } else { Ok(returned) }
}

fn checked_long(returned: c_long) -> Result<u64> {
    u64::try_from(returned).map_err(|_| last_errno())
}

/// close(2).
pub fn close(fd: RawFd) -> Result<()> {
    // SAFETY: any number may be given; whose descriptor it is, is the caller's to know.
    checked(unsafe { libc::close(fd) }).map(|_| ())
}

/// dup3(2). Returns `newfd`.
pub fn dup3(oldfd: RawFd, newfd: RawFd, flags: c_int) -> Result<RawFd> {
    // SAFETY: as in `close`.
    checked(unsafe { libc::dup3(oldfd, newfd, flags) })
}

/// fcntl(2) for commands that take no pointer. Errors: EINVAL for others.
pub fn fcntl_int(fd: RawFd, command: c_int, argument: c_int) -> Result<c_int> {
    const COMMANDS: [c_int; 14] = [
        libc::F_DUPFD,
        libc::F_DUPFD_CLOEXEC,
        libc::F_GETFD,
        libc::F_SETFD,
        libc::F_GETFL,
        libc::F_SETFL,
        libc::F_GETOWN,
        libc::F_SETOWN,
        libc::F_GETPIPE_SZ,
        libc::F_SETPIPE_SZ,
        libc::F_ADD_SEALS,
        libc::F_GET_SEALS,
        libc::F_SETLEASE,
        libc::F_GETLEASE,
    ];
    if !COMMANDS.contains(&command) {
        return Err(Errno::INVAL);
    }
    // SAFETY: these commands read an int or nothing.
    checked(unsafe { libc::fcntl(fd, command, argument) })
}

/// lseek(2), with SEEK_DATA and SEEK_HOLE.
pub fn lseek(fd: RawFd, offset: i64, whence: u32) -> Result<u64> {
    let whence = c_int::try_from(whence).map_err(|_| Errno::INVAL)?;
    // SAFETY: no memory is involved.
    checked_long(unsafe { libc::lseek(fd, offset, whence) })
}

/// getdents64(2). Returns bytes.
pub fn getdents64(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize> {
    let len = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
    // SAFETY: the kernel writes at most `len` bytes to the buffer.
    let returned = unsafe { libc::syscall(libc::SYS_getdents64, fd.as_raw_fd(), buffer.as_mut_ptr(), len) };
    usize::try_from(returned).map_err(|_| last_errno())
}

/// fchmodat2(2), and fchmodat(2) when there are no flags.
pub fn fchmodat2(dirfd: BorrowedFd<'_>, path: &CStr, mode: u32, flags: u32) -> Result<()> {
    let (dirfd, path) = (dirfd.as_raw_fd(), path.as_ptr());
    let returned = if flags == 0 {
        // SAFETY: the path is a C string.
        unsafe { libc::syscall(libc::SYS_fchmodat, dirfd, path, mode) }
    } else {
        // SAFETY: the path is a C string.
        unsafe { libc::syscall(libc::SYS_fchmodat2, dirfd, path, mode, flags) }
    };
    checked_long(returned).map(|_| ())
}

/// Bytes of the kernel's `struct termios`, <asm/termbits.h>.
pub const TERMIOS_BYTES: usize = 36;

/// TCGETS, ioctl_tty(2).
pub fn tcgetattr(fd: BorrowedFd<'_>, termios: &mut [u8; TERMIOS_BYTES]) -> Result<()> {
    // SAFETY: the kernel writes TERMIOS_BYTES bytes.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCGETS, termios.as_mut_ptr()) }).map(|_| ())
}

/// TCSETS, TCSETSW or TCSETSF (`action` 0, 1, 2: TCSANOW, TCSADRAIN, TCSAFLUSH), ioctl_tty(2).
pub fn tcsetattr(fd: BorrowedFd<'_>, action: u32, termios: &[u8; TERMIOS_BYTES]) -> Result<()> {
    let request = match action {
        0 => libc::TCSETS,
        1 => libc::TCSETSW,
        2 => libc::TCSETSF,
        _ => return Err(Errno::INVAL),
    };
    // SAFETY: the kernel reads TERMIOS_BYTES bytes.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), request, termios.as_ptr()) }).map(|_| ())
}

/// TIOCSCTTY, ioctl_tty(2). `force` 1 steals it, with CAP_SYS_ADMIN.
pub fn set_controlling_terminal(fd: BorrowedFd<'_>, force: c_int) -> Result<()> {
    // SAFETY: the argument is an int.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCSCTTY, force) }).map(|_| ())
}

/// FIONREAD, ioctl_tty(2).
pub fn bytes_readable(fd: BorrowedFd<'_>) -> Result<c_int> {
    let mut bytes: c_int = 0;
    // SAFETY: the kernel writes an int.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
    Ok(bytes)
}

/// clone(2) flags of `unshare`.
pub fn unshare(flags: c_int) -> Result<()> {
    // CLONE_FILES and CLONE_VM would pull the ground from under other threads' descriptors and stacks.
    if flags & (libc::CLONE_FILES | libc::CLONE_VM | libc::CLONE_SIGHAND | libc::CLONE_THREAD) != 0 {
        return Err(Errno::INVAL);
    }
    // SAFETY: namespaces of the calling thread; no memory or descriptors are unshared.
    checked(unsafe { libc::unshare(flags) }).map(|_| ())
}

/// setns(2).
pub fn setns(fd: BorrowedFd<'_>, kind: c_int) -> Result<()> {
    // SAFETY: namespaces of the calling thread; no memory is involved.
    checked(unsafe { libc::setns(fd.as_raw_fd(), kind) }).map(|_| ())
}

/// getrusage(2).
pub fn getrusage(who: c_int) -> Result<libc::rusage> {
    let mut usage = MaybeUninit::zeroed();
    // SAFETY: the kernel writes a `struct rusage`.
    checked(unsafe { libc::getrusage(who, usage.as_mut_ptr()) })?;
    // SAFETY: zeros are a valid `struct rusage`, and the kernel has filled it.
    Ok(unsafe { usage.assume_init() })
}

/// prlimit(2) of this process: sets the limit if there is a new one, and returns the old one.
pub fn prlimit(resource: u32, new: Option<libc::rlimit64>) -> Result<libc::rlimit64> {
    let mut old = libc::rlimit64 {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `new` is null or a limit that outlives the call; the kernel writes the old one.
    let returned = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, new, &raw mut old) };
    checked_long(returned).map(|_| old)
}

/// pivot_root(2).
pub fn pivot_root(new_root: &CStr, put_old: &CStr) -> Result<()> {
    // SAFETY: both are C strings.
    let returned = unsafe { libc::syscall(libc::SYS_pivot_root, new_root.as_ptr(), put_old.as_ptr()) };
    checked_long(returned).map(|_| ())
}

/// mount(2). Null strings are absent.
pub fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    let (source, kind, data) = (pointer(source), pointer(kind), pointer(data));
    // SAFETY: each is null or a C string.
    checked(unsafe { libc::mount(source, target.as_ptr(), kind, flags, data.cast()) }).map(|_| ())
}

/// A new process.
#[derive(Debug)]
pub struct Child {
    /// Its pid.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: OwnedFd,
}

/// Namespaces that a new process can have of its own, clone(2).
const NAMESPACES: c_int = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
const CHILD_STACK_BYTES: usize = 64 * 1024;

/// Runs `body` in a new process of one thread, in new namespaces; it has to exec, or the process exits. Locks of other
/// threads stay held in it: it must not allocate. Its signals are blocked. The process has a copy of this one's memory, and
/// both go on; or it `borrows` the memory itself, and the calling thread goes on when it has executed or exited, vfork(2):
/// nothing is copied then, and no page of this process is copied on its next write.
pub fn run_in_child(namespaces: u64, borrows: bool, body: impl FnOnce()) -> Result<Child> {
    let flags = c_int::try_from(namespaces).map_err(|_| Errno::INVAL)?;
    if flags & !NAMESPACES != 0 {
        return Err(Errno::INVAL);
    }
    let sharing = if borrows { libc::CLONE_VM | libc::CLONE_VFORK } else { 0 };
    let flags = flags | sharing | libc::CLONE_PIDFD | libc::SIGCHLD;
    let mut pidfd: c_int = -1;
    let mut stack = vec![0u128; CHILD_STACK_BYTES / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let mut body = Some(body);
    let old = set_signal_mask(&full_signal_set());
    // SAFETY: the stack and the body are copies, or outlive the child's use of them: clone returns then when the child has
    // executed or exited. The pidfd is stored before.
    let returned = unsafe {
        libc::clone(
            run_body(&body),
            top.cast(),
            flags,
            (&raw mut body).cast(),
            &raw mut pidfd,
        )
    };
    let result = checked(returned);
    set_signal_mask(&old);
    let pid = result?;
    // SAFETY: CLONE_PIDFD has stored a descriptor that nobody else has.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid, pidfd })
}

/// What a new process begins with, to call a body of this type.
fn run_body<F: FnOnce()>(_: &Option<F>) -> extern "C" fn(*mut libc::c_void) -> c_int {
    extern "C" fn run<F: FnOnce()>(body: *mut libc::c_void) -> c_int {
        // SAFETY: `run_in_child` gives a body of this type, which nobody else uses.
        if let Some(body) = unsafe { &mut *body.cast::<Option<F>>() }.take() {
            body();
        }
        exit_at_once(127)
    }
    run::<F>
}

fn full_signal_set() -> libc::sigset_t {
    let mut set = MaybeUninit::zeroed();
    // SAFETY: there is room for a set.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: zeros are a valid set, and it has been filled.
    unsafe { set.assume_init() }
}

fn set_signal_mask(set: &libc::sigset_t) -> libc::sigset_t {
    let mut old = MaybeUninit::zeroed();
    // SAFETY: one set is read, one written.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set, old.as_mut_ptr()) };
    // SAFETY: zeros are a valid set, and the old one has been stored.
    unsafe { old.assume_init() }
}

/// All signals are handled as by default, for a program that is about to start.
pub fn reset_signal_handlers() {
    for signo in 1..=64 {
        // SAFETY: the default takes no handler; signals that cannot be set are refused.
        unsafe { libc::signal(signo, libc::SIG_DFL) };
    }
}

/// Lets all signals through.
pub fn unblock_signals() {
    let mut empty = MaybeUninit::zeroed();
    // SAFETY: there is room for a set.
    unsafe { libc::sigemptyset(empty.as_mut_ptr()) };
    // SAFETY: the set has been written.
    set_signal_mask(unsafe { empty.assume_init_ref() });
}

/// execve(2). Returns only an error. The lists end with a null pointer.
pub fn execve(file: &CStr, argv: &[*const c_char], envp: &[*const c_char]) -> Errno {
    if argv.last() != Some(&std::ptr::null()) || envp.last() != Some(&std::ptr::null()) {
        return Errno::INVAL;
    }
    // SAFETY: the lists end with null and have C strings before, which outlive this process image.
    unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    last_errno()
}

/// execveat(2) of an open file. As [`execve`], it returns only when it fails.
pub fn fexecve(fd: RawFd, argv: &[*const c_char], envp: &[*const c_char]) -> Errno {
    if argv.last() != Some(&std::ptr::null()) || envp.last() != Some(&std::ptr::null()) {
        return Errno::INVAL;
    }
    let (argv, envp) = (argv.as_ptr(), envp.as_ptr());
    // SAFETY: the lists end with null and have C strings before, which outlive this process image.
    unsafe { libc::syscall(libc::SYS_execveat, fd, c"".as_ptr(), argv, envp, libc::AT_EMPTY_PATH) };
    last_errno()
}

/// _exit(2).
pub fn exit_at_once(status: c_int) -> ! {
    // SAFETY: nothing runs afterwards.
    unsafe { libc::_exit(status) }
}

/// close_range(2): descriptors from `first` on are closed by execve(2).
pub fn close_on_exec_from(first: c_int) -> Result<()> {
    // SAFETY: no descriptor is closed now.
    let returned = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    checked_long(returned).map(|_| ())
}

/// PR_SET_PDEATHSIG, prctl(2).
pub fn set_parent_death_signal(signo: c_int) -> Result<()> {
    // SAFETY: the arguments are numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signo, 0, 0, 0) }).map(|_| ())
}

/// PR_CAPBSET_DROP, prctl(2), of all capabilities but those in `kept`, a bit each. A program that is executed then gets
/// no others, whoever it runs as.
pub fn limit_capabilities(kept: u64) -> Result<()> {
    for capability in 0..64 {
        if kept & (1 << capability) != 0 {
            continue;
        }
        // SAFETY: the arguments are numbers.
        match checked(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }) {
            Err(Errno::INVAL) => break, // The kernel knows no more.
            other => other?,
        };
    }
    Ok(())
}

/// capset(2) of this thread to nothing, and an empty bounding and ambient set where it may.
pub fn drop_capabilities() -> Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
    const CAP_SETPCAP: u64 = 8;
    if capabilities(None)?.effective.bits() & (1 << CAP_SETPCAP) != 0 {
        limit_capabilities(0)?;
    }
    let none = CapabilitySet::empty();
    set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
}

/// mount_setattr(2) of the mount that `fd` is the root of: sets `attributes` (MOUNT_ATTR_*) and the propagation.
pub fn mount_setattr(fd: RawFd, is_recursive: bool, attributes: u64, propagation: libc::c_ulong) -> Result<()> {
    let attr = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if is_recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a C string, and the kernel reads `attr` of the size that is told.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    checked_long(returned).map(|_| ())
}

/// errno of this thread, for a signal handler to put back.
pub fn keep_errno() -> c_int {
    // SAFETY: every thread has an errno.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *location }
}

/// See [`keep_errno`].
pub fn set_errno(errno: c_int) {
    // SAFETY: every thread has an errno.
    let location = unsafe { libc::__errno_location() };
    // SAFETY: it is this thread's own.
    unsafe { *location = errno }
}

/// `struct sigaction` of the kernel, rt_sigaction(2).
#[repr(C)]
#[derive(Clone, Copy)]
struct KernelAction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// A handler of the signal by which libc reaches all threads: no thread can block it, nptl(7). libc uses it in setuid(2)
/// and its kin only, which must not be called meanwhile. Dropped, libc's handler is back.
pub struct ThreadSignal {
    old: KernelAction,
    pid: libc::pid_t,
}

/// SIGSETXID of nptl(7).
const THREAD_SIGNAL: c_int = 33;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_RESTART: u64 = 0x1000_0000;

impl ThreadSignal {
    /// Errors: `NOSYS` with a libc that has no such signal.
    pub fn install(handler: extern "C" fn(c_int)) -> Result<Self> {
        let old = exchange_action(None)?;
        if old.flags & SA_RESTORER == 0 || old.restorer == 0 {
            return Err(Errno::NOSYS);
        }
        let new = KernelAction {
            handler: handler as usize,
            flags: SA_RESTORER | SA_RESTART,
            restorer: old.restorer,
            mask: u64::MAX,
        };
        exchange_action(Some(new))?;
        // SAFETY: no memory is involved.
        let pid = unsafe { libc::getpid() };
        Ok(Self { old, pid })
    }

    /// Sends it to a thread of this process. Errors: ESRCH when it has ended.
    pub fn send(&self, tid: i32) -> Result<()> {
        self.tgkill(tid, THREAD_SIGNAL)
    }

    /// Whether there is such a thread in this process.
    pub fn is_thread(&self, tid: i32) -> bool {
        self.tgkill(tid, 0).is_ok()
    }

    fn tgkill(&self, tid: i32, signo: c_int) -> Result<()> {
        // SAFETY: no memory is involved; the signal has a handler.
        let returned = unsafe { libc::syscall(libc::SYS_tgkill, self.pid, tid, signo) };
        checked_long(returned).map(|_| ())
    }
}

impl Drop for ThreadSignal {
    fn drop(&mut self) {
        let restored = exchange_action(Some(self.old));
        debug_assert!(restored.is_ok(), "libc's handler was there before");
    }
}

fn exchange_action(new: Option<KernelAction>) -> Result<KernelAction> {
    const SIGSET_BYTES: usize = 8;
    let mut old = KernelAction {
        handler: 0,
        flags: 0,
        restorer: 0,
        mask: 0,
    };
    let new = new.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `new` is null or an action whose handler stays; the kernel writes the old one.
    let returned = unsafe { libc::syscall(libc::SYS_rt_sigaction, THREAD_SIGNAL, new, &raw mut old, SIGSET_BYTES) };
    checked_long(returned).map(|_| old)
}

/// landlock_restrict_self(2), of the calling thread.
pub fn landlock_restrict_self(ruleset: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the arguments are numbers.
    let returned = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) };
    checked_long(returned).map(|_| ())
}

/// How a process has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With this status.
    Exited(i32),
    /// By this signal.
    Killed(i32),
}

/// waitid(2) of a child by its pidfd. None when it runs still and `options` has WNOHANG.
pub fn wait(pidfd: BorrowedFd<'_>, options: c_int) -> Result<Option<Ended>> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let id = pidfd.as_raw_fd().cast_unsigned();
    loop {
        // SAFETY: the kernel writes a siginfo.
        let waited = checked(unsafe { libc::waitid(libc::P_PIDFD, id, info.as_mut_ptr(), options | libc::WEXITED) });
        match waited {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(_) => break,
        }
    }
    // SAFETY: zeros are a valid siginfo, and the kernel has written it.
    let info = unsafe { info.assume_init() };
    // SAFETY: waitid(2) fills the fields of SIGCHLD, or leaves zeros.
    if unsafe { info.si_pid() } == 0 {
        return Ok(None);
    }
    // SAFETY: as above.
    let status = unsafe { info.si_status() };
    Ok(Some(if info.si_code == libc::CLD_EXITED {
        Ended::Exited(status)
    } else {
        Ended::Killed(status)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_with_pointers_are_refused() {
        assert_eq!(fcntl_int(0, libc::F_GETLK, 0), Err(Errno::INVAL));
        assert_eq!(fcntl_int(-1, libc::F_GETFD, 0), Err(Errno::BADF));
    }

    #[test]
    fn limits_are_read_without_being_set() {
        let before = prlimit(libc::RLIMIT_NOFILE, None).expect("prlimit");
        let after = prlimit(libc::RLIMIT_NOFILE, None).expect("prlimit");
        assert_eq!((before.rlim_cur, before.rlim_max), (after.rlim_cur, after.rlim_max));
    }

    #[test]
    fn memory_is_never_unshared() {
        assert_eq!(unshare(libc::CLONE_FILES), Err(Errno::INVAL));
    }
}
