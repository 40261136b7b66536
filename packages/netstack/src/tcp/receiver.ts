import { RING_BYTES_MIN } from './byte-ring.js';
import { NO_RANGES, OutOfOrderRanges } from './out-of-order.js';
import { NO_TEXT, ReceiveBuffer } from './receive-buffer.js';
import { FIN, type Segment } from './segment.js';
import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from './sequence.js';

/** RFC 9293 section 3.8.6.3 allows 500 ms; Linux starts at 40 ms. */
const ACK_DELAY_MS = 40;
/** Segments acknowledged at once when a connection starts or recovers, so that the peer's window grows. */
const QUICK_ACKS_MAX = 16;
/** RFC 7323 section 5.5: a timestamp is not believed for longer. */
const TS_RECENT_MS_MAX = 24 * 86_400_000;

/** When the receiver owes the peer an acknowledgement. */
export const AckNeed = { NONE: 0, DELAYED: 1, NOW: 2 } as const;
export type AckNeed = (typeof AckNeed)[keyof typeof AckNeed];

/** State of urgent text. */
export const Urgent = { NONE: 0, AWAITED: 1, VALID: 2, READ: 3 } as const;
export type Urgent = (typeof Urgent)[keyof typeof Urgent];

/** The receiving half of a connection: RCV.* of RFC 9293 section 3.3.1, reassembly, windows and acknowledgements. */
export class Receiver {
  #buffer = NO_TEXT;
  #ringBytes = RING_BYTES_MIN;
  /** Made with the first range: most connections never have one. */
  #outOfOrder = NO_RANGES;
  irs = 0;
  rcvNxt = 0;
  /** One past the window that was offered to the peer; never moves back. */
  rcvEdge = 0;
  /** `rcvNxt` of the last acknowledgement sent: Last.ACK.sent. */
  lastAckSent = 0;
  /** Shift of our window field. */
  windowShift = 0;
  bufferBytesMax = 0;
  /** TCP_WINDOW_CLAMP; 0 for none. */
  windowClampBytes = 0;
  /** Largest segment that the peer was seen to send: guides acknowledgements and windows. */
  peerMssBytes = 536;
  hasFin = false;
  finSeq = 0;
  /** The FIN has been reached: nothing more comes. */
  isFinReceived = false;

  isSackUsed = false;
  /** A range to report as received twice, RFC 2883. */
  #hasDsack = false;
  #dsackStart = 0;
  #dsackEnd = 0;

  /** TS.Recent of RFC 7323. */
  tsRecent = 0;
  tsRecentMs = 0;
  hasTsRecent = false;

  ackNeed: AckNeed = AckNeed.NONE;
  ackAtMs = Infinity;
  quickAckCount = QUICK_ACKS_MAX;
  /** Replies go with text of our own: acknowledgements may wait for it. */
  isInteractive = false;
  #unackedSegments = 0;

  urgent: Urgent = Urgent.NONE;
  /** Sequence number of the urgent byte. */
  urgentSeq = 0;
  urgentByte = 0;
  isUrgentInline = false;

  /** Bytes that were received in order, and that went to the application. */
  receivedBytes = 0;
  lastTextMs = 0;
  outOfOrderCount = 0;

  start(irs: number, windowBytes: number): void {
    this.irs = irs;
    this.rcvNxt = seqAdd(irs, 1);
    this.lastAckSent = this.rcvNxt;
    this.rcvEdge = seqAdd(this.rcvNxt, windowBytes);
  }

  /** Text that was received and not read. */
  get buffer(): Readonly<ReceiveBuffer> {
    return this.#buffer;
  }

  /** Ranges received beyond a gap. */
  get outOfOrder(): Readonly<OutOfOrderRanges> {
    return this.#outOfOrder;
  }

  /** Takes the text of a SYN (RFC 7413). */
  acceptSynText(seg: Readonly<Segment>): void {
    this.#store(0, seg, seg.textAt, seg.textLen);
    this.#commitTo(seqAdd(this.rcvNxt, seg.textLen));
  }

