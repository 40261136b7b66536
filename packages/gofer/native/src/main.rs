//! The gofer: opens and changes files of the host for a sentry that has no capabilities. It keeps no state: each request
//! brings the descriptor of a directory, so that a sentry reaches only what is below directories that it was given.
//! Descriptor 3 is its socket (SOCK_SEQPACKET); it ends when the other end is closed. With the argument `--host-uds` it
//! makes sockets of the host, too.

mod confine;
mod files;
mod request;
mod sockets;

use crate::confine::Links;
use crate::request::{MESSAGE_BYTES, Request};
use rustix::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use std::mem::MaybeUninit;
use std::process::ExitCode;

/// A request has at most the descriptors of two directories.
const FDS_MAX: usize = 2;
const SOCKET_FD: i32 = 3;

fn main() -> ExitCode {
    // SAFETY: whoever starts a gofer gives it this descriptor; nothing else here uses it.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET_FD) };
    let has_sockets = std::env::args_os().any(|arg| arg == "--host-uds");
    let links = match confine::confine(has_sockets) {
        Ok(links) => links,
        Err((step, errno)) => {
            eprintln!("Cannot confine the gofer: {step}: {errno}");
            return ExitCode::FAILURE;
        }
    };
    match serve(socket.as_fd(), &links) {
        // The sentry may end with an answer unread, or unsent.
        Ok(()) | Err(Errno::CONNRESET | Errno::PIPE) => ExitCode::SUCCESS,
        Err(errno) => {
            eprintln!("The gofer ends: {errno}");
            ExitCode::FAILURE
        }
    }
}

/// Answers requests until the other end is closed. The first message, which nobody asked for, says that it is ready.
fn serve(socket: BorrowedFd<'_>, links: &Links) -> rustix::io::Result<()> {
    let mut bytes = [0; MESSAGE_BYTES];
    answer(socket, Ok(None))?;
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        if received.bytes == 0 {
            return Ok(());
        }
        let mut fds: Vec<OwnedFd> = Vec::with_capacity(FDS_MAX);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                fds.extend(rights);
            }
        }
        let outcome =
            Request::decode(&bytes[..received.bytes], &fds).and_then(|request| files::carry_out(&request, links));
        answer(socket, outcome)?;
    }
}

/// Four bytes: 0 or a negated errno; and a descriptor, if one was asked for.
fn answer(socket: BorrowedFd<'_>, outcome: rustix::io::Result<Option<OwnedFd>>) -> rustix::io::Result<()> {
    let (status, fd) = match outcome {
        Ok(fd) => (0, fd),
        Err(errno) => (-errno.raw_os_error(), None),
    };
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let rights = fd.as_ref().map(AsFd::as_fd);
    let pushed = rights.is_none_or(|_| control.push(SendAncillaryMessage::ScmRights(rights.as_slice())));
    debug_assert!(pushed, "there is room for one descriptor");
    let message = status.to_le_bytes();
    sendmsg(socket, &[IoSlice::new(&message)], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}
