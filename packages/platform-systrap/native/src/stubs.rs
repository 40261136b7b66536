//! All stubs of a sandbox: address spaces and contexts are made, changed and ended by the kernel's thread.

use crate::address_space::{AddressSpace, SYS_MMAP};
use crate::control::{Control, Order, context_at, stack_at};
use crate::doorbell::Doorbell;
use crate::fp_state::{FpFormat, frame_len};
use crate::handover::Handover;
use crate::morgue::Morgue;
use crate::process::{Answers, Process};
use crate::zygote::{ZYGOTE, Zygote};
use crate::{event, futex};
use mailbox::{Registers, STATE_GUEST};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::{AsFd, RawFd};
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use stub_host::memory_file::memfd;
use stub_host::processors::processors;
use stub_host::start_error::{StartError, at};
use stub_host::{Errno, Result, Tid};
use stub_systrap::layout::{
    BATCH_MAX, BLOCKS_ADDR, BLOCKS_BYTES, CONTEXT_MAX, CONTROL_FD, Call, INTERRUPT_SIGNAL, PAGE_BYTES, SLOT_BYTES,
    SLOTS_ADDR, SPACE_MAX, STACK_PAGES, STATE_ASLEEP, STATE_STARTING, STATE_TRAP, TAIL_FIRST_THREAD, TAIL_FORK,
    TAIL_THREAD, THREAD_ID_AT,
};

/// A new thread has begun, and an interrupted one stopped, within this time; or its process is ended.
const THREAD_PATIENCE: Duration = Duration::from_secs(2);
/// Looks at a word before the processor is left to others meanwhile.
const YIELDS: u32 = 100;
const PROT_READ_WRITE: u64 = 3;
const PROT_READ_EXEC: u64 = 5;
const MAP_SHARED_FIXED: u64 = 0x11;
/// `FSGSBASE` in `AT_HWCAP2`: user code may set its segment bases.
const HWCAP2_FSGSBASE: libc::c_ulong = 2;

/// All stubs of a sandbox.
#[derive(Debug)]
pub struct Stubs {
    /// What they share with the sentry.
    pub control: Control,
    /// Where the sentry sleeps.
    pub doorbell: Doorbell,
    answers: Answers,
    morgue: Morgue,
    zygote: Zygote,
    /// Where guests run, and what wakes them.
    pub handover: Rc<RefCell<Handover>>,
    /// The thread and the address space of each context that has one.
    contexts: Vec<Context>,
    free_contexts: Vec<u32>,
    /// By number, from 1.
    spaces: Vec<Option<AddressSpace>>,
    free_spaces: Vec<u32>,
    dead_contexts: VecDeque<u32>,
    fp: FpFormat,
    may_patch: bool,
}

#[derive(Clone, Debug, Default)]
struct Context {
    /// 0 for one that was not seen to have begun.
    tid: Tid,
    space: u32,
    /// The FP state to begin with.
    fp: Option<Vec<u8>>,
}

impl Stubs {
    /// Starts the zygote. `memory_fd` is the memory file; with `may_patch` threads can use patched sites.
    pub fn start(memory_fd: RawFd, may_patch: bool) -> core::result::Result<Self, StartError> {
        // SAFETY: no memory is involved.
        if unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_FSGSBASE == 0 {
            return Err(at("the instructions wrfsbase and wrgsbase")(Errno::NOSYS));
        }
        let control = Control::create().map_err(at("the control file"))?;
        let doorbell = Doorbell::of(control.clone());
        let answers = Answers {
            file: memfd(c"tsv-answer", 0).map_err(at("memfd_create"))?,
            event: event::create().map_err(at("eventfd"))?,
        };
        let morgue = Morgue::start(answers.event.as_fd(), doorbell.clone()).map_err(at("the thread that watches"))?;
        let zygote = Zygote::start(memory_fd, &control, &answers)?;
        morgue
            .watch(zygote.process.pidfd().as_fd(), ZYGOTE.into())
            .map_err(at("epoll_ctl"))?;
        zygote.process.answer(&answers).map_err(at("the set-up of a stub"))?;
        let processors = processors().map_err(at("sched_getaffinity"))?;
        let handover = Handover::new(control.clone(), doorbell.clone(), processors);
        let mut stubs = Self {
            control,
            doorbell,
            answers,
            morgue,
            zygote,
            handover: Rc::new(RefCell::new(handover)),
            contexts: Vec::new(),
            free_contexts: Vec::new(),
            spaces: vec![None],
            free_spaces: Vec::new(),
            dead_contexts: VecDeque::new(),
            fp: FpFormat::of(vec![0; 4096]),
            may_patch,
        };
        stubs.learn_fp().map_err(at("a thread of a stub"))?;
        Ok(stubs)
    }

