import { type Segment, SACK_BLOCKS_MAX } from './segment.js';
import { seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from './sequence.js';

/** Ranges of text beyond a gap that are remembered. Text that would need one more is dropped and sent again. */
export const OUT_OF_ORDER_RANGES_MAX = 256;

/**
 * The sequence numbers received beyond `rcvNxt`: sorted ranges that do not touch, and which of them changed last, for
 * the SACK option (RFC 2018 section 4).
 */
export class OutOfOrderRanges {
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #count = 0;
  /** Starts of the ranges that changed last, latest first. */
  readonly #recent: number[] = [0, 0, 0, 0];
  #recentCount = 0;

  get count(): number {
    return this.#count;
  }

  start(index: number): number {
    return this.#starts[index]!;
  }

  end(index: number): number {
    return this.#ends[index]!;
  }

  /** Bytes in all ranges. */
  get byteCount(): number {
    let sum = 0;
    for (let i = 0; i < this.#count; i++) sum += (this.#ends[i]! - this.#starts[i]!) | 0;
    return sum;
  }

  /** Whether all of [start, end) is in one range. */
  contains(start: number, end: number): boolean {
    const index = this.#firstEndingAfter(start);
    return index < this.#count && seqLe(this.#starts[index]!, start) && seqGe(this.#ends[index]!, end);
  }

  /** Adds [start, end). False, and nothing is added, if there are too many ranges. */
  insert(start: number, end: number): boolean {
    // The ranges [from, to) touch the new one and become one with it.
    const from = this.#firstEndingAfter((start - 1) | 0);
    let to = from;
    let newStart = start;
    let newEnd = end;
    while (to < this.#count && seqLe(this.#starts[to]!, end)) {
      newStart = seqMin(newStart, this.#starts[to]!);
      newEnd = seqMax(newEnd, this.#ends[to]!);
      to++;
    }
    if (to === from) {
      if (this.#count === OUT_OF_ORDER_RANGES_MAX) return false;
      for (let i = this.#count; i > from; i--) this.#move(i - 1, i);
      this.#count++;
    } else {
      const dropped = to - from - 1;
      if (dropped > 0) {
        for (let i = to; i < this.#count; i++) this.#move(i, i - dropped);
        this.#count -= dropped;
      }
    }
    this.#starts[from] = newStart;
    this.#ends[from] = newEnd;
    this.#touch(newStart);
    return true;
  }

  /** Takes out the ranges that `rcvNxt` has reached and returns where it may move on to. */
  advance(rcvNxt: number): number {
    let next = rcvNxt;
    let taken = 0;
    while (taken < this.#count && seqLe(this.#starts[taken]!, next)) {
      next = seqMax(next, this.#ends[taken]!);
      taken++;
    }
    if (taken > 0) {
      for (let i = taken; i < this.#count; i++) this.#move(i, i - taken);
      this.#count -= taken;
    }
    return next;
  }

  /** Adds blocks to `seg`, the range that changed last first, up to `countMax` blocks in all. */
  addSackBlocks(seg: Segment, countMax: number): void {
    for (let i = 0; i < this.#recentCount && seg.sackCount < countMax; i++) {
      const index = this.#firstEndingAfter(this.#recent[i]!);
      if (index === this.#count || seqGt(this.#starts[index]!, this.#recent[i]!)) continue;
      this.#addBlock(seg, index);
    }
    for (let i = this.#count - 1; i >= 0 && seg.sackCount < countMax; i--) this.#addBlock(seg, i);
  }

  #addBlock(seg: Segment, index: number): void {
    const start = this.#starts[index]!;
    for (let i = 0; i < seg.sackCount; i++) {
      if (seg.sackStarts[i] === start && seg.sackEnds[i] === this.#ends[index]) return;
    }
    seg.addSack(start, this.#ends[index]!);
  }

  /** Notes that the range from `start` on changed last. */
  #touch(start: number): void {
    const recent = this.#recent;
    let at = 0;
    while (at < this.#recentCount && recent[at] !== start) at++;
    if (at === this.#recentCount) {
      if (at === SACK_BLOCKS_MAX) at--;
      else this.#recentCount++;
    }
    for (; at > 0; at--) recent[at] = recent[at - 1]!;
    recent[0] = start;
  }

  /** Index of the first range that ends after `seq`. Looks from the end, where text arrives. */
  #firstEndingAfter(seq: number): number {
    let index = this.#count;
    while (index > 0 && seqLt(seq, this.#ends[index - 1]!)) index--;
    return index;
  }

  #move(from: number, to: number): void {
    this.#starts[to] = this.#starts[from]!;
    this.#ends[to] = this.#ends[from]!;
  }
}

/** The ranges of all connections that have none. Only read. */
export const NO_RANGES = new OutOfOrderRanges();
