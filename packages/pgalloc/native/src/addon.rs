//! What JavaScript calls. Page numbers and counts were made by the allocator, but are checked all the same.

use crate::memfd::Memfd;
use napi::bindgen_prelude::{ArrayBuffer, Either, Env, Error, Result, Status, Uint8Array};
use napi_derive::napi;
use rustix::io::Errno;

const PAGE_SHIFT: u32 = 12;

/// The host's file behind guest memory.
#[napi]
pub struct HostMemory {
    file: Option<Memfd>,
}

#[napi]
impl HostMemory {
    /// Creates an empty file. Throws with what memfd_create(2) says.
    #[napi(constructor)]
    pub fn new(name: String) -> Result<Self> {
        let file = Memfd::create(&name).map_err(|errno| {
            Error::new(
                Status::GenericFailure,
                format!("Cannot create the memory file: {errno}"),
            )
        })?;
        Ok(Self { file: Some(file) })
    }

    /// The descriptor, or -1 after `close`.
    #[napi(getter)]
    pub fn fd(&self) -> i32 {
        self.file.as_ref().map_or(-1, Memfd::raw_fd)
    }

    /// Lends the first `page_count` pages of chunk `index`, or returns a negated errno. The chunk is one of those there are,
    /// or the next one, by which the file grows by 1 GiB. The bytes are mapped until the buffer is detached or collected.
    #[napi(ts_return_type = "ArrayBuffer | number")]
    pub fn map_chunk<'env>(
        &mut self,
        env: &'env Env,
        index: u32,
        page_count: u32,
    ) -> Result<Either<ArrayBuffer<'env>, i32>> {
        let len = (page_count as usize) << PAGE_SHIFT;
        let map = |file: &mut Memfd| file.map_chunk(index, len);
        let mapping = match self.file.as_mut().map_or(Err(Errno::BADF), map) {
            Ok(mapping) => mapping,
            Err(errno) => return Ok(Either::B(negated(errno))),
        };
        let bytes = mapping.as_ptr();
        // SAFETY: the mapping has `len` bytes at `bytes` and lives until the finalizer drops it.
        let buffer = unsafe { ArrayBuffer::from_external(env, bytes, len, mapping, |_, mapping| drop(mapping)) }?;
        uncount(env, len)?;
        Ok(Either::A(buffer))
    }

    /// Punches a hole of `page_count` pages at page `pfn`. Returns 0 or a negated errno.
    #[napi]
    pub fn punch(&self, pfn: u32, page_count: u32) -> i32 {
        let punch = |file: &Memfd| file.punch(u64::from(pfn) << PAGE_SHIFT, u64::from(page_count) << PAGE_SHIFT);
        self.file
            .as_ref()
            .map_or(Err(Errno::BADF), punch)
            .map_or_else(negated, |()| 0)
    }

    /// Stores to `dst`, from index `at` on, 1 for each of `page_count` pages from `pfn` on that has memory, and 0 for each
    /// other one. Returns 0 or a negated errno; `EINVAL` where `dst` is too short.
    #[napi]
    pub fn mark_resident(&self, pfn: u32, page_count: u32, mut dst: Uint8Array, at: u32) -> i32 {
        let (first, count) = (at as usize, page_count as usize);
        // SAFETY: JavaScript runs on this thread, and does not see the bytes before this returns.
        let bytes = unsafe { dst.as_mut() };
        let Some(marks) = bytes.get_mut(first..).and_then(|tail| tail.get_mut(..count)) else {
            return negated(Errno::INVAL);
        };
        self.mark(pfn, marks).map_or_else(negated, |()| 0)
    }

    /// How many of `page_count` pages from `pfn` on have memory, or a negated errno.
    #[napi]
    pub fn resident_count(&self, pfn: u32, page_count: u32) -> f64 {
        let mut marks = [0; 4096];
        let mut found = 0.0;
        let mut done = 0;
        while done < page_count {
            let count = (page_count - done).min(4096);
            let part = &mut marks[..count as usize];
            if let Err(errno) = self.mark(pfn + done, part) {
                return f64::from(negated(errno));
            }
            found += f64::from(part.iter().map(|&mark| u32::from(mark)).sum::<u32>());
            done += count;
        }
        found
    }

    /// Bytes that the host has committed, or a negated errno.
    #[napi]
    #[allow(clippy::cast_precision_loss, reason = "no host has 2^53 bytes of memory")]
    pub fn committed_bytes(&self) -> f64 {
        match self.file.as_ref().map_or(Err(Errno::BADF), Memfd::committed_bytes) {
            Ok(bytes) => bytes as f64,
            Err(errno) => f64::from(negated(errno)),
        }
    }

    /// Detaches `chunks`, which unmaps them, and closes the descriptor.
    #[napi]
    pub fn close(&mut self, chunks: Vec<ArrayBuffer>) -> Result<()> {
        for chunk in chunks {
            chunk.detach()?;
        }
        self.file = None;
        Ok(())
    }
}

impl HostMemory {
    fn mark(&self, pfn: u32, marks: &mut [u8]) -> rustix::io::Result<()> {
        let file = self.file.as_ref().ok_or(Errno::BADF)?;
        file.mark_resident(u64::from(pfn) << PAGE_SHIFT, marks)
    }
}

/// Takes lent memory out of V8's account of what JavaScript objects hold: it is not theirs, and would have V8 collect garbage.
fn uncount(env: &Env, len: usize) -> Result<()> {
    env.adjust_external_memory(-i64::try_from(len).unwrap_or(i64::MAX))?;
    Ok(())
}

fn negated(errno: Errno) -> i32 {
    -errno.raw_os_error()
}
