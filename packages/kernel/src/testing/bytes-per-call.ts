const WARM_UP_CALLS = 30_000;
const CALLS = 20_000;

/** Bytes of heap that each run of `call` leaves behind, if no collection comes between. */
export function bytesPerCall(call: () => void): number {
  for (let i = 0; i < WARM_UP_CALLS; i++) call();
  let least = Infinity;
  for (let round = 0; round < 10; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call();
    const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
    if (bytes >= 0 && bytes < least) least = bytes;
  }
  return least;
}
