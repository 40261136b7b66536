//! The seccomp filters. A call is allowed only from the stub's own instructions, which guests can jump to: so a guest
//! thread has a second filter, with nothing in it by which it could change more than its own registers.

use crate::layout::{ANSWER_FD, CODE_ADDR, CODE_BYTES, EVENT_FD, FORK_FLAGS, SOCKET_FD, THREAD_FLAGS};

/// `struct sock_filter`, `<linux/filter.h>`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    k: u32,
}

impl Instruction {
    /// The eight bytes, in memory order.
    #[must_use]
    pub fn to_bits(&self) -> u64 {
        u64::from(self.code)
            | u64::from(self.jump_true) << 16
            | u64::from(self.jump_false) << 24
            | u64::from(self.k) << 32
    }
}

/// `BPF_LD | BPF_W | BPF_ABS`.
const LOAD: u16 = 0x20;
/// `BPF_JMP | BPF_JEQ | BPF_K`.
const EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGT | BPF_K`.
const GREATER: u16 = 0x25;
/// `BPF_JMP | BPF_JGE | BPF_K`.
const NOT_LESS: u16 = 0x35;
/// `BPF_RET | BPF_K`.
const RETURN: u16 = 0x06;

const NR_AT: u32 = 0;
const ARCH_AT: u32 = 4;
const IP_LOW_AT: u32 = 8;
const IP_HIGH_AT: u32 = 12;
const ARG0_AT: u32 = 16;
const ARG1_AT: u32 = 24;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ALLOW: u32 = 0x7fff_0000;
const TRAP: u32 = 0x0003_0000;

const SYS_WRITE: u32 = 1;
const SYS_CLOSE: u32 = 3;
const SYS_LSEEK: u32 = 8;
const SYS_MMAP: u32 = 9;
const SYS_MPROTECT: u32 = 10;
const SYS_MUNMAP: u32 = 11;
const SYS_RT_SIGPROCMASK: u32 = 14;
const SYS_RT_SIGRETURN: u32 = 15;
const SYS_RECVMSG: u32 = 47;
const SYS_CLONE: u32 = 56;
const SYS_GETPPID: u32 = 110;
const SYS_SIGALTSTACK: u32 = 131;
const SYS_PRCTL: u32 = 157;
const SYS_FUTEX: u32 = 202;
const SYS_SECCOMP: u32 = 317;
const SYS_CLOSE_RANGE: u32 = 436;

const FUTEX_WAIT: u32 = 0;
const FUTEX_WAKE: u32 = 1;
const PR_SET_PDEATHSIG: u32 = 1;
const SECCOMP_SET_MODE_FILTER: u32 = 1;

/// What of a call's arguments matters.
enum Rule {
    Any(u32),
    /// The argument at this place is one of these.
    OneOf(u32, u32, &'static [u32]),
    /// The first argument is more than this.
    Above(u32, u32),
}

/// The filter of guest threads: their handler sleeps, wakes and returns.
#[must_use]
pub fn guest() -> Vec<Instruction> {
    build(&[
        Rule::Any(SYS_RT_SIGRETURN),
        Rule::OneOf(SYS_FUTEX, ARG1_AT, &[FUTEX_WAIT, FUTEX_WAKE]),
    ])
}

/// The filter of helpers, which guest threads have too.
#[must_use]
#[allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "small constants")]
pub fn helper() -> Vec<Instruction> {
    const CLONES: &[u32] = &[FORK_FLAGS as u32, THREAD_FLAGS as u32];
    build(&[
        Rule::Any(SYS_RT_SIGRETURN),
        Rule::OneOf(SYS_FUTEX, ARG1_AT, &[FUTEX_WAIT, FUTEX_WAKE]),
        Rule::Any(SYS_MMAP),
        Rule::Any(SYS_MUNMAP),
        Rule::Any(SYS_MPROTECT),
        Rule::OneOf(SYS_LSEEK, ARG0_AT, &[ANSWER_FD as u32]),
        Rule::OneOf(SYS_WRITE, ARG0_AT, &[EVENT_FD as u32]),
        Rule::OneOf(SYS_CLONE, ARG0_AT, CLONES),
        Rule::OneOf(SYS_PRCTL, ARG0_AT, &[PR_SET_PDEATHSIG]),
        Rule::Any(SYS_GETPPID),
        Rule::Any(SYS_CLOSE_RANGE),
        Rule::Any(SYS_SIGALTSTACK),
        Rule::Any(SYS_RT_SIGPROCMASK),
        Rule::OneOf(SYS_SECCOMP, ARG0_AT, &[SECCOMP_SET_MODE_FILTER]),
        Rule::OneOf(SYS_RECVMSG, ARG0_AT, &[SOCKET_FD as u32]),
        Rule::Above(SYS_CLOSE, EVENT_FD as u32),
    ])
}

#[allow(clippy::cast_possible_truncation, reason = "halves of an address")]
fn build(rules: &[Rule]) -> Vec<Instruction> {
    const LOW: u32 = CODE_ADDR as u32;
    const HIGH: u32 = (CODE_ADDR >> 32) as u32;
    let mut program = Vec::new();
    // Each test is followed by the answer to those that fail it. Calls of guests end at the second.
    let mut require = |at, code, k, wanted: bool| {
        program.push(jump(LOAD, at, 0, 0));
        program.push(jump(code, k, u8::from(wanted), u8::from(!wanted)));
        program.push(answer(TRAP));
    };
    require(IP_HIGH_AT, EQUAL, HIGH, true);
    require(IP_LOW_AT, NOT_LESS, LOW, true);
    require(IP_LOW_AT, NOT_LESS, LOW + CODE_BYTES as u32, false);
    require(ARCH_AT, EQUAL, AUDIT_ARCH_X86_64, true);
    program.push(jump(LOAD, NR_AT, 0, 0));
    for rule in rules {
        let (nr, body) = match *rule {
            Rule::Any(nr) => (nr, vec![answer(ALLOW)]),
            Rule::OneOf(nr, at, values) => {
                let mut body = vec![jump(LOAD, at, 0, 0)];
                for value in values {
                    body.extend([jump(EQUAL, *value, 0, 1), answer(ALLOW)]);
                }
                body.push(answer(TRAP));
                (nr, body)
            }
            Rule::Above(nr, limit) => {
                let check = [jump(LOAD, ARG0_AT, 0, 0), jump(GREATER, limit, 0, 1)];
                (nr, [&check[..], &[answer(ALLOW), answer(TRAP)]].concat())
            }
        };
        program.push(jump(EQUAL, nr, 0, body.len() as u8));
        program.extend(body);
    }
    program.push(answer(TRAP));
    program
}

const fn jump(code: u16, k: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        k,
    }
}

const fn answer(action: u32) -> Instruction {
    jump(RETURN, action, 0, 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation, reason = "halves of an address")]

    use super::*;

    /// A call as the kernel shows it to the filter: number, architecture, address, two arguments.
    type Data = (u32, u32, u64, u32, u32);
    const INSIDE: u64 = CODE_ADDR + 0x40;

    /// What the kernel would answer: seccomp(2)'s machine for the instructions that the filters use.
    fn run(filter: &[Instruction], (nr, arch, ip, arg0, arg1): Data) -> u32 {
        let (mut accumulator, mut at) = (0, 0);
        loop {
            let Instruction {
                code,
                jump_true,
                jump_false,
                k,
            } = filter[at];
            at += 1;
            let taken = match code {
                LOAD => {
                    accumulator = match k {
                        NR_AT => nr,
                        ARCH_AT => arch,
                        IP_LOW_AT => ip as u32,
                        IP_HIGH_AT => (ip >> 32) as u32,
                        ARG0_AT => arg0,
                        _ => arg1,
                    };
                    continue;
                }
                EQUAL => accumulator == k,
                GREATER => accumulator > k,
                NOT_LESS => accumulator >= k,
                _ => return k,
            };
            at += usize::from(if taken { jump_true } else { jump_false });
        }
    }

    #[test]
    fn guests_may_do_nothing_but_sleep_wake_and_return() {
        let filter = guest();
        for nr in (0..1024).filter(|nr| ![SYS_RT_SIGRETURN, SYS_FUTEX].contains(nr)) {
            assert_eq!(run(&filter, (nr, AUDIT_ARCH_X86_64, INSIDE, 1, 0)), TRAP, "{nr}");
        }
        for (op, expected) in [(0, ALLOW), (1, ALLOW), (2, TRAP), (6, TRAP), (128, TRAP)] {
            assert_eq!(
                run(&filter, (SYS_FUTEX, AUDIT_ARCH_X86_64, INSIDE, 0, op)),
                expected,
                "{op}"
            );
        }
        assert_eq!(run(&filter, (SYS_RT_SIGRETURN, AUDIT_ARCH_X86_64, INSIDE, 0, 0)), ALLOW);
    }

    #[test]
    fn nothing_is_allowed_from_elsewhere_or_of_another_architecture() {
        const AUDIT_ARCH_I386: u32 = 0x4000_0003;
        for filter in [guest(), helper()] {
            for nr in 0..512 {
                for ip in [
                    0,
                    0x40_0002,
                    CODE_ADDR - 1,
                    CODE_ADDR + CODE_BYTES,
                    CODE_ADDR & 0xffff_ffff,
                ] {
                    assert_eq!(run(&filter, (nr, AUDIT_ARCH_X86_64, ip, 1, 0)), TRAP, "{nr} at {ip:#x}");
                }
                assert_eq!(run(&filter, (nr, AUDIT_ARCH_I386, INSIDE, 1, 0)), TRAP, "{nr}");
            }
        }
    }

    #[test]
    fn helpers_are_held_to_their_arguments() {
        let filter = helper();
        for (nr, arg0, expected) in [
            (SYS_CLONE, 0x8600, ALLOW),
            (SYS_CLONE, 0x15_0b00, ALLOW),
            (SYS_CLONE, 0x11, TRAP),
            (SYS_CLOSE, 5, ALLOW),
            (SYS_CLOSE, 4, TRAP),
            (SYS_WRITE, 4, ALLOW),
            (SYS_WRITE, 1, TRAP),
            (SYS_PRCTL, 1, ALLOW),
            (SYS_PRCTL, 22, TRAP),
            (59, 0, TRAP),
        ] {
            assert_eq!(
                run(&filter, (nr, AUDIT_ARCH_X86_64, INSIDE, arg0, 0)),
                expected,
                "{nr}({arg0})"
            );
        }
    }
}
