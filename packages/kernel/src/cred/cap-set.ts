import { CAP_LAST_CAP } from '@tsv/abi';

/** The capabilities of the upper half that exist. */
const ALL_HIGH = (1 << (CAP_LAST_CAP - 31)) - 1;

/** A set of capabilities, capabilities(7): two unsigned halves, immutable. */
export class CapSet {
  readonly low: number;
  readonly high: number;

  constructor(low: number, high: number) {
    this.low = low >>> 0;
    this.high = (high & ALL_HIGH) >>> 0;
  }

  static readonly EMPTY = new CapSet(0, 0);
  /** Every capability that exists. */
  static readonly FULL = new CapSet(0xffffffff, 0xffffffff);

  /** The set of the listed capabilities. */
  static of(caps: Iterable<number>): CapSet {
    let low = 0;
    let high = 0;
    for (const cap of caps) {
      if (cap < 32) low |= 1 << cap;
      else high |= 1 << (cap - 32);
    }
    return new CapSet(low, high);
  }

  has(cap: number): boolean {
    return cap < 32 ? ((this.low >>> cap) & 1) !== 0 : ((this.high >>> (cap - 32)) & 1) !== 0;
  }

  get isEmpty(): boolean {
    return this.low === 0 && this.high === 0;
  }

  equals(other: CapSet): boolean {
    return this.low === other.low && this.high === other.high;
  }

  isSubsetOf(other: CapSet): boolean {
    return (this.low & ~other.low) === 0 && (this.high & ~other.high) === 0;
  }

  and(other: CapSet): CapSet {
    return new CapSet(this.low & other.low, this.high & other.high);
  }

  or(other: CapSet): CapSet {
    return new CapSet(this.low | other.low, this.high | other.high);
  }

  without(other: CapSet): CapSet {
    return new CapSet(this.low & ~other.low, this.high & ~other.high);
  }

  withCap(cap: number): CapSet {
    return this.or(CapSet.of([cap]));
  }

  withoutCap(cap: number): CapSet {
    return this.without(CapSet.of([cap]));
  }
}
