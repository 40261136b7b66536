//! Namespaces and mounts of this thread.

use super::arguments::{ByteString, Fd, I32, U32};
use super::results::{descriptor, status};
use crate::confine::clone_tree;
use crate::sys;
use napi_derive::napi;

/// unshare(2), of namespaces only: CLONE_FILES and the like give EINVAL. A user namespace cannot be left from a program
/// with threads, which Node is: EINVAL too.
#[napi]
pub fn unshare(flags: I32) -> i32 {
    status(|| sys::unshare(flags.0))
}

/// setns(2). `kind` is CLONE_NEW*, or 0 for any.
#[napi]
pub fn setns(fd: Fd, kind: I32) -> i32 {
    status(|| sys::setns(fd.get()?, kind.0))
}

/// mount(2). `flags` are MS_*. An absent string is a null pointer.
#[napi]
pub fn mount(
    source: Option<ByteString>,
    target: ByteString,
    kind: Option<ByteString>,
    flags: U32,
    data: Option<ByteString>,
) -> i32 {
    status(|| {
        let source = source.as_ref().map(ByteString::c_str).transpose()?;
        let kind = kind.as_ref().map(ByteString::c_str).transpose()?;
        let data = data.as_ref().map(ByteString::c_str).transpose()?;
        sys::mount(source, target.c_str()?, kind, flags.0.into(), data)
    })
}

/// A private copy of the mount at `path`, and with `isRecursive` of those below, attached nowhere: open_tree(2) with
/// OPEN_TREE_CLONE. No `..` leads out of it. `attributes` are MOUNT_ATTR_*, mount_setattr(2). Returns an O_PATH
/// descriptor. Errors: EPERM without CAP_SYS_ADMIN.
#[napi]
pub fn clone_mount(path: ByteString, attributes: U32, is_recursive: bool) -> i32 {
    descriptor(|| clone_tree(path.c_str()?, attributes.0.into(), is_recursive))
}

/// umount2(2). `flags` are MNT_* and UMOUNT_NOFOLLOW.
#[napi]
pub fn umount2(target: ByteString, flags: U32) -> i32 {
    let flags = rustix::mount::UnmountFlags::from_bits_retain(flags.0);
    status(|| rustix::mount::unmount(target.c_str()?, flags))
}

/// pivot_root(2).
#[napi]
pub fn pivot_root(new_root: ByteString, put_old: ByteString) -> i32 {
    status(|| sys::pivot_root(new_root.c_str()?, put_old.c_str()?))
}

/// chroot(2).
#[napi]
pub fn chroot(path: ByteString) -> i32 {
    status(|| rustix::process::chroot(path.c_str()?))
}

/// fchdir(2).
#[napi]
pub fn fchdir(fd: Fd) -> i32 {
    status(|| rustix::process::fchdir(fd.get()?))
}
