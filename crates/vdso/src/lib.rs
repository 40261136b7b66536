//! What the vDSO computes, apart from how it is called: so that it can be tested. The image itself is `image/vdso.rs`.

pub mod clock;

#[cfg(test)]
mod tests {
    use super::clock::{Clock, CpuPlace, Params, Timespec, read};
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    /// One tick is half a nanosecond.
    fn params() -> Params {
        let params = Params::default();
        params.is_ready.store(1, Relaxed);
        params.base_tsc.store(1000, Relaxed);
        params.valid_ticks.store(4_000_000_000, Relaxed);
        params.mult.store(1 << 31, Relaxed);
        params.monotonic_sec.store(7, Relaxed);
        params.monotonic_nsec.store(999_999_999, Relaxed);
        params.realtime_sec.store(1_700_000_000, Relaxed);
        params
    }

    #[test]
    fn clocks_advance_with_the_counter() {
        let params = params();
        let at = |tsc| read(&params, Clock::Monotonic, || tsc);
        assert_eq!(
            at(1000),
            Some(Timespec {
                sec: 7,
                nsec: 999_999_999
            })
        );
        assert_eq!(at(1002), Some(Timespec { sec: 8, nsec: 0 }));
        assert_eq!(
            read(&params, Clock::Realtime, || 3000),
            Some(Timespec {
                sec: 1_700_000_000,
                nsec: 1000
            })
        );
    }

    #[test]
    fn a_counter_behind_the_base_is_the_base() {
        assert_eq!(
            read(&params(), Clock::Realtime, || 1),
            Some(Timespec {
                sec: 1_700_000_000,
                nsec: 0
            })
        );
    }

    #[test]
    fn the_kernel_is_asked_when_parameters_are_missing_or_old() {
        let params = params();
        assert!(read(&params, Clock::Realtime, || 4_000_001_000).is_some());
        assert_eq!(read(&params, Clock::Realtime, || 4_000_001_001), None);
        params.is_ready.store(0, Relaxed);
        assert_eq!(read(&params, Clock::Realtime, || 1000), None);
    }

    #[test]
    fn clock_ids_are_those_of_clock_gettime() {
        let known: Vec<i32> = (-3..20).filter(|id| Clock::of(*id).is_some()).collect();
        assert_eq!(known, [0, 1, 4, 5, 6, 7]);
    }

    #[test]
    fn a_cpu_is_found_behind_the_gs_base_of_a_thread_that_does_not_use_it() {
        let place = CpuPlace::default();
        assert_eq!(place.address(|| unreachable!("it may not be readable")), None);
        place.gs_start.store(0x1_0000, Relaxed);
        place.gs_len.store(0x2000, Relaxed);
        place.offset.store(0x18, Relaxed);
        let at = |gs_base| place.address(|| gs_base);
        assert_eq!([at(0x1_0000), at(0x1_1fff)], [Some(0x1_0018), Some(0x1_2017)]);
        assert_eq!([at(0), at(0xffff), at(0x1_2000), at(u64::MAX)], [None; 4]);
    }

    #[test]
    fn a_reader_never_sees_half_a_write() {
        let params = params();
        let is_done = AtomicBool::new(false);
        let torn = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..20_000_u64 {
                    params.sequence.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
                    std::sync::atomic::fence(std::sync::atomic::Ordering::Release);
                    params.realtime_sec.store(n, Relaxed);
                    params.realtime_nsec.store(n, Relaxed);
                    params.sequence.fetch_add(1, std::sync::atomic::Ordering::Release);
                }
                is_done.store(true, Relaxed);
            });
            scope.spawn(|| {
                while !is_done.load(Relaxed) {
                    let time = read(&params, Clock::Realtime, || 1000);
                    if time.is_some_and(|time| time.sec != time.nsec && time.nsec != 0) {
                        torn.fetch_add(1, Relaxed);
                    }
                }
            });
        });
        assert_eq!(torn.load(Relaxed), 0);
    }
}
