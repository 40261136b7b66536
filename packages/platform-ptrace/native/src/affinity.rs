//! Where threads run. A switch between two threads of one processor is several times cheaper than to wake another
//! processor: a guest that makes system calls all the time runs next to its tracer, one that computes runs elsewhere.

use crate::sys::{self, Result, Tid};
use std::time::Duration;

/// A guest that makes a system call within this time is better off next to its tracer. Waking another processor takes
/// about 50 us.
pub const SHORT_RUN: Duration = Duration::from_micros(150);
/// As many short runs in a row make a guest a busy caller; a long one ends it.
pub const SHORT_RUNS_MIN: u8 = 4;

/// The processors that guests may use.
#[derive(Debug)]
pub struct Processors {
    all: libc::cpu_set_t,
    count: i32,
}

impl Processors {
    /// Those of the calling thread.
    pub fn of_this_thread() -> Result<Self> {
        // SAFETY: all bit patterns are valid for a CPU set.
        let mut all: libc::cpu_set_t = unsafe { core::mem::zeroed() };
        // SAFETY: the kernel writes at most the size that it is told.
        sys::check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut all) })?;
        // SAFETY: the set is a local.
        let count = unsafe { libc::CPU_COUNT(&all) };
        Ok(Self { all, count })
    }

    /// Whether there is a choice.
    #[must_use]
    pub fn are_many(&self) -> bool {
        self.count > 1
    }

    /// The processor that the calling thread runs on now.
    #[must_use]
    pub fn current() -> i32 {
        // SAFETY: no memory is involved.
        unsafe { libc::sched_getcpu() }
    }

    /// Keeps a thread on one processor.
    pub fn pin(tid: Tid, processor: i32) -> Result<()> {
        // SAFETY: all bit patterns are valid for a CPU set.
        let mut set: libc::cpu_set_t = unsafe { core::mem::zeroed() };
        if let Ok(processor) = usize::try_from(processor)
            && processor < 8 * size_of::<libc::cpu_set_t>()
        {
            // SAFETY: the processor is one that the set has a bit for.
            unsafe { libc::CPU_SET(processor, &mut set) };
        }
        assign(tid, &set)
    }

    /// Moves a thread off a processor; it may come back.
    pub fn evict(&self, tid: Tid, processor: i32) -> Result<()> {
        let mut others = self.all;
        if let Ok(processor) = usize::try_from(processor)
            && processor < 8 * size_of::<libc::cpu_set_t>()
        {
            // SAFETY: the processor is one that the set has a bit for.
            unsafe { libc::CPU_CLR(processor, &mut others) };
        }
        assign(tid, &others)?;
        assign(tid, &self.all)
    }

    /// Lets a thread run anywhere.
    pub fn unpin(&self, tid: Tid) -> Result<()> {
        assign(tid, &self.all)
    }
}

fn assign(tid: Tid, set: &libc::cpu_set_t) -> Result<()> {
    // SAFETY: the kernel reads the set.
    sys::check(unsafe { libc::sched_setaffinity(tid, size_of::<libc::cpu_set_t>(), &raw const *set) }).map(drop)
}
