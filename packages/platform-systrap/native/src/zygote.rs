//! The process that address spaces are forked from. It never runs guest code, and receives host files for the others:
//! all helpers share one table of descriptors.

use crate::control::{Control, Order};
use crate::process::{Answers, Process};
use crate::sys::{self, Errno, Result, Tid, check};
use given_files::{File, GivenFiles};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr::null;
use stub_systrap::layout::{ANSWER_FD, CONTROL_FD, Call, EVENT_FD, MEMORY_FD, SOCKET_FD};

const SYS_CLOSE: u64 = 3;
const SYS_RECVMSG: u64 = 47;
const MSG_CMSG_CLOEXEC: u64 = 0x4000_0000;

/// The zygote has the first request page.
pub const ZYGOTE: u32 = 0;

/// The zygote.
#[derive(Debug)]
pub struct Zygote {
    /// Its process.
    pub process: Process,
    socket: OwnedFd,
    given: GivenFiles,
}

/// The step that failed when the zygote was started, for the message.
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

impl Zygote {
    /// Starts the zygote. It answers when it is ready.
    pub fn start(memory_fd: RawFd, control: &Control, answers: &Answers) -> core::result::Result<Self, StartError> {
        let image = sys::memfd(c"tsv-stub", 0).map_err(at("memfd_create"))?;
        sys::write_all(image.as_fd(), &stub_systrap::image::build(), 0).map_err(at("write"))?;
        let (socket, theirs) = sys::socketpair().map_err(at("socketpair"))?;
        let fds = [
            (memory_fd, MEMORY_FD),
            (control.fd().as_raw_fd(), CONTROL_FD),
            (theirs.as_raw_fd(), SOCKET_FD),
            (answers.file.as_raw_fd(), ANSWER_FD),
            (answers.event.as_raw_fd(), EVENT_FD),
        ];
        let pid = spawn(image.as_raw_fd(), &fds).map_err(at("execve"))?;
        let process = Process::of(pid).map_err(at("pidfd_open"))?;
        Ok(Self {
            process,
            socket,
            given: GivenFiles::default(),
        })
    }

    /// Gives stubs a descriptor of this process's, unless they have it; the result is its number there, until
    /// [`Self::release_fd`]. Errors: `EMFILE`, `EBADF`.
    pub fn give_fd(&mut self, control: &Control, answers: &Answers, fd: RawFd) -> Result<i32> {
        let file = File::of(fd);
        if let Some(given) = file.and_then(|file| self.given.find(&file)) {
            return Ok(given);
        }
        let given = self.receive_fd(control, answers, fd)?;
        if let Some(surplus) = file.and_then(|file| self.given.add(file, given)) {
            self.close_fd(control, answers, surplus);
        }
        Ok(given)
    }

    /// A mapping was made with a descriptor of the stubs, or will not be made.
    pub fn release_fd(&mut self, control: &Control, answers: &Answers, fd: i32) {
        if let Some(fd) = self.given.release(fd) {
            self.close_fd(control, answers, fd);
        }
    }

    fn receive_fd(&mut self, control: &Control, answers: &Answers, fd: RawFd) -> Result<i32> {
        sys::send_fd(self.socket.as_fd(), fd)?;
        let args = [
            SOCKET_FD.unsigned_abs().into(),
            control.write_fd_request(),
            MSG_CMSG_CLOEXEC,
            0,
            0,
            0,
        ];
        self.call(control, answers, SYS_RECVMSG, args)?;
        control.received_fd()
    }

    /// Closes a descriptor of the stubs. It fails only when the zygote is gone, and they can get none any more.
    fn close_fd(&mut self, control: &Control, answers: &Answers, fd: i32) {
        let _gone = self.call(control, answers, SYS_CLOSE, [fd.unsigned_abs().into(), 0, 0, 0, 0, 0]);
    }

