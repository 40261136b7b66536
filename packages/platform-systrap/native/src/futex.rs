//! Sleeping on words that stubs share.

use rustix::thread::futex::{Flags, Timespec, wait, wake};
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while a word has `value`, at most for `timeout` (None: for ever). Returns early too.
pub fn sleep(word: &AtomicU32, value: u32, timeout: Option<Duration>) {
    // What has more seconds than a time can have is for ever.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    // Whoever sleeps looks why it woke: the word has changed, somebody or a signal woke it, or its time is over.
    let _woken = wait(word, Flags::empty(), value, timeout.as_ref());
}

/// Wakes one that sleeps on a word.
pub fn wake_one(word: &AtomicU32) {
    let woken = wake(word, Flags::empty(), 1);
    debug_assert!(woken.is_ok(), "the word is mapped and aligned");
}
