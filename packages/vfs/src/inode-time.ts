import type { Clock } from '@tsv/clock';
import type { TimeValue } from './inode.js';

/** Sets `time` to the clock's real time. */
export function stampTime(time: TimeValue, clock: Clock): void {
  const nowMs = clock.realtimeMs();
  const sec = Math.floor(nowMs / 1000);
  time.sec = sec;
  time.nsec = Math.floor((nowMs - sec * 1000) * 1e6);
}

/** Sets `time` to `value`. */
export function setTime(time: TimeValue, value: TimeValue | 'now', clock: Clock): void {
  if (value === 'now') {
    stampTime(time, clock);
  } else {
    time.sec = value.sec;
    time.nsec = value.nsec;
  }
}
