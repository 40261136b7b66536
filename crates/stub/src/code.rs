//! The instructions.

use core::arch::global_asm;
use core::ptr::addr_of;

// The code is data to whoever links it: it runs only in the processes that the image was copied to.
global_asm!(
    r#"
    .section .rodata.tsv_stub, "a", @progbits
    .balign 16
    .hidden tsv_stub_code
    .globl tsv_stub_code
tsv_stub_code:
    .hidden tsv_stub_pause
    .globl tsv_stub_pause
tsv_stub_pause:                     # sleeps until it is traced or a signal comes, for ever
    mov eax, 34                     # pause
    syscall
    jmp tsv_stub_pause

    .hidden tsv_stub_once
    .globl tsv_stub_once
tsv_stub_once:                      # one system call from the registers as they are
    syscall
    int3

    .hidden tsv_stub_fork
    .globl tsv_stub_fork
tsv_stub_fork:                      # clone from the registers; the child then maps its control page
    syscall
    test rax, rax
    jne 2f
    mov eax, 9                      # mmap(CONTROL_ADDR, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, CONTROL_FD, r14)
    mov rdi, r12
    mov esi, 4096
    mov edx, 1
    mov r10d, 0x11
    mov r8d, 1
    mov r9, r14
    syscall
2:  int3

    .hidden tsv_stub_batch
    .globl tsv_stub_batch
tsv_stub_batch:                     # the calls from rbx up to rbp; ends at the first that fails, with rbx at it
    cmp rbx, rbp
    je 4f
    mov rax, [rbx]
    mov rdi, [rbx + 8]
    mov rsi, [rbx + 16]
    mov rdx, [rbx + 24]
    mov r10, [rbx + 32]
    mov r8, [rbx + 40]
    mov r9, [rbx + 48]
    syscall
    cmp rax, -4095
    jae 5f
    add rbx, 56
    jmp tsv_stub_batch
4:  xor eax, eax
5:  int3
    .hidden tsv_stub_end
    .globl tsv_stub_end
tsv_stub_end:
    .text
"#
);

unsafe extern "C" {
    static tsv_stub_code: u8;
    static tsv_stub_pause: u8;
    static tsv_stub_once: u8;
    static tsv_stub_fork: u8;
    static tsv_stub_batch: u8;
    static tsv_stub_end: u8;
}

/// The instructions, less than a page.
#[must_use]
pub fn bytes() -> &'static [u8] {
    let len = usize::try_from(offset(addr_of!(tsv_stub_end))).unwrap_or(0);
    // SAFETY: the symbols delimit read-only data of this program.
    unsafe { core::slice::from_raw_parts(addr_of!(tsv_stub_code), len) }
}

/// Offset of the loop that sleeps.
#[must_use]
pub fn pause() -> u64 {
    offset(addr_of!(tsv_stub_pause))
}

/// Offset of one system call from the registers, followed by a trap.
#[must_use]
pub fn once() -> u64 {
    offset(addr_of!(tsv_stub_once))
}

/// Offset of a clone(2) from the registers whose child maps its control page: address in `r12`, file offset in `r14`.
#[must_use]
pub fn fork() -> u64 {
    offset(addr_of!(tsv_stub_fork))
}

/// Offset of the batch: [`crate::layout::Call`]s from `rbx` up to `rbp`. It traps with the first failed call in
/// `rbx` and its error in `rax`, or with 0.
#[must_use]
pub fn batch() -> u64 {
    offset(addr_of!(tsv_stub_batch))
}

fn offset(symbol: *const u8) -> u64 {
    symbol.addr().wrapping_sub(addr_of!(tsv_stub_code).addr()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_begin_with_their_instruction() {
        let code = bytes();
        let at = |offset: u64| &code[usize::try_from(offset).expect("small")..];
        assert!(code.len() < 4096);
        assert_eq!(at(pause())[..7], [0xb8, 34, 0, 0, 0, 0x0f, 0x05]);
        assert_eq!(at(once())[..3], [0x0f, 0x05, 0xcc]);
        assert_eq!(at(fork())[..2], [0x0f, 0x05]);
        assert_eq!(at(batch())[..3], [0x48, 0x39, 0xeb]);
        assert_eq!(code.last(), Some(&0xcc));
    }
}