    /// What FP states look like here.
    #[must_use]
    pub fn fp(&self) -> &FpFormat {
        &self.fp
    }

    /// A new address space without mappings. Errors: `EAGAIN`, `ENOMEM`.
    pub fn create_space(&mut self) -> Result<u32> {
        self.copy_process(None)
    }

    /// A copy of an address space as it is when the queued changes are made. Errors: `EAGAIN`, `ENOMEM`.
    pub fn fork_space(&mut self, space: u32) -> Result<u32> {
        self.copy_process(Some(space))
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
        let fd = self.zygote.give_fd(&self.control, &self.answers, file.0)?;
        self.space(space).map_fd(range, prot, (fd, file.1), is_shared);
        Ok(())
    }

    /// Makes the queued changes. What follows one that fails is not done. A stub that is gone needs none.
    pub fn flush(&mut self, space: u32) -> Result<()> {
        match self.ask_behind_queue(space, &Order::default()) {
            Err(Errno::SRCH) => Ok(()),
            result => result.map(drop),
        }
    }

    /// Makes the queued changes and then what the order says, which has no calls.
    fn ask_behind_queue(&mut self, space: u32, order: &Order<'_>) -> Result<u32> {
        let (calls, fds) = self.space(space).take_queue();
        let (first, last) = calls.split_at(calls.len().saturating_sub(1) / BATCH_MAX * BATCH_MAX);
        let mut result = Ok(0);
        for calls in first.chunks(BATCH_MAX) {
            let order = Order {
                calls,
                ..Order::default()
            };
            result = result.and_then(|_| self.ask(space, &order));
        }
        let order = Order { calls: last, ..*order };
        result = result.and_then(|_| self.ask(space, &order));
        for fd in fds {
            self.zygote.release_fd(&self.control, &self.answers, fd);
        }
        result
    }

    /// Ends the process of an address space, whose contexts are told dead.
    pub fn kill_space(&mut self, index: u32) {
        self.space(index).process.end();
    }

    /// Ends the process of a context's address space.
    pub fn kill_context(&mut self, index: u32) {
        self.kill_space(self.contexts[index as usize].space);
    }

    /// Ends an address space. Nothing of it runs when this returns, whatever its pages say: guests can write those.
    pub fn release_space(&mut self, index: u32) {
        let Some(mut space) = self.spaces[index as usize].take() else {
            return;
        };
        space.process.end();
        for fd in space.take_queue().1 {
            self.zygote.release_fd(&self.control, &self.answers, fd);
        }
        self.free_contexts.extend(space.contexts.iter().chain(&space.spares));
        self.free_spaces.push(index);
    }

    /// A new guest thread, stopped. Errors: `EAGAIN`, `ENOMEM`.
    pub fn create_context(&mut self, space: u32, from: Option<u32>) -> Result<u32> {
        if !self.space(space).process.lives() {
            return Err(Errno::AGAIN);
        }
        let index = match self.space(space).spares.pop() {
            Some(index) => index,
            None => self.create_thread(space)?,
        };
        self.space(space).contexts.push(index);
        let regs = from.map_or_else(Registers::default, |from| self.control.regs(from));
        // A thread that has not begun does not write there when it does.
        self.control.set_regs(index, &regs);
        let mut state = vec![0; self.fp.len()];
        match from {
            Some(from) => self.load_fp(from, &mut state),
            None => state.copy_from_slice(self.fp.initial()),
        }
        self.put_fp(index, &state);
        Ok(index)
    }

