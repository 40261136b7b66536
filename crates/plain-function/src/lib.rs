//! Functions of an addon that are called all the time, made by hand: a method of a class costs ten times as much, for its
//! object has to be looked up and its use to be noted.

use core::cell::RefCell;
use core::ffi::{CStr, c_void};
use napi::bindgen_prelude::{Env, FromNapiValue, Function, Result};
use napi::{check_status, sys};
use std::ptr::null_mut;
use std::rc::Rc;

/// What such a function does: with its data and its argument, 0 without one.
pub type Call<T> = fn(&mut T, u32) -> i32;

struct Data<T> {
    shared: Rc<RefCell<T>>,
    call: Call<T>,
}

/// Makes a function that takes a number and calls `call` with what is shared, which must not be borrowed then.
pub fn create<'env, T: 'static>(
    env: &'env Env,
    name: &CStr,
    shared: Rc<RefCell<T>>,
    call: Call<T>,
) -> Result<Function<'env, u32, i32>> {
    let data = Box::into_raw(Box::new(Data { shared, call })).cast::<c_void>();
    let mut function = null_mut();
    // SAFETY: the environment is live, the name ends with a zero, and the data is what `trampoline` expects.
    let status = unsafe {
        sys::napi_create_function(
            env.raw(),
            name.as_ptr(),
            name.count_bytes().cast_signed(),
            Some(trampoline::<T>),
            data,
            &raw mut function,
        )
    };
    if status != sys::Status::napi_ok {
        // SAFETY: no function took the data.
        unsafe { release::<T>(null_mut(), data, null_mut()) };
    }
    check_status!(status, "No function")?;
    // SAFETY: the data is given back once, when the function that has it is gone.
    let status =
        unsafe { sys::napi_add_finalizer(env.raw(), function, data, Some(release::<T>), null_mut(), null_mut()) };
    check_status!(status, "No finalizer")?;
    // SAFETY: the value is a function of this environment.
    unsafe { Function::from_napi_value(env.raw(), function) }
}

unsafe extern "C" fn trampoline<T: 'static>(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let mut data = null_mut();
    let mut count = 1;
    let mut argument = null_mut();
    // SAFETY: the environment calls this with its own values; one argument is asked for.
    unsafe { sys::napi_get_cb_info(env, info, &raw mut count, &raw mut argument, null_mut(), &raw mut data) };
    let mut number = 0;
    if count > 0 {
        // SAFETY: the argument is a value of this call; what is no number leaves 0.
        unsafe { sys::napi_get_value_uint32(env, argument, &raw mut number) };
    }
    // SAFETY: the function's data is what `create` has made, and the function holds it.
    let data = unsafe { &*data.cast_const().cast::<Data<T>>() };
    let result = (data.call)(&mut data.shared.borrow_mut(), number);
    let mut value = null_mut();
    // SAFETY: the environment is live.
    unsafe { sys::napi_create_int32(env, result, &raw mut value) };
    value
}

unsafe extern "C" fn release<T>(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: the data came from `Box::into_raw`, and this is called once for it.
    drop(unsafe { Box::from_raw(data.cast::<Data<T>>()) });
}
