import { loadI64, storeI64 } from './memory.js';

/**
 * `struct timespec`, timespec(3type), and `struct timeval`, timeval(3type), x86-64. Times are milliseconds with
 * fraction.
 */
export const SIZEOF_TIMESPEC = 16;
export const SIZEOF_TIMEVAL = 16;
export const SIZEOF_ITIMERSPEC = 32;
export const IT_INTERVAL = 0;
export const IT_VALUE = 16;

const SEC = 0;
const SUBSEC = 8;

/** Milliseconds of a `timespec`; NaN if a field is out of range. */
export function loadTimespecMs(mem: DataView, at: number): number {
  const sec = loadI64(mem, at + SEC);
  const nsec = loadI64(mem, at + SUBSEC);
  return sec < 0 || nsec < 0 || nsec >= 1e9 ? NaN : sec * 1e3 + nsec / 1e6;
}

/** Stores `ms`, 0 or more, as a `timespec`. */
export function storeTimespecMs(mem: DataView, at: number, ms: number): void {
  const sec = Math.floor(ms / 1e3);
  storeI64(mem, at + SEC, sec);
  storeI64(mem, at + SUBSEC, Math.min(999_999_999, Math.max(0, Math.round((ms - sec * 1e3) * 1e6))));
}

/** Stores `ms`, 0 or more, as a `timeval`. */
export function storeTimevalMs(mem: DataView, at: number, ms: number): void {
  const sec = Math.floor(ms / 1e3);
  storeI64(mem, at + SEC, sec);
  storeI64(mem, at + SUBSEC, Math.min(999_999, Math.max(0, Math.floor((ms - sec * 1e3) * 1e3))));
}
