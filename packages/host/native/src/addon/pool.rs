//! Calls that wait for a device, on the threads of libuv's pool.

use super::arguments::{Fd, I64, Len, U64};
use super::results::{negated, status};
use napi::bindgen_prelude::{AsyncTask, Either, Env, Error, Result, Task, Uint8Array};
use napi_derive::napi;
use rustix::fs::{Advice, fadvise, fdatasync, fsync};
use rustix::io::{self, Errno};
use std::num::NonZeroU64;

/// What one read takes from the file at most: the buffer is allocated by its length.
const LEN_MAX: usize = 4 << 20;

/// pread(2) on a thread of the pool.
pub struct Read {
    fd: Fd,
    len: usize,
    offset: u64,
    ahead: u64,
}

impl Task for Read {
    type Output = rustix::io::Result<Vec<u8>>;
    type JsValue = Either<Uint8Array, i32>;

    fn compute(&mut self) -> Result<Self::Output> {
        let read = read_at(self.fd, self.len, self.offset);
        if let (Ok(bytes), Some(ahead)) = (&read, NonZeroU64::new(self.ahead))
            && bytes.len() == self.len
        {
            let end = self.offset.saturating_add(bytes.len() as u64);
            // Advice: that it could not be taken, the next read will tell.
            let _ = self
                .fd
                .get()
                .and_then(|fd| fadvise(fd, end, Some(ahead), Advice::WillNeed));
        }
        Ok(read)
    }

    fn resolve(&mut self, _env: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(match output {
            Ok(bytes) => Either::A(Uint8Array::from(bytes)),
            Err(errno) => Either::B(negated(errno)),
        })
    }
}

/// The bytes that are there, fewer than `len` at the end of the file.
fn read_at(fd: Fd, len: usize, offset: u64) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    loop {
        match io::pread(fd.get()?, &mut bytes, offset) {
            Err(Errno::INTR) => {}
            read => {
                bytes.truncate(read?);
                return Ok(bytes);
            }
        }
    }
}

/// pread(2) of up to `len` bytes on a thread of the pool, which then has the host read `ahead` bytes more into its page
/// cache. Resolves to the bytes, none at the end of the file, or to a negated errno. The descriptor must stay open until then.
#[napi(ts_return_type = "Promise<Uint8Array | number>")]
pub fn pread_later(fd: Fd, len: Len, offset: I64, ahead: U64) -> Result<AsyncTask<Read>> {
    let offset = u64::try_from(offset.0).map_err(|_| Error::from_reason("preadLater: the offset is negative"))?;
    let len = len.0.min(LEN_MAX);
    Ok(AsyncTask::new(Read {
        fd,
        len,
        offset,
        ahead: ahead.0,
    }))
}

/// fsync(2) or fdatasync(2) on a thread of the pool.
pub struct Sync {
    fd: Fd,
    is_data_only: bool,
}

impl Task for Sync {
    type Output = i32;
    type JsValue = i32;

    fn compute(&mut self) -> Result<i32> {
        let fd = self.fd;
        let sync = |fd| if self.is_data_only { fdatasync(fd) } else { fsync(fd) };
        Ok(status(|| sync(fd.get()?)))
    }

    fn resolve(&mut self, _env: Env, output: i32) -> Result<i32> {
        Ok(output)
    }
}

/// fsync(2), or fdatasync(2), on a thread of the pool. Resolves to 0 or a negated errno. The descriptor must stay open until
/// then.
#[napi(ts_return_type = "Promise<number>")]
pub fn sync_later(fd: Fd, is_data_only: bool) -> AsyncTask<Sync> {
    AsyncTask::new(Sync { fd, is_data_only })
}
