//! The parameter page and what is computed from it.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The first bytes of the page in front of the image. The kernel writes it; guests only read.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Params {
    /// Odd while the kernel writes.
    pub sequence: AtomicU32,
    /// 0 as long as the clocks cannot be computed.
    pub is_ready: AtomicU32,
    /// Time stamp counter at which the clocks were as below.
    pub base_tsc: AtomicU64,
    /// Ticks after `base_tsc` for which this holds.
    pub valid_ticks: AtomicU64,
    /// Nanoseconds of a tick, times 2^32.
    pub mult: AtomicU64,
    /// CLOCK_MONOTONIC.
    pub monotonic_sec: AtomicU64,
    /// Below 10^9.
    pub monotonic_nsec: AtomicU64,
    /// CLOCK_REALTIME.
    pub realtime_sec: AtomicU64,
    /// Below 10^9.
    pub realtime_nsec: AtomicU64,
    /// Where threads find their CPU.
    pub cpu: CpuPlace,
}

/// Where a thread finds the number of its CPU: the word `offset` bytes behind its GS base, if that is one of `gs_len` addresses
/// from `gs_start` on. Written before guests run.
#[repr(C)]
#[derive(Debug, Default)]
pub struct CpuPlace {
    /// First address.
    pub gs_start: AtomicU64,
    /// 0 if there is no such place; GS bases can be read otherwise.
    pub gs_len: AtomicU64,
    /// Bytes behind the GS base.
    pub offset: AtomicU64,
}

/// What stands in the word while the kernel has to be asked.
pub const NO_CPU: u32 = u32::MAX;

impl CpuPlace {
    /// Address of the word of the thread whose GS base `gs_base` returns; None when the kernel must be asked.
    pub fn address(&self, gs_base: impl Fn() -> u64) -> Option<u64> {
        let len = self.gs_len.load(Ordering::Relaxed);
        if len == 0 {
            return None;
        }
        let base = gs_base();
        let is_known = base.wrapping_sub(self.gs_start.load(Ordering::Relaxed)) < len;
        is_known.then(|| base + self.offset.load(Ordering::Relaxed))
    }
}

/// `struct timespec`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timespec {
    /// Seconds.
    pub sec: u64,
    /// Below 10^9.
    pub nsec: u64,
}

/// Which of the two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// CLOCK_REALTIME and its coarse form.
    Realtime,
    /// CLOCK_MONOTONIC, its raw and coarse forms, and CLOCK_BOOTTIME: the sandbox is never suspended.
    Monotonic,
}

const NSEC_PER_SEC: u64 = 1_000_000_000;

impl Clock {
    /// The clock that clock_gettime(2) numbers `id`, if it is one of these.
    pub const fn of(id: i32) -> Option<Self> {
        match id {
            0 | 5 => Some(Self::Realtime),
            1 | 4 | 6 | 7 => Some(Self::Monotonic),
            _ => None,
        }
    }
}

/// Time of `clock` when the counter is what `now` returns; None when the kernel must be asked.
pub fn read(params: &Params, clock: Clock, now: impl Fn() -> u64) -> Option<Timespec> {
    loop {
        let sequence = params.sequence.load(Ordering::Acquire);
        if sequence & 1 != 0 {
            spin_loop();
            continue;
        }
        let time = compute(params, clock, now());
        core::sync::atomic::fence(Ordering::Acquire);
        if params.sequence.load(Ordering::Relaxed) == sequence {
            return time;
        }
    }
}

fn compute(params: &Params, clock: Clock, tsc: u64) -> Option<Timespec> {
    let load = |field: &AtomicU64| field.load(Ordering::Relaxed);
    // A counter a little behind the base is that of a CPU a little behind the kernel's.
    let ticks = tsc.saturating_sub(load(&params.base_tsc));
    if params.is_ready.load(Ordering::Relaxed) == 0 || ticks > load(&params.valid_ticks) {
        return None;
    }
    let (sec, nsec) = match clock {
        Clock::Realtime => (&params.realtime_sec, &params.realtime_nsec),
        Clock::Monotonic => (&params.monotonic_sec, &params.monotonic_nsec),
    };
    let nsec = load(nsec) + scale(ticks, load(&params.mult));
    Some(Timespec {
        sec: load(sec) + nsec / NSEC_PER_SEC,
        nsec: nsec % NSEC_PER_SEC,
    })
}

/// `ticks * mult / 2^32`. The kernel sees to it that the result fits.
#[allow(
    clippy::cast_possible_truncation,
    reason = "ticks are at most `valid_ticks`: some seconds"
)]
const fn scale(ticks: u64, mult: u64) -> u64 {
    ((ticks as u128 * mult as u128) >> 32) as u64
}
