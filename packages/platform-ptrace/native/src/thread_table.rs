//! What each traced thread is.

use crate::sys::Tid;

/// `PID_MAX_LIMIT` of 64-bit Linux: thread IDs are below.
const TID_END: usize = 4 << 20;

/// What a traced thread is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Not ours.
    Unknown,
    /// The zygote or the bell.
    Helper,
    /// The guest thread of a context.
    Context(u32),
    /// A stopped thread of an address space, without a context.
    Spare(u32),
    /// A thread that was killed and not yet waited for.
    Dying,
}

/// Roles by thread ID.
#[derive(Debug)]
pub struct ThreadTable {
    /// Kind in the upper 3 bits. The host commits only pages that were written.
    roles: Vec<u32>,
}

const KIND_SHIFT: u32 = 29;
const INDEX_MASK: u32 = (1 << KIND_SHIFT) - 1;

impl Default for ThreadTable {
    fn default() -> Self {
        Self {
            roles: vec![0; TID_END],
        }
    }
}

impl ThreadTable {
    /// The role of `tid`.
    #[must_use]
    pub fn get(&self, tid: Tid) -> Role {
        let packed = self.roles[slot(tid)];
        let index = packed & INDEX_MASK;
        match packed >> KIND_SHIFT {
            1 => Role::Helper,
            2 => Role::Context(index),
            3 => Role::Spare(index),
            4 => Role::Dying,
            _ => Role::Unknown,
        }
    }

    /// Gives `tid` a role.
    pub fn set(&mut self, tid: Tid, role: Role) {
        let (kind, index) = match role {
            Role::Unknown => (0, 0),
            Role::Helper => (1, 0),
            Role::Context(index) => (2, index),
            Role::Spare(index) => (3, index),
            Role::Dying => (4, 0),
        };
        self.roles[slot(tid)] = kind << KIND_SHIFT | index;
    }
}

fn slot(tid: Tid) -> usize {
    usize::try_from(tid).expect("thread IDs are positive")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_role_that_was_set() {
        let mut table = ThreadTable::default();
        for role in [
            Role::Helper,
            Role::Context(0),
            Role::Context(16383),
            Role::Spare(7),
            Role::Dying,
            Role::Unknown,
        ] {
            table.set(4_194_303, role);
            assert_eq!(table.get(4_194_303), role);
        }
        assert_eq!(table.get(1), Role::Unknown);
    }
}
