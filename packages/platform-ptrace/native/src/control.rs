//! The control file: the stub's code, the zygote's scratch page, and a page of queued calls per address space.

use crate::context_pages::CONTEXT_MAX;
use crate::sys::{self, Errno, FdMessage, Mapping, Result};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use stub::filter::FILTER;
use stub::layout::{CODE_PAGE, Call, FIRST_CONTROL_PAGE, PAGE_BYTES, SCRATCH_ADDR, SCRATCH_PAGE};

/// Address spaces that can exist at once.
pub const SPACE_MAX: u32 = CONTEXT_MAX;

/// A memfd that this process writes and stubs read.
#[derive(Debug)]
pub struct Control {
    fd: OwnedFd,
    memory: Mapping,
}

/// What the zygote's scratch page holds, one thing at a time.
#[repr(C)]
struct FdRequest {
    message: libc::msghdr,
    iov: libc::iovec,
    control: FdMessage,
    byte: u8,
}

impl Control {
    /// Creates the file with the stub's code in it.
    pub fn create() -> Result<Self> {
        let len = (FIRST_CONTROL_PAGE + u64::from(SPACE_MAX)) * PAGE_BYTES;
        let fd = sys::memfd(c"tsv-control", len)?;
        sys::write_all(fd.as_fd(), stub::code::bytes())?;
        let memory = Mapping::shared(Some(fd.as_fd()), usize::try_from(len).map_err(|_| Errno(libc::ENOMEM))?)?;
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
        let page = self.memory.page(Self::page_of(space));
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
        let at = |offset: usize| core::ptr::without_provenance_mut(offset + usize::try_from(SCRATCH_ADDR).unwrap_or(0));
        let request = self.scratch().cast::<FdRequest>();
        // SAFETY: all bit patterns are valid for the request.
        let mut empty: FdRequest = unsafe { core::mem::zeroed() };
        empty.iov = libc::iovec {
            iov_base: at(core::mem::offset_of!(FdRequest, byte)),
            iov_len: 1,
        };
        empty.message.msg_iov = at(core::mem::offset_of!(FdRequest, iov)).cast();
        empty.message.msg_iovlen = 1;
        empty.message.msg_control = at(core::mem::offset_of!(FdRequest, control));
        empty.message.msg_controllen = size_of::<FdMessage>();
        empty.control.fd = -1;
        // SAFETY: the page has room, is aligned, and the zygote is stopped.
        unsafe { request.write(empty) };
        SCRATCH_ADDR
    }

    /// The descriptor that the zygote has received, in its numbering.
    pub fn received_fd(&self) -> Result<i32> {
        // SAFETY: the zygote has filled in the request and is stopped.
        let control = unsafe { (*self.scratch().cast::<FdRequest>()).control };
        let is_fd = control.level == libc::SOL_SOCKET && control.kind == libc::SCM_RIGHTS && control.fd >= 0;
        if is_fd {
            Ok(control.fd)
        } else {
            Err(Errno(libc::EMFILE))
        }
    }

    fn scratch(&self) -> *mut u8 {
        self.memory.page(usize::try_from(SCRATCH_PAGE).unwrap_or(0))
    }

    fn page_of(space: u32) -> usize {
        usize::try_from(FIRST_CONTROL_PAGE).unwrap_or(0) + space as usize
    }
}
