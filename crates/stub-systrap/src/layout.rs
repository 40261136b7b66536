//! Addresses, descriptors and shared fields that stubs and the sentry agree on.

/// Bytes of a page.
pub const PAGE_BYTES: u64 = 4096;

/// First address that guests may map.
pub const MIN_USER_ADDR: u64 = BLOCKS_ADDR + BLOCKS_BYTES;
/// End of what guests may map.
pub const MAX_USER_ADDR: u64 = 0x7fff_0000_0000;
/// End of what user code can address with four-level page tables, `TASK_SIZE_MAX`.
pub const TASK_END: u64 = 0x7fff_ffff_f000;

/// Where the image is loaded by execve(2).
pub const LOADER_ADDR: u64 = 0x40_0000;

/// The instructions, then [`DATA_ADDR`]: readable and executable.
pub const CODE_ADDR: u64 = 0x7fff_1000_0000;
/// Pages of instructions and data together.
pub const CODE_PAGES: u64 = 3;
/// Bytes of instructions and data together.
pub const CODE_BYTES: u64 = CODE_PAGES * PAGE_BYTES;
/// End of instructions and data.
pub const CODE_END: u64 = CODE_ADDR + CODE_BYTES;
/// What the instructions read, see [`crate::data`].
pub const DATA_ADDR: u64 = CODE_ADDR + 2 * PAGE_BYTES;
/// The doorbell, which all stubs write.
pub const BELL_ADDR: u64 = CODE_END;
/// The process's own page of requests, read-only.
pub const CONTROL_ADDR: u64 = BELL_ADDR + PAGE_BYTES;
/// What the zygote receives descriptors into. No other process has it.
pub const SCRATCH_ADDR: u64 = CONTROL_ADDR + PAGE_BYTES;
/// Slots: context `i` of the sandbox has its context page at the start of slot `i`, and its signal stack behind it.
pub const SLOTS_ADDR: u64 = 0x7fff_4000_0000;
/// Bytes of a slot: a power of two, so that the handler finds its page from its stack pointer. The signal frame with
/// AVX-512 and AMX state needs 12 KiB.
pub const SLOT_BYTES: u64 = 64 << 10;
/// Pages of a signal stack.
pub const STACK_PAGES: u64 = SLOT_BYTES / PAGE_BYTES - 1;
/// Contexts that can exist at once. Their pages are 48 MiB: V8, which takes lent memory for objects in use,
/// collects garbage when it hears of 64 MiB.
pub const CONTEXT_MAX: u32 = 12 * 1024;
/// Bytes of all slots.
pub const SLOTS_BYTES: u64 = SLOT_BYTES * CONTEXT_MAX as u64;
const _: () = assert!(SLOTS_ADDR.is_multiple_of(SLOT_BYTES) && SLOTS_ADDR + SLOTS_BYTES <= TASK_END);

/// Address spaces that can exist at once. The zygote has number 0.
pub const SPACE_MAX: u32 = CONTEXT_MAX + 1;

/// Pages of the control file, in this order: code and data, doorbell, scratch, requests, context pages, signal stacks,
/// blocks.
pub const BELL_PAGE: u64 = CODE_PAGES;
/// The scratch page.
pub const SCRATCH_PAGE: u64 = BELL_PAGE + 1;
/// The first page of requests.
pub const FIRST_CONTROL_PAGE: u64 = SCRATCH_PAGE + 1;
/// The first context page.
pub const FIRST_CONTEXT_PAGE: u64 = FIRST_CONTROL_PAGE + SPACE_MAX as u64;
/// The first page of a signal stack.
pub const FIRST_STACK_PAGE: u64 = FIRST_CONTEXT_PAGE + CONTEXT_MAX as u64;
/// The first page of blocks.
pub const FIRST_BLOCK_PAGE: u64 = FIRST_STACK_PAGE + STACK_PAGES * CONTEXT_MAX as u64;
/// Pages of the file.
pub const CONTROL_PAGES: u64 = FIRST_BLOCK_PAGE + BLOCK_PAGES * SPACE_MAX as u64;

