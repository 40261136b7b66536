//! The seccomp filter of stub processes: only the calls that the code is asked to make, with the arguments it is asked
//! to make them with. Guest code makes none: `PTRACE_SYSEMU` stops it before the filter is asked. The vsyscall page is
//! the exception, for the kernel asks only the filter there.

use crate::layout::{FORK_FLAGS, SOCKET_FD, THREAD_FLAGS};

/// `struct sock_filter`, `<linux/filter.h>`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`.
const GREATER: u16 = 0x25;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

const NR_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const ARG0_AT: u32 = 16;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = 0x7fff_0000;
/// A signal that the tracer sees; the call is not made.
const TRAP: u32 = 0x0003_0000;

const SYS_CLOSE: u32 = 3;
const SYS_MMAP: u32 = 9;
const SYS_MPROTECT: u32 = 10;
const SYS_MUNMAP: u32 = 11;
const SYS_PAUSE: u32 = 34;
const SYS_RECVMSG: u32 = 47;
const SYS_CLONE: u32 = 56;
const SYS_EXIT: u32 = 60;

/// The filter program.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small constants")]
pub const FILTER: [Instruction; 21] = [
    load(ARCH_AT),
    jump(EQUAL, AUDIT_ARCH_X86_64, 0, 17),
    load(NR_AT),
    jump(EQUAL, SYS_MMAP, 16, 0),
    jump(EQUAL, SYS_MUNMAP, 15, 0),
    jump(EQUAL, SYS_MPROTECT, 14, 0),
    jump(EQUAL, SYS_PAUSE, 13, 0),
    jump(EQUAL, SYS_EXIT, 12, 0),
    jump(EQUAL, SYS_CLONE, 3, 0),
    jump(EQUAL, SYS_CLOSE, 5, 0),
    jump(EQUAL, SYS_RECVMSG, 6, 0),
    jump(EQUAL, 0, 7, 7),
    load(ARG0_AT), // clone
    jump(EQUAL, FORK_FLAGS as u32, 6, 0),
    jump(EQUAL, THREAD_FLAGS as u32, 5, 4),
    load(ARG0_AT), // close
    jump(GREATER, SOCKET_FD as u32, 3, 2),
    load(ARG0_AT), // recvmsg
    jump(EQUAL, SOCKET_FD as u32, 1, 0),
    Instruction {
        code: RETURN,
        jump_true: 0,
        jump_false: 0,
        k: TRAP,
    },
    Instruction {
        code: RETURN,
        jump_true: 0,
        jump_false: 0,
        k: ALLOW,
    },
];

const fn load(at: u32) -> Instruction {
    Instruction {
        code: LOAD,
        jump_true: 0,
        jump_false: 0,
        k: at,
    }
}

const fn jump(code: u16, k: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would answer: `seccomp(2)`'s machine for the instructions that the filter uses.
    fn run(arch: u32, nr: u32, arg0: u32) -> u32 {
        let (mut accumulator, mut at) = (0, 0);
        loop {
            let Instruction {
                code,
                jump_true,
                jump_false,
                k,
            } = FILTER[at];
            at += 1;
            let taken = match code {
                LOAD => {
                    accumulator = match k {
                        NR_AT => nr,
                        ARCH_AT => arch,
                        _ => arg0,
                    };
                    continue;
                }
                EQUAL => accumulator == k,
                GREATER => accumulator > k,
                _ => return k,
            };
            at += usize::from(if taken { jump_true } else { jump_false });
        }
    }

    #[test]
    fn allows_what_the_code_is_asked_to_make() {
        for nr in [SYS_MMAP, SYS_MUNMAP, SYS_MPROTECT, SYS_PAUSE, SYS_EXIT] {
            assert_eq!(run(AUDIT_ARCH_X86_64, nr, 7), ALLOW, "{nr}");
        }
        for (nr, arg0) in [
            (SYS_CLONE, 0xa600),
            (SYS_CLONE, 0x5_2f00),
            (SYS_CLOSE, 3),
            (SYS_RECVMSG, 2),
        ] {
            assert_eq!(run(AUDIT_ARCH_X86_64, nr, arg0), ALLOW, "{nr}({arg0:#x})");
        }
    }

    #[test]
    fn refuses_everything_else() {
        let allowed = [
            SYS_MMAP,
            SYS_MUNMAP,
            SYS_MPROTECT,
            SYS_PAUSE,
            SYS_EXIT,
            SYS_CLONE,
            SYS_CLOSE,
            SYS_RECVMSG,
        ];
        for nr in (0..1024).filter(|nr| !allowed.contains(nr)) {
            assert_eq!(run(AUDIT_ARCH_X86_64, nr, 0), TRAP, "{nr}");
        }
        for (nr, arg0) in [
            (SYS_CLONE, 0),
            (SYS_CLONE, 0x100),
            (SYS_CLOSE, 0),
            (SYS_CLOSE, 2),
            (SYS_RECVMSG, 0),
        ] {
            assert_eq!(run(AUDIT_ARCH_X86_64, nr, arg0), TRAP, "{nr}({arg0:#x})");
        }
    }

    #[test]
    fn refuses_the_calls_of_other_architectures() {
        const AUDIT_ARCH_I386: u32 = 0x4000_0003;
        assert_eq!(run(AUDIT_ARCH_I386, SYS_MMAP, 0), TRAP);
        assert_eq!(run(AUDIT_ARCH_X86_64, 0x4000_0000 | SYS_MMAP, 0), TRAP);
    }
}
