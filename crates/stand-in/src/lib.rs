//! The program of a _stand-in_: a host process that engines see in the place of a guest's process. It lives as long,
//! passes the signals that it gets on, and ends with the guest's exit status.
//!
//! Descriptor 0 is a socket to the sentry. The stand-in writes the number of each signal to it as one byte, and reads one
//! byte, the exit status; when the sentry is gone it ends with [`STATUS_LOST`]. Descriptor 1, where it is a terminal,
//! becomes its controlling terminal, so that SIGWINCH and SIGHUP come to it, and is closed.
#![no_std]

use core::arch::global_asm;
use core::ptr::addr_of;

/// Exit status when the sentry has gone without a word: that of a death by SIGKILL.
pub const STATUS_LOST: u8 = 137;

global_asm!(
    r#"
    .section .rodata.tsv_stand_in, "a", @progbits
    .balign 16
    .hidden tsv_stand_in_code
    .globl tsv_stand_in_code
tsv_stand_in_code:
    mov eax, 157                    # prctl(PR_SET_NAME, name)
    mov edi, 15
    lea rsi, [rip + 9f]
    syscall
    mov eax, 112                    # setsid()
    syscall
    mov eax, 16                     # ioctl(1, TIOCSCTTY, 0)
    mov edi, 1
    mov esi, 0x540e
    xor edx, edx
    syscall
    mov eax, 3                      # close(1)
    mov edi, 1
    syscall
    sub rsp, 256
    mov qword ptr [rsp], -1
    mov eax, 14                     # rt_sigprocmask(SIG_BLOCK, all, 0, 8)
    xor edi, edi
    mov rsi, rsp
    xor edx, edx
    mov r10d, 8
    syscall
    mov eax, 289                    # signalfd4(-1, all, 8, 0)
    mov rdi, -1
    mov rsi, rsp
    mov edx, 8
    xor r10d, r10d
    syscall
    mov r12d, eax
2:  mov dword ptr [rsp + 128], 0    # poll({{0, POLLIN}}, {{signalfd, POLLIN}})
    mov dword ptr [rsp + 132], 1
    mov dword ptr [rsp + 136], r12d
    mov dword ptr [rsp + 140], 1
    mov eax, 7
    lea rdi, [rsp + 128]
    mov esi, 2
    mov edx, -1
    syscall
    cmp word ptr [rsp + 134], 0
    jne 3f
    cmp word ptr [rsp + 142], 0
    je 2b
    xor eax, eax                    # read(signalfd, siginfo, 128)
    mov edi, r12d
    mov rsi, rsp
    mov edx, 128
    syscall
    mov eax, 44                     # sendto(0, siginfo.ssi_signo, 1, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 0)
    xor edi, edi
    mov rsi, rsp
    mov edx, 1
    mov r10d, 0x4040
    xor r8d, r8d
    xor r9d, r9d
    syscall
    jmp 2b
3:  xor eax, eax                    # read(0, status, 1)
    xor edi, edi
    mov rsi, rsp
    mov edx, 1
    syscall
    mov edi, 137
    cmp rax, 1
    jne 4f
    movzx edi, byte ptr [rsp]
4:  mov eax, 231                    # exit_group(status)
    syscall
9:  .asciz "tsv-container"
    .hidden tsv_stand_in_end
    .globl tsv_stand_in_end
tsv_stand_in_end:
    .text
"#
);

unsafe extern "C" {
    static tsv_stand_in_code: u8;
    static tsv_stand_in_end: u8;
}

/// The program as execve(2) takes it.
#[must_use]
pub fn image() -> [u8; stub::image::IMAGE_BYTES] {
    let (start, end) = (addr_of!(tsv_stand_in_code), addr_of!(tsv_stand_in_end));
    // SAFETY: the symbols delimit read-only data of this program.
    let code = unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) };
    stub::image::wrap(code, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_an_elf_file_that_begins_with_the_code() {
        let image = image();
        assert_eq!(image[..4], *b"\x7fELF");
        assert_eq!(image[128..133], [0xb8, 157, 0, 0, 0]);
    }
}
