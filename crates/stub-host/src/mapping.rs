//! Memory that the sentry shares with stubs, or lends to JavaScript.

use crate::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;

/// Memory mapped for as long as this lives.
#[derive(Debug)]
pub struct Mapping {
    addr: *mut u8,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: this type only tells the address; who uses the memory answers for it.
unsafe impl Sync for Mapping {}

const PROT: ProtFlags = ProtFlags::READ.union(ProtFlags::WRITE);
const FLAGS: MapFlags = MapFlags::SHARED.union(MapFlags::NORESERVE);

impl Mapping {
    /// Maps the first `len` bytes of a file, shared, to be read and written.
    pub fn of_file(fd: BorrowedFd<'_>, len: usize) -> Result<Self> {
        // SAFETY: without MAP_FIXED the kernel takes a free range, so that no memory of ours is replaced.
        let addr = unsafe { mmap(null_mut(), len, PROT, FLAGS, fd, 0) }?;
        Ok(Self { addr: addr.cast(), len })
    }

    /// Maps `len` bytes of nothing, shared with forks, to be read and written.
    pub fn anonymous(len: usize) -> Result<Self> {
        // SAFETY: as in `of_file`.
        let addr = unsafe { mmap_anonymous(null_mut(), len, PROT, FLAGS) }?;
        Ok(Self { addr: addr.cast(), len })
    }

    /// Bytes of it.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        self.len
    }

    /// Byte `at` of the mapping, with `len` bytes from there on.
    #[must_use]
    pub fn bytes(&self, at: usize, len: usize) -> *mut u8 {
        assert!(at <= self.len && len <= self.len - at, "the bytes are in the mapping");
        self.addr.wrapping_add(at)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped for this and is unmapped once; whoever borrowed it has given it back.
        let result = unsafe { munmap(self.addr.cast(), self.len) };
        debug_assert!(result.is_ok(), "munmap of a mapping of ours succeeds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_file::{memfd, write_all};
    use std::os::fd::AsFd;

    #[test]
    fn shows_the_bytes_of_a_file() {
        let file = memfd(c"test", 8192).expect("a memfd");
        write_all(file.as_fd(), b"x", 4096).expect("room");
        let mapping = Mapping::of_file(file.as_fd(), 8192).expect("a mapping");
        assert_eq!(mapping.byte_count(), 8192);
        // SAFETY: the byte is in the mapping, and nobody writes it now.
        assert_eq!(unsafe { mapping.bytes(4096, 1).read() }, b'x');
    }

    #[test]
    #[should_panic(expected = "in the mapping")]
    fn has_no_bytes_behind_its_end() {
        let mapping = Mapping::anonymous(4096).expect("a mapping");
        let _beyond = mapping.bytes(4095, 2);
    }
}
