//! A stub process, and what its helper thread is asked to do.

use crate::control::{Control, Order};
use crate::morgue::has_answer;
use crate::{event, futex};
use rustix::fs::tell;
use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, pidfd_open, pidfd_send_signal, waitid, waitpid,
};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering::SeqCst;
use stub_host::processors::{only, place, processor};
use stub_host::{Errno, Result, Tid, pid_of};
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
            pidfd: pidfd_open(pid_of(pid)?, PidfdFlags::empty())?,
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
        !self.is_reaped && !has_ended(self.pid)
    }

    /// Has the helper do something, and waits for its answer. Errors: what a call said; `ESRCH` when the process died.
    pub fn ask(&mut self, control: &Control, space: u32, answers: &Answers, order: &Order<'_>) -> Result<u32> {
        let here = processor();
        if self.processor != here {
            // Where the host forbids it, it only takes longer.
            let _forbidden = place(self.pid, &only(here));
            self.processor = here;
        }
        let sequence = control.write_request(space, order);
        sequence.fetch_add(1, SeqCst);
        futex::wake_one(sequence);
        self.answer(answers)
    }

    /// Waits for an answer. Deaths of stubs end the wait too, if only to look.
    pub fn answer(&self, answers: &Answers) -> Result<u32> {
        loop {
            if !self.lives() {
                return Err(Errno::SRCH);
            }
            if has_answer(event::take(answers.event.as_fd())?) {
                break;
            }
        }
        let position = tell(&answers.file)?;
        match position.checked_sub(ANSWER_BIAS) {
            Some(value) => u32::try_from(value).map_err(|_| Errno::PROTO),
            None => Err(Errno::from_raw_os_error(
                i32::try_from(ANSWER_BIAS - position).unwrap_or(libc::EIO),
            )),
        }
    }

    /// Sends a signal to one of its threads. It may be gone.
    pub fn signal(&self, tid: Tid, signal: u32) {
        if !self.is_reaped {
            // SAFETY: no memory is involved.
            let _gone = unsafe { libc::syscall(libc::SYS_tgkill, self.pid, tid, signal) };
        }
    }

    /// Kills it, and waits until nothing of it runs any more.
    pub fn end(&mut self) {
        if !self.is_reaped {
            let _gone = pidfd_send_signal(&self.pidfd, Signal::KILL);
            reap(self.pid);
            self.is_reaped = true;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Threads and processes alike, whatever signal their end sends: waitid(2), `__WALL`.
const ALL: u32 = libc::__WALL.cast_unsigned();

/// Whether a child has ended. It is not reaped.
fn has_ended(pid: Tid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let options = options | WaitIdOptions::from_bits_retain(ALL);
    !matches!(pid_of(pid).and_then(|pid| waitid(WaitId::Pid(pid), options)), Ok(None))
}

/// Waits until a child has ended, and reaps it.
pub fn reap(pid: Tid) {
    let options = WaitOptions::from_bits_retain(ALL);
    while matches!(
        pid_of(pid).and_then(|pid| waitpid(Some(pid), options)),
        Err(Errno::INTR)
    ) {}
}
