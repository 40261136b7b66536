//! Lets a thread that runs libuv's loop sleep somewhere else (on a futex, in waitpid(2)) without missing the loop's
//! events.
//!
//! * [`UvLoop`] asks a loop for its backend descriptor and for how long it may sleep.
//! * [`UvWatcher`] is a helper thread that calls a waker when that descriptor becomes readable.
//! * [`Sleeper`] joins both to a futex.
//! * [`UvPoll`] calls a function when a descriptor is readable.
//! * [`PollPhase`] calls a function right before the loop would sleep, when nothing else is left to run.

mod api;
mod owned_callback;
mod poll_phase;
mod sleeper;
mod uv_loop;
mod uv_poll;
mod watcher;

pub use api::MissingSymbol;
pub use poll_phase::PollPhase;
pub use sleeper::{Sleeper, Waker};
pub use uv_loop::UvLoop;
pub use uv_poll::UvPoll;
pub use watcher::UvWatcher;
