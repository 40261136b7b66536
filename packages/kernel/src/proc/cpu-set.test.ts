import { cpuList, cpuMask, cpusOf } from './cpu-set.js';

describe('cpusOf', () => {
  it('takes no affinity for all that there are', () => {
    expect(cpusOf(new Uint8Array(0), 3)).toEqual([0, 1, 2]);
  });

  it('takes bits of CPUs that there are', () => {
    expect(cpusOf(new Uint8Array([0b1000_0010, 0b101]), 10)).toEqual([1, 7, 8]);
  });
});

describe('cpuList', () => {
  it.each([
    [[], ''],
    [[0], '0'],
    [[0, 1, 2, 5, 7, 8], '0-2,5,7-8'],
  ])('%j: %s', (cpus, text) => {
    expect(cpuList(cpus)).toBe(text);
  });
});

describe('cpuMask', () => {
  it.each([
    [[0, 1], 2, '3'],
    [[1], 12, '002'],
    [[0, 31, 32, 39], 40, '81,80000001'],
    [[], 64, '00000000,00000000'],
    [[63], 65, '0,80000000,00000000'],
  ])('%j of %d: %s', (cpus, cpuCount, text) => {
    expect(cpuMask(cpus, cpuCount)).toBe(text);
  });
});
