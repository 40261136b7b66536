import type { MemoryFile } from '@tsv/platform';
import { IdleTrim, TRIM_AFTER_MS } from './idle-trim.js';

describe('IdleTrim', () => {
  let trimCount: number;
  let idle: IdleTrim;
  beforeEach(() => {
    trimCount = 0;
    idle = new IdleTrim({ trim: () => trimCount++ } as unknown as MemoryFile);
  });

  it('trims once when guests have done nothing for TRIM_AFTER_MS', () => {
    expect(idle.beforeSleep(5, 100)).toBe(TRIM_AFTER_MS);
    expect(idle.beforeSleep(5, 99 + TRIM_AFTER_MS)).toBe(1);
    expect([idle.beforeSleep(5, 100 + TRIM_AFTER_MS), trimCount]).toEqual([Infinity, 1]);
    expect([idle.beforeSleep(5, 1e6), trimCount]).toEqual([Infinity, 1]);
  });

  it('begins anew when they do something', () => {
    idle.beforeSleep(5, 0);
    expect(idle.beforeSleep(6, TRIM_AFTER_MS)).toBe(TRIM_AFTER_MS);
    expect([idle.beforeSleep(6, 2 * TRIM_AFTER_MS), trimCount]).toEqual([Infinity, 1]);
    expect(idle.beforeSleep(7, 5 * TRIM_AFTER_MS)).toBe(TRIM_AFTER_MS);
  });
});
