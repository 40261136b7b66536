//! A patched site's block: what the site jumps through, and what runs there.

#![allow(clippy::cast_possible_truncation, reason = "on x86-64 a usize is a u64")]

use crate::code_shape::{Shape, jump_back};
use stub_host::{Errno, Result};
use stub_systrap::layout::{
    BLOCK_BACK, BLOCK_BYTES, BLOCK_CODE, BLOCK_RESTART, BLOCK_RESUME, BLOCK_RIP, BLOCK_TAIL, BLOCK_TARGET, BLOCK_TRAP,
    BLOCKS_ADDR,
};

/// `mov eax, imm32` and `mov r11d, imm32`.
const MOVE_EAX: [u8; 1] = [0xb8];
const MOVE_R11D: [u8; 2] = [0x41, 0xbb];

/// Address of a block.
#[must_use]
pub fn block_addr(index: u64) -> u64 {
    BLOCKS_ADDR + index * BLOCK_BYTES
}

/// The bytes of block `index`, for a site of this shape whose `syscall` is at `site`.
pub fn build(index: u64, shape: &Shape, site: u64, nr: u32) -> Result<[u8; BLOCK_BYTES as usize]> {
    let addr = block_addr(index);
    let rip = site + 2;
    let resume = if shape.tail.is_empty() { rip } else { addr + BLOCK_TAIL };
    let mut block = [0xcc; BLOCK_BYTES as usize];
    let mut put = |at: u64, bytes: &[u8]| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let place = block.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len()));
        place.map(|place| place.copy_from_slice(bytes)).ok_or(Errno::TOOBIG)
    };
    for (at, value) in [
        (BLOCK_TARGET, addr + BLOCK_CODE),
        (BLOCK_RIP, rip),
        (BLOCK_RESTART, site),
        (BLOCK_RESUME, resume),
        (BLOCK_BACK, shape.back),
    ] {
        put(at, &value.to_le_bytes())?;
    }
    let mut code = Vec::new();
    if shape.lead > 0 {
        code.extend(MOVE_EAX);
        code.extend(nr.to_le_bytes());
    }
    code.extend(MOVE_R11D);
    code.extend(u32::try_from(addr).map_err(|_| Errno::RANGE)?.to_le_bytes());
    // jmp [the start of the first block]
    code.extend([0xff, 0x24, 0x25]);
    code.extend(u32::try_from(BLOCKS_ADDR).map_err(|_| Errno::RANGE)?.to_le_bytes());
    put(BLOCK_CODE, &code)?;
    put(BLOCK_TRAP, &[0x0f, 0x05])?;
    put(BLOCK_TAIL, &shape.tail)?;
    put(BLOCK_TAIL + shape.tail.len() as u64, &jump_back(addr)?)?;
    const { assert!(BLOCK_TRAP - BLOCK_CODE >= 18, "the code fits") };
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_on_with_what_was_overwritten() {
        let shape = Shape {
            lead: 0,
            tail: vec![0x48, 0x3d, 1, 0, 0, 0],
            back: 0x1008,
            starts: vec![2],
        };
        let block = build(3, &shape, 0x1000, 39).expect("it fits");
        let word = |at: u64| u64::from_le_bytes(block[at as usize..][..8].try_into().expect("eight bytes"));
        assert_eq!(word(BLOCK_TARGET), 0x6_0300 + BLOCK_CODE);
        assert_eq!((word(BLOCK_RIP), word(BLOCK_RESTART)), (0x1002, 0x1000));
        assert_eq!((word(BLOCK_RESUME), word(BLOCK_BACK)), (0x6_0300 + BLOCK_TAIL, 0x1008));
        assert_eq!(
            block[BLOCK_TAIL as usize..][..9],
            [0x48, 0x3d, 1, 0, 0, 0, 0xff, 0x24, 0x25]
        );
    }

    #[test]
    fn a_number_that_was_overwritten_is_loaded() {
        let shape = Shape {
            lead: 5,
            tail: vec![],
            back: 0x1007,
            starts: vec![],
        };
        let block = build(1, &shape, 0x1005, 39).expect("it fits");
        assert_eq!(block[BLOCK_CODE as usize..][..5], [0xb8, 39, 0, 0, 0]);
        assert_eq!(block[BLOCK_RESUME as usize..][..8], 0x1007u64.to_le_bytes());
    }
}
