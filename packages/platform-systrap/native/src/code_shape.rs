//! Which system call instructions can be patched, and with what: seven bytes, `jmp [pointer]`, of which every byte that
//! starts an old instruction is no instruction in 64-bit mode or not allowed to users. So a thread that is at such a place
//! when the page changes, or jumps there later, faults before anything has happened.

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use stub_host::Errno;
use stub_systrap::layout::{BLOCK_BACK, BLOCK_TARGET};

/// Bytes of the patch.
pub const PATCH_BYTES: usize = 7;
/// Bytes of `syscall`.
pub const SYSCALL_BYTES: usize = 2;
/// Bytes of `mov eax, imm32`.
const MOVE_BYTES: usize = 5;
const MOVE_EAX: u8 = 0xb8;
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const ENDBR64: [u8; 4] = [0xf3, 0x0f, 0x1e, 0xfa];
/// `jmp [disp32]`: the scale in the SIB byte counts for nothing, and makes the byte `in eax, imm8` for who jumps there.
const JUMP: [u8; 3] = [0xff, 0x24, 0xe5];
/// Where old instructions behind the system call may start: at [`JUMP`]'s last byte, and at the displacement's first and
/// third, which are 6.
const STARTS: [usize; 3] = [2, 3, 5];
/// Bytes of code that are overwritten or moved at most.
const TAIL_MAX: usize = 64;
/// How far before a site decoding begins, and at how many places in a row: an instruction has at most 15 bytes.
const RUN_UP: usize = 64;
const RUN_UP_STARTS: usize = 15;
/// Numbers that system calls have.
const NR_MAX: u32 = 1024;

/// How a site is patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Bytes before the `syscall` that the patch begins at: 0, or those of `mov eax, imm32`.
    pub lead: usize,
    /// Instructions behind the `syscall` that are moved as they are.
    pub tail: Vec<u8>,
    /// Where the guest goes on behind these.
    pub back: u64,
    /// Offsets from the `syscall` of the instructions in the tail, and of what is behind it if that is overwritten.
    pub starts: Vec<usize>,
}

/// How the `syscall` at `at` of `code`, which lies at `addr`, can be patched. `nr` is the number of a call that it made.
#[must_use]
pub fn shape_of(code: &[u8], addr: u64, at: usize, nr: u32) -> Option<Shape> {
    if code.get(at..at + SYSCALL_BYTES)? != SYSCALL {
        return None;
    }
    forward_shape(code, addr, at).or_else(|| move_shape(code, addr, at, nr))
}

/// The seven bytes for the block at `block`.
pub fn patch_bytes(block: u64) -> Result<[u8; PATCH_BYTES], Errno> {
    let pointer = u32::try_from(block + BLOCK_TARGET).map_err(|_| Errno::RANGE)?;
    let mut bytes = [0; PATCH_BYTES];
    bytes[..JUMP.len()].copy_from_slice(&JUMP);
    bytes[JUMP.len()..].copy_from_slice(&pointer.to_le_bytes());
    Ok(bytes)
}

/// `jmp [pointer]` out of the block at `block`.
pub fn jump_back(block: u64) -> Result<[u8; PATCH_BYTES], Errno> {
    let pointer = u32::try_from(block + BLOCK_BACK).map_err(|_| Errno::RANGE)?;
    let mut bytes = [0xff, 0x24, 0x25, 0, 0, 0, 0];
    bytes[3..].copy_from_slice(&pointer.to_le_bytes());
    Ok(bytes)
}

