//! The control file: what stubs and the sentry share. Whatever guests can write in it is untrusted.

#![allow(clippy::cast_possible_truncation, reason = "on x86-64 a usize is a u64")]

use mailbox::{ContextPage, Registers};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use stub_host::mapping::Mapping;
use stub_host::memory_file::{memfd, write_all};
use stub_host::passed_fd::FdRequest;
use stub_host::{Errno, Result};
use stub_systrap::layout::{
    BATCH_MAX, BELL_PAGE, BLOCK_BYTES, BLOCKS_BYTES, CODE_ADDR, CODE_PAGES, CONTEXT_MAX, CONTROL_PAGES, Call,
    DATA_ADDR, FIRST_BLOCK_PAGE, FIRST_CONTEXT_PAGE, FIRST_CONTROL_PAGE, FIRST_STACK_PAGE, FLAGS_END_AT, FP_ADDR_AT,
    GS_AT, INTERRUPT_AT, PAGE_BYTES, RUNS_AT, Request, SCRATCH_ADDR, SCRATCH_PAGE, SLOT_BYTES, SLOTS_ADDR, SPACE_MAX,
    STACK_PAGES, STATE_STARTING, THREAD_ID_AT,
};

const PAGE: usize = 4096;
/// Bytes of a signal stack.
pub const STACK_BYTES: usize = PAGE * STACK_PAGES as usize;

/// The file, mapped.
#[derive(Clone, Debug)]
pub struct Control {
    fd: Arc<OwnedFd>,
    memory: Arc<Mapping>,
}

/// A request to a helper, before it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Order<'calls> {
    /// Calls to make first.
    pub calls: &'calls [Call],
    /// `TAIL_*`.
    pub tail: u32,
    /// `TAIL_FORK`.
    pub control_offset: u64,
    /// `TAIL_*THREAD`: the signal stack, and where the ID goes.
    pub thread: Option<([u64; 3], u64)>,
}

impl Control {
    /// Creates the file with the stub's code and data in it.
    pub fn create() -> Result<Self> {
        let len = CONTROL_PAGES * PAGE_BYTES;
        let fd = memfd(c"tsv-control", len)?;
        write_all(fd.as_fd(), stub_systrap::code::bytes(), 0)?;
        write_all(fd.as_fd(), &stub_systrap::data::build(), DATA_ADDR - CODE_ADDR)?;
        const { assert!(BELL_PAGE >= CODE_PAGES, "the bell is behind the data") };
        let memory = Mapping::of_file(fd.as_fd(), usize::try_from(len).map_err(|_| Errno::NOMEM)?)?;
        Ok(Self {
            fd: Arc::new(fd),
            memory: Arc::new(memory),
        })
    }

    /// The file.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// The memory, for a buffer that may outlive this.
    #[must_use]
    pub fn memory(&self) -> Arc<Mapping> {
        Arc::clone(&self.memory)
    }

    /// A word of the doorbell.
    #[must_use]
    pub fn bell(&self, at: usize) -> &AtomicU32 {
        self.word(BELL_PAGE as usize * PAGE + at)
    }

    /// The state word of a context.
    #[must_use]
    pub fn state(&self, context: u32) -> &AtomicU32 {
        self.word(context_at(context))
    }

    /// The word that says that a context is to stop.
    #[must_use]
    pub fn interrupt(&self, context: u32) -> &AtomicU32 {
        self.word(context_at(context) + INTERRUPT_AT)
    }

    /// How often a context was resumed.
    #[must_use]
    pub fn runs(&self, context: u32) -> u32 {
        self.word(context_at(context) + RUNS_AT).load(SeqCst)
    }

    /// ID of the thread of a context that is its process's first, 0 before it is made. Guests can write it once they run.
    #[must_use]
    pub fn thread_id(&self, context: u32) -> u32 {
        self.word(context_at(context) + THREAD_ID_AT).load(SeqCst)
    }

