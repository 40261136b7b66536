//! Frames of network devices, in batches: packet sockets by recvmmsg(2) and sendmmsg(2), TUN and TAP by read and write.

use crate::socket_calls;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::ffi::{c_int, c_uint, c_ulong};
use std::io::Error;

/// Frames of one system call.
const BATCH: usize = 64;

/// Room for frames in a packet socket: some windows of TCP, in packets of 64 KiB.
const BUFFER_BYTES: c_int = 4 << 20;

/// Options of packet(7), linux/if_packet.h.
const PACKET_VNET_HDR: c_int = 15;
const PACKET_IGNORE_OUTGOING: c_int = 23;

/// TUNSETOFFLOAD, linux/if_tun.h.
const TUNSETOFFLOAD: c_ulong = 0x4004_54d0;

fn last_errno() -> Errno {
    Errno::from_io_error(&Error::last_os_error()).unwrap_or(Errno::IO)
}

/// A non-blocking packet(7) socket for all frames that come in by the interface `index`. With `has_header` there is a
/// virtio-net header in front of each. Errors: `EPERM` without CAP_NET_RAW, `ENODEV`.
pub fn packet_socket(index: c_int, has_header: bool) -> Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let socket = socket_calls::socket(libc::AF_PACKET, kind, 0)?;
    let fd = rustix::fd::AsFd::as_fd(&socket);
    let header = c_int::from(has_header).to_ne_bytes();
    socket_calls::setsockopt(fd, libc::SOL_PACKET, PACKET_VNET_HDR, &header)?;
    socket_calls::setsockopt(fd, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1i32.to_ne_bytes())?;
    for (forced, limited) in [
        (libc::SO_RCVBUFFORCE, libc::SO_RCVBUF),
        (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF),
    ] {
        // Without CAP_NET_ADMIN as much as anybody may have.
        socket_calls::setsockopt(fd, libc::SOL_SOCKET, forced, &BUFFER_BYTES.to_ne_bytes())
            .or_else(|_| socket_calls::setsockopt(fd, libc::SOL_SOCKET, limited, &BUFFER_BYTES.to_ne_bytes()))?;
    }
    let mut address = [0u8; size_of::<libc::sockaddr_ll>()];
    address[..2].copy_from_slice(&17u16.to_ne_bytes()); // AF_PACKET
    address[2..4].copy_from_slice(&3u16.to_be_bytes()); // ETH_P_ALL
    address[4..8].copy_from_slice(&index.to_ne_bytes());
    socket_calls::bind(fd, &address)?;
    Ok(socket)
}

/// TUNSETOFFLOAD: what a TUN or TAP device may hand over unfinished, TUN_F_*.
pub fn set_tun_offload(fd: BorrowedFd<'_>, flags: c_uint) -> Result<()> {
    // SAFETY: the argument is a number.
    let returned = unsafe { libc::ioctl(fd.as_raw_fd(), TUNSETOFFLOAD, c_ulong::from(flags)) };
    if returned < 0 { Err(last_errno()) } else { Ok(()) }
}

/// Receives frames of a packet socket: the i-th at `i * slot` of `buffer`, its length in `lens[i]`. Returns how many.
/// Errors: `EAGAIN` if there are none, `ENETDOWN`.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], slot: usize, lens: &mut [i32]) -> Result<usize> {
    let mut vectors = [const { empty_vector() }; BATCH];
    let mut messages = [const { empty_message() }; BATCH];
    let mut count = 0;
    for (part, (vector, message)) in slots(buffer, slot)
        .zip(vectors.iter_mut().zip(&mut messages))
        .take(lens.len())
    {
        *vector = libc::iovec {
            iov_base: part.as_mut_ptr().cast(),
            iov_len: part.len(),
        };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    let no_timeout = std::ptr::null_mut();
    let at = messages.as_mut_ptr();
    // SAFETY: the first `count` headers have a vector each, over slots that do not overlap and outlive the call.
    let returned = unsafe { libc::recvmmsg(fd.as_raw_fd(), at, count, libc::MSG_DONTWAIT as _, no_timeout) };
    let received = usize::try_from(returned).map_err(|_| last_errno())?;
    for (len, message) in lens.iter_mut().zip(&messages).take(received) {
        *len = i32::try_from(message.msg_len).unwrap_or(i32::MAX);
    }
    Ok(received)
}

