//! What JavaScript calls. Indices and addresses come from the package's own TypeScript and are checked all the same.

use crate::code_shape::{patch_bytes, shape_of};
use crate::control::context_at;
use crate::doorbell::Doorbell;
use crate::site_block;
use crate::stubs::Stubs;
use napi::bindgen_prelude::{ArrayBuffer, Env, Error, Function, Result, Status, Uint8Array, Uint8ArraySlice};
use napi_derive::napi;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;
use stub_host::guest_range::{self, guest_range};
use stub_host::memory_file::memfd;
use stub_host::start_error::at;
use stub_systrap::layout::{
    BELL_PAGE, BLOCK_BYTES, BLOCKS_BYTES, CONTEXT_MAX, FIRST_STACK_PAGE, MAX_USER_ADDR, MIN_USER_ADDR, PAGE_BYTES,
    SPACE_MAX,
};
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

/// Contexts that can exist at once.
#[napi]
pub fn context_max() -> u32 {
    CONTEXT_MAX
}

/// Why no stub can be started here, or null: it tries.
#[napi]
pub fn unavailable() -> Option<String> {
    let memory = memfd(c"tsv-probe", PAGE_BYTES).map_err(at("memfd_create"));
    let started = memory.and_then(|memory| Stubs::start(memory.as_raw_fd(), false));
    started.err().map(|error| error.to_string())
}

/// How a system call site is patched.
#[napi(object)]
pub struct SitePatch {
    /// How many bytes before the system call the patch begins.
    pub lead_len: u32,
    /// Bytes behind the system call that are in the block now.
    pub tail_len: u32,
    /// Offsets of instructions behind the system call that were overwritten.
    pub starts: Vec<u32>,
    /// What is written over the site.
    pub bytes: Uint8Array,
}

/// All stubs of a sandbox. Methods return 0 or an index, or a negated errno.
#[napi]
pub struct SystrapStubs {
    stubs: Stubs,
    doorbell: Doorbell,
    uv_loop: UvLoop,
    watcher: UvWatcher,
}

#[napi]
impl SystrapStubs {
    /// Starts the zygote. Throws with the step that failed.
    #[napi(constructor)]
    pub fn new(env: Env, memory_fd: i32, may_patch: bool) -> Result<Self> {
        let fail = |reason| Error::new(Status::GenericFailure, reason);
        let raw = env.get_uv_event_loop()?;
        // SAFETY: it is the loop of this thread, and no object of it outlives its environment.
        let uv_loop = unsafe { UvLoop::from_raw(raw.cast()) };
        let uv_loop = uv_loop.map_err(|missing| fail(format!("Cannot watch the event loop: {missing}")))?;
        let stubs = Stubs::start(memory_fd, may_patch).map_err(|error| fail(error.to_string()))?;
        let doorbell = stubs.doorbell.clone();
        let rung = doorbell.clone();
        let watcher = UvWatcher::start(uv_loop.backend_fd(), move || rung.ring())
            .map_err(|errno| fail(format!("Cannot watch the event loop: {errno}")))?;
        Ok(Self {
            stubs,
            doorbell,
            uv_loop,
            watcher,
        })
    }

