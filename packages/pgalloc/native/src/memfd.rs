//! A memfd that grows by chunks. Nothing here knows of JavaScript.

use crate::sys;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::io::{Errno, Result};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use std::ffi::c_void;
use std::ptr::{NonNull, null_mut};

/// Bytes of a chunk, by which the file grows: 1 GiB.
pub const CHUNK_BYTES: usize = 1 << 30;

const PAGE_BYTES: usize = 1 << 12;

/// A memory file whose pages may hold code that runs. It never shrinks: a mapping of it cannot be cut short by
/// whoever holds the descriptor.
#[derive(Debug)]
pub struct Memfd {
    fd: OwnedFd,
    /// Where each chunk was mapped last; a number, because whoever was lent a chunk decides how long it is.
    chunks: Vec<usize>,
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
        Ok(Self { fd, chunks: Vec::new() })
    }

    /// The descriptor; it is this object's to close.
    pub fn raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Maps the first `len` bytes of chunk `index`: one of those there are, or the next one, by which the file grows.
    /// Errors: `EINVAL` for any other chunk or length, `EFBIG` past `RLIMIT_FSIZE`, `ENOMEM` from mmap(2).
    pub fn map_chunk(&mut self, index: u32, len: usize) -> Result<Mapping> {
        let index = index as usize;
        if index > self.chunks.len() || len == 0 || len > CHUNK_BYTES {
            return Err(Errno::INVAL);
        }
        let start = (index * CHUNK_BYTES) as u64;
        if index == self.chunks.len() {
            ftruncate(&self.fd, start + CHUNK_BYTES as u64)?;
        }
        let mapping = Mapping::map(self.fd.as_fd(), start, len)?;
        match self.chunks.get_mut(index) {
            Some(base) => *base = mapping.as_ptr().addr(),
            None => self.chunks.push(mapping.as_ptr().addr()),
        }
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

    /// Marks in the lowest bit of each of `marks` whether the page has memory, from the page at `at` on, mincore(2). It
    /// takes time for the pages that are asked for, where lseek(2) would go on to the end of the memory around them.
    /// Errors: `ENOMEM` for what is not mapped.
    pub fn mark_resident(&self, at: u64, marks: &mut [u8]) -> Result<()> {
        let mut offset = usize::try_from(at).map_err(|_| Errno::NOMEM)?;
        let mut rest = marks;
        while !rest.is_empty() {
            let base = *self.chunks.get(offset / CHUNK_BYTES).ok_or(Errno::NOMEM)?;
            let within = offset % CHUNK_BYTES;
            let count = rest.len().min((CHUNK_BYTES - within) / PAGE_BYTES);
            let (now, later) = rest.split_at_mut(count);
            sys::mincore(base + within, now)?;
            offset += count * PAGE_BYTES;
            rest = later;
        }
        Ok(())
    }

    /// Bytes that the host has committed to the file.
    pub fn committed_bytes(&self) -> Result<u64> {
        Ok(fstat(&self.fd)?.st_blocks.unsigned_abs() * 512)
    }
}

/// The beginning of a chunk in this process's address space, unmapped on drop.
#[derive(Debug)]
pub struct Mapping {
    addr: NonNull<c_void>,
    len: usize,
}