/// Sends frames by a packet socket: the i-th lies in `buffer` up to `ends[i]`, behind the one before it. Returns how many
/// went out. Errors: of the first: `EAGAIN`, `ENOBUFS`, `EMSGSIZE`, `ENETDOWN`.
pub fn send(fd: BorrowedFd<'_>, buffer: &[u8], ends: &[i32], from: usize) -> Result<usize> {
    let mut vectors = [const { empty_vector() }; BATCH];
    let mut messages = [const { empty_message() }; BATCH];
    let mut count = 0;
    for (part, (vector, message)) in parts(buffer, ends, from)?.zip(vectors.iter_mut().zip(&mut messages)) {
        *vector = libc::iovec {
            iov_base: part.as_ptr().cast_mut().cast(),
            iov_len: part.len(),
        };
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    let at = messages.as_mut_ptr();
    // SAFETY: the first `count` headers have a vector each; sendmmsg(2) only reads what they point to.
    let returned = unsafe { libc::sendmmsg(fd.as_raw_fd(), at, count, libc::MSG_DONTWAIT as _) };
    usize::try_from(returned).map_err(|_| last_errno())
}

/// As `receive`, of a TUN or TAP device.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8], slot: usize, lens: &mut [i32]) -> Result<usize> {
    let mut count = 0;
    for (part, len) in slots(buffer, slot).zip(lens.iter_mut()) {
        match rustix::io::read(fd, part) {
            Ok(read) => *len = i32::try_from(read).unwrap_or(i32::MAX),
            Err(errno) if count == 0 => return Err(errno),
            Err(_) => break,
        }
        count += 1;
    }
    Ok(count)
}

/// As `send`, by a TUN or TAP device.
pub fn write(fd: BorrowedFd<'_>, buffer: &[u8], ends: &[i32], from: usize) -> Result<usize> {
    let mut count = 0;
    for part in parts(buffer, ends, from)? {
        match rustix::io::write(fd, part) {
            Ok(_) => count += 1,
            Err(errno) if count == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(count)
}

fn slots(buffer: &mut [u8], slot: usize) -> std::slice::ChunksExactMut<'_, u8> {
    buffer.chunks_exact_mut(slot.max(1))
}

/// The frames from number `from` on. Errors: `EINVAL` if the ends are not in order and inside of the buffer.
fn parts<'a>(buffer: &'a [u8], ends: &'a [i32], from: usize) -> Result<impl Iterator<Item = &'a [u8]>> {
    let range = move |index: usize| {
        let start = if index == 0 {
            0
        } else {
            usize::try_from(ends[index - 1]).ok()?
        };
        buffer.get(start..usize::try_from(ends[index]).ok()?)
    };
    let frames = from..ends.len();
    if frames.clone().any(|index| range(index).is_none()) {
        return Err(Errno::INVAL);
    }
    Ok(frames.filter_map(range))
}

const fn empty_vector() -> libc::iovec {
    libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    }
}

const fn empty_message() -> libc::mmsghdr {
    // SAFETY: zeros are a valid header: no address, data or control.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    fn pair() -> (OwnedFd, OwnedFd) {
        rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .expect("socketpair")
    }

    #[test]
    fn frames_go_in_batches() {
        let (left, right) = pair();
        assert_eq!(send(left.as_fd(), b"abcdef", &[1, 3, 6], 0), Ok(3));
        assert_eq!(write(left.as_fd(), b"abcdef", &[1, 3, 6], 2), Ok(1));
        let (mut buffer, mut lens) = ([0; 32], [0; 8]);
        assert_eq!(receive(right.as_fd(), &mut buffer, 4, &mut lens), Ok(4));
        assert_eq!(lens[..4], [1, 2, 3, 3]);
        assert_eq!(&buffer[..16], b"a\0\0\0bc\0\0def\0def\0");
        assert_eq!(receive(right.as_fd(), &mut buffer, 4, &mut lens), Err(Errno::AGAIN));
    }

    #[test]
    fn no_more_frames_are_received_than_there_are_slots() {
        let (left, right) = pair();
        assert_eq!(send(left.as_fd(), b"abc", &[1, 2, 3], 0), Ok(3));
        let mut lens = [0; 8];
        assert_eq!(receive(right.as_fd(), &mut [0; 8], 4, &mut lens), Ok(2));
        assert_eq!(receive(right.as_fd(), &mut [0; 8], 4, &mut lens), Ok(1));
    }

    #[test]
    fn ends_outside_of_the_buffer_are_refused() {
        let (left, _right) = pair();
        for ends in [[4, 3, 2], [1, 2, 9], [-1, 2, 3]] {
            assert_eq!(send(left.as_fd(), b"abcd", &ends, 0), Err(Errno::INVAL));
        }
    }
}
