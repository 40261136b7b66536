//! A memfd that grows by chunks. Nothing here knows of JavaScript.

use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{
    FallocateFlags, MemfdFlags, SealFlags, SeekFrom, fallocate, fcntl_add_seals, fstat, ftruncate, memfd_create, seek,
};
use rustix::io::{Errno, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

/// Bytes of a chunk, which is what is mapped at once: 1 GiB.
pub const CHUNK_BYTES: usize = 1 << 30;

/// A memory file whose pages may hold code that runs. It never shrinks: a mapping of it cannot be cut short by
/// whoever holds the descriptor.
#[derive(Debug)]
pub struct Memfd {
    fd: OwnedFd,
    chunk_count: u32,
}

impl Memfd {
    /// Creates an empty file called `name` in `/proc/PID/maps`. Errors: memfd_create(2).
    pub fn create(name: &str) -> Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Linux before 6.3 does not know MFD_EXEC, and all its memfds are executable.
        let fd = match memfd_create(name, flags | MemfdFlags::EXEC) {
            Err(Errno::INVAL) => memfd_create(name, flags)?,
            other => other?,
        };
        fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::SEAL)?;
        Ok(Self { fd, chunk_count: 0 })
    }

    /// The descriptor; it is this object's to close.
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Grows the file by a chunk and maps it. Errors: `EFBIG` past `RLIMIT_FSIZE`, `ENOMEM` from mmap(2).
    pub fn map_next_chunk(&mut self) -> Result<Mapping> {
        let start = u64::from(self.chunk_count) * CHUNK_BYTES as u64;
        ftruncate(&self.fd, start + CHUNK_BYTES as u64)?;
        let mapping = Mapping::map(self.fd.as_fd(), start)?;
        self.chunk_count += 1;
        Ok(mapping)
    }

    /// Gives the memory of a range back to the host; it reads as zeros then. Errors: fallocate(2).
    pub fn punch(&self, at: u64, len: u64) -> Result<()> {
        fallocate(
            &self.fd,
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            at,
            len,
        )
    }

    /// Where the next memory of `[at, end)` begins, `end` if there is none. Errors: lseek(2).
    pub fn next_data(&self, at: u64, end: u64) -> Result<u64> {
        match seek(&self.fd, SeekFrom::Data(at)) {
            Ok(found) => Ok(found.min(end)),
            Err(Errno::NXIO) => Ok(end),
            Err(errno) => Err(errno),
        }
    }

    /// Where the memory at `at` ends, `end` at most. Errors: lseek(2).
    pub fn next_hole(&self, at: u64, end: u64) -> Result<u64> {
        Ok(seek(&self.fd, SeekFrom::Hole(at))?.min(end))
    }

    /// Bytes that the host has committed to the file.
    pub fn committed_bytes(&self) -> Result<u64> {
        Ok(fstat(&self.fd)?.st_blocks.unsigned_abs() * 512)
    }
}

/// A chunk of the file in this process's address space, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    addr: NonNull<c_void>,
}

// SAFETY: a mapping is an address range that belongs to the process, not to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn map(fd: BorrowedFd<'_>, start: u64) -> Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without MAP_FIXED the kernel takes a free range, so that no memory of ours is replaced.
        let addr = unsafe {
            mmap(
                null_mut(),
                CHUNK_BYTES,
                prot,
                MapFlags::SHARED | MapFlags::NORESERVE,
                fd,
                start,
            )
        }?;
        let mapping = Self {
            addr: NonNull::new(addr).ok_or(Errno::NOMEM)?,
        };
        // SAFETY: the range is the mapping just made. The advice only keeps guest memory out of core dumps.
        unsafe { madvise(addr, CHUNK_BYTES, Advice::LinuxDontDump) }?;
        Ok(mapping)
    }

    /// The first of `CHUNK_BYTES` bytes.
    pub fn as_ptr(&self) -> *mut u8 {
        self.addr.as_ptr().cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map` and is unmapped once; whoever borrowed the bytes has given them back.
        let result = unsafe { munmap(self.addr.as_ptr(), CHUNK_BYTES) };
        debug_assert!(result.is_ok(), "munmap of a mapping of ours succeeds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(mapping: &Mapping, at: usize) -> *mut u8 {
        assert!(at < CHUNK_BYTES);
        mapping.as_ptr().wrapping_add(at)
    }

    fn store(mapping: &Mapping, at: usize, value: u8) {
        // SAFETY: the byte is inside the mapping, which is writable and used by this thread only.
        unsafe { byte(mapping, at).write_volatile(value) }
    }

    fn load(mapping: &Mapping, at: usize) -> u8 {
        // SAFETY: the byte is inside the mapping, which is readable.
        unsafe { byte(mapping, at).read_volatile() }
    }

    #[test]
    fn chunks_are_parts_of_one_file() {
        let mut file = Memfd::create("test").expect("memfd");
        let first = file.map_next_chunk().expect("chunk 0");
        let second = file.map_next_chunk().expect("chunk 1");
        store(&first, CHUNK_BYTES - 1, 7);
        store(&second, 0, 8);

        let mut bytes = [0; 2];
        rustix::io::pread(&file.fd, &mut bytes, CHUNK_BYTES as u64 - 1).expect("pread");
        assert_eq!(bytes, [7, 8]);
    }

    #[test]
    fn punched_memory_reads_as_zeros_and_is_not_committed() {
        let mut file = Memfd::create("test").expect("memfd");
        let chunk = file.map_next_chunk().expect("chunk");
        for page in 0..16 {
            store(&chunk, page << 12, 1);
        }
        assert_eq!(file.committed_bytes(), Ok(16 << 12));

        file.punch(4 << 12, 8 << 12).expect("punch");
        assert_eq!(file.committed_bytes(), Ok(8 << 12));
        assert_eq!(
            [load(&chunk, 3 << 12), load(&chunk, 4 << 12), load(&chunk, 12 << 12)],
            [1, 0, 1]
        );
    }

    #[test]
    fn memory_is_found_where_pages_were_touched() {
        let mut file = Memfd::create("test").expect("memfd");
        let chunk = file.map_next_chunk().expect("chunk");
        store(&chunk, 3 << 12, 1);
        store(&chunk, 4 << 12, 1);
        assert_eq!(file.next_data(0, 16 << 12), Ok(3 << 12));
        assert_eq!(file.next_hole(3 << 12, 16 << 12), Ok(5 << 12));
        assert_eq!(file.next_hole(3 << 12, 4 << 12), Ok(4 << 12));
        assert_eq!(file.next_data(5 << 12, 16 << 12), Ok(16 << 12));
        assert_eq!(file.next_data(0, 2 << 12), Ok(2 << 12));
    }

    #[test]
    fn the_file_cannot_be_shrunk() {
        let mut file = Memfd::create("test").expect("memfd");
        let _chunk = file.map_next_chunk().expect("chunk");
        assert_eq!(ftruncate(&file.fd, 0), Err(Errno::PERM));
    }

    #[test]
    fn pages_may_be_executed() {
        let mut file = Memfd::create("test").expect("memfd");
        let _chunk = file.map_next_chunk().expect("chunk");
        let prot = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let addr = unsafe { mmap(null_mut(), 4096, prot, MapFlags::SHARED, &file.fd, 0) }.expect("PROT_EXEC");
        // SAFETY: the mapping just made, which nobody uses.
        unsafe { munmap(addr, 4096) }.expect("munmap");
    }
}
