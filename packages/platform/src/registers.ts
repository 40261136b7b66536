import {
  CONTEXT_BYTES,
  CONTEXT_FAULT_ADDR,
  CONTEXT_FAULT_ERROR,
  CONTEXT_FAULT_TRAPNO,
  CONTEXT_FLAGS,
  CONTEXT_REASON,
  CONTEXT_RESTART_IP,
  CONTEXT_SIGNO,
  CONTEXT_SIG_CODE,
  CONTEXT_WAY,
  FLAG_REGS_CHANGED,
  REGS_AT,
  REGS_BYTES,
} from './context-layout.generated.js';

const TWO_32 = 0x1_0000_0000;

/**
 * The context page of one guest thread, read and written as 32-bit halves. `reg` arguments are the byte offsets
 * `REG_*` of the generated layout. Values were written by the guest: they are untrusted.
 */
export class ContextPage {
  /** Number of this context, from 0. */
  readonly index: number;
  readonly #u32: Uint32Array;
  readonly #base: number;

  /** `memory` holds all context pages, one behind the other. */
  constructor(memory: Uint32Array, index: number) {
    this.#u32 = memory;
    this.index = index;
    this.#base = (index * CONTEXT_BYTES) >>> 2;
  }

  /** Register as an unsigned number; exact below 2^53, monotonic above. */
  get(reg: number): number {
    const at = this.#base + (reg >>> 2);
    return this.#u32[at + 1]! * TWO_32 + this.#u32[at]!;
  }

  /** Low half of a register, as a C `unsigned int` argument is passed. */
  low(reg: number): number {
    return this.#u32[this.#base + (reg >>> 2)]!;
  }

  /** High half of a register, unsigned. */
  high(reg: number): number {
    return this.#u32[this.#base + (reg >>> 2) + 1]!;
  }

  /** Writes a register: an unsigned value below 2^53, or a negative one (sign-extended to 64 bits). */
  set(reg: number, value: number): void {
    const at = this.#base + (reg >>> 2);
    const low = value | 0;
    this.#u32[at] = low;
    // Most values have 32 bits, and no division then.
    if (low === value) this.#u32[at + 1] = low >> 31;
    else this.#u32[at + 1] = Math.floor(value / TWO_32);
    this.#markChanged();
  }

  /** Writes a register from two unsigned halves. */
  setHalves(reg: number, low: number, high: number): void {
    const at = this.#base + (reg >>> 2);
    this.#u32[at] = low;
    this.#u32[at + 1] = high;
    this.#markChanged();
  }

  /** Copies all registers of `from`. */
  copyRegisters(from: ContextPage): void {
    this.#u32.set(from.#u32.subarray(from.#base + REGS_FIRST, from.#base + REGS_END), this.#base + REGS_FIRST);
    this.#markChanged();
  }

  /** Why the guest stopped: `REASON_*`. */
  get reason(): number {
    return this.#u32[this.#base + (CONTEXT_REASON >>> 2)]!;
  }

  /** A platform may tell a stop as another. */
  set reason(reason: number) {
    this.#u32[this.#base + (CONTEXT_REASON >>> 2)] = reason;
  }

  /** By which way the guest stopped, as the platform numbers them. */
  get way(): number {
    return this.#u32[this.#base + (CONTEXT_WAY >>> 2)]!;
  }

  get signo(): number {
    return this.#u32[this.#base + (CONTEXT_SIGNO >>> 2)]!;
  }

  get sigCode(): number {
    return this.#u32[this.#base + (CONTEXT_SIG_CODE >>> 2)]! | 0;
  }

  get faultAddr(): number {
    return this.get(CONTEXT_FAULT_ADDR);
  }

  /** The page fault's error code, or `FAULT_ERROR_UNKNOWN`. */
  get faultError(): number {
    return this.#u32[this.#base + (CONTEXT_FAULT_ERROR >>> 2)]!;
  }

  get faultTrapno(): number {
    return this.#u32[this.#base + (CONTEXT_FAULT_TRAPNO >>> 2)]!;
  }

  /** Address of the `syscall` instruction, from where a call is made again. */
  get restartIp(): number {
    return this.get(CONTEXT_RESTART_IP);
  }

  set restartIp(addr: number) {
    this.set(CONTEXT_RESTART_IP, addr);
  }

  #markChanged(): void {
    // The only flag there is. To read what is there would wait for the line, which the guest's processor has.
    this.#u32[this.#base + (CONTEXT_FLAGS >>> 2)] = FLAG_REGS_CHANGED;
  }
}

/** The registers' place in the page, in 32-bit words. */
const REGS_FIRST = REGS_AT >>> 2;
const REGS_END = REGS_FIRST + (REGS_BYTES >>> 2);
