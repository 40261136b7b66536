//! The process that address spaces are forked from. It never runs guest code, and receives host files for the others:
//! all stubs share one table of descriptors.

use crate::affinity::Processors;
use crate::control::Control;
use crate::sys::{self, Errno, Event, Result, Tid};
use crate::tracee::{self, Failure};
use given_files::{File, GivenFiles};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::null;
use stub::image::{IMAGE_BYTES, LOADED_CODE_ADDR};
use stub::layout::{
    CODE_ADDR, CODE_PAGE, CONTROL_FD, LOADER_ADDR, MEMORY_FD, PAGE_BYTES, SCRATCH_ADDR, SCRATCH_PAGE, SOCKET_FD,
    TASK_END,
};

const SYS_CLOSE: u64 = 3;
const SYS_MMAP: u64 = 9;
const SYS_MUNMAP: u64 = 11;
const SYS_SIGPROCMASK: u64 = 14;
const SYS_MADVISE: u64 = 28;
const SYS_RECVMSG: u64 = 47;
const SYS_CLONE: u64 = 56;
const SYS_PRCTL: u64 = 157;

const PROT_READ: u64 = 1;
const PROT_WRITE: u64 = 2;
const PROT_EXEC: u64 = 4;
const MAP_SHARED_FIXED: u64 = 0x11;
const MADV_DONTFORK: u64 = 10;
const SIG_SETMASK: u64 = 2;
const PR_SET_NAME: u64 = 15;
const PR_SET_SECCOMP: u64 = 22;
const SECCOMP_MODE_FILTER: u64 = 2;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;

/// The zygote, and the bell that is its first child.
#[derive(Debug)]
pub struct Zygote {
    /// Its process, which leads the process group of all stubs.
    pub pid: Tid,
    /// A process that sleeps until a signal comes, so that its stop ends a wait of the tracer.
    pub bell_pid: Tid,
    socket: OwnedFd,
    given: GivenFiles,
    is_ended: bool,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.end_all();
    }
}

/// The step that failed when the zygote was started, for the message.
#[derive(Clone, Copy, Debug)]
pub struct StartError {
    /// What was tried.
    pub step: &'static str,
    /// What came of it.
    pub errno: Errno,
}

impl Zygote {
    /// Starts the zygote and the bell; both are traced by the calling thread.
    pub fn start(memory_fd: RawFd, control: &mut Control) -> core::result::Result<Self, StartError> {
        let at = |step| move |errno| StartError { step, errno };
        let image = sys::memfd(c"tsv-stub", PAGE_BYTES).map_err(at("memfd_create"))?;
        sys::write_all(image.as_fd(), &stub::image::build()[..IMAGE_BYTES]).map_err(at("write"))?;
        let (socket, theirs) = sys::socketpair().map_err(at("socketpair"))?;
        let fds = [memory_fd, control.fd().as_raw_fd(), theirs.as_raw_fd()];
        let pid = spawn(image.as_raw_fd(), fds).map_err(at("execve"))?;
        // From here on, an error drops it, which ends it.
        let mut zygote = Self {
            pid,
            bell_pid: 0,
            socket,
            given: GivenFiles::default(),
            is_ended: false,
        };
        let failed = |failure: Failure| at("the set-up of a stub")(failure.into());
        trace(pid).map_err(at("ptrace"))?;
        set_up(pid, control).map_err(failed)?;
        zygote.bell_pid = start_bell(pid).map_err(failed)?;
        Ok(zygote)
    }

    /// Kills all stubs and waits for their end.
    pub fn end_all(&mut self) {
        if core::mem::replace(&mut self.is_ended, true) {
            return;
        }
        // As long as one of the stubs was not waited for, the group is theirs.
        if sys::wait(-self.pid, libc::WNOHANG) == Err(Errno(libc::ECHILD)) {
            return;
        }
        let _gone = sys::kill(-self.pid, libc::SIGKILL);
        while !matches!(sys::wait(-self.pid, 0), Err(Errno(libc::ECHILD))) {}
    }

    /// Gives stubs a descriptor of this process's, unless they have it; the result is its number there, until
    /// [`Self::release_fd`]. Errors: `EMFILE`, `EBADF`.
    pub fn give_fd(&mut self, control: &mut Control, fd: RawFd) -> Result<i32> {
        let file = File::of(fd);
        if let Some(given) = file.and_then(|file| self.given.find(&file)) {
            return Ok(given);
        }
        let given = self.receive_fd(control, fd)?;
        if let Some(surplus) = file.and_then(|file| self.given.add(file, given)) {
            self.close_fd(surplus)?;
        }
        Ok(given)
    }

