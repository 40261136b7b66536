/**
 * SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") over 32-bit words, in halves. The key keeps
 * outsiders from predicting initial sequence numbers (RFC 6528) and ports (RFC 6056), and from making hashes collide.
 */
export class SipHash {
  readonly #k0l: number;
  readonly #k0h: number;
  readonly #k1l: number;
  readonly #k1h: number;
  #v0l = 0;
  #v0h = 0;
  #v1l = 0;
  #v1h = 0;
  #v2l = 0;
  #v2h = 0;
  #v3l = 0;
  #v3h = 0;
  /** First word of a message block whose second one has not come. */
  #pending = 0;
  #wordCount = 0;

  /** `key`: 16 bytes. */
  constructor(key: Uint8Array) {
    const word = (at: number): number => key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24);
    this.#k0l = word(0);
    this.#k0h = word(4);
    this.#k1l = word(8);
    this.#k1h = word(12);
  }

  /** Starts a hash. */
  start(): void {
    this.#v0l = this.#k0l ^ 0x70736575;
    this.#v0h = this.#k0h ^ 0x736f6d65;
    this.#v1l = this.#k1l ^ 0x6e646f6d;
    this.#v1h = this.#k1h ^ 0x646f7261;
    this.#v2l = this.#k0l ^ 0x6e657261;
    this.#v2h = this.#k0h ^ 0x6c796765;
    this.#v3l = this.#k1l ^ 0x79746573;
    this.#v3h = this.#k1h ^ 0x74656462;
    this.#wordCount = 0;
  }

  /** Adds a 32-bit word, four bytes of the message in little-endian order. */
  add(word: number): void {
    if ((this.#wordCount++ & 1) === 0) this.#pending = word | 0;
    else this.#compress(this.#pending, word | 0);
  }

  /** Ends the hash; its low 32 bits, signed. The high ones are {@link SipHash.high}. */
  finish(): number {
    const lastHigh = ((this.#wordCount * 4) & 0xff) << 24;
    if ((this.#wordCount & 1) === 1) this.#compress(this.#pending, lastHigh);
    else this.#compress(0, lastHigh);
    this.#v2l ^= 0xff;
    for (let i = 0; i < 4; i++) this.#round();
    return this.#v0l ^ this.#v1l ^ this.#v2l ^ this.#v3l;
  }

  /** The high 32 bits after {@link SipHash.finish}, signed. */
  high(): number {
    return this.#v0h ^ this.#v1h ^ this.#v2h ^ this.#v3h;
  }

  #compress(low: number, high: number): void {
    this.#v3l ^= low;
    this.#v3h ^= high;
    this.#round();
    this.#round();
    this.#v0l ^= low;
    this.#v0h ^= high;
  }

  #round(): void {
    this.#add01();
    let [low, high] = [this.#v1l, this.#v1h];
    this.#v1l = ((low << 13) | (high >>> 19)) ^ this.#v0l;
    this.#v1h = ((high << 13) | (low >>> 19)) ^ this.#v0h;
    [this.#v0l, this.#v0h] = [this.#v0h, this.#v0l];

    this.#add23();
    [low, high] = [this.#v3l, this.#v3h];
    this.#v3l = ((low << 16) | (high >>> 16)) ^ this.#v2l;
    this.#v3h = ((high << 16) | (low >>> 16)) ^ this.#v2h;

    this.#add03();
    [low, high] = [this.#v3l, this.#v3h];
    this.#v3l = ((low << 21) | (high >>> 11)) ^ this.#v0l;
    this.#v3h = ((high << 21) | (low >>> 11)) ^ this.#v0h;

    this.#add21();
    [low, high] = [this.#v1l, this.#v1h];
    this.#v1l = ((low << 17) | (high >>> 15)) ^ this.#v2l;
    this.#v1h = ((high << 17) | (low >>> 15)) ^ this.#v2h;
    [this.#v2l, this.#v2h] = [this.#v2h, this.#v2l];
  }

  #add01(): void {
    const sum = (this.#v0l >>> 0) + (this.#v1l >>> 0);
    this.#v0l = sum | 0;
    this.#v0h = (this.#v0h + this.#v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
  }

  #add23(): void {
    const sum = (this.#v2l >>> 0) + (this.#v3l >>> 0);
    this.#v2l = sum | 0;
    this.#v2h = (this.#v2h + this.#v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
  }

  #add03(): void {
    const sum = (this.#v0l >>> 0) + (this.#v3l >>> 0);
    this.#v0l = sum | 0;
    this.#v0h = (this.#v0h + this.#v3h + (sum > 0xffffffff ? 1 : 0)) | 0;
  }

  #add21(): void {
    const sum = (this.#v2l >>> 0) + (this.#v1l >>> 0);
    this.#v2l = sum | 0;
    this.#v2h = (this.#v2h + this.#v1h + (sum > 0xffffffff ? 1 : 0)) | 0;
  }
}
