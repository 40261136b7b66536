//! What JavaScript calls. Indices and addresses come from the package's own TypeScript and are checked all the same.

mod next_function;

use crate::bell::Bell;
use crate::context_pages::CONTEXT_MAX;
use crate::tracer::Tracer;
use napi::bindgen_prelude::{ArrayBuffer, Env, Error, Function, Result, Status, Uint8ArraySlice};
use napi_derive::napi;
use std::cell::{RefCell, RefMut};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;
use stub::layout::{MAX_USER_ADDR, MIN_USER_ADDR, PAGE_BYTES};
use stub_host::guest_range::{self, guest_range};
use stub_host::memory_file::memfd;
use stub_host::start_error::at;
use uvloop::{UvLoop, UvWatcher};

/// First address that guests may map.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "addresses are below 2^53")]
pub fn min_user_addr() -> f64 {
    MIN_USER_ADDR as f64
}

/// End of what guests may map.
#[napi]
#[allow(clippy::cast_precision_loss, reason = "addresses are below 2^53")]
pub fn max_user_addr() -> f64 {
    MAX_USER_ADDR as f64
}

/// Contexts that can exist at once; the list of resumed contexts is behind that many pages.
#[napi]
pub fn context_max() -> u32 {
    CONTEXT_MAX
}

/// Why no stub can be started here, or null: it tries.
#[napi]
pub fn unavailable() -> Option<String> {
    let memory = memfd(c"tsv-probe", PAGE_BYTES).map_err(at("memfd_create"));
    let started = memory.and_then(|memory| Tracer::start(memory.as_raw_fd()));
    started.err().map(|error| error.to_string())
}

/// All stubs of a sandbox. Methods return 0 or an index, or a negated errno.
#[napi]
pub struct PtraceStubs {
    tracer: Rc<RefCell<Tracer>>,
    bell: Bell,
    uv_loop: UvLoop,
    watcher: UvWatcher,
}

#[napi]
impl PtraceStubs {
    /// Starts the zygote. Throws with the step that failed.
    #[napi(constructor)]
    pub fn new(env: Env, memory_fd: i32) -> Result<Self> {
        let fail = |reason| Error::new(Status::GenericFailure, reason);
        let raw = env.get_uv_event_loop()?;
        // SAFETY: it is the loop of this thread, and no object of it outlives its environment.
        let uv_loop = unsafe { UvLoop::from_raw(raw.cast()) };
        let uv_loop = uv_loop.map_err(|missing| fail(format!("Cannot watch the event loop: {missing}")))?;
        let tracer = Tracer::start(memory_fd).map_err(|error| fail(error.to_string()))?;
        let bell = tracer.bell();
        let rung = bell.clone();
        let watcher = UvWatcher::start(uv_loop.backend_fd(), move || rung.ring())
            .map_err(|errno| fail(format!("Cannot watch the event loop: {errno}")))?;
        Ok(Self {
            tracer: Rc::new(RefCell::new(tracer)),
            bell,
            uv_loop,
            watcher,
        })
    }

