//! What a tracer asks of the kernel, ptrace(2) and wait4(2), each as a safe function.

use crate::host_registers::{of_host, to_host};
use mailbox::Registers;
use std::ptr::{null, null_mut};
use stub_host::{Errno, Result, Tid, check};

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
            Ok(None) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// kill(2), of a process or, with a negative ID, of a group.
pub fn kill(pid: Tid, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
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
