import { seqGe, seqGt, seqLt } from './sequence.js';

/** What is known of a sent segment. The counts of {@link SentQueue} follow these bits. */
export const SentFlag = {
  /** The peer has it, says a SACK block. */
  SACKED: 1 << 0,
  /** Taken for lost. */
  LOST: 1 << 1,
  /** Sent again, and that copy is in flight. */
  RETRANS: 1 << 2,
  /** Sent again at some time: an acknowledgement is ambiguous (Karn's algorithm). */
  EVER_RETRANS: 1 << 3,
  SYN: 1 << 4,
  FIN: 1 << 5,
  /** Sent while the application had no more text: its rate says little. */
  APP_LIMITED: 1 << 6,
  /** A probe of a larger path MTU. */
  MTU_PROBE: 1 << 7,
} as const;

/** Sent segments that are remembered at a time; sending waits beyond that. Bounds memory when text is sent in crumbs. */
export const SENT_SEGMENTS_MAX = 16384;

/** A segment that was sent and not yet acknowledged, and what the rate sampler noted when it was sent. */
export class SentSegment {
  seq = 0;
  /** One past the last sequence number, SYN and FIN included. */
  end = 0;
  flags = 0;
  /** When it was sent last. */
  xmitMs = 0;
  /** Number of that transmission: tells the order of those of one millisecond. */
  order = 0;
  /** State of the rate sampler when it was sent: see {@link DeliveryRate}. */
  firstXmitMs = 0;
  deliveredBytes = 0;
  deliveredMs = 0;
  prev: SentSegment | null = null;
  next: SentSegment | null = null;

  get len(): number {
    return (this.end - this.seq) | 0;
  }
}

/** Retransmission queue of RFC 9293 section 3.4 and scoreboard of RFC 6675 in one: sent segments in sequence order. */
export class SentQueue {
  #head: SentSegment | null = null;
  #tail: SentSegment | null = null;
  #count = 0;
  #outBytes = 0;
  #transmissionCount = 0;
  #sackedBytes = 0;
  #lostBytes = 0;
  #retransBytes = 0;
  /** Bytes that are lost and not sent again. */
  #pendingBytes = 0;
  /** Bytes marked lost so far, also those that were not. */
  markedLostBytes = 0;
  /** Bytes that duplicate acknowledgements without SACK say have left the network. */
  renoSackedBytes = 0;
  /** No segment before it is lost and not sent again. */
  #lostHint: SentSegment | null = null;

  get head(): SentSegment | null {
    return this.#head;
  }

  get tail(): SentSegment | null {
    return this.#tail;
  }

  get count(): number {
    return this.#count;
  }

  get outBytes(): number {
    return this.#outBytes;
  }

  get sackedBytes(): number {
    return this.#sackedBytes;
  }

  get lostBytes(): number {
    return this.#lostBytes;
  }

  get retransBytes(): number {
    return this.#retransBytes;
  }

