import { SipHash } from '../net/siphash.js';
import type { IpAddress } from '../wire/ip-address.js';
import { hashFlow } from './isn.js';
import type { Segment } from './segment.js';
import type { KeyedHash } from './tcp-settings.js';

/** Bits of tcp_fastopen, ip-sysctl: what a stack does of RFC 7413. */
export const FastOpenUse = {
  CLIENT: 0x1,
  SERVER: 0x2,
  /** Clients send text to peers that have given no cookie. */
  CLIENT_NO_COOKIE: 0x4,
  /** Listeners take text from clients without a cookie. */
  SERVER_NO_COOKIE: 0x200,
  /** Every listener does, without TCP_FASTOPEN. */
  SERVER_ALWAYS: 0x400,
} as const;

/** Bytes of a key of TCP_FASTOPEN_KEY; there may be a second one, whose cookies are good still. */
export const FAST_OPEN_KEY_BYTES = 16;
const COOKIE_BYTES = 8;
const PURPOSE_HIGH = 5;
const PURPOSE_LOW = 6;

/** What {@link FastOpenCookies.check} finds. */
export const CookieCheck = { BAD: 0, GOOD: 1, OLD: 2 } as const;
export type CookieCheck = (typeof CookieCheck)[keyof typeof CookieCheck];

/** Fast open cookies: a hash of the peer's address and ours. RFC 7413 section 4.1.2. */
export class FastOpenCookies {
  readonly #hash: KeyedHash;
  readonly #oldHash: KeyedHash | null;

  /** `key`: one key or two, the second of which makes no new cookies. */
  constructor(key: Uint8Array) {
    this.#hash = new SipHash(key);
    const hasSecond = key.length >= 2 * FAST_OPEN_KEY_BYTES;
    this.#oldHash = hasSecond ? new SipHash(key.subarray(FAST_OPEN_KEY_BYTES)) : null;
  }

  /** The cookie for the peer that sent `seg`. */
  make(seg: Readonly<Segment>): Uint8Array {
    return cookieOf(this.#hash, seg);
  }

  /** Whether `seg` bears the cookie of its sender, and by which key. */
  check(seg: Readonly<Segment>): CookieCheck {
    if (seg.fastOpenLen !== COOKIE_BYTES) return CookieCheck.BAD;
    if (isCookie(cookieOf(this.#hash, seg), seg)) return CookieCheck.GOOD;
    const isOld = this.#oldHash !== null && isCookie(cookieOf(this.#oldHash, seg), seg);
    return isOld ? CookieCheck.OLD : CookieCheck.BAD;
  }
}

function cookieOf(hash: KeyedHash, seg: Readonly<Segment>): Uint8Array {
  const cookie = new Uint8Array(COOKIE_BYTES);
  const view = new DataView(cookie.buffer);
  view.setInt32(0, hashFlow(hash, PURPOSE_HIGH, seg.dst, 0, seg.src, 0, 0));
  view.setInt32(4, hashFlow(hash, PURPOSE_LOW, seg.dst, 0, seg.src, 0, 0));
  return cookie;
}

function isCookie(cookie: Uint8Array, seg: Readonly<Segment>): boolean {
  let difference = 0;
  for (let i = 0; i < COOKIE_BYTES; i++) difference |= cookie[i]! ^ seg.fastOpenCookie[i]!;
  return difference === 0;
}

/** How the fast open of a client went, tcpi_fastopen_client_fail of linux/tcp.h. */
export const FastOpenFailure = { NONE: 0, NO_COOKIE: 1, TEXT_NOT_ACKED: 2, SYN_RETRANSMITTED: 3 } as const;
export type FastOpenFailure = (typeof FastOpenFailure)[keyof typeof FastOpenFailure];

/** What one connection has to do with fast open. */
export class FastOpenState {
  /** What goes in our SYN: a cookie, nothing to ask for one, or no option at all. */
  readonly cookie: Uint8Array | null;
  /** The SYN waits for text, TCP_FASTOPEN_CONNECT. */
  isDeferred = false;
  /** Text bytes that went in our SYN. */
  synTextBytes = 0;
  /** Text of the SYN was taken, ours or the peer's. */
  isTextTaken = false;
  failure: FastOpenFailure = FastOpenFailure.NONE;

  constructor(cookie: Uint8Array | null) {
    this.cookie = cookie;
    if (cookie?.length === 0) this.failure = FastOpenFailure.NO_COOKIE;
  }

  /** Whether text may go in the SYN, rather than a question for a cookie. */
  get takesText(): boolean {
    return this.cookie === null || this.cookie.length > 0;
  }

  /** The peer's SYN has acknowledged `ackedBytes` of text; ours was sent `synCount` times. */
  onSynAcked(ackedBytes: number, synCount: number): void {
    this.isDeferred = false;
    if (this.synTextBytes === 0) return;
    this.isTextTaken = ackedBytes > 0;
    if (synCount > 1) this.failure = FastOpenFailure.SYN_RETRANSMITTED;
    else if (ackedBytes === 0) this.failure = FastOpenFailure.TEXT_NOT_ACKED;
  }
}

/** What a client knows of a peer, RFC 7413 section 4.1.3. */
interface KnownPeer {
  cookie: Uint8Array;
  /** The MSS that it told of. */
  mssBytes: number;
  /** SYNs with text that were lost in a row, and until when none is sent for that. */
  lossCount: number;
  avoidedUntilMs: number;
}

const PEERS_MAX = 1024;
const AVOIDED_MS = 60_000;
const LOSSES_MAX = 10;
const NO_COOKIE = new Uint8Array(0);

/** The cookies of peers. Those that were not used for longest are forgotten. */
export class FastOpenPeers {
  readonly #peers = new Map<string, KnownPeer>();

  /** The cookie for `remote`, of length 0 if it has given none; null where fast open has lately failed. */
  cookieFor(remote: IpAddress, nowMs: number): Uint8Array | null {
    const known = this.#peers.get(remote.toString());
    if (known === undefined) return NO_COOKIE;
    return nowMs < known.avoidedUntilMs ? null : known.cookie;
  }

  /** The MSS that `remote` told of with its cookie, or 0. */
  mssOf(remote: IpAddress): number {
    return this.#peers.get(remote.toString())?.mssBytes ?? 0;
  }

  /** `remote` has given a cookie. */
  learn(remote: IpAddress, cookie: Uint8Array, mssBytes: number): void {
    const key = remote.toString();
    const known = this.#peers.get(key);
    this.#peers.delete(key);
    this.#peers.set(key, { lossCount: 0, avoidedUntilMs: 0, ...known, cookie, mssBytes });
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= PEERS_MAX) break;
      this.#peers.delete(oldest);
    }
  }

  /** A SYN with text arrived at `remote`, or was lost: then fast open is left alone for longer and longer. */
  noteOutcome(remote: IpAddress, isLost: boolean, nowMs: number): void {
    const known = this.#peers.get(remote.toString());
    if (known === undefined) return;
    known.lossCount = isLost ? Math.min(known.lossCount + 1, LOSSES_MAX) : 0;
    if (isLost) known.avoidedUntilMs = nowMs + AVOIDED_MS * 2 ** (known.lossCount - 1);
  }
}
