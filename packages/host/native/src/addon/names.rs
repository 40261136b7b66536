//! Names in directories, and what inodes say of themselves.

use super::arguments::{ByteString, Bytes, F64s, Fd, I64, Len, U32};
use super::results::{count, status};
use crate::{stat_fields, sys};
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, RenameFlags, StatxFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

/// statx(2) into `fields`, a number each `STAT_*` index.
#[napi]
pub fn statx(dirfd: Fd, path: ByteString, flags: U32, mask: U32, fields: F64s) -> i32 {
    let (flags, mask) = (AtFlags::from_bits_retain(flags.0), StatxFlags::from_bits_retain(mask.0));
    status(|| {
        let stat = fs::statx(dirfd.get()?, path.c_str()?, flags, mask)?;
        stat_fields::store(&stat, fields.all()).ok_or(Errno::INVAL)
    })
}

/// fstatfs(2) into `fields`, a number each `STATFS_*` index.
#[napi]
pub fn fstatfs(fd: Fd, fields: F64s) -> i32 {
    status(|| stat_fields::store_statfs(&fs::fstatfs(fd.get()?)?, fields.all()).ok_or(Errno::INVAL))
}

/// faccessat2(2).
#[napi]
pub fn faccessat(dirfd: Fd, path: ByteString, mode: U32, flags: U32) -> i32 {
    let access = fs::Access::from_bits_retain(mode.0);
    status(|| fs::accessat(dirfd.get()?, path.c_str()?, access, AtFlags::from_bits_retain(flags.0)))
}

/// getdents64(2): `struct linux_dirent64` records in `len` bytes of `buffer` at `at`. Returns bytes, 0 at the end.
#[napi]
pub fn getdents64(fd: Fd, buffer: Bytes, at: Len, len: Len) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| sys::getdents64(fd.get()?, part)))
}

/// readlinkat(2) into `buffer`. Returns bytes, without a NUL.
#[napi]
pub fn readlinkat(dirfd: Fd, path: ByteString, buffer: Bytes) -> i32 {
    count(|| fs::readlinkat_raw(dirfd.get()?, path.c_str()?, buffer.all()))
}

/// mkdirat(2).
#[napi]
pub fn mkdirat(dirfd: Fd, path: ByteString, mode: U32) -> i32 {
    status(|| fs::mkdirat(dirfd.get()?, path.c_str()?, Mode::from_bits_retain(mode.0)))
}

/// mknodat(2). `mode` has the type, none means a regular file.
#[napi]
pub fn mknodat(dirfd: Fd, path: ByteString, mode: U32, major: U32, minor: U32) -> i32 {
    let has_type = mode.0 & libc::S_IFMT != 0;
    let kind = if has_type {
        FileType::from_raw_mode(mode.0)
    } else {
        FileType::RegularFile
    };
    let device = fs::makedev(major.0, minor.0);
    status(|| fs::mknodat(dirfd.get()?, path.c_str()?, kind, Mode::from_raw_mode(mode.0), device))
}

/// unlinkat(2). `flags` is 0 or AT_REMOVEDIR.
#[napi]
pub fn unlinkat(dirfd: Fd, path: ByteString, flags: U32) -> i32 {
    status(|| fs::unlinkat(dirfd.get()?, path.c_str()?, AtFlags::from_bits_retain(flags.0)))
}

/// renameat2(2).
#[napi]
pub fn renameat2(from_dirfd: Fd, from: ByteString, to_dirfd: Fd, to: ByteString, flags: U32) -> i32 {
    let flags = RenameFlags::from_bits_retain(flags.0);
    status(|| fs::renameat_with(from_dirfd.get()?, from.c_str()?, to_dirfd.get()?, to.c_str()?, flags))
}

/// symlinkat(2).
#[napi]
pub fn symlinkat(target: ByteString, dirfd: Fd, path: ByteString) -> i32 {
    status(|| fs::symlinkat(target.c_str()?, dirfd.get()?, path.c_str()?))
}

/// linkat(2).
#[napi]
pub fn linkat(from_dirfd: Fd, from: ByteString, to_dirfd: Fd, to: ByteString, flags: U32) -> i32 {
    let flags = AtFlags::from_bits_retain(flags.0);
    status(|| fs::linkat(from_dirfd.get()?, from.c_str()?, to_dirfd.get()?, to.c_str()?, flags))
}

/// fchmod(2).
#[napi]
pub fn fchmod(fd: Fd, mode: U32) -> i32 {
    status(|| fs::fchmod(fd.get()?, Mode::from_bits_retain(mode.0)))
}

/// fchmodat2(2), with AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH since Linux 6.6; ENOSYS before unless `flags` is 0.
#[napi]
pub fn fchmodat(dirfd: Fd, path: ByteString, mode: U32, flags: U32) -> i32 {
    status(|| sys::fchmodat2(dirfd.get()?, path.c_str()?, mode.0, flags.0))
}

/// fchownat(2). An id of 2^32 - 1 is left as it is.
#[napi]
pub fn fchownat(dirfd: Fd, path: ByteString, uid: U32, gid: U32, flags: U32) -> i32 {
    let uid = (uid.0 != u32::MAX).then(|| Uid::from_raw(uid.0));
    let gid = (gid.0 != u32::MAX).then(|| Gid::from_raw(gid.0));
    status(|| {
        fs::chownat(
            dirfd.get()?,
            path.c_str()?,
            uid,
            gid,
            AtFlags::from_bits_retain(flags.0),
        )
    })
}

/// utimensat(2). A nanoseconds field may be UTIME_NOW or UTIME_OMIT. An empty `path` with AT_EMPTY_PATH means `dirfd`.
#[napi]
pub fn utimensat(
    dirfd: Fd,
    path: ByteString,
    atime_sec: I64,
    atime_nsec: U32,
    mtime_sec: I64,
    mtime_nsec: U32,
    flags: U32,
) -> i32 {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: atime_sec.0,
            tv_nsec: atime_nsec.0.into(),
        },
        last_modification: Timespec {
            tv_sec: mtime_sec.0,
            tv_nsec: mtime_nsec.0.into(),
        },
    };
    status(|| fs::utimensat(dirfd.get()?, path.c_str()?, &times, AtFlags::from_bits_retain(flags.0)))
}
