//! The program of the processes that run guest code under seccomp(2) traps, and where it lies in their address space.
//!
//! A stub process has one *helper* thread, which changes its mappings, copies the process and makes guest threads. The
//! helper never runs guest code, has no stack and reads no memory that guests can write: what it does comes out of a
//! page that its process can only read, and what it answers goes through descriptors that guest threads do not have.
//! Guest threads have no descriptor at all, and a filter that lets their handler sleep, wake and return.

pub mod code;
pub mod data;
pub mod filter;
pub mod image;
pub mod layout;
