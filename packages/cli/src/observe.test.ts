import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-observe-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** A number that Linux has not given to any system call of x86-64. */
const MISSING = ['python3', '-c', 'import ctypes; [ctypes.CDLL(None).syscall(400) for _ in range(3)]'];

describe('--user-log', () => {
  it.each(['without a bundle', 'with a bundle'])('tells what programs miss, as JSON, %s', async (how) => {
    const log = join(dir, 'user.log');
    const options = ['--root', join(dir, 'root'), 'run', '--user-log', log];
    if (how === 'without a bundle') expect((await runTsv([...options, '--', ...MISSING])).status).toBe(0);
    else {
      mkdirSync(join(dir, 'bundle'));
      const root = { path: '/', readonly: true };
      const bundle = busyboxBundle(join(dir, 'bundle'), MISSING, { root, process: { env: ['PATH=/usr/bin:/bin'] } });
      expect(await runTsv([...options, '--bundle', bundle, 'a'])).toMatchObject({ status: 0 });
    }
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    const rows = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(rows[0]).toMatchObject({ level: 'warning', nr: 400, comm: 'python3' });
    expect(rows.at(-1)).toMatchObject({ level: 'info', counts: { [String(rows[0]!['syscall'])]: 3 } });
  });
});

describe('--panic-signal', () => {
  it('tells where everything is, and ends the sandbox', async () => {
    const argv = [TSV, '--panic-signal', 'USR2', 'run', '--', 'sh', '-c', 'echo ready; sleep 600'];
    const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const closed = new Promise((resolve) => child.once('close', resolve));
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGUSR2');
    expect(await closed).toBe(128);
    clearTimeout(timer);
    expect(stderr).toMatch(/Task \d+ of process 1 \((ba|da)?sh, /);
    expect(stderr).toContain('tsv: The sandbox ends: it was sent signal 12\n');
  });

  it('cannot be SIGKILL', async () => {
    const { status, stderr } = await runTsv(['--panic-signal', 'KILL', 'run', '--', 'true']);
    expect([status, stderr]).toEqual([128, 'tsv: Cannot use signal 9 for --panic-signal: it cannot be caught\n']);
  });
});

describe('--ref-leak-mode', () => {
  it('finds nothing after programs that fork, map, mount and leave children behind', async () => {
    const script = '(sleep 600 &); ls -l / | wc -l > /dev/null; mount -t tmpfs t /tmp; (cd /tmp; sleep 600) & exit 3';
    expect(await runTsv(['--ref-leak-mode', 'panic', 'run', '--', 'sh', '-c', script])).toMatchObject({
      status: 3,
      stderr: '',
    });
  });
});

describe('--coverage-report', () => {
  it("writes which of the sandbox's own code has run", async () => {
    const report = join(dir, 'coverage.json');
    expect((await runTsv(['--coverage-report', report, 'run', '--', 'true'])).status).toBe(0);
    const { result } = JSON.parse(readFileSync(report, 'utf8')) as { result: { url: string }[] };
    expect(result.map(({ url }) => url)).toContainEqual(expect.stringContaining('sentry.cjs'));
  });
});

describe.each(['watchdog-timeout', 'create-timeout'])('--%s', (option) => {
  it.each(['0', '-1', 'x', '1e9'])('refuses %s', async (value) => {
    const { status, stderr } = await runTsv([`--${option}=${value}`, 'run', '--', 'true']);
    expect([status, stderr.includes(`Cannot use --${option}`)]).toEqual([128, true]);
  });
});