    /// A context is about to run: its thread must have begun. Where it cannot its process ends, which is told.
    pub fn begin_context(&mut self, index: u32) {
        if self.contexts[index as usize].tid != 0 || !self.wait_for_state(index, STATE_STARTING) {
            return;
        }
        // No guest code has run in its process.
        let tid = self.control.thread_id(index).cast_signed();
        let context = &mut self.contexts[index as usize];
        context.tid = tid;
        let (space, fp) = (context.space, context.fp.take());
        let of = self.space(space);
        // From now on guests can write what says that the request was read.
        of.first = of.first.filter(|first| *first != index);
        let pid = of.process.pid();
        self.handover.borrow_mut().begin(index, pid, tid);
        if let Some(state) = fp {
            self.put_fp(index, &state);
        }
    }

    /// Ends a guest thread; its thread is kept for the next one.
    pub fn release_context(&mut self, index: u32) {
        let of = self.contexts[index as usize].space;
        self.stop(index);
        if let Some(space) = self.spaces[of as usize].as_mut() {
            space.contexts.retain(|other| *other != index);
            space.spares.push(index);
        }
    }

    /// Makes a running context stop.
    pub fn interrupt(&mut self, index: u32) {
        self.control.interrupt(index).store(1, SeqCst);
        let Context { tid, space, .. } = self.contexts[index as usize];
        self.space(space).process.signal(tid, INTERRUPT_SIGNAL);
    }

    /// Maps a group of blocks into an address space; `is_new` for one that nobody has. Errors: what mmap(2) says.
    pub fn map_blocks(&mut self, space: u32, group: u32, is_new: bool) -> Result<()> {
        let offset = if is_new {
            self.control.begin_blocks(group)
        } else {
            self.control.blocks_offset(group)
        };
        let fd = CONTROL_FD.unsigned_abs().into();
        let calls = [Call {
            nr: SYS_MMAP,
            args: [BLOCKS_ADDR, BLOCKS_BYTES, PROT_READ_EXEC, MAP_SHARED_FIXED, fd, offset],
        }];
        let order = Order {
            calls: &calls,
            ..Order::default()
        };
        self.ask(space, &order).map(drop)
    }

    /// Copies the FP state of a stopped context; zeros when its guest has made its frame invalid.
    pub fn load_fp(&mut self, index: u32, dst: &mut [u8]) {
        if let Some(state) = &self.contexts[index as usize].fp {
            dst.copy_from_slice(state);
            return;
        }
        self.want_frame(index);
        match self.control.fp_state(index, self.fp.len()) {
            // SAFETY: the frame has as many bytes.
            Some(frame) => unsafe { self.fp.take(frame, dst) },
            None => dst.fill(0),
        }
    }

    /// Sets the FP state of a stopped context. Errors: `EINVAL`.
    pub fn store_fp(&mut self, index: u32, src: &[u8]) -> Result<()> {
        if !self.fp.accepts(src) {
            return Err(Errno::INVAL);
        }
        self.put_fp(index, src);
        Ok(())
    }

    /// Sets the FP state of a new process.
    pub fn reset_fp(&mut self, index: u32) {
        let initial = self.fp.initial().to_vec();
        self.put_fp(index, &initial);
    }

    /// A context whose stub has died, each once.
    pub fn take_dead(&mut self) -> Option<u32> {
        for key in self.morgue.take() {
            let index = u32::try_from(key & u64::from(u32::MAX)).unwrap_or(0);
            let space = self.spaces.get(index as usize).and_then(Option::as_ref);
            if let Some(space) = space.filter(|space| !space.process.lives()) {
                self.dead_contexts.extend(&space.contexts);
            }
        }
        self.dead_contexts.pop_front()
    }

    /// Kills all stubs.
    pub fn close(&mut self) {
        for index in 1..self.spaces.len() {
            self.release_space(u32::try_from(index).unwrap_or(0));
        }
        self.zygote.process.end();
    }

    fn ask(&mut self, space: u32, order: &Order<'_>) -> Result<u32> {
        let first = self.spaces.get_mut(space as usize).and_then(Option::as_mut);
        if let Some(first) = first.and_then(|of| of.first.take()) {
            // Where it cannot make one its process has ended, which is what the next request says.
            let _is_made = self.wait_for(first, |control| control.thread_id(first) != 0);
        }
        let Some(Some(of)) = self.spaces.get_mut(space as usize) else {
            return Err(Errno::SRCH);
        };
        of.process.ask(&self.control, space, &self.answers, order)
    }

