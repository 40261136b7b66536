//! A helper thread that watches libuv's backend descriptor while the loop's thread sleeps elsewhere.

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::{Errno, Result};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime, timerfd_create,
    timerfd_settime,
};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

const BACKEND: u64 = 0;
const TIMER: u64 = 1;
const STOP: u64 = 2;
const NEVER: u64 = u64::MAX;

/// Calls a waker, at most once for each time it is armed, when the backend descriptor is readable or a deadline has
/// passed. The helper thread sleeps in epoll_wait(2) otherwise, armed or not.
///
/// Arming costs a system call only when the helper has fired since the last time or the deadline is sooner than
/// before; disarming is a store. An event between the two makes the helper look once and go back to sleep.
pub struct UvWatcher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    epoll: OwnedFd,
    backend: OwnedFd,
    timer: OwnedFd,
    stop: OwnedFd,
    is_armed: AtomicBool,
    /// The backend is watched: it has not fired since it was watched last.
    is_watching: AtomicBool,
    /// CLOCK_MONOTONIC nanoseconds, for the armed period.
    deadline_ns: AtomicU64,
    /// What the timer is set to. It may be sooner than the deadline; then the helper sets it again.
    timer_ns: Mutex<u64>,
}

impl UvWatcher {
    /// Starts the helper thread. `waker` runs on it.
    ///
    /// # Errors
    /// What epoll_create1(2), timerfd_create(2), eventfd(2) and clone(2) say.
    pub fn start(backend: impl AsFd, waker: impl Fn() + Send + 'static) -> Result<Self> {
        let shared = Arc::new(Shared::new(backend)?);
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("uv-watcher".into())
            .stack_size(64 << 10)
            .spawn(move || {
                block_signals();
                of_thread.run(&waker);
            })
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// From now on, the backend wakes. For callers that watch the time themselves.
    pub fn arm(&self) {
        self.shared.arm(NEVER);
    }

    /// From now on, the backend wakes, and so does the end of `timeout_ms` (infinity for none).
    pub fn arm_for(&self, timeout_ms: f64) {
        self.shared.arm(deadline_in(timeout_ms));
    }

    /// Nothing wakes from now on, except a waker that has begun to run.
    pub fn disarm(&self) {
        self.shared.is_armed.store(false, SeqCst);
    }
}

impl Drop for UvWatcher {
    fn drop(&mut self) {
        self.disarm();
        let written = rustix::io::write(&self.shared.stop, &1u64.to_ne_bytes());
        debug_assert!(written.is_ok(), "an eventfd takes a first write");
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            debug_assert!(ended.is_ok(), "the helper does not panic");
        }
    }
}

impl Shared {
    fn new(backend: impl AsFd) -> Result<Self> {
        let shared = Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            backend: rustix::io::fcntl_dupfd_cloexec(backend, 3)?,
            timer: timerfd_create(
                TimerfdClockId::Monotonic,
                TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
            )?,
            stop: eventfd(0, EventfdFlags::CLOEXEC)?,
            is_armed: AtomicBool::new(false),
            is_watching: AtomicBool::new(false),
            deadline_ns: AtomicU64::new(NEVER),
            timer_ns: Mutex::new(NEVER),
        };
        epoll::add(
            &shared.epoll,
            &shared.backend,
            EventData::new_u64(BACKEND),
            EventFlags::ONESHOT,
        )?;
        epoll::add(&shared.epoll, &shared.timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        epoll::add(&shared.epoll, &shared.stop, EventData::new_u64(STOP), EventFlags::IN)?;
        Ok(shared)
    }

    fn arm(&self, deadline_ns: u64) {
        self.deadline_ns.store(deadline_ns, SeqCst);
        self.is_armed.store(true, SeqCst);
        // The helper clears `is_watching` before it looks at `is_armed`: one of us sees the other's store.
        if !self.is_watching.swap(true, SeqCst) {
            let flags = EventFlags::IN | EventFlags::ONESHOT;
            let watched = epoll::modify(&self.epoll, &self.backend, EventData::new_u64(BACKEND), flags);
            debug_assert!(watched.is_ok(), "a watched descriptor can be watched again");
        }
        if deadline_ns != NEVER {
            let mut timer_ns = self.lock_timer();
            if deadline_ns < *timer_ns {
                self.set_timer(&mut timer_ns, deadline_ns);
            }
        }
    }

    fn run(&self, waker: &dyn Fn()) {
        let mut buffer = [MaybeUninit::<epoll::Event>::uninit(); 4];
        loop {
            let events: &[epoll::Event] = match epoll::wait(&self.epoll, &mut buffer, None) {
                Ok((events, _)) => events,
                Err(_interrupted) => continue,
            };
            let mut is_due = false;
            for event in events {
                match event.data.u64() {
                    STOP => return,
                    BACKEND => {
                        self.is_watching.store(false, SeqCst);
                        is_due = true;
                    }
                    _timer => is_due |= self.timer_fired(),
                }
            }
            if is_due && self.is_armed.swap(false, SeqCst) {
                waker();
            }
        }
    }

    /// True when the deadline has passed; else sets the timer to it.
    fn timer_fired(&self) -> bool {
        let mut timer_ns = self.lock_timer();
        let mut expirations = [0; 8];
        if rustix::io::read(&self.timer, &mut expirations).is_err() {
            return false; // It was set anew since epoll_wait(2) returned.
        }
        *timer_ns = NEVER;
        if !self.is_armed.load(SeqCst) {
            return false;
        }
        let deadline_ns = self.deadline_ns.load(SeqCst);
        if deadline_ns == NEVER {
            return false;
        }
        if now_ns() >= deadline_ns {
            return true;
        }
        self.set_timer(&mut timer_ns, deadline_ns);
        false
    }

