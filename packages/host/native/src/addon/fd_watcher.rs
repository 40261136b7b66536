//! Readiness of many descriptors, told by libuv in batches.

use super::arguments::{Fd, I32, U32};
use super::callback::Callback;
use super::event_loop::uv_loop;
use super::results::status;
use napi::bindgen_prelude::{Env, Error, Function, Int32Array, Result};
use napi_derive::napi;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use uvloop::UvPoll;

const BATCH: usize = 64;

/// An epoll(7) instance on libuv's loop.
#[napi]
pub struct FdWatcher {
    epoll: Rc<OwnedFd>,
    poll: Option<UvPoll>,
}

#[napi]
impl FdWatcher {
    /// Calls `callback(count)` from the loop's poll phase when descriptors are ready: `ready` has then `count` pairs of
    /// a token and its EPOLL* events. It has room for at least 64 pairs.
    #[napi(constructor)]
    pub fn new(env: Env, ready: Int32Array, callback: Function<'_, u32, ()>) -> Result<Self> {
        if ready.len() < BATCH * 2 {
            return Err(Error::from_reason(format!(
                "FdWatcher: {} elements are not {}",
                ready.len(),
                BATCH * 2
            )));
        }
        let refused = |errno: Errno| Error::from_reason(format!("Cannot watch descriptors: {errno}"));
        let epoll = Rc::new(epoll::create(CreateFlags::CLOEXEC).map_err(refused)?);
        let callback = Callback::new(&env, &callback, "TSV_FD_WATCHER")?;
        let of_callback = Rc::clone(&epoll);
        let ready = RefCell::new(ready);
        let on_readable = move || {
            let count = collect(&of_callback, &ready);
            if count > 0 {
                callback.call(count);
            }
        };
        let poll = UvPoll::new(uv_loop(&env)?, epoll.as_ref(), on_readable).map_err(refused)?;
        Ok(Self {
            epoll,
            poll: Some(poll),
        })
    }

    /// EPOLL_CTL_ADD, epoll_ctl(2). `events` may have EPOLLET and EPOLLONESHOT; without, readiness is told until it is
    /// gone. Errors: EPERM for a regular file, which is always ready.
    #[napi]
    pub fn add(&self, fd: Fd, token: I32, events: U32) -> i32 {
        status(|| {
            epoll::add(
                &self.epoll,
                fd.get()?,
                data(token),
                EventFlags::from_bits_retain(events.0),
            )
        })
    }

    /// EPOLL_CTL_MOD, epoll_ctl(2).
    #[napi]
    pub fn modify(&self, fd: Fd, token: I32, events: U32) -> i32 {
        status(|| {
            epoll::modify(
                &self.epoll,
                fd.get()?,
                data(token),
                EventFlags::from_bits_retain(events.0),
            )
        })
    }

    /// EPOLL_CTL_DEL, epoll_ctl(2).
    #[napi]
    pub fn remove(&self, fd: Fd) -> i32 {
        status(|| epoll::delete(&self.epoll, fd.get()?))
    }

    /// Leaves the loop.
    #[napi]
    pub fn close(&mut self) {
        self.poll = None;
    }
}

fn data(token: I32) -> EventData {
    EventData::new_u64(u64::from(token.0.cast_unsigned()))
}

/// Stores what is ready now. Returns how many.
fn collect(epoll: &OwnedFd, ready: &RefCell<Int32Array>) -> u32 {
    let mut buffer = [MaybeUninit::<Event>::uninit(); BATCH];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // An error can only be EINTR: libuv calls again while the instance is readable.
    let Ok((events, _)) = epoll::wait(epoll, &mut buffer, Some(&now)) else {
        return 0;
    };
    let Ok(mut ready) = ready.try_borrow_mut() else {
        return 0;
    };
    // SAFETY: the array is kept alive by this reference, and JavaScript does not run while it is written.
    let ready = unsafe { ready.as_mut() };
    let mut count = 0;
    for (pair, event) in ready.chunks_exact_mut(2).zip(events.iter()) {
        let Event { flags, data } = *event;
        let Ok(token) = u32::try_from(data.u64()) else { continue };
        pair[0] = token.cast_signed();
        pair[1] = flags.bits().cast_signed();
        count += 1;
    }
    count
}
