//! Address spaces: made, changed, copied, ended.

use super::{Found, Tracer, creation_error};
use crate::address_space::AddressSpace;
use crate::control::{Control, SPACE_MAX};
use crate::ptrace::{self, Event};
use crate::thread_table::Role;
use crate::tracee::{self, Failure};
use std::os::fd::RawFd;
use stub::layout::BATCH_MAX;
use stub_host::{Errno, Result, Tid};

impl Tracer {
    /// A new address space without mappings. Errors: `EAGAIN`, `ENOMEM`.
    pub fn create_space(&mut self) -> Result<u32> {
        ptrace::ignore_child_stops();
        self.reap();
        let zygote = self.call_zygote();
        self.fork_from(zygote)
    }

    /// A copy of an address space. Errors: `EAGAIN`, `ENOMEM`.
    pub fn fork_space(&mut self, space: u32) -> Result<u32> {
        self.reap();
        let tid = self.stopped_thread(space).ok_or(Errno::AGAIN)?;
        self.flush_with(space, tid)?;
        self.fork_from(tid)
    }

    /// The address space, for changes to queue.
    pub fn space(&mut self, space: u32) -> &mut AddressSpace {
        self.spaces[space as usize]
            .as_mut()
            .expect("the address space was not released")
    }

    /// Queues a mapping of a descriptor of this process's. Errors: `EMFILE`, `EBADF`.
    pub fn map_host_file(
        &mut self,
        space: u32,
        range: (u64, u64),
        prot: u64,
        file: (RawFd, u64),
        is_shared: bool,
    ) -> Result<()> {
        self.call_zygote();
        let fd = self.zygote.give_fd(&mut self.control, file.0)?;
        self.space(space).map_fd(range.0, range.1, prot, fd, file.1, is_shared);
        Ok(())
    }

    /// Makes the queued changes. Without a stopped thread they stay queued.
    pub fn flush(&mut self, space: u32) -> Result<()> {
        match self.stopped_thread(space) {
            Some(tid) => Ok(self.flush_with(space, tid)?),
            None => Ok(()),
        }
    }

    /// Kills the processes of an address space.
    pub fn release_space(&mut self, index: u32) {
        let Some(space) = self.spaces[index as usize].as_mut() else {
            return;
        };
        let fds = space.clear_queue();
        let contexts = core::mem::take(&mut space.contexts);
        for context in contexts {
            self.release_context(context);
        }
        let Some(space) = self.spaces[index as usize].take() else {
            return;
        };
        self.release_fds(&fds);
        if !space.spares.is_empty() {
            // The leader's ID is not free before all its threads were waited for.
            let _gone = ptrace::kill(space.leader, libc::SIGKILL);
        }
        for tid in space.spares {
            self.threads.set(tid, Role::Dying);
            self.dying_count += 1;
        }
        self.free_spaces.push(index);
        self.reap();
    }

    fn fork_from(&mut self, tid: Tid) -> Result<u32> {
        let index = match self.free_spaces.pop() {
            Some(index) => index,
            None if self.spaces.len() < SPACE_MAX as usize => {
                self.spaces.push(None);
                u32::try_from(self.spaces.len() - 1).map_err(|_| Errno::AGAIN)?
            }
            None => return Err(Errno::AGAIN),
        };
        self.forget_regs(tid);
        match tracee::fork(tid, Control::offset_of(index)) {
            Ok(child) => {
                self.threads.set(child, Role::Spare(index));
                self.spaces[index as usize] = Some(AddressSpace::new(child));
                Ok(index)
            }
            Err(failure) => {
                self.free_spaces.push(index);
                Err(creation_error(failure))
            }
        }
    }

    /// Makes the queued changes on a stopped thread of the address space.
    pub(super) fn flush_with(&mut self, index: u32, tid: Tid) -> core::result::Result<(), Failure> {
        let is_idle = |space: &AddressSpace| space.queued().is_empty();
        if self.spaces[index as usize].as_ref().is_some_and(is_idle) {
            return Ok(());
        }
        self.forget_regs(tid);
        let Some(space) = self.spaces[index as usize].as_mut() else {
            return Err(Failure::Gone);
        };
        let mut result = Ok(());
        for calls in space.queued().chunks(BATCH_MAX) {
            self.control.write_calls(index, calls);
            result = tracee::batch(tid, calls.len());
            if result.is_err() {
                break;
            }
        }
        let fds = space.clear_queue();
        self.release_fds(&fds);
        if result == Err(Failure::Gone) {
            self.kill_space(index);
        }
        result
    }

    /// Kills the process of an address space and waits for its end. Its contexts are dead from now on.
    pub(super) fn kill_space(&mut self, index: u32) {
        let Some(space) = self.spaces[index as usize].as_mut() else {
            return;
        };
        let leader = space.leader;
        let tid_of = |index: &u32| self.contexts[*index as usize].tid;
        let mut tids = core::mem::take(&mut space.spares);
        tids.extend(space.contexts.iter().map(tid_of).filter(|tid| *tid != 0));
        if !tids.is_empty() {
            // The leader's ID is not free before all its threads were waited for.
            let _gone = ptrace::kill(leader, libc::SIGKILL);
        }
        // Its end is told last.
        tids.sort_by_key(|tid| *tid == leader);
        for tid in tids {
            while !matches!(ptrace::wait_thread(tid), Ok(Event::Gone) | Err(_)) {}
            match self.threads.get(tid) {
                Role::Context(context) => self.lose_context(context, tid),
                _ => self.threads.set(tid, Role::Unknown),
            }
        }
    }

    fn release_fds(&mut self, fds: &[i32]) {
        for fd in fds {
            let released = self.zygote.release_fd(*fd);
            debug_assert!(released.is_ok(), "the descriptor is the stubs'");
        }
    }

    pub(super) fn stopped_thread(&self, space: u32) -> Option<Tid> {
        let space = self.spaces[space as usize].as_ref()?;
        let of_context = || {
            let contexts = space.contexts.iter().map(|index| &self.contexts[*index as usize]);
            contexts
                .clone()
                .find(|context| context.is_usable())
                .map(|context| context.tid)
        };
        space.spares.last().copied().or_else(of_context)
    }

    /// Collects the ends of threads that were killed.
    fn reap(&mut self) {
        while self.dying_count > 0 && self.look(-self.zygote.pid, libc::WNOHANG) == Found::Event {}
    }
}
