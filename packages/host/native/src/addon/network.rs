//! Sockets of the host's network. Addresses are the bytes of a `struct sockaddr`.

use super::arguments::{ByteString, Bytes, Fd, I32, I32s, Len, U32};
use super::results::{count, descriptor, number, status};
use crate::socket_calls as calls;
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use rustix::fd::{AsFd, IntoRawFd};
use rustix::io::Errno;

/// socket(2). `kind` may have SOCK_CLOEXEC and SOCK_NONBLOCK. Returns a descriptor.
#[napi]
pub fn socket(domain: I32, kind: I32, protocol: I32) -> i32 {
    descriptor(|| calls::socket(domain.0, kind.0, protocol.0))
}

/// bind(2).
#[napi]
pub fn bind(fd: Fd, address: Bytes) -> i32 {
    status(|| calls::bind(fd.get()?, address.all()))
}

/// connect(2).
#[napi]
pub fn connect(fd: Fd, address: Bytes) -> i32 {
    status(|| calls::connect(fd.get()?, address.all()))
}

/// listen(2).
#[napi]
pub fn listen(fd: Fd, backlog: I32) -> i32 {
    status(|| calls::listen(fd.get()?, backlog.0))
}

/// accept4(2). Stores the peer's address, and its length in `lengths[0]`. Returns a descriptor.
#[napi]
pub fn accept4(fd: Fd, address: Bytes, lengths: I32s, flags: I32) -> i32 {
    number(|| {
        let [len, ..] = lengths.all() else {
            return Err(Errno::INVAL);
        };
        let (accepted, bytes) = calls::accept4(fd.get()?, address.all(), flags.0)?;
        *len = int(bytes);
        Ok(accepted.into_raw_fd())
    })
}

/// getsockname(2). Returns the length of the address, which may be more than there was room for.
#[napi]
pub fn getsockname(fd: Fd, address: Bytes) -> i32 {
    count(|| calls::getsockname(fd.get()?, address.all()))
}

/// getpeername(2). Returns the length of the address, which may be more than there was room for.
#[napi]
pub fn getpeername(fd: Fd, address: Bytes) -> i32 {
    count(|| calls::getpeername(fd.get()?, address.all()))
}

/// getsockopt(2). Returns the length of the value. Errors: ENOPROTOOPT for options that hold pointers.
#[napi]
pub fn getsockopt(fd: Fd, level: I32, name: I32, value: Bytes) -> i32 {
    count(|| calls::getsockopt(fd.get()?, level.0, name.0, value.all()))
}

/// setsockopt(2). Errors: ENOPROTOOPT for options that hold pointers.
#[napi]
pub fn setsockopt(fd: Fd, level: I32, name: I32, value: Bytes) -> i32 {
    status(|| calls::setsockopt(fd.get()?, level.0, name.0, value.all()))
}

/// sendmsg(2) of `len` bytes of `buffer` at `at`. An empty `address` or `control` is absent. Returns bytes.
#[napi]
pub fn sendmsg(fd: Fd, buffer: Bytes, at: Len, len: Len, address: Bytes, control: Bytes, flags: I32) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| {
        calls::sendmsg(fd.get()?, part, address.all(), control.all(), flags.0)
    }))
}

/// recvmsg(2) into `len` bytes of `buffer` at `at`. Stores the address, control data, and in `lengths` how long these
/// are, and the message's flags (MSG_TRUNC and so on). Descriptors in control data are closed. Returns bytes.
#[napi]
#[allow(clippy::too_many_arguments, reason = "an object a call would be dearer")]
pub fn recvmsg(
    fd: Fd,
    buffer: Bytes,
    at: Len,
    len: Len,
    address: Bytes,
    control: Bytes,
    lengths: I32s,
    flags: I32,
) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| {
        let [address_len, control_len, message_flags, ..] = lengths.all() else {
            return Err(Errno::INVAL);
        };
        let received = calls::recvmsg(fd.get()?, part, address.all(), control.all(), flags.0)?;
        (*address_len, *control_len) = (int(received.address_bytes), int(received.control_bytes));
        *message_flags = received.flags;
        Ok(received.bytes)
    }))
}

/// Index of a network interface, netdevice(7).
#[napi]
pub fn interface_index(name: ByteString) -> i32 {
    number(|| calls::interface_index(any_socket()?.as_fd(), name.c_str()?.to_bytes()))
}

/// Brings a network interface up, netdevice(7).
#[napi]
pub fn set_interface_up(name: ByteString) -> i32 {
    status(|| calls::interface_up(any_socket()?.as_fd(), name.c_str()?.to_bytes()))
}

/// Opens the TUN or TAP interface `name`, made if there is none. `flags` are IFF_TUN or IFF_TAP, IFF_NO_PI, IFF_VNET_HDR.
/// Returns a non-blocking descriptor.
#[napi]
pub fn open_tun(name: ByteString, flags: U32) -> i32 {
    use rustix::fs::{Mode, OFlags, open};
    descriptor(|| {
        let flags = u16::try_from(flags.0).map_err(|_| Errno::INVAL)?;
        let device = open(
            c"/dev/net/tun",
            OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK,
            Mode::empty(),
        )?;
        calls::attach_tun(device.as_fd(), name.c_str()?.to_bytes(), flags)?;
        Ok(device)
    })
}

fn any_socket() -> rustix::io::Result<rustix::fd::OwnedFd> {
    calls::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
}

fn int(value: usize) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}