    /// Prepares the page of a context whose thread is yet to be made. With `is_fast` it can use patched sites.
    pub fn begin_context(&self, context: u32, is_fast: bool) {
        let page = self.memory.bytes(context_at(context), PAGE);
        // SAFETY: the page is mapped, and no stub has it now.
        unsafe { page.write_bytes(0, PAGE) };
        if is_fast {
            let slot = SLOTS_ADDR + SLOT_BYTES * u64::from(context);
            let flags_at = core::mem::offset_of!(ContextPage, regs) + core::mem::offset_of!(Registers, eflags);
            self.set_word(context, GS_AT, slot);
            self.set_word(context, FLAGS_END_AT, slot + flags_at as u64 + 8);
        }
        self.state(context).store(STATE_STARTING, SeqCst);
    }

    /// Sets the registers of a stopped context, and forgets what it has stopped for.
    pub fn set_regs(&self, context: u32, regs: &Registers) {
        let page = self.page(context);
        let first = core::mem::offset_of!(ContextPage, reason);
        let bytes = page.cast::<u8>().wrapping_add(first);
        // SAFETY: the page is mapped and aligned; its thread waits. If a guest writes it at the same time, what is in it
        // is that guest's.
        unsafe { bytes.write_bytes(0, size_of::<ContextPage>() - first) };
        // SAFETY: as above.
        let place = unsafe { &raw mut (*page).regs };
        // SAFETY: as above.
        unsafe { place.write_volatile(*regs) };
        self.interrupt(context).store(0, SeqCst);
    }

    /// Copy of the registers of a stopped context.
    #[must_use]
    pub fn regs(&self, context: u32) -> Registers {
        let page = self.page(context);
        // SAFETY: as in `set_regs`.
        let place = unsafe { &raw const (*page).regs };
        // SAFETY: as in `set_regs`; all bit patterns are valid.
        unsafe { place.read_volatile() }
    }

    /// The FP state of a stopped context, `len` bytes of its signal stack; None if what the page says cannot be.
    #[must_use]
    pub fn fp_state(&self, context: u32, len: usize) -> Option<*mut u8> {
        let addr = self.fp_addr(context);
        let stack = SLOTS_ADDR + SLOT_BYTES * u64::from(context) + PAGE_BYTES;
        let at = usize::try_from(addr.checked_sub(stack)?).ok()?;
        let fits = at.is_multiple_of(64) && at <= STACK_BYTES && len <= STACK_BYTES - at;
        fits.then(|| self.memory.bytes(stack_at(context) + at, len))
    }

    /// Where a context's page says that its FP state is: 0 when it has no signal frame.
    #[must_use]
    pub fn fp_addr(&self, context: u32) -> u64 {
        let addr_at = context_at(context) + FP_ADDR_AT;
        // SAFETY: the page is mapped, and the field is aligned.
        unsafe { self.memory.bytes(addr_at, 8).cast::<u64>().read_volatile() }
    }

    /// Empties a group of blocks that nobody has; its file offset.
    #[must_use]
    pub fn begin_blocks(&self, group: u32) -> u64 {
        let at = blocks_at(group);
        let blocks = self.memory.bytes(at, BLOCKS_BYTES as usize);
        // SAFETY: the blocks are mapped, and no stub has them.
        unsafe { blocks.write_bytes(0, BLOCKS_BYTES as usize) };
        // The first begins with where all others jump to.
        let entry = CODE_ADDR + stub_systrap::code::fast();
        // SAFETY: as above; they are aligned.
        unsafe { blocks.cast::<u64>().write(entry) };
        at as u64
    }

    /// File offset of a group of blocks.
    #[must_use]
    pub fn blocks_offset(&self, group: u32) -> u64 {
        blocks_at(group) as u64
    }