    fn lock_timer(&self) -> MutexGuard<'_, u64> {
        self.timer_ns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_timer(&self, timer_ns: &mut u64, deadline_ns: u64) {
        let it_value = timespec(deadline_ns.max(1));
        let spec = Itimerspec {
            it_interval: timespec(0),
            it_value,
        };
        let set = timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec);
        debug_assert!(set.is_ok(), "a valid time is accepted");
        *timer_ns = deadline_ns;
    }
}

/// Signals are for the other threads; a handler that ran here would not interrupt them.
fn block_signals() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the pointer is to room for a set.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    // SAFETY: `sigfillset` has filled the set; the old one is not wanted.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), std::ptr::null_mut()) };
}

fn deadline_in(timeout_ms: f64) -> u64 {
    const DAY_MS: f64 = 86_400_000.0;
    if timeout_ms.is_nan() || timeout_ms >= DAY_MS * 10_000.0 {
        return NEVER;
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0 to 10000 days of nanoseconds"
    )]
    let timeout_ns = (timeout_ms.max(0.0) * 1e6) as u64;
    now_ns() + timeout_ns
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: (ns / 1_000_000_000).cast_signed(),
        tv_nsec: (ns % 1_000_000_000).cast_signed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
    use std::time::{Duration, Instant};

    const SOON: Duration = Duration::from_secs(5);
    const A_WHILE: Duration = Duration::from_millis(60);

    /// An epoll descriptor that is readable while `event` is, as libuv's is.
    fn backend() -> (OwnedFd, OwnedFd) {
        let backend = epoll::create(CreateFlags::CLOEXEC).expect("epoll");
        let event = eventfd(0, EventfdFlags::CLOEXEC).expect("eventfd");
        epoll::add(&backend, &event, EventData::new_u64(0), EventFlags::IN).expect("add");
        (backend, event)
    }

    fn watch(backend: &OwnedFd) -> (UvWatcher, Receiver<()>) {
        let (sender, wakes) = channel();
        let waker = move || sender.send(()).expect("the test listens");
        (UvWatcher::start(backend, waker).expect("thread"), wakes)
    }

    fn signal(event: &OwnedFd) {
        rustix::io::write(event, &1u64.to_ne_bytes()).expect("write");
    }

    fn drain(event: &OwnedFd) {
        rustix::io::read(event, &mut [0; 8]).expect("read");
    }

    #[test]
    fn the_backend_wakes_once_while_armed() {
        let (backend, event) = backend();
        let (watcher, wakes) = watch(&backend);
        for _ in 0..100 {
            watcher.arm();
            signal(&event);
            assert_eq!(wakes.recv_timeout(SOON), Ok(()));
            drain(&event);
        }
        assert_eq!(wakes.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
    }

    #[test]
    fn an_event_while_disarmed_wakes_when_armed() {
        let (backend, event) = backend();
        let (watcher, wakes) = watch(&backend);
        watcher.arm();
        watcher.disarm();
        signal(&event);
        assert_eq!(wakes.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
        watcher.arm();
        assert_eq!(wakes.recv_timeout(SOON), Ok(()));
    }

    #[test]
    fn no_event_is_lost_whenever_it_comes() {
        let (backend, event) = backend();
        let (watcher, wakes) = watch(&backend);
        for round in 0..2000u32 {
            let sender = event.try_clone().expect("dup");
            let thread = std::thread::spawn(move || {
                for _ in 0..round % 50 {
                    std::hint::spin_loop();
                }
                signal(&sender);
            });
            watcher.arm();
            watcher.disarm();
            watcher.arm();
            assert_eq!(wakes.recv_timeout(SOON), Ok(()), "round {round}");
            thread.join().expect("sender");
            drain(&event);
            watcher.disarm();
            while wakes.try_recv().is_ok() {}
        }
    }

    #[test]
    fn the_deadline_wakes() {
        let (backend, _event) = backend();
        let (watcher, wakes) = watch(&backend);
        let begin = Instant::now();
        watcher.arm_for(30.0);
        assert_eq!(wakes.recv_timeout(SOON), Ok(()));
        let passed = begin.elapsed();
        assert!(
            (Duration::from_millis(29)..Duration::from_millis(200)).contains(&passed),
            "{passed:?}"
        );
    }

    #[test]
    fn a_sooner_and_a_later_deadline_take_the_place_of_the_one_before() {
        let (backend, _event) = backend();
        let (watcher, wakes) = watch(&backend);
        for (first_ms, then_ms) in [(1000.0, 20.0), (20.0, 90.0)] {
            let begin = Instant::now();
            watcher.arm_for(first_ms);
            watcher.disarm();
            watcher.arm_for(then_ms);
            assert_eq!(wakes.recv_timeout(SOON), Ok(()));
            let passed_ms = begin.elapsed().as_secs_f64() * 1e3;
            assert!((then_ms - 1.0..then_ms + 200.0).contains(&passed_ms), "{passed_ms}");
        }
    }

    #[test]
    fn a_deadline_while_disarmed_does_not_wake() {
        let (backend, _event) = backend();
        let (watcher, wakes) = watch(&backend);
        watcher.arm_for(5.0);
        watcher.disarm();
        assert_eq!(wakes.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
    }
}
