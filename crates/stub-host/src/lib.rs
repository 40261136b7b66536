//! What a sentry does on the host to have stub processes, whatever its platform: it executes the image of a stub,
//! shares memory with it, gives it descriptors, and places its threads on processors.
//!
//! System calls are rustix's. libc is for what that lacks: clone(2), execveat(2), signal masks.

pub mod given_files;
pub mod guest_range;
pub mod mapping;
pub mod memory_file;
pub mod passed_fd;
pub mod processors;
pub mod signals;
pub mod spawn;
pub mod start_error;

pub use rustix::io::{Errno, Result};

/// Process or thread ID.
pub type Tid = libc::pid_t;

/// A process or thread ID as rustix takes it. Errors: `ESRCH` for none.
pub fn pid_of(tid: Tid) -> Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(tid).ok_or(Errno::SRCH)
}

/// Checks the result of a C function that returns -1 and sets `errno`.
pub fn check<T: PartialOrd + Default>(result: T) -> Result<T> {
    if result < T::default() {
        Err(last_error())
    } else {
        Ok(result)
    }
}

/// The calling thread's `errno`.
#[must_use]
pub fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
