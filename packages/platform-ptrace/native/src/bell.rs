//! Wakes the tracer out of wait4(2) without a race: a traced process that always sleeps is sent a signal, and its stop
//! ends the wait, or the next one if none is going on.

use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use stub_host::{Result, Tid, pid_of};

/// The process that sleeps. Rung from any thread.
#[derive(Clone, Debug)]
pub struct Bell {
    process: Arc<OwnedFd>,
}

impl Bell {
    /// The bell that is process `pid`.
    pub fn of(pid: Tid) -> Result<Self> {
        Ok(Self {
            process: Arc::new(pidfd_open(pid_of(pid)?, PidfdFlags::empty())?),
        })
    }

    /// Makes a wait that runs or comes end.
    pub fn ring(&self) {
        // A bell that is gone has ended the wait by that, and no longer wait follows.
        let _gone = pidfd_send_signal(&self.process, Signal::USR1);
    }
}
