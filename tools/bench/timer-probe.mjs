// Preloaded into a sandbox's process: has a timer go off each millisecond, and says on standard error how late it was when the
// process ends, as JSON.
import { writeSync } from 'node:fs';

const PERIOD_MS = 1;
const lateMs = [];
let dueMs = performance.now() + PERIOD_MS;
setInterval(() => {
  const nowMs = performance.now();
  lateMs.push(nowMs - dueMs);
  dueMs = nowMs + PERIOD_MS;
}, PERIOD_MS).unref();

process.on('exit', () => {
  lateMs.sort((a, b) => a - b);
  const at = (share) => lateMs[Math.min(lateMs.length - 1, Math.floor(share * lateMs.length))];
  writeSync(2, `${JSON.stringify({ count: lateMs.length, median: at(0.5), p99: at(0.99), max: at(1) })}\n`);
});
