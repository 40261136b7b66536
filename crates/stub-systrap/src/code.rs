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
// Set-up runs once, in the zygote. The helper keeps r13 = its request page, r14d = the last request's sequence, r15d =
// its parent's ID; it has no stack. The handler keeps rbx = its context page, r12 = the ucontext_t, r13 = the doorbell.
global_asm!(
    r#"
    .section .rodata.tsv_systrap, "a", @progbits
    .balign 16
    .hidden tsv_systrap_code
    .globl tsv_systrap_code
tsv_systrap_code:

    .macro TSV_MMAP addr, len, prot
    mov eax, 9                      # mmap(addr, len, prot, MAP_SHARED | MAP_FIXED, CONTROL_FD, r9)
    movabs rdi, \addr
    mov esi, \len
    mov edx, \prot
    mov r10d, 0x11
    mov r8d, {control_fd}
    syscall
    cmp rax, rdi
    jne tsv_systrap_die
    .endm

    .hidden tsv_systrap_entry
    .globl tsv_systrap_entry
tsv_systrap_entry:                  # after execve(2), where the loader has put it
    xor r9d, r9d
    TSV_MMAP {code_addr}, {code_bytes}, 5
    lea rax, [rip + 1f]
    lea rcx, [rip + tsv_systrap_code]
    sub rax, rcx
    movabs rcx, {code_addr}
    add rax, rcx
    jmp rax
1:  mov eax, 11                     # munmap: what execve(2) has mapped, below and above
    xor edi, edi
    movabs rsi, {code_addr}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 11
    movabs rdi, {code_end}
    movabs rsi, {task_end} - {code_end}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov r9d, {bell_offset}
    TSV_MMAP {bell_addr}, 4096, 3
    mov r9d, {control_offset}
    TSV_MMAP {control_addr}, 4096, 1
    mov r9d, {scratch_offset}
    TSV_MMAP {scratch_addr}, 4096, 3
    mov eax, 28                     # madvise(SCRATCH_ADDR, 4096, MADV_DONTFORK)
    movabs rdi, {scratch_addr}
    mov esi, 4096
    mov edx, 10
    syscall
    test rax, rax
    jne tsv_systrap_die

    mov ebx, 64                     # rt_sigaction(64..1, ignore); the kernel refuses SIGKILL and SIGSTOP
2:  mov eax, 13
    mov edi, ebx
    movabs rsi, {data} + {ignore_at}
    xor edx, edx
    mov r10d, 8
    syscall
    dec ebx
    jnz 2b
    movabs rbx, {data} + {signals_at}
3:  movzx edi, byte ptr [rbx]       # rt_sigaction of those that stop the guest
    test edi, edi
    jz 4f
    mov eax, 13
    movabs rsi, {data} + {action_at}
    xor edx, edx
    mov r10d, 8
    syscall
    test rax, rax
    jne tsv_systrap_die
    inc rbx
    jmp 3b
4:  mov eax, 157                    # prctl(PR_SET_NAME)
    mov edi, 15
    movabs rsi, {data} + {name_at}
    syscall
    mov eax, 110                    # getppid
    syscall
    mov r15d, eax
    mov eax, 317                    # seccomp(SECCOMP_SET_MODE_FILTER, 0, filter)
    mov edi, 1
    xor esi, esi
    movabs rdx, {data} + {helper_filter_at}
    syscall
    test rax, rax
    jne tsv_systrap_die
    movabs r13, {control_addr}
    xor r14d, r14d
    xor eax, eax

tsv_systrap_answer:                 # rax is the answer
    lea rsi, [rax + {answer_bias}]
    mov eax, 8                      # lseek(ANSWER_FD, rsi, SEEK_SET)
    mov edi, {answer_fd}
    xor edx, edx
    syscall
    mov eax, 1                      # write(EVENT_FD, &1, 8)
    mov edi, {event_fd}
    movabs rsi, {data} + {one_at}
    mov edx, 8
    syscall

tsv_systrap_helper:                 # waits for a request
    mov eax, [r13 + {sequence}]
    cmp eax, r14d
    jne 1f
    mov eax, 202                    # futex(sequence, FUTEX_WAIT, r14, NULL)
    mov rdi, r13
    xor esi, esi
    mov edx, r14d
    xor r10d, r10d
    syscall
    jmp tsv_systrap_helper
1:  mov r14d, eax
    lea rbx, [r13 + {calls}]
    imul rbp, [r13 + {call_count}], 56
    add rbp, rbx
2:  cmp rbx, rbp
    je 3f
    mov rax, [rbx]
    mov rdi, [rbx + 8]
    mov rsi, [rbx + 16]
    mov rdx, [rbx + 24]
    mov r10, [rbx + 32]
    mov r8, [rbx + 40]
    mov r9, [rbx + 48]
    syscall
    cmp rax, -4095
    jae tsv_systrap_answer
    add rbx, 56
    jmp 2b
3:  xor eax, eax
    mov ecx, [r13 + {tail}]
    cmp ecx, {tail_fork}
    je tsv_systrap_fork
    cmp ecx, {tail_thread}
    jne tsv_systrap_answer

    mov eax, 56                     # clone(THREAD_FLAGS)
    mov edi, {thread_flags}
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    syscall
    test rax, rax
    jne tsv_systrap_answer
    mov eax, 436                    # the thread: close_range(0, ~0, 0)
    xor edi, edi
    mov esi, -1
    xor edx, edx
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 131                    # sigaltstack(&signal_stack, NULL)
    lea rdi, [r13 + {signal_stack}]
    xor esi, esi
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 14                     # rt_sigprocmask(SIG_SETMASK, none, NULL, 8)
    mov edi, 2
    movabs rsi, {data} + {no_signals_at}
    xor edx, edx
    mov r10d, 8
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 317                    # seccomp(SECCOMP_SET_MODE_FILTER, 0, filter)
    mov edi, 1
    xor esi, esi
    movabs rdx, {data} + {guest_filter_at}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 39                     # any call that is not allowed brings it into the handler
    syscall
    jmp tsv_systrap_die

tsv_systrap_fork:
    mov r12, [r13 + {request_control_offset}]
    mov eax, 56                     # clone(FORK_FLAGS)
    mov edi, {fork_flags}
    xor esi, esi
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    syscall
    test rax, rax
    jne tsv_systrap_answer
    mov eax, 157                    # the copy: prctl(PR_SET_PDEATHSIG, SIGKILL), which clone(2) has reset
    mov edi, 1
    mov esi, 9
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov eax, 110                    # getppid: a parent that has died before sends nothing
    syscall
    cmp eax, r15d
    jne tsv_systrap_die
    mov eax, 11                     # munmap: the slots of the other address space's threads
    movabs rdi, {slots_addr}
    mov esi, {slots_bytes}
    syscall
    test rax, rax
    jne tsv_systrap_die
    mov r9, r12
    TSV_MMAP {control_addr}, 4096, 1
    xor r14d, r14d
    jmp tsv_systrap_helper

tsv_systrap_die:                    # with all signals blocked, a fault ends the process
    ud2

    .macro TSV_SAVE from, to
    mov rax, [r12 + \from]
    mov [rbx + \to], rax
    .endm
    .macro TSV_RESTORE to, from
    mov rax, [rbx + \from]
    mov [r12 + \to], rax
    .endm

    .balign 64
    .hidden tsv_systrap_handler
    .globl tsv_systrap_handler
tsv_systrap_handler:                # edi signo, rsi siginfo_t, rdx ucontext_t
    mov rbx, rsp
    and rbx, -{slot_bytes}
    mov r12, rdx
    movabs r13, {bell_addr}
    mov r14d, edi
    mov r15, rsi
    cmp edi, {interrupt_signal}
    je 1f
    cmp dword ptr [rsi + 8], 0      # si_code: what somebody has sent is not for the guest
    jle tsv_systrap_return
    jmp 2f
1:  cmp dword ptr [rbx + {interrupt_at}], 0
    je tsv_systrap_return           # it has stopped for another reason before
2:  TSV_SAVE 40, {r8}
    TSV_SAVE 48, {r9}
    TSV_SAVE 56, {r10}
    TSV_SAVE 64, {r11}
    TSV_SAVE 72, {r12}
    TSV_SAVE 80, {r13}
    TSV_SAVE 88, {r14}
    TSV_SAVE 96, {r15}
    TSV_SAVE 104, {rdi}
    TSV_SAVE 112, {rsi}
    TSV_SAVE 120, {rbp}
    TSV_SAVE 128, {rbx}
    TSV_SAVE 136, {rdx}
    TSV_SAVE 152, {rcx}
    TSV_SAVE 160, {rsp}
    TSV_SAVE 176, {eflags}
    TSV_SAVE 224, {fp_addr_at}
    movzx eax, word ptr [r12 + 184]
    mov [rbx + {cs}], rax
    movzx eax, word ptr [r12 + 190]
    mov [rbx + {ss}], rax
    rdfsbase rax
    mov [rbx + {fs_base}], rax
    rdgsbase rax
    mov [rbx + {gs_base}], rax
    mov rcx, [r12 + 144]            # rax
    mov rdx, [r12 + 168]            # rip
    cmp r14d, 31
    je 3f
    mov [rbx + {rax}], rcx
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rdx
    mov [rbx + {restart_ip}], rdx
    mov eax, {reason_interrupted}
    cmp r14d, {interrupt_signal}
    je tsv_systrap_stop
    mov rcx, [r15 + 16]             # a fault: si_addr, si_code, trapno, err
    mov r8d, [r15 + 8]
    mov r9d, [r12 + 200]
    mov r10d, [r12 + 192]
    jmp tsv_systrap_fault

3:  cmp dword ptr [r15 + 28], 0xc000003e
    jne 4f                          # si_arch: not x86-64
    cmp qword ptr [r15 + 16], 0
    jl 5f                           # si_call_addr: the vsyscall page
    movsxd rcx, dword ptr [r15 + 24] # si_syscall: the host may have made -EINTR of a number like -ERESTARTSYS
    mov [rbx + {orig_rax}], rcx
    mov qword ptr [rbx + {rax}], -38
    mov [rbx + {rip}], rdx
    sub rdx, 2
    mov [rbx + {restart_ip}], rdx
    mov eax, {reason_syscall}
    jmp tsv_systrap_stop

4:  sub rdx, 2                      # int 0x80: a general protection fault, as without 32-bit system calls
    mov [rbx + {rax}], rcx
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rdx
    mov [rbx + {restart_ip}], rdx
    mov r14d, 11
    xor ecx, ecx
    mov r8d, 0x80
    mov r9d, 13
    xor r10d, r10d
    jmp tsv_systrap_fault

5:  mov [rbx + {rax}], rcx          # a call of the vsyscall page: a page fault there. The kernel has made the return
    mov rcx, [r15 + 16]
    mov qword ptr [rbx + {orig_rax}], -1
    mov [rbx + {rip}], rcx
    mov [rbx + {restart_ip}], rcx
    sub qword ptr [rbx + {rsp}], 8
    mov r14d, 11
    mov r8d, 1
    mov r9d, 14
    mov r10d, 20

tsv_systrap_fault:                  # r14d signo, rcx address, r8d code, r9d trap number, r10d error code
    mov [rbx + {signo}], r14d
    mov [rbx + {fault_addr}], rcx
    mov [rbx + {sig_code}], r8d
    mov [rbx + {fault_trapno}], r9d
    mov [rbx + {fault_error}], r10d
    mov eax, {reason_fault}

tsv_systrap_stop:                   # eax is the reason
    mov [rbx + {reason}], eax
    mov dword ptr [rbx], {state_kernel}
    mov rcx, rbx                    # the bell: leaf first, for the sentry clears it from the root
    movabs rax, {slots_addr}
    sub rcx, rax
    shr rcx, {slot_shift}
    lock bts dword ptr [r13 + {leaf_at}], ecx
    shr ecx, 5
    lock bts dword ptr [r13 + {middle_at}], ecx
    shr ecx, 5
    lock bts dword ptr [r13 + {root_at}], ecx
    cmp dword ptr [r13 + {sleeper_at}], {sleeper_sleeps}
    jne 1f
    mov eax, {sleeper_woken}
    xchg [r13 + {sleeper_at}], eax
    cmp eax, {sleeper_sleeps}
    jne 1f
    mov eax, 202                    # futex(sleeper, FUTEX_WAKE, 1)
    lea rdi, [r13 + {sleeper_at}]
    mov esi, 1
    mov edx, 1
    syscall
1:  mov r8d, [r13 + {spin_at}]
    test r8d, r8d
    jz 3f
    rdtsc
    shl rdx, 32
    or rax, rdx
    add r8, rax
2:  cmp dword ptr [rbx], {state_guest}
    je tsv_systrap_resume
    pause
    rdtsc
    shl rdx, 32
    or rax, rdx
    cmp rax, r8
    jb 2b
3:  mov eax, {state_kernel}
    mov ecx, {state_asleep}
    lock cmpxchg dword ptr [rbx], ecx
4:  cmp dword ptr [rbx], {state_guest}
    je tsv_systrap_resume
    mov eax, 202                    # futex(state, FUTEX_WAIT, STATE_ASLEEP, NULL)
    mov rdi, rbx
    xor esi, esi
    mov edx, {state_asleep}
    xor r10d, r10d
    syscall
    jmp 4b

tsv_systrap_resume:
    movabs rcx, {task_end}          # bases that no user can have would fault here
    mov rdi, [rbx + {fs_base}]
    cmp rdi, rcx
    jae tsv_systrap_refuse
    mov rsi, [rbx + {gs_base}]
    cmp rsi, rcx
    jae tsv_systrap_refuse
    rdfsbase rax
    cmp rax, rdi
    je 1f
    wrfsbase rdi
1:  rdgsbase rax
    cmp rax, rsi
    je 2f
    wrgsbase rsi
2:  TSV_RESTORE 40, {r8}
    TSV_RESTORE 48, {r9}
    TSV_RESTORE 56, {r10}
    TSV_RESTORE 64, {r11}
    TSV_RESTORE 72, {r12}
    TSV_RESTORE 80, {r13}
    TSV_RESTORE 88, {r14}
    TSV_RESTORE 96, {r15}
    TSV_RESTORE 104, {rdi}
    TSV_RESTORE 112, {rsi}
    TSV_RESTORE 120, {rbp}
    TSV_RESTORE 128, {rbx}
    TSV_RESTORE 136, {rdx}
    TSV_RESTORE 144, {rax}
    TSV_RESTORE 152, {rcx}
    TSV_RESTORE 160, {rsp}
    TSV_RESTORE 168, {rip}
    TSV_RESTORE 176, {eflags}
    mov eax, 0x33                   # __USER_CS, or __USER32_CS where a far jump has led
    mov ecx, 0x23
    cmp [rbx + {cs}], rcx
    cmove eax, ecx
    mov [r12 + 184], ax
    mov word ptr [r12 + 190], 0x2b
    mov qword ptr [r12 + 296], 0    # no signal is blocked
tsv_systrap_return:
    mov rsp, r12
    mov eax, 15                     # rt_sigreturn
    syscall
    jmp tsv_systrap_die

tsv_systrap_refuse:                 # a general protection fault; the registers are as they were
    mov r14d, 11
    xor ecx, ecx
    mov r8d, 0x80
    mov r9d, 13
    xor r10d, r10d
    jmp tsv_systrap_fault

    .hidden tsv_systrap_end
    .globl tsv_systrap_end
tsv_systrap_end:
    .text
"#,
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
    calls = const offset_of!(l::Request, calls),
    tail_fork = const l::TAIL_FORK,
    tail_thread = const l::TAIL_THREAD,
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
    sleeper_sleeps = const l::SLEEPER_SLEEPS,
    sleeper_woken = const l::SLEEPER_WOKEN,
    state_kernel = const mailbox::STATE_KERNEL,
    state_guest = const mailbox::STATE_GUEST,
    state_asleep = const l::STATE_ASLEEP,
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
