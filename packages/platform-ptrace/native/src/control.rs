//! The control file: the stub's code, the zygote's scratch page, and a page of queued calls per address space.

use crate::context_pages::CONTEXT_MAX;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use stub::filter::FILTER;
use stub::layout::{CODE_PAGE, Call, FIRST_CONTROL_PAGE, PAGE_BYTES, SCRATCH_ADDR, SCRATCH_PAGE};
use stub_host::mapping::Mapping;
use stub_host::memory_file::{memfd, write_all};
use stub_host::passed_fd::FdRequest;
use stub_host::{Errno, Result};

const PAGE: usize = 4096;

/// Address spaces that can exist at once.
pub const SPACE_MAX: u32 = CONTEXT_MAX;

/// A memfd that this process writes and stubs read.
#[derive(Debug)]
pub struct Control {
    fd: OwnedFd,
    memory: Mapping,
}

impl Control {
    /// Creates the file with the stub's code in it.
    pub fn create() -> Result<Self> {
        let len = (FIRST_CONTROL_PAGE + u64::from(SPACE_MAX)) * PAGE_BYTES;
        let fd = memfd(c"tsv-control", len)?;
        write_all(fd.as_fd(), stub::code::bytes(), 0)?;
        let memory = Mapping::of_file(fd.as_fd(), usize::try_from(len).map_err(|_| Errno::NOMEM)?)?;
        const { assert!(CODE_PAGE == 0, "the code is written at the start") };
        Ok(Self { fd, memory })
    }

    /// The file.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Puts calls into the page of an address space.
    pub fn write_calls(&mut self, space: u32, calls: &[Call]) {
        assert!(calls.len() <= stub::layout::BATCH_MAX, "the calls fit in the page");
        let page = self.page(Self::page_of(space));
        // SAFETY: the page has room for that many calls, and the stubs that read it are stopped.
        unsafe { core::ptr::copy_nonoverlapping(calls.as_ptr(), page.cast(), calls.len()) };
    }

    /// File offset of the page of an address space.
    #[must_use]
    pub fn offset_of(space: u32) -> u64 {
        (FIRST_CONTROL_PAGE + u64::from(space)) * PAGE_BYTES
    }

    /// Puts bytes into the scratch page; their address for the zygote.
    pub fn write_scratch(&mut self, bytes: &[u8]) -> u64 {
        assert!(bytes.len() <= 4096, "the bytes fit in the page");
        // SAFETY: the page has room, and the zygote is stopped.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.scratch(), bytes.len()) };
        SCRATCH_ADDR
    }

    /// Puts the seccomp filter into the scratch page; the address of its `struct sock_fprog` for the zygote.
    pub fn write_filter(&mut self) -> u64 {
        #[repr(C)]
        struct Program {
            len: u16,
            filter: u64,
            instructions: [stub::filter::Instruction; FILTER.len()],
        }
        let filter = SCRATCH_ADDR + core::mem::offset_of!(Program, instructions) as u64;
        let len = u16::try_from(FILTER.len()).unwrap_or(0);
        // SAFETY: the page has room, is aligned, and the zygote is stopped.
        unsafe {
            self.scratch().cast::<Program>().write(Program {
                len,
                filter,
                instructions: FILTER,
            })
        };
        SCRATCH_ADDR
    }

    /// Puts a message for recvmsg(2) of one descriptor into the scratch page; its address for the zygote.
    pub fn write_fd_request(&mut self) -> u64 {
        let request = FdRequest::at(usize::try_from(SCRATCH_ADDR).unwrap_or(0));
        // SAFETY: the page has room, is aligned, and the zygote is stopped.
        unsafe { self.scratch().cast::<FdRequest>().write(request) };
        SCRATCH_ADDR
    }

    /// The descriptor that the zygote has received, in its numbering.
    pub fn received_fd(&self) -> Result<i32> {
        // SAFETY: the zygote has filled in the request and is stopped.
        unsafe { *self.scratch().cast::<FdRequest>() }.received()
    }

    fn scratch(&self) -> *mut u8 {
        self.page(usize::try_from(SCRATCH_PAGE).unwrap_or(0))
    }

    fn page(&self, index: usize) -> *mut u8 {
        self.memory.bytes(index * PAGE, PAGE)
    }

    fn page_of(space: u32) -> usize {
        usize::try_from(FIRST_CONTROL_PAGE).unwrap_or(0) + space as usize
    }
}
