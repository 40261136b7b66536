//! Sockets that carry descriptors, unix(7).

use super::arguments::{Bytes, Fd, I32, I32s, Len, U32};
use super::pipes::store_pair;
use super::results::{count, status};
use napi::bindgen_prelude::Result;
use napi_derive::napi;
use rustix::fd::{BorrowedFd, IntoRawFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use std::mem::MaybeUninit;

/// Descriptors in one message, SCM_MAX_FD of the kernel.
const FDS_MAX: usize = 253;
const CONTROL_BYTES: usize = rustix::cmsg_space!(ScmRights(FDS_MAX));

/// socketpair(2) of AF_UNIX. `kind` is SOCK_* with SOCK_CLOEXEC and SOCK_NONBLOCK. Stores both ends in `fds`.
#[napi]
pub fn unix_socketpair(kind: U32, fds: I32s) -> i32 {
    let flags = SocketFlags::from_bits_truncate(kind.0);
    let kind = SocketType::from_raw(kind.0 & !flags.bits());
    status(|| store_pair(fds.all(), || socketpair(AddressFamily::UNIX, kind, flags, None)))
}

/// sendmsg(2) of `len` bytes of `buffer` at `at`, with copies of `fds`. `flags` are MSG_*. Returns bytes.
/// Errors: EINVAL above 253 descriptors.
#[napi]
pub fn send_fds(socket: Fd, buffer: Bytes, at: Len, len: Len, fds: I32s, flags: U32) -> Result<i32> {
    let part = buffer.part(at, len)?;
    Ok(count(|| {
        let fds = fds.all();
        if fds.len() > FDS_MAX {
            return Err(Errno::INVAL);
        }
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(|fd| Fd(*fd).get()).collect::<rustix::io::Result<_>>()?;
        let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(Errno::INVAL);
        }
        sendmsg(
            socket.get()?,
            &[IoSlice::new(part)],
            &mut control,
            SendFlags::from_bits_retain(flags.0),
        )
    }))
}

/// recvmsg(2) into `len` bytes of `buffer` at `at`. Descriptors that came along (close-on-exec) are stored in `fds`,
/// whose other elements become -1; those without room are closed. `flags` are MSG_*. Returns bytes, 0 at the end.
#[napi]
pub fn recv_fds(socket: Fd, buffer: Bytes, at: Len, len: Len, fds: I32s, flags: U32) -> Result<i32> {
    let part = buffer.part(at, len)?;
    let fds = fds.all();
    fds.fill(-1);
    Ok(count(|| {
        let mut space = [MaybeUninit::uninit(); CONTROL_BYTES];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::from_bits_retain(flags.0) | RecvFlags::CMSG_CLOEXEC;
        let message = recvmsg(socket.get()?, &mut [IoSliceMut::new(part)], &mut control, flags)?;
        let mut free = fds.iter_mut();
        for ancillary in control.drain() {
            let RecvAncillaryMessage::ScmRights(received) = ancillary else {
                continue;
            };
            for fd in received {
                if let Some(slot) = free.next() {
                    *slot = fd.into_raw_fd();
                }
            }
        }
        Ok(message.bytes)
    }))
}

/// shutdown(2). `how` is SHUT_RD, SHUT_WR or SHUT_RDWR (0, 1, 2).
#[napi]
pub fn shutdown(socket: Fd, how: I32) -> i32 {
    status(|| {
        let how = match how.0 {
            0 => rustix::net::Shutdown::Read,
            1 => rustix::net::Shutdown::Write,
            2 => rustix::net::Shutdown::Both,
            _ => return Err(Errno::INVAL),
        };
        rustix::net::shutdown(socket.get()?, how)
    })
}
