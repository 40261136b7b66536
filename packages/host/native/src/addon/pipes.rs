//! Pipes, and readiness of one descriptor.

use super::arguments::{Fd, I32s, U32};
use super::results::{number, status};
use crate::sys;
use napi_derive::napi;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{IntoRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

/// pipe2(2). Stores the end to read and the end to write in `fds`.
#[napi]
pub fn pipe2(fds: I32s, flags: U32) -> i32 {
    status(|| store_pair(fds.all(), || pipe_with(PipeFlags::from_bits_retain(flags.0))))
}

/// Makes two descriptors and stores them. None is made when there is no room.
pub fn store_pair(
    fds: &mut [i32],
    make: impl FnOnce() -> rustix::io::Result<(OwnedFd, OwnedFd)>,
) -> rustix::io::Result<()> {
    let [first, second, ..] = fds else {
        return Err(Errno::INVAL);
    };
    let pair = make()?;
    *first = pair.0.into_raw_fd();
    *second = pair.1.into_raw_fd();
    Ok(())
}

/// poll(2) of one descriptor. Returns `revents`, 0 when `timeout_ms` (-1 for none) has passed.
#[napi]
pub fn poll_fd(fd: Fd, events: U32, timeout_ms: f64) -> i32 {
    number(|| {
        let events = u16::try_from(events.0).map_err(|_| Errno::INVAL)?;
        let fd = fd.get()?;
        let mut fds = [PollFd::new(&fd, PollFlags::from_bits_retain(events))];
        poll(&mut fds, timespec(timeout_ms).as_ref())?;
        Ok(fds[0].revents().bits().into())
    })
}

/// FIONREAD, ioctl_tty(2). Returns bytes.
#[napi]
pub fn bytes_readable(fd: Fd) -> i32 {
    number(|| sys::bytes_readable(fd.get()?))
}

/// None for no timeout.
fn timespec(timeout_ms: f64) -> Option<Timespec> {
    const LIMIT_MS: f64 = 1e12;
    if timeout_ms.is_nan() || !(0.0..LIMIT_MS).contains(&timeout_ms) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "below 1e18 nanoseconds")]
    let ns = (timeout_ms * 1e6) as i64;
    Some(Timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    })
}
