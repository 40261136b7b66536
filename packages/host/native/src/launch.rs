//! Starts a program in namespaces of its own. Node cannot enter a user namespace itself, since it has threads; so the
//! program is started in them.

use crate::sys;
use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr,
};
use rustix::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, Result};
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::{CStr, CString, c_char, c_int};
use std::fs::write;
use std::ptr::null;

/// What to start, and how.
#[derive(Debug, Default)]
pub struct Launch {
    /// The program's path.
    pub file: CString,
    /// Its arguments, with its name.
    pub argv: Vec<CString>,
    /// Its environment, `NAME=value`.
    pub envp: Vec<CString>,
    /// Its descriptors 0, 1, 2 and so on; it has no others.
    pub fds: Vec<RawFd>,
    /// CLONE_NEW* flags.
    pub namespaces: u32,
    /// Content of `/proc/PID/uid_map` and `gid_map`, for a new user namespace.
    pub uid_map: String,
    /// See `uid_map`.
    pub gid_map: String,
    /// Signal that it gets when the calling thread ends, or 0.
    pub parent_death_signal: c_int,
    /// Capabilities that it can have, a bit each; None for those of the caller.
    pub capabilities: Option<u64>,
    /// Its file access is limited to what this ruleset allows.
    pub landlock: Option<OwnedFd>,
    /// With CLONE_NEWNS: the directory that is its root, with what is mounted below and a procfs of its own.
    pub root: Option<CString>,
    /// The program by a descriptor that is closed by execve(2), in the place of `file`.
    pub program: Option<RawFd>,
    /// Whether it begins with all signals blocked: one that comes before it is ready for them waits.
    pub blocks_signals: bool,
}

/// The step of the new process that failed, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// clone(2): the host refuses the namespaces, or has no room.
    Clone = 1,
    /// Writing the id maps.
    Map = 2,
    /// Keeping mounts from spreading to the parent's namespace.
    Mount = 3,
    /// prctl(2).
    Prctl = 4,
    /// Moving the descriptors to their places.
    Descriptors = 5,
    /// landlock_restrict_self(2).
    Landlock = 6,
    /// execve(2).
    Exec = 7,
}

/// Why nothing was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchError {
    /// Where.
    pub step: Step,
    /// What the system call said.
    pub errno: Errno,
}

/// A program that runs.
#[derive(Debug)]
pub struct Launched {
    /// Its pid, in the caller's namespace.
    pub pid: i32,
    /// Readable when it has ended, pidfd_open(2).
    pub pidfd: OwnedFd,
}

const CLONE_NEWUSER: u32 = libc::CLONE_NEWUSER.cast_unsigned();

/// Pipes between the caller and the new process: `go` says that the maps are written, `report` brings an error.
struct Pipes {
    go: (OwnedFd, OwnedFd),
    report: (OwnedFd, OwnedFd),
}

impl Launch {
    /// Starts the program. Returns when it runs, that is, after execve(2).
    ///
    /// # Errors
    /// The step that failed. Nothing runs then.
    pub fn start(&self) -> std::result::Result<Launched, LaunchError> {
        let failed = |step| move |errno| LaunchError { step, errno };
        let pipe = || pipe_with(PipeFlags::CLOEXEC).map_err(failed(Step::Clone));
        let pipes = Pipes {
            go: pipe()?,
            report: pipe()?,
        };
        let (argv, envp) = (pointers(&self.argv), pointers(&self.envp));
        let mut targets = self.fds.clone();

        // One in a user namespace waits for its maps; all others need nothing of the caller before they are the program.
        let has_maps = self.namespaces & CLONE_NEWUSER != 0;
        if !has_maps {
            tell(&pipes.go.1).map_err(failed(Step::Clone))?;
        }
        let child = sys::run_in_child(self.namespaces.into(), !has_maps, || {
            self.become_program(&pipes, &argv, &envp, &mut targets);
        });
        let sys::Child { pid, pidfd } = child.map_err(failed(Step::Clone))?;
        let launched = Launched { pid, pidfd };
        drop(pipes.report.1);
        let outcome = if has_maps {
            self.write_maps(pid)
                .map_err(failed(Step::Map))
                .and_then(|()| tell(&pipes.go.1).map_err(failed(Step::Clone)))
        } else {
            Ok(())
        };
        let outcome = outcome.and_then(|()| read_report(&pipes.report.0));
        drop(pipes.go);
        match outcome {
            Ok(()) => Ok(launched),
            Err(error) => {
                // The child has ended or ends now, since nobody lets it go on.
                let _ = sys::wait(launched.pidfd.as_fd(), 0);
                Err(error)
            }
        }
    }