  /** RCV.WND: what the peer may send. */
  get windowBytes(): number {
    return Math.max(0, seqDiff(this.rcvEdge, this.rcvNxt));
  }

  /** Sequence number of the first byte that waits to be read. */
  get readSeq(): number {
    return seqAdd(this.rcvNxt, -this.buffer.len - (this.isFinReceived ? 1 : 0));
  }

  /** Table 6 of RFC 9293 section 3.4. */
  isAcceptable(seg: Readonly<Segment>): boolean {
    const { windowBytes } = this;
    const segLen = seg.len;
    const isStartIn = seqGe(seg.seq, this.rcvNxt) && seqLt(seg.seq, this.rcvEdge);
    if (segLen === 0) return windowBytes === 0 ? seg.seq === this.rcvNxt : isStartIn || seg.seq === this.rcvNxt;
    if (windowBytes === 0) return false;
    const last = seqAdd(seg.seq, segLen - 1);
    return isStartIn || (seqGe(last, this.rcvNxt) && seqLt(last, this.rcvEdge)) || this.#covers(seg.seq, last);
  }

  /** PAWS, RFC 7323 section 5.3 R1: whether `seg` is an old duplicate. */
  isOldDuplicate(seg: Readonly<Segment>, nowMs: number): boolean {
    if (!seg.hasTimestamps || !this.hasTsRecent) return false;
    return seqLt(seg.tsVal, this.tsRecent) && nowMs - this.tsRecentMs < TS_RECENT_MS_MAX;
  }

  /** RFC 7323 section 4.3: which timestamp to echo. */
  noteTimestamp(seg: Readonly<Segment>, nowMs: number): void {
    if (!seg.hasTimestamps || seqGt(seg.seq, this.lastAckSent)) return;
    if (this.hasTsRecent && seqLt(seg.tsVal, this.tsRecent) && nowMs - this.tsRecentMs < TS_RECENT_MS_MAX) return;
    this.hasTsRecent = true;
    this.tsRecent = seg.tsVal;
    this.tsRecentMs = nowMs;
  }

  /** Takes the text and FIN of an acceptable segment. Returns how many bytes became readable. */
  acceptText(seg: Readonly<Segment>, nowMs: number): number {
    const end = seqAdd(seg.seq, seg.textLen);
    const isText = seg.textLen > 0;
    const segmentLen = seg.segmentBytes > 0 ? seg.segmentBytes : seg.textLen;
    if (segmentLen > this.peerMssBytes && segmentLen <= 65535) this.peerMssBytes = segmentLen;
    this.#noteFin(seg, end);
    if (!isText) {
      if (seg.flags & FIN && end !== this.rcvNxt) this.ackNow();
      return this.#reachFin();
    }
    const start = seqMax(seg.seq, this.rcvNxt);
    const last = this.#limit(end);
    if (!seqLt(start, last)) {
      this.#onDuplicate(seg.seq, end);
      return this.#reachFin();
    }
    if (seqLt(seg.seq, this.rcvNxt)) this.#noteDsack(seg.seq, seqMin(end, this.rcvNxt));
    this.lastTextMs = nowMs;
    const fromAt = seg.textAt + seqDiff(start, seg.seq);
    if (start === this.rcvNxt) return this.#acceptInOrder(seg, fromAt, seqDiff(last, start), nowMs);
    this.#acceptBeyondGap(seg, fromAt, start, last);
    return 0;
  }

