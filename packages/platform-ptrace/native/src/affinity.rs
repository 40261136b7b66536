//! Where threads run. A switch between two threads of one processor is several times cheaper than to wake another
//! processor: a guest that makes system calls all the time runs next to its tracer, one that computes runs elsewhere.

use rustix::thread::CpuSet;
use std::time::Duration;
use stub_host::processors::{only, place, processors, without};
use stub_host::{Result, Tid};

/// A guest that makes a system call within this time is better off next to its tracer. Waking another processor takes
/// about 50 us.
pub const SHORT_RUN: Duration = Duration::from_micros(150);
/// As many short runs in a row make a guest a busy caller; a long one ends it.
pub const SHORT_RUNS_MIN: u8 = 4;

/// The processors that guests may use.
#[derive(Debug)]
pub struct Processors {
    all: CpuSet,
}

impl Processors {
    /// Those of the calling thread.
    pub fn of_this_thread() -> Result<Self> {
        Ok(Self { all: processors()? })
    }

    /// Whether there is a choice.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.all.count() > 1
    }

    /// Keeps a thread on one processor.
    pub fn pin(tid: Tid, processor: i32) -> Result<()> {
        place(tid, &only(processor))
    }

    /// Moves a thread off a processor, where there is another; it may come back.
    pub fn evict(&self, tid: Tid, processor: i32) -> Result<()> {
        place(tid, &without(&self.all, processor))?;
        place(tid, &self.all)
    }

    /// Lets a thread run anywhere.
    pub fn unpin(&self, tid: Tid) -> Result<()> {
        place(tid, &self.all)
    }
}
