//! The system calls of a tracer, each as a safe function where its arguments make it so.

use crate::host_registers::{of_host, to_host};
use mailbox::Registers;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};

/// Thread ID of a tracee.
pub type Tid = libc::pid_t;

/// An error number, positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// What a system call returns.
pub type Result<T> = core::result::Result<T, Errno>;

impl Errno {
    /// The calling thread's `errno`.
    #[must_use]
    pub fn last() -> Self {
        Self(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO))
    }
}

/// Checks the result of a C function that returns -1 and sets `errno`.
pub fn check<T: PartialOrd + Default>(result: T) -> Result<T> {
    if result < T::default() {
        Err(Errno::last())
    } else {
        Ok(result)
    }
}

/// What wait4(2) told of a tracee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A system call under `PTRACE_SYSEMU`.
    Syscall,
    /// A stop that `PTRACE_INTERRUPT` or the attachment asked for.
    Interrupt,
    /// A signal is about to be delivered.
    Signal(i32),
    /// A ptrace event that nobody asked for.
    Unsupported(i32),
    /// The thread is gone, and its ID is free.
    Gone,
}

impl Event {
    fn of(status: i32) -> Self {
        if !libc::WIFSTOPPED(status) {
            return Self::Gone;
        }
        let signal = libc::WSTOPSIG(status);
        match (status >> 16, signal) {
            (0, SYSCALL_STOP) => Self::Syscall,
            (0, _) => Self::Signal(signal),
            (libc::PTRACE_EVENT_STOP, _) => Self::Interrupt,
            (event, _) => Self::Unsupported(event),
        }
    }
}

/// What `PTRACE_O_TRACESYSGOOD` makes of SIGTRAP.
const SYSCALL_STOP: i32 = libc::SIGTRAP | 0x80;
const PTRACE_SYSEMU: libc::c_uint = 31;
const NT_X86_XSTATE: usize = 0x202;

/// Traces `tid` from now on; it keeps running. It dies with its tracer.
pub fn seize(tid: Tid) -> Result<()> {
    let options = libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD;
    // SAFETY: PTRACE_SEIZE takes its options by value.
    check(unsafe { libc::ptrace(libc::PTRACE_SEIZE, tid, 0usize, i64::from(options)) }).map(drop)
}

/// Makes a running tracee stop.
pub fn interrupt(tid: Tid) -> Result<()> {
    // SAFETY: PTRACE_INTERRUPT takes no data.
    check(unsafe { libc::ptrace(libc::PTRACE_INTERRUPT, tid, 0usize, 0usize) }).map(drop)
}

/// Resumes a stopped tracee; its system calls are made. The signal that it stopped for is dropped.
pub fn cont(tid: Tid) -> Result<()> {
    // SAFETY: PTRACE_CONT takes the signal by value.
    check(unsafe { libc::ptrace(libc::PTRACE_CONT, tid, 0usize, 0usize) }).map(drop)
}

/// Resumes a stopped tracee; it stops at its next system call, which is not made. The signal that it stopped for is
/// dropped.
pub fn sysemu(tid: Tid) -> Result<()> {
    // SAFETY: PTRACE_SYSEMU takes the signal by value.
    check(unsafe { libc::ptrace(PTRACE_SYSEMU, tid, 0usize, 0usize) }).map(drop)
}

/// Reads the registers of a stopped tracee.
pub fn get_regs(tid: Tid) -> Result<Registers> {
    // SAFETY: all bit patterns are valid.
    let mut regs: libc::user_regs_struct = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes a `struct user_regs_struct`.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0usize, &raw mut regs) })?;
    Ok(of_host(&regs))
}

/// Sets the registers of a stopped tracee. Errors: `EIO` when a segment is not a user's.
pub fn set_regs(tid: Tid, regs: &Registers) -> Result<()> {
    let regs = to_host(regs);
    // SAFETY: the kernel reads a `struct user_regs_struct`.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0usize, &raw const regs) }).map(drop)
}

/// Reads `rax` of a stopped tracee.
pub fn get_rax(tid: Tid) -> Result<u64> {
    const PTRACE_PEEKUSER: i64 = 3;
    let at = core::mem::offset_of!(libc::user, regs.rax);
    let mut rax = 0u64;
    // SAFETY: the system call, unlike the C function, writes the value where it is told.
    check(unsafe { libc::syscall(libc::SYS_ptrace, PTRACE_PEEKUSER, i64::from(tid), at, &raw mut rax) })?;
    Ok(rax)
}

