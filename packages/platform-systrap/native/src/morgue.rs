//! A thread that watches for stubs that die.

use crate::doorbell::Doorbell;
use crate::event;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use stub_host::signals::SignalsBlocked;
use stub_host::{Errno, Result, check};

const STOP: u64 = u64::MAX;
/// What a death adds to the eventfd of the answers: whoever waits for one looks whether it still can come.
const DEATH: u64 = 1 << 32;

/// Notes deaths, rings, and makes waits for an answer look.
#[derive(Debug)]
pub struct Morgue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    stop: OwnedFd,
    answers: OwnedFd,
    dead: Mutex<Vec<u64>>,
    doorbell: Doorbell,
}

/// What the answer's eventfd held says: whether an answer has come.
#[must_use]
pub fn has_answer(value: u64) -> bool {
    !value.is_multiple_of(DEATH)
}

impl Morgue {
    /// Starts the thread. `answers` is the eventfd of the answers.
    pub fn start(answers: BorrowedFd<'_>, doorbell: Doorbell) -> Result<Self> {
        // SAFETY: no memory is involved.
        let epoll = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        let shared = Arc::new(Shared {
            // SAFETY: the kernel has just made the descriptor for us.
            epoll: unsafe { OwnedFd::from_raw_fd(epoll) },
            stop: event::create()?,
            answers: answers.try_clone_to_owned().map_err(|_| Errno::MFILE)?,
            dead: Mutex::default(),
            doorbell,
        });
        shared.watch(shared.stop.as_fd(), STOP)?;
        let of_thread = Arc::clone(&shared);
        let builder = std::thread::Builder::new()
            .name("tsv-morgue".into())
            .stack_size(64 << 10);
        let run = move || {
            let _never_restored = SignalsBlocked::begin();
            of_thread.run();
        };
        let thread = builder.spawn(run).map_err(|_| Errno::AGAIN)?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Watches a process from now on, until it dies or its descriptor is closed.
    pub fn watch(&self, process: BorrowedFd<'_>, key: u64) -> Result<()> {
        self.shared.watch(process, key)
    }

    /// The keys of those that have died since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<u64> {
        core::mem::take(&mut self.shared.dead.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Morgue {
    fn drop(&mut self) {
        event::add(self.shared.stop.as_fd(), 1);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            debug_assert!(ended.is_ok(), "the thread does not panic");
        }
    }
}

impl Shared {
    fn watch(&self, fd: BorrowedFd<'_>, key: u64) -> Result<()> {
        let flags = libc::EPOLLIN | libc::EPOLLONESHOT;
        let mut event = libc::epoll_event {
            events: flags.cast_unsigned(),
            u64: key,
        };
        let (epoll, fd) = (self.epoll.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: the kernel reads the event.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &raw mut event) }).map(drop)
    }

    fn run(&self) {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
        loop {
            // SAFETY: the kernel writes at most eight events.
            let count = check(unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), events.as_mut_ptr(), 8, -1) });
            let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
            for event in &events[..count] {
                let key = event.u64;
                if key == STOP {
                    return;
                }
                self.dead.lock().unwrap_or_else(PoisonError::into_inner).push(key);
                event::add(self.answers.as_fd(), DEATH);
                self.doorbell.tell_death();
            }
        }
    }
}
