//! Runs guest code in stub processes that this process traces: ptrace(2) with `PTRACE_SYSEMU`.
//!
//! All of it is for one thread, the one that made the [`tracer::Tracer`]: ptrace(2) knows its tracer by thread.

pub mod address_space;
pub mod affinity;
pub mod alarm;
pub mod bell;
pub mod context;
pub mod context_pages;
pub mod control;
mod host_registers;
pub mod ptrace;
pub mod registers;
pub mod thread_table;
pub mod tracee;
pub mod tracer;
pub mod zygote;

#[cfg(not(test))]
mod addon;