    fn write_maps(&self, pid: i32) -> Result<()> {
        let put = |file: &str, text: &str| {
            write(format!("/proc/{pid}/{file}"), text)
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
        };
        put("uid_map", &self.uid_map)?;
        if !rustix::process::geteuid().is_root() {
            put("setgroups", "deny")?;
        }
        put("gid_map", &self.gid_map)
    }

    /// The new process until it is the program. Nothing here allocates: another thread of the parent may have held the
    /// allocator's lock. Returns when it cannot be.
    fn become_program(&self, pipes: &Pipes, argv: &[*const c_char], envp: &[*const c_char], fds: &mut [RawFd]) {
        let error = match self.prepare(pipes, fds) {
            Ok(()) => LaunchError {
                step: Step::Exec,
                errno: self.execute(argv, envp),
            },
            Err(error) => error,
        };
        let [a, b, c, d] = error.errno.raw_os_error().to_ne_bytes();
        // If the parent is gone, nobody wants to know.
        let _ = rustix::io::write(&pipes.report.1, &[error.step as u8, a, b, c, d]);
    }

    fn execute(&self, argv: &[*const c_char], envp: &[*const c_char]) -> Errno {
        match self.program {
            Some(fd) => sys::fexecve(fd, argv, envp),
            None => sys::execve(&self.file, argv, envp),
        }
    }

    fn prepare(&self, pipes: &Pipes, fds: &mut [RawFd]) -> std::result::Result<(), LaunchError> {
        let failed = |step| move |errno| LaunchError { step, errno };
        // The parent's end is closed, so that its death is seen as the end of the file.
        sys::close(pipes.go.1.as_raw_fd()).map_err(failed(Step::Map))?;
        if rustix::io::read(&pipes.go.0, &mut [0]) != Ok(1) {
            return Err(LaunchError {
                step: Step::Map,
                errno: Errno::CANCELED,
            });
        }
        const CLONE_NEWNS: u32 = libc::CLONE_NEWNS.cast_unsigned();
        if self.namespaces & CLONE_NEWNS != 0 {
            let flags = libc::MS_REC | libc::MS_PRIVATE;
            sys::mount(None, c"/", None, flags, None).map_err(failed(Step::Mount))?;
            if let Some(root) = &self.root {
                enter_root(root).map_err(failed(Step::Mount))?;
            }
        }
        if self.parent_death_signal != 0 {
            sys::set_parent_death_signal(self.parent_death_signal).map_err(failed(Step::Prctl))?;
        }
        if let Some(kept) = self.capabilities {
            sys::limit_capabilities(kept).map_err(failed(Step::Prctl))?;
        }
        rustix::thread::set_no_new_privs(true).map_err(failed(Step::Prctl))?;
        if let Some(ruleset) = &self.landlock {
            sys::landlock_restrict_self(ruleset.as_fd()).map_err(failed(Step::Landlock))?;
        }
        place_descriptors(fds, pipes.report.1.as_raw_fd()).map_err(failed(Step::Descriptors))?;
        sys::reset_signal_handlers();
        if !self.blocks_signals {
            sys::unblock_signals();
        }
        Ok(())
    }
}

/// Makes `root` the root of the mount namespace.
fn enter_root(root: &CStr) -> Result<()> {
    sys::mount(Some(root), root, None, libc::MS_BIND | libc::MS_REC, None)?;
    rustix::process::chdir(root)?;
    // pivot_root(2) "pivot_root(".", ".")": the old root comes to lie above the new one, and is taken away.
    sys::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", rustix::mount::UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    // A root without /proc has none.
    let _ = sys::mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, None);
    Ok(())
}

