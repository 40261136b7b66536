//! Addresses and descriptors that the stub and its tracer agree on.

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;

/// First address that guests may map.
pub const MIN_USER_ADDR: u64 = 0x1_0000;
/// End of what guests may map.
pub const MAX_USER_ADDR: u64 = 0x7fff_0000_0000;
/// End of what user code can address with four-level page tables, `TASK_SIZE_MAX`.
pub const TASK_END: u64 = 0x7fff_ffff_f000;

/// Where the image is loaded by execve(2). Nothing that the kernel places by itself (stack, vDSO) lies so low.
pub const LOADER_ADDR: u64 = 0x40_0000;
/// The code's final place: page 0 of the control file, readable and executable.
pub const CODE_ADDR: u64 = 0x7fff_1000_0000;
/// The address space's own page of the control file, readable.
pub const CONTROL_ADDR: u64 = CODE_ADDR + PAGE_BYTES;
/// Page 1 of the control file, writable, in the zygote only.
pub const SCRATCH_ADDR: u64 = CODE_ADDR + 2 * PAGE_BYTES;

/// Page of the control file that holds the code.
pub const CODE_PAGE: u64 = 0;
/// Page of the control file that the zygote writes.
pub const SCRATCH_PAGE: u64 = 1;
/// First page of the control file that belongs to an address space.
pub const FIRST_CONTROL_PAGE: u64 = 2;

/// Descriptor of the memory file.
pub const MEMORY_FD: i32 = 0;
/// Descriptor of the control file.
pub const CONTROL_FD: i32 = 1;
/// Descriptor of the socket over which the zygote receives host files.
pub const SOCKET_FD: i32 = 2;

/// One system call in the control page, made by [`crate::code::batch`].
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Number of the call.
    pub nr: u64,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Calls that fit in a control page.
pub const BATCH_MAX: usize = 4096 / size_of::<Call>();

/// `clone` flags of a new address space: a sibling of its maker, traced from its first instruction, with the same
/// descriptors. `CLONE_PARENT | CLONE_FILES | CLONE_FS | CLONE_PTRACE`.
pub const FORK_FLAGS: u64 = 0x8000 | 0x400 | 0x200 | 0x2000;
/// `clone` flags of a new thread: `CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
/// CLONE_PTRACE`.
pub const THREAD_FLAGS: u64 = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000 | 0x2000;