  /** Bytes thought to be in the network: `pipe` of RFC 6675 section 4. */
  get inFlightBytes(): number {
    const left = Math.min(this.#sackedBytes + this.renoSackedBytes + this.#lostBytes, this.#outBytes);
    return this.#outBytes - left + this.#retransBytes;
  }

  /** Notes a segment sent for the first time, behind all others. */
  push(seq: number, end: number, flags: number, nowMs: number): SentSegment {
    const sent = acquire();
    sent.seq = seq;
    sent.end = end;
    sent.flags = flags;
    sent.xmitMs = nowMs;
    sent.order = ++this.#transmissionCount;
    sent.prev = this.#tail;
    if (this.#tail === null) this.#head = sent;
    else this.#tail.next = sent;
    this.#tail = sent;
    this.#count++;
    this.#outBytes += sent.len;
    return sent;
  }

  /** Takes the first segment out; it may be read until the next push. */
  shift(): SentSegment {
    const sent = this.#head!;
    this.#uncount(sent);
    this.#outBytes -= sent.len;
    this.#head = sent.next;
    if (this.#head === null) this.#tail = null;
    else this.#head.prev = null;
    if (this.#lostHint === sent) this.#lostHint = this.#head;
    this.#count--;
    release(sent);
    return sent;
  }

  /** Cuts `sent` in two at `seq`, which lies inside it. The second part keeps SYN out and FIN in. */
  split(sent: SentSegment, seq: number): void {
    const rest = acquire();
    rest.seq = seq;
    rest.end = sent.end;
    rest.flags = sent.flags & ~(SentFlag.SYN | SentFlag.MTU_PROBE);
    rest.xmitMs = sent.xmitMs;
    rest.order = sent.order;
    rest.firstXmitMs = sent.firstXmitMs;
    rest.deliveredBytes = sent.deliveredBytes;
    rest.deliveredMs = sent.deliveredMs;
    sent.end = seq;
    sent.flags &= ~SentFlag.FIN;
    rest.prev = sent;
    rest.next = sent.next;
    if (sent.next === null) this.#tail = rest;
    else sent.next.prev = rest;
    sent.next = rest;
    this.#count++;
  }

  /** Drops the acknowledged start of the first segment, up to `seq` inside it. */
  trimHead(seq: number): void {
    const sent = this.#head!;
    const flags = sent.flags;
    this.#uncount(sent);
    this.#outBytes -= (seq - sent.seq) | 0;
    sent.seq = seq;
    sent.flags = flags & ~SentFlag.SYN;
    this.#recount(sent);
  }

  markSacked(sent: SentSegment): void {
    this.#uncount(sent);
    sent.flags = (sent.flags & ~(SentFlag.LOST | SentFlag.RETRANS)) | SentFlag.SACKED;
    this.#recount(sent);
  }

  /** Takes `sent` for lost; a copy in flight too. Nothing happens to a segment that the peer has. */
  markLost(sent: SentSegment): void {
    if (sent.flags & SentFlag.SACKED) return;
    this.#uncount(sent);
    if (!(sent.flags & SentFlag.LOST) || sent.flags & SentFlag.RETRANS) this.markedLostBytes += sent.len;
    sent.flags = (sent.flags & ~SentFlag.RETRANS) | SentFlag.LOST;
    this.#recount(sent);
    if (this.#lostHint === null || seqLt(sent.seq, this.#lostHint.seq)) this.#lostHint = sent;
  }

  /** Notes that `sent` was sent again. */
  markRetransmitted(sent: SentSegment, nowMs: number): void {
    this.#uncount(sent);
    sent.flags |= SentFlag.RETRANS | SentFlag.EVER_RETRANS;
    sent.xmitMs = nowMs;
    sent.order = ++this.#transmissionCount;
    this.#recount(sent);
  }

  /** Takes all back that was marked lost: the timeout or the recovery was spurious. */
  unmarkLost(): void {
    for (let sent = this.#head; sent !== null; sent = sent.next) {
      this.#uncount(sent);
      sent.flags &= ~SentFlag.LOST;
      this.#recount(sent);
    }
    this.#lostHint = null;
  }

  /** Forgets all SACKs: the peer has reneged (RFC 2018 section 8). */
  forgetSacks(): void {
    for (let sent = this.#head; sent !== null; sent = sent.next) {
      this.#uncount(sent);
      sent.flags &= ~SentFlag.SACKED;
      this.#recount(sent);
    }
  }

  /** The first segment that is lost and not sent again; null if there is none. */
  firstLost(): SentSegment | null {
    if (this.#pendingBytes === 0) return null;
    let sent = this.#lostHint ?? this.#head;
    while (sent !== null && (sent.flags & (SentFlag.LOST | SentFlag.RETRANS)) !== SentFlag.LOST) sent = sent.next;
    this.#lostHint = sent;
    return sent;
  }

  /** The segment that has `seq` in it, or the first one behind it. Null if none is behind it. */
  find(seq: number): SentSegment | null {
    let sent = this.#tail;
    if (sent === null || seqGe(seq, sent.end)) return null;
    while (sent.prev !== null && seqGt(sent.prev.end, seq)) sent = sent.prev;
    return sent;
  }

  clear(): void {
    while (this.#head !== null) this.shift();
    this.renoSackedBytes = 0;
  }

  #uncount(sent: SentSegment): void {
    this.#addToCounts(sent, -sent.len);
  }

  #recount(sent: SentSegment): void {
    this.#addToCounts(sent, sent.len);
  }

  #addToCounts(sent: SentSegment, len: number): void {
    const { flags } = sent;
    if (flags & SentFlag.SACKED) this.#sackedBytes += len;
    if (flags & SentFlag.RETRANS) this.#retransBytes += len;
    if (flags & SentFlag.LOST) {
      this.#lostBytes += len;
      if (!(flags & SentFlag.RETRANS)) this.#pendingBytes += len;
    }
  }
}

/** Free objects kept for all connections; more are left to the garbage collector. */
const FREE_MAX = 4096;
let free: SentSegment | null = null;
let freeCount = 0;

function acquire(): SentSegment {
  if (free === null) return new SentSegment();
  const sent = free;
  free = sent.next;
  sent.next = null;
  freeCount--;
  return sent;
}

function release(sent: SentSegment): void {
  sent.prev = null;
  sent.next = null;
  if (freeCount === FREE_MAX) return;
  sent.next = free;
  free = sent;
  freeCount++;
}
