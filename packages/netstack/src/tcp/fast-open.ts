import { hashFlow } from './isn.js';
import type { Segment } from './segment.js';
import type { KeyedHash } from './tcp-settings.js';

const COOKIE_BYTES = 8;
const PURPOSE_HIGH = 5;
const PURPOSE_LOW = 6;

/** Fast open cookies: a hash of the peer's address and ours. RFC 7413 section 4.1.2. */
export class FastOpenCookies {
  readonly #hash: KeyedHash;

  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  /** The cookie for the peer that sent `seg`. */
  make(seg: Readonly<Segment>): Uint8Array {
    const cookie = new Uint8Array(COOKIE_BYTES);
    const view = new DataView(cookie.buffer);
    view.setInt32(0, this.#word(PURPOSE_HIGH, seg));
    view.setInt32(4, this.#word(PURPOSE_LOW, seg));
    return cookie;
  }

  /** Whether `seg` bears the cookie of its sender. */
  isValid(seg: Readonly<Segment>): boolean {
    if (seg.fastOpenLen !== COOKIE_BYTES) return false;
    const cookie = this.make(seg);
    let difference = 0;
    for (let i = 0; i < COOKIE_BYTES; i++) difference |= cookie[i]! ^ seg.fastOpenCookie[i]!;
    return difference === 0;
  }

  #word(purpose: number, seg: Readonly<Segment>): number {
    return hashFlow(this.#hash, purpose, seg.dst, 0, seg.src, 0, 0);
  }
}