/// Descriptor of the memory file.
pub const MEMORY_FD: i32 = 0;
/// Descriptor of the control file.
pub const CONTROL_FD: i32 = 1;
/// Descriptor of the socket over which the zygote receives host files.
pub const SOCKET_FD: i32 = 2;
/// Descriptor of a file whose position is a helper's answer, plus [`ANSWER_BIAS`]. Only memory would be simpler, but
/// guests could write it.
pub const ANSWER_FD: i32 = 3;
/// Descriptor of the eventfd that says that there is an answer.
pub const EVENT_FD: i32 = 4;
/// What is added to an answer, so that a negated errno is a position too.
pub const ANSWER_BIAS: u64 = 4096;

/// Signal that makes a guest stop: SIGUSR1.
pub const INTERRUPT_SIGNAL: u32 = 10;

/// `STATE_*` of a context page, besides those of the mailbox: the page is the kernel's, and the thread sleeps on the
/// word until it changes.
pub const STATE_ASLEEP: u32 = 2;
/// The thread has not begun. What its registers are when it does is nobody's.
pub const STATE_STARTING: u32 = 3;
/// The page is the kernel's, which wants a signal frame: with the FP state, and a way to set all registers.
pub const STATE_TRAP: u32 = 4;

/// The page is the kernel's, and the answer will take time: the thread goes to sleep instead of looking for it. Written by
/// the sentry.
pub const STATE_RESTING: u32 = 5;

/// `way` of a stop that has a signal frame.
pub const WAY_TRAP: u32 = 0;
/// `way` of a system call from a patched site.
pub const WAY_FAST: u32 = 1;

/// Behind the `ContextPage` in its page: address of the FP state, or 0 without a signal frame; written by the stub.
pub const FP_ADDR_AT: usize = 512;
/// Where a guest goes on whose instruction pointer is still [`FAST_RIP_AT`]: the stub's own.
pub const RESUME_AT: usize = 520;
/// Where it goes on: the stub's own.
pub const GO_AT: usize = 528;
/// The instruction pointer with which it stopped: the stub's own.
pub const FAST_RIP_AT: usize = 536;
/// Not zero when it makes a signal frame because it goes on: the stub's own.
pub const LEAVING_AT: usize = 544;
/// An answer on its way: the stub's own.
pub const ANSWER_AT: usize = 548;
/// Not zero when the sentry wants the guest to stop, written by the sentry.
pub const INTERRUPT_AT: usize = 576;
/// GS base of a guest whose GS base is 0: its slot, or 0 where nothing is patched. Written before the thread begins.
pub const GS_AT: usize = 584;
/// Address behind the page's `eflags`. Written before the thread begins.
pub const FLAGS_END_AT: usize = 592;
/// Not zero while the sentry looks at the page's state by itself, so that a stop need not ring. Written by the sentry.
pub const WATCHED_AT: usize = 600;

/// ID of the process's first thread, written by clone(2); 0 before.
pub const THREAD_ID_AT: usize = 608;

/// Answers to calls that need no kernel, by their place in [`ANSWERED_CALLS`] plus one; [`NO_ANSWER`] without one, and
/// at place 0. Written by the sentry.
pub const ANSWERS_AT: usize = 640;
/// The answer to getcpu(2), at the place behind those: what the vDSO reads, not the stub. Written by the sentry.
pub const CPU_ANSWER_AT: usize = ANSWERS_AT + 4 * (ANSWERED_CALLS.len() + 1);
/// How often the context was resumed, written by the sentry: in a cache line that stubs do not use.
pub const RUNS_AT: usize = 704;

const _: () = assert!(CPU_ANSWER_AT + 4 <= RUNS_AT);

/// The call must be told.
pub const NO_ANSWER: u32 = u32::MAX;
/// What can be answered: getpid, gettid, getppid, getuid, geteuid, getgid, getegid.
pub const ANSWERED_CALLS: [u16; 7] = [39, 186, 110, 102, 107, 104, 108];

