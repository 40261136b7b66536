const WARM_UP_CALLS = 30_000;
const CALLS = 20_000;
const ROUNDS_MAX = 100;

/**
 * Bytes of heap that each run of `call` leaves behind, if no collection comes between: the least of several rounds, and
 * of many where that is not below `enough`, since the compiler may take its time on a busy machine.
 */
export function bytesPerCall(call: () => void, enough = 1): number {
  for (let i = 0; i < WARM_UP_CALLS; i++) call();
  let least = Infinity;
  for (let round = 0; round < ROUNDS_MAX && least >= enough; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < CALLS; i++) call();
    const bytes = (process.memoryUsage().heapUsed - before) / CALLS;
    if (bytes >= 0 && bytes < least) least = bytes;
  }
  return least;
}
