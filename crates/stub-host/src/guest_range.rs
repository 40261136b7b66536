//! Ranges of guest addresses, as JavaScript tells them.

/// A page-aligned range in `[min, max)` that is not empty, of two numbers of JavaScript.
#[must_use]
pub fn guest_range(addr: f64, len: f64, (min, max): (u64, u64)) -> Option<(u64, u64)> {
    const PAGE_BYTES: u64 = 4096;
    let (addr, len) = (whole(addr)?, whole(len)?);
    let is_aligned = (addr | len).is_multiple_of(PAGE_BYTES);
    let is_inside = addr >= min && len > 0 && addr < max && len <= max - addr;
    (is_aligned && is_inside).then_some((addr, len))
}

/// A number that is a whole one and no more than a double can tell.
#[must_use]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
pub fn whole(value: f64) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_991.0;
    let is_whole = value.fract() == 0.0 && (0.0..=EXACT_MAX).contains(&value);
    is_whole.then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_whole_aligned_and_inside() {
        let range = |addr: f64, len: f64| guest_range(addr, len, (0x1_0000, 0x2_0000));
        assert_eq!(range(65536.0, 4096.0), Some((0x1_0000, 0x1000)));
        assert_eq!(range(65536.0, 65536.0), Some((0x1_0000, 0x1_0000)));
        for (addr, len) in [
            (65536.0, 0.0),
            (65536.0, 69632.0),
            (61440.0, 8192.0),
            (131_072.0, 4096.0),
            (65536.5, 4096.0),
            (65537.0, 4096.0),
            (65536.0, 100.0),
            (-65536.0, 4096.0),
            (f64::NAN, 4096.0),
            (65536.0, f64::INFINITY),
            (65536.0, 1e300),
        ] {
            assert_eq!(range(addr, len), None, "{addr} {len}");
        }
    }
}
