//! An eventfd, through which stubs and threads of the sentry tell each other things.

use rustix::event::EventfdFlags;
use std::os::fd::{BorrowedFd, OwnedFd};
use stub_host::{Errno, Result};

/// One that counts.
pub fn create() -> Result<OwnedFd> {
    rustix::event::eventfd(0, EventfdFlags::CLOEXEC)
}

/// Adds to it, whatever signals come meanwhile.
pub fn add(fd: BorrowedFd<'_>, value: u64) {
    while rustix::io::write(fd, &value.to_ne_bytes()) == Err(Errno::INTR) {}
}

/// Waits until it is not zero, and takes its value.
pub fn take(fd: BorrowedFd<'_>) -> Result<u64> {
    let mut value = [0; 8];
    loop {
        match rustix::io::read(fd, &mut value) {
            Ok(_) => return Ok(u64::from_ne_bytes(value)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
