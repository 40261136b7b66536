//! Starts the first stub: executes its image in a process without anything else.

use crate::signals::SignalsBlocked;
use crate::{Errno, Result, Tid, check};
use rustix::process::{Resource, Rlimit, Signal, getpid, getppid, set_parent_process_death_signal, setrlimit, setsid};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr::null;

/// Descriptors that a stub can have.
pub const FDS_MAX: usize = 5;
/// Descriptors from here on are used while the lower ones are put in place.
const ASIDE: RawFd = 16;
const STACK_BYTES: usize = 64 * 1024;

/// What the child does its work with.
struct Spawn<'fds> {
    image: BorrowedFd<'fds>,
    fds: &'fds [BorrowedFd<'fds>],
    parent: Tid,
    error: Option<Errno>,
}

/// Executes the image in a new process, whose descriptors 0 and up are these and no others. It leads a session, dies
/// with this thread, has no capabilities and no way to new privileges, and all of its signals are blocked. `reap` is
/// called with a child that has failed and exits.
///
/// The child borrows this process's memory until it executes the image, as of vfork(2).
///
/// # Panics
///
/// With more than [`FDS_MAX`] descriptors.
pub fn spawn(image: BorrowedFd<'_>, fds: &[BorrowedFd<'_>], reap: impl FnOnce(Tid)) -> Result<Tid> {
    assert!(fds.len() <= FDS_MAX, "there is room for the descriptors");
    let mut request = Spawn {
        image,
        fds,
        parent: getpid().as_raw_nonzero().get(),
        error: None,
    };
    let mut stack = vec![0u128; STACK_BYTES / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // A handler of this process must not run in the child.
    let blocked = SignalsBlocked::begin();
    // SAFETY: the stack and the request outlive the child's use of them: clone returns when it has executed or exited.
    let pid = check(unsafe { libc::clone(run_child, top.cast(), flags, (&raw mut request).cast()) });
    drop(blocked);
    let pid = pid?;
    match request.error {
        None => Ok(pid),
        Some(errno) => {
            reap(pid);
            Err(errno)
        }
    }
}

extern "C" fn run_child(request: *mut libc::c_void) -> i32 {
    // SAFETY: `spawn` gives a request of its own and waits.
    let request = unsafe { &mut *request.cast::<Spawn<'_>>() };
    let errno = match put_in_place(request).and_then(|image| confine(request.parent).map(|()| execute(image))) {
        Ok(errno) | Err(errno) => errno,
    };
    request.error = Some(errno);
    1
}

/// Leaves the process with its descriptors, and the image behind them; the image's number.
fn put_in_place(request: &Spawn<'_>) -> Result<RawFd> {
    let image = duplicate(request.image)?;
    let mut aside = [-1; FDS_MAX];
    for (aside, fd) in aside.iter_mut().zip(request.fds) {
        *aside = duplicate(*fd)?;
    }
    let mut next = 0;
    for aside in &aside[..request.fds.len()] {
        // SAFETY: no memory is involved, and the child has a table of descriptors of its own.
        check(unsafe { libc::dup2(*aside, next) })?;
        next += 1;
    }
    // SAFETY: as above.
    check(unsafe { libc::dup3(image, next, libc::O_CLOEXEC) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, next + 1, u32::MAX, 0) })?;
    Ok(next)
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<RawFd> {
    // SAFETY: no memory is involved. Nobody owns the copy: it is closed with all that are aside.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD, ASIDE) })
}

/// Takes from the process what it has no use for, for good.
fn confine(parent: Tid) -> Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    set_no_new_privs(true)?;
    // Guests never need one, and a sentry that has none itself may only place threads that have none either.
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none)?;
    let no_core = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, no_core)?;
    // A parent that died before its death signal was asked for sends none. None is one in another PID namespace.
    match getppid() {
        Some(now) if now.as_raw_nonzero().get() != parent => Err(Errno::SRCH),
        _ => Ok(()),
    }
}

/// Returns only when it fails.
fn execute(image: RawFd) -> Errno {
    let nothing: [*const libc::c_char; 1] = [null()];
    let argv = [c"tsv-stub".as_ptr(), null()];
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the arrays end with null and outlive the call.
    unsafe { libc::syscall(libc::SYS_execveat, image, path, argv.as_ptr(), nothing.as_ptr(), flags) };
    crate::last_error()
}
