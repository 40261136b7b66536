//! Why stubs cannot be started.

use crate::Errno;
use core::fmt;

/// The step that failed.
#[derive(Clone, Copy, Debug)]
pub struct StartError {
    /// What was tried.
    pub step: &'static str,
    /// What came of it.
    pub errno: Errno,
}

/// Makes an error of a step.
pub fn at(step: &'static str) -> impl Fn(Errno) -> StartError {
    move |errno| StartError { step, errno }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = std::io::Error::from(self.errno);
        write!(f, "Cannot start a stub: {}: {reason}", self.step)
    }
}