    /// Lends the context pages and, behind them, the list of resumed contexts: a count and indices, as u32.
    #[napi]
    pub fn context_pages<'env>(&self, env: &'env Env) -> Result<ArrayBuffer<'env>> {
        let memory = self.tracer().pages.memory();
        let len = memory.byte_count();
        let addr = memory.bytes(0, len);
        // SAFETY: the mapping has `len` bytes at `addr` and lives until the finalizer drops its share of it.
        let buffer = unsafe { ArrayBuffer::from_external(env, addr, len, memory, |_, memory| drop(memory)) }?;
        uncount(env, len)?;
        Ok(buffer)
    }

    /// Bytes of an FP state.
    #[napi(getter)]
    pub fn xstate_bytes(&self) -> u32 {
        u32::try_from(self.tracer().xstate_bytes()).unwrap_or(0)
    }

    /// Makes the function that tells the context that stopped, or -1.
    #[napi]
    pub fn next_function<'env>(&self, env: &'env Env) -> Result<Function<'env, (), i32>> {
        next_function::create(env, Rc::clone(&self.tracer))
    }

    /// Waits for a stop, the bell, a signal, or work for the event loop. Returns whether the loop may have work.
    #[napi]
    pub fn sleep(&mut self, timeout_ms: f64) -> bool {
        let loop_ms = self.uv_loop.timeout_ms();
        let limit_ms = timeout_ms.min(loop_ms).max(0.0);
        self.watcher.arm();
        // More than a Duration holds is for ever.
        let is_rung = self.tracer().sleep(Duration::try_from_secs_f64(limit_ms / 1000.0).ok());
        self.watcher.disarm();
        is_rung || (loop_ms <= timeout_ms && self.tracer().is_quiet())
    }

    /// Rings the bell: a `sleep` that runs or comes returns.
    #[napi]
    pub fn wake(&self) {
        self.bell.ring();
    }

    /// A new address space.
    #[napi]
    pub fn create_space(&mut self) -> i32 {
        index_or_errno(self.tracer().create_space())
    }

    /// A copy of an address space.
    #[napi]
    pub fn fork_space(&mut self, space: u32) -> i32 {
        index_or_errno(self.tracer().fork_space(space))
    }

    /// Ends an address space.
    #[napi]
    pub fn release_space(&mut self, space: u32) {
        self.tracer().release_space(space);
    }

    /// Queues a mapping of the memory file.
    #[napi]
    pub fn map_memory(&mut self, space: u32, addr: f64, len: f64, prot: u32, pfn: u32) -> Result<()> {
        let (addr, len) = range(addr, len)?;
        self.tracer()
            .space(space)
            .map_memory(addr, len, prot.into(), pfn.into());
        Ok(())
    }

    /// Queues a mapping of a host file.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "as mmap(2)")]
    pub fn map_host_file(
        &mut self,
        space: u32,
        addr: f64,
        len: f64,
        prot: u32,
        host_fd: i32,
        file_offset: f64,
        is_shared: bool,
    ) -> Result<i32> {
        let range = range(addr, len)?;
        let file = (host_fd, whole(file_offset)?);
        Ok(zero_or_errno(self.tracer().map_host_file(
            space,
            range,
            prot.into(),
            file,
            is_shared,
        )))
    }

    /// Queues the end of a range's mappings.
    #[napi]
    pub fn unmap(&mut self, space: u32, addr: f64, len: f64) -> Result<()> {
        let (addr, len) = range(addr, len)?;
        self.tracer().space(space).unmap(addr, len);
        Ok(())
    }

    /// Queues a change of protection.
    #[napi]
    pub fn protect(&mut self, space: u32, addr: f64, len: f64, prot: u32) -> Result<()> {
        let (addr, len) = range(addr, len)?;
        self.tracer().space(space).protect(addr, len, prot.into());
        Ok(())
    }

    /// Makes the queued changes.
    #[napi]
    pub fn flush(&mut self, space: u32) -> i32 {
        zero_or_errno(self.tracer().flush(space))
    }

    /// A new guest thread; `from` is -1 or a context whose registers it starts with.
    #[napi]
    pub fn create_context(&mut self, space: u32, from: i32) -> i32 {
        index_or_errno(self.tracer().create_context(space, u32::try_from(from).ok()))
    }

    /// Makes a running context stop.
    #[napi]
    pub fn interrupt(&mut self, context: u32) {
        self.tracer().interrupt(context);
    }

    /// Copies the FP state of a stopped context.
    #[napi]
    pub fn load_fp(&mut self, context: u32, mut dst: Uint8ArraySlice<'_>, at: u32) -> Result<()> {
        // SAFETY: JavaScript does not run before this returns, so that nobody else uses the bytes.
        let dst = unsafe { dst.as_mut() };
        let dst = dst
            .get_mut(at as usize..)
            .and_then(|dst| dst.get_mut(..self.tracer().xstate_bytes()));
        let dst = dst.ok_or_else(|| out_of_range("the FP state does not fit"))?;
        // It fails only when the thread is gone, which is told when the context is resumed.
        if self.tracer().load_fp(context, dst).is_err() {
            dst.fill(0);
        }
        Ok(())
    }

    /// Sets the FP state of a stopped context.
    #[napi]
    pub fn store_fp(&mut self, context: u32, src: &[u8], at: u32) -> Result<i32> {
        let src = src
            .get(at as usize..)
            .and_then(|src| src.get(..self.tracer().xstate_bytes()));
        let src = src.ok_or_else(|| out_of_range("the FP state is cut short"))?;
        Ok(zero_or_errno(self.tracer().store_fp(context, src)))
    }

    /// Sets the FP state of a new process.
    #[napi]
    pub fn reset_fp(&mut self, context: u32) {
        self.tracer().reset_fp(context);
    }

    /// Ends a guest thread.
    #[napi]
    pub fn release_context(&mut self, context: u32) {
        self.tracer().release_context(context);
    }

    /// Kills all stubs.
    #[napi]
    pub fn close(&mut self) {
        self.tracer().close();
    }
}

/// Takes lent memory out of V8's account of what JavaScript objects hold: it is not theirs, and would have V8 collect garbage.
fn uncount(env: &Env, len: usize) -> Result<()> {
    env.adjust_external_memory(-i64::try_from(len).unwrap_or(i64::MAX))?;
    Ok(())
}

impl PtraceStubs {
    /// No method calls into JavaScript, so that the tracer is never in use when it is wanted.
    fn tracer(&self) -> RefMut<'_, Tracer> {
        self.tracer.borrow_mut()
    }
}

fn index_or_errno(result: stub_host::Result<u32>) -> i32 {
    match result {
        Ok(index) => index.cast_signed(),
        Err(errno) => -errno.raw_os_error(),
    }
}

fn zero_or_errno(result: stub_host::Result<()>) -> i32 {
    match result {
        Ok(()) => 0,
        Err(errno) => -errno.raw_os_error(),
    }
}

/// A page-aligned range of guest addresses; no part of the stub can be in it.
fn range(addr: f64, len: f64) -> Result<(u64, u64)> {
    guest_range(addr, len, (MIN_USER_ADDR, MAX_USER_ADDR)).ok_or_else(|| out_of_range("the range is not the guest's"))
}

fn whole(value: f64) -> Result<u64> {
    guest_range::whole(value).ok_or_else(|| out_of_range("not an address"))
}

fn out_of_range(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason.to_string())
}
