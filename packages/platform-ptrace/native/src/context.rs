//! A guest thread as its tracer knows it.

use crate::affinity::{SHORT_RUN, SHORT_RUNS_MIN};
use mailbox::Registers;
use std::time::Instant;
use stub_host::Tid;

/// What a context does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in use.
    Free,
    /// The kernel's.
    Stopped,
    /// Its thread runs guest code.
    Running,
    /// It has stopped, and the kernel has not been told.
    Ready,
}

/// A guest thread.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// What it does.
    pub state: State,
    /// Its thread; 0 when that is gone.
    pub tid: Tid,
    /// Its address space.
    pub space: u32,
    /// Whether the kernel wants it to stop.
    pub is_interrupted: bool,
    /// How many times in a row it stopped soon, up to [`SHORT_RUNS_MIN`].
    pub short_runs: u8,
    /// When it was resumed.
    pub resumed_at: Instant,
    /// What the thread's registers hold, if that is known.
    pub held: Option<Registers>,
    /// Where its thread may run: a processor, [`ANYWHERE`] or [`UNKNOWN`].
    pub processor: i32,
}

/// On any processor.
pub const ANYWHERE: i32 = -1;
/// Where whoever had the thread before has put it.
pub const UNKNOWN: i32 = -2;

impl Context {
    /// A stopped one. A program begins with many system calls.
    #[must_use]
    pub fn new(tid: Tid, space: u32) -> Self {
        Self {
            state: State::Stopped,
            tid,
            space,
            is_interrupted: false,
            short_runs: SHORT_RUNS_MIN,
            resumed_at: Instant::now(),
            held: None,
            processor: UNKNOWN,
        }
    }

    /// One that does not exist.
    #[must_use]
    pub fn free() -> Self {
        Self {
            state: State::Free,
            ..Self::new(0, 0)
        }
    }

    /// Whether its thread is there and stopped.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.tid != 0 && matches!(self.state, State::Stopped | State::Ready)
    }

    /// Whether it makes system calls all the time.
    #[must_use]
    pub fn is_busy_caller(&self) -> bool {
        self.short_runs >= SHORT_RUNS_MIN
    }

    /// Whether it runs next to the tracer.
    #[must_use]
    pub fn is_near(&self) -> bool {
        self.processor >= 0
    }

    /// Counts the run that has just ended.
    pub fn count_run(&mut self) {
        self.short_runs = match self.resumed_at.elapsed() < SHORT_RUN {
            true => self.short_runs.saturating_add(1).min(SHORT_RUNS_MIN),
            false => 0,
        };
    }
}
