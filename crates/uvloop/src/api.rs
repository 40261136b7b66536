//! The functions of libuv's API that this crate calls, found in the running program: Node exports them.

use std::ffi::{CStr, c_int, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// `uv_handle_type` of `uv_idle_t`, `uv_poll_t` and `uv_prepare_t`, uv.h.
pub const UV_IDLE: c_int = 6;
pub const UV_POLL: c_int = 8;
pub const UV_PREPARE: c_int = 9;
/// `uv_poll_event`.
pub const UV_READABLE: c_int = 1;

pub type Loop = *mut c_void;
pub type Handle = *mut c_void;
pub type HandleCallback = unsafe extern "C" fn(Handle);
pub type PollCallback = unsafe extern "C" fn(Handle, c_int, c_int);

/// Function pointers with the types of uv.h.
pub struct Api {
    pub backend_fd: unsafe extern "C" fn(Loop) -> c_int,
    pub backend_timeout: unsafe extern "C" fn(Loop) -> c_int,
    pub update_time: unsafe extern "C" fn(Loop),
    pub handle_size: unsafe extern "C" fn(c_int) -> usize,
    pub handle_get_data: unsafe extern "C" fn(Handle) -> *mut c_void,
    pub handle_set_data: unsafe extern "C" fn(Handle, *mut c_void),
    pub close: unsafe extern "C" fn(Handle, HandleCallback),
    pub idle_init: unsafe extern "C" fn(Loop, Handle) -> c_int,
    pub idle_start: unsafe extern "C" fn(Handle, HandleCallback) -> c_int,
    pub idle_stop: unsafe extern "C" fn(Handle) -> c_int,
    pub poll_init: unsafe extern "C" fn(Loop, Handle, c_int) -> c_int,
    pub poll_start: unsafe extern "C" fn(Handle, c_int, PollCallback) -> c_int,
    pub prepare_init: unsafe extern "C" fn(Loop, Handle) -> c_int,
    pub prepare_start: unsafe extern "C" fn(Handle, HandleCallback) -> c_int,
}

/// This program does not export a function of libuv, so it is not a Node that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingSymbol(pub &'static str);

impl fmt::Display for MissingSymbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "this program does not export {}", self.0)
    }
}

impl std::error::Error for MissingSymbol {}

/// The functions, looked up once.
pub fn api() -> Result<&'static Api, MissingSymbol> {
    static API: OnceLock<Result<Api, MissingSymbol>> = OnceLock::new();
    API.get_or_init(find_all).as_ref().map_err(|missing| *missing)
}

macro_rules! find {
    ($name:literal) => {{
        let addr = address_of($name).ok_or(MissingSymbol($name.to_str().unwrap_or("a function")))?;
        // SAFETY: libuv's ABI is stable within major version 1: the function of this name has this type.
        unsafe { std::mem::transmute::<*mut c_void, _>(addr) }
    }};
}

#[allow(clippy::missing_transmute_annotations, reason = "the field says the type")]
fn find_all() -> Result<Api, MissingSymbol> {
    keep_loaded();
    Ok(Api {
        backend_fd: find!(c"uv_backend_fd"),
        backend_timeout: find!(c"uv_backend_timeout"),
        update_time: find!(c"uv_update_time"),
        handle_size: find!(c"uv_handle_size"),
        handle_get_data: find!(c"uv_handle_get_data"),
        handle_set_data: find!(c"uv_handle_set_data"),
        close: find!(c"uv_close"),
        idle_init: find!(c"uv_idle_init"),
        idle_start: find!(c"uv_idle_start"),
        idle_stop: find!(c"uv_idle_stop"),
        poll_init: find!(c"uv_poll_init"),
        poll_start: find!(c"uv_poll_start"),
        prepare_init: find!(c"uv_prepare_init"),
        prepare_start: find!(c"uv_prepare_start"),
    })
}

/// Keeps this library in memory: libuv closes a handle after the worker's environment, and with it the addon, is gone.
fn keep_loaded() {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the address is a function of this library; there is room for the answer.
    if unsafe { libc::dladdr(keep_loaded as *const c_void, info.as_mut_ptr()) } == 0 {
        return;
    }
    // SAFETY: zeros are a valid answer, and dladdr(3) has written one.
    let info = unsafe { info.assume_init() };
    // SAFETY: the name is a C string of the dynamic linker; a library that is loaded is not loaded again.
    unsafe {
        libc::dlopen(
            info.dli_fname,
            libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE,
        )
    };
}

fn address_of(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is a C string; RTLD_DEFAULT searches what is loaded and changes nothing.
    let addr = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!addr.is_null()).then_some(addr)
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_program_without_libuv_is_told_apart() {
        assert_eq!(super::api().err(), Some(super::MissingSymbol("uv_backend_fd")));
    }
}
