//! Results as JavaScript gets them: a value of 0 or more, or a negated errno.

use rustix::fd::{IntoRawFd, OwnedFd};
use rustix::io::{Errno, Result};

/// 0 or a negated errno.
pub fn status(call: impl FnOnce() -> Result<()>) -> i32 {
    call().map_or_else(negated, |()| 0)
}

/// A count of bytes, which the kernel keeps below 2^31, or a negated errno.
pub fn count(call: impl FnOnce() -> Result<usize>) -> i32 {
    call().map_or_else(negated, |count| i32::try_from(count).unwrap_or(i32::MAX))
}

/// A new descriptor, JavaScript's to close, or a negated errno.
pub fn descriptor(call: impl FnOnce() -> Result<OwnedFd>) -> i32 {
    call().map_or_else(negated, OwnedFd::into_raw_fd)
}

/// A small number or a negated errno.
pub fn number(call: impl FnOnce() -> Result<i32>) -> i32 {
    call().unwrap_or_else(negated)
}

/// A number up to 2^53 or a negated errno.
#[allow(clippy::cast_precision_loss, reason = "files are smaller")]
pub fn large(call: impl FnOnce() -> Result<u64>) -> f64 {
    call().map_or_else(|errno| f64::from(negated(errno)), |value| value as f64)
}

pub fn negated(errno: Errno) -> i32 {
    -errno.raw_os_error()
}
