//! Takes from the gofer what it does not need. It was started in namespaces of its own, if the host allows them.

use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::{Errno, Result};
use rustix::mount::{MountFlags, MountPropagationFlags, OpenTreeFlags, UnmountFlags, open_tree};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule};
use std::collections::BTreeMap;

/// What a gofer that was started by root can do: act on files whoever owns them.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID);

/// The step that failed, and why.
type Failure = (&'static str, Errno);

/// The directory /proc/self/fd, whose entries name open files even where nothing else has a name.
#[derive(Debug)]
pub struct Links(OwnedFd);

impl Links {
    /// Opens the file of an O_PATH descriptor. Errors: `NXIO` for a device of the host.
    pub fn open(&self, file: BorrowedFd<'_>, flags: OFlags) -> Result<OwnedFd> {
        crate::files::refuse_device(file)?;
        fs::openat(
            &self.0,
            file.as_raw_fd().to_string(),
            flags & !OFlags::NOFOLLOW,
            Mode::empty(),
        )
    }

    /// Makes it the working directory.
    pub fn enter(&self) -> Result<()> {
        rustix::process::fchdir(&self.0)
    }

    /// chmod(2) of the file of a descriptor.
    pub fn change_mode(&self, file: BorrowedFd<'_>, mode: Mode) -> Result<()> {
        fs::chmodat(&self.0, file.as_raw_fd().to_string(), mode, fs::AtFlags::empty())
    }
}

/// Empties the root, keeps only the capabilities on files, and installs a filter under which any call that the gofer
/// does not make ends it: those that make sockets are let through with `has_sockets` only.
pub fn confine(has_sockets: bool) -> std::result::Result<Links, Failure> {
    let at = |step| move |errno| (step, errno);
    // New files have the permissions that were asked for.
    rustix::process::umask(Mode::empty());
    let has = capabilities(None).map_err(at("capget"))?.effective;
    let links = open_links().map_err(at("open /proc/self/fd"))?;
    if has.contains(CapabilitySet::SYS_ADMIN) {
        empty_root().map_err(at("empty the root"))?;
    }
    let kept = has & KEPT;
    let sets = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).map_err(at("capset"))?;
    rustix::thread::set_no_new_privs(true).map_err(at("no_new_privs"))?;
    let program = filter(has_sockets).map_err(|_| ("compile the filter", Errno::INVAL))?;
    seccompiler::apply_filter(&program).map_err(|_| ("install the filter", Errno::ACCESS))?;
    Ok(Links(links))
}

/// A copy of the mount begins at the directory, so that nothing leads from it to the rest of /proc.
fn open_links() -> Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, c"/proc/self/fd", flags).or_else(|_| {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        fs::open(c"/proc/self/fd", flags, Mode::empty())
    })
}

/// The launcher has made a mount namespace whose mounts are private.
fn empty_root() -> Result<()> {
    rustix::mount::mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC | MountFlags::RDONLY;
    rustix::mount::mount(c"tsv-gofer", c"/proc", c"tmpfs", flags, c"size=4k,nr_inodes=1,mode=555")?;
    rustix::process::chdir(c"/proc")?;
    rustix::process::pivot_root(c".", c".")?;
    rustix::mount::unmount(c".", UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")
}

const CALLS: [libc::c_long; 36] = [
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_close,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_renameat2,
    libc::SYS_renameat,
    libc::SYS_fchownat,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// What [`crate::sockets`] makes besides, of sockets that it has made itself.
const SOCKET_CALLS: [libc::c_long; 5] = [
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_fchmod,
    libc::SYS_fchdir,
];

fn filter(has_sockets: bool) -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let more: &[libc::c_long] = if has_sockets { &SOCKET_CALLS } else { &[] };
    let calls = CALLS.iter().chain(more);
    let rules: BTreeMap<i64, Vec<SeccompRule>> = calls.map(|call| (*call, vec![])).collect();
    let architecture = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}
