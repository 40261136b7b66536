//! Runs guest code in stub processes whose system calls trap into a handler of ours: seccomp(2).
//!
//! All of it is for one thread, the kernel's; a helper thread watches for stubs that die.

pub mod address_space;
pub mod code_shape;
pub mod control;
pub mod doorbell;
pub mod event;
pub mod fp_state;
pub mod futex;
pub mod handover;
pub mod morgue;
pub mod process;
pub mod site_block;
pub mod stubs;
pub mod zygote;

#[cfg(not(test))]
mod addon;
