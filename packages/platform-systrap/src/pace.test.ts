import { Pace, WAKE_US } from './pace.js';

let pace: Pace;
beforeEach(() => {
  pace = new Pace();
});

/** Microseconds, in steps of 100, that are lost before it is time to come near. */
function lossToNearUs(): number {
  for (let lostUs = 100; lostUs < 100_000; lostUs += 100) if (pace.missed(100)) return lostUs;
  throw new Error('it never comes near');
}

/** Whether spinning may be tried at `nowMs`. */
function retriesAt(nowMs: number): boolean {
  return pace.mayRetry(nowMs);
}

describe('Pace', () => {
  it('comes near when some milliseconds were lost, and after more when spinning went well', () => {
    expect(lossToNearUs()).toBe(5100);
    pace = new Pace();
    for (let i = 0; i < 100_000; i++) pace.found();
    expect(lossToNearUs()).toBe(20_100);
  });

  it('stays far when one call in thirty wakes a processor', () => {
    for (let i = 1; i < 100_000; i++) {
      if (i % 30 === 0) expect(pace.missed(WAKE_US)).toBe(false);
      else pace.found();
    }
  });

  it('tries again later and later while that is lost soon, and soon when spinning went well meanwhile', () => {
    let nowMs = 1000;
    const waits = [];
    for (let i = 0; i < 8; i++) {
      pace.comeNear(nowMs);
      let waitMs = 0;
      while (!retriesAt(nowMs + waitMs)) waitMs++;
      waits.push(waitMs);
      nowMs += waitMs;
      pace.goFar(nowMs);
      expect(lossToNearUs()).toBe(600);
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 160, 160, 160]);
    pace.comeNear(nowMs + 200);
    expect([retriesAt(nowMs + 209), retriesAt(nowMs + 210)]).toEqual([false, true]);
  });
});
