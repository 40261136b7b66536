//! bpf(2) as far as the device filter of a control group needs it.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, c_int, c_uint, c_ulong};
use std::mem::size_of;

/// Bytes of an instruction, `struct bpf_insn`.
const INSTRUCTION_BYTES: usize = 8;
const PROG_LOAD: c_int = 5;
const PROG_ATTACH: c_int = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const LICENSE: &CStr = c"Apache-2.0";

/// `union bpf_attr` of `BPF_PROG_LOAD`, as far as it is used: the kernel takes the rest for zero.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// `union bpf_attr` of `BPF_PROG_ATTACH`.
#[repr(C)]
struct ProgAttach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Lets the program in `instructions` (`struct bpf_insn`, one after the other) decide about every device that is opened or
/// made in the control group of version 2 whose directory `cgroup` is. It takes the place of one that was there before and
/// stays as long as the directory. Errors: what bpf(2) says; EINVAL for a piece of an instruction.
pub fn attach(cgroup: BorrowedFd<'_>, instructions: &[u8]) -> Result<()> {
    if !instructions.len().is_multiple_of(INSTRUCTION_BYTES) {
        return Err(Errno::INVAL);
    }
    let program = load(instructions)?;
    let number = |fd: c_int| u32::try_from(fd).map_err(|_| Errno::BADF);
    let attach = ProgAttach {
        target_fd: number(cgroup.as_raw_fd())?,
        attach_bpf_fd: number(program.as_raw_fd())?,
        attach_type: ATTACH_CGROUP_DEVICE,
        attach_flags: 0,
    };
    bpf(PROG_ATTACH, &attach).map(|_| ())
}

fn load(instructions: &[u8]) -> Result<OwnedFd> {
    let attributes = ProgLoad {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(instructions.len() / INSTRUCTION_BYTES).map_err(|_| Errno::TOOBIG)?,
        insns: instructions.as_ptr().addr() as u64,
        license: LICENSE.as_ptr().addr() as u64,
        ..ProgLoad::default()
    };
    let fd = bpf(PROG_LOAD, &attributes)?;
    // SAFETY: the kernel has just made the descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: c_int, attributes: &T) -> Result<c_int> {
    let size = c_uint::try_from(size_of::<T>()).map_err(|_| Errno::TOOBIG)?;
    // SAFETY: `attributes` is as long as `size` says and has no padding; the memory that it names is borrowed by the caller
    // for the time of the call, and the kernel only reads all of it.
    let returned = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            c_ulong::from(size),
        )
    };
    c_int::try_from(returned)
        .ok()
        .filter(|fd| *fd >= 0)
        .ok_or_else(|| Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsFd;

    #[test]
    fn pieces_of_instructions_are_refused() {
        let directory = File::open("/").expect("the root directory");
        assert_eq!(attach(directory.as_fd(), &[0; 7]), Err(Errno::INVAL));
    }
}
