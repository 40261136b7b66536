//! What the instructions read: signal actions, filters and constants, in a page that nobody can write.

#![allow(clippy::cast_possible_truncation, reason = "on x86-64 a usize is a u64")]

use crate::code;
use crate::filter::{self, Instruction};
use crate::layout::{ANSWERED_CALLS, CODE_ADDR, DATA_ADDR, INTERRUPT_SIGNAL, PAGE_BYTES};

/// `struct sigaction` of signals that stop the guest.
pub const ACTION_AT: u64 = 0;
/// `struct sigaction` of all other signals.
pub const IGNORE_AT: u64 = 32;
/// The number 1, for an eventfd.
pub const ONE_AT: u64 = 64;
/// An empty signal set.
pub const NO_SIGNALS_AT: u64 = 72;
/// The processes' name.
pub const NAME_AT: u64 = 80;
/// The signals that stop the guest, ended by a zero.
pub const SIGNALS_AT: u64 = 96;
/// `struct sock_fprog` of helpers.
pub const HELPER_FILTER_AT: u64 = 128;
/// `struct sock_fprog` of guest threads.
pub const GUEST_FILTER_AT: u64 = 144;
const INSTRUCTIONS_AT: u64 = 256;
/// A byte for each number of a call up to [`ANSWERED_NR_MAX`]: its place among the answers, or 0.
pub const ANSWERS_AT: u64 = 3072;
/// The greatest number of a call that may be answered.
pub const ANSWERED_NR_MAX: u64 = 511;

const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
const SA_ONSTACK: u64 = 0x0800_0000;
const SIG_IGN: u64 = 1;

/// SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, and the one that interrupts.
const SIGNALS: [u8; 7] = [31, 11, 7, 8, 4, 5, INTERRUPT_SIGNAL as u8];

/// The page.
#[must_use]
pub fn build() -> Vec<u8> {
    let mut page = vec![0; PAGE_BYTES as usize];
    let handler = CODE_ADDR + code::handler();
    // No handler of these signals is interrupted: a fault in one ends the process.
    put(
        &mut page,
        ACTION_AT,
        &[handler, SA_SIGINFO | SA_RESTORER | SA_ONSTACK, handler, u64::MAX],
    );
    put(&mut page, IGNORE_AT, &[SIG_IGN, SA_RESTORER, handler, 0]);
    put(&mut page, ONE_AT, &[1, 0]);
    page[NAME_AT as usize..][..9].copy_from_slice(b"tsv-stub\0");
    page[SIGNALS_AT as usize..][..SIGNALS.len()].copy_from_slice(&SIGNALS);
    let at = put_filter(&mut page, HELPER_FILTER_AT, INSTRUCTIONS_AT, &filter::helper());
    let end = put_filter(&mut page, GUEST_FILTER_AT, at, &filter::guest());
    assert!(end <= ANSWERS_AT, "the filters fit");
    for (nr, place) in ANSWERED_CALLS.iter().zip(1..) {
        page[ANSWERS_AT as usize + usize::from(*nr)] = place;
    }
    page
}

fn put(page: &mut [u8], at: u64, words: &[u64]) {
    for (word, bytes) in words.iter().zip(page[at as usize..].chunks_exact_mut(8)) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

fn put_filter(page: &mut [u8], at: u64, instructions_at: u64, filter: &[Instruction]) -> u64 {
    put(page, at, &[filter.len() as u64, DATA_ADDR + instructions_at]);
    let words: Vec<u64> = filter.iter().map(Instruction::to_bits).collect();
    put(page, instructions_at, &words);
    instructions_at + 8 * words.len() as u64
}
