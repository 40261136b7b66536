//! A futex that the loop's thread sleeps on, woken by the loop's events too.

use crate::{UvLoop, UvWatcher};
use rustix::io::Result;
use rustix::thread::futex::{self, Flags, Timespec};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

const RUNNING: u32 = 0;
const SLEEPING: u32 = 1;
const WOKEN: u32 = 2;

/// Where the loop's thread sleeps. A wake that comes first makes the next sleep return at once.
pub struct Sleeper {
    word: Arc<AtomicU32>,
    watcher: UvWatcher,
}

/// Makes a sleep return, from any thread.
#[derive(Clone)]
pub struct Waker {
    word: Arc<AtomicU32>,
}

impl Sleeper {
    /// A sleeper for the thread of `uv_loop`. Errors: as [`UvWatcher::start`].
    #[allow(clippy::missing_errors_doc, reason = "said above")]
    pub fn new(uv_loop: UvLoop) -> Result<Self> {
        let word = Arc::new(AtomicU32::new(RUNNING));
        let waker = Waker {
            word: Arc::clone(&word),
        };
        Ok(Self {
            word,
            watcher: UvWatcher::start(uv_loop.backend_fd(), move || waker.wake())?,
        })
    }

    /// What makes this one return.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker {
            word: Arc::clone(&self.word),
        }
    }

    /// Sleeps until a wake, an event of the loop, the loop's next timer, or the end of `timeout_ms` (infinity for
    /// none). May return early. Does not sleep at all when the loop has work.
    pub fn sleep(&self, uv_loop: UvLoop, timeout_ms: f64) {
        let limit_ms = timeout_ms.min(uv_loop.timeout_ms());
        if limit_ms > 0.0 && self.word.compare_exchange(RUNNING, SLEEPING, SeqCst, SeqCst).is_ok() {
            self.watcher.arm();
            let timeout = duration(limit_ms);
            // Woken, timed out and interrupted are one to the caller: it looks again.
            let _ = futex::wait(&self.word, Flags::PRIVATE, SLEEPING, timeout.as_ref());
            self.watcher.disarm();
        }
        self.word.store(RUNNING, SeqCst);
    }
}

impl Waker {
    /// Makes the running or the next sleep return. A system call only if the thread sleeps.
    pub fn wake(&self) {
        if self.word.swap(WOKEN, SeqCst) == SLEEPING {
            let woken = futex::wake(&self.word, Flags::PRIVATE, 1);
            debug_assert!(woken.is_ok(), "a word of ours can be woken");
        }
    }
}

fn duration(timeout_ms: f64) -> Option<Timespec> {
    const LIMIT_MS: f64 = 1e12;
    if timeout_ms.is_nan() || timeout_ms >= LIMIT_MS {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "below 1e18 nanoseconds")]
    let ns = (timeout_ms * 1e6) as i64;
    Some(Timespec {
        tv_sec: ns / 1_000_000_000,
        tv_nsec: ns % 1_000_000_000,
    })
}