/// Where patched sites jump through: [`BLOCK_BYTES`] a site. Each byte of an address here that is the start of an old
/// instruction in a patched site must not be an instruction in 64-bit mode, and 6 is none.
pub const BLOCKS_ADDR: u64 = 0x6_0000;
/// Pages of blocks that address spaces which were forked from each other share.
pub const BLOCK_PAGES: u64 = 4;
/// Bytes of blocks.
pub const BLOCKS_BYTES: u64 = BLOCK_PAGES * PAGE_BYTES;
/// Bytes of a block. The first is not a site's: it begins with the address of the code that all blocks jump to.
pub const BLOCK_BYTES: u64 = 256;
/// In a block: address of its code, read by the patched site.
pub const BLOCK_TARGET: u64 = 6;
/// In a block: the instruction pointer behind the system call.
pub const BLOCK_RIP: u64 = 16;
/// In a block: address of the system call.
pub const BLOCK_RESTART: u64 = 24;
/// In a block: where the guest goes on.
pub const BLOCK_RESUME: u64 = 32;
/// In a block: where the guest leaves the block to.
pub const BLOCK_BACK: u64 = 40;
/// In a block: its code.
pub const BLOCK_CODE: u64 = 48;
/// In a block: a system call, then what was overwritten behind the site's.
pub const BLOCK_TRAP: u64 = 80;
/// In a block: what was overwritten.
pub const BLOCK_TAIL: u64 = BLOCK_TRAP + 2;

/// In the doorbell: a bit per word of [`BELL_MIDDLE_AT`]; and [`BELL_DEATH_BIT`].
pub const BELL_ROOT_AT: usize = 0;
/// Set by the sentry when a stub has died.
pub const BELL_DEATH_BIT: u32 = 1 << 31;
/// Whether the sentry sleeps: `SLEEPER_*`.
pub const BELL_SLEEPER_AT: usize = 64;
/// For how many cycles of the time-stamp counter a stopped thread spins before it sleeps; written by the sentry.
pub const BELL_SPIN_AT: usize = 128;
/// Cycles of the time-stamp counter before a stopped thread looks for its answer, some 0.1 us. A word to another processor and
/// back takes as long, so that none has come before; and each look takes the cache line away from the one who writes it.
pub const FIRST_LOOK_CYCLES: u64 = 250;
/// A bit per word of [`BELL_LEAF_AT`].
pub const BELL_MIDDLE_AT: usize = 192;
/// A bit per context.
pub const BELL_LEAF_AT: usize = 1024;
const _: () = assert!(BELL_MIDDLE_AT + CONTEXT_MAX as usize / 256 <= BELL_LEAF_AT);
const _: () = assert!(BELL_LEAF_AT + CONTEXT_MAX as usize / 8 <= 4096);

/// The sentry runs.
pub const SLEEPER_RUNS: u32 = 0;
/// The sentry sleeps on the word.
pub const SLEEPER_SLEEPS: u32 = 1;
/// The sentry slept, or will, and was woken.
pub const SLEEPER_WOKEN: u32 = 2;

/// A request to a helper, in the page of its process.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Changes with each request; the helper sleeps on it.
    pub sequence: u32,
    /// What comes after the calls: `TAIL_*`.
    pub tail: u32,
    /// How many calls there are.
    pub call_count: u64,
    /// `TAIL_FORK`: file offset of the request page of the copy.
    pub control_offset: u64,
    /// `TAIL_*THREAD`: the `stack_t` of the thread: address, flags, size. It stays until the thread has begun.
    pub signal_stack: [u64; 3],
    /// `TAIL_*THREAD`: where clone(2) writes the thread's ID.
    pub thread_id_addr: u64,
    /// The calls; the first that fails ends the request.
    pub calls: [Call; BATCH_MAX],
}
const _: () = assert!(size_of::<Request>() <= 4096);

/// Nothing more.
pub const TAIL_NONE: u32 = 0;
/// The process is copied; the answer is the copy's ID.
pub const TAIL_FORK: u32 = 1;
/// A guest thread is made, which stops at once; the answer is its ID.
pub const TAIL_THREAD: u32 = 2;
/// The same, in a process that has just been made, where nobody waits for an answer: it has no other thread, so that what
/// clone(2) writes can be trusted. Where it fails the process ends.
pub const TAIL_FIRST_THREAD: u32 = 3;

/// One system call of a request.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Number of the call.
    pub nr: u64,
    /// Its arguments.
    pub args: [u64; 6],
}

/// Calls that fit in a request.
pub const BATCH_MAX: usize = 72;

/// `clone` flags of a new address space: a sibling of its maker with the same descriptors.
/// `CLONE_PARENT | CLONE_FILES | CLONE_FS`.
pub const FORK_FLAGS: u64 = 0x8000 | 0x400 | 0x200;
/// `clone` flags of a new thread: `CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
/// CLONE_PARENT_SETTID`. Its descriptors are its own, so that it can close them.
pub const THREAD_FLAGS: u64 = 0x100 | 0x200 | 0x800 | 0x1_0000 | 0x4_0000 | 0x10_0000;
