import { Bell } from './bell.js';

/** Rings as the stub does: leaf, middle, root. */
function ring(page: ArrayBuffer, index: number): void {
  const words = new Uint32Array(page);
  const set = (at: number, bit: number): void => {
    words[at + (bit >>> 5)]! |= 1 << (bit & 31);
  };
  set(1024 / 4, index);
  set(192 / 4, index >>> 5);
  set(0, index >>> 10);
}

function collected(bell: Bell): number[] {
  const seen: number[] = [];
  bell.collect({ add: (index) => seen.push(index) });
  return seen;
}

describe('Bell.collect', () => {
  it.each([[[0]], [[31, 32]], [[1023, 1024, 16383]], [[5, 5, 7000]]])('tells each of %j once', (indices) => {
    const page = new ArrayBuffer(4096);
    const bell = new Bell(page);
    for (const index of indices) ring(page, index);
    expect(bell.isRung).toBe(true);
    expect(collected(bell)).toEqual([...new Set(indices)]);
    expect([bell.isRung, collected(bell)]).toEqual([false, []]);
  });

  it('tells of a death, and of no context beyond the last, whatever is written', () => {
    const page = new ArrayBuffer(4096);
    new Uint32Array(page).fill(0xffff_ffff);
    const bell = new Bell(page);
    const seen: number[] = [];
    expect(bell.collect({ add: (index) => seen.push(index) })).toBe(true);
    expect([seen.length, Math.min(...seen), Math.max(...seen)]).toEqual([16384, 0, 16383]);
    expect(bell.isRung).toBe(false);
  });
});
