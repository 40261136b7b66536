//! What of a guest's registers the host may be given, and what a stop says of them.

use crate::context_pages::Stop;
use mailbox::{FAULT_ERROR_FETCH, FAULT_ERROR_UNKNOWN, REASON_FAULT, REASON_SYSCALL, Registers};
use stub::layout::TASK_END;

/// `__USER_CS`.
pub const USER_CS: u64 = 0x33;
/// `__USER32_CS`: a guest gets there with a far jump, and must come back to where it was.
const USER32_CS: u64 = 0x23;
/// `__USER_DS`.
pub const USER_DS: u64 = 0x2b;

const SI_KERNEL: i32 = 0x80;
const GENERAL_PROTECTION: u32 = 13;
const PAGE_FAULT: u32 = 14;

/// Start and end of the vsyscall page, the one place of user code in the kernel's half.
const VSYSCALL_ADDR: u64 = 0xffff_ffff_ff60_0000;
const VSYSCALL_END: u64 = VSYSCALL_ADDR + 0x1000;

/// Registers that `PTRACE_SETREGS` takes, from what the kernel wants; the fault that the guest has instead if it could
/// not run with them. Linux masks the flags by itself.
pub fn for_host(wanted: &Registers) -> Result<Registers, Stop> {
    let is_vsyscall = (VSYSCALL_ADDR..VSYSCALL_END).contains(&wanted.rip);
    if wanted.rip >= TASK_END && !is_vsyscall {
        return Err(general_protection());
    }
    if wanted.fs_base >= TASK_END || wanted.gs_base >= TASK_END {
        return Err(general_protection());
    }
    Ok(Registers {
        // No system call to restart: what rax holds is what the guest shall see.
        orig_rax: u64::MAX,
        cs: if wanted.cs == USER32_CS { USER32_CS } else { USER_CS },
        ss: USER_DS,
        ds: user_selector(wanted.ds),
        es: user_selector(wanted.es),
        fs: user_selector(wanted.fs),
        gs: user_selector(wanted.gs),
        ..*wanted
    })
}

/// Whether a thread that holds `held` will hold `wanted` when only its `rax` is set. What it holds in `orig_rax` matters
/// to the host if `rax` says that a system call is to be restarted.
#[must_use]
pub fn differ_in_rax(held: &Registers, wanted: &Registers) -> bool {
    let restarts = -ERESTART_RESTARTBLOCK..=-ERESTARTSYS;
    *wanted
        == (Registers {
            rax: wanted.rax,
            orig_rax: wanted.orig_rax,
            ..*held
        })
        && !restarts.contains(&wanted.rax.cast_signed())
}

/// What Linux's `include/linux/errno.h` has for calls to restart.
const ERESTARTSYS: i64 = 512;
const ERESTART_RESTARTBLOCK: i64 = 516;

/// What a system call stop means. `int $0x80` and `sysenter` are what they are on a kernel without 32-bit system calls:
/// a general protection fault at the instruction.
pub fn syscall_stop(regs: &mut Registers) -> Stop {
    // `syscall` leaves the return address in rcx.
    if regs.cs == USER_CS && regs.rcx == regs.rip {
        return Stop {
            reason: REASON_SYSCALL,
            ..Stop::default()
        };
    }
    regs.rip = regs.rip.wrapping_sub(INT80_BYTES);
    regs.rax = regs.orig_rax;
    regs.orig_rax = u64::MAX;
    general_protection()
}

const INT80_BYTES: u64 = 2;

/// What a signal of the kernel's means.
#[must_use]
pub fn fault_stop(signo: i32, sig_code: i32, fault_addr: u64) -> Stop {
    let fault_trapno = match (signo, sig_code) {
        (libc::SIGSEGV, 1..=4) | (libc::SIGBUS, 2..) => PAGE_FAULT,
        (libc::SIGSEGV, _) => GENERAL_PROTECTION,
        (libc::SIGBUS, _) => 17,
        (libc::SIGILL, _) => 6,
        (libc::SIGFPE, 1) => 0,
        (libc::SIGFPE, _) => 19,
        (libc::SIGTRAP, SI_KERNEL) => 3,
        _ => 1,
    };
    Stop {
        reason: REASON_FAULT,
        signo: signo.unsigned_abs(),
        sig_code,
        fault_addr,
        fault_error: FAULT_ERROR_UNKNOWN,
        fault_trapno,
    }
}

