//! The vDSO image, vdso(7): a shared library without relocations, right behind the parameter page.

#![no_std]

#[path = "../src/clock.rs"]
mod clock;

use clock::{Clock, NO_CPU, Params, Timespec};
use core::arch::asm;
use core::panic::PanicInfo;
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::Relaxed;

const PAGE_BYTES: usize = 4096;

const SYS_GETTIMEOFDAY: usize = 96;
const SYS_TIME: usize = 201;
const SYS_CLOCK_GETTIME: usize = 228;
const SYS_CLOCK_GETRES: usize = 229;
const SYS_GETCPU: usize = 309;

/// `struct timeval`.
#[repr(C)]
pub struct Timeval {
    sec: u64,
    usec: u64,
}

/// clock_gettime(2).
///
/// # Safety
/// `time` is a pointer that the caller may write to, as for the system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_clock_gettime(clock_id: i32, time: *mut Timespec) -> i32 {
    match Clock::of(clock_id).and_then(now) {
        Some(value) => {
            // SAFETY: the caller says that it may be written to.
            unsafe { time.write_unaligned(value) };
            0
        }
        None => syscall(SYS_CLOCK_GETTIME, clock_id as usize, time as usize, 0) as i32,
    }
}

/// gettimeofday(2).
///
/// # Safety
/// `time` and `zone` are null or pointers that the caller may write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_gettimeofday(time: *mut Timeval, zone: *mut u64) -> i32 {
    let Some(value) = now(Clock::Realtime) else {
        return syscall(SYS_GETTIMEOFDAY, time as usize, zone as usize, 0) as i32;
    };
    if !time.is_null() {
        // SAFETY: the caller says that it may be written to.
        unsafe { time.write_unaligned(Timeval { sec: value.sec, usec: value.nsec / 1000 }) };
    }
    if !zone.is_null() {
        // SAFETY: as above; `struct timezone` is two ints, which are 0.
        unsafe { zone.write_unaligned(0) };
    }
    0
}

/// time(2).
///
/// # Safety
/// `time` is null or a pointer that the caller may write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_time(time: *mut u64) -> i64 {
    let Some(value) = now(Clock::Realtime) else {
        return syscall(SYS_TIME, time as usize, 0, 0) as i64;
    };
    if !time.is_null() {
        // SAFETY: the caller says that it may be written to.
        unsafe { time.write_unaligned(value.sec) };
    }
    value.sec as i64
}

/// clock_getres(2).
#[unsafe(no_mangle)]
pub extern "C" fn __vdso_clock_getres(clock_id: i32, resolution: usize) -> i32 {
    syscall(SYS_CLOCK_GETRES, clock_id as usize, resolution, 0) as i32
}

/// getcpu(2). The CPU on which this runs is the host's, and none of the guest's concern: it is told the one that the kernel has
/// given the thread.
///
/// # Safety
/// `cpu` and `node` are null or pointers that the caller may write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, unused: usize) -> i64 {
    let Some(number) = own_cpu() else {
        return syscall(SYS_GETCPU, cpu as usize, node as usize, unused) as i64;
    };
    if !cpu.is_null() {
        // SAFETY: the caller says that it may be written to.
        unsafe { cpu.write_unaligned(number) };
    }
    if !node.is_null() {
        // SAFETY: as above.
        unsafe { node.write_unaligned(0) };
    }
    0
}

fn own_cpu() -> Option<u32> {
    let address = params().cpu.address(gs_base)?;
    // SAFETY: the kernel says that a word of the thread's own is there, which it writes.
    let number = unsafe { (address as *const AtomicU32).as_ref()?.load(Relaxed) };
    (number != NO_CPU).then_some(number)
}

/// Only where the kernel says that it can be read.
fn gs_base() -> u64 {
    let base: u64;
    // SAFETY: reads a register.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

fn now(clock: Clock) -> Option<Timespec> {
    clock::read(params(), clock, time_stamp)
}

fn params() -> &'static Params {
    let image: usize;
    // SAFETY: it computes an address; the linker defines the symbol as the start of the image.
    unsafe { asm!("lea {}, [rip + __ehdr_start]", out(reg) image, options(nomem, nostack, preserves_flags)) };
    // SAFETY: the kernel maps the parameter page in front of the image, readable and for as long.
    unsafe { &*((image - PAGE_BYTES) as *const Params) }
}

/// The counter, not read before what the program did before.
fn time_stamp() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads the counter; nothing else is affected.
    unsafe {
        asm!("lfence", "rdtsc", out("eax") low, out("edx") high, options(nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

fn syscall(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result: isize;
    // SAFETY: the system calls made here write only where the caller of the function told them to.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a,
            in("rsi") b,
            in("rdx") c,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Nothing here panics; were it to, this stops the program.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: an undefined instruction raises SIGILL.
        unsafe { asm!("ud2", options(nomem, nostack)) };
    }
}
