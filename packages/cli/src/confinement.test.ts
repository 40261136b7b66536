import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(60_000);

/** A sentry whose guest runs. Kill it when done. */
function startSentry(platform: string): Promise<ChildProcess> {
  const args = [TSV, '--platform', platform, 'do', '--', 'sh', '-c', 'echo up; sleep 60'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.stdout.once('data', () => {
      resolve(child);
    });
    child.once('close', () => {
      reject(new Error('The sandbox ended early'));
    });
  });
}

const isRoot = process.getuid?.() === 0;

describe('a running sentry', () => {
  it.each(['ptrace', 'systrap'])('has no privileges, with %s', async (platform) => {
    const sentry = await startSentry(platform);
    try {
      for (const tid of readdirSync(`/proc/${sentry.pid!}/task`)) {
        const status = readFileSync(`/proc/${sentry.pid!}/task/${tid}/status`, 'utf8');
        expect(status).toMatch(/^CapEff:\t0{16}$/m);
        expect(status).toMatch(/^NoNewPrivs:\t1$/m);
        expect(status).toMatch(/^Seccomp:\t2$/m);
      }
      // Only root has a root directory of its own in the foreground.
      if (isRoot) expect(readdirSync(`/proc/${sentry.pid!}/root`)).toEqual([]);
    } finally {
      sentry.kill('SIGKILL');
    }
  });

  it('warns without seccomp', async () => {
    const { status, stderr } = await runTsv(['--disable-seccomp', 'do', '--', 'true']);
    expect([status, stderr]).toEqual([0, expect.stringContaining('without seccomp filters')]);
  });

  it('reports a failure after it was confined', async () => {
    const { status, stderr } = await runTsv(['do', '--', 'sh', '-c', 'exec /no/such/program']);
    expect([status, stderr]).toEqual([127, expect.stringContaining('not found')]);
  });
});
