import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_DIV,
  BPF_IMM,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MAXINSNS,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  EINVAL,
  SIZEOF_SECCOMP_DATA,
  SIZEOF_SOCK_FILTER,
  type Errno,
} from '@tsv/abi';

const ALU_OPS: readonly number[] = [
  ...[BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_XOR],
];
const JUMP_OPS: readonly number[] = [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET];

/** The instructions that a seccomp filter may use, seccomp(2) and kernel/seccomp.c. */
const KNOWN_CODES: ReadonlySet<number> = new Set([
  ...[BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN],
  ...[BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_ST, BPF_STX],
  ...[BPF_RET | BPF_K, BPF_RET | BPF_A, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG, BPF_JMP | BPF_JA],
  ...ALU_OPS.flatMap((op) => [BPF_ALU | op | BPF_K, BPF_ALU | op | BPF_X]),
  ...JUMP_OPS.flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
]);

const memory = new Uint32Array(BPF_MEMWORDS);
/** A bit for each of them. */
const ALL_WORDS = 2 ** BPF_MEMWORDS - 1;

/** A checked program of classic BPF over `struct seccomp_data`. It ends: jumps go forward only. */
export class BpfProgram {
  readonly count: number;
  readonly #codes: Uint16Array;
  readonly #jumps: Uint8Array;
  readonly #ks: Uint32Array;

  private constructor(mem: DataView, count: number) {
    this.count = count;
    this.#codes = new Uint16Array(count);
    this.#jumps = new Uint8Array(2 * count);
    this.#ks = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const at = i * SIZEOF_SOCK_FILTER;
      this.#codes[i] = mem.getUint16(at, true);
      this.#jumps[2 * i] = mem.getUint8(at + 2);
      this.#jumps[2 * i + 1] = mem.getUint8(at + 3);
      this.#ks[i] = mem.getUint32(at + 4, true);
    }
  }

  /** The program of `count` `struct sock_filter` in `mem`. Errors: EINVAL when it is not one. */
  static parse(mem: DataView, count: number): BpfProgram | Errno {
    if (count < 1 || count > BPF_MAXINSNS) return -EINVAL;
    const program = new BpfProgram(mem, count);
    for (let i = 0; i < count; i++) if (!program.#isValid(i)) return -EINVAL;
    if ((program.#codes[count - 1]! & 7) !== BPF_RET || !program.#storesBeforeLoads()) return -EINVAL;
    return program;
  }

  /** Runs over the words of a `struct seccomp_data`. Returns what the program returns, unsigned. */
  run(data: Uint32Array): number {
    let a = 0;
    let x = 0;
    memory.fill(0);
    for (let pc = 0; pc < this.count; pc++) {
      const code = this.#codes[pc]!;
      const k = this.#ks[pc]!;
      switch (code & 7) {
        case BPF_LD:
          a = load(code, k, data);
          break;
        case BPF_LDX:
          x = load(code, k, data);
          break;
        case BPF_ST:
          memory[k] = a;
          break;
        case BPF_STX:
          memory[k] = x;
          break;
        case BPF_ALU: {
          const operand = (code & BPF_X) !== 0 ? x : k;
          if ((code & 0xf0) === BPF_DIV && operand === 0) return 0;
          a = compute(code & 0xf0, a, operand);
          break;
        }
        case BPF_JMP:
          pc += this.#jump(pc, code, a, x, k);
          break;
        case BPF_RET:
          return (code & 0x18) === BPF_A ? a : k;
        default:
          if ((code & 0xf8) === BPF_TAX) x = a;
          else a = x;
      }
    }
    return 0;
  }

  #jump(pc: number, code: number, a: number, x: number, k: number): number {
    if ((code & 0xf0) === BPF_JA) return k;
    const isTaken = compare(code & 0xf0, a, (code & BPF_X) !== 0 ? x : k);
    return this.#jumps[2 * pc + (isTaken ? 0 : 1)]!;
  }

  /** Whether each word of the scratch memory that is read was written on every way that leads there. */
  #storesBeforeLoads(): boolean {
    const written = new Uint16Array(this.count).fill(ALL_WORDS);
    let now = 0;
    for (let i = 0; i < this.count; i++) {
      now &= written[i]!;
      const code = this.#codes[i]!;
      const k = this.#ks[i]!;
      const kind = code & 7;
      if (kind === BPF_ST || kind === BPF_STX) now |= 1 << k;
      else if (kind <= BPF_LDX && (code & 0xe0) === BPF_MEM && (now & (1 << k)) === 0) return false;
      if (kind !== BPF_JMP) continue;
      const isAlways = (code & 0xf0) === BPF_JA;
      written[i + 1 + (isAlways ? k : this.#jumps[2 * i]!)]! &= now;
      written[i + 1 + (isAlways ? k : this.#jumps[2 * i + 1]!)]! &= now;
      now = ALL_WORDS;
    }
    return true;
  }

  #isValid(i: number): boolean {
    const code = this.#codes[i]!;
    const k = this.#ks[i]!;
    const left = this.count - 1 - i;
    if (!KNOWN_CODES.has(code)) return false;
    switch (code & 7) {
      case BPF_LD:
      case BPF_LDX:
        if ((code & 0xe0) === BPF_ABS) return k % 4 === 0 && k < SIZEOF_SECCOMP_DATA;
        return (code & 0xe0) !== BPF_MEM || k < BPF_MEMWORDS;
      case BPF_ST:
      case BPF_STX:
        return k < BPF_MEMWORDS;
      case BPF_ALU:
        return (code & BPF_X) !== 0 || isOperand(code & 0xf0, k);
      case BPF_JMP:
        if ((code & 0xf0) === BPF_JA) return k < left;
        return this.#jumps[2 * i]! < left && this.#jumps[2 * i + 1]! < left;
      default:
        return true;
    }
  }
}

function isOperand(op: number, k: number): boolean {
  if (op === BPF_DIV) return k !== 0;
  return (op !== BPF_LSH && op !== BPF_RSH) || k < 32;
}

function load(code: number, k: number, data: Uint32Array): number {
  switch (code & 0xe0) {
    case BPF_ABS:
      return data[k >>> 2]!;
    case BPF_MEM:
      return memory[k]!;
    case BPF_LEN:
      return SIZEOF_SECCOMP_DATA;
    default:
      return k;
  }
}

function compute(op: number, a: number, operand: number): number {
  switch (op) {
    case BPF_ADD:
      return (a + operand) >>> 0;
    case BPF_SUB:
      return (a - operand) >>> 0;
    case BPF_MUL:
      return Math.imul(a, operand) >>> 0;
    case BPF_DIV:
      return Math.floor(a / operand);
    case BPF_OR:
      return (a | operand) >>> 0;
    case BPF_AND:
      return (a & operand) >>> 0;
    case BPF_LSH:
      return operand < 32 ? (a << operand) >>> 0 : 0;
    case BPF_RSH:
      return operand < 32 ? a >>> operand : 0;
    case BPF_XOR:
      return (a ^ operand) >>> 0;
    default:
      return -a >>> 0; // BPF_NEG
  }
}

function compare(op: number, a: number, operand: number): boolean {
  switch (op) {
    case BPF_JEQ:
      return a === operand;
    case BPF_JGT:
      return a > operand;
    case BPF_JGE:
      return a >= operand;
    default:
      return (a & operand) !== 0;
  }
}