    /// Writes a block that no site jumps to yet.
    pub fn write_block(&self, group: u32, index: u32, bytes: &[u8; BLOCK_BYTES as usize]) {
        let at = index as usize * BLOCK_BYTES as usize;
        assert!(at < BLOCKS_BYTES as usize, "a block is in its group");
        let block = self.memory.bytes(blocks_at(group) + at, bytes.len());
        // SAFETY: the block is mapped and as long; stubs do not execute it.
        unsafe { block.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }

    fn set_word(&self, context: u32, at: usize, value: u64) {
        let word = self.memory.bytes(context_at(context) + at, 8).cast::<u64>();
        // SAFETY: the page is mapped, and the field is aligned.
        unsafe { word.write_volatile(value) };
    }

    /// Writes a request; the helper sees it when the sequence word, which this returns, has changed.
    pub fn write_request(&self, space: u32, order: &Order<'_>) -> &AtomicU32 {
        assert!(order.calls.len() <= BATCH_MAX, "the calls fit");
        let at = control_at(space);
        let page = self.memory.bytes(at, PAGE).cast::<Request>();
        // SAFETY: the page is mapped and aligned, stubs only read it, and its helper waits: nobody else looks now.
        let request = unsafe { &mut *page };
        request.tail = order.tail;
        request.call_count = order.calls.len() as u64;
        request.control_offset = order.control_offset;
        if let Some((signal_stack, id_addr)) = order.thread {
            request.signal_stack = signal_stack;
            request.thread_id_addr = id_addr;
        }
        request.calls[..order.calls.len()].copy_from_slice(order.calls);
        self.word(at)
    }

    /// Writes the first request of a process that is yet to be made; the file offset of its request page.
    #[must_use]
    pub fn begin_space(&self, space: u32, order: &Order<'_>) -> u64 {
        self.write_request(space, order).store(1, SeqCst);
        control_at(space) as u64
    }

    /// Puts a message for recvmsg(2) of one descriptor into the scratch page; its address for the zygote.
    #[must_use]
    pub fn write_fd_request(&self) -> u64 {
        // SAFETY: the page has room, is aligned, and the zygote waits.
        unsafe { self.scratch().write(FdRequest::at(SCRATCH_ADDR as usize)) };
        SCRATCH_ADDR
    }

    /// The descriptor that the zygote has received, in its numbering.
    pub fn received_fd(&self) -> Result<i32> {
        // SAFETY: the zygote has filled in the request and waits.
        unsafe { *self.scratch() }.received()
    }

    fn scratch(&self) -> *mut FdRequest {
        self.memory.bytes(SCRATCH_PAGE as usize * PAGE, PAGE).cast()
    }

    fn page(&self, context: u32) -> *mut ContextPage {
        self.memory.bytes(context_at(context), PAGE).cast()
    }

    fn word(&self, at: usize) -> &AtomicU32 {
        let word = self.memory.bytes(at, 4).cast::<u32>();
        // SAFETY: the word is mapped and aligned for as long as this lives, and used as an atomic by everybody.
        unsafe { AtomicU32::from_ptr(word) }
    }
}

/// Where the page of a context lies in the file.
#[must_use]
pub fn context_at(context: u32) -> usize {
    assert!(context < CONTEXT_MAX, "a context has a page");
    (FIRST_CONTEXT_PAGE as usize + context as usize) * PAGE
}

/// Where the signal stack of a context lies in the file.
#[must_use]
pub fn stack_at(context: u32) -> usize {
    assert!(context < CONTEXT_MAX, "a context has a stack");
    FIRST_STACK_PAGE as usize * PAGE + context as usize * STACK_BYTES
}

/// Where a group of blocks lies in the file.
fn blocks_at(group: u32) -> usize {
    assert!(group < SPACE_MAX, "a group has its pages");
    FIRST_BLOCK_PAGE as usize * PAGE + group as usize * BLOCKS_BYTES as usize
}

fn control_at(space: u32) -> usize {
    assert!(space < SPACE_MAX, "a space has a page");
    (FIRST_CONTROL_PAGE as usize + space as usize) * PAGE
}
