//! Calls a function when a descriptor is readable.

use crate::UvLoop;
use crate::api::{Api, Handle, UV_POLL, UV_READABLE};
use crate::owned_callback::OwnedCallback;
use rustix::fd::{AsFd, AsRawFd};
use rustix::io::{Errno, Result};
use std::ffi::c_int;
use std::rc::Rc;

/// Watches one descriptor on a loop, which it keeps alive, until dropped.
pub struct UvPoll {
    api: &'static Api,
    handle: Handle,
    state: Rc<State>,
}

struct State {
    callback: OwnedCallback,
}

impl UvPoll {
    /// Joins the loop. `fd` stays open until the returned value is dropped. `callback` runs on the loop's thread, from
    /// its poll phase, while `fd` is readable.
    ///
    /// # Errors
    /// What epoll_ctl(2) says of the descriptor.
    pub fn new(uv_loop: UvLoop, fd: impl AsFd, callback: impl Fn() + 'static) -> Result<Self> {
        let api = uv_loop.api();
        let handle = uv_loop.allocate_handle(UV_POLL);
        // SAFETY: the loop is valid by the contract of `UvLoop`, the memory has the handle's size.
        let initialized = unsafe { (api.poll_init)(uv_loop.raw(), handle, fd.as_fd().as_raw_fd()) };
        if initialized < 0 {
            // SAFETY: `allocate_handle` made it, and a handle that was not initialized is not the loop's.
            unsafe { libc::free(handle) };
            return Err(Errno::from_raw_os_error(-initialized));
        }
        let state = Rc::new(State {
            callback: OwnedCallback::new(callback),
        });
        // SAFETY: the handle is initialized; its data is a reference that `on_closed` gives back.
        unsafe { (api.handle_set_data)(handle, Rc::into_raw(Rc::clone(&state)).cast_mut().cast()) };
        let poll = Self { api, handle, state };
        // SAFETY: the handle is initialized and lives until it is closed.
        let started = unsafe { (api.poll_start)(handle, UV_READABLE, on_event) };
        if started < 0 {
            Err(Errno::from_raw_os_error(-started))
        } else {
            Ok(poll)
        }
    }
}

impl Drop for UvPoll {
    fn drop(&mut self) {
        self.state.callback.forget();
        // SAFETY: the handle is open; libuv calls back when it does not need it any more.
        unsafe { (self.api.close)(self.handle, on_closed) };
    }
}

unsafe extern "C" fn on_event(handle: Handle, _status: c_int, _events: c_int) {
    let Ok(api) = crate::api::api() else { return };
    // SAFETY: libuv gives the handle that `UvPoll::new` has started.
    let state = unsafe { (api.handle_get_data)(handle) }.cast::<State>();
    // SAFETY: the handle's data is a reference to the state; this is another, for the time of the call.
    unsafe { Rc::increment_strong_count(state) };
    // SAFETY: the count was just raised for this one.
    let state = unsafe { Rc::from_raw(state) };
    state.callback.call();
}

unsafe extern "C" fn on_closed(handle: Handle) {
    if let Ok(api) = crate::api::api() {
        // SAFETY: libuv gives the handle that `UvPoll::drop` has closed.
        let state = unsafe { (api.handle_get_data)(handle) }.cast::<State>();
        // SAFETY: the reference that `UvPoll::new` left in the handle.
        drop(unsafe { Rc::from_raw(state) });
    }
    // SAFETY: `allocate_handle` made it, libuv is done with it.
    unsafe { libc::free(handle) };
}
