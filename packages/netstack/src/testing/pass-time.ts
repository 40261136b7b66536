import type { VirtualClock } from '@tsv/clock';
import type { Stack } from '../stack.js';

/** Lets virtual time pass, and each timer of the stack end at its time; returns what `take` gives before and after each. */
export function passTime<T>(stack: Stack, clock: VirtualClock, durationMs: number, take: () => T[]): T[] {
  const untilMs = clock.monotonicMs() + durationMs;
  const taken = take();
  for (let atMs = stack.pollAtMs(); atMs <= untilMs; atMs = stack.pollAtMs()) {
    clock.advance(Math.max(0, atMs - clock.monotonicMs()));
    stack.poll();
    taken.push(...take());
  }
  clock.advance(untilMs - clock.monotonicMs());
  return taken;
}