/// Sets `rax` of a stopped tracee: a third of what [`set_regs`] takes.
pub fn set_rax(tid: Tid, rax: u64) -> Result<()> {
    let at = core::mem::offset_of!(libc::user, regs.rax);
    // SAFETY: PTRACE_POKEUSER takes its value by value.
    check(unsafe { libc::ptrace(libc::PTRACE_POKEUSER, tid, at, rax) }).map(drop)
}

/// `si_code` and `si_addr` of the signal that a tracee stopped for.
pub fn get_siginfo(tid: Tid) -> Result<(i32, u64)> {
    // SAFETY: all bit patterns are valid for a siginfo_t.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes a siginfo_t.
    check(unsafe { libc::ptrace(libc::PTRACE_GETSIGINFO, tid, 0usize, &raw mut info) })?;
    // SAFETY: any siginfo_t has bytes where si_addr lies.
    let addr = unsafe { info.si_addr() };
    Ok((info.si_code, addr.addr() as u64))
}

/// Reads the FP state of a stopped tracee; returns its length.
pub fn get_xstate(tid: Tid, dst: &mut [u8]) -> Result<usize> {
    let mut iov = libc::iovec {
        iov_base: dst.as_mut_ptr().cast(),
        iov_len: dst.len(),
    };
    // SAFETY: the kernel writes at most `iov_len` bytes to `dst`.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGSET, tid, NT_X86_XSTATE, &raw mut iov) })?;
    Ok(iov.iov_len)
}

/// Sets the FP state of a stopped tracee. Errors: `EINVAL` when the header or MXCSR is not valid.
pub fn set_xstate(tid: Tid, src: &[u8]) -> Result<()> {
    let mut iov = libc::iovec {
        iov_base: src.as_ptr().cast_mut().cast(),
        iov_len: src.len(),
    };
    // SAFETY: the kernel only reads `src`.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGSET, tid, NT_X86_XSTATE, &raw mut iov) }).map(drop)
}

/// Waits for `pid` as waitpid(2) takes it, threads and traced siblings too. None when `flags` have WNOHANG and nothing
/// has happened. Errors: `EINTR`, `ECHILD`.
pub fn wait(pid: Tid, flags: i32) -> Result<Option<(Tid, Event)>> {
    let mut status = 0;
    // SAFETY: the kernel writes the status.
    let tid = check(unsafe {
        libc::wait4(
            pid,
            &raw mut status,
            libc::__WALL | libc::__WNOTHREAD | flags,
            null_mut(),
        )
    })?;
    Ok((tid != 0).then(|| (tid, Event::of(status))))
}

/// Waits for one thread, whatever signals come meanwhile.
pub fn wait_thread(tid: Tid) -> Result<Event> {
    loop {
        match wait(tid, 0) {
            Ok(Some((_, event))) => return Ok(event),
            Ok(None) | Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// kill(2).
pub fn kill(pid: Tid, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// A descriptor that names a process for good.
pub fn pidfd_open(pid: Tid) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    RawFd::try_from(fd).map(owned).map_err(|_| Errno(libc::EBADF))
}

/// kill(2) of the process that a descriptor names.
pub fn pidfd_kill(process: BorrowedFd<'_>, signal: i32) -> Result<()> {
    let info = null::<libc::siginfo_t>();
    // SAFETY: no memory is involved: without a siginfo the kernel makes one.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, info, 0) }).map(drop)
}

/// The calling thread's ID.
#[must_use]
pub fn gettid() -> Tid {
    // SAFETY: no memory is involved.
    unsafe { libc::gettid() }
}

/// Gives all capabilities of the calling thread up, capset(2). After `PR_SET_NO_NEW_PRIVS` no execve(2) brings them back.
/// Guests never need one, and a sentry that has none itself may only place threads that have none either.
pub fn drop_capabilities() -> Result<()> {
    /// Of the calling thread, in the third version of the format.
    static HEADER: [u32; 2] = [0x2008_0522, 0];
    /// Effective, permitted and inheritable ones, in two rows.
    static NONE: [u32; 6] = [0; 6];
    // SAFETY: the kernel reads a header and two rows of three words.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const HEADER, &raw const NONE) }).map(drop)
}

/// Creates a memfd of `len` bytes. It may be executed.
pub fn memfd(name: &core::ffi::CStr, len: u64) -> Result<OwnedFd> {
    const MFD_EXEC: libc::c_uint = 0x10;
    // SAFETY: the name ends with a zero.
    let mut fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC | MFD_EXEC) };
    if fd < 0 && Errno::last() == Errno(libc::EINVAL) {
        // Linux before 6.3 does not know MFD_EXEC, and all its memfds are executable.
        // SAFETY: as before.
        fd = unsafe { libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) };
    }
    let fd = owned(check(fd)?);
    let len = libc::off_t::try_from(len).map_err(|_| Errno(libc::EFBIG))?;
    // SAFETY: no memory is involved.
    check(unsafe { libc::ftruncate(fd.as_raw_fd(), len) })?;
    Ok(fd)
}

