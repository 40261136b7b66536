//! An address space as its tracer knows it: a stub process, its threads, and the changes that wait to be made.

use stub::layout::{Call, MEMORY_FD, PAGE_BYTES};
use stub_host::Tid;

const SYS_MMAP: u64 = 9;
const SYS_MPROTECT: u64 = 10;
const SYS_MUNMAP: u64 = 11;
const MAP_SHARED: u64 = 1;
const MAP_PRIVATE: u64 = 2;
const MAP_FIXED: u64 = 0x10;
/// Guest memory is accounted by the sentry, not reserved by the host.
const MAP_NORESERVE: u64 = 0x4000;
const MAP_POPULATE: u64 = 0x8000;
const PROT_WRITE: u64 = 2;

/// A mapping of the memory file that can be written and has at most this many bytes gets its pages at once.
const FILLED_BYTES_MAX: u64 = 64 << 10;

/// A stub process.
#[derive(Debug)]
pub struct AddressSpace {
    /// Its process ID.
    pub leader: Tid,
    /// Stopped threads without a context.
    pub spares: Vec<Tid>,
    /// Its contexts.
    pub contexts: Vec<u32>,
    queue: Vec<Call>,
    /// Stub descriptors that queued changes use.
    fds: Vec<i32>,
}

impl AddressSpace {
    /// One whose process was just made.
    #[must_use]
    pub fn new(leader: Tid) -> Self {
        Self {
            leader,
            spares: vec![leader],
            contexts: Vec::new(),
            queue: Vec::new(),
            fds: Vec::new(),
        }
    }

    /// Queues a mapping of the memory file. One that continues the last is joined to it.
    pub fn map_memory(&mut self, addr: u64, len: u64, prot: u64, pfn: u64) {
        let offset = pfn * PAGE_BYTES;
        let fd = MEMORY_FD.unsigned_abs().into();
        if let Some(Call {
            nr: SYS_MMAP,
            args: [last, last_len, last_prot, last_flags, last_fd, last_offset],
        }) = self.queue.last_mut()
        {
            let is_alike = *last_flags & MAP_SHARED != 0 && (*last_prot, *last_fd) == (prot, fd);
            if is_alike && *last + *last_len == addr && *last_offset + *last_len == offset {
                *last_len += len;
                *last_flags = memory_flags(*last_len, prot);
                return;
            }
        }
        self.queue.push(Call {
            nr: SYS_MMAP,
            args: [addr, len, prot, memory_flags(len, prot), fd, offset],
        });
    }

    /// Queues a mapping of a descriptor of the stubs, which is closed when that is done.
    pub fn map_fd(&mut self, addr: u64, len: u64, prot: u64, fd: i32, offset: u64, is_shared: bool) {
        let flags = MAP_FIXED | MAP_NORESERVE | if is_shared { MAP_SHARED } else { MAP_PRIVATE };
        self.queue.push(Call {
            nr: SYS_MMAP,
            args: [addr, len, prot, flags, fd.unsigned_abs().into(), offset],
        });
        self.fds.push(fd);
    }

    /// Queues the end of a range's mappings. One that continues the last is joined to it.
    pub fn unmap(&mut self, addr: u64, len: u64) {
        if let Some(Call {
            nr: SYS_MUNMAP,
            args: [last, last_len, ..],
        }) = self.queue.last_mut()
            && *last + *last_len == addr
        {
            *last_len += len;
            return;
        }
        self.queue.push(Call {
            nr: SYS_MUNMAP,
            args: [addr, len, 0, 0, 0, 0],
        });
    }

    /// Queues a change of protection. One that continues the last is joined to it.
    pub fn protect(&mut self, addr: u64, len: u64, prot: u64) {
        if let Some(Call {
            nr: SYS_MPROTECT,
            args: [last, last_len, last_prot, ..],
        }) = self.queue.last_mut()
            && *last + *last_len == addr
            && *last_prot == prot
        {
            *last_len += len;
            return;
        }
        self.queue.push(Call {
            nr: SYS_MPROTECT,
            args: [addr, len, prot, 0, 0, 0],
        });
    }

    /// The changes that wait.
    #[must_use]
    pub fn queued(&self) -> &[Call] {
        &self.queue
    }

    /// Empties the queue; what it needed can be closed.
    pub fn clear_queue(&mut self) -> Vec<i32> {
        self.queue.clear();
        core::mem::take(&mut self.fds)
    }
}

/// `mmap` flags of a mapping of the memory file. A small one that can be written will be, soon: a page copied after a
/// fault is about to be written again. To fill it in at once is several times cheaper than a fault for each page.
fn memory_flags(len: u64, prot: u64) -> u64 {
    let is_filled = prot & PROT_WRITE != 0 && len <= FILLED_BYTES_MAX;
    MAP_SHARED | MAP_FIXED | MAP_NORESERVE | if is_filled { MAP_POPULATE } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(space: &AddressSpace) -> Vec<(u64, u64, u64)> {
        space
            .queued()
            .iter()
            .map(|call| (call.nr, call.args[0], call.args[1]))
            .collect()
    }

    #[test]
    fn changes_that_continue_each_other_are_one() {
        let mut space = AddressSpace::new(1);
        space.map_memory(0x10000, 0x1000, 3, 5);
        space.map_memory(0x11000, 0x2000, 3, 6);
        space.protect(0x10000, 0x1000, 1);
        space.protect(0x11000, 0x1000, 1);
        space.unmap(0x10000, 0x1000);
        space.unmap(0x11000, 0x1000);
        let joined = [
            (SYS_MMAP, 0x10000, 0x3000),
            (SYS_MPROTECT, 0x10000, 0x2000),
            (SYS_MUNMAP, 0x10000, 0x2000),
        ];
        assert_eq!(ranges(&space), joined);
    }

    #[test]
    fn small_mappings_that_can_be_written_are_filled() {
        let is_filled = |maps: &[(u64, u64)]| {
            let mut space = AddressSpace::new(1);
            let mut addr = 0x10000;
            for (len, prot) in maps {
                space.map_memory(addr, *len, *prot, addr / PAGE_BYTES);
                addr += len;
            }
            assert_eq!(space.queued().len(), 1);
            space.queued()[0].args[3] & MAP_POPULATE != 0
        };
        assert!(is_filled(&[(0x1000, 3)]));
        assert!(is_filled(&[(0x1000, 3), (0xf000, 3)]));
        assert!(!is_filled(&[(0x1000, 3), (0x10000, 3)]));
        assert!(!is_filled(&[(0x11000, 3)]));
        assert!(!is_filled(&[(0x1000, 5)]));
    }

    #[test]
    fn changes_that_differ_stay_apart() {
        let mut space = AddressSpace::new(1);
        space.map_memory(0x10000, 0x1000, 3, 5);
        space.map_memory(0x11000, 0x1000, 3, 7);
        space.map_memory(0x12000, 0x1000, 1, 8);
        space.map_memory(0x14000, 0x1000, 1, 9);
        space.protect(0x10000, 0x1000, 1);
        space.protect(0x11000, 0x1000, 3);
        space.unmap(0x10000, 0x1000);
        space.unmap(0x12000, 0x1000);
        assert_eq!(space.queued().len(), 8);
    }
}
