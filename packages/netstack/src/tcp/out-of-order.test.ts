import fc from 'fast-check';
import { OUT_OF_ORDER_RANGES_MAX, OutOfOrderRanges } from './out-of-order.js';
import { Segment } from './segment.js';

function rangesOf(ranges: OutOfOrderRanges): [number, number][] {
  return Array.from({ length: ranges.count }, (_, i) => [ranges.start(i), ranges.end(i)]);
}

function sacksOf(ranges: OutOfOrderRanges, countMax = 4): [number, number][] {
  const seg = new Segment();
  ranges.addSackBlocks(seg, countMax);
  return Array.from({ length: seg.sackCount }, (_, i) => [seg.sackStarts[i]!, seg.sackEnds[i]!]);
}

describe('OutOfOrderRanges', () => {
  it.each`
    what                   | inserted                                    | expected
    ${'apart'}             | ${[[10, 20], [30, 40]]}                     | ${[[10, 20], [30, 40]]}
    ${'in front'}          | ${[[30, 40], [10, 20]]}                     | ${[[10, 20], [30, 40]]}
    ${'touching behind'}   | ${[[10, 20], [20, 30]]}                     | ${[[10, 30]]}
    ${'touching in front'} | ${[[20, 30], [10, 20]]}                     | ${[[10, 30]]}
    ${'over several'}      | ${[[10, 20], [30, 40], [50, 60], [15, 55]]} | ${[[10, 60]]}
    ${'inside'}            | ${[[10, 40], [20, 30]]}                     | ${[[10, 40]]}
    ${'across the wrap'}   | ${[[-5, 5], [5, 9]]}                        | ${[[-5, 9]]}
  `('$what', ({ inserted, expected }: { inserted: [number, number][]; expected: [number, number][] }) => {
    const ranges = new OutOfOrderRanges();
    for (const [start, end] of inserted) expect(ranges.insert(start, end)).toBe(true);
    expect(rangesOf(ranges)).toEqual(expected);
  });

  it('is a set of numbers, in any order of arrival', () => {
    const range = fc.tuple(fc.nat(200), fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 60 }), fc.nat(250), (pairs, rcvNxt) => {
        const ranges = new OutOfOrderRanges();
        const model = new Set<number>();
        for (const [start, len] of pairs) {
          ranges.insert(start, start + len);
          for (let i = 0; i < len; i++) model.add(start + i);
        }
        expect(ranges.byteCount).toBe(model.size);
        for (const [start, end] of rangesOf(ranges)) {
          expect(model.has(start - 1) || model.has(end)).toBe(false);
          expect(ranges.contains(start, end)).toBe(true);
          expect(ranges.contains(start, end + 1)).toBe(false);
        }
        let next = rcvNxt;
        for (const [start, end] of rangesOf(ranges)) if (start <= next) next = Math.max(next, end);
        expect(ranges.advance(rcvNxt)).toBe(next);
        expect(rangesOf(ranges).every(([start]) => start > next)).toBe(true);
      }),
      { seed: 2018 },
    );
  });

  it('is bounded: one range more than the limit is refused, one that joins is not', () => {
    const ranges = new OutOfOrderRanges();
    for (let i = 0; i < OUT_OF_ORDER_RANGES_MAX; i++) expect(ranges.insert(i * 10, i * 10 + 5)).toBe(true);
    expect(ranges.insert(-100, -90)).toBe(false);
    expect(ranges.insert(5, 10)).toBe(true);
    expect(ranges.insert(-100, -90)).toBe(true);
    expect(ranges.insert(-200, -190)).toBe(false);
  });

  it('RFC 2018 section 4: the first block is the one that changed last', () => {
    const ranges = new OutOfOrderRanges();
    for (const start of [100, 200, 300, 400, 500]) ranges.insert(start, start + 10);
    expect(sacksOf(ranges)).toEqual([
      [500, 510],
      [400, 410],
      [300, 310],
      [200, 210],
    ]);
    ranges.insert(210, 220);
    expect(sacksOf(ranges, 3)).toEqual([
      [200, 220],
      [500, 510],
      [400, 410],
    ]);
  });
});
