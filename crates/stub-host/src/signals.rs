//! Signals that must not come meanwhile.

use core::mem::zeroed;
use std::ptr::null_mut;

/// All signals of the thread that made it are blocked, until this is dropped.
#[derive(Debug)]
pub struct SignalsBlocked {
    old: libc::sigset_t,
}

impl SignalsBlocked {
    /// Blocks them.
    #[must_use]
    pub fn begin() -> Self {
        // SAFETY: all bit patterns are valid for a signal set.
        let mut all: libc::sigset_t = unsafe { zeroed() };
        let mut old = all;
        // SAFETY: the set is a local.
        unsafe { libc::sigfillset(&raw mut all) };
        // SAFETY: the sets are locals.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) };
        Self { old }
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set is one that the kernel gave.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.old, null_mut()) };
    }
}
