//! The watchdog of the thread that serves guests.

use super::arguments::{Fd, U32};
use crate::watchdog::{Action, Beat, Watchdog as Thread};
use napi::bindgen_prelude::{ArrayBuffer, Env, Error, Result, Uint8Array};
use napi_derive::napi;
use rustix::io::fcntl_dupfd_cloexec;
use std::sync::Arc;
use std::time::Duration;

/// A thread that notices when this one does not come back: see `memory`.
#[napi]
pub struct Watchdog {
    thread: Option<Thread>,
}

#[napi]
impl Watchdog {
    /// Looks every `period_ms`. When this thread is stuck, `message` is written to a copy of `log`, and with `panics` the
    /// process ends by SIGABRT.
    #[napi(constructor)]
    pub fn new(period_ms: U32, panics: bool, log: Fd, message: Uint8Array) -> Result<Self> {
        let refused = |what: &dyn std::fmt::Display| Error::from_reason(format!("Cannot start the watchdog: {what}"));
        let log = log
            .get()
            .and_then(|fd| fcntl_dupfd_cloexec(fd, 0))
            .map_err(|errno| refused(&errno))?;
        let action = if panics { Action::Panic } else { Action::Log };
        let period = Duration::from_millis(period_ms.0.into());
        let thread = Thread::start(period, action, log, message.to_vec()).map_err(|error| refused(&error))?;
        Ok(Self { thread: Some(thread) })
    }

    /// Two words that this thread writes: another number each time that it begins something, 0 while it waits; and the
    /// milliseconds that what it does now may take.
    #[napi]
    pub fn memory<'env>(&self, env: &'env Env) -> Result<ArrayBuffer<'env>> {
        let thread = self
            .thread
            .as_ref()
            .ok_or_else(|| Error::from_reason("The watchdog is closed"))?;
        let beat = Arc::clone(thread.beat());
        let at = Arc::as_ptr(&beat).cast::<u8>().cast_mut();
        // SAFETY: the memory is that of `beat`, which lives until the buffer is collected; both sides access it as words.
        unsafe { ArrayBuffer::from_external(env, at, size_of::<Beat>(), beat, |_, beat| drop(beat)) }
    }

    /// Ends it.
    #[napi]
    pub fn close(&mut self) {
        self.thread = None;
    }
}
