//! System calls of sockets, with addresses and control data as the bytes that the kernel takes.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::ffi::{c_int, c_long};
use std::io::Error;

fn last_errno() -> Errno {
    Errno::from_io_error(&Error::last_os_error()).unwrap_or(Errno::IO)
}

fn checked(returned: c_int) -> Result<c_int> {
    if returned < 0 { Err(last_errno()) } else { Ok(returned) }
}

fn length(bytes: usize) -> Result<libc::socklen_t> {
    libc::socklen_t::try_from(bytes).map_err(|_| Errno::INVAL)
}

/// socket(2).
pub fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Result<OwnedFd> {
    // SAFETY: the arguments are numbers.
    let fd = checked(unsafe { libc::socket(domain, kind, protocol) })?;
    // SAFETY: the descriptor is new.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// bind(2).
pub fn bind(fd: BorrowedFd<'_>, address: &[u8]) -> Result<()> {
    let len = length(address.len())?;
    // SAFETY: the kernel reads `len` bytes of the address, at any alignment.
    checked(unsafe { libc::bind(fd.as_raw_fd(), address.as_ptr().cast(), len) }).map(|_| ())
}

/// connect(2).
pub fn connect(fd: BorrowedFd<'_>, address: &[u8]) -> Result<()> {
    let len = length(address.len())?;
    // SAFETY: as in `bind`.
    checked(unsafe { libc::connect(fd.as_raw_fd(), address.as_ptr().cast(), len) }).map(|_| ())
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: c_int) -> Result<()> {
    // SAFETY: the arguments are numbers.
    checked(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(|_| ())
}

/// accept4(2). Returns the connection and how long the peer's address is; what has no room of it is cut off.
pub fn accept4(fd: BorrowedFd<'_>, address: &mut [u8], flags: c_int) -> Result<(OwnedFd, usize)> {
    let mut len = length(address.len())?;
    // SAFETY: the kernel writes at most `len` bytes of address, and the length.
    let accepted = unsafe { libc::accept4(fd.as_raw_fd(), address.as_mut_ptr().cast(), &raw mut len, flags) };
    let accepted = checked(accepted)?;
    // SAFETY: the descriptor is new.
    Ok((unsafe { OwnedFd::from_raw_fd(accepted) }, len as usize))
}

/// getsockname(2). Returns how long the address is.
pub fn getsockname(fd: BorrowedFd<'_>, address: &mut [u8]) -> Result<usize> {
    let mut len = length(address.len())?;
    // SAFETY: as in `accept4`.
    checked(unsafe { libc::getsockname(fd.as_raw_fd(), address.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(len as usize)
}

/// getpeername(2). Returns how long the address is.
pub fn getpeername(fd: BorrowedFd<'_>, address: &mut [u8]) -> Result<usize> {
    let mut len = length(address.len())?;
    // SAFETY: as in `accept4`.
    checked(unsafe { libc::getpeername(fd.as_raw_fd(), address.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(len as usize)
}

/// Options whose values hold addresses of this process, which bytes from elsewhere must not: socket filters, netfilter's
/// tables, zero-copy receipt, SCTP's connectx.
fn has_pointers(level: c_int, name: c_int) -> bool {
    const PACKET_FANOUT_DATA: c_int = 22;
    match level {
        libc::SOL_SOCKET => matches!(name, libc::SO_ATTACH_FILTER | libc::SO_ATTACH_REUSEPORT_CBPF),
        libc::IPPROTO_IP => name >= 64,
        // Options of netfilter and of IPv6 itself share numbers from 66 on; netfilter's there have no pointers.
        libc::IPPROTO_IPV6 => matches!(name, 64 | 65) || name >= 96,
        libc::IPPROTO_TCP => name == libc::TCP_ZEROCOPY_RECEIVE,
        libc::SOL_PACKET => name == PACKET_FANOUT_DATA,
        libc::IPPROTO_SCTP => true,
        _ => false,
    }
}

/// getsockopt(2). Returns how long the value is. Errors: `ENOPROTOOPT` for options that hold pointers.
pub fn getsockopt(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &mut [u8]) -> Result<usize> {
    if has_pointers(level, name) {
        return Err(Errno::NOPROTOOPT);
    }
    let mut len = length(value.len())?;
    // SAFETY: the kernel writes at most `len` bytes of value, and the length.
    checked(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut len) })?;
    Ok(len as usize)
}

/// setsockopt(2). Errors: `ENOPROTOOPT` for options that hold pointers.
pub fn setsockopt(fd: BorrowedFd<'_>, level: c_int, name: c_int, value: &[u8]) -> Result<()> {
    if has_pointers(level, name) {
        return Err(Errno::NOPROTOOPT);
    }
    let len = length(value.len())?;
    // SAFETY: the kernel reads `len` bytes, and the value holds no pointers.
    checked(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), len) }).map(|_| ())
}

/// What recvmsg(2) told besides the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of data.
    pub bytes: usize,
    /// Bytes of the address.
    pub address_bytes: usize,
    /// Bytes of control data.
    pub control_bytes: usize,
    /// MSG_TRUNC, MSG_CTRUNC and so on.
    pub flags: c_int,
}

/// A message header over these bytes, and the vector that it points to.
fn header(data: &mut libc::iovec, address: (*mut u8, usize), control: (*mut u8, usize)) -> Result<libc::msghdr> {
    // SAFETY: zeros are a valid header: no address, data or control.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = data;
    header.msg_iovlen = 1;
    if address.1 > 0 {
        header.msg_name = address.0.cast();
        header.msg_namelen = length(address.1)?;
    }
    if control.1 > 0 {
        header.msg_control = control.0.cast();
        header.msg_controllen = control.1;
    }
    Ok(header)
}

/// recvmsg(2). Descriptors that come along are not taken: see `recv_fds` for these.
pub fn recvmsg(
    fd: BorrowedFd<'_>,
    data: &mut [u8],
    address: &mut [u8],
    control: &mut [u8],
    flags: c_int,
) -> Result<Received> {
    let mut vector = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    let control_at = (control.as_mut_ptr(), control.len());
    let mut header = header(&mut vector, (address.as_mut_ptr(), address.len()), control_at)?;
    // SAFETY: the header's pointers are to slices of the lengths that it gives, which outlive the call.
    let returned = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut header, flags | libc::MSG_CMSG_CLOEXEC) };
    let bytes = usize::try_from(returned).map_err(|_| last_errno())?;
    close_received_fds(&header);
    Ok(Received {
        bytes,
        address_bytes: header.msg_namelen as usize,
        control_bytes: header.msg_controllen,
        flags: header.msg_flags,
    })
}

