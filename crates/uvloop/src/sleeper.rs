//! A futex that the loop's thread sleeps on, woken by the loop's events too.

use crate::UvWatcher;
use rustix::fd::AsFd;
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
    /// A sleeper for the thread whose loop has this backend descriptor.
    ///
    /// # Errors
    /// As [`UvWatcher::start`].
    pub fn new(backend: impl AsFd) -> Result<Self> {
        let word = Arc::new(AtomicU32::new(RUNNING));
        let waker = Waker {
            word: Arc::clone(&word),
        };
        let watcher = UvWatcher::start(backend, move || waker.wake())?;
        Ok(Self { word, watcher })
    }

    /// What makes this one return.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker {
            word: Arc::clone(&self.word),
        }
    }

    /// Sleeps until a wake, an event of the loop, or the end of `timeout_ms` (infinity for none): the sooner of the
    /// caller's and [`crate::UvLoop::timeout_ms`]. May return early, and at once when `timeout_ms` is 0.
    pub fn sleep(&self, timeout_ms: f64) {
        if timeout_ms > 0.0 && self.word.compare_exchange(RUNNING, SLEEPING, SeqCst, SeqCst).is_ok() {
            self.watcher.arm();
            let timeout = duration(timeout_ms);
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
    use rustix::event::{EventfdFlags, eventfd};
    use std::thread;
    use std::time::{Duration, Instant};

    const LONG_MS: f64 = 5000.0;

    fn slept_ms(sleeper: &Sleeper, timeout_ms: f64) -> f64 {
        let begin = Instant::now();
        sleeper.sleep(timeout_ms);
        begin.elapsed().as_secs_f64() * 1e3
    }

    fn in_a_while(action: impl FnOnce() + Send + 'static) {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            action();
        });
    }

    #[test]
    fn a_wake_ends_the_sleep() {
        let backend = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let sleeper = Sleeper::new(&backend).expect("thread");
        let waker = sleeper.waker();
        in_a_while(move || waker.wake());
        assert!((19.0..LONG_MS).contains(&slept_ms(&sleeper, f64::INFINITY)));
    }

    #[test]
    fn a_wake_before_the_sleep_counts_once() {
        let backend = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let sleeper = Sleeper::new(&backend).expect("thread");
        sleeper.waker().wake();
        assert!(slept_ms(&sleeper, LONG_MS) < LONG_MS);
        assert!(slept_ms(&sleeper, 20.0) >= 19.0);
    }

    #[test]
    fn an_event_of_the_loop_ends_the_sleep() {
        let backend = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let event = eventfd(0, EventfdFlags::CLOEXEC).expect("eventfd");
        epoll::add(&backend, &event, EventData::new_u64(0), EventFlags::IN).expect("add");
        let sleeper = Sleeper::new(&backend).expect("thread");
        let writer = event.try_clone().expect("dup");
        in_a_while(move || {
            rustix::io::write(&writer, &1u64.to_ne_bytes()).expect("write");
        });
        assert!((19.0..LONG_MS).contains(&slept_ms(&sleeper, f64::INFINITY)));
    }
}
