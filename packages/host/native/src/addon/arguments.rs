//! Arguments as they come from JavaScript. A number that is not whole or out of range is a bug of the caller's and
//! throws; a value that the host can refuse is passed on.

use napi::bindgen_prelude::{Error, FromNapiValue, Result, Status, TypeName, ValidateNapiValue};
use napi::{ValueType, check_status, sys};
use rustix::fd::BorrowedFd;
use rustix::fs::CWD;
use rustix::io::Errno;
use std::ffi::CStr;
use std::ptr::null_mut;

/// Reads a whole number from `min` to `max`.
fn whole(env: sys::napi_env, value: sys::napi_value, min: f64, max: f64) -> Result<f64> {
    let mut number = 0.0;
    // SAFETY: napi-rs hands over a live environment and a value of it.
    let status = unsafe { sys::napi_get_value_double(env, value, &raw mut number) };
    check_status!(status, "A number is expected")?;
    if number.fract() == 0.0 && (min..=max).contains(&number) {
        return Ok(number);
    }
    Err(Error::new(
        Status::InvalidArg,
        format!("{number} is not a whole number from {min} to {max}"),
    ))
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $type:ty, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name(pub $type);

        impl TypeName for $name {
            fn type_name() -> &'static str {
                "number"
            }
            fn value_type() -> ValueType {
                ValueType::Number
            }
        }

        impl ValidateNapiValue for $name {}

        impl FromNapiValue for $name {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range was checked")]
            unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
                whole(env, value, $min, $max).map(|number| Self(number as i64 as $type))
            }
        }
    };
}

const TWO_53: f64 = 9_007_199_254_740_992.0;

number!(
    /// A C `int`.
    I32, i32, -2_147_483_648.0, 2_147_483_647.0
);
number!(
    /// A C `unsigned int`, flags, or a mode. JavaScript's bit operators make negative numbers of the upper half.
    U32, u32, -2_147_483_648.0, 4_294_967_295.0
);
number!(
    /// A signed offset, exact in JavaScript.
    I64, i64, -TWO_53, TWO_53
);
number!(
    /// An unsigned offset or length, exact in JavaScript.
    U64, u64, 0.0, TWO_53
);
number!(
    /// An index or count of bytes in a buffer.
    Len, usize, 0.0, TWO_53
);
number!(
    /// A descriptor, or AT_FDCWD.
    Fd, i32, -2_147_483_648.0, 2_147_483_647.0
);

impl Fd {
    /// The descriptor for the time of a call. Errors: EBADF if it is negative and not AT_FDCWD.
    pub fn get(self) -> rustix::io::Result<BorrowedFd<'static>> {
        if self.0 == libc::AT_FDCWD {
            return Ok(CWD);
        }
        if self.0 < 0 {
            return Err(Errno::BADF);
        }
        // SAFETY: it is not -1 and used for one system call, which says EBADF if it is not open. Which descriptors
        // JavaScript has open is JavaScript's to know.
        Ok(unsafe { BorrowedFd::borrow_raw(self.0) })
    }
}

/// A file name or other C string: a JavaScript string each of whose characters is a byte.
pub struct ByteString(Vec<u8>);

impl ByteString {
    /// The C string. Errors: EINVAL if it has a NUL in it.
    pub fn c_str(&self) -> rustix::io::Result<&CStr> {
        CStr::from_bytes_with_nul(&self.0).map_err(|_| Errno::INVAL)
    }
}

impl TypeName for ByteString {
    fn type_name() -> &'static str {
        "string"
    }
    fn value_type() -> ValueType {
        ValueType::String
    }
}

impl ValidateNapiValue for ByteString {}

impl FromNapiValue for ByteString {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let mut len = 0;
        // SAFETY: napi-rs hands over a live environment and a value of it; without a buffer only the length is told.
        let status = unsafe { sys::napi_get_value_string_latin1(env, value, null_mut(), 0, &raw mut len) };
        check_status!(status, "A string is expected")?;
        let mut bytes = vec![0; len + 1];
        // SAFETY: as above; the buffer has room for the string and its NUL.
        let status = unsafe {
            sys::napi_get_value_string_latin1(env, value, bytes.as_mut_ptr().cast(), bytes.len(), &raw mut len)
        };
        check_status!(status, "A string is expected")?;
        Ok(Self(bytes))
    }
}

/// An element type of typed arrays.
pub trait Element {
    /// `napi_typedarray_type`, js_native_api_types.h.
    const KIND: sys::napi_typedarray_type;
}

impl Element for u8 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
}
impl Element for u16 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::uint16_array;
}
impl Element for i32 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::int32_array;
}
impl Element for u32 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::uint32_array;
}
impl Element for f64 {
    const KIND: sys::napi_typedarray_type = sys::TypedarrayType::float64_array;
}

/// A typed array of JavaScript, for the time of the call that it is an argument of.
pub struct View<T> {
    data: *mut T,
    len: usize,
}

/// A Uint8Array.
pub type Bytes = View<u8>;
/// A Uint16Array.
pub type U16s = View<u16>;
/// An Int32Array.
pub type I32s = View<i32>;
/// A Uint32Array.
pub type U32s = View<u32>;
/// A Float64Array.
pub type F64s = View<f64>;

impl<T> View<T> {
    /// The elements. JavaScript does not run while the caller has them; what a guest stores at the same time, a system
    /// call may or may not see.
    pub fn all<'call>(self) -> &'call mut [T] {
        if self.len == 0 {
            return &mut [];
        }
        // SAFETY: Node has said that `len` elements are at `data`; the argument keeps their buffer alive.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }

    /// `len` elements at `at`.
    pub fn part<'call>(self, at: Len, len: Len) -> Result<&'call mut [T]> {
        let count = self.len;
        let end = at.0.checked_add(len.0).filter(|end| *end <= count);
        let Some(end) = end else {
            let reason = format!("{} elements at {} are outside of an array of {count}", len.0, at.0);
            return Err(Error::new(Status::InvalidArg, reason));
        };
        Ok(&mut self.all()[at.0..end])
    }
}

impl<T> TypeName for View<T> {
    fn type_name() -> &'static str {
        "TypedArray"
    }
    fn value_type() -> ValueType {
        ValueType::Object
    }
}

impl<T> ValidateNapiValue for View<T> {}

impl<T: Element> FromNapiValue for View<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let (mut kind, mut len, mut data) = (-1, 0, null_mut());
        let (kind_out, len_out, data_out) = (&raw mut kind, &raw mut len, &raw mut data);
        // SAFETY: napi-rs hands over a live environment and a value of it; what is not asked for is null.
        let status =
            unsafe { sys::napi_get_typedarray_info(env, value, kind_out, len_out, data_out, null_mut(), null_mut()) };
        check_status!(status, "A typed array is expected")?;
        if kind != T::KIND {
            return Err(Error::new(
                Status::InvalidArg,
                "A typed array of another type is expected",
            ));
        }
        Ok(Self { data: data.cast(), len })
    }
}