  /** Copies up to `len` bytes out and removes them. The urgent mark ends a read (tcp(7)). */
  read(dst: Uint8Array, at: number, len: number): number {
    if (this.urgent !== Urgent.NONE) this.#consume(this.#skippedAtMark());
    const count = this.buffer.copyTo(0, dst, at, Math.min(len, this.#bytesToMark(0)));
    this.#consume(count);
    return count;
  }

  /** Copies up to `len` bytes out and leaves them. */
  peek(dst: Uint8Array, at: number, len: number): number {
    const offset = this.urgent === Urgent.NONE ? 0 : this.#skippedAtMark();
    return this.buffer.copyTo(offset, dst, at, Math.min(len, this.#bytesToMark(offset)));
  }

  /** Removes up to `len` bytes unread. */
  discard(len: number): number {
    const count = Math.min(len, this.buffer.len);
    this.#consume(count);
    return count;
  }

  /** Bytes that may be read, without an urgent byte that is out of line. */
  get readableBytes(): number {
    const hidden = this.#isUrgentHidden() && seqGe(this.urgentSeq, this.readSeq) && seqLt(this.urgentSeq, this.rcvNxt);
    return this.buffer.len - (hidden ? 1 : 0);
  }

  /** Whether the next byte is the urgent mark: sockatmark(3). */
  get isAtMark(): boolean {
    return this.urgent !== Urgent.NONE && this.readSeq === this.urgentSeq;
  }

  /** RFC 9293 section 3.8.5; the pointer is to the byte behind the urgent one, as all stacks but RFC 1122 have it. */
  noteUrgent(seg: Readonly<Segment>): void {
    const urgentSeq = seqAdd(seg.seq, seg.urgentPointer - 1);
    if (seqLt(urgentSeq, this.readSeq) || (this.urgent !== Urgent.NONE && seqLe(urgentSeq, this.urgentSeq))) return;
    if (seqLt(urgentSeq, this.rcvNxt)) return;
    this.urgent = Urgent.AWAITED;
    this.urgentSeq = urgentSeq;
  }

  /** Takes the urgent byte from `seg` if it is in there. */
  takeUrgentByte(seg: Readonly<Segment>): void {
    if (this.urgent !== Urgent.AWAITED) return;
    const offset = seqDiff(this.urgentSeq, seg.seq);
    if (offset < 0 || offset >= seg.textLen) return;
    this.urgentByte = seg.text[seg.textAt + offset]!;
    this.urgent = Urgent.VALID;
  }

  /**
   * The window field's value in bytes, which becomes the offer. It never takes back what was offered (RFC 9293 section
   * 3.8.6, SHLD-14) and grows only by whole segments (section 3.8.6.2.2). `scale`: whether the field is shifted.
   */
  offerWindow(shift: number): number {
    const free = this.freeBytes;
    const current = this.windowBytes;
    const step = Math.min(this.bufferBytesMax / 2, this.peerMssBytes);
    const wanted = free - current >= step ? free : current;
    const field = Math.min(wanted >>> shift, 0xffff);
    const edge = seqAdd(this.rcvNxt, field << shift);
    if (seqGt(edge, this.rcvEdge)) this.rcvEdge = edge;
    return field;
  }

  /** Room that could be offered. */
  get freeBytes(): number {
    const free = Math.max(0, this.bufferBytesMax - this.buffer.len);
    return this.windowClampBytes > 0 ? Math.min(free, this.windowClampBytes) : free;
  }

  /** Whether reading has made enough room that the peer should hear of it. */
  get hasWindowToTell(): boolean {
    const { freeBytes, windowBytes } = this;
    const step = Math.min(this.bufferBytesMax / 2, 2 * this.peerMssBytes);
    return freeBytes - windowBytes >= step && freeBytes >= 2 * windowBytes;
  }

  ackNow(): void {
    this.ackNeed = AckNeed.NOW;
  }

  /** Acknowledges the next segments at once. */
  quickAck(): void {
    this.quickAckCount = QUICK_ACKS_MAX;
    this.isInteractive = false;
  }

  /** Decides about the acknowledgement of text in order: RFC 9293 section 3.8.6.3, RFC 5681 section 4.2. */
  scheduleAck(textLen: number, nowMs: number): void {
    if (this.ackNeed === AckNeed.NOW) return;
    this.#unackedSegments += Math.max(1, Math.floor(textLen / this.peerMssBytes));
    const isQuick = this.quickAckCount > 0 && !this.isInteractive;
    if (this.#unackedSegments >= 2 || isQuick || this.outOfOrder.count > 0) {
      this.ackNeed = AckNeed.NOW;
    } else if (this.ackNeed === AckNeed.NONE) {
      this.ackNeed = AckNeed.DELAYED;
      this.ackAtMs = nowMs + ACK_DELAY_MS;
    }
  }

  /** An acknowledgement of `rcvNxt` goes out. */
  onAckSent(): void {
    this.lastAckSent = this.rcvNxt;
    this.ackNeed = AckNeed.NONE;
    this.ackAtMs = Infinity;
    this.#unackedSegments = 0;
    this.#hasDsack = false;
    if (this.quickAckCount > 0) this.quickAckCount--;
  }

  /** There is something beyond the acknowledgement to tell. */
  get hasSackToTell(): boolean {
    return this.isSackUsed && (this.#hasDsack || this.outOfOrder.count > 0);
  }

  /** Adds SACK blocks: the D-SACK one first. */
  addSackBlocks(seg: Segment, countMax: number): void {
    if (!this.isSackUsed) return;
    if (this.#hasDsack) seg.addSack(this.#dsackStart, this.#dsackEnd);
    if (this.outOfOrder.count > 0) this.outOfOrder.addSackBlocks(seg, countMax);
  }

  clear(): void {
    this.#freeBuffer();
    this.#outOfOrder = NO_RANGES;
    this.ackNeed = AckNeed.NONE;
    this.ackAtMs = Infinity;
  }

  /** Forgets what lies beyond gaps. */
  clearOutOfOrder(): void {
    this.#outOfOrder = NO_RANGES;
    if (this.buffer.len === 0) this.#freeBuffer();
  }

  #store(gap: number, seg: Readonly<Segment>, at: number, len: number): void {
    if (this.#buffer === NO_TEXT) this.#buffer = ReceiveBuffer.take(this.#ringBytes);
    this.#buffer.store(gap, seg.text, at, len);
  }

  #freeBuffer(): void {
    if (this.#buffer === NO_TEXT) return;
    this.#ringBytes = this.#buffer.release();
    this.#buffer = NO_TEXT;
  }

  #covers(seq: number, last: number): boolean {
    return seqLt(seq, this.rcvNxt) && seqGe(last, this.rcvEdge);
  }

  #noteFin(seg: Readonly<Segment>, end: number): void {
    if (!(seg.flags & FIN) || this.hasFin) return;
    // A FIN right behind a full window fits: it takes no room in the buffer.
    if (seqGt(end, this.rcvEdge) || seqLt(end, this.rcvNxt)) return;
    this.hasFin = true;
    this.finSeq = end;
  }

  /** Text ends at the window, and at the FIN: nothing follows it. */
  #limit(end: number): number {
    const last = seqMin(end, this.rcvEdge);
    return this.hasFin ? seqMin(last, this.finSeq) : last;
  }

  #acceptInOrder(seg: Readonly<Segment>, at: number, len: number, nowMs: number): number {
    const before = this.buffer.len;
    if (!this.#keep(seg, at, len)) {
      this.#store(0, seg, at, len);
      this.#commitTo(seqAdd(this.rcvNxt, len));
    }
    if (this.outOfOrder.count > 0) {
      // RFC 5681 section 4.2: what fills a gap is acknowledged at once.
      this.ackNow();
      const next = this.#limit(this.#outOfOrder.advance(this.rcvNxt));
      if (seqGt(next, this.rcvNxt)) this.#commitTo(next);
    }
    this.scheduleAck(len, nowMs);
    const readable = this.buffer.len - before;
    return readable + this.#reachFin();
  }

  /** Keeps the packet that the text is in, if that is worth it; false if the text must be stored. */
  #keep(seg: Readonly<Segment>, at: number, len: number): boolean {
    const { packet } = seg;
    if (packet === null || this.#outOfOrder.count > 0 || !this.#buffer.canKeep(packet, len)) return false;
    seg.takePacket();
    if (this.#buffer === NO_TEXT) this.#buffer = ReceiveBuffer.take(this.#ringBytes);
    this.#buffer.keep(packet, at, len);
    this.#advanceTo(seqAdd(this.rcvNxt, len));
    return true;
  }

  /** As {@link Receiver.#advanceTo}, over text that is stored behind the end. */
  #commitTo(next: number): void {
    this.#buffer.commit(seqDiff(next, this.rcvNxt));
    this.#advanceTo(next);
  }

  #advanceTo(next: number): void {
    this.receivedBytes += seqDiff(next, this.rcvNxt);
    this.rcvNxt = next;
  }

  #acceptBeyondGap(seg: Readonly<Segment>, at: number, start: number, last: number): void {
    this.ackNow();
    this.outOfOrderCount++;
    if (this.#outOfOrder === NO_RANGES) this.#outOfOrder = new OutOfOrderRanges();
    if (this.outOfOrder.contains(start, last)) {
      this.#noteDsack(start, last);
      this.#outOfOrder.insert(start, last);
      return;
    }
    if (!this.#outOfOrder.insert(start, last)) return;
    this.#store(seqDiff(start, this.rcvNxt), seg, at, seqDiff(last, start));
  }

  #onDuplicate(start: number, end: number): void {
    this.ackNow();
    if (seqLt(start, this.rcvNxt)) this.#noteDsack(start, seqMin(end, this.rcvNxt));
  }

  /** A segment that was not acceptable: its text, if it is old, is reported. */
  noteUnacceptable(seg: Readonly<Segment>): void {
    const end = seqAdd(seg.seq, seg.textLen);
    if (seg.textLen > 0 && seqLt(seg.seq, this.rcvNxt)) this.#noteDsack(seg.seq, seqMin(end, this.rcvNxt));
  }

  #noteDsack(start: number, end: number): void {
    if (!this.isSackUsed || !seqLt(start, end)) return;
    this.#hasDsack = true;
    this.#dsackStart = start;
    this.#dsackEnd = end;
  }