/// What a call into the vsyscall page means: a page fault there, as on a kernel that has none. The kernel asks seccomp,
/// which refuses, and has made the return by then: it is undone.
pub fn vsyscall_stop(regs: &mut Registers, called_addr: u64) -> Stop {
    regs.rsp = regs.rsp.wrapping_sub(8);
    regs.rip = called_addr;
    let fault = fault_stop(libc::SIGSEGV, SEGV_MAPERR, called_addr);
    Stop {
        fault_error: FAULT_ERROR_USER | FAULT_ERROR_FETCH,
        ..fault
    }
}

const SEGV_MAPERR: i32 = 1;
/// Error code bit: the access was made by user code.
const FAULT_ERROR_USER: u32 = 4;

/// What a guest gets that cannot run as it is.
#[must_use]
pub fn general_protection() -> Stop {
    Stop {
        fault_error: 0,
        ..fault_stop(libc::SIGSEGV, SI_KERNEL, 0)
    }
}

/// A selector as the kernel accepts it: null, or of privilege level 3.
fn user_selector(selector: u64) -> u64 {
    if selector & 3 == 3 { selector & 0xffff } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_outside_of_user_space_are_a_general_protection_fault() {
        for rip in [TASK_END, 1 << 47, 0xffff_8000_0000_0000, VSYSCALL_END, u64::MAX] {
            let fault = for_host(&Registers {
                rip,
                ..Registers::default()
            })
            .expect_err("fault");
            assert_eq!(
                (fault.signo, fault.sig_code, fault.fault_trapno),
                (11, 0x80, 13),
                "{rip:#x}"
            );
        }
        assert!(
            for_host(&Registers {
                fs_base: TASK_END,
                ..Registers::default()
            })
            .is_err()
        );
        assert!(
            for_host(&Registers {
                gs_base: u64::MAX,
                ..Registers::default()
            })
            .is_err()
        );
    }

    #[test]
    fn the_vsyscall_page_and_the_last_user_address_are_let_through() {
        for rip in [TASK_END - 1, VSYSCALL_ADDR, VSYSCALL_ADDR + 0x800] {
            assert!(
                for_host(&Registers {
                    rip,
                    ..Registers::default()
                })
                .is_ok(),
                "{rip:#x}"
            );
        }
    }

    #[test]
    fn selectors_are_a_users() {
        let wanted = Registers {
            cs: 0x10,
            ss: 0x18,
            ds: 0x10,
            fs: 0x2b,
            gs: 0xffff_0003,
            ..Registers::default()
        };
        let regs = for_host(&wanted).expect("registers");
        assert_eq!(
            (regs.cs, regs.ss, regs.ds, regs.fs, regs.gs),
            (USER_CS, USER_DS, 0, 0x2b, 3)
        );
        assert_eq!(
            for_host(&Registers {
                cs: USER32_CS,
                ..wanted
            })
            .expect("registers")
            .cs,
            USER32_CS
        );
    }

    #[test]
    fn a_result_alone_changes_rax_alone() {
        let held = Registers {
            rip: 0x1002,
            orig_rax: 39,
            rax: u64::MAX - 37,
            ..Registers::default()
        };
        let wanted = Registers {
            orig_rax: u64::MAX,
            ..held
        };
        for (rax, is_enough) in [
            (0, true),
            (-4095, true),
            (-511, true),
            (-512, false),
            (-516, false),
            (-517, true),
        ] {
            let rax = i64::cast_unsigned(rax);
            assert_eq!(
                differ_in_rax(&held, &Registers { rax, ..wanted }),
                is_enough,
                "{rax:#x}"
            );
        }
        assert!(!differ_in_rax(&held, &Registers { rip: 0x1000, ..wanted }));
        assert!(!differ_in_rax(&held, &Registers { fs_base: 1, ..wanted }));
    }

    #[test]
    fn a_call_that_left_rcx_alone_was_not_a_syscall_instruction() {
        let stopped = Registers {
            cs: USER_CS,
            rip: 0x1002,
            rcx: 7,
            orig_rax: 20,
            ..Registers::default()
        };
        let mut regs = stopped;
        assert_eq!(syscall_stop(&mut regs).reason, REASON_FAULT);
        assert_eq!((regs.rip, regs.rax), (0x1000, 20));

        let mut regs = Registers { rcx: 0x1002, ..stopped };
        assert_eq!(syscall_stop(&mut regs).reason, REASON_SYSCALL);
        assert_eq!(regs.rip, 0x1002);
    }
}
