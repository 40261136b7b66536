//! Files in memory that stubs execute or map.

use crate::{Errno, Result};
use core::ffi::CStr;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::os::fd::{BorrowedFd, OwnedFd};

/// Creates a memfd of `len` bytes. It may be executed.
pub fn memfd(name: &CStr, len: u64) -> Result<OwnedFd> {
    let fd = match memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::EXEC) {
        // Linux before 6.3 does not know MFD_EXEC, and all its memfds are executable.
        Err(Errno::INVAL) => memfd_create(name, MemfdFlags::CLOEXEC)?,
        result => result?,
    };
    ftruncate(&fd, len)?;
    Ok(fd)
}

/// Writes all of `bytes` at `at` of a file.
pub fn write_all(fd: BorrowedFd<'_>, bytes: &[u8], at: u64) -> Result<()> {
    let count = rustix::io::pwrite(fd, bytes, at)?;
    if count == bytes.len() { Ok(()) } else { Err(Errno::IO) }
}
