//! Which processors threads may run on.

use crate::{Result, Tid};
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// The processors that the calling thread may use.
pub fn processors() -> Result<CpuSet> {
    sched_getaffinity(None)
}

/// The processor that the calling thread runs on now.
#[must_use]
pub fn processor() -> i32 {
    i32::try_from(sched_getcpu()).unwrap_or(0)
}

/// The set of one processor.
#[must_use]
pub fn only(processor: i32) -> CpuSet {
    let mut set = CpuSet::new();
    if let Some(processor) = bit_of(processor) {
        set.set(processor);
    }
    set
}

/// A set less one processor, or all of it if there is no other.
#[must_use]
pub fn without(set: &CpuSet, processor: i32) -> CpuSet {
    let mut others = *set;
    if let Some(processor) = bit_of(processor) {
        others.unset(processor);
    }
    if others.count() > 0 { others } else { *set }
}

/// Lets a thread run on these processors only; 0 is the calling one. Errors: `EPERM` where the host forbids it, `ESRCH`.
pub fn place(tid: Tid, processors: &CpuSet) -> Result<()> {
    sched_setaffinity(Pid::from_raw(tid), processors)
}

fn bit_of(processor: i32) -> Option<usize> {
    usize::try_from(processor)
        .ok()
        .filter(|processor| *processor < CpuSet::MAX_CPU)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_never_emptied() {
        let two = only(2);
        assert!(two.is_set(2));
        assert_eq!(two.count(), 1);
        assert!(without(&two, 2).is_set(2));
        let mut both = two;
        both.set(5);
        assert_eq!(without(&both, 2), only(5));
        assert_eq!(without(&both, -1), both);
        assert_eq!(only(1 << 20).count(), 0);
    }
}