// SAFETY: a mapping is an address range that belongs to the process, not to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn map(fd: BorrowedFd<'_>, start: u64, len: usize) -> Result<Self> {
        let prot = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: without MAP_FIXED the kernel takes a free range, so that no memory of ours is replaced.
        let addr = unsafe { mmap(null_mut(), len, prot, MapFlags::SHARED | MapFlags::NORESERVE, fd, start) }?;
        let mapping = Self {
            addr: NonNull::new(addr).ok_or(Errno::NOMEM)?,
            len,
        };
        // SAFETY: the range is the mapping just made. The advice only keeps guest memory out of core dumps.
        unsafe { madvise(addr, len, Advice::LinuxDontDump) }?;
        Ok(mapping)
    }

    /// The first of its bytes, as many as were asked for.
    pub fn as_ptr(&self) -> *mut u8 {
        self.addr.as_ptr().cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `map` and is unmapped once; whoever borrowed the bytes has given them back.
        let result = unsafe { munmap(self.addr.as_ptr(), self.len) };
        debug_assert!(result.is_ok(), "munmap of a mapping of ours succeeds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte(mapping: &Mapping, at: usize) -> *mut u8 {
        assert!(at < mapping.len);
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
        let first = file.map_chunk(0, CHUNK_BYTES).expect("chunk 0");
        let second = file.map_chunk(1, CHUNK_BYTES).expect("chunk 1");
        store(&first, CHUNK_BYTES - 1, 7);
        store(&second, 0, 8);

        let mut bytes = [0; 2];
        rustix::io::pread(&file.fd, &mut bytes, CHUNK_BYTES as u64 - 1).expect("pread");
        assert_eq!(bytes, [7, 8]);
    }

    #[test]
    fn mappings_of_one_chunk_show_the_same_memory() {
        let mut file = Memfd::create("test").expect("memfd");
        let small = file.map_chunk(0, 4096).expect("a page");
        let whole = file.map_chunk(0, CHUNK_BYTES).expect("the chunk");
        store(&small, 4095, 7);
        assert_eq!(load(&whole, 4095), 7);
    }

    #[test]
    fn chunks_come_one_after_the_other_and_are_no_longer_than_a_chunk() {
        let mut file = Memfd::create("test").expect("memfd");
        let refused = [(1, 4096), (0, 0), (0, CHUNK_BYTES + 1)];
        for (index, len) in refused {
            assert_eq!(file.map_chunk(index, len).map(|_| ()), Err(Errno::INVAL));
        }
    }

    #[test]
    fn punched_memory_reads_as_zeros_and_is_not_committed() {
        let mut file = Memfd::create("test").expect("memfd");
        let chunk = file.map_chunk(0, CHUNK_BYTES).expect("chunk");
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
        let chunk = file.map_chunk(0, CHUNK_BYTES).expect("chunk");
        store(&chunk, 3 << 12, 1);
        store(&chunk, 4 << 12, 1);
        let mut marks = [9; 6];
        file.mark_resident(1 << 12, &mut marks).expect("mincore");
        assert_eq!(marks, [0, 0, 1, 1, 0, 0]);
    }

    #[test]
    fn memory_is_found_across_chunks_and_not_past_the_last() {
        let mut file = Memfd::create("test").expect("memfd");
        let _first = file.map_chunk(0, CHUNK_BYTES).expect("chunk 0");
        let second = file.map_chunk(1, CHUNK_BYTES).expect("chunk 1");
        store(&second, 0, 1);
        let mut marks = [9; 2];
        file.mark_resident((CHUNK_BYTES - PAGE_BYTES) as u64, &mut marks)
            .expect("mincore");
        assert_eq!(marks, [0, 1]);
        let end = (2 * CHUNK_BYTES) as u64;
        assert_eq!(file.mark_resident(end, &mut marks), Err(Errno::NOMEM));
    }

    #[test]
    fn the_file_cannot_be_shrunk() {
        let mut file = Memfd::create("test").expect("memfd");
        let _chunk = file.map_chunk(0, CHUNK_BYTES).expect("chunk");
        assert_eq!(ftruncate(&file.fd, 0), Err(Errno::PERM));
    }

    #[test]
    fn pages_may_be_executed() {
        let mut file = Memfd::create("test").expect("memfd");
        let _chunk = file.map_chunk(0, CHUNK_BYTES).expect("chunk");
        let prot = ProtFlags::READ | ProtFlags::EXEC;
        // SAFETY: a new mapping at an address that the kernel chooses.
        let addr = unsafe { mmap(null_mut(), 4096, prot, MapFlags::SHARED, &file.fd, 0) }.expect("PROT_EXEC");
        // SAFETY: the mapping just made, which nobody uses.
        unsafe { munmap(addr, 4096) }.expect("munmap");
    }
}
