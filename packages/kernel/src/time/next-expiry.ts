/** A period is not begun more often than this: a guest's timer must not keep the kernel from everything else. */
const PERIOD_MS_MIN = 0.05;

/** When a timer with period `intervalMs` that expired at `lastMs` expires next, after `nowMs`. */
export function nextExpiry(lastMs: number, intervalMs: number, nowMs: number): number {
  const earliest = nowMs + PERIOD_MS_MIN;
  const next = lastMs + intervalMs;
  if (next >= earliest) return next;
  return lastMs + Math.ceil((earliest - lastMs) / intervalMs) * intervalMs;
}
