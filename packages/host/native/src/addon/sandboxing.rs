//! Confinement of this process, and of processes that it starts.

use super::arguments::{ByteString, Bytes, Fd, I32, I32s, Len, U32, U64};
use super::results::{descriptor, large, negated, status};
use crate::confine::Confinement;
use crate::launch::{Launch, landlock_ruleset};
use crate::{device_filter, seccomp, sys};
use napi::bindgen_prelude::{Error, Result};
use napi_derive::napi;
use rustix::fd::{FromRawFd, IntoRawFd, OwnedFd};
use rustix::io::Errno;
use rustix::thread;
use std::ffi::{CStr, CString};

/// Installs a seccomp filter in all threads of this process, with PR_SET_NO_NEW_PRIVS. It cannot be undone. `json` is one
/// filter as the crate seccompiler takes it. Throws when it is wrong. Returns 0 or what seccomp(2) says.
#[napi]
pub fn install_seccomp_filter(json: String) -> Result<i32> {
    match seccomp::compile(&json).and_then(|program| seccomp::install(&program)) {
        Ok(()) => Ok(0),
        Err(seccomp::SeccompError::Refused(errno)) => Ok(negated(errno)),
        Err(other) => Err(Error::from_reason(format!(
            "Cannot install the seccomp filter: {other}"
        ))),
    }
}

/// Lets the eBPF program in the first `len` bytes of `program` decide about every device that is opened or made in the control group (of version 2)
/// with the directory `cgroup`, in place of one that was there before. Returns 0 or what bpf(2) says.
#[napi]
pub fn attach_device_filter(cgroup: Fd, program: Bytes, len: Len) -> Result<i32> {
    let program = program.part(Len(0), len)?;
    Ok(status(|| device_filter::attach(cgroup.get()?, program)))
}

/// A Landlock ruleset: files beneath `readable` may be read and run, those beneath `writable` changed too, no others
/// reached. `handled` 1 adds that no TCP port may be bound or connected to. Returns a descriptor for
/// {@link start_process}, or -ENOSYS when the kernel has no Landlock. Throws when a path cannot be opened.
#[napi]
pub fn create_landlock_ruleset(readable: Vec<ByteString>, writable: Vec<ByteString>, handled: U32) -> Result<i32> {
    const DENY_TCP: u32 = 1;
    let refused = |reason: String| Error::from_reason(format!("Cannot make the Landlock ruleset: {reason}"));
    if handled.0 & !DENY_TCP != 0 {
        return Ok(negated(Errno::INVAL));
    }
    let (readable, writable) = (c_strings(&readable), c_strings(&writable));
    let invalid = |errno: Errno| refused(errno.to_string());
    let (readable, writable) = (readable.map_err(invalid)?, writable.map_err(invalid)?);
    let ruleset = landlock_ruleset(&readable, &writable, handled.0 & DENY_TCP != 0).map_err(refused)?;
    Ok(ruleset.map_or(negated(Errno::NOSYS), IntoRawFd::into_raw_fd))
}

/// landlock_restrict_self(2), of this thread and those it starts, with PR_SET_NO_NEW_PRIVS.
#[napi]
pub fn restrict_thread(ruleset: Fd) -> i32 {
    status(|| {
        let ruleset = ruleset.get()?;
        thread::set_no_new_privs(true)?;
        sys::landlock_restrict_self(ruleset)
    })
}

/// Sets the permitted and effective capabilities of this thread, a bit each, and no inheritable ones, capset(2). Threads
/// that run already keep theirs. Errors: EPERM for one that the thread does not have.
#[napi]
pub fn set_thread_capabilities(capabilities: U64) -> i32 {
    let kept = thread::CapabilitySet::from_bits_retain(capabilities.0);
    let none = thread::CapabilitySet::empty();
    let sets = thread::CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: none,
    };
    status(|| thread::set_capabilities(None, sets))
}

/// Effective capabilities of this thread, a bit each, capget(2).
#[napi]
pub fn get_thread_capabilities() -> f64 {
    large(|| thread::capabilities(None).map(|sets| sets.effective.bits()))
}

/// What `confineProcess` gives up.
#[napi(object, object_to_js = false)]
pub struct ConfinementOptions {
    /// CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS and CLONE_NEWCGROUP: new namespaces for all threads.
    pub namespaces: I32,
    /// The root becomes an empty directory.
    pub empties_root: bool,
    /// A ruleset of `createLandlockRuleset`, or -1.
    pub landlock: I32,
    /// No thread keeps a capability.
    pub drops_capabilities: bool,
}

/// Gives privileges of all threads of this process up, with PR_SET_NO_NEW_PRIVS. It cannot be undone, and after an error
/// some threads may have changed: the process should end. Returns 0 or a negated errno; then `failed[0]` is the step: 1
/// unshare(2), 2 the empty root, 3 a thread did not follow.
#[napi]
pub fn confine_process(options: ConfinementOptions, failed: I32s) -> i32 {
    let confinement = Confinement {
        namespaces: options.namespaces.0,
        empties_root: options.empties_root,
        landlock: options.landlock.0,
        drops_capabilities: options.drops_capabilities,
    };
    match confinement.apply() {
        Ok(()) => 0,
        Err((step, errno)) => {
            if let [first, ..] = failed.all() {
                *first = step as i32;
            }
            negated(errno)
        }
    }
}

