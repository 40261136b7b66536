//! A guest thread as its tracer knows it.

use crate::sys::Tid;

/// What a context does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not in use.
    Free,
    /// The kernel's.
    Stopped,
    /// Its thread runs guest code.
    Running,
    /// It has stopped, and the kernel has not been told.
    Ready,
}

/// A guest thread.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// What it does.
    pub state: State,
    /// Its thread; 0 when that is gone.
    pub tid: Tid,
    /// Its address space.
    pub space: u32,
    /// Whether the kernel wants it to stop.
    pub is_interrupted: bool,
}

impl Context {
    /// One that does not exist.
    pub const FREE: Self = Self {
        state: State::Free,
        tid: 0,
        space: 0,
        is_interrupted: false,
    };

    /// Whether its thread is there and stopped.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.tid != 0 && matches!(self.state, State::Stopped | State::Ready)
    }
}
