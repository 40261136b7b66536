//! A seccomp filter for all threads of this process.

use rustix::io::Errno;
use seccompiler::{BpfProgram, Error, TargetArch, apply_filter_all_threads, compile_from_json};
use std::fmt;

/// Why no filter was installed.
#[derive(Debug)]
pub enum SeccompError {
    /// The description is wrong.
    Description(String),
    /// The kernel has refused it.
    Refused(Errno),
    /// This thread has another filter, so that all cannot have the same.
    Thread(i64),
}

impl fmt::Display for SeccompError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(reason) => write!(formatter, "{reason}"),
            Self::Refused(errno) => write!(formatter, "{errno}"),
            Self::Thread(tid) => write!(formatter, "thread {tid} has a filter of its own"),
        }
    }
}

/// Compiles one filter, as seccompiler describes it in JSON.
///
/// # Errors
/// [`SeccompError::Description`] for unknown system calls, actions and syntax.
pub fn compile(json: &str) -> Result<BpfProgram, SeccompError> {
    const NAME: &str = "filter";
    let map = format!("{{\"{NAME}\":{json}}}");
    let mut filters = compile_from_json(map.as_bytes(), TargetArch::x86_64)
        .map_err(|error| SeccompError::Description(error.to_string()))?;
    filters
        .remove(NAME)
        .ok_or_else(|| SeccompError::Description("there is no filter".into()))
}

/// Installs a filter in all threads, with PR_SET_NO_NEW_PRIVS. It cannot be undone.
///
/// # Errors
/// What seccomp(2) says.
pub fn install(program: &BpfProgram) -> Result<(), SeccompError> {
    apply_filter_all_threads(program).map_err(|error| match error {
        Error::Prctl(error) | Error::Seccomp(error) => {
            SeccompError::Refused(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
        }
        Error::ThreadSync(tid) => SeccompError::Thread(tid),
        other => SeccompError::Description(other.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_becomes_a_program() {
        let json =
            r#"{ "mismatch_action": "allow", "match_action": { "errno": 1 }, "filter": [{ "syscall": "mkdir" }] }"#;
        assert!(compile(json).expect("program").len() > 3);
    }

    #[test]
    fn a_wrong_description_is_refused() {
        for json in [
            "",
            "{}",
            r#"{ "mismatch_action": "allow", "match_action": "trap", "filter": [{ "syscall": "no" }] }"#,
        ] {
            assert!(matches!(compile(json), Err(SeccompError::Description(_))), "{json}");
        }
    }
}
