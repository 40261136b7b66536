//! Sockets of the host that have names in its filesystems, unix(7): `--host-uds`.

use crate::confine::Links;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, Mode};
use rustix::io::{Errno, Result};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::ffi::CStr;

/// A new socket of `kind` that is connected to the one of an O_PATH descriptor. Errors: those of connect(2); `AGAIN` when
/// nobody accepts as fast as others connect.
pub fn connect(file: BorrowedFd<'_>, kind: u32, links: &Links) -> Result<OwnedFd> {
    let socket = socket(kind)?;
    // The link leads to this very file, whatever its name means by now.
    let address = SocketAddrUnix::new(file.as_raw_fd().to_string())?;
    links.enter()?;
    net::connect(&socket, &address)?;
    Ok(socket)
}

/// A new socket of `kind` that is bound to `name` of a directory, a file of these permissions. Errors: those of bind(2).
pub fn bind(dir: BorrowedFd<'_>, name: &CStr, kind: u32, mode: Mode, links: &Links) -> Result<OwnedFd> {
    if name.is_empty() {
        return Err(Errno::INVAL);
    }
    let socket = socket(kind)?;
    // The file gets the permissions that the socket has before it is bound.
    fs::fchmod(&socket, mode)?;
    let address = SocketAddrUnix::new(name)?;
    rustix::process::fchdir(dir)?;
    let bound = net::bind(&socket, &address);
    links.enter()?;
    bound.map(|()| socket)
}

fn socket(kind: u32) -> Result<OwnedFd> {
    let kind = SocketType::from_raw(kind);
    if ![SocketType::STREAM, SocketType::DGRAM, SocketType::SEQPACKET].contains(&kind) {
        return Err(Errno::INVAL);
    }
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    net::socket_with(AddressFamily::UNIX, kind, flags, None)
}
