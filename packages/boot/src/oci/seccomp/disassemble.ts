import { BPF_JA, SIZEOF_SOCK_FILTER } from '@tsv/abi';

const CLASSES = ['ld', 'ldx', 'st', 'stx', 'alu', 'jmp', 'ret', 'misc'];
const ALU_OPS = ['add', 'sub', 'mul', 'div', 'or', 'and', 'lsh', 'rsh', 'neg', 'mod', 'xor'];
const JUMP_OPS = ['ja', 'jeq', 'jgt', 'jge', 'jset'];
const JUMP_CLASS = 5;
const ALU_CLASS = 4;
const RETURN_CLASS = 6;

/** A line for each instruction of a program, for the debug log: `4: jge #59, 5, 7`. */
export function disassemble(program: DataView): string[] {
  const lines: string[] = [];
  for (let at = 0; at < program.byteLength; at += SIZEOF_SOCK_FILTER) {
    const index = at / SIZEOF_SOCK_FILTER;
    const code = program.getUint16(at, true);
    const k = program.getUint32(at + 4, true);
    const target = (near: number): number => index + 1 + near;
    lines.push(
      `${index}: ${describe(code, k, target(program.getUint8(at + 2)), target(program.getUint8(at + 3)), target(k))}`,
    );
  }
  return lines;
}

function describe(code: number, k: number, whenTrue: number, whenFalse: number, far: number): string {
  const kind = code & 7;
  const op = (code & 0xf0) >> 4;
  if (kind === JUMP_CLASS) {
    if ((code & 0xf0) === BPF_JA) return `ja ${far}`;
    return `${JUMP_OPS[op] ?? 'jump'} #${k}, ${whenTrue}, ${whenFalse}`;
  }
  if (kind === ALU_CLASS) return `${ALU_OPS[op] ?? 'alu'} #0x${k.toString(16)}`;
  if (kind === RETURN_CLASS) return `ret #0x${k.toString(16)}`;
  return `${CLASSES[kind]!} [${k}]`;
}
