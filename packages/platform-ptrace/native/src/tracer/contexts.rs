//! Contexts: made, changed, ended.

use super::{Tracer, creation_error};
use crate::context::{Context, State};
use crate::context_pages::CONTEXT_MAX;
use crate::ptrace::{self, Event};
use crate::thread_table::Role;
use crate::tracee::{self, Failure};
use stub_host::{Errno, Result, Tid};

/// Threads without a context that an address space keeps for new ones.
const SPARE_MAX: usize = 16;
const SYS_EXIT: u64 = 60;

impl Tracer {
    /// A new guest thread. Errors: `EAGAIN`, `ENOMEM`.
    pub fn create_context(&mut self, space: u32, from: Option<u32>) -> Result<u32> {
        let index = self.free_context()?;
        let tid = match self.spare_thread(space) {
            Ok(tid) => tid,
            Err(errno) => {
                self.free_contexts.push(index);
                return Err(errno);
            }
        };
        self.threads.set(tid, Role::Context(index));
        self.contexts[index as usize] = Context::new(tid, space);
        self.space(space).contexts.push(index);
        self.pages.clear(index);
        if let Some(from) = from {
            let regs = self.pages.regs(from);
            self.pages.set_regs(index, &regs);
        }
        match self.copy_fp(from, tid) {
            Ok(()) => Ok(index),
            Err(_) => {
                self.release_context(index);
                Err(Errno::AGAIN)
            }
        }
    }

    /// Ends a guest thread; its thread is kept for the next one.
    pub fn release_context(&mut self, index: u32) {
        assert!(
            self.contexts[index as usize].state != State::Free,
            "a context is released once"
        );
        self.pages.forget_resumed(index);
        self.stop(index);
        let context = core::mem::replace(&mut self.contexts[index as usize], Context::free());
        if context.state == State::Ready {
            self.ready.retain(|ready| *ready != index);
        }
        self.free_contexts.push(index);
        let Some(space) = self.spaces[context.space as usize].as_mut() else {
            return;
        };
        space.contexts.retain(|other| *other != index);
        if context.tid == 0 {
            return;
        }
        let is_leader = context.tid == space.leader;
        if is_leader || space.spares.len() < SPARE_MAX {
            space.spares.push(context.tid);
            self.threads.set(context.tid, Role::Spare(context.space));
        } else {
            let gone = tracee::call(context.tid, SYS_EXIT, [0; 6]);
            debug_assert!(gone == Err(Failure::Gone), "a thread that exits is gone");
            self.threads.set(context.tid, Role::Unknown);
        }
    }

    /// Copies the FP state of a stopped context.
    pub fn load_fp(&mut self, index: u32, dst: &mut [u8]) -> Result<()> {
        ptrace::get_xstate(self.contexts[index as usize].tid, dst).map(drop)
    }

    /// Sets the FP state of a stopped context. Errors: `EINVAL`.
    pub fn store_fp(&mut self, index: u32, src: &[u8]) -> Result<()> {
        match ptrace::set_xstate(self.contexts[index as usize].tid, src) {
            // A context whose thread is gone is told so when it is resumed.
            Err(Errno::SRCH) => Ok(()),
            other => other,
        }
    }

    /// Sets the FP state of a new process.
    pub fn reset_fp(&mut self, index: u32) {
        // It fails only when the thread is gone, which is told when it is resumed.
        let _gone = ptrace::set_xstate(self.contexts[index as usize].tid, &self.initial_fp);
    }

    /// Waits until a running context has stopped. Whatever it stopped for is dropped.
    fn stop(&mut self, index: u32) {
        let Context {
            state: State::Running,
            tid,
            ..
        } = self.contexts[index as usize]
        else {
            return;
        };
        let _gone = ptrace::interrupt(tid);
        self.leave_running(index);
        self.contexts[index as usize].state = State::Stopped;
        if !matches!(ptrace::wait_thread(tid), Ok(event) if event != Event::Gone) {
            self.lose_context(index, tid);
        }
    }

    fn copy_fp(&mut self, from: Option<u32>, tid: Tid) -> Result<()> {
        match from {
            Some(from) => {
                ptrace::get_xstate(self.contexts[from as usize].tid, &mut self.fp)?;
                ptrace::set_xstate(tid, &self.fp)
            }
            None => ptrace::set_xstate(tid, &self.initial_fp),
        }
    }

    fn free_context(&mut self) -> Result<u32> {
        if let Some(index) = self.free_contexts.pop() {
            return Ok(index);
        }
        let index = u32::try_from(self.contexts.len()).map_err(|_| Errno::AGAIN)?;
        if index >= CONTEXT_MAX {
            return Err(Errno::AGAIN);
        }
        self.contexts.push(Context::free());
        Ok(index)
    }

    fn spare_thread(&mut self, space: u32) -> Result<Tid> {
        if let Some(tid) = self.space(space).spares.pop() {
            return Ok(tid);
        }
        let parent = self.stopped_thread(space).ok_or(Errno::AGAIN)?;
        self.forget_regs(parent);
        tracee::clone_thread(parent).map_err(creation_error)
    }
}
