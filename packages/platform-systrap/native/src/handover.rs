//! Which processors guests run on: when they spin for the sentry, any but its own; when they hand the processor to it and
//! back, its own.
//!
//! To wake a thread on another processor takes some 40 us, on the same one 4. So guests that make calls all the time are
//! kept on the sentry's processor while it is *near* them, and those that compute are sent away. While it is *far*, a guest
//! that was woken on its processor would spin in vain: the one who is to answer waits for the processor. The host's scheduler
//! does that, and leaves the two together for milliseconds.

use crate::control::Control;
use crate::doorbell::Doorbell;
use crate::futex;
use mailbox::STATE_GUEST;
use rustix::thread::CpuSet;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};
use stub_host::processors::{only, place, processor, without};
use stub_host::{Tid, check};

/// A guest that runs for so long without a stop, between two looks, computes.
const LONG_RUN: Duration = Duration::from_micros(500);
/// Wakes of a guest that has computed before it is kept near again.
const BARRED_WAKES: u8 = 16;

/// Where the threads of guests run, and what wakes them.
#[derive(Debug)]
pub struct Handover {
    control: Control,
    doorbell: Doorbell,
    all: CpuSet,
    /// The processor on which the sentry is near.
    home: Option<i32>,
    /// By context.
    threads: Vec<Thread>,
    /// Contexts whose threads may not run anywhere.
    bound: Vec<u32>,
    looked: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    tid: Tid,
    place: Place,
    barred: u8,
    /// Its process.
    pid: Tid,
    /// How often it had been resumed at the last look.
    runs: u32,
    /// Processor time of its process at the first of the looks at which it was at the same run; None before.
    used: Option<Duration>,
}

/// Where a thread may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Anywhere,
    /// On the sentry's processor only.
    Near,
    /// Anywhere but on this processor.
    AwayFrom(i32),
}

impl Handover {
    /// For the guests of a control file; `all` are the processors that they may use.
    #[must_use]
    pub fn new(control: Control, doorbell: Doorbell, all: CpuSet) -> Self {
        Self {
            control,
            doorbell,
            all,
            home: None,
            threads: Vec::new(),
            bound: Vec::new(),
            looked: Instant::now(),
        }
    }

    /// A context has a new thread of process `pid`, which may run anywhere from now on.
    pub fn begin(&mut self, context: u32, pid: Tid, tid: Tid) {
        let index = context as usize;
        if self.threads.len() <= index {
            self.threads.resize(index + 1, Thread::default());
        }
        self.bound.retain(|bound| *bound != context);
        self.threads[index] = Thread {
            tid,
            pid,
            ..Thread::default()
        };
        put(tid, &self.all);
    }

    /// Wakes the thread of a resumed context, which sleeps.
    pub fn wake(&mut self, context: u32) {
        self.bind(context);
        futex::wake_one(self.control.state(context));
    }

    fn bind(&mut self, context: u32) {
        let Some(thread) = self.threads.get_mut(context as usize) else {
            return;
        };
        if self.home.is_some() && thread.barred > 0 {
            thread.barred -= 1;
            return;
        }
        let place = match self.home {
            Some(_) => Place::Near,
            None => Place::AwayFrom(processor()),
        };
        if thread.place == place {
            return;
        }
        if thread.place == Place::Anywhere {
            self.bound.push(context);
        }
        thread.place = place;
        match (place, self.home) {
            (Place::AwayFrom(processor), _) => put(thread.tid, &without(&self.all, processor)),
            (_, home) => put(thread.tid, &home.map_or(self.all, only)),
        }
    }

    /// Waits until a guest stops or the sentry is rung for, at most for a little while. Guests that ran on meanwhile are sent
    /// away.
    pub fn wait(&mut self, limit: Duration) {
        self.doorbell.sleep_briefly(limit);
        let now = Instant::now();
        if now.duration_since(self.looked) >= LONG_RUN {
            self.looked = now;
            self.send_away();
        }
    }

    /// The sentry stays on its processor, and guests come to it.
    pub fn come_near(&mut self) {
        let home = processor();
        put(0, &only(home));
        self.home = Some(home);
        for context in core::mem::take(&mut self.bound) {
            let thread = &mut self.threads[context as usize];
            thread.place = Place::Anywhere;
            put(thread.tid, &self.all);
        }
    }

    /// The sentry may run anywhere, and guests that were near run elsewhere.
    pub fn go_far(&mut self) {
        let Some(home) = self.home.take() else {
            return;
        };
        for context in &self.bound {
            let thread = &mut self.threads[*context as usize];
            thread.place = Place::AwayFrom(home);
            put(thread.tid, &without(&self.all, home));
        }
        put(0, &self.all);
    }

    fn send_away(&mut self) {
        let Some(home) = self.home else {
            return;
        };
        let Self {
            bound,
            threads,
            control,
            all,
            ..
        } = self;
        bound.retain(|context| {
            let thread = &mut threads[*context as usize];
            let runs = control.runs(*context);
            let is_same_run = runs == thread.runs && control.state(*context).load(SeqCst) == STATE_GUEST;
            thread.runs = runs;
            // It may only wait for the processor, which others take.
            let used = if is_same_run { used(thread.pid) } else { None };
            let has_computed = match (thread.used, used) {
                (Some(before), Some(now)) => now.saturating_sub(before) >= LONG_RUN / 2,
                _ => false,
            };
            if !has_computed {
                thread.used = used.and(thread.used.or(used));
                return true;
            }
            thread.used = None;
            thread.place = Place::Anywhere;
            thread.barred = BARRED_WAKES;
            evict(thread.tid, home, all);
            false
        });
    }
}

/// Moves a thread off a processor, where there is another; it may come back.
fn evict(tid: Tid, processor: i32, all: &CpuSet) {
    put(tid, &without(all, processor));
    put(tid, all);
}

/// Lets a thread run on these processors only. Where the host forbids it, it runs where it did.
fn put(tid: Tid, processors: &CpuSet) {
    let _forbidden = place(tid, processors);
}

/// Processor time that a process has used, all of its threads together.
fn used(pid: Tid) -> Option<Duration> {
    /// `CPUCLOCK_SCHED`, of a process.
    const SCHEDULER: libc::clockid_t = 2;
    let clock = (!pid << 3) | SCHEDULER;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes the time.
    check(unsafe { libc::clock_gettime(clock, &raw mut time) }).ok()?;
    let seconds = u64::try_from(time.tv_sec).ok()?;
    let nanos = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(seconds, nanos))
}
