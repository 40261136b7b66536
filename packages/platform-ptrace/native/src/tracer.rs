//! The tracer: contexts are resumed, and their stops told, by the one thread that all of this is for.

use crate::address_space::AddressSpace;
use crate::alarm::Alarm;
use crate::context::{Context, State};
use crate::context_pages::{CONTEXT_MAX, ContextPages, Stop};
use crate::control::{Control, SPACE_MAX};
use crate::registers;
use crate::sys::{self, Errno, Event, Result, Tid};
use crate::thread_table::{Role, ThreadTable};
use crate::tracee::{self, Failure};
use crate::zygote::{StartError, Zygote};
use mailbox::{REASON_DEAD, REASON_INTERRUPTED, Registers};
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};
use stub::layout::BATCH_MAX;

/// How long `next_stop` waits for a guest that was just resumed. Most system calls of a busy guest are nearer together.
const SPIN: Duration = Duration::from_micros(50);
/// Threads without a context that an address space keeps for new ones.
const SPARE_MAX: usize = 16;
const SYS_EXIT: u64 = 60;

/// All stubs of a sandbox.
#[derive(Debug)]
pub struct Tracer {
    pub(crate) pages: ContextPages,
    control: Control,
    zygote: Zygote,
    alarm: Alarm,
    threads: ThreadTable,
    contexts: Vec<Context>,
    free_contexts: Vec<u32>,
    spaces: Vec<Option<AddressSpace>>,
    free_spaces: Vec<u32>,
    /// Contexts whose stop was not told yet.
    ready: VecDeque<u32>,
    running_count: u32,
    dying_count: u32,
    /// FP state of a new process.
    initial_fp: Vec<u8>,
    fp: Vec<u8>,
    is_bell_rung: bool,
    is_closed: bool,
}

/// What a look for stops found.
#[derive(PartialEq, Eq)]
enum Found {
    /// Something happened; `ready` may have grown.
    Event,
    /// Nothing has happened.
    Nothing,
    /// A signal for this process came.
    Signal,
}

impl Tracer {
    /// Starts the zygote. `memory_fd` is the memory file.
    pub fn start(memory_fd: RawFd) -> core::result::Result<Self, StartError> {
        let at = |step| move |errno| StartError { step, errno };
        sys::ignore_child_stops();
        let mut control = Control::create().map_err(at("the control file"))?;
        let zygote = Zygote::start(memory_fd, &mut control)?;
        let mut threads = ThreadTable::default();
        threads.set(zygote.pid, Role::Helper);
        threads.set(zygote.bell, Role::Helper);
        let mut initial_fp = vec![0; XSTATE_BYTES_MAX];
        let xstate_bytes = sys::get_xstate(zygote.pid, &mut initial_fp).map_err(at("PTRACE_GETREGSET"))?;
        initial_fp.truncate(xstate_bytes);
        Ok(Self {
            pages: ContextPages::map().map_err(at("the context pages"))?,
            alarm: Alarm::create().map_err(at("timer_create"))?,
            control,
            zygote,
            threads,
            contexts: Vec::new(),
            free_contexts: Vec::new(),
            spaces: Vec::new(),
            free_spaces: Vec::new(),
            ready: VecDeque::new(),
            running_count: 0,
            dying_count: 0,
            fp: vec![0; initial_fp.len()],
            initial_fp,
            is_bell_rung: false,
            is_closed: false,
        })
    }

    /// Bytes of an FP state.
    #[must_use]
    pub fn xstate_bytes(&self) -> usize {
        self.initial_fp.len()
    }

    /// The process that ends a `sleep` when it gets a signal.
    #[must_use]
    pub fn bell(&self) -> Tid {
        self.zygote.bell
    }

    /// The context that stopped first of those not told; None when none has.
    pub fn next_stop(&mut self) -> Option<u32> {
        self.start_resumed();
        if self.ready.is_empty() && self.running_count > 0 {
            self.spin();
        }
        self.take_ready()
    }

