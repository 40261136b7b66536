import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { runTsv } from './testing/run-tsv.js';

jest.setTimeout(60_000);

let dir: string;
let fds: number[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-host-fifo-'));
  mkdirSync(join(dir, 'data'));
  execFileSync(
    'mkfifo',
    ['in', 'out'].map((name) => join(dir, 'data', name)),
  );
  // Both ends at once: neither side waits for the other, and nothing is lost.
  fds = ['in', 'out'].map((name) => openSync(join(dir, 'data', name), constants.O_RDWR | constants.O_NONBLOCK));
});
afterEach(() => {
  for (const fd of fds) closeSync(fd);
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a shell that has the FIFOs in /data. */
async function run(options: readonly string[], script: string): Promise<string> {
  const mounts = [{ destination: '/data', type: 'bind', source: join(dir, 'data'), options: ['bind'] }];
  const bundle = busyboxBundle(join(dir, 'bundle'), ['sh', '-c', script], { mounts });
  const { status, stdout, stderr } = await runTsv([
    ...['--root', join(dir, 'state'), ...options, 'run', '--bundle', bundle, 'fifo'],
  ]);
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

describe('--host-fifo', () => {
  it('open: a FIFO that is mounted from the host joins it and the guest', async () => {
    writeSync(fds[0]!, 'hello\n');
    await run(['--host-fifo', 'open'], 'read line < /data/in; echo "got $line" > /data/out');
    const bytes = Buffer.alloc(64);
    expect(bytes.toString('latin1', 0, readSync(fds[1]!, bytes))).toBe('got hello\n');
  });

  it('none: it joins guests only', async () => {
    expect(await run([], 'echo inside > /data/out & cat /data/out')).toBe('inside\n');
    expect(() => readSync(fds[1]!, Buffer.alloc(64))).toThrow('EAGAIN');
  });
});
