//! How a descriptor of the sentry's reaches the stubs: it is sent over a socket, and a stub receives it with a message
//! that the sentry has written for it.

use crate::{Errno, Result};
use core::mem::{MaybeUninit, offset_of, zeroed};
use core::ptr::without_provenance_mut;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, sendmsg, socketpair,
};
use std::io::IoSlice;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

/// A connected pair of sockets that can pass descriptors.
pub fn socket_pair() -> Result<(OwnedFd, OwnedFd)> {
    socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

/// Sends a descriptor, with a byte to carry it.
pub fn send_fd(socket: BorrowedFd<'_>, fd: BorrowedFd<'_>) -> Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd];
    let is_pushed = control.push(SendAncillaryMessage::ScmRights(&fds));
    debug_assert!(is_pushed, "there is room for one");
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL).map(drop)
}

/// What a stub's recvmsg(2) of one descriptor is given, in memory that it shares with the sentry. Its pointers are the
/// stub's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct FdRequest {
    message: libc::msghdr,
    iov: libc::iovec,
    control: FdMessage,
    byte: u8,
}

/// A `struct cmsghdr` with one descriptor, as cmsg(3) lays it out on x86-64.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct FdMessage {
    len: usize,
    level: i32,
    kind: i32,
    fd: RawFd,
    pad: u32,
}

impl FdRequest {
    /// A request at `addr` of the stub.
    #[must_use]
    pub fn at(addr: usize) -> Self {
        // SAFETY: all bit patterns are valid for a request.
        let mut request: Self = unsafe { zeroed() };
        request.iov = libc::iovec {
            iov_base: without_provenance_mut(addr + offset_of!(Self, byte)),
            iov_len: 1,
        };
        request.message.msg_iov = without_provenance_mut(addr + offset_of!(Self, iov));
        request.message.msg_iovlen = 1;
        request.message.msg_control = without_provenance_mut(addr + offset_of!(Self, control));
        request.message.msg_controllen = size_of::<FdMessage>();
        request.control.fd = -1;
        request
    }

    /// The descriptor that has come, in the stub's numbering. Errors: `EMFILE` when none has.
    pub fn received(&self) -> Result<RawFd> {
        let FdMessage { level, kind, fd, .. } = self.control;
        let is_fd = level == libc::SOL_SOCKET && kind == libc::SCM_RIGHTS && fd >= 0;
        if is_fd { Ok(fd) } else { Err(Errno::MFILE) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::{AsFd, AsRawFd, FromRawFd};

    #[test]
    fn a_request_receives_a_descriptor() {
        let (ours, theirs) = socket_pair().expect("sockets");
        let (read, write) = std::io::pipe().expect("a pipe");
        send_fd(ours.as_fd(), write.as_fd()).expect("room");
        drop(write);

        let mut memory = FdRequest::at(0);
        let addr = (&raw mut memory).addr();
        memory = FdRequest::at(addr);
        assert_eq!(memory.received(), Err(Errno::MFILE));
        let memory_ptr = &raw mut memory;
        // SAFETY: the request's pointers are to itself.
        let count = unsafe { libc::recvmsg(theirs.as_raw_fd(), memory_ptr.cast(), libc::MSG_CMSG_CLOEXEC) };
        assert_eq!(count, 1);
        // SAFETY: the kernel has filled the request in.
        let fd = unsafe { memory_ptr.read_volatile() }.received().expect("a descriptor");
        // SAFETY: the kernel has just made the descriptor for us.
        let received = unsafe { File::from_raw_fd(fd) };
        std::io::Write::write_all(&mut &received, b"it").expect("the pipe");
        drop(received);
        assert_eq!(std::io::read_to_string(read).expect("the pipe"), "it");
    }
}
