//! Open files: reading, writing, allocation, flags.

use super::arguments::{ByteString, Bytes, Fd, I32, I64, Len, U32, U64};
use super::results::{count, descriptor, large, number, status};
use crate::sys;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use rustix::fs::{self, Advice, FallocateFlags, MemfdFlags, Mode, OFlags, ResolveFlags};
use rustix::io::{self, Errno, IoSlice, IoSliceMut, ReadWriteFlags};
use std::num::NonZeroU64;

/// openat2(2). Returns a descriptor.
#[napi]
pub fn openat2(dirfd: Fd, path: ByteString, flags: U32, mode: U32, resolve: U32) -> i32 {
    let (flags, mode) = (OFlags::from_bits_retain(flags.0), Mode::from_bits_retain(mode.0));
    let resolve = ResolveFlags::from_bits_retain(resolve.0.into());
    descriptor(|| fs::openat2(dirfd.get()?, path.c_str()?, flags, mode, resolve))
}

/// close(2).
#[napi]
pub fn close(fd: Fd) -> i32 {
    status(|| sys::close(fd.0))
}

/// dup3(2). Returns `newfd`.
#[napi]
pub fn dup3(oldfd: Fd, newfd: Fd, flags: I32) -> i32 {
    number(|| sys::dup3(oldfd.0, newfd.0, flags.0))
}

/// fcntl(2) for the commands whose argument is an int or absent: F_DUPFD, F_GETFD, F_SETFL, F_ADD_SEALS and so on.
/// Errors: EINVAL for others.
#[napi]
pub fn fcntl(fd: Fd, command: I32, argument: I32) -> i32 {
    number(|| sys::fcntl_int(fd.0, command.0, argument.0))
}

/// read(2) into `len` bytes of `buffer` at `at`.
#[napi]
pub fn read(fd: Fd, buffer: Bytes, at: Len, len: Len) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| io::read(fd.get()?, part)))
}

/// write(2) of `len` bytes of `buffer` at `at`.
#[napi]
pub fn write(fd: Fd, buffer: Bytes, at: Len, len: Len) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| io::write(fd.get()?, part)))
}

/// preadv2(2) with one buffer. `offset` -1 is the file's own; `flags` are RWF_*.
#[napi]
pub fn preadv2(fd: Fd, buffer: Bytes, at: Len, len: Len, offset: I64, flags: U32) -> Result<i32> {
    let part = buffer.part(at, len)?;
    let flags = ReadWriteFlags::from_bits_retain(flags.0);
    Ok(count(|| {
        io::preadv2(fd.get()?, &mut [IoSliceMut::new(part)], offset.0.cast_unsigned(), flags)
    }))
}

/// pwritev2(2) with one buffer. `offset` -1 is the file's own; `flags` are RWF_*.
#[napi]
pub fn pwritev2(fd: Fd, buffer: Bytes, at: Len, len: Len, offset: I64, flags: U32) -> Result<i32> {
    let part = buffer.part(at, len)?;
    let flags = ReadWriteFlags::from_bits_retain(flags.0);
    Ok(count(|| {
        io::pwritev2(fd.get()?, &[IoSlice::new(part)], offset.0.cast_unsigned(), flags)
    }))
}

/// lseek(2). `whence` is SEEK_*. Returns the offset.
#[napi]
pub fn lseek(fd: Fd, offset: I64, whence: U32) -> f64 {
    large(|| sys::lseek(fd.0, offset.0, whence.0))
}

/// ftruncate(2).
#[napi]
pub fn ftruncate(fd: Fd, length: U64) -> i32 {
    status(|| fs::ftruncate(fd.get()?, length.0))
}

/// fallocate(2).
#[napi]
pub fn fallocate(fd: Fd, mode: U32, offset: U64, length: U64) -> i32 {
    status(|| fs::fallocate(fd.get()?, FallocateFlags::from_bits_retain(mode.0), offset.0, length.0))
}

/// posix_fadvise(2) POSIX_FADV_DONTNEED: what is written out leaves the page cache. `len` 0 is to the end of the file.
#[napi]
pub fn drop_cached(fd: Fd, offset: U64, len: U64) -> i32 {
    status(|| fs::fadvise(fd.get()?, offset.0, NonZeroU64::new(len.0), Advice::DontNeed))
}

/// copy_file_range(2). Returns bytes.
#[napi]
pub fn copy_file_range(from: Fd, from_offset: U64, to: Fd, to_offset: U64, len: Len) -> i32 {
    let (mut from_offset, mut to_offset) = (from_offset.0, to_offset.0);
    // The result fits an int: what is not copied is left to the next call.
    let len = len.0.min(0x7fff_f000);
    count(|| {
        fs::copy_file_range(
            from.get()?,
            Some(&mut from_offset),
            to.get()?,
            Some(&mut to_offset),
            len,
        )
    })
}

/// fsync(2).
#[napi]
pub fn fsync(fd: Fd) -> i32 {
    status(|| fs::fsync(fd.get()?))
}

/// fdatasync(2).
#[napi]
pub fn fdatasync(fd: Fd) -> i32 {
    status(|| fs::fdatasync(fd.get()?))
}

/// syncfs(2): writes out everything of the filesystem that `fd` is on. Errors: EBADF for an O_PATH descriptor, EIO.
#[napi]
pub fn syncfs(fd: Fd) -> i32 {
    status(|| rustix::fs::syncfs(fd.get()?))
}

/// flock(2). `operation` is LOCK_SH, LOCK_EX or LOCK_UN (1, 2, 8), with LOCK_NB (4) or not.
#[napi]
pub fn flock(fd: Fd, operation: U32) -> i32 {
    use fs::FlockOperation::{
        LockExclusive, LockShared, NonBlockingLockExclusive, NonBlockingLockShared, NonBlockingUnlock, Unlock,
    };
    status(|| {
        let operation = match operation.0 {
            1 => LockShared,
            2 => LockExclusive,
            5 => NonBlockingLockShared,
            6 => NonBlockingLockExclusive,
            8 => Unlock,
            12 => NonBlockingUnlock,
            _ => return Err(Errno::INVAL),
        };
        fs::flock(fd.get()?, operation)
    })
}

/// memfd_create(2). Returns a descriptor.
#[napi]
pub fn memfd_create(name: ByteString, flags: U32) -> i32 {
    descriptor(|| fs::memfd_create(name.c_str()?, MemfdFlags::from_bits_retain(flags.0)))
}
