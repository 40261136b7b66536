//! The instructions.

use crate::data;
use crate::layout as l;
use core::arch::global_asm;
use core::mem::offset_of;
use core::ptr::addr_of;
use mailbox::{ContextPage, Registers};

/// Offset of a register in a context page.
macro_rules! reg {
    ($field:ident) => {
        offset_of!(ContextPage, regs) + offset_of!(Registers, $field)
    };
}

// The code is data to whoever links it: it runs only in the processes that map the control file.
//
// helper.s: set-up runs once, in the zygote. The helper keeps r13 = its request page, r14d = the last request's sequence,
// r15d = its parent's ID; it has no stack. handler.s, and fast.s behind its entry, keep rbx = the context page, r12 = the
// handler's ucontext_t or 0, r13 = the doorbell.
global_asm!(
    include_str!("helper.s"),
    include_str!("fast.s"),
    include_str!("handler.s"),
    control_fd = const l::CONTROL_FD,
    code_addr = const l::CODE_ADDR,
    code_bytes = const l::CODE_BYTES,
    code_end = const l::CODE_END,
    task_end = const l::TASK_END,
    bell_addr = const l::BELL_ADDR,
    bell_offset = const l::BELL_PAGE * l::PAGE_BYTES,
    control_addr = const l::CONTROL_ADDR,
    control_offset = const l::FIRST_CONTROL_PAGE * l::PAGE_BYTES,
    scratch_addr = const l::SCRATCH_ADDR,
    scratch_offset = const l::SCRATCH_PAGE * l::PAGE_BYTES,
    data = const l::DATA_ADDR,
    ignore_at = const data::IGNORE_AT,
    action_at = const data::ACTION_AT,
    signals_at = const data::SIGNALS_AT,
    name_at = const data::NAME_AT,
    one_at = const data::ONE_AT,
    no_signals_at = const data::NO_SIGNALS_AT,
    helper_filter_at = const data::HELPER_FILTER_AT,
    guest_filter_at = const data::GUEST_FILTER_AT,
    answer_bias = const l::ANSWER_BIAS,
    answer_fd = const l::ANSWER_FD,
    event_fd = const l::EVENT_FD,
    sequence = const offset_of!(l::Request, sequence),
    tail = const offset_of!(l::Request, tail),
    call_count = const offset_of!(l::Request, call_count),
    request_control_offset = const offset_of!(l::Request, control_offset),
    signal_stack = const offset_of!(l::Request, signal_stack),
    thread_id_addr = const offset_of!(l::Request, thread_id_addr),
    calls = const offset_of!(l::Request, calls),
    tail_fork = const l::TAIL_FORK,
    tail_thread = const l::TAIL_THREAD,
    tail_first_thread = const l::TAIL_FIRST_THREAD,
    fork_flags = const l::FORK_FLAGS,
    thread_flags = const l::THREAD_FLAGS,
    slots_addr = const l::SLOTS_ADDR,
    slots_bytes = const l::SLOTS_BYTES,
    slot_bytes = const l::SLOT_BYTES,
    slot_shift = const l::SLOT_BYTES.trailing_zeros(),
    interrupt_signal = const l::INTERRUPT_SIGNAL,
    interrupt_at = const l::INTERRUPT_AT,
    fp_addr_at = const l::FP_ADDR_AT,
    leaf_at = const l::BELL_LEAF_AT,
    middle_at = const l::BELL_MIDDLE_AT,
    root_at = const l::BELL_ROOT_AT,
    sleeper_at = const l::BELL_SLEEPER_AT,
    spin_at = const l::BELL_SPIN_AT,
    watched_at = const l::WATCHED_AT,
    first_look = const l::FIRST_LOOK_CYCLES,
    sleeper_sleeps = const l::SLEEPER_SLEEPS,
    sleeper_woken = const l::SLEEPER_WOKEN,
    state_kernel = const mailbox::STATE_KERNEL,
    state_guest = const mailbox::STATE_GUEST,
    state_asleep = const l::STATE_ASLEEP,
    state_trap = const l::STATE_TRAP,
    state_resting = const l::STATE_RESTING,
    state_starting = const l::STATE_STARTING,
    way_trap = const l::WAY_TRAP,
    way_fast = const l::WAY_FAST,
    way = const offset_of!(ContextPage, way),
    resume_at = const l::RESUME_AT,
    answers_at = const data::ANSWERS_AT,
    answered_nr_max = const data::ANSWERED_NR_MAX,
    page_answers_at = const l::ANSWERS_AT,
    answer_at = const l::ANSWER_AT,
    leaving_at = const l::LEAVING_AT,
    go_at = const l::GO_AT,
    fast_rip_at = const l::FAST_RIP_AT,
    gs_at = const l::GS_AT,
    flags_end_at = const l::FLAGS_END_AT,
    blocks_addr = const l::BLOCKS_ADDR,
    blocks_bytes = const l::BLOCKS_BYTES,
    block_bytes = const l::BLOCK_BYTES,
    block_code = const l::BLOCK_CODE,
    block_trap = const l::BLOCK_TRAP,
    block_rip = const l::BLOCK_RIP,
    block_restart = const l::BLOCK_RESTART,
    block_resume = const l::BLOCK_RESUME,
    reason_syscall = const mailbox::REASON_SYSCALL,
    reason_fault = const mailbox::REASON_FAULT,
    reason_interrupted = const mailbox::REASON_INTERRUPTED,
    reason = const offset_of!(ContextPage, reason),
    signo = const offset_of!(ContextPage, signo),
    sig_code = const offset_of!(ContextPage, sig_code),
    fault_addr = const offset_of!(ContextPage, fault_addr),
    fault_error = const offset_of!(ContextPage, fault_error),
    fault_trapno = const offset_of!(ContextPage, fault_trapno),
    restart_ip = const offset_of!(ContextPage, restart_ip),
    r8 = const reg!(r8),
    r9 = const reg!(r9),
    r10 = const reg!(r10),
    r11 = const reg!(r11),
    r12 = const reg!(r12),
    r13 = const reg!(r13),
    r14 = const reg!(r14),
    r15 = const reg!(r15),
    rdi = const reg!(rdi),
    rsi = const reg!(rsi),
    rbp = const reg!(rbp),
    rbx = const reg!(rbx),
    rdx = const reg!(rdx),
    rax = const reg!(rax),
    rcx = const reg!(rcx),
    rsp = const reg!(rsp),
    rip = const reg!(rip),
    eflags = const reg!(eflags),
    orig_rax = const reg!(orig_rax),
    cs = const reg!(cs),
    ss = const reg!(ss),
    fs_base = const reg!(fs_base),
    gs_base = const reg!(gs_base),
);