    /// Lends the context pages.
    #[napi]
    pub fn context_pages<'env>(&self, env: &'env Env) -> Result<ArrayBuffer<'env>> {
        let at = context_at(0);
        self.lend(env, at, page(FIRST_STACK_PAGE) - at)
    }

    /// Lends the doorbell.
    #[napi]
    pub fn bell_page<'env>(&self, env: &'env Env) -> Result<ArrayBuffer<'env>> {
        self.lend(env, page(BELL_PAGE), page(1))
    }

    /// Bytes of an FP state.
    #[napi(getter)]
    pub fn xstate_bytes(&self) -> u32 {
        u32::try_from(self.stubs.fp().len()).unwrap_or(0)
    }

    /// A context whose stub has died, or -1.
    #[napi]
    pub fn take_dead(&mut self) -> i32 {
        self.stubs.take_dead().map_or(-1, u32::cast_signed)
    }

    /// Waits for a stop, `wake`, or work for the event loop. Returns whether the loop may have work.
    #[napi]
    pub fn sleep(&mut self, timeout_ms: f64) -> bool {
        let loop_ms = self.uv_loop.timeout_ms();
        let limit_ms = timeout_ms.min(loop_ms).max(0.0);
        if limit_ms == 0.0 {
            return loop_ms == 0.0;
        }
        self.watcher.arm();
        // More than a Duration holds is for ever.
        let is_rung = self.doorbell.sleep(Duration::try_from_secs_f64(limit_ms / 1000.0).ok());
        self.watcher.disarm();
        is_rung || (loop_ms <= timeout_ms && !self.doorbell.has_stops())
    }

    /// A `sleep` that runs or comes returns.
    #[napi]
    pub fn wake(&self) {
        self.doorbell.ring();
    }

    /// A function that wakes the thread of a resumed context, which sleeps.
    #[napi]
    pub fn wake_function<'env>(&self, env: &'env Env) -> Result<Function<'env, u32, i32>> {
        plain_function::create(env, c"wake", Rc::clone(&self.stubs.handover), |handover, context| {
            handover.wake(context);
            0
        })
    }

    /// A function that waits until a guest stops, or the end of so many microseconds.
    #[napi]
    pub fn wait_function<'env>(&self, env: &'env Env) -> Result<Function<'env, u32, i32>> {
        plain_function::create(env, c"wait", Rc::clone(&self.stubs.handover), |handover, limit_us| {
            handover.wait(Duration::from_micros(limit_us.into()));
            0
        })
    }

    /// Keeps the sentry on its processor, and guests that it wakes with it.
    #[napi]
    pub fn come_near(&self) {
        self.stubs.handover.borrow_mut().come_near();
    }

    /// Lets all run anywhere.
    #[napi]
    pub fn go_far(&self) {
        self.stubs.handover.borrow_mut().go_far();
    }

    /// A new address space.
    #[napi]
    pub fn create_space(&mut self) -> i32 {
        index_or_errno(self.stubs.create_space())
    }

    /// A copy of an address space.
    #[napi]
    pub fn fork_space(&mut self, space: u32) -> i32 {
        index_or_errno(self.stubs.fork_space(space))
    }

    /// Ends an address space.
    #[napi]
    pub fn release_space(&mut self, space: u32) {
        self.stubs.release_space(space);
    }

    /// Ends the process of an address space; its contexts are told dead.
    #[napi]
    pub fn kill_space(&mut self, space: u32) {
        self.stubs.kill_space(space);
    }

    /// Ends the process of a context's address space; its contexts are told dead.
    #[napi]
    pub fn kill_context(&mut self, context: u32) {
        self.stubs.kill_context(context);
    }

    /// Queues a mapping of the memory file.
    #[napi]
    pub fn map_memory(&mut self, space: u32, addr: f64, len: f64, prot: u32, pfn: u32) -> Result<()> {
        let (addr, len) = range(addr, len)?;
        self.stubs.space(space).map_memory(addr, len, prot.into(), pfn.into());
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
        Ok(zero_or_errno(self.stubs.map_host_file(
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
        self.stubs.space(space).unmap(addr, len);
        Ok(())
    }

    /// Queues a change of protection.
    #[napi]
    pub fn protect(&mut self, space: u32, addr: f64, len: f64, prot: u32) -> Result<()> {
        let (addr, len) = range(addr, len)?;
        self.stubs.space(space).protect(addr, len, prot.into());
        Ok(())
    }

    /// Makes the queued changes.
    #[napi]
    pub fn flush(&mut self, space: u32) -> i32 {
        zero_or_errno(self.stubs.flush(space))
    }

    /// A new guest thread; `from` is -1 or a context whose registers it starts with.
    #[napi]
    pub fn create_context(&mut self, space: u32, from: i32) -> i32 {
        index_or_errno(self.stubs.create_context(space, u32::try_from(from).ok()))
    }

    /// Maps a group of blocks of patched sites into an address space; `isNew` for one that no address space has.
    #[napi]
    pub fn map_blocks(&mut self, space: u32, group: u32, is_new: bool) -> Result<i32> {
        check_group(group)?;
        Ok(zero_or_errno(self.stubs.map_blocks(space, group, is_new)))
    }

    /// Writes block `index` of a group for the system call at `siteAt` of `code`, which lies at `codeAddr` and has made
    /// call `nr`. Null when the site cannot be patched.
    #[napi]
    pub fn write_block(
        &mut self,
        group: u32,
        index: u32,
        code: &[u8],
        code_addr: f64,
        site_at: u32,
        nr: u32,
    ) -> Result<Option<SitePatch>> {
        check_group(group)?;
        if index == 0 || u64::from(index) >= BLOCKS_BYTES / BLOCK_BYTES {
            return Err(out_of_range("there is no such block"));
        }
        let addr = whole(code_addr)?;
        let Some(shape) = shape_of(code, addr, site_at as usize, nr) else {
            return Ok(None);
        };
        let fail = |errno| out_of_range(&format!("the block cannot be written: {errno}"));
        let block = site_block::build(index.into(), &shape, addr + u64::from(site_at), nr).map_err(fail)?;
        let bytes = patch_bytes(site_block::block_addr(index.into())).map_err(fail)?;
        self.stubs.control.write_block(group, index, &block);
        Ok(Some(SitePatch {
            lead_len: u32::try_from(shape.lead).unwrap_or(0),
            tail_len: u32::try_from(shape.tail.len()).unwrap_or(0),
            starts: shape.starts.iter().filter_map(|at| u32::try_from(*at).ok()).collect(),
            bytes: bytes.to_vec().into(),
        }))
    }

    /// Makes a running context stop.
    #[napi]
    pub fn interrupt(&mut self, context: u32) {
        self.stubs.interrupt(context);
    }

    /// Copies the FP state of a stopped context.
    #[napi]
    pub fn load_fp(&mut self, context: u32, mut dst: Uint8ArraySlice<'_>, at: u32) -> Result<()> {
        // SAFETY: JavaScript does not run before this returns, so that nobody else uses the bytes.
        let dst = unsafe { dst.as_mut() };
        let dst = dst
            .get_mut(at as usize..)
            .and_then(|dst| dst.get_mut(..self.stubs.fp().len()));
        let dst = dst.ok_or_else(|| out_of_range("the FP state does not fit"))?;
        self.stubs.load_fp(context, dst);
        Ok(())
    }

    /// Sets the FP state of a stopped context.
    #[napi]
    pub fn store_fp(&mut self, context: u32, src: &[u8], at: u32) -> Result<i32> {
        let src = src.get(at as usize..).and_then(|src| src.get(..self.stubs.fp().len()));
        let src = src.ok_or_else(|| out_of_range("the FP state is cut short"))?;
        Ok(zero_or_errno(self.stubs.store_fp(context, src)))
    }

    /// Sets the FP state of a new process.
    #[napi]
    pub fn reset_fp(&mut self, context: u32) {
        self.stubs.reset_fp(context);
    }

    /// A context is about to run for the first time.
    #[napi]
    pub fn begin_context(&mut self, context: u32) {
        self.stubs.begin_context(context);
    }

    /// Ends a guest thread.
    #[napi]
    pub fn release_context(&mut self, context: u32) {
        self.stubs.release_context(context);
    }

    /// Kills all stubs.
    #[napi]
    pub fn close(&mut self) {
        self.stubs.close();
    }

    fn lend<'env>(&self, env: &'env Env, at: usize, len: usize) -> Result<ArrayBuffer<'env>> {
        let memory = self.stubs.control.memory();
        let addr = memory.bytes(at, len);
        // SAFETY: the mapping has `len` bytes at `addr` and lives until the finalizer drops its share of it.
        let buffer = unsafe { ArrayBuffer::from_external(env, addr, len, memory, |_, memory| drop(memory)) }?;
        uncount(env, len)?;
        Ok(buffer)
    }
}

/// Takes lent memory out of V8's account of what JavaScript objects hold: it is not theirs, and would have V8 collect garbage.
fn uncount(env: &Env, len: usize) -> Result<()> {
    env.adjust_external_memory(-i64::try_from(len).unwrap_or(i64::MAX))?;
    Ok(())
}

/// Where a page of the control file lies.
fn page(index: u64) -> usize {
    usize::try_from(index * PAGE_BYTES).unwrap_or(usize::MAX)
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

fn check_group(group: u32) -> Result<()> {
    if group < SPACE_MAX {
        Ok(())
    } else {
        Err(out_of_range("there is no such group of blocks"))
    }
}

fn out_of_range(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason.to_string())
}