    /// A mapping was made with a descriptor of the stubs, or will not be made.
    pub fn release_fd(&mut self, fd: i32) -> Result<()> {
        self.given.release(fd).map_or(Ok(()), |fd| self.close_fd(fd))
    }

    fn receive_fd(&self, control: &mut Control, fd: RawFd) -> Result<i32> {
        sys::send_fd(self.socket.as_fd(), fd)?;
        let request = control.write_fd_request();
        let socket = SOCKET_FD.unsigned_abs().into();
        tracee::call(self.pid, SYS_RECVMSG, [socket, request, MSG_CMSG_CLOEXEC, 0, 0, 0])?;
        control.received_fd()
    }

    /// Closes a descriptor of the stubs.
    fn close_fd(&self, fd: i32) -> Result<()> {
        tracee::call(self.pid, SYS_CLOSE, [fd.unsigned_abs().into(), 0, 0, 0, 0, 0])?;
        Ok(())
    }
}

fn trace(pid: Tid) -> Result<()> {
    sys::seize(pid)?;
    sys::interrupt(pid)?;
    match sys::wait_thread(pid)? {
        Event::Interrupt => {}
        _ => return Err(Errno(libc::ECHILD)),
    }
    // What it does now, its tracer waits for. Where the host forbids it, it only takes longer.
    let _forbidden = Processors::pin(pid, Processors::current());
    Ok(())
}

/// Moves the code to its place and takes everything else away.
fn set_up(pid: Tid, control: &mut Control) -> core::result::Result<(), Failure> {
    let page_offset = |page: u64| page * PAGE_BYTES;
    let control_fd = CONTROL_FD.unsigned_abs().into();
    let image_end = LOADER_ADDR + PAGE_BYTES;
    tracee::call_at(
        LOADED_CODE_ADDR,
        pid,
        SYS_MUNMAP,
        [image_end, TASK_END - image_end, 0, 0, 0, 0],
    )?;
    let code = [
        CODE_ADDR,
        PAGE_BYTES,
        PROT_READ | PROT_EXEC,
        MAP_SHARED_FIXED,
        control_fd,
        page_offset(CODE_PAGE),
    ];
    tracee::call_at(LOADED_CODE_ADDR, pid, SYS_MMAP, code)?;
    tracee::call(pid, SYS_MUNMAP, [0, image_end, 0, 0, 0, 0])?;

    // Guests never see the scratch page: forks are made without it.
    let offset = page_offset(SCRATCH_PAGE);
    let scratch = [
        SCRATCH_ADDR,
        PAGE_BYTES,
        PROT_READ | PROT_WRITE,
        MAP_SHARED_FIXED,
        control_fd,
        offset,
    ];
    tracee::call(pid, SYS_MMAP, scratch)?;
    tracee::call(pid, SYS_MADVISE, [SCRATCH_ADDR, PAGE_BYTES, MADV_DONTFORK, 0, 0, 0])?;

    let none_blocked = control.write_scratch(&[0; 8]);
    tracee::call(pid, SYS_SIGPROCMASK, [SIG_SETMASK, none_blocked, 0, 8, 0, 0])?;
    let name = control.write_scratch(b"tsv-stub\0");
    tracee::call(pid, SYS_PRCTL, [PR_SET_NAME, name, 0, 0, 0, 0])?;
    let filter = control.write_filter();
    tracee::call(pid, SYS_PRCTL, [PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter, 0, 0, 0])?;
    Ok(())
}

/// Starts the bell, which sleeps.
fn start_bell(zygote: Tid) -> core::result::Result<Tid, Failure> {
    let bell = tracee::call(zygote, SYS_CLONE, [stub::layout::FORK_FLAGS, 0, 0, 0, 0, 0])?;
    let bell = Tid::try_from(bell).map_err(|_| Failure::Gone)?;
    match sys::wait_thread(bell) {
        Ok(Event::Interrupt) => {}
        _ => return Err(Failure::Gone),
    }
    let regs = sys::get_regs(bell).map_err(|_| Failure::Gone)?;
    let sleeping = mailbox::Registers {
        rip: CODE_ADDR + stub::code::pause(),
        orig_rax: u64::MAX,
        ..regs
    };
    sys::set_regs(bell, &sleeping).map_err(|_| Failure::Gone)?;
    sys::cont(bell).map_err(|_| Failure::Gone)?;
    Ok(bell)
}

