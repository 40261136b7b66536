//! What a process asks of itself: privileges, limits, usage, identity.

use super::arguments::{Bytes, F64s, I32, I32s, U32, U32s};
use super::results::{count, number, status};
use crate::{sys, tsc};
use napi_derive::napi;
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Signal, set_dumpable_behavior, set_parent_process_death_signal};
use rustix::rand::GetRandomFlags;
use rustix::thread::{self, Gid, Uid};

/// PR_SET_NO_NEW_PRIVS, prctl(2). It cannot be undone.
#[napi]
pub fn set_no_new_privs() -> i32 {
    status(|| thread::set_no_new_privs(true))
}

/// PR_GET_NO_NEW_PRIVS, prctl(2): 0 or 1.
#[napi]
pub fn get_no_new_privs() -> i32 {
    number(|| thread::no_new_privs().map(i32::from))
}

/// PR_SET_PDEATHSIG, prctl(2): the signal when the parent thread dies, 0 for none.
#[napi]
pub fn set_parent_death_signal(signo: I32) -> i32 {
    status(|| {
        let signal = match signo.0 {
            0 => None,
            other => Some(Signal::from_named_raw(other).ok_or(Errno::INVAL)?),
        };
        set_parent_process_death_signal(signal)
    })
}

/// PR_SET_DUMPABLE, prctl(2): 0 or 1.
#[napi]
pub fn set_dumpable(value: I32) -> i32 {
    status(|| match value.0 {
        0 => set_dumpable_behavior(DumpableBehavior::NotDumpable),
        1 => set_dumpable_behavior(DumpableBehavior::Dumpable),
        _ => Err(Errno::INVAL),
    })
}

/// getrandom(2) into `buffer`. Returns bytes.
#[napi]
pub fn getrandom(buffer: Bytes, flags: U32) -> i32 {
    count(|| rustix::rand::getrandom(buffer.all(), GetRandomFlags::from_bits_retain(flags.0)))
}

/// CPUs that this thread may run on, sched_getaffinity(2).
#[napi]
pub fn usable_cpu_count() -> i32 {
    number(|| thread::sched_getaffinity(None).map(|cpus| i32::try_from(cpus.count()).unwrap_or(i32::MAX)))
}

/// sched_setaffinity(2) of this thread to the CPUs in `cpus`.
#[napi]
pub fn set_usable_cpus(cpus: I32s) -> i32 {
    status(|| {
        let mut set = thread::CpuSet::new();
        for cpu in cpus.all() {
            let cpu = usize::try_from(*cpu).map_err(|_| Errno::INVAL)?;
            if cpu >= thread::CpuSet::MAX_CPU {
                return Err(Errno::INVAL);
            }
            set.set(cpu);
        }
        thread::sched_setaffinity(None, &set)
    })
}

/// getrusage(2). `who` is RUSAGE_SELF (0), RUSAGE_CHILDREN (-1) or RUSAGE_THREAD (1). Stores in `fields` by `RUSAGE_*`.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "counts are below 2^53")]
pub fn getrusage(who: I32, fields: F64s) -> i32 {
    status(|| {
        let usage = sys::getrusage(who.0)?;
        let micros = |time: libc::timeval| time.tv_sec as f64 * 1e6 + time.tv_usec as f64;
        let numbers = [
            micros(usage.ru_utime),
            micros(usage.ru_stime),
            usage.ru_maxrss as f64,
            usage.ru_minflt as f64,
            usage.ru_majflt as f64,
            usage.ru_inblock as f64,
            usage.ru_oublock as f64,
            usage.ru_nvcsw as f64,
            usage.ru_nivcsw as f64,
        ];
        fields
            .all()
            .get_mut(..numbers.len())
            .ok_or(Errno::INVAL)?
            .copy_from_slice(&numbers);
        Ok(())
    })
}

/// getrlimit(2): soft and hard limit into `limits`; infinity is RLIM_INFINITY.
#[napi]
pub fn getrlimit(resource: U32, limits: F64s) -> i32 {
    status(|| {
        let [soft, hard, ..] = limits.all() else {
            return Err(Errno::INVAL);
        };
        let limit = sys::prlimit(resource.0, None)?;
        (*soft, *hard) = (limit_to_js(limit.rlim_cur), limit_to_js(limit.rlim_max));
        Ok(())
    })
}

/// setrlimit(2). Infinity is RLIM_INFINITY. Errors: EINVAL for a limit that is not a whole number of 0 or more.
#[napi]
pub fn setrlimit(resource: U32, soft: f64, hard: f64) -> i32 {
    status(|| {
        let limit = libc::rlimit64 {
            rlim_cur: limit_from_js(soft)?,
            rlim_max: limit_from_js(hard)?,
        };
        sys::prlimit(resource.0, Some(limit)).map(|_| ())
    })
}

/// setgroups(2), setresgid(2) and setresuid(2) of this thread, in this order. Differs: threads that exist already keep
/// their identity; call it before any work is given to them.
#[napi]
pub fn set_thread_identity(uid: U32, gid: U32, groups: U32s) -> i32 {
    status(|| {
        let groups = groups.all();
        if uid.0 == u32::MAX || gid.0 == u32::MAX || groups.contains(&u32::MAX) {
            return Err(Errno::INVAL);
        }
        let (uid, gid) = (Uid::from_raw(uid.0), Gid::from_raw(gid.0));
        let groups: Vec<Gid> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
        thread::set_thread_groups(&groups)?;
        thread::set_thread_res_gid(gid, gid, gid)?;
        thread::set_thread_res_uid(uid, uid, uid)
    })
}

/// gettid(2).
#[napi]
pub fn gettid() -> i32 {
    thread::gettid().as_raw_nonzero().get()
}

/// eax, ebx, ecx and edx of a cpuid leaf into `registers`. Returns 0, or -EINVAL when the array is too short.
#[napi]
pub fn cpuid(leaf: U32, subleaf: U32, registers: U32s) -> i32 {
    status(|| {
        registers
            .all()
            .get_mut(..4)
            .ok_or(Errno::INVAL)?
            .copy_from_slice(&tsc::cpuid(leaf.0, subleaf.0));
        Ok(())
    })
}

#[allow(clippy::cast_precision_loss, reason = "a limit above 2^53 limits nothing")]
fn limit_to_js(limit: u64) -> f64 {
    if limit == libc::RLIM64_INFINITY {
        f64::INFINITY
    } else {
        limit as f64
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the range is checked"
)]
fn limit_from_js(limit: f64) -> rustix::io::Result<u64> {
    const TWO_53: f64 = 9_007_199_254_740_992.0;
    match limit {
        f64::INFINITY => Ok(libc::RLIM64_INFINITY),
        _ if limit.fract() == 0.0 && (0.0..=TWO_53).contains(&limit) => Ok(limit as u64),
        _ => Err(Errno::INVAL),
    }
}
