//! A libuv loop, asked by the thread that runs it.

use crate::api::{Api, Handle, Loop, MissingSymbol, api};
use rustix::fd::{BorrowedFd, RawFd};
use std::ffi::{c_int, c_void};

/// A loop of this thread. It is neither `Send` nor `Sync`: libuv's functions are for the loop's thread.
#[derive(Clone, Copy)]
pub struct UvLoop {
    raw: Loop,
    api: &'static Api,
}

impl UvLoop {
    /// Wraps the `uv_loop_t` that `napi_get_uv_event_loop` gives.
    ///
    /// # Safety
    /// `raw` is the loop of the calling thread, and stays so while the returned value or a copy is in use.
    ///
    /// # Errors
    /// [`MissingSymbol`] when the program does not export libuv's functions.
    pub unsafe fn from_raw(raw: *mut c_void) -> Result<Self, MissingSymbol> {
        Ok(Self { raw, api: api()? })
    }

    /// The descriptor that is readable when the loop has events. It lives as long as the loop.
    #[must_use]
    pub fn backend_fd(&self) -> BorrowedFd<'static> {
        // SAFETY: the loop is valid by the contract of `from_raw`.
        let fd: RawFd = unsafe { (self.api.backend_fd)(self.raw) };
        // SAFETY: libuv keeps this descriptor open until the loop is closed.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Milliseconds that the loop would sleep now: 0 when it has something to do, infinity without timers. Right only
    /// when the loop is in its prepare or poll phase: see [`crate::PollPhase`].
    #[must_use]
    pub fn timeout_ms(&self) -> f64 {
        // SAFETY: as in `backend_fd`.
        unsafe { (self.api.update_time)(self.raw) };
        // SAFETY: as in `backend_fd`.
        let timeout_ms = unsafe { (self.api.backend_timeout)(self.raw) };
        if timeout_ms < 0 {
            f64::INFINITY
        } else {
            f64::from(timeout_ms)
        }
    }

    /// Zeroed memory for a handle of `kind`, to be initialized and later given to free(3).
    pub(crate) fn allocate_handle(&self, kind: c_int) -> Handle {
        // SAFETY: a pure function.
        let bytes = unsafe { (self.api.handle_size)(kind) };
        // SAFETY: any size may be asked for; the memory is aligned for any C type.
        let handle = unsafe { libc::calloc(1, bytes) };
        assert!(!handle.is_null(), "no memory for a libuv handle");
        handle
    }

    pub(crate) fn raw(&self) -> Loop {
        self.raw
    }

    pub(crate) fn api(&self) -> &'static Api {
        self.api
    }
}
