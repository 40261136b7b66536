//! A stub process, and what its helper thread is asked to do.

use crate::control::{Control, Order};
use crate::morgue::has_answer;
use crate::sys::{self, Errno, Result, Tid};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;
use stub_systrap::layout::ANSWER_BIAS;

/// A child of the sentry's. It is killed and reaped on drop.
#[derive(Debug)]
pub struct Process {
    pid: Tid,
    pidfd: OwnedFd,
    /// Where its helper runs: next to the sentry, which waits while it works.
    processor: i32,
    is_reaped: bool,
}

/// Where helpers answer: all of them in the same place, for one at a time is asked.
#[derive(Debug)]
pub struct Answers {
    /// Its position is the answer.
    pub file: OwnedFd,
    /// An eventfd that says that there is one.
    pub event: OwnedFd,
}

impl Process {
    /// A child that was just made.
    pub fn of(pid: Tid) -> Result<Self> {
        Ok(Self {
            pid,
            pidfd: sys::pidfd_open(pid)?,
            processor: -1,
            is_reaped: false,
        })
    }

    /// Its ID, which is its own until it is reaped.
    #[must_use]
    pub fn pid(&self) -> Tid {
        self.pid
    }

    /// The descriptor that names it.
    #[must_use]
    pub fn pidfd(&self) -> &OwnedFd {
        &self.pidfd
    }

    /// Whether it lives.
    #[must_use]
    pub fn lives(&self) -> bool {
        !self.is_reaped && !sys::has_ended(self.pid)
    }

    /// Has the helper do something, and waits for its answer. Errors: what a call said; `ESRCH` when the process died.
    pub fn ask(&mut self, control: &Control, space: u32, answers: &Answers, order: &Order<'_>) -> Result<u32> {
        let processor = sys::processor();
        if self.processor != processor {
            sys::place(self.pid, &sys::only(processor));
            self.processor = processor;
        }
        let sequence = control.write_request(space, order);
        sequence.fetch_add(1, SeqCst);
        sys::futex_wake(sequence);
        self.answer(answers)
    }

    /// Waits for an answer. Deaths of stubs end the wait too, if only to look.
    pub fn answer(&self, answers: &Answers) -> Result<u32> {
        loop {
            if !self.lives() {
                return Err(Errno(libc::ESRCH));
            }
            if has_answer(sys::event_take(answers.event.as_fd())?) {
                break;
            }
        }
        let position = sys::position(answers.file.as_fd())?;
        match position.checked_sub(ANSWER_BIAS) {
            Some(value) => u32::try_from(value).map_err(|_| Errno(libc::EPROTO)),
            None => Err(Errno(i32::try_from(ANSWER_BIAS - position).unwrap_or(libc::EIO))),
        }
    }

    /// Sends a signal to one of its threads. It may be gone.
    pub fn signal(&self, tid: Tid, signal: u32) {
        if !self.is_reaped {
            let _gone = sys::tgkill(self.pid, tid, signal.cast_signed());
        }
    }

    /// Kills it, and waits until nothing of it runs any more.
    pub fn end(&mut self) {
        if !self.is_reaped {
            let _gone = sys::pidfd_kill(self.pidfd.as_fd());
            sys::reap(self.pid);
            self.is_reaped = true;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
