import { Pace } from './pace.js';

let pace: Pace;
beforeEach(() => {
  pace = new Pace();
});

/** Misses until it is time to come near. */
function missesToNear(): number {
  for (let count = 1; count < 100; count++) if (pace.missed()) return count;
  throw new Error('it never comes near');
}

/** Whether spinning may be tried at `nowMs`. */
function retriesAt(nowMs: number): boolean {
  return pace.mayRetry(nowMs);
}

describe('Pace', () => {
  it('comes near after a few misses, and after more when spinning went well', () => {
    expect(missesToNear()).toBe(2);
    pace = new Pace();
    for (let i = 0; i < 100; i++) pace.found();
    expect(missesToNear()).toBe(4);
  });

  it('stays far when one call in twenty is a miss', () => {
    for (let i = 1; i < 1000; i++) {
      if (i % 20 === 0) expect(pace.missed()).toBe(false);
      else pace.found();
    }
  });

  it('tries again later and later while the first miss ends it, and soon when spinning went well meanwhile', () => {
    let nowMs = 1000;
    const waits = [];
    for (let i = 0; i < 8; i++) {
      pace.comeNear(nowMs);
      let waitMs = 0;
      while (!retriesAt(nowMs + waitMs)) waitMs++;
      waits.push(waitMs);
      nowMs += waitMs;
      pace.goFar(nowMs);
      expect(missesToNear()).toBe(1);
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 640]);
    pace.comeNear(nowMs + 200);
    expect([retriesAt(nowMs + 209), retriesAt(nowMs + 210)]).toEqual([false, true]);
  });
});
