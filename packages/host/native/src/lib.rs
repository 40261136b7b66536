//! Host system calls that Node lacks. Results are numbers: a negated errno says what went wrong.

pub mod confine;
pub mod device_filter;
pub mod frames;
pub mod launch;
pub mod seccomp;
pub mod socket_calls;
pub mod stat_fields;
pub mod sys;
pub mod tsc;
pub mod watchdog;

#[cfg(not(test))]
mod addon;
