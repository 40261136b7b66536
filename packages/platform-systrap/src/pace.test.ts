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

interface Looks {
  readonly lookedUs: number;
  readonly comesNear: boolean;
}

describe('Pace', () => {
  it('is near at first, and has all of its account when it goes far', () => {
    pace.begin(1000);
    expect([pace.isNear, pace.isNew, retriesAt(1019), retriesAt(1020)]).toEqual([true, true, false, true]);
    pace.goFar(1020);
    expect([pace.isNear, lossToNearUs()]).toEqual([false, 20_100]);
    pace.comeNear(1030);
    expect([pace.isNear, pace.isNew]).toEqual([true, false]);
  });

  it('comes near when twenty milliseconds were lost that spinning has not saved', () => {
    expect(lossToNearUs()).toBe(20_100);
    for (let i = 0; i < 4000; i++) pace.found();
    expect(lossToNearUs()).toBe(10_000);
  });

  it.each`
    lookedUs | comesNear
    ${4}     | ${false}
    ${6}     | ${true}
  `(
    'in a crowd, comes near when looking takes longer than it saves: $lookedUs us',
    ({ lookedUs, comesNear }: Looks) => {
      let isNear = false;
      for (let i = 0; i < 25_000; i++) isNear ||= pace.foundInCrowd(lookedUs);
      expect(isNear).toBe(comesNear);
    },
  );

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
      expect(lossToNearUs()).toBe(1100);
    }
    expect(waits).toEqual([5, 10, 20, 40, 40, 40, 40, 40]);
    pace.comeNear(nowMs + 200);
    expect([retriesAt(nowMs + 204), retriesAt(nowMs + 205)]).toEqual([false, true]);
  });
});
