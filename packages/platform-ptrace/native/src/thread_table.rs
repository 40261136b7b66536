//! What each traced thread is.

use std::collections::HashMap;
use stub_host::Tid;

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
#[derive(Debug, Default)]
pub struct ThreadTable {
    roles: HashMap<Tid, Role>,
}

impl ThreadTable {
    /// The role of `tid`.
    #[must_use]
    pub fn get(&self, tid: Tid) -> Role {
        self.roles.get(&tid).copied().unwrap_or(Role::Unknown)
    }

    /// Gives `tid` a role.
    pub fn set(&mut self, tid: Tid, role: Role) {
        match role {
            Role::Unknown => self.roles.remove(&tid),
            role => self.roles.insert(tid, role),
        };
    }
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
