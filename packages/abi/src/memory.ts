/**
 * Little-endian field access without BigInt. A struct is a size, field offsets and functions of `(mem, at)`.
 */

const TWO_32 = 0x1_0000_0000;

/** Signed 64-bit field. Exact to 2^53; beyond it rounds monotonically, so that a range check still rejects it. */
export function loadI64(mem: DataView, at: number): number {
  return mem.getInt32(at + 4, true) * TWO_32 + mem.getUint32(at, true);
}

/** Unsigned 64-bit field. Exact to 2^53; beyond it rounds monotonically. */
export function loadU64(mem: DataView, at: number): number {
  return mem.getUint32(at + 4, true) * TWO_32 + mem.getUint32(at, true);
}

/** Stores a signed or unsigned 64-bit field of magnitude up to 2^53. */
export function storeI64(mem: DataView, at: number, value: number): void {
  const low = value | 0;
  mem.setInt32(at, low, true);
  // Most values have 32 bits, and no division then.
  if (low === value) mem.setInt32(at + 4, low >> 31, true);
  else mem.setInt32(at + 4, Math.floor(value / TWO_32), true);
}
