//! The one system call that rustix does not wrap.

use rustix::io::{Errno, Result};

/// Stores to each of `marks` whether a page is in memory, from address `addr` on, mincore(2). Errors: `ENOMEM` for what
/// is not mapped.
pub fn mincore(addr: usize, marks: &mut [u8]) -> Result<()> {
    let len = marks.len() << 12;
    let range = std::ptr::without_provenance_mut(addr);
    // SAFETY: mincore(2) reads nothing of the range, and writes a byte a page to `marks`, which has one a page.
    let result = unsafe { libc::mincore(range, len, marks.as_mut_ptr()) };
    if result != 0 {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(Errno::from_raw_os_error(errno));
    }
    for mark in marks {
        // The other bits are reserved.
        *mark &= 1;
    }
    Ok(())
}