/// Moves descriptors to 0, 1, 2 and so on, and marks all others to be closed by execve(2), but not before `report` has
/// been used.
fn place_descriptors(fds: &mut [RawFd], report: RawFd) -> Result<()> {
    let count = c_int::try_from(fds.len()).map_err(|_| Errno::INVAL)?;
    // First out of the way of the places, then to the places.
    for fd in fds.iter_mut() {
        *fd = sys::fcntl_int(*fd, libc::F_DUPFD_CLOEXEC, count)?;
    }
    if report < count {
        return Err(Errno::MFILE);
    }
    for (place, fd) in (0..).zip(fds.iter()) {
        sys::dup3(*fd, place, 0)?;
    }
    sys::close_on_exec_from(count)
}

/// Lets the new process go on.
fn tell(go: &OwnedFd) -> Result<()> {
    rustix::io::write(go, &[1]).map(|_| ())
}

/// Waits for the end of the file, which execve(2) brings, or an error.
fn read_report(report: &OwnedFd) -> std::result::Result<(), LaunchError> {
    let mut bytes = [0; 5];
    let len = loop {
        match rustix::io::read(report, &mut bytes) {
            Err(Errno::INTR) => {}
            other => break other.unwrap_or(0),
        }
    };
    let [step, errno @ ..] = bytes;
    let steps = [
        Step::Map,
        Step::Mount,
        Step::Prctl,
        Step::Descriptors,
        Step::Landlock,
        Step::Exec,
    ];
    match steps.into_iter().find(|known| *known as u8 == step) {
        Some(step) if len == bytes.len() => {
            let errno = Errno::from_raw_os_error(i32::from_ne_bytes(errno));
            Err(LaunchError { step, errno })
        }
        _ => Ok(()),
    }
}

/// C's form of a list of strings.
fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|text| text.as_ptr()).chain([null()]).collect()
}

/// A Landlock ruleset: files beneath `readable` may be read and run, those beneath `writable` changed too, and no others
/// reached; TCP may be used only without `denies_tcp`. None when the kernel has no Landlock; what an older one does not
/// know of it is left out.
///
/// # Errors
/// A path that cannot be opened, and what landlock_create_ruleset(2) says.
pub fn landlock_ruleset(
    readable: &[&CStr],
    writable: &[&CStr],
    denies_tcp: bool,
) -> std::result::Result<Option<OwnedFd>, String> {
    let abi = ABI::V5;
    let text = |error: landlock::RulesetError| error.to_string();
    let mut ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(abi))
        .map_err(text)?;
    if denies_tcp {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi)).map_err(text)?;
    }
    let mut created = ruleset.create().map_err(text)?;
    for (paths, access) in [
        (readable, AccessFs::from_read(abi)),
        (writable, AccessFs::from_all(abi)),
    ] {
        created = allow(created, paths, access)?;
    }
    Ok(created.into())
}

