//! The process that address spaces are forked from. It never runs guest code, and receives host files for the others:
//! all stubs share one table of descriptors.

use crate::affinity::Processors;
use crate::control::Control;
use crate::ptrace::{self, Event};
use crate::tracee::{self, Failure};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use stub::image::{IMAGE_BYTES, LOADED_CODE_ADDR};
use stub::layout::{
    CODE_ADDR, CODE_PAGE, CONTROL_FD, LOADER_ADDR, MEMORY_FD, PAGE_BYTES, SCRATCH_ADDR, SCRATCH_PAGE, SOCKET_FD,
    TASK_END,
};
use stub_host::given_files::{File, GivenFiles};
use stub_host::memory_file::{memfd, write_all};
use stub_host::passed_fd::{send_fd, socket_pair};
use stub_host::processors::processor;
use stub_host::spawn::spawn;
use stub_host::start_error::{StartError, at};
use stub_host::{Errno, Result, Tid};

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

impl Zygote {
    /// Starts the zygote and the bell; both are traced by the calling thread.
    pub fn start(memory_fd: RawFd, control: &mut Control) -> core::result::Result<Self, StartError> {
        let image = memfd(c"tsv-stub", PAGE_BYTES).map_err(at("memfd_create"))?;
        write_all(image.as_fd(), &stub::image::build()[..IMAGE_BYTES], 0).map_err(at("write"))?;
        let (socket, theirs) = socket_pair().map_err(at("socketpair"))?;
        // SAFETY: whoever starts the platform keeps the memory file open meanwhile.
        let memory = unsafe { BorrowedFd::borrow_raw(memory_fd) };
        const {
            assert!(
                matches!([MEMORY_FD, CONTROL_FD, SOCKET_FD], [0, 1, 2]),
                "the order of the descriptors"
            )
        };
        let fds = [memory, control.fd(), theirs.as_fd()];
        let reap = |pid| {
            let ended = ptrace::wait_thread(pid);
            debug_assert!(ended == Ok(Event::Gone), "the child has exited");
        };
        let pid = spawn(image.as_fd(), &fds, reap).map_err(at("execve"))?;
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
        if ptrace::wait(-self.pid, libc::WNOHANG) == Err(Errno::CHILD) {
            return;
        }
        let _gone = ptrace::kill(-self.pid, libc::SIGKILL);
        while !matches!(ptrace::wait(-self.pid, 0), Err(Errno::CHILD)) {}
    }

    /// Gives stubs a descriptor of this process's, unless they have it; the result is its number there, until
    /// [`Self::release_fd`]. Errors: `EMFILE`, `EBADF`.
    pub fn give_fd(&mut self, control: &mut Control, fd: RawFd) -> Result<i32> {
        if fd < 0 {
            return Err(Errno::BADF);
        }
        // SAFETY: JavaScript keeps the descriptor open meanwhile; if it does not, the kernel says so.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
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

    fn receive_fd(&self, control: &mut Control, fd: BorrowedFd<'_>) -> Result<i32> {
        send_fd(self.socket.as_fd(), fd)?;
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
    ptrace::seize(pid)?;
    ptrace::interrupt(pid)?;
    match ptrace::wait_thread(pid)? {
        Event::Interrupt => {}
        _ => return Err(Errno::CHILD),
    }
    // What it does now, its tracer waits for. Where the host forbids it, it only takes longer.
    let _forbidden = Processors::pin(pid, processor());
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
    match ptrace::wait_thread(bell) {
        Ok(Event::Interrupt) => {}
        _ => return Err(Failure::Gone),
    }
    let regs = ptrace::get_regs(bell).map_err(|_| Failure::Gone)?;
    let sleeping = mailbox::Registers {
        rip: CODE_ADDR + stub::code::pause(),
        orig_rax: u64::MAX,
        ..regs
    };
    ptrace::set_regs(bell, &sleeping).map_err(|_| Failure::Gone)?;
    ptrace::cont(bell).map_err(|_| Failure::Gone)?;
    Ok(bell)
}