/// Nobody would close them, for whoever reads control data as bytes takes them for numbers.
fn close_received_fds(header: &libc::msghdr) {
    // SAFETY: recvmsg(2) has filled the header.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: the macro gives a header inside the control data.
        let found = unsafe { message.read_unaligned() };
        if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: as above; the data is behind the header.
            let data = unsafe { libc::CMSG_DATA(message) }.cast::<c_int>();
            // SAFETY: a pure function of a number.
            let header_bytes = unsafe { libc::CMSG_LEN(0) } as usize;
            for index in 0..(found.cmsg_len - header_bytes) / size_of::<c_int>() {
                // SAFETY: the message has so many descriptors.
                let fd = unsafe { data.wrapping_add(index).read_unaligned() };
                // SAFETY: it is new and nobody's.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        // SAFETY: as for the first.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
}

/// sendmsg(2). An empty address or control is absent. Errors: `EINVAL` for SCM_RIGHTS: see `send_fds`.
pub fn sendmsg(fd: BorrowedFd<'_>, data: &[u8], address: &[u8], control: &[u8], flags: c_int) -> Result<usize> {
    let mut vector = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    let control_at = (control.as_ptr().cast_mut(), control.len());
    let header = header(&mut vector, (address.as_ptr().cast_mut(), address.len()), control_at)?;
    // SAFETY: as in `recvmsg`; sendmsg(2) only reads.
    let returned: c_long = unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const header, flags) } as c_long;
    usize::try_from(returned).map_err(|_| last_errno())
}

