//! The memory that the kernel shares with whoever runs guest code: a context page per guest thread.
//!
//! The layout is defined here once. `cargo run -p mailbox` prints the same offsets as TypeScript, which live in
//! `packages/platform/src/context-layout.generated.ts`; a test of this crate fails when the two differ.
#![no_std]

/// Bytes of one context page. Contexts lie one behind the other, so context `i` is at `i * CONTEXT_BYTES`.
pub const CONTEXT_BYTES: usize = 4096;

/// The registers of a guest thread: those of system calls first.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are the registers' names")]
pub struct Registers {
    pub orig_rax: u64,
    pub rax: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rdx: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub r11: u64,
    pub rcx: u64,
    pub rip: u64,
    pub cs: u64,
    pub eflags: u64,
    pub rsp: u64,
    pub ss: u64,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u64,
    pub es: u64,
    pub fs: u64,
    pub gs: u64,
}

/// What a guest thread and the kernel tell each other.
///
/// Whoever runs the guest writes all fields but `state` before it hands the page over; the kernel writes `regs` and
/// `flags` before it hands it back. What the guest side wrote is untrusted. A system call of up to four arguments and its
/// result are all in the first cache line, for each line that both sides write costs a transfer between processors.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub struct ContextPage {
    /// Who owns the page: `STATE_*`. Written by both, with release order.
    pub state: u32,
    /// Why the guest stopped: `REASON_*`.
    pub reason: u32,
    /// What the kernel changed: `FLAG_*`.
    pub flags: u32,
    /// By which way the guest has stopped, as the platform numbers them.
    pub way: u32,
    /// All general registers, the instruction pointer, flags and segment bases.
    pub regs: Registers,
    /// `REASON_FAULT`: the signal's number, such as SIGSEGV.
    pub signo: u32,
    /// `REASON_FAULT`: `si_code`, such as SEGV_ACCERR.
    pub sig_code: i32,
    /// `REASON_FAULT` by a page fault: the CPU's error code, or `FAULT_ERROR_UNKNOWN`.
    pub fault_error: u32,
    /// `REASON_FAULT`: the CPU's trap number, such as 14 for a page fault.
    pub fault_trapno: u32,
    /// `REASON_FAULT`: `si_addr`.
    pub fault_addr: u64,
    /// `REASON_SYSCALL`: where a restarted call begins: the address of the `syscall` instruction.
    pub restart_ip: u64,
}

/// The page is the kernel's: the guest thread has stopped.
pub const STATE_KERNEL: u32 = 0;
/// The page is the guest's: it runs, or will when whoever runs it sees this.
pub const STATE_GUEST: u32 = 1;

/// The guest made a system call: number in `orig_rax`, arguments in their registers.
pub const REASON_SYSCALL: u32 = 1;
/// The guest raised a synchronous signal: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP.
pub const REASON_FAULT: u32 = 2;
/// The kernel asked the guest to stop.
pub const REASON_INTERRUPTED: u32 = 3;
/// Whoever ran the guest has died; the context can only be released.
pub const REASON_DEAD: u32 = 4;

/// The kernel wrote `regs`.
pub const FLAG_REGS_CHANGED: u32 = 1;

/// `fault_error` when the platform cannot tell.
pub const FAULT_ERROR_UNKNOWN: u32 = u32::MAX;
/// `fault_error` bit: the access was a write.
pub const FAULT_ERROR_WRITE: u32 = 2;
/// `fault_error` bit: the access was an instruction fetch.
pub const FAULT_ERROR_FETCH: u32 = 16;

const _: () = assert!(core::mem::size_of::<ContextPage>() <= CONTEXT_BYTES);
const _: () = assert!(core::mem::offset_of!(ContextPage, regs) + core::mem::offset_of!(Registers, r9) == 64);
