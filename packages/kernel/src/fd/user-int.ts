import type { Caller } from '@tsv/vfs';

const bytes = new Uint8Array(8);
const view = new DataView(bytes.buffer);

/** Stores an `int` in the caller's memory. Returns 0. Errors: EFAULT. */
export function putInt(caller: Caller, addr: number, value: number): number {
  view.setInt32(0, value, true);
  return caller.memory.copyOut(addr, bytes, 0, 4);
}

/** Loads an `int` from the caller's memory; NaN where it cannot be read (EFAULT). */
export function getInt(caller: Caller, addr: number): number {
  return caller.memory.copyIn(bytes, 0, addr, 4) === 0 ? view.getInt32(0, true) : NaN;
}
