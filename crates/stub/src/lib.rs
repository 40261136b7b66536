//! The program of the processes that run guest code under ptrace(2), and where it lies in their address space.
//!
//! It is a few instructions of position-independent code without a stack and without writable memory, because guest
//! threads of the same address space run while it works: what they could write, it could not trust. It works from
//! registers, which its tracer sets, and from the control page, which its process can only read.
#![no_std]

pub mod code;
pub mod filter;
pub mod image;
pub mod layout;
