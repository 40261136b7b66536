//! Clocks of the host.

use super::arguments::{F64s, I32};
use crate::tsc;
use napi_derive::napi;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Milliseconds of a clock, clock_gettime(2): exact to a quarter of a microsecond for CLOCK_REALTIME, better for
/// CLOCK_MONOTONIC. NaN for a clock that is not one of CLOCK_REALTIME to CLOCK_BOOTTIME.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "the docs say how exact it is")]
pub fn clock_ms(clock: I32) -> f64 {
    read(clock).map_or(f64::NAN, |time| time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6)
}

/// clock_gettime(2): seconds and nanoseconds into `time`. Returns 0, or -EINVAL for another clock or a short array.
#[napi(js_name = "clockGettime")]
#[allow(clippy::cast_precision_loss, reason = "seconds are below 2^53")]
pub fn clock_gettime_into(clock: I32, time: F64s) -> i32 {
    super::results::status(|| {
        let ([sec, nsec, ..], Some(now)) = (time.all(), read(clock)) else {
            return Err(rustix::io::Errno::INVAL);
        };
        (*sec, *nsec) = (now.tv_sec as f64, now.tv_nsec as f64);
        Ok(())
    })
}

/// The time stamp counter and CLOCK_MONOTONIC at the same moment: counter low and high half, seconds, nanoseconds into
/// `sample`. Two samples give the counter's frequency. Returns how many ticks apart the two were read at most, or -22
/// (EINVAL) for a short array.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "halves and seconds are below 2^53")]
pub fn sample_tsc(sample: F64s) -> f64 {
    const TRIES: u32 = 5;
    let [low, high, sec, nsec, ..] = sample.all() else {
        return -22.0;
    };
    let mut best = u64::MAX;
    for _ in 0..TRIES {
        let before = tsc::now();
        let time = clock_gettime(ClockId::Monotonic);
        let apart = tsc::now().wrapping_sub(before);
        if apart < best {
            best = apart;
            let middle = before.wrapping_add(apart / 2);
            (*low, *high) = ((middle & 0xffff_ffff) as f64, (middle >> 32) as f64);
            (*sec, *nsec) = (time.tv_sec as f64, time.tv_nsec as f64);
        }
    }
    best as f64
}

/// The counter now, above 2^53 rounded.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "the docs say so")]
pub fn rdtsc() -> f64 {
    tsc::now() as f64
}

/// True when the counter runs at one speed whatever the CPU does.
#[napi]
pub fn has_invariant_tsc() -> bool {
    tsc::is_invariant()
}

fn read(clock: I32) -> Option<Timespec> {
    let id = match clock.0 {
        0 => ClockId::Realtime,
        1 => ClockId::Monotonic,
        2 => ClockId::ProcessCPUTime,
        3 => ClockId::ThreadCPUTime,
        4 => ClockId::MonotonicRaw,
        5 => ClockId::RealtimeCoarse,
        6 => ClockId::MonotonicCoarse,
        7 => ClockId::Boottime,
        _ => return None,
    };
    Some(clock_gettime(id))
}
