/**
 * Sequence number arithmetic, RFC 9293 section 3.4. Sequence numbers and timestamps are kept as signed 32-bit integers,
 * which V8 stores without allocation; on the wire they are unsigned.
 */

/** `seq` moved by `count`, modulo 2^32. */
export function seqAdd(seq: number, count: number): number {
  return (seq + count) | 0;
}

/** How far `a` is ahead of `b`, -2^31 to 2^31-1. */
export function seqDiff(a: number, b: number): number {
  return (a - b) | 0;
}

export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLe(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGe(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}

export function seqMax(a: number, b: number): number {
  return ((a - b) | 0) > 0 ? a : b;
}

export function seqMin(a: number, b: number): number {
  return ((a - b) | 0) < 0 ? a : b;
}