/// `struct ifreq`, netdevice(7), with a name and nothing else.
fn interface_request(name: &[u8]) -> Result<libc::ifreq> {
    // SAFETY: zeros are a valid request.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() {
        return Err(Errno::NODEV);
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name) {
        *to = from.cast_signed();
    }
    Ok(request)
}

/// SIOCGIFINDEX, netdevice(7).
pub fn interface_index(fd: BorrowedFd<'_>, name: &[u8]) -> Result<c_int> {
    let mut request = interface_request(name)?;
    // SAFETY: the kernel reads and writes a `struct ifreq`.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFINDEX, &raw mut request) })?;
    // SAFETY: SIOCGIFINDEX has stored this field.
    Ok(unsafe { request.ifr_ifru.ifru_ifindex })
}

/// SIOCSIFFLAGS, netdevice(7): adds IFF_UP.
pub fn interface_up(fd: BorrowedFd<'_>, name: &[u8]) -> Result<()> {
    let mut request = interface_request(name)?;
    // SAFETY: the kernel reads and writes a `struct ifreq`.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) })?;
    // SAFETY: SIOCGIFFLAGS has stored this field.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    const IFF_UP: libc::c_short = 1;
    request.ifr_ifru.ifru_flags = flags | IFF_UP;
    // SAFETY: as above.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCSIFFLAGS, &raw mut request) }).map(|_| ())
}

/// TUNSETIFF: makes the descriptor of /dev/net/tun that of the interface `name`. `flags` are IFF_TAP and so on.
pub fn attach_tun(fd: BorrowedFd<'_>, name: &[u8], flags: u16) -> Result<()> {
    let mut request = interface_request(name)?;
    request.ifr_ifru.ifru_flags = flags.cast_signed();
    // SAFETY: the kernel reads and writes a `struct ifreq`.
    checked(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &raw mut request) }).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;

    #[test]
    fn options_with_pointers_are_refused() {
        let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0).expect("socket");
        let filter = [0; 16];
        let attached = setsockopt(socket.as_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter);
        assert_eq!(attached, Err(Errno::NOPROTOOPT));
        let tables = getsockopt(socket.as_fd(), libc::IPPROTO_IP, 64, &mut [0; 84]);
        assert_eq!(tables, Err(Errno::NOPROTOOPT));
    }

    #[test]
    fn descriptors_in_control_data_are_closed() {
        let (left, right) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .expect("socketpair");
        let (reader, writer) = rustix::pipe::pipe().expect("pipe");
        let mut space = [std::mem::MaybeUninit::uninit(); 64];
        let mut rights = rustix::net::SendAncillaryBuffer::new(&mut space);
        let carried = [writer.as_fd()];
        assert!(rights.push(rustix::net::SendAncillaryMessage::ScmRights(&carried)));
        let data = [std::io::IoSlice::new(b"x")];
        rustix::net::sendmsg(&left, &data, &mut rights, rustix::net::SendFlags::empty()).expect("sendmsg");

        let received = recvmsg(right.as_fd(), &mut [0; 8], &mut [], &mut [0; 64], 0).expect("recvmsg");
        assert_eq!(received.bytes, 1);
        drop(writer);
        assert_eq!(rustix::io::read(&reader, &mut [0; 1]), Ok(0), "no other writer is open");
    }

    #[test]
    fn interfaces_have_names_that_fit() {
        let socket = socket(libc::AF_INET, libc::SOCK_DGRAM, 0).expect("socket");
        assert!(interface_index(socket.as_fd(), b"lo").expect("index") > 0);
        assert_eq!(interface_index(socket.as_fd(), b"none0").err(), Some(Errno::NODEV));
        assert_eq!(interface_index(socket.as_fd(), &[b'x'; 16]).err(), Some(Errno::NODEV));
    }
}
