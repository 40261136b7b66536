//! The event loop's quiet moment, and a thread that sleeps through it.

use super::callback::Callback;
use napi::bindgen_prelude::{Env, Error, Function, Result};
use napi_derive::napi;
use uvloop::{Sleeper, UvLoop, Waker};

/// The loop of the calling thread.
pub fn uv_loop(env: &Env) -> Result<UvLoop> {
    let raw = env.get_uv_event_loop()?;
    // SAFETY: the loop is that of the environment's thread, which is this one, and outlives the environment.
    unsafe { UvLoop::from_raw(raw.cast()) }
        .map_err(|missing| Error::from_reason(format!("Cannot join the loop: {missing}")))
}

/// Calls a function when the loop has run everything that was due and would sleep.
#[napi]
pub struct PollPhase {
    phase: Option<uvloop::PollPhase>,
}

#[napi]
impl PollPhase {
    /// Joins the loop of this thread, and keeps it alive until closed.
    #[napi(constructor)]
    pub fn new(env: Env, callback: Function<'_, u32, ()>) -> Result<Self> {
        let callback = Callback::new(&env, &callback, "TSV_POLL_PHASE")?;
        let phase = uvloop::PollPhase::new(uv_loop(&env)?, move || callback.call(0));
        Ok(Self { phase: Some(phase) })
    }

    /// Asks for one call. Does nothing when closed.
    #[napi]
    pub fn again(&self) {
        if let Some(phase) = &self.phase {
            phase.again();
        }
    }

    /// Milliseconds that the loop would sleep; infinity without timers, 0 when it has work or when closed.
    #[napi]
    pub fn timeout_ms(&self) -> f64 {
        self.phase.as_ref().map_or(0.0, |phase| phase.uv_loop().timeout_ms())
    }

    /// Leaves the loop.
    #[napi]
    pub fn close(&mut self) {
        self.phase = None;
    }
}

/// Puts the loop's thread to sleep on a futex. The loop's events and timers wake it, and so does `wake`.
#[napi]
pub struct LoopSleeper {
    uv_loop: UvLoop,
    sleeper: Option<Sleeper>,
    waker: Waker,
}

#[napi]
impl LoopSleeper {
    /// For the loop of this thread.
    #[napi(constructor)]
    pub fn new(env: Env) -> Result<Self> {
        let uv_loop = uv_loop(&env)?;
        let sleeper = Sleeper::new(uv_loop.backend_fd())
            .map_err(|errno| Error::from_reason(format!("Cannot start the helper thread: {errno}")))?;
        Ok(Self {
            uv_loop,
            waker: sleeper.waker(),
            sleeper: Some(sleeper),
        })
    }

    /// Sleeps at most `timeout_ms` (infinity for no limit). May return early.
    #[napi]
    pub fn sleep(&self, timeout_ms: f64) {
        if let Some(sleeper) = &self.sleeper {
            sleeper.sleep(timeout_ms.min(self.uv_loop.timeout_ms()));
        }
    }

    /// Makes the next sleep return at once.
    #[napi]
    pub fn wake(&self) {
        self.waker.wake();
    }

    /// Ends the helper thread.
    #[napi]
    pub fn close(&mut self) {
        self.sleeper = None;
    }
}
