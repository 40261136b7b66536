//! The tracer: contexts are resumed, and their stops told, by the one thread that all of this is for.

mod contexts;
mod spaces;

use crate::address_space::AddressSpace;
use crate::affinity::Processors;
use crate::alarm::Alarm;
use crate::bell::Bell;
use crate::context::{ANYWHERE, Context, State};
use crate::context_pages::{ContextPages, Stop};
use crate::control::Control;
use crate::ptrace::{self, Event};
use crate::registers;
use crate::thread_table::{Role, ThreadTable};
use crate::tracee::Failure;
use crate::zygote::Zygote;
use mailbox::{REASON_DEAD, REASON_INTERRUPTED, Registers};
use std::collections::VecDeque;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};
use stub_host::processors::processor;
use stub_host::start_error::{StartError, at};
use stub_host::{Errno, Result, Tid};

/// How long `next_stop` waits for guests that run next to the tracer.
const NEAR_WAIT: Duration = Duration::from_micros(500);
/// A guest that has run so long next to the tracer is let go elsewhere if another is there too.
const NEAR_RUN_MAX: Duration = Duration::from_millis(1);
/// How long a sleep is at most when nothing can end it, because the bell is gone.
const DEAF_SLEEP: Duration = Duration::from_millis(10);

/// All stubs of a sandbox.
#[derive(Debug)]
pub struct Tracer {
    pub(crate) pages: ContextPages,
    control: Control,
    zygote: Zygote,
    bell: Bell,
    alarm: Alarm,
    processors: Processors,
    /// Where the zygote runs: next to the tracer, which waits while it works.
    zygote_processor: i32,
    threads: ThreadTable,
    contexts: Vec<Context>,
    free_contexts: Vec<u32>,
    spaces: Vec<Option<AddressSpace>>,
    free_spaces: Vec<u32>,
    /// Contexts whose stop was not told yet.
    ready: VecDeque<u32>,
    running_count: u32,
    /// The context that was resumed last.
    last_started: u32,
    /// Those of the running that run next to the tracer.
    near_count: u32,
    dying_count: u32,
    spread_at: Instant,
    /// FP state of a new process.
    initial_fp: Vec<u8>,
    fp: Vec<u8>,
    is_bell_rung: bool,
    is_bell_gone: bool,
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
        ptrace::ignore_child_stops();
        let mut control = Control::create().map_err(at("the control file"))?;
        let zygote = Zygote::start(memory_fd, &mut control)?;
        let mut tracer = Self {
            pages: ContextPages::map().map_err(at("the context pages"))?,
            bell: Bell::of(zygote.bell_pid).map_err(at("pidfd_open"))?,
            alarm: Alarm::create().map_err(at("timer_create"))?,
            processors: Processors::of_this_thread().map_err(at("sched_getaffinity"))?,
            control,
            zygote,
            zygote_processor: ANYWHERE,
            threads: ThreadTable::default(),
            contexts: Vec::new(),
            free_contexts: Vec::new(),
            spaces: Vec::new(),
            free_spaces: Vec::new(),
            ready: VecDeque::new(),
            running_count: 0,
            last_started: 0,
            near_count: 0,
            dying_count: 0,
            spread_at: Instant::now(),
            initial_fp: vec![0; XSTATE_BYTES_MAX],
            fp: Vec::new(),
            is_bell_rung: false,
            is_bell_gone: false,
        };
        // It was made next to the tracer, and wakes it whatever that does. Where the host forbids it, it stays there.
        let _forbidden = tracer.processors.unpin(tracer.zygote.bell_pid);
        tracer.threads.set(tracer.zygote.pid, Role::Helper);
        tracer.threads.set(tracer.zygote.bell_pid, Role::Helper);
        let xstate_bytes =
            ptrace::get_xstate(tracer.zygote.pid, &mut tracer.initial_fp).map_err(at("PTRACE_GETREGSET"))?;
        tracer.initial_fp.truncate(xstate_bytes);
        tracer.fp = vec![0; xstate_bytes];
        Ok(tracer)
    }

    /// Bytes of an FP state.
    #[must_use]
    pub fn xstate_bytes(&self) -> usize {
        self.initial_fp.len()
    }

    /// What makes a `sleep` end.
    #[must_use]
    pub fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// The context that stopped first of those not told; None when none has.
    pub fn next_stop(&mut self) -> Option<u32> {
        self.start_resumed();
        if self.ready.is_empty() && self.running_count > 0 {
            self.wait_near();
        }
        self.take_ready()
    }

    /// Waits until a context has stopped, the bell was rung, a signal came, or `timeout` has passed (None: never).
    /// Returns whether the bell or a signal ended it, so that the event loop may have work.
    pub fn sleep(&mut self, timeout: Option<Duration>) -> bool {
        self.start_resumed();
        while self.is_quiet() && self.look(-self.zygote.pid, libc::WNOHANG) == Found::Event {}
        let end = timeout.map(|timeout| Instant::now() + timeout);
        while self.is_quiet() {
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            let is_crowded = self.near_count > 0 && self.running_count > 1;
            let limit = [
                left,
                is_crowded.then_some(NEAR_RUN_MAX),
                self.is_bell_gone.then_some(DEAF_SLEEP),
            ];
            let limit = limit.into_iter().flatten().min();
            let start = Instant::now();
            let found = self.block(-self.zygote.pid, limit);
            if found == Found::Signal && limit.is_none_or(|limit| start.elapsed() < limit) {
                // Not the alarm: whoever handles it may want the event loop.
                self.is_bell_rung = true;
            }
            // The tracer leaves its processor to one of them.
            self.spread(Instant::now(), 1);
            if self.is_bell_gone {
                break;
            }
        }
        core::mem::take(&mut self.is_bell_rung)
    }

    /// Makes a running context stop.
    pub fn interrupt(&mut self, index: u32) {
        self.start_resumed();
        let context = &mut self.contexts[index as usize];
        if context.state == State::Running && !context.is_interrupted {
            context.is_interrupted = true;
            // It may be gone; its end is told instead.
            let _gone = ptrace::interrupt(context.tid);
        }
    }

    /// Kills all stubs and waits for their end.
    pub fn close(&mut self) {
        self.zygote.end_all();
    }

    fn take_ready(&mut self) -> Option<u32> {
        let index = self.ready.pop_front()?;
        self.contexts[index as usize].state = State::Stopped;
        Some(index)
    }

    /// Whether nothing ends a sleep now.
    pub fn is_quiet(&self) -> bool {
        self.ready.is_empty() && !self.is_bell_rung
    }

    /// Waits a little for guests that share the tracer's processor: they run when it does not. Others take as long to
    /// wake as a sleep does. It blocks rather than yields, because a thread that has yielded comes after everybody else
    /// on its processor, and one that is woken before.
    fn wait_near(&mut self) {
        let is_near = self.near_count > 0 || !self.processors.are_many();
        let whom = self.only_running().unwrap_or(-self.zygote.pid);
        while self.is_quiet() {
            match self.look(whom, libc::WNOHANG) {
                Found::Event => {}
                Found::Nothing if is_near && self.block(whom, Some(NEAR_WAIT)) == Found::Event => {}
                Found::Nothing | Found::Signal => break,
            }
        }
        if self.ready.is_empty() {
            // The tracer leaves its processor to one of them.
            return self.spread(Instant::now(), 1);
        }
        // Others may have stopped too, and would wait for ever if the first to be found always won.
        while self.running_count > 0 && self.look(-self.zygote.pid, libc::WNOHANG) == Found::Event {}
    }

    /// The thread that runs alone, if it was the last to be resumed. To wait for one thread takes the host no time; to
    /// wait for any, it looks at all.
    fn only_running(&self) -> Option<Tid> {
        let context = self.contexts.get(self.last_started as usize)?;
        (self.running_count == 1 && context.state == State::Running).then_some(context.tid)
    }

    /// Waits for an event, at most for `limit`.
    fn block(&mut self, whom: Tid, limit: Option<Duration>) -> Found {
        if let Some(limit) = limit {
            self.alarm.arm(limit);
        }
        let found = self.look(whom, 0);
        if limit.is_some() {
            self.alarm.disarm();
        }
        found
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
        let Context { tid, space, .. } = self.contexts[index as usize];
        if tid == 0 {
            return self.report(index, &DEAD);
        }
        self.place(index);
        if self.flush_with(space, tid).is_err() {
            // Nobody hears of it otherwise, and its other threads would go on with memory that is not theirs any more.
            self.kill_space(space);
            return self.report(index, &DEAD);
        }
        let regs = match registers::for_host(&self.pages.regs(index)) {
            Ok(regs) => regs,
            Err(fault) => return self.report(index, &fault),
        };
        self.pages.hand_to_guest(index);
        let context = &mut self.contexts[index as usize];
        context.state = State::Running;
        context.resumed_at = Instant::now();
        let now = context.resumed_at;
        self.last_started = index;
        self.running_count += 1;
        self.near_count += u32::from(context.is_near());
        match self.give_regs(index, tid, &regs) {
            // A thread that was killed refuses; its end is told when it is waited for.
            Ok(()) | Err(Errno::SRCH) => {
                let _gone = ptrace::sysemu(tid);
            }
            Err(_) => {
                self.leave_running(index);
                self.report(index, &registers::general_protection());
            }
        }
        self.spread(now, 0);
    }

    fn give_regs(&mut self, index: u32, tid: Tid, regs: &Registers) -> Result<()> {
        match self.contexts[index as usize].held.take() {
            Some(held) if registers::differ_in_rax(&held, regs) => ptrace::set_rax(tid, regs.rax),
            _ => ptrace::set_regs(tid, regs),
        }
    }

    /// Notes that a thread has run stub code.
    fn forget_regs(&mut self, tid: Tid) {
        if let Role::Context(index) = self.threads.get(tid) {
            self.contexts[index as usize].held = None;
        }
    }

    /// Puts a stopped context where it should run.
    fn place(&mut self, index: u32) {
        if !self.processors.are_many() {
            return;
        }
        let context = &mut self.contexts[index as usize];
        let wanted = if context.is_busy_caller() {
            processor()
        } else {
            ANYWHERE
        };
        if context.processor == wanted {
            return;
        }
        let placed = match wanted {
            ANYWHERE => self.processors.unpin(context.tid),
            processor => Processors::pin(context.tid, processor),
        };
        // Where the host forbids it, threads stay where they are.
        if placed.is_ok() {
            context.processor = wanted;
        }
    }

    /// Brings the zygote next to the tracer, to do something for it.
    fn call_zygote(&mut self) -> Tid {
        let processor = processor();
        if self.zygote_processor != processor && Processors::pin(self.zygote.pid, processor).is_ok() {
            self.zygote_processor = processor;
        }
        self.zygote.pid
    }

    /// Sends guests away that compute next to the tracer while others run, but for `kept_count` of them, which may
    /// still go by themselves.
    fn spread(&mut self, now: Instant, kept_count: usize) {
        if self.near_count == 0 || self.running_count < 2 || now < self.spread_at {
            return;
        }
        self.spread_at = now + NEAR_RUN_MAX;
        let processors = &self.processors;
        let is_late = |context: &Context| {
            context.state == State::Running && context.is_near() && now - context.resumed_at >= NEAR_RUN_MAX
        };
        for (count, context) in self.contexts.iter_mut().filter(|context| is_late(context)).enumerate() {
            // It fails only for a thread that is gone.
            let _gone = match count < kept_count {
                true => processors.unpin(context.tid),
                false => processors.evict(context.tid, context.processor),
            };
            context.processor = ANYWHERE;
            self.near_count -= 1;
        }
    }

    /// Notes what one traced thread did, if any of those that wait4(2) calls `whom` did something.
    fn look(&mut self, whom: Tid, flags: i32) -> Found {
        match ptrace::wait(whom, flags) {
            Ok(Some((tid, event))) => {
                self.note(tid, event);
                Found::Event
            }
            Ok(None) => Found::Nothing,
            Err(Errno::CHILD) if flags & libc::WNOHANG == 0 => {
                // All stubs are gone, and nothing will ever end a wait.
                std::thread::sleep(DEAF_SLEEP);
                Found::Nothing
            }
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
            Role::Helper if tid == self.zygote.bell_pid => {
                self.is_bell_rung = true;
                self.is_bell_gone |= ptrace::cont(tid).is_err();
            }
            _ => {}
        }
    }

    fn note_stop(&mut self, index: u32, tid: Tid, event: Event) {
        if self.contexts[index as usize].state != State::Running {
            return;
        }
        let stop = match event {
            Event::Syscall => self.with_regs(index, tid, registers::syscall_stop),
            Event::Interrupt if self.contexts[index as usize].is_interrupted => self.with_regs(index, tid, |_| Stop {
                reason: REASON_INTERRUPTED,
                ..Stop::default()
            }),
            Event::Signal(signo) => self.note_signal(index, tid, signo),
            _ => None,
        };
        match stop {
            Some(stop) => {
                self.contexts[index as usize].count_run();
                self.leave_running(index);
                self.report(index, &stop);
            }
            // An interrupt that came too late, or a signal from outside: the guest is not to know.
            None => {
                let _gone = ptrace::sysemu(tid);
            }
        }
    }

    /// A synchronous signal is the guest's fault; others were sent by somebody to whom the guest does not matter.
    fn note_signal(&mut self, index: u32, tid: Tid, signo: i32) -> Option<Stop> {
        let (sig_code, addr) = ptrace::get_siginfo(tid).ok()?;
        let is_fault = matches!(
            signo,
            libc::SIGSEGV | libc::SIGBUS | libc::SIGFPE | libc::SIGILL | libc::SIGTRAP
        );
        if sig_code <= 0 || !(is_fault || signo == libc::SIGSYS) {
            return None;
        }
        self.with_regs(index, tid, |regs| match signo {
            libc::SIGSYS => registers::vsyscall_stop(regs, addr),
            _ => registers::fault_stop(signo, sig_code, addr),
        })
    }

    /// Puts the registers of a stopped thread into its page; `explain` says why it stopped, and may correct them.
    fn with_regs(&mut self, index: u32, tid: Tid, explain: impl FnOnce(&mut Registers) -> Stop) -> Option<Stop> {
        let mut regs = ptrace::get_regs(tid).ok()?;
        self.contexts[index as usize].held = Some(regs);
        let stop = explain(&mut regs);
        self.pages.set_regs(index, &regs);
        Some(stop)
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
        self.contexts[index as usize].tid = 0;
        if self.contexts[index as usize].state == State::Running {
            self.leave_running(index);
            self.report(index, &DEAD);
        }
    }

    /// Takes a context out of the count of those that run.
    fn leave_running(&mut self, index: u32) {
        self.running_count -= 1;
        self.near_count -= u32::from(self.contexts[index as usize].is_near());
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

/// What clone(2) says, as a process or thread that is made by the kernel sees it.
fn creation_error(failure: Failure) -> Errno {
    match failure {
        Failure::Call(errno @ Errno::NOMEM) => errno,
        _ => Errno::AGAIN,
    }
}
