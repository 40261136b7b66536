//! Gives privileges of the whole process up. Namespaces, capabilities and Landlock belong to threads, and a program that
//! can run code in one thread can run it in all: so every thread must change, those of V8 and libuv too. They are
//! interrupted by a signal whose handler makes the system calls, as libc does for setuid(2), see nptl(7).

use crate::sys;
use rustix::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use rustix::fs::{CWD, Dir, Mode, OFlags};
use rustix::io::{Errno, Result};
use std::collections::BTreeSet;
use std::ffi::c_int;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What the process gives up. Absent parts stay as they are.
#[derive(Debug, Default)]
pub struct Confinement {
    /// CLONE_NEWNS, CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP: new ones for all threads.
    pub namespaces: c_int,
    /// The root becomes an empty directory that nobody can write to: a filesystem of its own with CLONE_NEWNS.
    pub empties_root: bool,
    /// A Landlock ruleset, or a negative number.
    pub landlock: RawFd,
    /// No capabilities are kept, and none can be got by execve(2).
    pub drops_capabilities: bool,
}

/// The step that failed, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// unshare(2).
    Unshare = 1,
    /// The empty root: mount(2), pivot_root(2), chroot(2).
    Root = 2,
    /// A thread could not be reached or could not follow: setns(2), capset(2), landlock_restrict_self(2).
    Threads = 3,
}

/// A directory that exists everywhere, to mount the empty root on.
const ANY_DIRECTORY: &std::ffi::CStr = c"/proc";
/// How long threads may take to handle the signal: they run at once unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// One namespace that threads enter, and its kind.
type Entered = (OwnedFd, c_int);

impl Confinement {
    /// Changes every thread of this process. Nothing of it can be undone; after an error some threads may have changed,
    /// so that the process should end.
    ///
    /// # Errors
    /// The step that failed, and what the system call said.
    pub fn apply(&self) -> std::result::Result<(), (Step, Errno)> {
        static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
        let _guard = ONE_AT_A_TIME.lock().map_err(|_| (Step::Threads, Errno::DEADLK))?;
        let at = |step| move |errno| (step, errno);
        let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // Names are out of reach soon.
        let threads = rustix::fs::open(c"/proc/self/task", directory, Mode::empty()).map_err(at(Step::Threads))?;
        let entered = self.enter_namespaces().map_err(at(Step::Unshare))?;
        if self.empties_root {
            self.empty_root().map_err(at(Step::Root))?;
        }
        let change = Change {
            confinement: self,
            entered: &entered,
            replaces_root: self.namespaces & libc::CLONE_NEWNS != 0,
        };
        change.of_other_threads(&threads).map_err(at(Step::Threads))?;
        change.give_up().map_err(at(Step::Threads))
    }

    fn enter_namespaces(&self) -> Result<Vec<Entered>> {
        const KINDS: [(c_int, &std::ffi::CStr); 5] = [
            // Other threads enter the mount namespace last: only in the old one do they have the right to.
            (libc::CLONE_NEWNET, c"/proc/thread-self/ns/net"),
            (libc::CLONE_NEWIPC, c"/proc/thread-self/ns/ipc"),
            (libc::CLONE_NEWUTS, c"/proc/thread-self/ns/uts"),
            (libc::CLONE_NEWCGROUP, c"/proc/thread-self/ns/cgroup"),
            (libc::CLONE_NEWNS, c"/proc/thread-self/ns/mnt"),
        ];
        let known = KINDS.iter().fold(0, |known, (kind, _)| known | kind);
        if self.namespaces & !known != 0 {
            return Err(Errno::INVAL);
        }
        if self.namespaces == 0 {
            return Ok(Vec::new());
        }
        sys::unshare(self.namespaces)?;
        let wanted = KINDS.iter().filter(|(kind, _)| self.namespaces & kind != 0);
        wanted
            .map(|(kind, path)| {
                let fd = rustix::fs::open(*path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
                Ok((fd, *kind))
            })
            .collect()
    }

    fn empty_root(&self) -> Result<()> {
        if self.namespaces & libc::CLONE_NEWNS == 0 {
            return chroot_to_nowhere();
        }
        sys::mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let options = Some(c"size=4k,nr_inodes=1,mode=555");
        sys::mount(Some(c"tsv-root"), ANY_DIRECTORY, Some(c"tmpfs"), flags, options)?;
        rustix::process::chdir(ANY_DIRECTORY)?;
        // pivot_root(2) "pivot_root(".", ".")": the old root comes to lie above the new one.
        sys::pivot_root(c".", c".")?;
        rustix::mount::unmount(c".", rustix::mount::UnmountFlags::DETACH)?;
        rustix::process::chdir(c"/")?;
        let read_only = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY | flags;
        sys::mount(None, c"/", None, read_only, None)
    }
}

/// A directory without a name has no entries, and the kernel lets nobody make any: it serves where there is no mount
/// namespace of our own. All threads share the root.
fn chroot_to_nowhere() -> Result<()> {
    let path = format!("/tmp/.tsv-root-{}", rustix::process::getpid().as_raw_pid());
    rustix::fs::mkdir(&path, Mode::from_raw_mode(0o500))?;
    let opened = rustix::fs::openat(
        CWD,
        &path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    rustix::fs::rmdir(&path)?;
    rustix::process::fchdir(opened?)?;
    rustix::process::chroot(c".")
}

/// What each other thread does, as its signal handler reads it: nothing of it changes meanwhile.
struct Change<'a> {
    confinement: &'a Confinement,
    entered: &'a [Entered],
    replaces_root: bool,
}

/// The change under way, for the handler; null when there is none.
static CHANGE: AtomicPtr<Change<'static>> = AtomicPtr::new(std::ptr::null_mut());
/// Threads that have handled the signal: the first `DONE` of `DONE_TIDS`.
static DONE: AtomicUsize = AtomicUsize::new(0);
static DONE_TIDS: [AtomicI32; THREAD_COUNT_MAX] = [const { AtomicI32::new(0) }; THREAD_COUNT_MAX];
/// Threads that a sentry has at most; it starts with about ten.
const THREAD_COUNT_MAX: usize = 1024;
/// errno of a thread that could not follow, or 0.
static FAILED: AtomicI32 = AtomicI32::new(0);

impl Change<'_> {
    fn of_other_threads(&self, directory: &OwnedFd) -> Result<()> {
        let handler = sys::ThreadSignal::install(follow)?;
        DONE.store(0, Ordering::SeqCst);
        for tid in &DONE_TIDS {
            tid.store(0, Ordering::SeqCst);
        }
        FAILED.store(0, Ordering::SeqCst);
        CHANGE.store(std::ptr::from_ref(self).cast_mut().cast(), Ordering::SeqCst);
        let outcome = interrupt_all(directory, &handler);
        CHANGE.store(std::ptr::null_mut(), Ordering::SeqCst);
        drop(handler);
        outcome?;
        match FAILED.load(Ordering::SeqCst) {
            0 => Ok(()),
            errno => Err(Errno::from_raw_os_error(errno)),
        }
    }