    /// Waits until a context has stopped, the bell was rung, a signal came, or `timeout` has passed.
    pub fn sleep(&mut self, timeout: Option<Duration>) {
        self.start_resumed();
        while self.ready.is_empty() && !self.is_bell_rung && self.look(libc::WNOHANG) == Found::Event {}
        if !self.ready.is_empty() || core::mem::take(&mut self.is_bell_rung) || timeout == Some(Duration::ZERO) {
            return;
        }
        if let Some(delay) = timeout {
            self.alarm.arm(delay);
        }
        while self.ready.is_empty() && !self.is_bell_rung && self.look(0) == Found::Event {}
        if timeout.is_some() {
            self.alarm.disarm();
        }
        self.is_bell_rung = false;
    }

    /// Makes a running context stop.
    pub fn interrupt(&mut self, index: u32) {
        self.start_resumed();
        let context = &mut self.contexts[index as usize];
        if context.state == State::Running && !context.is_interrupted {
            context.is_interrupted = true;
            // It may be gone; its end is told instead.
            let _gone = sys::interrupt(context.tid);
        }
    }

    fn take_ready(&mut self) -> Option<u32> {
        let index = self.ready.pop_front()?;
        self.contexts[index as usize].state = State::Stopped;
        Some(index)
    }

    fn spin(&mut self) {
        let mut end = None;
        loop {
            match self.look(libc::WNOHANG) {
                Found::Event if self.ready.is_empty() => {}
                Found::Event if self.running_count == 0 => return,
                // Others may have stopped too, and would wait for ever if the first to be found always won.
                Found::Event => {
                    while self.look(libc::WNOHANG) == Found::Event {}
                    return;
                }
                Found::Signal => return,
                Found::Nothing => {
                    let now = Instant::now();
                    if now >= *end.get_or_insert(now + SPIN) {
                        return;
                    }
                    sys::sched_yield();
                }
            }
        }
    }

    fn start_resumed(&mut self) {
        let mut cursor = 0;
        while let Some(index) = self.pages.take_resumed(&mut cursor) {
            if self
                .contexts
                .get(index as usize)
                .is_some_and(|context| context.state == State::Stopped)
            {
                self.start_context(index);
            }
        }
    }

    fn start_context(&mut self, index: u32) {
        let context = self.contexts[index as usize];
        self.contexts[index as usize].is_interrupted = false;
        if context.tid == 0 || self.flush_with(context.space, context.tid).is_err() {
            return self.report(index, &DEAD);
        }
        let regs = match registers::for_host(&self.pages.regs(index)) {
            Ok(regs) => regs,
            Err(fault) => return self.report(index, &fault),
        };
        self.pages.hand_to_guest(index);
        self.contexts[index as usize].state = State::Running;
        self.running_count += 1;
        // A thread that was killed refuses; its end is told when it is waited for.
        if sys::set_regs(context.tid, &regs).is_ok() {
            let _gone = sys::sysemu(context.tid);
        }
    }

    /// Notes what one traced thread did, if any did something.
    fn look(&mut self, flags: i32) -> Found {
        match sys::wait(-self.zygote.pid, flags) {
            Ok(Some((tid, event))) => {
                self.note(tid, event);
                Found::Event
            }
            Ok(None) => Found::Nothing,
            Err(_) => Found::Signal,
        }
    }

    fn note(&mut self, tid: Tid, event: Event) {
        match self.threads.get(tid) {
            Role::Context(index) if event == Event::Gone => self.lose_context(index, tid),
            Role::Context(index) => self.note_stop(index, tid, event),
            Role::Spare(space) if event == Event::Gone => {
                self.threads.set(tid, Role::Unknown);
                if let Some(space) = self.spaces[space as usize].as_mut() {
                    space.spares.retain(|spare| *spare != tid);
                }
            }
            Role::Dying if event == Event::Gone => {
                self.threads.set(tid, Role::Unknown);
                self.dying_count -= 1;
            }
            Role::Helper if tid == self.zygote.bell => {
                self.is_bell_rung = true;
                // One that is gone stays gone: every sleep ends at once then.
                let _gone = sys::cont(tid);
            }
            _ => {}
        }
    }

