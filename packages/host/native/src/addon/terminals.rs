//! Terminals and sessions.

use super::arguments::{ByteString, Bytes, Fd, I32, U16s, U32};
use super::results::{descriptor, number, status};
use crate::sys;
use napi_derive::napi;
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

/// TCGETS, ioctl_tty(2): the kernel's `struct termios` (36 bytes) into `termios`. Errors: EINVAL if it is shorter.
#[napi]
pub fn tcgetattr(fd: Fd, termios: Bytes) -> i32 {
    status(|| sys::tcgetattr(fd.get()?, termios.all().first_chunk_mut().ok_or(Errno::INVAL)?))
}

/// TCSETS, TCSETSW, TCSETSF, ioctl_tty(2). `action` is TCSANOW, TCSADRAIN or TCSAFLUSH (0, 1, 2).
#[napi]
pub fn tcsetattr(fd: Fd, action: U32, termios: Bytes) -> i32 {
    status(|| sys::tcsetattr(fd.get()?, action.0, termios.all().first_chunk().ok_or(Errno::INVAL)?))
}

/// TIOCGWINSZ, ioctl_tty(2): `struct winsize` (rows, columns, width, height) into `size`.
#[napi(js_name = "tcgetwinsize")]
pub fn tcgetwinsize_into(fd: Fd, size: U16s) -> i32 {
    status(|| {
        let [rows, columns, width, height, ..] = size.all() else {
            return Err(Errno::INVAL);
        };
        let winsize = tcgetwinsize(fd.get()?)?;
        (*rows, *columns) = (winsize.ws_row, winsize.ws_col);
        (*width, *height) = (winsize.ws_xpixel, winsize.ws_ypixel);
        Ok(())
    })
}

/// TIOCSWINSZ, ioctl_tty(2).
#[napi(js_name = "tcsetwinsize")]
pub fn tcsetwinsize_from(fd: Fd, size: U16s) -> i32 {
    status(|| {
        let [ws_row, ws_col, ws_xpixel, ws_ypixel, ..] = *size.all() else {
            return Err(Errno::INVAL);
        };
        tcsetwinsize(
            fd.get()?,
            Winsize {
                ws_row,
                ws_col,
                ws_xpixel,
                ws_ypixel,
            },
        )
    })
}

/// posix_openpt(3) and unlockpt(3). `flags` are O_RDWR, O_NOCTTY, O_CLOEXEC, O_NONBLOCK. Returns the master.
#[napi]
pub fn open_pty_master(flags: U32) -> i32 {
    descriptor(|| {
        let master = openpt(OpenptFlags::from_bits_retain(flags.0))?;
        unlockpt(&master)?;
        Ok(master)
    })
}

/// TIOCGPTPEER, ioctl_tty(2): opens the other side of `master` without a name. `flags` as for the master.
#[napi]
pub fn open_pty_peer(master: Fd, flags: U32) -> i32 {
    descriptor(|| ioctl_tiocgptpeer(master.get()?, OpenptFlags::from_bits_retain(flags.0)))
}

/// ptsname(3), or a negated errno.
#[napi(js_name = "ptsname")]
pub fn pty_name(master: Fd) -> napi::Either<String, i32> {
    let name = master.get().and_then(|master| ptsname(master, Vec::new()));
    match name {
        Ok(name) => napi::Either::A(name.to_string_lossy().into_owned()),
        Err(errno) => napi::Either::B(super::results::negated(errno)),
    }
}

/// True if the descriptor is a terminal.
#[napi]
pub fn isatty(fd: Fd) -> bool {
    fd.get().is_ok_and(rustix::termios::isatty)
}

/// setsid(2). Returns the session.
#[napi]
pub fn setsid() -> i32 {
    number(|| rustix::process::setsid().map(|pid| pid.as_raw_nonzero().get()))
}

/// TIOCSCTTY, ioctl_tty(2). `force` 1 steals the terminal from another session.
#[napi]
pub fn set_controlling_terminal(fd: Fd, force: I32) -> i32 {
    status(|| sys::set_controlling_terminal(fd.get()?, force.0))
}

/// sethostname(2), of the thread's UTS namespace.
#[napi]
pub fn sethostname(name: ByteString) -> i32 {
    status(|| rustix::system::sethostname(name.c_str()?.to_bytes()))
}
