//! Calls a function right before the loop would sleep.

use crate::UvLoop;
use crate::api::{Api, Handle, Loop, UV_IDLE, UV_PREPARE};
use crate::owned_callback::OwnedCallback;
use std::cell::Cell;
use std::ffi::c_int;
use std::rc::Rc;

/// Calls a function from the loop's prepare phase when it was asked to: every other callback that was due has run, so
/// that [`UvLoop::timeout_ms`] tells the truth. Keeps the loop alive until it is dropped.
///
/// Being asked again from the function itself gives the loop one turn in between, without a system call but its poll.
pub struct PollPhase {
    uv_loop: UvLoop,
    state: Rc<State>,
    prepare: Handle,
}

struct State {
    api: &'static Api,
    idle: Handle,
    is_asked: Cell<bool>,
    callback: OwnedCallback,
}

impl PollPhase {
    /// Joins the loop. `callback` runs on the loop's thread, first when [`PollPhase::again`] was called.
    #[must_use]
    pub fn new(uv_loop: UvLoop, callback: impl Fn() + 'static) -> Self {
        let api = uv_loop.api();
        let idle = new_handle(uv_loop, UV_IDLE, api.idle_init);
        let prepare = new_handle(uv_loop, UV_PREPARE, api.prepare_init);
        let state = Rc::new(State {
            api,
            idle,
            is_asked: Cell::new(false),
            callback: OwnedCallback::new(callback),
        });
        // SAFETY: the handle is initialized; its data is a reference that `on_prepare_closed` gives back.
        unsafe { (api.handle_set_data)(prepare, Rc::into_raw(Rc::clone(&state)).cast_mut().cast()) };
        // SAFETY: the handle is initialized and lives until it is closed.
        let started = unsafe { (api.prepare_start)(prepare, on_prepare) };
        debug_assert!(started == 0, "uv_prepare_start fails only without a callback");
        Self {
            uv_loop,
            state,
            prepare,
        }
    }

    /// Asks for one call.
    pub fn again(&self) {
        if !self.state.is_asked.replace(true) {
            // SAFETY: the handle is open until drop. An active idle handle keeps the loop from sleeping.
            let started = unsafe { (self.state.api.idle_start)(self.state.idle, on_idle) };
            debug_assert!(started == 0, "uv_idle_start fails only without a callback");
        }
    }

    /// The loop that it runs on.
    #[must_use]
    pub fn uv_loop(&self) -> UvLoop {
        self.uv_loop
    }
}

impl Drop for PollPhase {
    fn drop(&mut self) {
        self.state.is_asked.set(false);
        self.state.callback.forget();
        // SAFETY: the handle is open; libuv calls back when it does not need it any more.
        unsafe { (self.state.api.close)(self.state.idle, on_idle_closed) };
        // SAFETY: as above.
        unsafe { (self.state.api.close)(self.prepare, on_prepare_closed) };
    }
}

/// Memory for a handle of `kind`, initialized.
fn new_handle(uv_loop: UvLoop, kind: c_int, init: unsafe extern "C" fn(Loop, Handle) -> c_int) -> Handle {
    let handle = uv_loop.allocate_handle(kind);
    // SAFETY: the loop is valid by the contract of `UvLoop`, the memory has the handle's size.
    let initialized = unsafe { init(uv_loop.raw(), handle) };
    debug_assert!(initialized == 0, "uv_idle_init and uv_prepare_init do not fail");
    handle
}

unsafe extern "C" fn on_idle(_idle: Handle) {}

unsafe extern "C" fn on_prepare(prepare: Handle) {
    let Ok(api) = crate::api::api() else { return };
    // SAFETY: libuv gives the handle that `PollPhase::new` has started.
    let state = unsafe { (api.handle_get_data)(prepare) }.cast::<State>();
    // SAFETY: the handle's data is a reference to the state; this is another, for the time of the call.
    unsafe { Rc::increment_strong_count(state) };
    // SAFETY: the count was just raised for this one.
    let state = unsafe { Rc::from_raw(state) };
    if state.is_asked.replace(false) {
        // SAFETY: the idle handle is open as long as the prepare handle is.
        unsafe { (api.idle_stop)(state.idle) };
        state.callback.call();
    }
}

unsafe extern "C" fn on_prepare_closed(prepare: Handle) {
    if let Ok(api) = crate::api::api() {
        // SAFETY: libuv gives the handle that `PollPhase::drop` has closed.
        let state = unsafe { (api.handle_get_data)(prepare) }.cast::<State>();
        // SAFETY: the reference that `PollPhase::new` left in the handle.
        drop(unsafe { Rc::from_raw(state) });
    }
    // SAFETY: `allocate_handle` made it, libuv is done with it.
    unsafe { libc::free(prepare) };
}

unsafe extern "C" fn on_idle_closed(idle: Handle) {
    // SAFETY: as in `on_prepare_closed`.
    unsafe { libc::free(idle) };
}