    /// System calls only: this runs in signal handlers.
    fn follow(&self) -> Result<()> {
        if self.replaces_root {
            // setns(2) into a mount namespace asks for a root that is not shared with other threads.
            sys::unshare(libc::CLONE_FS)?;
        }
        for (fd, kind) in self.entered {
            sys::setns(rustix::fd::AsFd::as_fd(fd), *kind)?;
        }
        self.give_up()
    }

    fn give_up(&self) -> Result<()> {
        rustix::thread::set_no_new_privs(true)?;
        if self.confinement.landlock >= 0 {
            // SAFETY: the caller of `apply` keeps it open until then.
            let ruleset = unsafe { BorrowedFd::borrow_raw(self.confinement.landlock) };
            sys::landlock_restrict_self(ruleset)?;
        }
        if self.confinement.drops_capabilities {
            sys::drop_capabilities()?;
        }
        Ok(())
    }
}

/// Signals threads until a look at all of them finds none that is new: what one makes meanwhile is found the next time,
/// or was made by one that had changed already.
fn interrupt_all(directory: &OwnedFd, signal: &sys::ThreadSignal) -> Result<()> {
    let own = rustix::thread::gettid().as_raw_nonzero().get();
    let mut seen = BTreeSet::from([own]);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let fresh: Vec<i32> = thread_ids(directory)?
            .into_iter()
            .filter(|tid| !seen.contains(tid))
            .collect();
        if fresh.is_empty() {
            return Ok(());
        }
        if seen.len() + fresh.len() > THREAD_COUNT_MAX {
            return Err(Errno::OVERFLOW);
        }
        for tid in &fresh {
            seen.insert(*tid);
            // One that has ended meanwhile needs no change.
            let _ended = signal.send(*tid);
        }
        while !fresh.iter().all(|tid| has_followed(*tid) || !signal.is_thread(*tid)) {
            if Instant::now() > deadline {
                return Err(Errno::TIMEDOUT);
            }
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

fn has_followed(tid: i32) -> bool {
    DONE_TIDS.iter().any(|done| done.load(Ordering::SeqCst) == tid)
}

fn thread_ids(directory: &OwnedFd) -> Result<Vec<i32>> {
    let mut tids = Vec::new();
    let mut entries = Dir::read_from(directory)?;
    entries.rewind();
    for entry in entries {
        let name = entry?;
        if let Some(tid) = name.file_name().to_str().ok().and_then(|text| text.parse().ok()) {
            tids.push(tid);
        }
    }
    Ok(tids)
}

/// The signal handler of other threads.
extern "C" fn follow(_signo: c_int) {
    // SAFETY: `of_other_threads` keeps the change alive until every thread was waited for.
    let change = unsafe { CHANGE.load(Ordering::SeqCst).as_ref() };
    let errno = sys::keep_errno();
    if let Some(Err(error)) = change.map(Change::follow) {
        FAILED.store(error.raw_os_error(), Ordering::SeqCst);
    }
    sys::set_errno(errno);
    let index = DONE.fetch_add(1, Ordering::SeqCst);
    if let Some(done) = DONE_TIDS.get(index) {
        done.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::SeqCst);
    }
}

/// A copy of the mount at `path` and of those below, attached nowhere: no `..` leads out of it, as its root has no
/// parent. Changes of the host's mounts do not reach it. Errors: EPERM without CAP_SYS_ADMIN.
pub fn clone_tree(path: &std::ffi::CStr, attributes: u64, is_recursive: bool) -> Result<OwnedFd> {
    use rustix::mount::{OpenTreeFlags, open_tree};
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    if is_recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    let tree = open_tree(CWD, path, flags)?;
    sys::mount_setattr(tree.as_raw_fd(), is_recursive, attributes, libc::MS_PRIVATE)?;
    Ok(tree)
}
