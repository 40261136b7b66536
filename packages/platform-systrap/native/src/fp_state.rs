//! FP states as signal frames have them: XSAVE format, with a word of the kernel's in the unused part of the header.

/// `struct _fpx_sw_bytes` in the legacy region, `<asm/sigcontext.h>`.
const SOFTWARE_AT: usize = 464;
const SOFTWARE_END: usize = 512;
/// The XSAVE header.
const HEADER_AT: usize = 512;
const HEADER_END: usize = 576;
const MXCSR_AT: usize = 24;
const MXCSR_MASK_AT: usize = 28;
/// What `MXCSR_MASK` is where the processor says 0, Intel SDM 1, 11.6.6.
const DEFAULT_MXCSR_MASK: u32 = 0xffbf;
const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// SSE and AVX: MXCSR is theirs.
const MXCSR_USERS: u64 = 6;

/// What states must be like here, and the one of a new process.
#[derive(Debug)]
pub struct FpFormat {
    initial: Vec<u8>,
    xfeatures: u64,
    mxcsr_mask: u32,
}

/// The state's length, when the start of a frame's FP state says that it is in XSAVE format.
#[must_use]
pub fn frame_len(start: &[u8; HEADER_AT]) -> Option<usize> {
    let len = word(start, SOFTWARE_AT + 16) as usize;
    (word(start, SOFTWARE_AT) == FP_XSTATE_MAGIC1 && len >= HEADER_END).then_some(len)
}

impl FpFormat {
    /// From the frame of a thread that has just begun.
    #[must_use]
    pub fn of(initial: Vec<u8>) -> Self {
        let mxcsr_mask = match word(&initial, MXCSR_MASK_AT) {
            0 => DEFAULT_MXCSR_MASK,
            mask => mask,
        };
        Self {
            xfeatures: double_word(&initial, SOFTWARE_AT + 8),
            mxcsr_mask,
            initial,
        }
    }

    /// Bytes of a state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.initial.len()
    }

    /// Whether states have no bytes: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.initial.is_empty()
    }

    /// The state of a new process.
    #[must_use]
    pub fn initial(&self) -> &[u8] {
        &self.initial
    }

    /// Whether the processor takes a state.
    #[must_use]
    pub fn accepts(&self, state: &[u8]) -> bool {
        let components = double_word(state, HEADER_AT);
        let has_mxcsr = components & MXCSR_USERS != 0;
        components & !self.xfeatures == 0
            && state[HEADER_AT + 8..HEADER_END].iter().all(|byte| *byte == 0)
            && (!has_mxcsr || word(state, MXCSR_AT) & !self.mxcsr_mask == 0)
    }

    /// Puts a state into a frame, but for what the kernel has written there.
    ///
    /// # Safety
    /// The frame has [`Self::len`] bytes.
    pub unsafe fn put(&self, state: &[u8], frame: *mut u8) {
        let state = &state[..self.len()];
        // SAFETY: both have as many bytes.
        unsafe { core::ptr::copy_nonoverlapping(state.as_ptr(), frame, SOFTWARE_AT) };
        let rest = &state[SOFTWARE_END..];
        // SAFETY: as above.
        unsafe { core::ptr::copy_nonoverlapping(rest.as_ptr(), frame.wrapping_add(SOFTWARE_END), rest.len()) };
    }

    /// Takes a state out of a frame.
    ///
    /// # Safety
    /// The frame has [`Self::len`] bytes.
    pub unsafe fn take(&self, frame: *const u8, state: &mut [u8]) {
        let state = &mut state[..self.len()];
        // SAFETY: both have as many bytes.
        unsafe { core::ptr::copy_nonoverlapping(frame, state.as_mut_ptr(), state.len()) };
        // As PTRACE_GETREGSET has it: which components there are.
        state[SOFTWARE_AT..SOFTWARE_END].fill(0);
        state[SOFTWARE_AT..SOFTWARE_AT + 8].copy_from_slice(&self.xfeatures.to_le_bytes());
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn double_word(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}
