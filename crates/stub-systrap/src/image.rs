//! The program as execve(2) takes it: an ELF file with one segment, whose entry moves the instructions to their place.

use crate::code;
use crate::layout::{LOADER_ADDR, PAGE_BYTES};

/// The code's place in the file, aligned for the instruction fetch.
const CODE_AT: usize = 128;

/// The ELF file: elf(5).
#[must_use]
pub fn build() -> Vec<u8> {
    let code = code::bytes();
    let len = (CODE_AT + code.len()) as u64;
    let mut image = vec![0; CODE_AT + code.len()];
    image[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let mut put = |at: usize, value: u64, len: usize| image[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
    // e_type ET_EXEC, e_machine EM_X86_64, e_version, e_entry, e_phoff.
    put(16, 2, 2);
    put(18, 62, 2);
    put(20, 1, 4);
    put(24, LOADER_ADDR + CODE_AT as u64 + code::entry(), 8);
    put(32, 64, 8);
    // e_ehsize, e_phentsize, e_phnum, e_shentsize.
    put(52, 64, 2);
    put(54, 56, 2);
    put(56, 1, 2);
    put(58, 64, 2);
    // PT_LOAD, PF_R | PF_X, p_vaddr, p_paddr, p_filesz, p_memsz, p_align.
    put(64, 1, 4);
    put(68, 5, 4);
    put(80, LOADER_ADDR, 8);
    put(88, LOADER_ADDR, 8);
    put(96, len, 8);
    put(104, len, 8);
    put(112, PAGE_BYTES, 8);
    image[CODE_AT..].copy_from_slice(code);
    image
}
