//! The CPU's time stamp counter, what it is identified by, and cpuid.

use std::arch::x86_64::{__cpuid_count, _rdtsc};

/// The counter now.
#[must_use]
pub fn now() -> u64 {
    // SAFETY: rdtsc exists on every x86-64; where it is forbidden (PR_SET_TSC) the process asked for SIGSEGV.
    unsafe { _rdtsc() }
}

/// eax, ebx, ecx, edx of a cpuid leaf.
#[must_use]
pub fn cpuid(leaf: u32, subleaf: u32) -> [u32; 4] {
    let result = __cpuid_count(leaf, subleaf);
    [result.eax, result.ebx, result.ecx, result.edx]
}

/// True when the counter runs at one speed whatever the CPU does: leaf 0x80000007, edx bit 8.
#[must_use]
pub fn is_invariant() -> bool {
    cpuid(0x8000_0000, 0)[0] >= 0x8000_0007 && cpuid(0x8000_0007, 0)[3] & (1 << 8) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_goes_up() {
        let first = now();
        assert!(now() > first);
    }

    #[test]
    fn leaf_0_is_the_vendor() {
        let [_, ebx, ecx, edx] = cpuid(0, 0);
        let vendor = [ebx, edx, ecx].map(u32::to_le_bytes).concat();
        assert!(vendor.is_ascii(), "{vendor:?}");
    }
}