/// What the child of `spawn` does its work with.
struct Spawn {
    image: RawFd,
    fds: [RawFd; 3],
    parent: libc::pid_t,
    error: i32,
}

const STACK_BYTES: usize = 64 * 1024;

/// Executes the image in a new process with exactly three descriptors. The child borrows this process's memory until
/// then, as of vfork(2).
fn spawn(image: RawFd, fds: [RawFd; 3]) -> Result<Tid> {
    // SAFETY: no memory is involved.
    let parent = unsafe { libc::getpid() };
    let mut request = Spawn {
        image,
        fds,
        parent,
        error: 0,
    };
    let mut stack = vec![0u128; STACK_BYTES / size_of::<u128>()];
    let top = stack.as_mut_ptr_range().end;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // A handler of this process must not run in the child. The stub unblocks them when it is set up.
    let blocked = sys::block_signals();
    // SAFETY: the stack and the request outlive the child's use of them: clone returns when it has executed or exited.
    let pid = sys::check(unsafe { libc::clone(run_child, top.cast(), flags, (&raw mut request).cast()) });
    sys::restore_signals(&blocked);
    let pid = pid?;
    if request.error != 0 {
        let ended = sys::wait_thread(pid);
        debug_assert!(ended == Ok(Event::Gone), "the child has exited");
        return Err(Errno(request.error));
    }
    Ok(pid)
}

extern "C" fn run_child(request: *mut libc::c_void) -> i32 {
    // SAFETY: `spawn` gives a request of its own and waits.
    let request = unsafe { &mut *request.cast::<Spawn>() };
    let result = prepare_child(request).and_then(execute);
    request.error = result.err().map_or(libc::EIO, |errno| errno.0);
    1
}

/// Leaves the process with its descriptors and without ways to get more.
fn prepare_child(request: &Spawn) -> Result<RawFd> {
    /// Descriptors from here on are used while the lower ones are put in place.
    const ASIDE: i32 = 16;
    // SAFETY: no memory is involved in any of these calls.
    let duplicate = |fd: RawFd| sys::check(unsafe { libc::fcntl(fd, libc::F_DUPFD, ASIDE) });
    let [memory, control, socket] = request.fds;
    let aside = [
        (duplicate(memory)?, MEMORY_FD),
        (duplicate(control)?, CONTROL_FD),
        (duplicate(socket)?, SOCKET_FD),
    ];
    let image = duplicate(request.image)?;
    for (from, to) in aside {
        // SAFETY: as above.
        sys::check(unsafe { libc::dup2(from, to) })?;
    }
    let image_fd = SOCKET_FD + 1;
    // SAFETY: as above.
    sys::check(unsafe { libc::dup3(image, image_fd, libc::O_CLOEXEC) })?;
    // SAFETY: as above.
    sys::check(unsafe { libc::syscall(libc::SYS_close_range, image_fd + 1, u32::MAX, 0) })?;
    // SAFETY: as above.
    sys::check(unsafe { libc::setsid() })?;
    // SAFETY: as above.
    sys::check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    // SAFETY: as above.
    sys::check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    sys::drop_capabilities()?;
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel reads the limit.
    sys::check(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) })?;
    // SAFETY: as above.
    let parent = unsafe { libc::getppid() };
    // A parent that died before PR_SET_PDEATHSIG sends nothing. Zero is one in another PID namespace.
    if parent == request.parent || parent == 0 {
        Ok(image_fd)
    } else {
        Err(Errno(libc::ESRCH))
    }
}

fn execute(image: RawFd) -> Result<()> {
    let nothing: [*const libc::c_char; 1] = [null()];
    let argv = [c"tsv-stub".as_ptr(), null()];
    let (path, at_empty_path) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the arrays end with null and outlive the call, which returns only when it fails.
    sys::check(unsafe {
        libc::syscall(
            libc::SYS_execveat,
            image,
            path,
            argv.as_ptr(),
            nothing.as_ptr(),
            at_empty_path,
        )
    })
    .map(drop)
}
