//! Stub code, run by a stopped tracee on behalf of its tracer.

use crate::ptrace::{self, Event};
use crate::registers::{USER_CS, USER_DS};
use mailbox::Registers;
use stub::code;
use stub::layout::{CODE_ADDR, CONTROL_ADDR, Call, FORK_FLAGS, THREAD_FLAGS};
use stub_host::{Errno, Tid};

/// Why stub code did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A system call failed.
    Call(Errno),
    /// The thread is gone, or beyond use.
    Gone,
}

/// Makes one system call with the code at `code_addr`.
pub fn call_at(code_addr: u64, tid: Tid, nr: u64, args: [u64; 6]) -> Result<u64, Failure> {
    let [rdi, rsi, rdx, r10, r8, r9] = args;
    let regs = Registers {
        rax: nr,
        rdi,
        rsi,
        rdx,
        r10,
        r8,
        r9,
        ..starting_at(code_addr + code::once())
    };
    result_of(run(tid, &regs)?)
}

/// Makes one system call.
pub fn call(tid: Tid, nr: u64, args: [u64; 6]) -> Result<u64, Failure> {
    call_at(CODE_ADDR, tid, nr, args)
}

/// Makes the first `count` system calls in the control page of the thread's address space. Those behind one that failed
/// are not made.
pub fn batch(tid: Tid, count: usize) -> Result<(), Failure> {
    let end = CONTROL_ADDR + (count * size_of::<Call>()) as u64;
    let regs = Registers {
        rbx: CONTROL_ADDR,
        rbp: end,
        ..starting_at(CODE_ADDR + code::batch())
    };
    result_of(run(tid, &regs)?).map(drop)
}

/// Makes a thread beside `tid`, stopped.
pub fn clone_thread(tid: Tid) -> Result<Tid, Failure> {
    let child = child_tid(call(tid, SYS_CLONE, [THREAD_FLAGS, 0, 0, 0, 0, 0])?)?;
    match ptrace::wait_thread(child) {
        Ok(Event::Interrupt) => Ok(child),
        _ => Err(Failure::Gone),
    }
}

/// Copies the process of `tid`; the copy has one thread, which is stopped, and the control page at `control_offset`.
pub fn fork(tid: Tid, control_offset: u64) -> Result<Tid, Failure> {
    let start = starting_at(CODE_ADDR + code::fork());
    let regs = Registers {
        rax: SYS_CLONE,
        rdi: FORK_FLAGS,
        r12: CONTROL_ADDR,
        r14: control_offset,
        ..start
    };
    let child = child_tid(result_of(run(tid, &regs)?)?)?;
    let stopped = match ptrace::wait_thread(child) {
        Ok(Event::Interrupt) => resume_to_trap(child),
        _ => Err(Failure::Gone),
    };
    match stopped.and_then(result_of) {
        Ok(_) => Ok(child),
        Err(failure) => {
            end(child);
            Err(failure)
        }
    }
}

/// Kills a process and waits for its end.
pub fn end(pid: Tid) {
    if ptrace::kill(pid, libc::SIGKILL).is_err() {
        return;
    }
    while !matches!(ptrace::wait_thread(pid), Ok(Event::Gone) | Err(_)) {}
}

const SYS_CLONE: u64 = 56;

/// Runs stub code; the result is its `rax`.
fn run(tid: Tid, regs: &Registers) -> Result<u64, Failure> {
    ptrace::set_regs(tid, regs).map_err(|_| Failure::Gone)?;
    resume_to_trap(tid)
}

/// Lets a thread go on to the trap at the end of a piece of stub code. Stops that come between are dropped: an interrupt
/// that was asked for before, or a signal from outside.
fn resume_to_trap(tid: Tid) -> Result<u64, Failure> {
    loop {
        ptrace::cont(tid).map_err(|_| Failure::Gone)?;
        match ptrace::wait_thread(tid) {
            Ok(Event::Signal(libc::SIGTRAP)) => break,
            Ok(Event::Signal(libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGSYS)) => return Err(Failure::Gone),
            Ok(Event::Gone) | Err(_) => return Err(Failure::Gone),
            Ok(_) => {}
        }
    }
    ptrace::get_rax(tid).map_err(|_| Failure::Gone)
}

fn starting_at(rip: u64) -> Registers {
    Registers {
        rip,
        cs: USER_CS,
        ss: USER_DS,
        orig_rax: u64::MAX,
        eflags: 0x202,
        ..Registers::default()
    }
}

fn child_tid(value: u64) -> Result<Tid, Failure> {
    Tid::try_from(value).map_err(|_| Failure::Gone)
}

fn result_of(rax: u64) -> Result<u64, Failure> {
    match i64::try_from(rax.wrapping_neg()) {
        Ok(errno @ 1..=4095) => Err(Failure::Call(Errno::from_raw_os_error(
            i32::try_from(errno).unwrap_or(libc::EIO),
        ))),
        _ => Ok(rax),
    }
}

/// The error that a failure is to whoever asked.
impl From<Failure> for Errno {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Call(errno) => errno,
            Failure::Gone => Errno::SRCH,
        }
    }
}