    fn call(&mut self, control: &Control, answers: &Answers, nr: u64, args: [u64; 6]) -> Result<u32> {
        let order = Order {
            calls: &[Call { nr, args }],
            ..Order::default()
        };
        self.process.ask(control, ZYGOTE, answers, &order)
    }
}

/// What the child of `spawn` does its work with.
struct Spawn<'fds> {
    image: RawFd,
    fds: &'fds [(RawFd, i32)],
    parent: libc::pid_t,
    error: i32,
}

const STACK_BYTES: usize = 64 * 1024;

/// Executes the image in a new process with exactly these descriptors. The child borrows this process's memory until
/// then, as of vfork(2).
fn spawn(image: RawFd, fds: &[(RawFd, i32)]) -> Result<Tid> {
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
    // A handler of this process must not run in the child. Helpers keep all signals blocked for good.
    let blocked = sys::block_signals();
    // SAFETY: the stack and the request outlive the child's use of them: clone returns when it has executed or exited.
    let pid = check(unsafe { libc::clone(run_child, top.cast(), flags, (&raw mut request).cast()) });
    sys::restore_signals(&blocked);
    let pid = pid?;
    if request.error != 0 {
        sys::reap(pid);
        return Err(Errno(request.error));
    }
    Ok(pid)
}

extern "C" fn run_child(request: *mut libc::c_void) -> i32 {
    // SAFETY: `spawn` gives a request of its own and waits.
    let request = unsafe { &mut *request.cast::<Spawn<'_>>() };
    let result = prepare_child(request).and_then(execute);
    request.error = result.err().map_or(libc::EIO, |errno| errno.0);
    1
}

/// Leaves the process with its descriptors and without ways to get more.
fn prepare_child(request: &Spawn<'_>) -> Result<RawFd> {
    /// Descriptors from here on are used while the lower ones are put in place.
    const ASIDE: i32 = 16;
    const IMAGE_FD: i32 = EVENT_FD + 1;
    // SAFETY: no memory is involved in any of these calls.
    let duplicate = |fd: RawFd, least: i32| check(unsafe { libc::fcntl(fd, libc::F_DUPFD, least) });
    let image = duplicate(request.image, ASIDE)?;
    let mut aside = [-1; 5];
    for (aside, (fd, _)) in aside.iter_mut().zip(request.fds) {
        *aside = duplicate(*fd, ASIDE)?;
    }
    for (aside, (_, to)) in aside.iter().zip(request.fds) {
        // SAFETY: as above.
        check(unsafe { libc::dup2(*aside, *to) })?;
    }
    // SAFETY: as above.
    check(unsafe { libc::dup3(image, IMAGE_FD, libc::O_CLOEXEC) })?;
    // SAFETY: as above.
    check(unsafe { libc::syscall(libc::SYS_close_range, IMAGE_FD + 1, u32::MAX, 0) })?;
    // SAFETY: as above.
    check(unsafe { libc::setsid() })?;
    // SAFETY: as above.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) })?;
    // SAFETY: as above.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    sys::drop_capabilities()?;
    let no_core = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel reads the limit.
    check(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const no_core) })?;
    // SAFETY: as above.
    let parent = unsafe { libc::getppid() };
    // A parent that died before PR_SET_PDEATHSIG sends nothing. Zero is one in another PID namespace.
    if parent == request.parent || parent == 0 {
        Ok(IMAGE_FD)
    } else {
        Err(Errno(libc::ESRCH))
    }
}

fn execute(image: RawFd) -> Result<()> {
    let nothing: [*const libc::c_char; 1] = [null()];
    let argv = [c"tsv-stub".as_ptr(), null()];
    let (path, flags) = (c"".as_ptr(), libc::AT_EMPTY_PATH);
    // SAFETY: the arrays end with null and outlive the call, which returns only when it fails.
    check(unsafe { libc::syscall(libc::SYS_execveat, image, path, argv.as_ptr(), nothing.as_ptr(), flags) }).map(drop)
}
