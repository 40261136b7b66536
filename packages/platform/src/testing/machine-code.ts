/** Machine code, a few instructions at a time. */
export const asm = {
  syscall: [0x0f, 0x05],
  endbr64: [0xf3, 0x0f, 0x1e, 0xfa],
  nop: [0x90],
  ret: [0xc3],
  /** cmp rax, -4095 */
  cmpRax: [0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff],
  /** jmp, counted from behind it */
  jmp: (offset: number) => [0xeb, offset & 0xff],
  int3: [0xcc],
  int80: [0xcd, 0x80],
  sysenter: [0x0f, 0x34],
  ud2: [0x0f, 0x0b],
  loop: [0xeb, 0xfe],
  /** mov eax, value */
  movEax: (value: number) => [0xb8, ...le(value, 4)],
  /** mov rdi, value */
  movRdi: (value: number) => [0x48, 0xbf, ...le(value, 8)],
  /** mov rax, value */
  movRax: (value: number) => [0x48, 0xb8, ...le(value, 8)],
  /** mov qword [rdi], rax */
  storeRax: [0x48, 0x89, 0x07],
  /** mov qword [rdi], rdi */
  storeRdi: [0x48, 0x89, 0x3f],
  /** mov rax, [rdi] */
  loadRax: [0x48, 0x8b, 0x07],
  /** jmp rax */
  jmpRax: [0xff, 0xe0],
  /** call rax */
  callRax: [0xff, 0xd0],
};

function le(value: number, len: number): number[] {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  return [...bytes.subarray(0, len)];
}