    /// Forks an address space's process, behind its queued changes, or the zygote. The copy makes its first thread by itself
    /// meanwhile.
    fn copy_process(&mut self, from: Option<u32>) -> Result<u32> {
        let index = match self.free_spaces.pop() {
            Some(index) => index,
            None if self.spaces.len() < SPACE_MAX as usize => {
                self.spaces.push(None);
                u32::try_from(self.spaces.len() - 1).map_err(|_| Errno::AGAIN)?
            }
            None => return Err(Errno::AGAIN),
        };
        let first = match self.take_context(index) {
            Ok(first) => first,
            Err(errno) => {
                self.free_spaces.push(index);
                return Err(errno);
            }
        };
        let order = Order {
            tail: TAIL_FORK,
            control_offset: self
                .control
                .begin_space(index, &thread_order(first, TAIL_FIRST_THREAD).order()),
            ..Order::default()
        };
        let answer = match from {
            Some(from) => self.ask_behind_queue(from, &order),
            None => self.zygote.process.ask(&self.control, ZYGOTE, &self.answers, &order),
        };
        match answer.and_then(|pid| self.adopt(index, pid.cast_signed(), first)) {
            Ok(space) => {
                self.spaces[index as usize] = Some(space);
                Ok(index)
            }
            Err(errno) => {
                self.free_spaces.push(index);
                self.free_contexts.push(first);
                Err(creation_error(errno))
            }
        }
    }

    fn adopt(&mut self, index: u32, pid: Tid, first: u32) -> Result<AddressSpace> {
        let process = Process::of(pid)?;
        // A death that is told late must not be taken for that of a later process of the same number: it is looked at.
        self.morgue.watch(process.pidfd().as_fd(), u64::from(index))?;
        Ok(AddressSpace::new(process, first))
    }

    fn create_thread(&mut self, space: u32) -> Result<u32> {
        if let Some(first) = self.space(space).first {
            self.begin_context(first);
        }
        let index = self.take_context(space)?;
        let begun = self
            .ask(space, &thread_order(index, TAIL_THREAD).order())
            .and_then(|tid| {
                let tid = tid.cast_signed();
                let has_begun = self.wait_for_state(index, STATE_STARTING);
                self.contexts[index as usize].tid = tid;
                let pid = self.space(space).process.pid();
                self.handover.borrow_mut().begin(index, pid, tid);
                if has_begun { Ok(()) } else { Err(Errno::AGAIN) }
            });
        begun.map(|()| index).map_err(|errno| {
            self.free_contexts.push(index);
            creation_error(errno)
        })
    }

    /// A context of an address space whose thread is yet to be made. Errors: `EAGAIN`.
    fn take_context(&mut self, space: u32) -> Result<u32> {
        let index = match self.free_contexts.pop() {
            Some(index) => index,
            None if self.contexts.len() < CONTEXT_MAX as usize => {
                self.contexts.push(Context::default());
                u32::try_from(self.contexts.len() - 1).map_err(|_| Errno::AGAIN)?
            }
            None => return Err(Errno::AGAIN),
        };
        self.control.begin_context(index, self.may_patch);
        self.contexts[index as usize] = Context {
            space,
            ..Context::default()
        };
        Ok(index)
    }

    /// Waits until a context's state is another than `state`; ends its process, and returns false, when it takes too
    /// long.
    fn wait_for_state(&mut self, index: u32, state: u32) -> bool {
        self.wait_for(index, |control| control.state(index).load(SeqCst) != state)
    }

    /// Waits for what the process of a context is to do; ends it, and returns false, when it takes too long.
    fn wait_for(&mut self, index: u32, is_done: impl Fn(&Control) -> bool) -> bool {
        let end = Instant::now() + THREAD_PATIENCE;
        let mut looks = 0u32;
        while !is_done(&self.control) {
            looks += 1;
            if looks <= YIELDS {
                std::thread::yield_now();
                continue;
            }
            std::thread::sleep(Duration::from_micros(50));
            let space = self.contexts[index as usize].space;
            let process = &mut self.space(space).process;
            if !process.lives() {
                return false;
            }
            if Instant::now() > end {
                process.end();
                return false;
            }
        }
        true
    }

