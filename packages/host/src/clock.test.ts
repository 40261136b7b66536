import { EINVAL } from '@tsv/abi';
import {
  TSC_HIGH,
  TSC_LOW,
  TSC_NSEC,
  TSC_SAMPLE_COUNT,
  TSC_SEC,
  clockGettime,
  clockMs,
  hasInvariantTsc,
  rdtsc,
  sampleTsc,
} from './clock.js';

const CLOCK_REALTIME = 0;
const CLOCK_MONOTONIC = 1;

describe('clocks', () => {
  it('tell the time', () => {
    expect(Math.abs(clockMs(CLOCK_REALTIME) - Date.now())).toBeLessThan(100);
    const first = clockMs(CLOCK_MONOTONIC);
    expect(clockMs(CLOCK_MONOTONIC)).toBeGreaterThan(first);
  });

  it('tell nanoseconds', () => {
    const time = new Float64Array(2);
    expect(clockGettime(CLOCK_MONOTONIC, time)).toBe(0);
    expect(Math.abs(time[0]! * 1e3 + time[1]! / 1e6 - clockMs(CLOCK_MONOTONIC))).toBeLessThan(100);
    expect(clockGettime(CLOCK_MONOTONIC, new Float64Array(1))).toBe(-EINVAL);
  });

  it.each([-1, 8, 11])('are not number %d', (clock) => {
    expect([clockMs(clock), clockGettime(clock, new Float64Array(2))]).toEqual([NaN, -EINVAL]);
  });
});

describe('the time stamp counter', () => {
  it('has a frequency that two samples tell', () => {
    const hertz = (a: Float64Array, b: Float64Array) => {
      const ticks = (b[TSC_HIGH]! - a[TSC_HIGH]!) * 2 ** 32 + (b[TSC_LOW]! - a[TSC_LOW]!);
      return ticks / (b[TSC_SEC]! - a[TSC_SEC]! + (b[TSC_NSEC]! - a[TSC_NSEC]!) / 1e9);
    };
    const samples = [0, 1, 2].map(() => {
      const sample = new Float64Array(TSC_SAMPLE_COUNT);
      expect(sampleTsc(sample)).toBeGreaterThan(0);
      const end = clockMs(CLOCK_MONOTONIC) + 20;
      while (clockMs(CLOCK_MONOTONIC) < end);
      return sample;
    });
    const [first, second] = [hertz(samples[0]!, samples[1]!), hertz(samples[1]!, samples[2]!)];
    expect(first).toBeGreaterThan(1e8);
    expect(Math.abs(first / second - 1)).toBeLessThan(0.05);
    expect(sampleTsc(new Float64Array(3))).toBe(-EINVAL);
  });

  it('goes up', () => {
    const first = rdtsc();
    expect(rdtsc()).toBeGreaterThanOrEqual(first);
    expect(typeof hasInvariantTsc()).toBe('boolean');
  });
});
