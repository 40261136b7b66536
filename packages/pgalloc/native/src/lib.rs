//! The host side of the memory file: a memfd, its chunks mapped into this process, and holes punched into it.

pub mod memfd;
mod sys;

#[cfg(not(test))]
mod addon;
