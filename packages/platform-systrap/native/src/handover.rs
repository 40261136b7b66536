//! How the sentry and guests hand the processor to each other when they cannot both spin: next to each other.
//!
//! To wake a thread on another processor takes some 40 us, on the same one 4. So guests that make calls all the time are
//! kept on the sentry's processor while it is *near* them, and those that compute are sent away.

use crate::control::Control;
use crate::doorbell::Doorbell;
use crate::sys::{self, Tid};
use mailbox::STATE_GUEST;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// A guest that runs for so long without a stop, between two looks, computes.
const LONG_RUN: Duration = Duration::from_micros(500);
/// Wakes of a guest that has computed before it is kept near again.
const BARRED_WAKES: u8 = 16;

/// Where the threads of guests run, and what wakes them.
#[derive(Debug)]
pub struct Handover {
    control: Control,
    doorbell: Doorbell,
    all: libc::cpu_set_t,
    /// The processor on which the sentry is near.
    home: Option<i32>,
    /// By context.
    threads: Vec<Thread>,
    /// Contexts that are kept near.
    kept: Vec<u32>,
    looked: Instant,
}

#[derive(Clone, Copy, Debug, Default)]
struct Thread {
    tid: Tid,
    is_kept: bool,
    barred: u8,
    /// Its process.
    pid: Tid,
    /// How often it had been resumed at the last look.
    runs: u32,
    /// Processor time of its process at the first of the looks at which it was at the same run; None before.
    used: Option<Duration>,
}

impl Handover {
    /// For the guests of a control file; `all` are the processors that they may use.
    #[must_use]
    pub fn new(control: Control, doorbell: Doorbell, all: libc::cpu_set_t) -> Self {
        Self {
            control,
            doorbell,
            all,
            home: None,
            threads: Vec::new(),
            kept: Vec::new(),
            looked: Instant::now(),
        }
    }

    /// A context has a new thread of process `pid`, which may run anywhere from now on.
    pub fn begin(&mut self, context: u32, pid: Tid, tid: Tid) {
        let index = context as usize;
        if self.threads.len() <= index {
            self.threads.resize(index + 1, Thread::default());
        }
        self.kept.retain(|kept| *kept != context);
        self.threads[index] = Thread {
            tid,
            pid,
            ..Thread::default()
        };
        sys::place(tid, &self.all);
    }

    /// Wakes the thread of a resumed context, which sleeps.
    pub fn wake(&mut self, context: u32) {
        if let Some(home) = self.home
            && let Some(thread) = self.threads.get_mut(context as usize)
        {
            if thread.barred > 0 {
                thread.barred -= 1;
            } else if !thread.is_kept {
                sys::place(thread.tid, &sys::only(home));
                thread.is_kept = true;
                self.kept.push(context);
            }
        }
        sys::futex_wake(self.control.state(context));
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
        let home = sys::processor();
        sys::place(0, &sys::only(home));
        self.home = Some(home);
    }

    /// All may run anywhere; guests that run begin elsewhere.
    pub fn go_far(&mut self) {
        let Some(home) = self.home.take() else {
            return;
        };
        for context in core::mem::take(&mut self.kept) {
            self.threads[context as usize].is_kept = false;
            evict(self.threads[context as usize].tid, home, &self.all);
        }
        sys::place(0, &self.all);
    }

    fn send_away(&mut self) {
        let Some(home) = self.home else {
            return;
        };
        let Self {
            kept,
            threads,
            control,
            all,
            ..
        } = self;
        kept.retain(|context| {
            let thread = &mut threads[*context as usize];
            let runs = control.runs(*context);
            let is_same_run = runs == thread.runs && control.state(*context).load(SeqCst) == STATE_GUEST;
            thread.runs = runs;
            // It may only wait for the processor, which others take.
            let used = if is_same_run { sys::used(thread.pid) } else { None };
            let has_computed = match (thread.used, used) {
                (Some(before), Some(now)) => now.saturating_sub(before) >= LONG_RUN / 2,
                _ => false,
            };
            if !has_computed {
                thread.used = used.and(thread.used.or(used));
                return true;
            }
            thread.used = None;
            thread.is_kept = false;
            thread.barred = BARRED_WAKES;
            evict(thread.tid, home, all);
            false
        });
    }
}

/// Moves a thread off a processor, where there is another; it may come back.
fn evict(tid: Tid, processor: i32, all: &libc::cpu_set_t) {
    sys::place(tid, &sys::without(all, processor));
    sys::place(tid, all);
}
