import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TSV } from './testing/run-tsv.js';

jest.setTimeout(60_000);

const PROBE = pathToFileURL(join(__dirname, '../../../tools/bench/timer-probe.mjs')).href;
const TIMEOUT_MS = 30_000;
/** What is measured on a machine of its own is 1 ms; here others may hold the processors for some slices of the scheduler. */
const LATE_MS_MAX = 50;

/** How late timers of the sentry were, in the median, while a guest called read and write all the time. */
function medianLateMs(platform: string): Promise<number> {
  // Longer than the sandbox's start, which the probe leaves out.
  const guest = ['timeout', '2', 'dd', 'if=/dev/zero', 'of=/dev/null', 'bs=1'];
  const args = ['--import', PROBE, TSV, '--platform', platform, 'do', '--', ...guest];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: TIMEOUT_MS });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', () => {
      const figures = /^\{.*\}$/m.exec(stderr)?.[0];
      if (figures === undefined) reject(new Error(`The probe said nothing: ${stderr}`));
      else resolve((JSON.parse(figures) as { late: { median: number } }).late.median);
    });
  });
}

describe('a guest that makes system calls without a pause', () => {
  it.each(['systrap', 'ptrace'])('does not keep timers of the sentry waiting, with %s', async (platform) => {
    expect(await medianLateMs(platform)).toBeLessThan(LATE_MS_MAX);
  });
});