    fn note_stop(&mut self, index: u32, tid: Tid, event: Event) {
        if self.contexts[index as usize].state != State::Running {
            return;
        }
        let stop = match event {
            Event::Syscall => self.with_regs(index, tid, |regs| Some(registers::syscall_stop(regs))),
            Event::Interrupt if self.contexts[index as usize].is_interrupted => self.with_regs(index, tid, |_| {
                Some(Stop {
                    reason: REASON_INTERRUPTED,
                    ..Stop::default()
                })
            }),
            Event::Signal(signo) => self.note_signal(index, tid, signo),
            _ => None,
        };
        match stop {
            Some(stop) => {
                self.running_count -= 1;
                self.report(index, &stop);
            }
            // An interrupt that came too late, or a signal from outside: the guest is not to know.
            None => {
                let _gone = sys::sysemu(tid);
            }
        }
    }

    /// A synchronous signal is the guest's fault; others were sent by somebody to whom the guest does not matter.
    fn note_signal(&mut self, index: u32, tid: Tid, signo: i32) -> Option<Stop> {
        let (sig_code, addr) = sys::get_siginfo(tid).ok()?;
        let is_fault = matches!(
            signo,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP
        );
        if sig_code <= 0 || !(is_fault || signo == libc::SIGSYS) {
            return None;
        }
        self.with_regs(index, tid, |regs| {
            Some(match signo {
                libc::SIGSYS => registers::vsyscall_stop(regs, addr),
                _ => registers::fault_stop(signo, sig_code, addr),
            })
        })
    }

    fn with_regs(
        &mut self,
        index: u32,
        tid: Tid,
        explain: impl FnOnce(&mut Registers) -> Option<Stop>,
    ) -> Option<Stop> {
        let mut regs = sys::get_regs(tid).ok()?;
        let stop = explain(&mut regs);
        self.pages.set_regs(index, &regs);
        stop
    }

    fn report(&mut self, index: u32, stop: &Stop) {
        self.pages.hand_to_kernel(index, stop);
        let context = &mut self.contexts[index as usize];
        context.state = State::Ready;
        context.is_interrupted = false;
        self.ready.push_back(index);
    }

    fn lose_context(&mut self, index: u32, tid: Tid) {
        self.threads.set(tid, Role::Unknown);
        let context = &mut self.contexts[index as usize];
        context.tid = 0;
        if context.state == State::Running {
            self.running_count -= 1;
            self.report(index, &DEAD);
        }
    }
}

/// What a context is told of that has no thread any more.
const DEAD: Stop = Stop {
    reason: REASON_DEAD,
    signo: 0,
    sig_code: 0,
    fault_addr: 0,
    fault_error: 0,
    fault_trapno: 0,
};

/// More than any processor's FP state.
const XSTATE_BYTES_MAX: usize = 64 * 1024;

/// Address spaces.
impl Tracer {
    /// A new address space without mappings. Errors: `EAGAIN`, `ENOMEM`.
    pub fn create_space(&mut self) -> Result<u32> {
        self.reap();
        self.fork_from(self.zygote.pid)
    }

    /// A copy of an address space. Errors: `EAGAIN`, `ENOMEM`.
    pub fn fork_space(&mut self, space: u32) -> Result<u32> {
        self.reap();
        let tid = self.stopped_thread(space).ok_or(Errno(libc::EAGAIN))?;
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
        self.close_fds(&fds);
        if !space.spares.is_empty() {
            // The leader's ID is not free before all its threads were waited for.
            let _gone = sys::kill(space.leader, libc::SIGKILL);
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
                u32::try_from(self.spaces.len() - 1).map_err(|_| Errno(libc::EAGAIN))?
            }
            None => return Err(Errno(libc::EAGAIN)),
        };
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
    fn flush_with(&mut self, index: u32, tid: Tid) -> core::result::Result<(), Failure> {
        let Some(space) = self.spaces[index as usize].as_mut() else {
            return Err(Failure::Gone);
        };
        if space.queued().is_empty() {
            return Ok(());
        }
        let mut result = Ok(());
        for calls in space.queued().chunks(BATCH_MAX) {
            self.control.write_calls(index, calls);
            result = tracee::batch(tid, calls.len());
            if result.is_err() {
                break;
            }
        }
        let fds = space.clear_queue();
        self.close_fds(&fds);
        result
    }

