//! The registers of a context page as ptrace(2) has them: the same ones in another order.

use libc::user_regs_struct;
use mailbox::Registers;

/// Writes the same fields of one structure from another.
macro_rules! fields {
    ($type:ident, $from:expr, $($field:ident),+) => {
        $type { $($field: $from.$field),+ }
    };
}

macro_rules! all_fields {
    ($type:ident, $from:expr) => {
        fields!(
            $type, $from, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax, rip, cs,
            eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs
        )
    };
}

/// What `PTRACE_SETREGS` takes.
#[must_use]
pub fn to_host(regs: &Registers) -> user_regs_struct {
    all_fields!(user_regs_struct, regs)
}

/// What `PTRACE_GETREGS` has told.
#[must_use]
pub fn of_host(regs: &user_regs_struct) -> Registers {
    all_fields!(Registers, regs)
}
