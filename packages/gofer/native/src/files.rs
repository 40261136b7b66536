//! Carries requests out.

use crate::confine::Links;
use crate::request::{Operation, Request};
use crate::sockets;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{self, AtFlags, FileType, Gid, Mode, OFlags, RenameFlags, ResolveFlags, Timespec, Timestamps, Uid};
use rustix::io::{Errno, Result};

/// Flags of open(2) that a sentry may use.
const OPEN_FLAGS: u32 = OFlags::RDWR.bits()
    | OFlags::WRONLY.bits()
    | OFlags::CREATE.bits()
    | OFlags::EXCL.bits()
    | OFlags::TRUNC.bits()
    | OFlags::APPEND.bits()
    | OFlags::DIRECTORY.bits()
    | OFlags::NOFOLLOW.bits()
    | OFlags::NONBLOCK.bits()
    | OFlags::DIRECT.bits()
    | OFlags::SYNC.bits()
    | OFlags::DSYNC.bits()
    | OFlags::LARGEFILE.bits()
    | OFlags::CLOEXEC.bits()
    | OFlags::PATH.bits();
const AT_FLAGS: AtFlags = AtFlags::SYMLINK_NOFOLLOW
    .union(AtFlags::EMPTY_PATH)
    .union(AtFlags::REMOVEDIR);
/// (uid_t)-1, chown(2).
const UNCHANGED: u32 = u32::MAX;

/// Does what was asked for; a descriptor comes of opening, and of sockets.
pub fn carry_out(request: &Request<'_>, links: &Links) -> Result<Option<OwnedFd>> {
    let done = |result: Result<()>| result.map(|()| None);
    let at_flags = AtFlags::from_bits_retain(request.flags) & AT_FLAGS;
    let mode = Mode::from_raw_mode(request.mode & 0o7777);
    let Request {
        dir,
        new_dir,
        name,
        new_name,
        ..
    } = request;
    match request.operation {
        Operation::Open => open(request, mode).map(Some),
        Operation::Reopen => links.open(*dir, open_flags(request)?).map(Some),
        Operation::MakeDirectory => done(fs::mkdirat(dir, name, mode)),
        Operation::MakeNode => done(make_node(request, mode)),
        Operation::MakeLink => done(fs::symlinkat(&request.target, dir, new_name)),
        Operation::Link => done(fs::linkat(dir, name, new_dir, new_name, at_flags)),
        Operation::Unlink => done(fs::unlinkat(dir, name, at_flags)),
        Operation::Rename => {
            let flags = RenameFlags::from_bits_retain(request.flags);
            done(fs::renameat_with(dir, name, new_dir, new_name, flags))
        }
        Operation::ChangeOwner => {
            let uid = (request.uid != UNCHANGED).then(|| Uid::from_raw(request.uid));
            let gid = (request.gid != UNCHANGED).then(|| Gid::from_raw(request.gid));
            done(fs::chownat(dir, name, uid, gid, at_flags))
        }
        Operation::ChangeMode => done(change_mode(request, mode, links)),
        Operation::ChangeTimes => {
            let [access_sec, access_nsec, change_sec, change_nsec] = request.times;
            let time = |tv_sec, tv_nsec| Timespec { tv_sec, tv_nsec };
            let times = Timestamps {
                last_access: time(access_sec, access_nsec),
                last_modification: time(change_sec, change_nsec),
            };
            done(fs::utimensat(dir, name, &times, at_flags))
        }
        Operation::ConnectSocket => sockets::connect(*dir, request.flags, links).map(Some),
        Operation::BindSocket => sockets::bind(*dir, name, request.flags, mode, links).map(Some),
    }
}

fn open_flags(request: &Request<'_>) -> Result<OFlags> {
    if request.flags & !OPEN_FLAGS != 0 {
        return Err(Errno::INVAL);
    }
    Ok(OFlags::from_bits_retain(request.flags) | OFlags::CLOEXEC)
}

/// Devices are opened as names only: they are the host's.
fn open(request: &Request<'_>, mode: Mode) -> Result<OwnedFd> {
    let flags = open_flags(request)? | OFlags::NOFOLLOW;
    let mode = if flags.contains(OFlags::CREATE) {
        mode
    } else {
        Mode::empty()
    };
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    if !flags.contains(OFlags::PATH) {
        let found = fs::openat2(
            request.dir,
            &request.name,
            OFlags::PATH | OFlags::NOFOLLOW,
            Mode::empty(),
            beneath,
        );
        if let Ok(found) = found {
            refuse_device(&found)?;
        }
    }
    fs::openat2(request.dir, &request.name, flags, mode, beneath)
}

/// The host's devices are not a sandbox's to open.
pub fn refuse_device(file: impl AsFd) -> Result<()> {
    match FileType::from_raw_mode(fs::fstat(file)?.st_mode) {
        FileType::CharacterDevice | FileType::BlockDevice => Err(Errno::NXIO),
        _ => Ok(()),
    }
}

fn make_node(request: &Request<'_>, mode: Mode) -> Result<()> {
    let kind = FileType::from_raw_mode(request.mode);
    match kind {
        FileType::RegularFile | FileType::Fifo | FileType::Socket => {
            fs::mknodat(request.dir, &request.name, kind, mode, 0)
        }
        _ => Err(Errno::PERM),
    }
}

/// fchmodat2(2) is newer than Linux 6.1: there, the descriptor's link in /proc names the file.
fn change_mode(request: &Request<'_>, mode: Mode, links: &Links) -> Result<()> {
    if request.name.is_empty() {
        return links.change_mode(request.dir, mode);
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat2(request.dir, &request.name, flags, Mode::empty(), ResolveFlags::BENEATH)?;
    if FileType::from_raw_mode(fs::fstat(&file)?.st_mode) == FileType::Symlink {
        return Err(Errno::OPNOTSUPP);
    }
    links.change_mode(file.as_fd(), mode)
}
