/** Where randomness comes from; an attacker must not be able to predict it. */
export interface RandomSource {
  /** Fills all of `bytes`. */
  fill(bytes: Uint8Array): void;
}

const POOL_WORDS = 64;

/** Random numbers, drawn from the source in batches. */
export class Random {
  readonly #source: RandomSource;
  readonly #words = new Uint32Array(POOL_WORDS);
  #left = 0;

  constructor(source: RandomSource) {
    this.#source = source;
  }

  /** An unsigned 32-bit number. */
  u32(): number {
    if (this.#left === 0) {
      this.#source.fill(new Uint8Array(this.#words.buffer));
      this.#left = POOL_WORDS;
    }
    const word = this.#words[--this.#left]!;
    this.#words[this.#left] = 0;
    return word;
  }

  /** A whole number from 0 to `bound` - 1, without bias that matters for a bound far below 2^32. */
  below(bound: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * bound);
  }
}

/** A reproducible source for tests and simulations: xorshift128 from a seed. Not for production. */
export class SeededRandom implements RandomSource {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      const mixed = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      this.#state[i] = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35) ^ (mixed >>> 16);
    }
    this.#state[0]! |= 1;
  }

  u32(): number {
    const s = this.#state;
    const t = s[3]! ^ (s[3]! << 11);
    s[3] = s[2]!;
    s[2] = s[1]!;
    s[1] = s[0]!;
    s[0] = s[0]! ^ (s[0]! >>> 19) ^ t ^ (t >>> 8);
    return s[0];
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.u32() / 0x1_0000_0000;
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.u32();
  }
}
