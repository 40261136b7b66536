//! Calls that wait for a device, on the threads of libuv's pool.

use super::arguments::{Fd, I64, Len, U64};
use super::results::{negated, status};
use napi::bindgen_prelude::{AsyncTask, Either, Env, Error, Result, Task, Uint8Array};
use napi_derive::napi;
use rustix::fs::{Advice, fadvise, fdatasync, fsync, syncfs};
use rustix::io::{self, Errno};
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;

/// What one read takes from the file at most: the buffer is allocated by its length.
const LEN_MAX: usize = 4 << 20;
/// What devices ask for at most is a page.
const ALIGNMENT_MAX: u32 = 4096;

/// pread(2) on a thread of the pool.
pub struct Read {
    fd: Fd,
    len: usize,
    offset: u64,
    ahead: u64,
    alignment: usize,
}

impl Task for Read {
    type Output = rustix::io::Result<Vec<u8>>;
    type JsValue = Either<Uint8Array, i32>;

    fn compute(&mut self) -> Result<Self::Output> {
        let read = read_at(self.fd, self.len, self.offset, self.alignment);
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

/// The bytes that are there, fewer than `len` at the end of the file, read into memory of that alignment.
fn read_at(fd: Fd, len: usize, offset: u64, alignment: usize) -> rustix::io::Result<Vec<u8>> {
    let mut bytes = vec![0; len + alignment - 1];
    let start = bytes.as_ptr().align_offset(alignment);
    loop {
        match io::pread(fd.get()?, &mut bytes[start..start + len], offset) {
            Err(Errno::INTR) => {}
            read => {
                let count = read?;
                bytes.copy_within(start..start + count, 0);
                bytes.truncate(count);
                return Ok(bytes);
            }
        }
    }
}

/// pread(2) of up to `len` bytes on a thread of the pool, which then has the host read `ahead` bytes more into its page
/// cache. The memory that is read into has the given alignment, a power of two up to 4096, as `O_DIRECT` needs. Resolves to the
/// bytes, none at the end of the file, or to a negated errno. The descriptor must stay open until then.
#[napi(ts_return_type = "Promise<Uint8Array | number>")]
pub fn pread_later(fd: Fd, len: Len, offset: I64, ahead: U64, alignment: u32) -> Result<AsyncTask<Read>> {
    let offset = u64::try_from(offset.0).map_err(|_| Error::from_reason("preadLater: the offset is negative"))?;
    if !alignment.is_power_of_two() || alignment > ALIGNMENT_MAX {
        return Err(Error::from_reason("preadLater: no power of two up to 4096"));
    }
    let alignment = usize::try_from(alignment).map_err(|_| Error::from_reason("preadLater: alignment"))?;
    let len = len.0.min(LEN_MAX);
    Ok(AsyncTask::new(Read {
        fd,
        len,
        offset,
        ahead: ahead.0,
        alignment,
    }))
}

/// fsync(2), fdatasync(2) or syncfs(2) on a thread of the pool.
pub struct Sync {
    fd: Fd,
    sync: fn(BorrowedFd<'static>) -> rustix::io::Result<()>,
}

impl Task for Sync {
    type Output = i32;
    type JsValue = i32;

    fn compute(&mut self) -> Result<i32> {
        let Self { fd, sync } = *self;
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
    let sync: fn(BorrowedFd<'static>) -> rustix::io::Result<()> = if is_data_only { fdatasync } else { fsync };
    AsyncTask::new(Sync { fd, sync })
}

/// syncfs(2) on a thread of the pool, of the filesystem that the file is on. Resolves to 0 or a negated errno. The descriptor
/// must stay open until then.
#[napi(ts_return_type = "Promise<number>")]
pub fn syncfs_later(fd: Fd) -> AsyncTask<Sync> {
    AsyncTask::new(Sync { fd, sync: syncfs })
}