/// The call and what follows it, up to seven bytes or more, when all of that can run elsewhere.
fn forward_shape(code: &[u8], addr: u64, at: usize) -> Option<Shape> {
    let mut starts = Vec::new();
    let mut end = at + SYSCALL_BYTES;
    let mut back = None;
    while end - at < PATCH_BYTES {
        if !STARTS.contains(&(end - at)) || back.is_some() {
            return None;
        }
        let instruction = decode(code, addr, end)?;
        starts.push(end - at);
        match movability(&instruction) {
            Movability::Free => end += instruction.len(),
            // It is not moved but made anew, as the jump out of the block.
            Movability::Jump if end - at + instruction.len() >= PATCH_BYTES => {
                back = Some(instruction.near_branch_target());
                break;
            }
            _ => return None,
        }
    }
    let tail = code.get(at + SYSCALL_BYTES..end)?.to_vec();
    (tail.len() <= TAIL_MAX).then(|| Shape {
        lead: 0,
        tail,
        back: back.unwrap_or(addr + end as u64),
        starts,
    })
}

/// `mov eax, nr` and the call.
fn move_shape(code: &[u8], addr: u64, at: usize, nr: u32) -> Option<Shape> {
    let start = at.checked_sub(MOVE_BYTES)?;
    let is_move = code[start] == MOVE_EAX && code[start + 1..at] == nr.to_le_bytes() && nr < NR_MAX;
    (is_move && is_instruction_start(code, addr, start)).then(|| Shape {
        lead: MOVE_BYTES,
        tail: Vec::new(),
        back: addr + (at + SYSCALL_BYTES) as u64,
        starts: Vec::new(),
    })
}

/// Whether `start` begins an instruction in whatever code flows to it. Either a landing pad is before it, or decoding comes
/// there from each of as many places in a row as an instruction can have bytes: one of them begins an instruction.
fn is_instruction_start(code: &[u8], addr: u64, start: usize) -> bool {
    if start >= ENDBR64.len() && code[start - ENDBR64.len()..start] == ENDBR64 {
        return true;
    }
    let Some(first) = start.checked_sub(RUN_UP) else {
        return false;
    };
    let mut hits = 0;
    for from in first..first + RUN_UP_STARTS {
        let mut end = from;
        while end < start {
            match decode(code, addr, end) {
                Some(instruction) => end += instruction.len(),
                None => break,
            }
        }
        if end > start {
            return false;
        }
        hits += usize::from(end == start);
    }
    hits > 0
}

fn decode(code: &[u8], addr: u64, at: usize) -> Option<Instruction> {
    let mut decoder = Decoder::with_ip(64, code.get(at..)?, addr + at as u64, DecoderOptions::NONE);
    let instruction = decoder.decode();
    (!instruction.is_invalid()).then_some(instruction)
}

enum Movability {
    /// It does the same anywhere.
    Free,
    /// A jump to a fixed place.
    Jump,
    /// Not known to be either.
    Unknown,
}