/// A memfd of the program that stands in for a guest's process, for {@link start_process} as `/proc/self/fd/N`: with a
/// socket as its descriptor 0 and perhaps a terminal as 1. Each signal that it gets is a byte on the socket; it ends with
/// the byte that it reads from it, or with 137 when the other end is closed.
#[napi]
pub fn open_stand_in() -> i32 {
    descriptor(|| {
        let file = rustix::fs::memfd_create("tsv-stand-in", rustix::fs::MemfdFlags::CLOEXEC)?;
        let image = stand_in::image();
        let len = rustix::io::write(&file, &image)?;
        if len == image.len() { Ok(file) } else { Err(Errno::IO) }
    })
}

/// What `startProcess` starts.
#[napi(object, object_to_js = false)]
pub struct ProcessOptions {
    /// The program's path.
    pub file: ByteString,
    /// Its arguments, with its name.
    pub argv: Vec<ByteString>,
    /// Its environment, `NAME=value`.
    pub envp: Vec<ByteString>,
    /// Its descriptors 0, 1, 2 and so on; it has no others.
    pub fds: Vec<i32>,
    /// CLONE_NEW* flags.
    pub namespaces: U32,
    /// Lines of `/proc/PID/uid_map`, for CLONE_NEWUSER.
    pub uid_map: String,
    /// Lines of `/proc/PID/gid_map`, for CLONE_NEWUSER.
    pub gid_map: String,
    /// Signal when the calling thread ends, or 0.
    pub parent_death_signal: I32,
    /// Capabilities that it can have, a bit each (`1 << CAP_SYS_CHROOT`); absent for those of the caller.
    pub capabilities: Option<U64>,
    /// A ruleset of `createLandlockRuleset`, or -1. It is closed.
    pub landlock: I32,
    /// With CLONE_NEWNS: the directory that is its root, with what is mounted below and a procfs of its own.
    pub root: Option<ByteString>,
    /// The program by a descriptor, in the place of `file`.
    pub program: Option<i32>,
    /// Whether it begins with all signals blocked: one that comes before it is ready for them waits.
    pub blocks_signals: Option<bool>,
}

/// Starts a program in namespaces of its own, with PR_SET_NO_NEW_PRIVS. Stores its pid and a descriptor that is readable
/// when it has ended (pidfd_open(2)), the caller's to close, in `result`. Returns 0 or a negated errno; then `result` has
/// the step that failed: 1 clone(2), 2 id maps, 3 mounts, 4 prctl(2), 5 descriptors, 6 Landlock, 7 execve(2).
#[napi]
pub fn start_process(options: ProcessOptions, result: I32s) -> i32 {
    let [first, second, ..] = result.all() else {
        return negated(Errno::INVAL);
    };
    let launch = match to_launch(options) {
        Ok(launch) => launch,
        Err(errno) => return negated(errno),
    };
    match launch.start() {
        Ok(launched) => {
            (*first, *second) = (launched.pid, launched.pidfd.into_raw_fd());
            0
        }
        Err(error) => {
            (*first, *second) = (error.step as i32, -1);
            negated(error.errno)
        }
    }
}

/// How the process of a pidfd has ended: exit status and signal into `result`, one of them 0. Returns 1, 0 when it runs
/// still, or what waitid(2) says.
#[napi]
pub fn reap_process(pidfd: Fd, result: I32s) -> i32 {
    let reap = || {
        let [exit_status, signal, ..] = result.all() else {
            return Err(Errno::INVAL);
        };
        let Some(ended) = sys::wait(pidfd.get()?, libc::WNOHANG)? else {
            return Ok(0);
        };
        (*exit_status, *signal) = match ended {
            sys::Ended::Exited(code) => (code, 0),
            sys::Ended::Killed(signo) => (0, signo),
        };
        Ok(1)
    };
    super::results::number(reap)
}

/// pidfd_send_signal(2).
#[napi]
pub fn signal_process(pidfd: Fd, signo: I32) -> i32 {
    status(|| {
        let signal = rustix::process::Signal::from_named_raw(signo.0).ok_or(Errno::INVAL)?;
        rustix::process::pidfd_send_signal(pidfd.get()?, signal)
    })
}

fn to_launch(options: ProcessOptions) -> rustix::io::Result<Launch> {
    let owned = |texts: &[ByteString]| -> rustix::io::Result<Vec<CString>> {
        Ok(c_strings(texts)?.into_iter().map(CStr::to_owned).collect())
    };
    // SAFETY: the caller has given the descriptor away, as its documentation says.
    let landlock = (options.landlock.0 >= 0).then(|| unsafe { OwnedFd::from_raw_fd(options.landlock.0) });
    Ok(Launch {
        file: options.file.c_str()?.to_owned(),
        argv: owned(&options.argv)?,
        envp: owned(&options.envp)?,
        fds: options.fds,
        namespaces: options.namespaces.0,
        uid_map: options.uid_map,
        gid_map: options.gid_map,
        parent_death_signal: options.parent_death_signal.0,
        capabilities: options.capabilities.map(|kept| kept.0),
        landlock,
        root: options.root.map(|root| root.c_str().map(CStr::to_owned)).transpose()?,
        program: options.program,
        blocks_signals: options.blocks_signals == Some(true),
    })
}

fn c_strings(texts: &[ByteString]) -> rustix::io::Result<Vec<&CStr>> {
    texts.iter().map(ByteString::c_str).collect()
}
