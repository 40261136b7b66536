//! Where the kernel's thread sleeps while guests run.

use crate::control::Control;
use crate::futex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use stub_systrap::layout::{
    BELL_DEATH_BIT, BELL_ROOT_AT, BELL_SLEEPER_AT, SLEEPER_RUNS, SLEEPER_SLEEPS, SLEEPER_WOKEN,
};

/// A word that stubs wake, and any thread of the sentry.
#[derive(Clone, Debug)]
pub struct Doorbell {
    control: Control,
    /// Somebody of the sentry has rung.
    is_rung: Arc<AtomicBool>,
}

impl Doorbell {
    /// The doorbell of a control file.
    #[must_use]
    pub fn of(control: Control) -> Self {
        Self {
            control,
            is_rung: Arc::default(),
        }
    }

    /// Makes a running or coming sleep return.
    pub fn ring(&self) {
        self.is_rung.store(true, SeqCst);
        self.wake();
    }

    /// Says that a stub has died.
    pub fn tell_death(&self) {
        self.control.bell(BELL_ROOT_AT).fetch_or(BELL_DEATH_BIT, SeqCst);
        self.wake();
    }

    /// Whether a context has rung that was not collected.
    #[must_use]
    pub fn has_stops(&self) -> bool {
        self.control.bell(BELL_ROOT_AT).load(SeqCst) != 0
    }

    /// Sleeps until a context rings, [`Self::ring`] or the end of `timeout`. Returns whether the sentry has rung.
    pub fn sleep(&self, timeout: Option<Duration>) -> bool {
        let word = self.control.bell(BELL_SLEEPER_AT);
        // Whoever rings from now on sees that somebody sleeps; whoever has rung before is seen here. A guest that
        // writes the word makes this sleep short, or longer than it should: to the end of its time.
        word.store(SLEEPER_SLEEPS, SeqCst);
        if !self.has_stops() && !self.is_rung.load(SeqCst) {
            futex::sleep(word, SLEEPER_SLEEPS, timeout);
        }
        word.store(SLEEPER_RUNS, SeqCst);
        self.is_rung.swap(false, SeqCst)
    }

    /// Sleeps until a context rings, or the sentry does, at most for `limit`.
    pub fn sleep_briefly(&self, limit: Duration) {
        let word = self.control.bell(BELL_SLEEPER_AT);
        word.store(SLEEPER_SLEEPS, SeqCst);
        if !self.has_stops() && !self.is_rung.load(SeqCst) {
            futex::sleep(word, SLEEPER_SLEEPS, Some(limit));
        }
        word.store(SLEEPER_RUNS, SeqCst);
    }

    fn wake(&self) {
        let word = self.control.bell(BELL_SLEEPER_AT);
        if word.swap(SLEEPER_WOKEN, SeqCst) == SLEEPER_SLEEPS {
            futex::wake_one(word);
        }
    }
}
