/** A set of signals 1 to 64, as two unsigned halves: `low` has signals 1 to 32. Mutable; copied by value. */
export class SigSet {
  low = 0;
  high = 0;

  has(signo: number): boolean {
    return signo <= 32 ? ((this.low >>> (signo - 1)) & 1) !== 0 : ((this.high >>> (signo - 33)) & 1) !== 0;
  }

  add(signo: number): void {
    if (signo <= 32) this.low = (this.low | (1 << (signo - 1))) >>> 0;
    else this.high = (this.high | (1 << (signo - 33))) >>> 0;
  }

  remove(signo: number): void {
    if (signo <= 32) this.low = (this.low & ~(1 << (signo - 1))) >>> 0;
    else this.high = (this.high & ~(1 << (signo - 33))) >>> 0;
  }

  set(low: number, high: number): void {
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  copyFrom(other: SigSet): void {
    this.low = other.low;
    this.high = other.high;
  }

  get isEmpty(): boolean {
    return this.low === 0 && this.high === 0;
  }
}

/** The half of a {@link SigSet} with signals 1 to 32 that holds `signals`. */
export function lowSignals(...signals: readonly number[]): number {
  let low = 0;
  for (const signo of signals) low |= 1 << (signo - 1);
  return low >>> 0;
}

/** Lowest signal in the two halves, 0 when there is none. */
export function firstSignal(low: number, high: number): number {
  if (low !== 0) return 32 - Math.clz32(low & -low);
  if (high !== 0) return 64 - Math.clz32(high & -high);
  return 0;
}
