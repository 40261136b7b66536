import { hashFlow } from './isn.js';
import type { Segment } from './segment.js';
import type { KeyedHash } from './tcp-settings.js';

/** A cookie counts minutes and is good for two. */
const PERIOD_MS = 60_000;
const PERIODS_MAX = 2;
const COUNT_SHIFT = 24;
const COUNT_MASK = (1 << COUNT_SHIFT) - 1;
const PURPOSE_BASE = 3;
const PURPOSE_COUNT = 4;

/** The MSS is told by one of these, the values of Linux. */
const MSS_TABLE_IPV4 = [536, 1300, 1440, 1460] as const;
const MSS_TABLE_IPV6 = [1280 - 60, 1480 - 60, 1500 - 60, 9000 - 60] as const;

/** Options are kept in the low bits of our timestamp, as Linux does it: the shift, then one bit each. */
const TS_OPTION_BITS = 6;
const TS_SHIFT_MASK = 0xf;
const TS_SACK = 1 << 4;
const TS_ECN = 1 << 5;
const TS_NO_SHIFT = 0xf;

/**
 * SYN cookies: initial sequence numbers from which a listener under flood can tell its handshakes without remembering
 * them. RFC 4987 section 3.6. A segment given here goes from `src`, the peer, to `dst`.
 */
export class SynCookies {
  readonly #hash: KeyedHash;

  constructor(hash: KeyedHash) {
    this.#hash = hash;
  }

  /** The initial sequence number to answer the SYN `seg` with. `mss`: what the peer takes. */
  make(seg: Readonly<Segment>, mss: number, nowMs: number): number {
    const table = mssTable(seg);
    let index = table.length - 1;
    while (index > 0 && table[index]! > mss) index--;
    const count = Math.floor(nowMs / PERIOD_MS);
    return (
      (this.#base(seg) + seg.seq + (count << COUNT_SHIFT) + ((this.#counted(seg, count) + index) & COUNT_MASK)) | 0
    );
  }

  /** The MSS told by the cookie that `seg` acknowledges; 0 if it is none of ours, or too old. */
  check(seg: Readonly<Segment>, nowMs: number): number {
    const irs = (seg.seq - 1) | 0;
    const cookie = (seg.ack - 1 - this.#base(seg) - irs) | 0;
    const now = Math.floor(nowMs / PERIOD_MS);
    const age = (now - (cookie >>> COUNT_SHIFT)) & 0xff;
    if (age >= PERIODS_MAX) return 0;
    const index = (cookie - this.#counted(seg, now - age)) & COUNT_MASK;
    return mssTable(seg)[index] ?? 0;
  }

  #base(seg: Readonly<Segment>): number {
    return hashFlow(this.#hash, PURPOSE_BASE, seg.dst, seg.dstPort, seg.src, seg.srcPort, 0);
  }

  #counted(seg: Readonly<Segment>, count: number): number {
    return hashFlow(this.#hash, PURPOSE_COUNT, seg.dst, seg.dstPort, seg.src, seg.srcPort, count);
  }
}

/** The timestamp for a SYN-ACK with a cookie: not after `tsNow`, with the options of the SYN in its low bits. */
export function encodeTsOptions(tsNow: number, windowShift: number, isSackPermitted: boolean, isEcn: boolean): number {
  const shift = windowShift < 0 ? TS_NO_SHIFT : windowShift;
  const bits = shift | (isSackPermitted ? TS_SACK : 0) | (isEcn ? TS_ECN : 0);
  const ts = ((tsNow >> TS_OPTION_BITS) << TS_OPTION_BITS) | bits;
  return ((ts - tsNow) | 0) > 0 ? (ts - (1 << TS_OPTION_BITS)) | 0 : ts;
}

/** Window shift in an echoed timestamp; -1 for none. */
export function tsWindowShift(tsEcr: number): number {
  const shift = tsEcr & TS_SHIFT_MASK;
  return shift === TS_NO_SHIFT ? -1 : shift;
}

export function tsHasSack(tsEcr: number): boolean {
  return (tsEcr & TS_SACK) !== 0;
}

export function tsHasEcn(tsEcr: number): boolean {
  return (tsEcr & TS_ECN) !== 0;
}

function mssTable(seg: Readonly<Segment>): readonly number[] {
  return seg.src.isIpv4 ? MSS_TABLE_IPV4 : MSS_TABLE_IPV6;
}
