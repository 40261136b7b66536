//! Which host files the stubs have a descriptor of already, so that it need not be given to them for each mapping.
//!
//! Only descriptors for reading are kept: libraries and programs are mapped by process after process. What has changed
//! since it was given, or became another file under the same number, is given anew.

use rustix::fs::{AtFlags, FileType, OFlags, StatxFlags, fcntl_getfl, statx};
use std::os::fd::BorrowedFd;

/// Descriptors that are kept while no mapping waits for them. Each keeps its file's blocks, if that is removed.
pub const KEPT_MAX: usize = 32;

/// What a descriptor for reading refers to, as long as nobody changes the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    device: (u32, u32),
    ino: u64,
    mount: u64,
    bytes: u64,
    changed: (i64, u32),
}

impl File {
    /// What `fd` refers to; nothing for descriptors that are not kept: those that can write, and other files than
    /// regular ones that have a name.
    #[must_use]
    pub fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        let flags = fcntl_getfl(fd).ok()?;
        if flags & (OFlags::RWMODE | OFlags::PATH) != OFlags::RDONLY {
            return None;
        }
        let stat = statx(fd, c"", AtFlags::EMPTY_PATH, WANTED).ok()?;
        let is_regular = FileType::from_raw_mode(stat.stx_mode.into()).is_file();
        let is_told = stat.stx_mask & WANTED.bits() == WANTED.bits();
        (is_regular && is_told && stat.stx_nlink > 0).then_some(Self {
            device: (stat.stx_dev_major, stat.stx_dev_minor),
            ino: stat.stx_ino,
            mount: stat.stx_mnt_id,
            bytes: stat.stx_size,
            changed: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        })
    }
}

const WANTED: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::MNT_ID);

#[derive(Debug)]
struct Given {
    file: File,
    fd: i32,
    /// Mappings that wait to be made with it.
    use_count: u32,
}

/// The descriptors of files that the stubs have.
#[derive(Debug, Default)]
pub struct GivenFiles {
    /// The one that was used last is the last one.
    given: Vec<Given>,
}

impl GivenFiles {
    /// The descriptor of the stubs for `file`, in use until [`Self::release`].
    pub fn find(&mut self, file: &File) -> Option<i32> {
        let index = self.given.iter().position(|given| given.file == *file)?;
        let mut given = self.given.remove(index);
        given.use_count += 1;
        let fd = given.fd;
        self.given.push(given);
        Some(fd)
    }

    /// The stubs have got `fd` for `file`, which is in use until [`Self::release`]. The result is one to be closed.
    pub fn add(&mut self, file: File, fd: i32) -> Option<i32> {
        self.given.push(Given { file, fd, use_count: 1 });
        self.surplus()
    }

    /// A mapping was made with `fd`, or will not be made. The result is a descriptor to be closed.
    pub fn release(&mut self, fd: i32) -> Option<i32> {
        let Some(given) = self.given.iter_mut().find(|given| given.fd == fd) else {
            return Some(fd);
        };
        given.use_count -= 1;
        self.surplus()
    }

    /// Takes the oldest one that is not in use, if there are too many.
    fn surplus(&mut self) -> Option<i32> {
        if self.given.len() <= KEPT_MAX {
            return None;
        }
        let oldest = self.given.iter().position(|given| given.use_count == 0)?;
        Some(self.given.remove(oldest).fd)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File as OpenFile, OpenOptions, remove_file, write};
    use std::os::fd::AsFd;
    use std::path::PathBuf;

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("tsv-given-{}-{name}", std::process::id()))
    }

    fn number(index: usize) -> File {
        File {
            device: (0, 1),
            ino: index as u64,
            mount: 1,
            bytes: 0,
            changed: (0, 0),
        }
    }

    #[test]
    fn a_file_is_known_again_until_it_changes() {
        let path = path("changes");
        write(&path, "one").expect("the file is written");
        let [first, second] = [OpenFile::open(&path), OpenFile::open(&path)].map(|file| file.expect("it opens"));
        let before = File::of(first.as_fd());
        assert!(before.is_some());
        assert_eq!(File::of(second.as_fd()), before);
        write(&path, "longer").expect("the file is written");
        assert_ne!(File::of(first.as_fd()), before);
        remove_file(&path).expect("the file is removed");
        assert_eq!(File::of(first.as_fd()), None);
    }

    #[test]
    fn what_can_write_and_what_is_no_file_is_not_kept() {
        let path = path("kinds");
        write(&path, "").expect("the file is written");
        let writable = OpenOptions::new().read(true).write(true).open(&path).expect("it opens");
        let device = OpenFile::open("/dev/null").expect("it opens");
        assert_eq!([writable.as_fd(), device.as_fd()].map(File::of), [None, None]);
        remove_file(&path).expect("the file is removed");
    }

    #[test]
    fn the_oldest_that_is_not_in_use_is_closed_when_there_are_too_many() {
        let mut files = GivenFiles::default();
        for index in 0..KEPT_MAX {
            let fd = i32::try_from(index).expect("it is small");
            assert_eq!(files.add(number(index), fd), None);
        }
        assert_eq!([files.release(1), files.release(2)], [None, None]);
        assert_eq!(files.find(&number(1)), Some(1));
        assert_eq!(files.add(number(100), 100), Some(2));
        assert_eq!([files.find(&number(2)), files.find(&number(100))], [None, Some(100)]);
        assert_eq!(files.add(number(101), 101), None);
        assert_eq!([files.release(1), files.release(100)], [Some(1), None]);
    }

    #[test]
    fn what_was_not_kept_is_closed() {
        assert_eq!(GivenFiles::default().release(7), Some(7));
    }
}
