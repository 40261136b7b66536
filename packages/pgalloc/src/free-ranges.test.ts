import { CHUNK_PAGES } from '@tsv/platform';
import fc from 'fast-check';
import { FreeRanges, FreeState } from './free-ranges.js';

/** A file of one chunk, all of whose pages are taken. */
function taken(): FreeRanges {
  const ranges = new FreeRanges();
  ranges.addChunk();
  ranges.carve(0, 0, CHUNK_PAGES);
  ranges.words[0]!.fill(1);
  return ranges;
}

function give(ranges: FreeRanges, pfn: number, pageCount: number, state: FreeState): void {
  ranges.words[0]!.fill(0, pfn, pfn + pageCount);
  ranges.insert(pfn, pageCount, state);
}

describe('FreeRanges.insert', () => {
  it.each`
    order                          | start | pageCount
    ${[[10, 5], [15, 5], [20, 5]]} | ${10} | ${15}
    ${[[20, 5], [15, 5], [10, 5]]} | ${10} | ${15}
    ${[[10, 5], [20, 5], [15, 5]]} | ${10} | ${15}
    ${[[10, 1], [12, 1], [11, 1]]} | ${10} | ${3}
    ${[[0, 1], [1, 1]]}            | ${0}  | ${2}
  `('joins $order', ({ order, start, pageCount }: { order: [number, number][]; start: number; pageCount: number }) => {
    const ranges = taken();
    for (const [pfn, count] of order) give(ranges, pfn, count, FreeState.DIRTY);
    expect([ranges.findAny(FreeState.DIRTY), ranges.countOf(start)]).toEqual([start, pageCount]);
  });

  it('keeps clean and dirty pages apart', () => {
    const ranges = taken();
    give(ranges, 10, 5, FreeState.DIRTY);
    give(ranges, 15, 5, FreeState.CLEAN);
    expect([ranges.countOf(10), ranges.countOf(15)]).toEqual([5, 5]);
    expect([...ranges.pageCounts]).toEqual([5, 5, 0]);
  });
});

describe('FreeRanges.find', () => {
  it('takes the smallest class that fits', () => {
    const ranges = taken();
    give(ranges, 1000, 500, FreeState.CLEAN);
    give(ranges, 100, 20, FreeState.CLEAN);
    give(ranges, 200, 60, FreeState.CLEAN);
    expect([
      ranges.find(12, FreeState.CLEAN),
      ranges.find(40, FreeState.CLEAN),
      ranges.find(200, FreeState.CLEAN),
    ]).toEqual([100, 200, 1000]);
  });

  it('finds a range of its own class', () => {
    const ranges = taken();
    give(ranges, 100, 39, FreeState.CLEAN);
    expect([ranges.find(39, FreeState.CLEAN), ranges.find(40, FreeState.CLEAN)]).toEqual([100, -1]);
  });

  it('finds a whole chunk, and any part of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: CHUNK_PAGES }), (pageCount) => {
        const ranges = new FreeRanges();
        ranges.addChunk();
        expect(ranges.find(pageCount, FreeState.CLEAN)).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});

describe('FreeRanges.findAt', () => {
  it.each`
    pfn    | pageCount | start
    ${100} | ${20}     | ${100}
    ${100} | ${21}     | ${-1}
    ${110} | ${10}     | ${100}
    ${110} | ${5}      | ${-1}
    ${99}  | ${21}     | ${-1}
    ${500} | ${1}      | ${-1}
  `('$pageCount pages at $pfn of 100..119: $start', ({ pfn, pageCount, start }: Record<string, number>) => {
    const ranges = taken();
    give(ranges, 100, 20, FreeState.CLEAN);
    expect(ranges.findAt(pfn!, pageCount!)).toBe(start);
  });
});
