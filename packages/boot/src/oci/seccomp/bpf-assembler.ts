import {
  BPF_ABS,
  BPF_ALU,
  BPF_AND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_RET,
  BPF_W,
  SIZEOF_SOCK_FILTER,
} from '@tsv/abi';

/** A place in a program that jumps go to. */
export interface Label {
  /** Index of the instruction there; -1 until it is placed. */
  at: number;
}

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly whenTrue: Label | null;
  readonly whenFalse: Label | null;
}

/** What conditional jumps can reach: their distances are bytes. */
const DISTANCE_MAX = 255;

/** Writes a program of classic BPF, Linux's networking/filter.rst. Jumps go forward. */
export class BpfAssembler {
  readonly #instructions: Instruction[] = [];

  get count(): number {
    return this.#instructions.length;
  }

  label(): Label {
    return { at: -1 };
  }

  /** `label` is the next instruction. */
  place(label: Label): void {
    label.at = this.#instructions.length;
  }

  /** A = the 32-bit word at `offset` of `struct seccomp_data`. */
  load(offset: number): void {
    this.#add(BPF_LD | BPF_W | BPF_ABS, offset);
  }

  /** A &= k. */
  and(k: number): void {
    this.#add(BPF_ALU | BPF_AND | BPF_K, k);
  }

  /** If A == k goes to `whenTrue`, else to `whenFalse`; null is the next instruction. */
  jumpEqual(k: number, whenTrue: Label | null, whenFalse: Label | null): void {
    this.#add(BPF_JMP | BPF_JEQ | BPF_K, k, whenTrue, whenFalse);
  }

  /** As {@link jumpEqual}, A > k without sign. */
  jumpGreater(k: number, whenTrue: Label | null, whenFalse: Label | null): void {
    this.#add(BPF_JMP | BPF_JGT | BPF_K, k, whenTrue, whenFalse);
  }

  /** As {@link jumpEqual}, A >= k without sign. */
  jumpGreaterOrEqual(k: number, whenTrue: Label | null, whenFalse: Label | null): void {
    this.#add(BPF_JMP | BPF_JGE | BPF_K, k, whenTrue, whenFalse);
  }

  /** Goes to `label`, however far it is. */
  jump(label: Label): void {
    this.#add(BPF_JMP | BPF_JA, 0, label);
  }

  /** Ends with a value. */
  ret(value: number): void {
    this.#add(BPF_RET | BPF_K, value);
  }

  /** The program as `struct sock_filter` records. Every label was placed. */
  bytes(): DataView {
    const mem = new DataView(new ArrayBuffer(this.#instructions.length * SIZEOF_SOCK_FILTER));
    for (const [index, { code, k, whenTrue, whenFalse }] of this.#instructions.entries()) {
      const at = index * SIZEOF_SOCK_FILTER;
      const isFar = code === (BPF_JMP | BPF_JA);
      mem.setUint16(at, code, true);
      mem.setUint8(at + 2, isFar ? 0 : nearDistance(index, whenTrue));
      mem.setUint8(at + 3, isFar ? 0 : nearDistance(index, whenFalse));
      mem.setUint32(at + 4, isFar ? distance(index, whenTrue) : k, true);
    }
    return mem;
  }

  #add(code: number, k: number, whenTrue: Label | null = null, whenFalse: Label | null = null): void {
    this.#instructions.push({ code, k: k >>> 0, whenTrue, whenFalse });
  }
}

function distance(from: number, label: Label | null): number {
  if (label === null) return 0;
  const far = label.at - from - 1;
  if (far < 0) throw new Error('A jump of a BPF program goes back');
  return far;
}

function nearDistance(from: number, label: Label | null): number {
  const far = distance(from, label);
  if (far > DISTANCE_MAX) throw new Error('A conditional jump of a BPF program goes too far');
  return far;
}
