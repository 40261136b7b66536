// Preloaded into a sandbox's process: has a timer go off each millisecond, and says on standard error how late it was when the
// process ends, as JSON: `late` in all, `ours` without the time in which the thread waited for a processor of the host's
// (the second number of /proc/PID/schedstat). The sandbox's own start, which compiles and loads, is left out.
import { openSync, readSync, writeSync } from 'node:fs';

const PERIOD_MS = 1;
const START_MS = 1000;

const schedstat = openSync(`/proc/self/task/${process.pid}/schedstat`, 'r');
const text = Buffer.alloc(128);
const late = [];
const ours = [];
let dueMs = performance.now() + PERIOD_MS;
let waitedMs = hostWaitMs();

setInterval(() => {
  const nowMs = performance.now();
  const waitMs = hostWaitMs();
  if (nowMs >= START_MS) {
    late.push(nowMs - dueMs);
    ours.push(Math.max(0, nowMs - dueMs - (waitMs - waitedMs)));
  }
  dueMs = nowMs + PERIOD_MS;
  waitedMs = waitMs;
}, PERIOD_MS).unref();

process.on('exit', () => writeSync(2, `${JSON.stringify({ late: summary(late), ours: summary(ours) })}\n`));

/** How long the thread was ready to run and did not. */
function hostWaitMs() {
  const length = readSync(schedstat, text, 0, text.length, 0);
  return Number(text.latin1Slice(0, length).split(' ')[1]) / 1e6;
}

function summary(values) {
  values.sort((a, b) => a - b);
  const at = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))];
  return { count: values.length, median: at(0.5), p99: at(0.99), max: at(1) };
}
