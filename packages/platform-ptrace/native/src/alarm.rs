//! A timer that ends a wait of the calling thread.

use std::ptr::null_mut;
use std::time::Duration;
use stub_host::{Errno, Result, check};

/// The signal that ends the wait. Its handler does nothing.
fn alarm_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// How often the signal is repeated: it may come just before the thread begins to wait.
const REPEAT: Duration = Duration::from_millis(1);

/// A POSIX timer that interrupts system calls of the thread that made it.
#[derive(Debug)]
pub struct Alarm {
    timer: libc::timer_t,
}

impl Alarm {
    /// Makes the timer. Errors: timer_create(2).
    pub fn create() -> Result<Self> {
        install_handler()?;
        // SAFETY: all bit patterns are valid for a sigevent.
        let mut event: libc::sigevent = unsafe { core::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = alarm_signal();
        event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut timer = null_mut();
        // SAFETY: the kernel reads the event and writes the timer.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) })?;
        Ok(Self { timer })
    }

    /// Interrupts the thread after `delay`, and again until `disarm`.
    pub fn arm(&self, delay: Duration) {
        // Zero would disarm it.
        self.set(delay.max(Duration::from_nanos(1)), REPEAT);
    }

    /// Ends it.
    pub fn disarm(&self) {
        self.set(Duration::ZERO, Duration::ZERO);
    }

    fn set(&self, delay: Duration, repeat: Duration) {
        let value = libc::itimerspec {
            it_interval: timespec(repeat),
            it_value: timespec(delay),
        };
        // SAFETY: the timer is ours, and the kernel reads the value.
        let result = unsafe { libc::timer_settime(self.timer, 0, &raw const value, null_mut()) };
        debug_assert!(result == 0, "the delay is valid");
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: the timer is ours and deleted once.
        let result = unsafe { libc::timer_delete(self.timer) };
        debug_assert!(result == 0, "the timer is ours");
    }
}

/// Longest wait at a time: what fits in any `time_t`.
const DELAY_MAX_SECONDS: u64 = 1 << 30;

fn timespec(duration: Duration) -> libc::timespec {
    let seconds = duration.as_secs().min(DELAY_MAX_SECONDS);
    libc::timespec {
        tv_sec: seconds.cast_signed(),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

extern "C" fn nothing(_: i32) {}

fn install_handler() -> Result<()> {
    // SAFETY: all bit patterns are valid for a sigaction.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = nothing as extern "C" fn(i32) as libc::sighandler_t;
    // SAFETY: the handler may run at any time, for it does nothing. Without SA_RESTART, system calls end.
    check(unsafe { libc::sigaction(alarm_signal(), &raw const action, null_mut()) })?;
    // SAFETY: all bit patterns are valid for a signal set.
    let mut set: libc::sigset_t = unsafe { core::mem::zeroed() };
    // SAFETY: the set is a local.
    unsafe { libc::sigaddset(&raw mut set, alarm_signal()) };
    // SAFETY: the set is a local.
    let errno = unsafe { libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, null_mut()) };
    if errno == 0 {
        Ok(())
    } else {
        Err(Errno::from_raw_os_error(errno))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn interrupts_a_wait_of_its_thread() {
        let alarm = Alarm::create().expect("timer");
        let start = Instant::now();
        alarm.arm(Duration::from_millis(20));
        // SAFETY: no memory is involved.
        let result = unsafe { libc::pause() };
        alarm.disarm();
        assert_eq!((result, stub_host::last_error()), (-1, Errno::INTR));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
