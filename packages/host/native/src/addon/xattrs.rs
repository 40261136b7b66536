//! Extended attributes of open files, xattr(7). An O_PATH descriptor has none by itself: its file is reached through
//! `/proc/self/fd`, which must be there.

use super::arguments::{ByteString, Bytes, Fd, Len, U32};
use super::results::{count, status};
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::fs::{self, XattrFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString};

/// fgetxattr(2) into `len` bytes of `value` at `at`; 0 bytes ask for the size. Returns bytes.
#[napi]
pub fn fgetxattr(fd: Fd, name: ByteString, value: Bytes, at: Len, len: Len) -> Result<i32> {
    let value = value.part(at, len)?;
    Ok(count(|| {
        let (fd, name) = (fd.get()?, name.c_str()?);
        match get(fd, name, value) {
            Err(Errno::BADF) if value.is_empty() => fs::getxattr_query(proc_path(fd)?, name),
            Err(Errno::BADF) => fs::getxattr(proc_path(fd)?, name, value),
            other => other,
        }
    }))
}

/// fsetxattr(2) to `len` bytes of `value` at `at`. `flags` is 0, XATTR_CREATE or XATTR_REPLACE.
#[napi]
pub fn fsetxattr(fd: Fd, name: ByteString, value: Bytes, at: Len, len: Len, flags: U32) -> Result<i32> {
    let value = value.part(at, len)?;
    let flags = XattrFlags::from_bits_retain(flags.0);
    Ok(status(|| {
        let (fd, name) = (fd.get()?, name.c_str()?);
        match fs::fsetxattr(fd, name, value, flags) {
            Err(Errno::BADF) => fs::setxattr(proc_path(fd)?, name, value, flags),
            other => other,
        }
    }))
}

/// flistxattr(2) into `len` bytes of `names` at `at`; 0 bytes ask for the size. Returns bytes.
#[napi]
pub fn flistxattr(fd: Fd, names: Bytes, at: Len, len: Len) -> Result<i32> {
    let names = names.part(at, len)?;
    Ok(count(|| {
        let fd = fd.get()?;
        match list(fd, names) {
            Err(Errno::BADF) if names.is_empty() => fs::listxattr_query(proc_path(fd)?),
            Err(Errno::BADF) => fs::listxattr(proc_path(fd)?, names),
            other => other,
        }
    }))
}

/// fremovexattr(2).
#[napi]
pub fn fremovexattr(fd: Fd, name: ByteString) -> i32 {
    status(|| {
        let (fd, name) = (fd.get()?, name.c_str()?);
        match fs::fremovexattr(fd, name) {
            Err(Errno::BADF) => fs::removexattr(proc_path(fd)?, name),
            other => other,
        }
    })
}

fn get(fd: BorrowedFd<'_>, name: &CStr, value: &mut [u8]) -> rustix::io::Result<usize> {
    if value.is_empty() {
        fs::fgetxattr_query(fd, name)
    } else {
        fs::fgetxattr(fd, name, value)
    }
}

fn list(fd: BorrowedFd<'_>, names: &mut [u8]) -> rustix::io::Result<usize> {
    if names.is_empty() {
        fs::flistxattr_query(fd)
    } else {
        fs::flistxattr(fd, names)
    }
}

fn proc_path(fd: BorrowedFd<'_>) -> rustix::io::Result<CString> {
    CString::new(format!("/proc/self/fd/{}", fd.as_raw_fd())).map_err(|_| Errno::INVAL)
}