  #reachFin(): number {
    if (!this.hasFin || this.isFinReceived || this.rcvNxt !== this.finSeq) return 0;
    this.isFinReceived = true;
    this.rcvNxt = seqAdd(this.rcvNxt, 1);
    if (seqLt(this.rcvEdge, this.rcvNxt)) this.rcvEdge = this.rcvNxt;
    this.clearOutOfOrder();
    this.ackNow();
    return 0;
  }

  #consume(count: number): void {
    if (count === 0) return;
    this.#buffer.consume(count);
    if (this.urgent !== Urgent.NONE && this.urgent !== Urgent.AWAITED && seqGt(this.readSeq, this.urgentSeq)) {
      this.urgent = Urgent.NONE;
    }
    if (this.buffer.len === 0 && this.outOfOrder.count === 0) this.#freeBuffer();
  }

  #isUrgentHidden(): boolean {
    return !this.isUrgentInline && (this.urgent === Urgent.VALID || this.urgent === Urgent.READ);
  }

  /** A read that starts at the mark skips the urgent byte, unless it is in line. */
  #skippedAtMark(): number {
    return this.#isUrgentHidden() && this.buffer.len > 0 && this.readSeq === this.urgentSeq ? 1 : 0;
  }

  #bytesToMark(offset: number): number {
    if (this.urgent === Urgent.NONE) return Infinity;
    const distance = seqDiff(this.urgentSeq, seqAdd(this.readSeq, offset));
    return distance > 0 ? distance : Infinity;
  }
}
