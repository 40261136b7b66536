import { seqAdd, seqDiff, seqGe, seqGt, seqLe, seqLt, seqMax, seqMin } from './sequence.js';

describe('sequence arithmetic, RFC 9293 section 3.4', () => {
  it.each`
    a              | b             | diff
    ${5}           | ${5}          | ${0}
    ${6}           | ${5}          | ${1}
    ${0x7fffffff}  | ${0}          | ${0x7fffffff}
    ${-0x80000000} | ${0x7fffffff} | ${1}
    ${0}           | ${-1}         | ${1}
    ${-5}          | ${5}          | ${-10}
  `('$a is $diff ahead of $b', ({ a, b, diff }: { a: number; b: number; diff: number }) => {
    expect(seqDiff(a, b)).toBe(diff);
    expect(seqAdd(b, diff)).toBe(a);
    expect([seqLt(a, b), seqLe(a, b), seqGt(a, b), seqGe(a, b)]).toEqual([diff < 0, diff <= 0, diff > 0, diff >= 0]);
    expect(seqMax(a, b)).toBe(diff > 0 ? a : b);
    expect(seqMin(a, b)).toBe(diff < 0 ? a : b);
  });
});
