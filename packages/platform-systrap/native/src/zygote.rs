//! The process that address spaces are forked from. It never runs guest code, and receives host files for the others:
//! all helpers share one table of descriptors.

use crate::control::{Control, Order};
use crate::process::{self, Answers, Process};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use stub_host::given_files::{File, GivenFiles};
use stub_host::memory_file::{memfd, write_all};
use stub_host::passed_fd::{send_fd, socket_pair};
use stub_host::spawn::spawn;
use stub_host::start_error::{StartError, at};
use stub_host::{Errno, Result};
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

impl Zygote {
    /// Starts the zygote. It answers when it is ready.
    pub fn start(memory_fd: RawFd, control: &Control, answers: &Answers) -> core::result::Result<Self, StartError> {
        let image = memfd(c"tsv-stub", 0).map_err(at("memfd_create"))?;
        write_all(image.as_fd(), &stub_systrap::image::build(), 0).map_err(at("write"))?;
        let (socket, theirs) = socket_pair().map_err(at("socketpair"))?;
        // SAFETY: whoever starts the platform keeps the memory file open meanwhile.
        let memory = unsafe { BorrowedFd::borrow_raw(memory_fd) };
        const FDS: [i32; 5] = [MEMORY_FD, CONTROL_FD, SOCKET_FD, ANSWER_FD, EVENT_FD];
        const { assert!(matches!(FDS, [0, 1, 2, 3, 4]), "the order of the descriptors") };
        let fds = [
            memory,
            control.fd(),
            theirs.as_fd(),
            answers.file.as_fd(),
            answers.event.as_fd(),
        ];
        // Its signals stay blocked for good.
        let pid = spawn(image.as_fd(), &fds, process::reap).map_err(at("execve"))?;
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
        if fd < 0 {
            return Err(Errno::BADF);
        }
        // SAFETY: JavaScript keeps the descriptor open meanwhile; if it does not, the kernel says so.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
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

    fn receive_fd(&mut self, control: &Control, answers: &Answers, fd: BorrowedFd<'_>) -> Result<i32> {
        send_fd(self.socket.as_fd(), fd)?;
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
