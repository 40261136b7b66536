import type { AckSample } from './ack-sample.js';
import type { DeliveryRate } from './delivery-rate.js';
import type { Rack } from './rack.js';
import type { RttEstimator } from './rtt-estimator.js';
import type { Segment } from './segment.js';
import { seqDiff, seqGe, seqGt, seqLe, seqLt } from './sequence.js';
import { type SentQueue, type SentSegment, SentFlag } from './sent-queue.js';

/**
 * Reads acknowledgements: takes what arrived out of the {@link SentQueue} or marks it there, and tells the estimators.
 * RFC 6675 section 4 `Update()`, RFC 2883, RFC 8985 section 6.2.
 */
export class Scoreboard {
  readonly #queue: SentQueue;
  readonly #rack: Rack;
  readonly #rate: DeliveryRate;
  #rtt: RttEstimator;
  /** What is added to milliseconds to make a timestamp. */
  #tsOffset = 0;
  mssBytes = 536;

  constructor(queue: SentQueue, rack: Rack, rate: DeliveryRate, rtt: RttEstimator) {
    this.#queue = queue;
    this.#rack = rack;
    this.#rate = rate;
    this.#rtt = rtt;
  }

  /** Reads the acknowledgements of a connection from now on. `tsOffset`: see {@link Sender.tsOffset}. */
  start(rtt: RttEstimator, tsOffset: number, mssBytes: number): void {
    this.#rtt = rtt;
    this.#tsOffset = tsOffset;
    this.mssBytes = mssBytes;
  }

  /** Takes out all up to `ack`. `highSeq`: where the current recovery began. */
  acknowledge(ack: number, highSeq: number, sample: AckSample, nowMs: number): void {
    const queue = this.#queue;
    const { rttMs, firstRttMs } = sample;
    for (let head = queue.head; head !== null && seqLt(head.seq, ack); head = queue.head) {
      const { flags } = head;
      const isWhole = seqLe(head.end, ack);
      const len = isWhole ? head.len : seqDiff(ack, head.seq);
      sample.ackedBytes += len;
      if (flags & SentFlag.EVER_RETRANS) sample.hasRetransmittedAcked = true;
      if (!(flags & SentFlag.SACKED)) this.#deliver(head, len, highSeq, sample, nowMs);
      if (!isWhole) {
        queue.trimHead(ack);
        break;
      }
      queue.shift();
    }
    if (!sample.hasRetransmittedAcked) return;
    // What was sent once behind a gap waited for the gap to be filled: that is no round trip.
    sample.rttMs = rttMs;
    sample.firstRttMs = firstRttMs;
  }

  /**
   * Marks what the SACK blocks of `seg` cover. `sndUna` is the one before this acknowledgement. Preconditions: what it
   * acknowledges has been taken out. In order of sequence nothing seems reordered that one acknowledgement reports.
   */
  processSacks(
    seg: Readonly<Segment>,
    sndUna: number,
    sndNxt: number,
    highSeq: number,
    sample: AckSample,
    nowMs: number,
  ): void {
    const hasDsack = isDsack(seg);
    if (hasDsack) this.#noteDsack(seg.sackStarts[0]!, seg.sackEnds[0]!, sndNxt, sample);
    const firstBlock = hasDsack ? 1 : 0;
    sortBlocks(seg, firstBlock);
    for (let i = firstBlock; i < seg.sackCount; i++) {
      const start = seg.sackStarts[sorted[i]!]!;
      const end = seg.sackEnds[sorted[i]!]!;
      // RFC 2018: a block is beyond the acknowledgement, and of what was sent.
      if (!seqLt(start, end) || seqGt(end, sndNxt) || seqLt(start, sndUna) || seqLe(end, seg.ack)) continue;
      this.#markRange(start, end, highSeq, sample, nowMs);
    }
  }

  #noteDsack(start: number, end: number, sndNxt: number, sample: AckSample): void {
    if (!seqLt(start, end) || seqGt(end, sndNxt)) return;
    sample.hasDsack = true;
    sample.dsackStart = start;
    sample.dsackEnd = end;
  }

  #markRange(start: number, end: number, highSeq: number, sample: AckSample, nowMs: number): void {
    const queue = this.#queue;
    for (let sent = queue.find(start); sent !== null && seqLt(sent.seq, end); sent = sent.next) {
      if (sent.flags & SentFlag.SACKED) continue;
      if (seqLt(sent.seq, start) || seqGt(sent.end, end)) {
        // Only whole segments count, so that crumbs cannot cut the queue to pieces; larger ones are cut at the MSS.
        const from = seqLt(sent.seq, start) ? this.#roundUp(sent, start) : sent.seq;
        const to = seqGt(sent.end, end) ? this.#roundDown(sent, end) : sent.end;
        if (!seqLt(from, to)) continue;
        if (seqGt(from, sent.seq)) {
          queue.split(sent, from);
          continue;
        }
        queue.split(sent, to);
      }
      sample.hasSacked = true;
      sample.sackedBytes += sent.len;
      this.#deliver(sent, sent.len, highSeq, sample, nowMs);
      queue.markSacked(sent);
    }
  }

  #roundUp(sent: Readonly<SentSegment>, seq: number): number {
    const count = Math.ceil(seqDiff(seq, sent.seq) / this.mssBytes);
    return (sent.seq + count * this.mssBytes) | 0;
  }

  #roundDown(sent: Readonly<SentSegment>, seq: number): number {
    const count = Math.floor(seqDiff(seq, sent.seq) / this.mssBytes);
    return (sent.seq + count * this.mssBytes) | 0;
  }

  #deliver(sent: SentSegment, len: number, highSeq: number, sample: AckSample, nowMs: number): void {
    sample.deliveredBytes += len;
    const isRetransmitted = (sent.flags & SentFlag.EVER_RETRANS) !== 0;
    if (!isRetransmitted) {
      sample.rttMs = nowMs - sent.xmitMs;
      if (sample.firstRttMs < 0) sample.firstRttMs = sample.rttMs;
      if (seqLe(sent.end, highSeq)) sample.hasOriginalDelivered = true;
      if (sent.flags & SentFlag.MTU_PROBE) sample.hasProbeDelivered = true;
    }
    const isAmbiguous =
      isRetransmitted && sample.hasTimestamps && seqLt(sample.tsEcr, (Math.floor(sent.xmitMs) + this.#tsOffset) | 0);
    this.#rack.onDelivered(sent, isAmbiguous, this.#rtt.minRttMs, nowMs);
    this.#rate.onDelivered(sent, len, nowMs);
  }
}

/** Numbers of the blocks of the segment that is being read, in order of sequence. */
const sorted: number[] = [0, 0, 0, 0];

function sortBlocks(seg: Readonly<Segment>, from: number): void {
  const { sackStarts } = seg;
  for (let i = from; i < seg.sackCount; i++) {
    let at = i;
    for (; at > from && seqLt(sackStarts[i]!, sackStarts[sorted[at - 1]!]!); at--) sorted[at] = sorted[at - 1]!;
    sorted[at] = i;
  }
}

/** RFC 2883 section 4: the first block is below the acknowledgement, or inside the second block. */
function isDsack(seg: Readonly<Segment>): boolean {
  const start = seg.sackStarts[0]!;
  const end = seg.sackEnds[0]!;
  if (seqLt(start, seg.ack)) return true;
  return seg.sackCount > 1 && seqGe(start, seg.sackStarts[1]!) && seqLe(end, seg.sackEnds[1]!);
}
