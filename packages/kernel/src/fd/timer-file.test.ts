import { EAGAIN, EINVAL, POLLIN } from '@tsv/abi';
import { TimerQueue, VirtualClock } from '@tsv/clock';
import { MemoryIo } from '@tsv/vfs';
import { files, room } from './testing/fake-caller.js';
import { TimerFile } from './timer-file.js';

const EPOCH_MS = 1_000_000;

function timerAt(startMs: number, isRealtime = false) {
  const clock = new VirtualClock(startMs, EPOCH_MS);
  const timers = new TimerQueue();
  const file = new TimerFile(files.createInode('[timerfd]'), clock, timers, isRealtime, 0);
  const advance = (ms: number) => {
    clock.advance(ms);
    timers.run(clock.monotonicMs());
  };
  const read = () => {
    const bytes = new Uint8Array(8);
    const n = file.read(new MemoryIo(bytes));
    return n < 0 ? n : Number(new DataView(bytes.buffer).getBigUint64(0, true));
  };
  return { file, timers, advance, read };
}

describe('TimerFile, timerfd_create(2)', () => {
  it('expires once', () => {
    const { file, advance, read } = timerAt(5);
    file.set(10, 0, false);
    expect([read(), file.remainingMs]).toEqual([-EAGAIN, 10]);
    advance(9.5);
    expect(file.readiness() & POLLIN).toBe(0);
    advance(0.5);
    expect([file.readiness() & POLLIN, read(), read(), file.remainingMs]).toEqual([POLLIN, 1, -EAGAIN, 0]);
  });

  it('counts the periods that passed', () => {
    const { file, advance, read } = timerAt(0);
    file.set(10, 3, false);
    advance(10 + 3 * 4 + 1);
    expect([read(), file.remainingMs, file.intervalMs]).toEqual([5, 2, 3]);
    advance(2);
    expect(read()).toBe(1);
  });

  it('takes absolute times of its clock', () => {
    const monotonic = timerAt(100);
    monotonic.file.set(110, 0, true);
    const realtime = timerAt(100, true);
    realtime.file.set(EPOCH_MS + 120, 0, true);
    expect([monotonic.file.remainingMs, realtime.file.remainingMs]).toEqual([10, 20]);
  });

  it('expires at once in the past', () => {
    const { file, read } = timerAt(1000);
    file.set(1, 0, true);
    expect(read()).toBe(1);
  });

  it('fires once until it is read, however short the interval', () => {
    const { file, timers, advance, read } = timerAt(0);
    file.set(1e-6, 1e-6, false);
    advance(1);
    expect(timers.count).toBe(0);
    expect([read() > 999_000, timers.count]).toEqual([true, 1]);
  });

  it('is disarmed by 0 and forgets what was not read', () => {
    const { file, timers, advance, read } = timerAt(0);
    file.set(1, 1, false);
    advance(5);
    file.set(0, 7, false);
    expect([read(), file.intervalMs, timers.count]).toEqual([-EAGAIN, 0, 0]);
  });

  it('leaves no timer behind when closed', () => {
    const { file, timers } = timerAt(0);
    file.set(1, 1, false);
    file.decRef();
    expect(timers.count).toBe(0);
  });

  it('refuses short buffers: EINVAL', () => {
    expect(timerAt(0).file.read(room(7))).toBe(-EINVAL);
  });
});
