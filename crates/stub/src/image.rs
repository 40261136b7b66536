//! The program as execve(2) takes it: an ELF file with one segment.

use crate::code;
use crate::layout::{LOADER_ADDR, PAGE_BYTES};

const EHDR_BYTES: u64 = 64;
const PHDR_BYTES: u64 = 56;
/// The code's place in the file, aligned for the instruction fetch.
const CODE_AT: usize = 128;

/// Bytes of the image.
pub const IMAGE_BYTES: usize = 4096;

/// Address of the code after execve(2).
pub const LOADED_CODE_ADDR: u64 = LOADER_ADDR + CODE_AT as u64;

/// The ELF file of the stub.
#[must_use]
pub fn build() -> [u8; IMAGE_BYTES] {
    wrap(code::bytes(), code::pause())
}

/// An ELF file, elf(5), of position-independent `code` that begins at the offset `entry` of it.
///
/// # Panics
/// If the code is larger than a page less its header.
#[must_use]
pub fn wrap(code: &[u8], entry: u64) -> [u8; IMAGE_BYTES] {
    let mut image = [0; IMAGE_BYTES];
    image[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let entry = LOADED_CODE_ADDR + entry;
    // e_type ET_EXEC, e_machine EM_X86_64, e_version, e_entry, e_phoff, e_shoff, e_flags.
    put(&mut image, 16, 2, 2);
    put(&mut image, 18, 62, 2);
    put(&mut image, 20, 1, 4);
    put(&mut image, 24, entry, 8);
    put(&mut image, 32, EHDR_BYTES, 8);
    // e_ehsize, e_phentsize, e_phnum, e_shentsize.
    put(&mut image, 52, EHDR_BYTES, 2);
    put(&mut image, 54, PHDR_BYTES, 2);
    put(&mut image, 56, 1, 2);
    put(&mut image, 58, 64, 2);
    // PT_LOAD, PF_R | PF_X, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align.
    put(&mut image, 64, 1, 4);
    put(&mut image, 68, 5, 4);
    put(&mut image, 80, LOADER_ADDR, 8);
    put(&mut image, 88, LOADER_ADDR, 8);
    put(&mut image, 96, PAGE_BYTES, 8);
    put(&mut image, 104, PAGE_BYTES, 8);
    put(&mut image, 112, PAGE_BYTES, 8);
    image[CODE_AT..CODE_AT + code.len()].copy_from_slice(code);
    image
}

fn put(image: &mut [u8], at: usize, value: u64, len: usize) {
    image[at..at + len].copy_from_slice(&value.to_le_bytes()[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_is_the_sleeping_loop() {
        let image = build();
        let entry = u64::from_le_bytes(image[24..32].try_into().expect("8 bytes"));
        let at = usize::try_from(entry - LOADER_ADDR).expect("in the image");
        assert_eq!(image[at..at + 5], [0xb8, 34, 0, 0, 0]);
    }

    #[test]
    fn the_header_and_the_code_do_not_overlap() {
        assert!(CODE_AT as u64 >= EHDR_BYTES + PHDR_BYTES);
        assert!(CODE_AT + code::bytes().len() <= IMAGE_BYTES);
    }
}
