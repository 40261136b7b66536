//! Requests as they come over the socket. All of it is untrusted.
//!
//! Little-endian: operation, flags, mode, uid, gid (`u32` each), length of the first name and of the second (`u32`), two
//! times as seconds and nanoseconds (`i64` each), then both names.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, Result};
use std::ffi::CString;

/// The longest message: two names of PATH_MAX, of which a target of a link may be one.
pub const MESSAGE_BYTES: usize = HEADER_BYTES + 2 * PATH_MAX;
const PATH_MAX: usize = 4096;
const HEADER_BYTES: usize = 7 * 4 + 4 * 8;

/// What is asked for; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// openat2(2) of one name.
    Open = 1,
    /// Opens the file of an O_PATH descriptor.
    Reopen = 2,
    /// mkdirat(2).
    MakeDirectory = 3,
    /// mknodat(2) of what is no device.
    MakeNode = 4,
    /// symlinkat(2); the first name is the target.
    MakeLink = 5,
    /// linkat(2).
    Link = 6,
    /// unlinkat(2).
    Unlink = 7,
    /// renameat2(2).
    Rename = 8,
    /// fchownat(2).
    ChangeOwner = 9,
    /// fchmodat2(2).
    ChangeMode = 10,
    /// utimensat(2).
    ChangeTimes = 11,
    /// connect(2) to the socket of an O_PATH descriptor.
    ConnectSocket = 12,
    /// bind(2) to one name.
    BindSocket = 13,
}

const OPERATIONS: [Operation; 13] = [
    Operation::Open,
    Operation::Reopen,
    Operation::MakeDirectory,
    Operation::MakeNode,
    Operation::MakeLink,
    Operation::Link,
    Operation::Unlink,
    Operation::Rename,
    Operation::ChangeOwner,
    Operation::ChangeMode,
    Operation::ChangeTimes,
    Operation::ConnectSocket,
    Operation::BindSocket,
];

/// A request whose form is right.
#[derive(Debug)]
pub struct Request<'a> {
    /// What to do.
    pub operation: Operation,
    /// O_*, AT_* or RENAME_*; SOCK_* of a socket.
    pub flags: u32,
    /// Permissions, and the type for [`Operation::MakeNode`].
    pub mode: u32,
    /// New owner; `u32::MAX` for the one it has.
    pub uid: u32,
    /// New group.
    pub gid: u32,
    /// Seconds and nanoseconds of the last access and change.
    pub times: [i64; 4],
    /// The directory of `name`, or the file itself when that is empty.
    pub dir: BorrowedFd<'a>,
    /// The directory of `new_name`.
    pub new_dir: BorrowedFd<'a>,
    /// One component, or empty.
    pub name: CString,
    /// One component, or empty.
    pub new_name: CString,
    /// For [`Operation::MakeLink`]: what the link says, which is no name of ours.
    pub target: CString,
}

impl<'a> Request<'a> {
    /// Errors: `PROTO` for a message that is none, `BADF` without a descriptor, `INVAL` for a name of several components
    /// or one that leads up.
    pub fn decode(bytes: &[u8], fds: &'a [OwnedFd]) -> Result<Self> {
        let (header, names) = bytes.split_at_checked(HEADER_BYTES).ok_or(Errno::PROTO)?;
        let word = |index: usize| field::<4>(header, index * 4).map(u32::from_le_bytes);
        let time = |index: usize| field::<8>(header, 28 + index * 8).map(i64::from_le_bytes);
        let number = word(0)?;
        let operation = OPERATIONS.into_iter().find(|known| *known as u32 == number);
        let first_len = usize::try_from(word(5)?).map_err(|_| Errno::PROTO)?;
        let second_len = usize::try_from(word(6)?).map_err(|_| Errno::PROTO)?;
        let (first, rest) = names.split_at_checked(first_len).ok_or(Errno::PROTO)?;
        if rest.len() != second_len {
            return Err(Errno::PROTO);
        }
        let operation = operation.ok_or(Errno::PROTO)?;
        let is_target = operation == Operation::MakeLink;
        let text = |bytes: &[u8]| CString::new(bytes).map_err(|_| Errno::INVAL);
        let dir = fds.first().ok_or(Errno::BADF)?.as_fd();
        Ok(Self {
            operation,
            flags: word(1)?,
            mode: word(2)?,
            uid: word(3)?,
            gid: word(4)?,
            times: [time(0)?, time(1)?, time(2)?, time(3)?],
            dir,
            new_dir: fds.get(1).map_or(dir, AsFd::as_fd),
            name: if is_target {
                CString::default()
            } else {
                component(first)?
            },
            new_name: component(rest)?,
            target: if is_target { text(first)? } else { CString::default() },
        })
    }
}

