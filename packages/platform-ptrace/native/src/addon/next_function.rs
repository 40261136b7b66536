//! The one function that is called for every stop, made by hand: a method of a class costs ten times as much, for its
//! object has to be looked up and its use to be noted.

use crate::tracer::Tracer;
use core::ffi::c_void;
use napi::bindgen_prelude::{Env, FromNapiValue, Function, Result};
use napi::{check_status, sys};
use std::cell::RefCell;
use std::ptr::null_mut;
use std::rc::Rc;

/// A function without arguments that returns what [`Tracer::next_stop`] does, -1 for None.
pub fn create(env: &Env, tracer: Rc<RefCell<Tracer>>) -> Result<Function<'_, (), i32>> {
    let data = Rc::into_raw(tracer).cast_mut().cast::<c_void>();
    let mut function = null_mut();
    let name = c"next";
    // SAFETY: the environment is live, the name ends with a zero, and the data is what `call` expects.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            name.count_bytes().cast_signed(),
            Some(call),
            data,
            &raw mut function,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: no function took the data.
        unsafe { release(null_mut(), data, null_mut()) };
    }
    check_status!(status, "No function")?;
    // SAFETY: the data is given back once, when the function that has it is gone.
    let status = unsafe { sys::napi_add_finalizer(env.raw(), function, data, Some(release), null_mut(), null_mut()) };
    check_status!(status, "No finalizer")?;
    // SAFETY: the value is a function of this environment.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

unsafe extern "C" fn call(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = null_mut();
    // SAFETY: the environment calls this with its own values; only the data is asked for.
    unsafe { sys::napi_get_cb_info(env, info, null_mut(), null_mut(), null_mut(), &raw mut data) };
    // SAFETY: the function's data is a shared tracer, and the function holds a share of it.
    let tracer = unsafe { &*data.cast_const().cast::<RefCell<Tracer>>() };
    let index = tracer.borrow_mut().next_stop().map_or(-1, u32::cast_signed);
    let mut value = null_mut();
    // SAFETY: the environment is live.
    unsafe { sys::napi_create_int32(env, index, &raw mut value) };
    value
}

unsafe extern "C" fn release(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    let shared = data.cast_const().cast::<RefCell<Tracer>>();
    // SAFETY: the data came from `Rc::into_raw`, and this is called once for it.
    drop(unsafe { Rc::from_raw(shared) });
}