    fn close_fds(&self, fds: &[i32]) {
        for fd in fds {
            let closed = self.zygote.close_fd(*fd);
            debug_assert!(closed.is_ok(), "the descriptor is the stubs'");
        }
    }

    fn stopped_thread(&self, space: u32) -> Option<Tid> {
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
        while self.dying_count > 0 && self.look(libc::WNOHANG) == Found::Event {}
    }
}

/// Contexts.
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
        self.contexts[index as usize] = Context {
            state: State::Stopped,
            tid,
            space,
            is_interrupted: false,
        };
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
                Err(Errno(libc::EAGAIN))
            }
        }
    }

    /// Ends a guest thread; its thread is kept for the next one.
    pub fn release_context(&mut self, index: u32) {
        self.pages.forget_resumed(index);
        self.stop(index);
        let context = core::mem::replace(&mut self.contexts[index as usize], Context::FREE);
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
        sys::get_xstate(self.contexts[index as usize].tid, dst).map(drop)
    }

    /// Sets the FP state of a stopped context. Errors: `EINVAL`.
    pub fn store_fp(&mut self, index: u32, src: &[u8]) -> Result<()> {
        match sys::set_xstate(self.contexts[index as usize].tid, src) {
            // A context whose thread is gone is told so when it is resumed.
            Err(Errno(libc::ESRCH)) => Ok(()),
            other => other,
        }
    }

    /// Sets the FP state of a new process.
    pub fn reset_fp(&mut self, index: u32) {
        // It fails only when the thread is gone, which is told when it is resumed.
        let _gone = sys::set_xstate(self.contexts[index as usize].tid, &self.initial_fp);
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
        let _gone = sys::interrupt(tid);
        self.running_count -= 1;
        self.contexts[index as usize].state = State::Stopped;
        if !matches!(sys::wait_thread(tid), Ok(event) if event != Event::Gone) {
            self.lose_context(index, tid);
        }
    }

    fn copy_fp(&mut self, from: Option<u32>, tid: Tid) -> Result<()> {
        match from {
            Some(from) => {
                sys::get_xstate(self.contexts[from as usize].tid, &mut self.fp)?;
                sys::set_xstate(tid, &self.fp)
            }
            None => sys::set_xstate(tid, &self.initial_fp),
        }
    }

    fn free_context(&mut self) -> Result<u32> {
        if let Some(index) = self.free_contexts.pop() {
            return Ok(index);
        }
        let index = u32::try_from(self.contexts.len()).map_err(|_| Errno(libc::EAGAIN))?;
        if index >= CONTEXT_MAX {
            return Err(Errno(libc::EAGAIN));
        }
        self.contexts.push(Context::FREE);
        Ok(index)
    }

    fn spare_thread(&mut self, space: u32) -> Result<Tid> {
        if let Some(tid) = self.space(space).spares.pop() {
            return Ok(tid);
        }
        let parent = self.stopped_thread(space).ok_or(Errno(libc::EAGAIN))?;
        tracee::clone_thread(parent).map_err(creation_error)
    }

    /// Kills all stubs and waits for their end.
    pub fn close(&mut self) {
        if core::mem::replace(&mut self.is_closed, true) {
            return;
        }
        // The zygote was not waited for, so that its group is still ours.
        let _gone = sys::kill(-self.zygote.pid, libc::SIGKILL);
        while !matches!(sys::wait(-self.zygote.pid, 0), Err(Errno(libc::ECHILD))) {}
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.close();
    }
}

/// What clone(2) says, as a process or thread that is made by the kernel sees it.
fn creation_error(failure: Failure) -> Errno {
    match failure {
        Failure::Call(errno @ Errno(libc::ENOMEM)) => errno,
        _ => Errno(libc::EAGAIN),
    }
}