fn field<const LEN: usize>(header: &[u8], at: usize) -> Result<[u8; LEN]> {
    let bytes = header.get(at..at + LEN).ok_or(Errno::PROTO)?;
    bytes.try_into().map_err(|_| Errno::PROTO)
}

/// A name that leads nowhere but to an entry of its directory.
fn component(bytes: &[u8]) -> Result<CString> {
    if bytes == b".." || bytes.contains(&b'/') {
        return Err(Errno::INVAL);
    }
    CString::new(bytes).map_err(|_| Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(operation: u32, first: &[u8], second: &[u8]) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).expect("short");
        let words = [operation, 1, 2, 3, 4, len(first), len(second)];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend([5i64, 6, 7, -8].iter().flat_map(|time| time.to_le_bytes()));
        bytes.extend(first);
        bytes.extend(second);
        bytes
    }

    fn directory() -> Vec<OwnedFd> {
        let file = std::fs::File::open("/").expect("open");
        vec![file.into()]
    }

    #[test]
    fn a_request_is_decoded() {
        let fds = directory();
        let bytes = message(8, b"old", b"new");
        let request = Request::decode(&bytes, &fds).expect("request");
        assert_eq!(request.operation, Operation::Rename);
        assert_eq!((request.flags, request.mode, request.uid, request.gid), (1, 2, 3, 4));
        assert_eq!(request.times, [5, 6, 7, -8]);
        assert_eq!(
            (request.name.as_bytes(), request.new_name.as_bytes()),
            (&b"old"[..], &b"new"[..])
        );
    }

    #[test]
    fn a_target_of_a_link_may_be_a_path() {
        let fds = directory();
        let bytes = message(5, b"../a/b", b"link");
        let request = Request::decode(&bytes, &fds).expect("request");
        assert_eq!(request.target.as_bytes(), b"../a/b");
    }

    #[test]
    fn wrong_messages_are_refused() {
        let fds = directory();
        let error = |bytes: &[u8]| Request::decode(bytes, &fds).err();
        assert_eq!(error(b"short"), Some(Errno::PROTO));
        assert_eq!(error(&message(0, b"", b"")), Some(Errno::PROTO));
        assert_eq!(error(&message(14, b"", b"")), Some(Errno::PROTO));
        let mut long = message(1, b"name", b"");
        long.push(0);
        assert_eq!(error(&long), Some(Errno::PROTO));
        assert_eq!(Request::decode(&message(1, b"a", b""), &[]).err(), Some(Errno::BADF));
    }

    /// Numbers that a seed decides: xorshift64*.
    fn next(state: &mut u64) -> u64 {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }

    #[test]
    fn spoiled_messages_are_refused_or_name_an_entry() {
        let fds = directory();
        let mut state = 1;
        let mut taken = 0;
        for _ in 0..20_000 {
            let names = [&b"a"[..], b"..", b".", b"a/..", b"/", b"\0", b"..\0", b""];
            let mut pick = || names[usize::try_from(next(&mut state) % 8).expect("small")];
            let (first, second) = (pick(), pick());
            let mut bytes = message(u32::try_from(next(&mut state) % 15).expect("small"), first, second);
            for _ in 0..next(&mut state) % 3 {
                let at = usize::try_from(next(&mut state)).expect("small") % bytes.len();
                bytes[at] = next(&mut state).to_le_bytes()[0];
            }
            bytes.truncate(bytes.len() - usize::try_from(next(&mut state) % 8 / 7).expect("small"));
            let Ok(request) = Request::decode(&bytes, &fds) else {
                continue;
            };
            taken += 1;
            for name in [&request.name, &request.new_name] {
                assert!(
                    !name.as_bytes().contains(&b'/') && name.as_bytes() != b"..",
                    "{bytes:?}"
                );
            }
        }
        assert!(taken > 1000, "some are as they should be: {taken}");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let fds = directory();
        for name in [&b".."[..], b"a/b", b"/etc", b"a\0b"] {
            assert_eq!(Request::decode(&message(1, name, b""), &fds).err(), Some(Errno::INVAL));
            assert_eq!(Request::decode(&message(8, b"a", name), &fds).err(), Some(Errno::INVAL));
        }
    }
}
