/**
 * The doorbell as the sentry reads it: a bit per context, a bit per 32 of those, a bit per 32 of these. Guests can write
 * all of it, so that a ring says only where to look. The layout is that of `crates/stub-systrap`.
 */
export class Bell {
  readonly #words: Uint32Array;

  constructor(page: ArrayBuffer) {
    this.#words = new Uint32Array(page);
  }

  /** Whether anything has rung. */
  get isRung(): boolean {
    // Not an Atomics call, which costs 15 ns: looks are repeated, and what is missed once is seen the next time.
    return this.#words[ROOT] !== 0;
  }

  /** The same, whatever the compiler makes of it. */
  get isCertainlyRung(): boolean {
    return Atomics.load(this.#words, ROOT) !== 0;
  }

  /** Cycles of the time-stamp counter for which stopped threads spin before they sleep. */
  set spinCycles(cycles: number) {
    Atomics.store(this.#words, SPIN, cycles);
  }

  /**
   * Takes what has rung: contexts that `candidates.add` is told, one by one. Returns whether a stub has died. Upper bits
   * are cleared first and set last, so that none is lost.
   */
  collect(candidates: Candidates): boolean {
    const words = this.#words;
    const root = Atomics.exchange(words, ROOT, 0);
    let high = root & ROOT_BITS;
    while (high !== 0) {
      const i = 31 - Math.clz32(high & -high);
      high &= high - 1;
      let middle = Atomics.exchange(words, MIDDLE + i, 0);
      while (middle !== 0) {
        const j = i * 32 + 31 - Math.clz32(middle & -middle);
        middle &= middle - 1;
        let leaf = Atomics.exchange(words, LEAF + j, 0);
        while (leaf !== 0) {
          candidates.add(j * 32 + 31 - Math.clz32(leaf & -leaf));
          leaf &= leaf - 1;
        }
      }
    }
    return root >>> 31 !== 0;
  }
}

/** Who is told of rings. */
export interface Candidates {
  /** Looks whether context `index`, below 16384, has stopped. */
  add(index: number): unknown;
}

const ROOT = 0;
const SPIN = 128 / 4;
const MIDDLE = 192 / 4;
const LEAF = 1024 / 4;
/** Words of the middle that there are. */
const ROOT_BITS = 0xffff;