fn allow(
    mut created: RulesetCreated,
    paths: &[&CStr],
    access: landlock::BitFlags<AccessFs>,
) -> std::result::Result<RulesetCreated, String> {
    use std::os::unix::ffi::OsStrExt;
    for path in paths {
        let name = std::ffi::OsStr::from_bytes(path.to_bytes());
        let fd = PathFd::new(name).map_err(|error| error.to_string())?;
        let is_dir =
            rustix::fs::fstat(&fd).is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir());
        let access = if is_dir {
            access
        } else {
            access & AccessFs::from_file(ABI::V5)
        };
        created = created
            .add_rule(PathBeneath::new(fd, access))
            .map_err(|error| error.to_string())?;
    }
    Ok(created)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::read;

    fn shell(script: &str, fds: Vec<RawFd>) -> Launch {
        let argv = ["sh", "-c", script].map(|text| CString::new(text).expect("no NUL"));
        Launch {
            file: c"/bin/sh".into(),
            argv: argv.into(),
            fds,
            ..Launch::default()
        }
    }

    #[test]
    fn it_begins_with_its_signals_blocked_if_told_to() {
        let blocked = |blocks_signals| {
            // A shell would unblock them.
            let argv = ["grep", "SigBlk", "/proc/self/status"].map(|text| CString::new(text).expect("no NUL"));
            let launch = Launch {
                file: c"/bin/grep".into(),
                argv: argv.into(),
                blocks_signals,
                ..Launch::default()
            };
            output_of(launch).0
        };
        assert_eq!(blocked(false), "SigBlk:\t0000000000000000\n");
        // SIGKILL and SIGSTOP cannot be blocked, and two are the C library's own.
        assert_eq!(blocked(true), "SigBlk:\tfffffffe7ffbfeff\n");
    }

    fn output_of(mut launch: Launch) -> (String, sys::Ended) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("pipe");
        launch.fds = vec![0, writer.as_raw_fd(), writer.as_raw_fd()];
        let launched = launch.start().expect("start");
        drop(writer);
        let mut text = vec![0; 4096];
        let mut len = 0;
        while let Ok(more @ 1..) = read(&reader, &mut text[len..]) {
            len += more;
        }
        text.truncate(len);
        let ended = sys::wait(launched.pidfd.as_fd(), 0)
            .expect("wait")
            .expect("it has ended");
        (String::from_utf8(text).expect("UTF-8"), ended)
    }

    #[test]
    fn a_program_runs_with_its_descriptors_only() {
        let kept = sys::fcntl_int(0, libc::F_DUPFD, 60).expect("dup");
        let script =
            format!("[ -e /proc/self/fd/2 ] && echo has 2; [ -e /proc/self/fd/{kept} ] && echo has more; exit 7");
        let (text, ended) = output_of(shell(&script, vec![]));
        sys::close(kept).expect("close");
        assert_eq!((text.as_str(), ended), ("has 2\n", sys::Ended::Exited(7)));
    }

    #[test]
    fn a_death_by_signal_is_told() {
        let (_, ended) = output_of(shell("kill -9 $$", vec![]));
        assert_eq!(ended, sys::Ended::Killed(9));
    }

    #[test]
    fn a_missing_program_is_told() {
        let launch = Launch {
            file: c"/absent".into(),
            fds: vec![0, 1, 2],
            ..Launch::default()
        };
        assert_eq!(
            launch.start().err(),
            Some(LaunchError {
                step: Step::Exec,
                errno: Errno::NOENT
            })
        );
    }

    #[test]
    fn a_closed_descriptor_is_told() {
        let error = shell("true", vec![0, 1, 1 << 20]).start().err();
        assert_eq!(
            error,
            Some(LaunchError {
                step: Step::Descriptors,
                errno: Errno::BADF
            })
        );
    }

    #[test]
    fn the_ids_of_a_user_namespace_are_mapped() {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let launch = Launch {
            namespaces: (libc::CLONE_NEWUSER | libc::CLONE_NEWPID).cast_unsigned(),
            uid_map: format!("0 {uid} 1"),
            gid_map: format!("0 {gid} 1"),
            ..shell("id -u; echo $$", vec![])
        };
        assert_eq!(output_of(launch).0, "0\n1\n");
    }

    #[test]
    fn capabilities_are_limited_for_root_too() {
        let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let launch = Launch {
            namespaces: libc::CLONE_NEWUSER.cast_unsigned(),
            uid_map: format!("0 {uid} 1"),
            gid_map: format!("0 {gid} 1"),
            capabilities: Some(1 << 18),
            ..shell("grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status", vec![])
        };
        let only_sys_chroot = "0000000000040000";
        assert_eq!(output_of(launch).0.matches(only_sys_chroot).count(), 3);
    }

    #[test]
    fn landlock_keeps_files_out_of_reach() {
        let Some(ruleset) = landlock_ruleset(&[c"/usr", c"/bin", c"/lib", c"/lib64"], &[], true).expect("ruleset")
        else {
            return; // This kernel has no Landlock.
        };
        let launch = Launch {
            landlock: Some(ruleset),
            ..shell("cat /etc/passwd && echo read", vec![])
        };
        assert!(!output_of(launch).0.contains("read"));
    }
}