/// Writes all of `bytes` at the start of a file.
pub fn write_all(fd: BorrowedFd<'_>, bytes: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `bytes`.
    let count = check(unsafe { libc::pwrite(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) })?;
    if count.unsigned_abs() == bytes.len() {
        Ok(())
    } else {
        Err(Errno(libc::EIO))
    }
}

/// A connected pair of sockets that can pass descriptors.
pub fn socketpair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    })?;
    Ok((owned(fds[0]), owned(fds[1])))
}

/// Sends a descriptor, with a byte to carry it.
pub fn send_fd(socket: BorrowedFd<'_>, fd: RawFd) -> Result<()> {
    let mut byte = 0u8;
    let mut iov = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // CMSG_LEN of one descriptor does not count the padding.
    let len = core::mem::offset_of!(FdMessage, pad);
    let mut control = FdMessage {
        len,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd,
        pad: 0,
    };
    // SAFETY: all bit patterns are valid for a msghdr.
    let mut message: libc::msghdr = unsafe { core::mem::zeroed() };
    message.msg_iov = &raw mut iov;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<FdMessage>();
    // SAFETY: the message's pointers are to locals that outlive the call.
    check(unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) }).map(drop)
}

/// A `struct cmsghdr` with one descriptor, as cmsg(3) lays it out on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FdMessage {
    /// `cmsg_len`: 20.
    pub len: usize,
    /// `cmsg_level`.
    pub level: i32,
    /// `cmsg_type`.
    pub kind: i32,
    /// The descriptor.
    pub fd: RawFd,
    /// Up to the next header.
    pub pad: u32,
}

/// Memory mapped for as long as this lives.
#[derive(Debug)]
pub struct Mapping {
    addr: *mut u8,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: this type only tells the address; who uses the memory answers for it.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `len` bytes that can be read and written and are shared: of a file, or anonymous.
    pub fn shared(fd: Option<BorrowedFd<'_>>, len: usize) -> Result<Self> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let (raw, flags) = match fd {
            Some(fd) => (fd.as_raw_fd(), libc::MAP_SHARED | libc::MAP_NORESERVE),
            None => (-1, libc::MAP_SHARED | libc::MAP_NORESERVE | libc::MAP_ANONYMOUS),
        };
        // SAFETY: without MAP_FIXED the kernel takes a free range, so that no memory of ours is replaced.
        let addr = unsafe { libc::mmap(null_mut(), len, prot, flags, raw, 0) };
        if addr == libc::MAP_FAILED {
            Err(Errno::last())
        } else {
            Ok(Self { addr: addr.cast(), len })
        }
    }

    /// The first byte.
    #[must_use]
    pub fn addr(&self) -> *mut u8 {
        self.addr
    }

    /// Bytes of it.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.len
    }

    /// The `index`th page.
    #[must_use]
    pub fn page(&self, index: usize) -> *mut u8 {
        assert!((index + 1) * 4096 <= self.len, "the page is in the mapping");
        self.addr.wrapping_add(index * 4096)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `shared` and is unmapped once; whoever borrowed it has given it back.
        let result = unsafe { libc::munmap(self.addr.cast(), self.len) };
        debug_assert!(result == 0, "munmap of a mapping of ours succeeds");
    }
}

/// Blocks all signals for the calling thread; the result restores what was.
#[must_use]
pub fn block_signals() -> libc::sigset_t {
    // SAFETY: all bit patterns are valid for a signal set.
    let mut all: libc::sigset_t = unsafe { core::mem::zeroed() };
    let mut old = all;
    // SAFETY: the set is a local.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: the sets are locals.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) };
    old
}

/// Ends what [`block_signals`] began.
pub fn restore_signals(old: &libc::sigset_t) {
    // SAFETY: the set is one that the kernel gave.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, old, null_mut()) };
}

/// Keeps stops of tracees from raising SIGCHLD: nobody here wants it, and each costs time. Exits of children still do.
pub fn ignore_child_stops() {
    // SAFETY: all bit patterns are valid for a sigaction.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes what is in force.
    let read = unsafe { libc::sigaction(libc::SIGCHLD, null(), &raw mut action) };
    if read != 0 || action.sa_flags & libc::SA_NOCLDSTOP != 0 {
        return;
    }
    action.sa_flags |= libc::SA_NOCLDSTOP;
    // SAFETY: the action is the one in force but for the flag.
    unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, null_mut()) };
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made the descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
