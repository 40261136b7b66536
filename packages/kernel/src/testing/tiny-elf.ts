import { storeI64 } from '@tsv/abi';

export const TINY_ELF_ENTRY = 0x40_0078;

/** A static x86-64 program of one readable and executable page at 0x400000, elf(5). It is never run. */
export function tinyElf(): Uint8Array {
  const bytes = new Uint8Array(0x80);
  const mem = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  mem.setUint16(16, 2, true); // ET_EXEC
  mem.setUint16(18, 62, true); // EM_X86_64
  mem.setUint32(20, 1, true);
  storeI64(mem, 24, TINY_ELF_ENTRY);
  storeI64(mem, 32, 64); // e_phoff
  mem.setUint16(52, 64, true); // e_ehsize
  mem.setUint16(54, 56, true); // e_phentsize
  mem.setUint16(56, 1, true); // e_phnum
  mem.setUint32(64, 1, true); // PT_LOAD
  mem.setUint32(68, 5, true); // PF_R | PF_X
  storeI64(mem, 80, 0x40_0000);
  storeI64(mem, 88, 0x40_0000);
  storeI64(mem, 96, bytes.length);
  storeI64(mem, 104, bytes.length);
  storeI64(mem, 112, 4096);
  bytes.set([0x0f, 0x05], 0x78); // syscall
  return bytes;
}