#[allow(clippy::enum_glob_use, reason = "a list of names")]
fn movability(instruction: &Instruction) -> Movability {
    use Code::*;
    if instruction.is_ip_rel_memory_operand() || instruction.has_lock_prefix() || instruction.has_rep_prefix() {
        return Movability::Unknown;
    }
    match instruction.code() {
        Cmp_EAX_imm32 | Cmp_RAX_imm32 | Cmp_rm32_imm32 | Cmp_rm64_imm32 | Cmp_rm32_imm8 | Cmp_rm64_imm8
        | Test_rm32_r32 | Test_rm64_r64 | Mov_rm32_r32 | Mov_rm64_r64 | Mov_r32_rm32 | Mov_r64_rm64 | Mov_r32_imm32
        | Xor_rm32_r32 | Xor_r32_rm32 | Neg_rm32 | Neg_rm64 | Add_rm64_imm8 | Add_rm64_imm32 | Sub_rm64_imm8
        | Lea_r64_m | Pop_r64 | Push_r64 | Retnq | Nopd | Nopw | Nop_rm16 | Nop_rm32 | Nop_rm64 | Int3 => {
            Movability::Free
        }
        Jmp_rel8_64 | Jmp_rel32_64 => Movability::Jump,
        _ => Movability::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDR: u64 = 0x40_1000;

    /// `before`, a system call and `after`, with the number of the call in `before` if there is one.
    fn shape(before: &[u8], after: &[u8]) -> Option<Shape> {
        let code = [before, &SYSCALL, after].concat();
        shape_of(&code, ADDR, before.len(), 39)
    }

    const MOVE_39: [u8; 5] = [0xb8, 39, 0, 0, 0];

    #[test]
    fn a_call_whose_result_is_compared_is_patched_forward() {
        let compare = [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff];
        let expected = Shape {
            lead: 0,
            tail: compare.to_vec(),
            back: ADDR + 8,
            starts: vec![2],
        };
        assert_eq!(shape(&[], &[&compare[..], &[0x73, 0x01]].concat()), Some(expected));
    }

    #[test]
    fn a_jump_behind_a_return_is_made_anew() {
        // musl's cancellable calls: ret; jmp.
        let shape = shape(&[], &[0xc3, 0xe9, 0x10, 0, 0, 0]).expect("it can be patched");
        assert_eq!((shape.tail, shape.back), (vec![0xc3], ADDR + 8 + 0x10));
        assert_eq!(shape.starts, [2, 3]);
    }

    #[test]
    fn nothing_that_depends_on_its_place_or_starts_at_a_valid_byte_is_moved() {
        for after in [
            // jae; jmp short; call; lea rax, [rip]; an instruction at 4, at 6; int 0x80; nothing.
            &[0x73, 0x10, 0x90, 0x90, 0x90, 0x90][..],
            &[0xeb, 0x10, 0x90, 0x90, 0x90, 0x90],
            &[0xe8, 0, 0, 0, 0, 0x90],
            &[0x48, 0x8d, 0x05, 0, 0, 0, 0],
            &[0x89, 0xc0, 0x48, 0x3d, 1, 0, 0, 0],
            &[0x89, 0x44, 0x24, 0x30, 0xc3],
            &[0xcd, 0x80, 0x90, 0x90, 0x90],
            &[0xc3],
        ] {
            assert_eq!(shape(&[], after), None, "{after:x?}");
        }
    }

    #[test]
    fn a_number_and_a_call_are_patched_where_the_number_must_be_an_instruction() {
        let ret = [0xc3, 0x90];
        let patched = |before: &[u8]| shape(&[before, &MOVE_39].concat(), &ret).map(|shape| shape.lead);
        assert_eq!(patched(&ENDBR64), Some(5));
        assert_eq!(patched(&[0x90; 80]), Some(5));
        // Without anything before it nobody knows; behind a REX prefix or in a longer instruction it is something else.
        assert_eq!(patched(&[]), None);
        assert_eq!(patched(&[&[0x90; 80][..], &[0x41]].concat()), None);
        assert_eq!(patched(&[&[0x90; 80][..], &[0xc7, 0x45]].concat()), None);
    }

    #[test]
    fn the_number_is_that_of_the_call() {
        let code = [&ENDBR64[..], &[0xb8, 40, 0, 0, 0], &SYSCALL, &[0xc3]].concat();
        assert_eq!(shape_of(&code, ADDR, 9, 39), None);
        assert!(shape_of(&code, ADDR, 9, 40).is_some());
    }

    #[test]
    fn starts_of_old_instructions_are_no_instructions_of_the_patch() {
        for index in 1..64 {
            let patch = patch_bytes(stub_systrap::layout::BLOCKS_ADDR + 256 * index).expect("the pointer has 32 bits");
            assert_eq!((patch[2], patch[3], patch[5]), (0xe5, 6, 6));
            let instruction = decode(&patch, 0, 0).expect("it is one");
            assert_eq!((instruction.code(), instruction.len()), (Code::Jmp_rm64, PATCH_BYTES));
            for at in [3, 5] {
                assert_eq!(decode(&patch, 0, at), None);
            }
            assert_eq!(decode(&patch, 0, 2).map(|it| it.code()), Some(Code::In_EAX_imm8));
        }
    }
}
