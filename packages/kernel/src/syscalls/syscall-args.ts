import { CONTEXT_BYTES, ContextPage, REG_R10, REG_R8, REG_R9, REG_RDI, REG_RDX, REG_RSI } from '@tsv/platform';

const REGS = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9] as const;

/** The six arguments of a system call, decoded by their C type, syscall(2). They are the guest's: untrusted. */
export class SyscallArgs {
  #page: ContextPage;
  #held: ContextPage | null = null;

  constructor(page: ContextPage) {
    this.#page = page;
  }

  /** Reads from another context page from now on: execve(2) gives a task a new one. */
  attach(page: ContextPage): void {
    this.#page = page;
  }

  /**
   * Reads from a copy of the registers in `page` from now on, which it returns: other threads of the guest may write the page
   * while the call is made, and what was looked at must be what is done.
   */
  hold(page: ContextPage): ContextPage {
    const held = (this.#held ??= new ContextPage(new Uint32Array(CONTEXT_BYTES / 4), 0));
    held.copyRegisters(page);
    this.#page = held;
    return held;
  }

  /** Argument `n` as `int`. */
  i32(n: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.#page.low(REGS[n]) | 0;
  }

  /** Argument `n` as `unsigned int`. */
  u32(n: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.#page.low(REGS[n]);
  }

  /** Argument `n` as `unsigned long` or a pointer; exact below 2^53, monotonic above. */
  u64(n: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.#page.get(REGS[n]);
  }

  /** Argument `n` as `long` (`off_t`, `time_t`); exact within 2^53, monotonic beyond. */
  i64(n: 0 | 1 | 2 | 3 | 4 | 5): number {
    return (this.#page.high(REGS[n]) | 0) * 0x1_0000_0000 + this.#page.low(REGS[n]);
  }

  /** Upper half of argument `n`, unsigned: for opaque 64-bit values. */
  high(n: 0 | 1 | 2 | 3 | 4 | 5): number {
    return this.#page.high(REGS[n]);
  }
}
