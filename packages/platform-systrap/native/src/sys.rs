//! The system calls of the sentry's side, each as a safe function where its arguments make it so.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{null, null_mut};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Process or thread ID.
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

/// A descriptor that names a process for good.
pub fn pidfd_open(pid: Tid) -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    RawFd::try_from(fd).map(owned).map_err(|_| Errno(libc::EBADF))
}

/// SIGKILL for the process that a descriptor names. Errors: `ESRCH` when it has ended.
pub fn pidfd_kill(process: BorrowedFd<'_>) -> Result<()> {
    let info = null::<libc::siginfo_t>();
    // SAFETY: no memory is involved: without a siginfo the kernel makes one.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, info, 0) }).map(drop)
}

/// Whether a child has ended. It is not reaped.
pub fn has_ended(pid: Tid) -> bool {
    // SAFETY: all bit patterns are valid for a siginfo_t.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: the kernel writes the siginfo.
    let result = check(unsafe { libc::waitid(libc::P_PID, pid.unsigned_abs(), &raw mut info, flags) });
    // SAFETY: waitid has filled in the ID, or left it zero.
    result.is_err() || unsafe { info.si_pid() } != 0
}

/// Waits until a child has ended, and reaps it.
pub fn reap(pid: Tid) {
    loop {
        // SAFETY: no status is asked for.
        match check(unsafe { libc::waitpid(pid, null_mut(), libc::__WALL) }) {
            Err(Errno(libc::EINTR)) => {}
            _ => return,
        }
    }
}

/// Sends a signal to one thread. Errors: `ESRCH`.
pub fn tgkill(pid: Tid, tid: Tid, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, signal) }).map(drop)
}

/// Sleeps while a word that other processes share has `value`, at most for `timeout` (None: for ever). Returns early too.
pub fn futex_wait(word: &AtomicU32, value: u32, timeout: Option<Duration>) {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(null(), core::ptr::from_ref);
    // SAFETY: the kernel reads the word and the timeout.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAIT, value, timeout) };
}

/// Wakes one that sleeps on a word.
pub fn futex_wake(word: &AtomicU32) {
    // SAFETY: no memory is changed.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE, 1) };
}

/// An eventfd that counts.
pub fn eventfd() -> Result<OwnedFd> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) }).map(owned)
}

/// Adds to an eventfd.
pub fn event_add(fd: BorrowedFd<'_>, value: u64) {
    // SAFETY: the kernel reads eight bytes.
    unsafe { libc::write(fd.as_raw_fd(), (&raw const value).cast(), 8) };
}

/// Waits until an eventfd is not zero, and takes its value.
pub fn event_take(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut value = 0u64;
    loop {
        // SAFETY: the kernel writes eight bytes.
        match check(unsafe { libc::read(fd.as_raw_fd(), (&raw mut value).cast(), 8) }) {
            Ok(_) => return Ok(value),
            Err(Errno(libc::EINTR)) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// The position of an open file.
pub fn position(fd: BorrowedFd<'_>) -> Result<u64> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::lseek(fd.as_raw_fd(), 0, libc::SEEK_CUR) }).map(i64::unsigned_abs)
}

/// The processor that the calling thread runs on now.
#[must_use]
pub fn processor() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::sched_getcpu() }
}

/// Processor time that a process has used, all of its threads together.
#[must_use]
pub fn used(pid: Tid) -> Option<Duration> {
    /// `CPUCLOCK_SCHED`, of a process.
    const SCHEDULER: libc::clockid_t = 2;
    let clock = (!pid << 3) | SCHEDULER;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the time.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) }).ok()?;
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}

/// The processors that the calling thread may use.
pub fn processors() -> Result<libc::cpu_set_t> {
    // SAFETY: all bit patterns are valid for a CPU set.
    let mut all: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    // SAFETY: the kernel writes at most the size that it is told.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut all) })?;
    Ok(all)
}

/// The set of one processor.
#[must_use]
pub fn only(processor: i32) -> libc::cpu_set_t {
    // SAFETY: all bit patterns are valid for a CPU set.
    let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
    if let Ok(processor) = usize::try_from(processor)
        && processor < 8 * size_of::<libc::cpu_set_t>()
    {
        // SAFETY: the processor is one that the set has a bit for.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    set
}

/// A set less one processor, or all of it if there is no other.
#[must_use]
pub fn without(set: &libc::cpu_set_t, processor: i32) -> libc::cpu_set_t {
    let mut others = *set;
    if let Ok(processor) = usize::try_from(processor)
        && processor < 8 * size_of::<libc::cpu_set_t>()
    {
        // SAFETY: the processor is one that the set has a bit for.
        unsafe { libc::CPU_CLR(processor, &mut others) };
    }
    // SAFETY: the set is a local.
    if unsafe { libc::CPU_COUNT(&others) } > 0 {
        others
    } else {
        *set
    }
}

/// Lets a thread run on these processors only. Where the host forbids it, it runs where it did.
pub fn place(tid: Tid, processors: &libc::cpu_set_t) {
    // SAFETY: the kernel reads the set.
    unsafe { libc::sched_setaffinity(tid, size_of::<libc::cpu_set_t>(), &raw const *processors) };
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

/// Writes all of `bytes` at `at` of a file.
pub fn write_all(fd: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<()> {
    let at = libc::off_t::try_from(at).map_err(|_| Errno(libc::EFBIG))?;
    // SAFETY: the kernel reads `bytes`.
    let count = check(unsafe { libc::pwrite(fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), at) })?;
    if count.unsigned_abs() == bytes.len() {
        Ok(())
    } else {
        Err(Errno(libc::EIO))
    }
}

/// A connected pair of sockets that can pass descriptors.
pub fn socketpair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two descriptors.
    check(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) })?;
    Ok((owned(fds[0]), owned(fds[1])))
}

/// Sends a descriptor, with a byte to carry it.
pub fn send_fd(socket: BorrowedFd<'_>, fd: RawFd) -> Result<()> {
    let mut byte = 0u8;
    let mut iov = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    let mut control = FdMessage {
        // CMSG_LEN of one descriptor does not count the padding.
        len: core::mem::offset_of!(FdMessage, pad),
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
    /// Maps the first `len` bytes of a file, shared, to be read and written.
    pub fn shared(fd: BorrowedFd<'_>, len: usize) -> Result<Self> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
        // SAFETY: without MAP_FIXED the kernel takes a free range, so that no memory of ours is replaced.
        let addr = unsafe { libc::mmap(null_mut(), len, prot, flags, fd.as_raw_fd(), 0) };
        if addr == libc::MAP_FAILED {
            Err(Errno::last())
        } else {
            Ok(Self { addr: addr.cast(), len })
        }
    }

    /// Byte `at` of the mapping, with `len` bytes from there on.
    #[must_use]
    pub fn bytes(&self, at: usize, len: usize) -> *mut u8 {
        assert!(at <= self.len && len <= self.len - at, "the bytes are in the mapping");
        self.addr.wrapping_add(at)
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

/// Makes a descriptor that the kernel has just made ours.
fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made the descriptor for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