unsafe extern "C" {
    static tsv_systrap_code: u8;
    static tsv_systrap_entry: u8;
    static tsv_systrap_handler: u8;
    static tsv_systrap_fast: u8;
    static tsv_systrap_end: u8;
}

/// The instructions, at most two pages.
#[must_use]
pub fn bytes() -> &'static [u8] {
    let len = usize::try_from(offset(addr_of!(tsv_systrap_end))).unwrap_or(0);
    // SAFETY: the symbols delimit read-only data of this program.
    unsafe { core::slice::from_raw_parts(addr_of!(tsv_systrap_code), len) }
}

/// Offset of what runs after execve(2).
#[must_use]
pub fn entry() -> u64 {
    offset(addr_of!(tsv_systrap_entry))
}

/// Offset of the signal handler.
#[must_use]
pub fn handler() -> u64 {
    offset(addr_of!(tsv_systrap_handler))
}

/// Offset of what patched sites jump to.
#[must_use]
pub fn fast() -> u64 {
    offset(addr_of!(tsv_systrap_fast))
}

fn offset(symbol: *const u8) -> u64 {
    symbol.addr().wrapping_sub(addr_of!(tsv_systrap_code).addr()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_leave_room_for_the_data() {
        assert!(bytes().len() as u64 <= l::DATA_ADDR - l::CODE_ADDR);
        assert!(handler() > entry());
    }
}