    /// Waits until a context is stopped if it runs.
    fn stop(&mut self, index: u32) {
        if self.control.state(index).load(SeqCst) == STATE_GUEST {
            self.interrupt(index);
            // Should it not stop, its process is gone, which is as good.
            let _has_stopped = self.wait_for_state(index, STATE_GUEST);
        }
        self.control.interrupt(index).store(0, SeqCst);
    }

    fn put_fp(&mut self, index: u32, state: &[u8]) {
        let context = &mut self.contexts[index as usize];
        if context.tid == 0 {
            context.fp = Some(state.to_vec());
            return;
        }
        self.want_frame(index);
        if let Some(frame) = self.control.fp_state(index, self.fp.len()) {
            // SAFETY: the frame has as many bytes.
            unsafe { self.fp.put(state, frame) };
        }
    }

    /// Has a stopped thread that came from a patched site make a signal frame.
    fn want_frame(&mut self, index: u32) {
        let state = self.control.state(index);
        if self.control.fp_addr(index) != 0 {
            return;
        }
        if state.swap(STATE_TRAP, SeqCst) == STATE_ASLEEP {
            futex::wake_one(state);
        }
        // Should it make none, its process is gone, or its guest has lied: then there is no FP state either.
        let _has_frame = self.wait_for_state(index, STATE_TRAP);
    }

    /// Looks at a new thread's frame.
    fn learn_fp(&mut self) -> Result<()> {
        let space = self.create_space()?;
        let index = self.space(space).spares.pop().ok_or(Errno::AGAIN)?;
        self.begin_context(index);
        let mut start = [0; 512];
        let frame = self.control.fp_state(index, start.len()).ok_or(Errno::NOSYS)?;
        // SAFETY: the frame has as many bytes.
        unsafe { core::ptr::copy_nonoverlapping(frame, start.as_mut_ptr(), start.len()) };
        let len = frame_len(&start).ok_or(Errno::NOSYS)?;
        let frame = self.control.fp_state(index, len).ok_or(Errno::NOSYS)?;
        let mut initial = vec![0; len];
        // SAFETY: as above.
        unsafe { core::ptr::copy_nonoverlapping(frame, initial.as_mut_ptr(), len) };
        self.fp = FpFormat::of(initial);
        self.space(space).spares.push(index);
        self.release_space(space);
        Ok(())
    }
}

/// A request for a thread, with what it refers to.
struct ThreadOrder {
    calls: [Call; 2],
    tail: u32,
    thread: ([u64; 3], u64),
}

impl ThreadOrder {
    fn order(&self) -> Order<'_> {
        Order {
            calls: &self.calls,
            tail: self.tail,
            thread: Some(self.thread),
            ..Order::default()
        }
    }
}

/// Has a helper map a context's page and signal stack, and make its thread.
fn thread_order(context: u32, tail: u32) -> ThreadOrder {
    let slot = SLOTS_ADDR + SLOT_BYTES * u64::from(context);
    let (stack, stack_bytes) = (slot + PAGE_BYTES, STACK_PAGES * PAGE_BYTES);
    let map = |addr, len, offset: usize| Call {
        nr: SYS_MMAP,
        args: [
            addr,
            len,
            PROT_READ_WRITE,
            MAP_SHARED_FIXED,
            CONTROL_FD.unsigned_abs().into(),
            offset as u64,
        ],
    };
    ThreadOrder {
        calls: [
            map(slot, PAGE_BYTES, context_at(context)),
            map(stack, stack_bytes, stack_at(context)),
        ],
        tail,
        thread: ([stack, 0, stack_bytes], slot + THREAD_ID_AT as u64),
    }
}

impl Drop for Stubs {
    fn drop(&mut self) {
        self.close();
    }
}

/// What clone(2) says, as a process or thread that is made by the kernel sees it.
fn creation_error(errno: Errno) -> Errno {
    match errno {
        Errno::NOMEM => errno,
        _ => Errno::AGAIN,
    }
}
