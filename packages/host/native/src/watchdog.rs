//! A thread that notices when the thread that serves guests does not come back.

use std::io;
use std::os::fd::OwnedFd;
use std::process::abort;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What the watched thread writes.
#[derive(Default)]
#[repr(C)]
pub struct Beat {
    /// Another number each time it begins something; 0 while it waits for something to do.
    pub count: AtomicU32,
    /// Milliseconds that what it does now may take.
    pub limit_ms: AtomicU32,
}

/// What is done about a thread that is stuck.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A line in the log.
    Log,
    /// A line in the log, and the end of the process by SIGABRT.
    Panic,
}

/// Looks at a [`Beat`] again and again until it is dropped.
pub struct Watchdog {
    beat: Arc<Beat>,
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

const STACK_BYTES: usize = 64 * 1024;

impl Watchdog {
    /// Looks every `period`; `message` is written to `log` when the thread is stuck.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(period: Duration, action: Action, log: OwnedFd, message: Vec<u8>) -> io::Result<Self> {
        let beat = Arc::new(Beat::default());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let watched = Watch {
            beat: Arc::clone(&beat),
            action,
            log,
            message,
        };
        let of_thread = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("watchdog".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || watched.run(&of_thread, period))?;
        Ok(Self {
            beat,
            stop,
            thread: Some(thread),
        })
    }

    /// What the watched thread writes to.
    #[must_use]
    pub fn beat(&self) -> &Arc<Beat> {
        &self.beat
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        let (stopped, condvar) = &*self.stop;
        *stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        condvar.notify_all();
        if let Some(thread) = self.thread.take() {
            thread.join().ok(); // A panic of it is told by the runtime already.
        }
    }
}

struct Watch {
    beat: Arc<Beat>,
    action: Action,
    log: OwnedFd,
    message: Vec<u8>,
}

impl Watch {
    fn run(&self, (stopped, condvar): &(Mutex<bool>, Condvar), period: Duration) {
        let mut seen = 0;
        let mut since = Instant::now();
        let mut is_told = false;
        let mut guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            guard = condvar
                .wait_timeout_while(guard, period, |is_stopped| !*is_stopped)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
            if *guard {
                return;
            }
            let count = self.beat.count.load(Ordering::Relaxed);
            if count != seen || count == 0 {
                (seen, since, is_told) = (count, Instant::now(), false);
                continue;
            }
            let limit = Duration::from_millis(self.beat.limit_ms.load(Ordering::Relaxed).into());
            if since.elapsed() >= limit && !is_told {
                is_told = true;
                self.bark();
            }
        }
    }

    fn bark(&self) {
        // A log that takes nothing must not keep the action back.
        rustix::io::write(&self.log, &self.message).ok();
        if self.action == Action::Panic {
            abort();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read;

    fn watch() -> (Watchdog, File) {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let dog = Watchdog::start(Duration::from_millis(1), Action::Log, write, b"stuck\n".to_vec()).unwrap();
        (dog, File::from(read))
    }

    #[test]
    fn a_thread_that_does_not_come_back_is_told_of_once() {
        let (dog, mut log) = watch();
        dog.beat().count.store(1, Ordering::Relaxed);
        let mut line = [0; 6];
        log.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"stuck\n");
        thread::sleep(Duration::from_millis(20));
        drop(dog);
        let mut rest = Vec::new();
        log.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }

    #[test]
    fn a_thread_that_waits_is_not() {
        let (dog, mut log) = watch();
        dog.beat().limit_ms.store(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(20));
        drop(dog);
        let mut all = Vec::new();
        log.read_to_end(&mut all).unwrap();
        assert!(all.is_empty());
    }
}
