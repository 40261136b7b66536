//! An address space as the sentry knows it: a stub process, its threads, and the changes that wait to be made.

use crate::process::Process;
use stub_systrap::layout::{Call, MEMORY_FD, PAGE_BYTES};

/// `mmap`'s number.
pub const SYS_MMAP: u64 = 9;
const SYS_MPROTECT: u64 = 10;
const SYS_MUNMAP: u64 = 11;
const MAP_SHARED: u64 = 1;
const MAP_PRIVATE: u64 = 2;
const MAP_FIXED: u64 = 0x10;
/// Guest memory is accounted by the sentry, not reserved by the host.
const MAP_NORESERVE: u64 = 0x4000;

/// A stub process.
#[derive(Debug)]
pub struct AddressSpace {
    /// The process.
    pub process: Process,
    /// Contexts in use.
    pub contexts: Vec<u32>,
    /// Contexts whose thread waits for another use. A thread keeps its context number as long as it lives.
    pub spares: Vec<u32>,
    /// The context of the process's first thread, which it makes by itself, until it is known to have read that request.
    pub first: Option<u32>,
    queue: Vec<Call>,
    fds: Vec<i32>,
}

impl AddressSpace {
    /// One whose process was just made, and makes the thread of context `first`.
    #[must_use]
    pub fn new(process: Process, first: u32) -> Self {
        Self {
            process,
            contexts: Vec::new(),
            spares: vec![first],
            first: Some(first),
            queue: Vec::new(),
            fds: Vec::new(),
        }
    }

    /// Queues a mapping of the memory file.
    pub fn map_memory(&mut self, addr: u64, len: u64, prot: u64, pfn: u64) {
        let flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE;
        let fd = MEMORY_FD.unsigned_abs().into();
        self.push(SYS_MMAP, [addr, len, prot, flags, fd, pfn * PAGE_BYTES]);
    }

    /// Queues a mapping of a descriptor of the stubs, which is released when that is done.
    pub fn map_fd(&mut self, (addr, len): (u64, u64), prot: u64, (fd, offset): (i32, u64), is_shared: bool) {
        let flags = MAP_FIXED | MAP_NORESERVE | if is_shared { MAP_SHARED } else { MAP_PRIVATE };
        self.fds.push(fd);
        self.push(SYS_MMAP, [addr, len, prot, flags, fd.unsigned_abs().into(), offset]);
    }

    /// Queues the end of a range's mappings.
    pub fn unmap(&mut self, addr: u64, len: u64) {
        self.push(SYS_MUNMAP, [addr, len, 0, 0, 0, 0]);
    }

    /// Queues a change of protection.
    pub fn protect(&mut self, addr: u64, len: u64, prot: u64) {
        self.push(SYS_MPROTECT, [addr, len, prot, 0, 0, 0]);
    }

    /// Takes the changes that wait, and the descriptors to release when they are made.
    pub fn take_queue(&mut self) -> (Vec<Call>, Vec<i32>) {
        (core::mem::take(&mut self.queue), core::mem::take(&mut self.fds))
    }

    /// Queues a call; one that continues the last is joined to it.
    fn push(&mut self, nr: u64, args: [u64; 6]) {
        if let Some(last) = self.queue.last_mut()
            && continues(last, nr, &args)
        {
            last.args[1] += args[1];
            return;
        }
        self.queue.push(Call { nr, args });
    }
}

/// Whether a call does to the range behind `last`'s what that does to its own.
fn continues(last: &Call, nr: u64, args: &[u64; 6]) -> bool {
    let [addr, len, prot, flags, fd, offset] = last.args;
    let is_alike = last.nr == nr && addr + len == args[0] && [prot, flags, fd] == args[2..5];
    is_alike && (nr != SYS_MMAP || offset + len == args[5])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(calls: &[(u64, [u64; 6])]) -> usize {
        let mut queue: Vec<Call> = Vec::new();
        for (nr, args) in calls {
            match queue.last_mut() {
                Some(last) if continues(last, *nr, args) => last.args[1] += args[1],
                _ => queue.push(Call { nr: *nr, args: *args }),
            }
        }
        queue.len()
    }

    #[test]
    fn changes_that_continue_each_other_are_one() {
        assert_eq!(
            joined(&[
                (9, [0x1000, 0x1000, 3, 1, 0, 0x5000]),
                (9, [0x2000, 0x1000, 3, 1, 0, 0x6000])
            ]),
            1
        );
        assert_eq!(
            joined(&[(11, [0x1000, 0x1000, 0, 0, 0, 0]), (11, [0x2000, 0x3000, 0, 0, 0, 0])]),
            1
        );
    }

    #[test]
    fn changes_that_differ_stay_apart() {
        assert_eq!(
            joined(&[
                (9, [0x1000, 0x1000, 3, 1, 0, 0x5000]),
                (9, [0x2000, 0x1000, 3, 1, 0, 0x8000])
            ]),
            2
        );
        assert_eq!(
            joined(&[(10, [0x1000, 0x1000, 3, 0, 0, 0]), (10, [0x2000, 0x1000, 1, 0, 0, 0])]),
            2
        );
        assert_eq!(
            joined(&[(11, [0x1000, 0x1000, 0, 0, 0, 0]), (11, [0x3000, 0x1000, 0, 0, 0, 0])]),
            2
        );
    }
}
