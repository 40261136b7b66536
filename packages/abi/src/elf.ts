/** `elf.h`: the parts of elf(5) that execve(2) reads, for ELFCLASS64 little-endian. */

/** The four bytes `\x7fELF` as a little-endian word. */
export const ELF_MAGIC = 0x464c_457f;
export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;

export const ET_EXEC = 2;
export const ET_DYN = 3;
export const EM_X86_64 = 62;

/** `Elf64_Ehdr`. */
export const SIZEOF_EHDR = 64;
export const E_TYPE = 16;
export const E_MACHINE = 18;
export const E_ENTRY = 24;
export const E_PHOFF = 32;
export const E_PHENTSIZE = 54;
export const E_PHNUM = 56;

/** `Elf64_Phdr`. */
export const SIZEOF_PHDR = 56;
export const P_TYPE = 0;
export const P_FLAGS = 4;
export const P_OFFSET = 8;
export const P_VADDR = 16;
export const P_FILESZ = 32;
export const P_MEMSZ = 40;
export const P_ALIGN = 48;

export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_PHDR = 6;
export const PT_GNU_STACK = 0x6474_e551;

export const PF_X = 1;
export const PF_W = 2;
export const PF_R = 4;

/** Auxiliary vector, getauxval(3). */
export const AT_NULL = 0;
export const AT_PHDR = 3;
export const AT_PHENT = 4;
export const AT_PHNUM = 5;
export const AT_PAGESZ = 6;
export const AT_BASE = 7;
export const AT_FLAGS = 8;
export const AT_ENTRY = 9;
export const AT_UID = 11;
export const AT_EUID = 12;
export const AT_GID = 13;
export const AT_EGID = 14;
export const AT_PLATFORM = 15;
export const AT_HWCAP = 16;
export const AT_CLKTCK = 17;
export const AT_SECURE = 23;
export const AT_RANDOM = 25;
export const AT_HWCAP2 = 26;
export const AT_RSEQ_FEATURE_SIZE = 27;
export const AT_RSEQ_ALIGN = 28;
export const AT_EXECFN = 31;
export const AT_SYSINFO_EHDR = 33;
export const AT_MINSIGSTKSZ = 51;
