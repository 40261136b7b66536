import { UnimplementedSyscalls } from './unimplemented-syscalls.js';

describe('UnimplementedSyscalls', () => {
  it('counts by number and names the program that came first', () => {
    const calls = new UnimplementedSyscalls();
    calls.record(321, 'b');
    calls.record(29, 'a');
    calls.record(29, 'c');
    expect(calls.rows).toEqual([
      { nr: 29, comm: 'a', count: 2 },
      { nr: 321, comm: 'b', count: 1 },
    ]);
  });

  it('tells the first use of each', () => {
    const calls = new UnimplementedSyscalls();
    const told: string[] = [];
    calls.onFirst = (nr, comm) => told.push(`${comm} ${nr}`);
    calls.record(29, 'a');
    calls.record(29, 'b');
    expect(told).toEqual(['a 29']);
  });

  it('keeps no number that no Linux has, so that a guest cannot fill the memory', () => {
    const calls = new UnimplementedSyscalls();
    for (const nr of [1024, 0xffff_ffff]) calls.record(nr, 'x');
    expect(calls.rows).toEqual([]);
  });
});
