//! The context pages, and the list of contexts that JavaScript has resumed.

use mailbox::{CONTEXT_BYTES, ContextPage, FLAG_REGS_CHANGED, Registers, STATE_GUEST, STATE_KERNEL};
use std::sync::Arc;
use stub_host::Result;
use stub_host::mapping::Mapping;

/// Contexts that can exist at once. Their pages are 48 MiB: V8, which takes lent memory for objects in use,
/// collects garbage when it hears of 64 MiB.
pub const CONTEXT_MAX: u32 = 12 * 1024;

/// Where the list of resumed contexts begins: a count, then indices, as u32.
pub const RESUMED_AT: usize = CONTEXT_MAX as usize * CONTEXT_BYTES;
const TOTAL_BYTES: usize = RESUMED_AT + (CONTEXT_MAX as usize + 1) * 4;

/// Why a guest stopped.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stop {
    /// `REASON_*`.
    pub reason: u32,
    /// Signal of a fault.
    pub signo: u32,
    /// `si_code` of a fault.
    pub sig_code: i32,
    /// `si_addr` of a fault.
    pub fault_addr: u64,
    /// Error code of a page fault.
    pub fault_error: u32,
    /// Trap number of a fault.
    pub fault_trapno: u32,
}

/// Memory that is shared with JavaScript on the same thread: neither runs while the other does.
#[derive(Debug)]
pub struct ContextPages {
    memory: Arc<Mapping>,
}

impl ContextPages {
    /// Maps the pages; the host commits those that are used.
    pub fn map() -> Result<Self> {
        Ok(Self {
            memory: Arc::new(Mapping::anonymous(TOTAL_BYTES)?),
        })
    }

    /// The memory, for a buffer that may outlive this.
    #[must_use]
    pub fn memory(&self) -> Arc<Mapping> {
        Arc::clone(&self.memory)
    }

    /// Copy of the registers of a context.
    #[must_use]
    pub fn regs(&self, index: u32) -> Registers {
        // SAFETY: the page is mapped, aligned, and only this thread uses it now.
        unsafe { (*self.page(index)).regs }
    }

    /// Sets the registers of a context.
    pub fn set_regs(&mut self, index: u32, regs: &Registers) {
        // SAFETY: as in `regs`.
        unsafe { (*self.page(index)).regs = *regs };
    }

    /// Clears the page of a new context.
    pub fn clear(&mut self, index: u32) {
        // SAFETY: as in `regs`; all fields may be zero.
        unsafe { self.page(index).write_bytes(0, 1) };
    }

    /// Says that the guest runs.
    pub fn hand_to_guest(&mut self, index: u32) {
        // SAFETY: as in `regs`.
        let page = unsafe { &mut *self.page(index) };
        page.state = STATE_GUEST;
        page.flags &= !FLAG_REGS_CHANGED;
    }

    /// Says why the guest stopped. Its registers were written before.
    pub fn hand_to_kernel(&mut self, index: u32, stop: &Stop) {
        // SAFETY: as in `regs`.
        let page = unsafe { &mut *self.page(index) };
        page.reason = stop.reason;
        page.signo = stop.signo;
        page.sig_code = stop.sig_code;
        page.fault_addr = stop.fault_addr;
        page.fault_error = stop.fault_error;
        page.fault_trapno = stop.fault_trapno;
        page.restart_ip = match stop.reason {
            mailbox::REASON_SYSCALL => page.regs.rip.wrapping_sub(SYSCALL_BYTES),
            _ => page.regs.rip,
        };
        page.state = STATE_KERNEL;
    }

    /// The contexts that JavaScript has resumed since it was asked last, one a call; None at the end.
    pub fn take_resumed(&mut self, cursor: &mut u32) -> Option<u32> {
        let list = self.resumed();
        // SAFETY: the count is inside the mapping.
        let count = unsafe { list.read() };
        if *cursor >= count.min(CONTEXT_MAX) {
            // SAFETY: as before.
            unsafe { list.write(0) };
            return None;
        }
        *cursor += 1;
        // SAFETY: the cursor is at most CONTEXT_MAX, and the list has room for as many indices.
        Some(unsafe { list.wrapping_add(*cursor as usize).read() }.min(CONTEXT_MAX - 1))
    }

    /// Takes a context out of the list of resumed ones.
    pub fn forget_resumed(&mut self, index: u32) {
        let list = self.resumed();
        // SAFETY: the count is inside the mapping.
        let count = unsafe { list.read() }.min(CONTEXT_MAX) as usize;
        let mut kept = 0;
        for from in 1..=count {
            // SAFETY: `from` is at most CONTEXT_MAX.
            let resumed = unsafe { list.wrapping_add(from).read() };
            if resumed != index {
                kept += 1;
                // SAFETY: `kept` is at most `from`.
                unsafe { list.wrapping_add(kept as usize).write(resumed) };
            }
        }
        // SAFETY: as for the read.
        unsafe { list.write(kept) };
    }

    fn resumed(&self) -> *mut u32 {
        self.memory.bytes(RESUMED_AT, TOTAL_BYTES - RESUMED_AT).cast()
    }

    fn page(&self, index: u32) -> *mut ContextPage {
        self.memory.bytes(index as usize * CONTEXT_BYTES, CONTEXT_BYTES).cast()
    }
}

/// Length of the `syscall` instruction.
const SYSCALL_BYTES: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn resume(pages: &mut ContextPages, indices: &[u32]) {
        let list = pages.resumed();
        for (at, index) in indices.iter().enumerate() {
            // SAFETY: the list has room.
            unsafe { list.wrapping_add(at + 1).write(*index) };
        }
        // SAFETY: as above.
        unsafe { list.write(u32::try_from(indices.len()).expect("small")) };
    }

    fn take_all(pages: &mut ContextPages) -> Vec<u32> {
        let mut cursor = 0;
        std::iter::from_fn(|| pages.take_resumed(&mut cursor)).collect()
    }

    #[test]
    fn resumed_contexts_are_taken_once_in_order() {
        let mut pages = ContextPages::map().expect("pages");
        resume(&mut pages, &[5, 2, 9]);
        assert_eq!(take_all(&mut pages), [5, 2, 9]);
        assert_eq!(take_all(&mut pages), []);
    }

    #[test]
    fn a_forgotten_context_is_not_taken() {
        let mut pages = ContextPages::map().expect("pages");
        resume(&mut pages, &[5, 2, 9]);
        pages.forget_resumed(2);
        assert_eq!(take_all(&mut pages), [5, 9]);
    }

    #[test]
    fn a_restarted_call_begins_at_the_syscall_instruction() {
        let mut pages = ContextPages::map().expect("pages");
        pages.set_regs(
            3,
            &Registers {
                rip: 0x1002,
                ..Registers::default()
            },
        );
        pages.hand_to_kernel(
            3,
            &Stop {
                reason: mailbox::REASON_SYSCALL,
                ..Stop::default()
            },
        );
        // SAFETY: the page is mapped.
        let page = unsafe { *pages.page(3) };
        assert_eq!((page.restart_ip, page.state), (0x1000, STATE_KERNEL));
    }
}
