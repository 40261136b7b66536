//! A JavaScript function that libuv's callbacks may call.

use napi::bindgen_prelude::{Env, Function, JsValue, Result};
use napi::{check_status, sys};
use std::ptr::null_mut;

/// Calls a function with one number as Node calls its own callbacks: in an async context, with ticks and microtasks run
/// after it, and exceptions as uncaught ones.
pub struct Callback {
    env: sys::napi_env,
    function: sys::napi_ref,
    context: sys::napi_async_context,
}

impl Callback {
    /// Keeps `function` until dropped. `name` is its async resource's.
    pub fn new(env: &Env, function: &Function<'_, u32, ()>, name: &str) -> Result<Self> {
        let name = env.create_string(name)?;
        let mut callback = Self {
            env: env.raw(),
            function: null_mut(),
            context: null_mut(),
        };
        // SAFETY: the environment is live and the value is one of it.
        let status = unsafe { sys::napi_create_reference(callback.env, function.raw(), 1, &raw mut callback.function) };
        check_status!(status, "No reference to the callback")?;
        // SAFETY: as above; without a resource Node makes one.
        let status = unsafe { sys::napi_async_init(callback.env, null_mut(), name.raw(), &raw mut callback.context) };
        check_status!(status, "No async context")?;
        Ok(callback)
    }

    /// Calls the function, on its environment's thread. Does nothing when the environment is ending.
    pub fn call(&self, argument: u32) {
        let mut scope = null_mut();
        // SAFETY: the environment is live as long as its callbacks are: the owner closes its handle when it ends.
        if unsafe { sys::napi_open_handle_scope(self.env, &raw mut scope) } != sys::Status::napi_ok {
            return;
        }
        if self.call_in_scope(argument) == sys::Status::napi_pending_exception {
            self.report_exception();
        }
        // SAFETY: the scope was just opened.
        unsafe { sys::napi_close_handle_scope(self.env, scope) };
    }

    fn call_in_scope(&self, argument: u32) -> sys::napi_status {
        let (mut global, mut function, mut number, mut returned) = (null_mut(), null_mut(), null_mut(), null_mut());
        // SAFETY: as in `call`.
        unsafe { sys::napi_get_global(self.env, &raw mut global) };
        // SAFETY: the reference is this object's.
        unsafe { sys::napi_get_reference_value(self.env, self.function, &raw mut function) };
        // SAFETY: as in `call`.
        unsafe { sys::napi_create_uint32(self.env, argument, &raw mut number) };
        if global.is_null() || function.is_null() || number.is_null() {
            return sys::Status::napi_generic_failure;
        }
        // SAFETY: all values are of this environment and in the open scope; the context is this object's.
        unsafe {
            sys::napi_make_callback(
                self.env,
                self.context,
                global,
                function,
                1,
                &raw const number,
                &raw mut returned,
            )
        }
    }

    fn report_exception(&self) {
        let mut exception = null_mut();
        // SAFETY: as in `call`.
        unsafe { sys::napi_get_and_clear_last_exception(self.env, &raw mut exception) };
        if !exception.is_null() {
            // SAFETY: the exception is a value of this environment.
            unsafe { sys::napi_fatal_exception(self.env, exception) };
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        if !self.context.is_null() {
            // SAFETY: made by `new`, destroyed once.
            unsafe { sys::napi_async_destroy(self.env, self.context) };
        }
        if !self.function.is_null() {
            // SAFETY: made by `new`, deleted once.
            unsafe { sys::napi_delete_reference(self.env, self.function) };
        }
    }
}
