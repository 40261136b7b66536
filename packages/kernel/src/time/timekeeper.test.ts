import { loadU64 } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { chunkAt } from '@tsv/platform';
import {
  PARAM_BASE_TSC,
  PARAM_IS_READY,
  PARAM_MONOTONIC_NSEC,
  PARAM_MONOTONIC_SEC,
  PARAM_MULT,
  PARAM_REALTIME_NSEC,
  PARAM_REALTIME_SEC,
  PARAM_SEQUENCE,
  PARAM_VALID_TICKS,
} from '../mm/vdso-image.generated.js';
import { createVdso, type Vdso } from '../mm/vdso.js';
import { HeapMemoryFile } from '../testing/heap-memory-file.js';
import { Timekeeper } from './timekeeper.js';

const EPOCH_MS = 1_700_000_000_000;
const TICKS_PER_MS = 2_600_000;

let clock: VirtualClock;
let ticksPerMs: number;
let tsc: number;
let memory: HeapMemoryFile;
let vdso: Vdso;
let timekeeper: Timekeeper;

const advance = (ms: number) => {
  clock.advance(ms);
  tsc += ms * ticksPerMs;
};
const param = (offset: number) => loadU64(memory.views[0]!, chunkAt(vdso.paramPfn) + offset);
const isReady = () => memory.views[0]!.getUint32(chunkAt(vdso.paramPfn) + PARAM_IS_READY, true);

/** What the vDSO would say, in milliseconds, or null when it would ask. */
const guestMs = (secAt: number, nsecAt: number): number | null => {
  const ticks = Math.max(0, tsc - param(PARAM_BASE_TSC));
  if (isReady() === 0 || ticks > param(PARAM_VALID_TICKS)) return null;
  return param(secAt) * 1000 + (param(nsecAt) + (ticks * param(PARAM_MULT)) / 2 ** 32) / 1e6;
};
const monotonic = () => guestMs(PARAM_MONOTONIC_SEC, PARAM_MONOTONIC_NSEC);

beforeEach(() => {
  clock = new VirtualClock(5_000_123.25, EPOCH_MS);
  ticksPerMs = TICKS_PER_MS;
  tsc = 7e15;
  memory = new HeapMemoryFile(16);
  const created = createVdso(memory);
  if (typeof created === 'number') throw new Error('no memory');
  vdso = created;
  timekeeper = new Timekeeper(memory, vdso, clock, { readTsc: () => tsc });
});

describe('Timekeeper', () => {
  it('has guests ask until the counter is measured', () => {
    timekeeper.refresh();
    advance(19);
    timekeeper.refresh();
    expect(monotonic()).toBeNull();
    advance(1);
    timekeeper.refresh();
    expect(monotonic()).toBeCloseTo(clock.monotonicMs(), 5);
    expect(guestMs(PARAM_REALTIME_SEC, PARAM_REALTIME_NSEC)).toBeCloseTo(clock.realtimeMs(), 3);
  });
  it('has guests ask when parameters are old, longer the better it knows', () => {
    advance(20);
    timekeeper.refresh();
    advance(79);
    expect(monotonic()).toBeCloseTo(clock.monotonicMs(), 4);
    advance(2);
    expect(monotonic()).toBeNull();
    timekeeper.refresh();
    advance(400);
    expect(monotonic()).toBeCloseTo(clock.monotonicMs(), 4);
  });
  it('never goes back when the clock turns out to be slower, and comes right again', () => {
    advance(20);
    timekeeper.refresh();
    for (let i = 0; i < 50; i++) {
      advance(900);
      timekeeper.refresh();
    }
    ticksPerMs = TICKS_PER_MS * 1.0005;
    let lastMs = 0;
    for (let i = 0; i < 4000; i++) {
      advance(10);
      timekeeper.refresh();
      const ms = monotonic()!;
      expect(ms).toBeGreaterThan(lastMs);
      lastMs = ms;
    }
    expect(Math.abs(lastMs - clock.monotonicMs())).toBeLessThan(0.001);
  });
  it('starts over when the counter went back', () => {
    advance(20);
    timekeeper.refresh();
    advance(500);
    tsc = 1000;
    timekeeper.refresh();
    expect(monotonic()).toBeNull();
    advance(20);
    timekeeper.refresh();
    expect(monotonic()).toBeCloseTo(clock.monotonicMs(), 4);
  });
  it('leaves the sequence even', () => {
    advance(20);
    timekeeper.refresh();
    const sequence = memory.views[0]!.getUint32(chunkAt(vdso.paramPfn) + PARAM_SEQUENCE, true);
    expect([sequence > 0, sequence % 2]).toEqual([true, 0]);
  });
});
