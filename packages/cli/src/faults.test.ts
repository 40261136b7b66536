import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(180_000);

let dir: string;
let root: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-faults-'));
  root = join(dir, 'root');
});
afterEach(async () => {
  expect((await tsv('list')).status).toBe(0);
  expect((await tsv('delete', '--force', 'a')).status).toBe(0);
  expect(existsSync(root) ? readdirSync(root) : []).toEqual([]);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', root, ...args]);

function bundle(args: readonly string[], change?: BundleChange): string {
  const path = join(dir, 'bundle');
  mkdirSync(path);
  return busyboxBundle(path, args, change);
}

/** A failure is told in one line that says what was attempted, and no stack. */
function expectClear({ status, stderr }: TsvResult, message: string | RegExp = ''): void {
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/^tsv: Cannot .*\n$/);
  expect(stderr).toMatch(message);
}

describe('large and odd configurations', () => {
  it('runs with 10,000 variables', async () => {
    const env = ['PATH=/bin', ...Array.from({ length: 10_000 }, (_, index) => `VARIABLE_${index}=${index}`)];
    const result = await tsv('run', '-b', bundle(['sh', '-c', 'env | grep -c ^VARIABLE_'], { process: { env } }), 'a');
    expect(result).toMatchObject({ status: 0, stdout: '10000\n' });
  });

  it.each`
    what                                  | length            | outcome
    ${'an argument that fits, execve(2)'} | ${128 * 1024 - 1} | ${0}
    ${'one that is longer'}               | ${128 * 1024}     | ${'argument list too long'}
    ${'one of a megabyte'}                | ${1024 * 1024}    | ${'argument list too long'}
  `('takes or refuses $what', async ({ length, outcome }: { length: number; outcome: 0 | string }) => {
    const result = await tsv('run', '-b', bundle(['true', 'x'.repeat(length)]), 'a');
    if (outcome === 0) expect(result).toMatchObject({ status: 0, stderr: '' });
    else expectClear(result, outcome);
  });

  it.each([
    ['config.json', 'it has no config.json'],
    ['rootfs', 'Cannot open root.path'],
    ['rootfs/bin/busybox', 'Cannot run "sh"'],
  ])('tells that %s is missing', async (path, message) => {
    const place = bundle(['sh']);
    rmSync(join(place, path), { recursive: true });
    expectClear(await tsv('create', '-b', place, 'a'), message);
    expectClear(await tsv('run', '-b', place, 'a'), message);
  });

  it.each([
    ['--pid-file', 'Cannot write pid file'],
    ['--console-socket', 'Cannot'],
    ['--user-log', 'Cannot write the user log'],
  ])('tells that the directory of %s is missing', async (option, message) => {
    const place = bundle(['true'], { process: { terminal: option === '--console-socket' } });
    expectClear(await tsv('create', '-b', place, option, join(dir, 'no/such'), 'a'), message);
  });

  it.each([
    ['{', 'it is not JSON'],
    ['[]', 'config.json'],
    ['{"ociVersion":"1.0.2","process":{"cwd":"/","args":[]}}', 'process.args'],
    ['{"ociVersion":"1.0.2","process":{"cwd":"relative","args":["true"]},"root":{"path":"rootfs"}}', 'process.cwd'],
    [
      '{"ociVersion":"1.0.2","process":{"cwd":"/","args":["true"]},"root":{"path":"rootfs"},"linux":{"namespaces":[{"type":"x"}]}}',
      'linux.namespaces.0.type',
    ],
  ])('refuses the config.json %s', async (text, message) => {
    const place = bundle(['true']);
    writeFileSync(join(place, 'config.json'), text);
    expectClear(await tsv('create', '-b', place, 'a'), message);
  });
});

describe('a host that gives no more', () => {
  it.each([24, 28, 32, 36, 40, 44, 48, 56, 64])(
    'creates a container with %d descriptors, or says why not',
    async (limit) => {
      const place = bundle(['sleep', '600']);
      const script = 'ulimit -n "$1"; shift; exec "$@"';
      const argv = [
        '-c',
        script,
        'sh',
        String(limit),
        process.execPath,
        TSV,
        '--root',
        root,
        'create',
        '-b',
        place,
        'a',
      ];
      const child = spawn('sh', argv, { stdio: ['ignore', 'ignore', 'pipe'] });
      const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const status = await new Promise<number | null>((resolve) => child.once('exit', resolve));
      clearTimeout(timer);
      child.stderr.destroy();
      if (status === 0) expect((await tsv('start', 'a')).status).toBe(0);
      // Node.js itself needs some: without them it does not come to say anything in our words.
      else if (limit >= 32) expectClear({ status, signal: null, stdout: '', stderr });
    },
  );

  const itAsRoot = process.getuid?.() === 0 ? it : it.skip;
  itAsRoot('says that the disk of its state is full (as root: it mounts a small one)', async () => {
    mkdirSync(root);
    const place = bundle(['true']);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tsv-full', root]);
    try {
      execFileSync('sh', ['-c', `cat /dev/zero > ${root}/.fill 2>/dev/null || true`]);
      expectClear(await tsv('create', '-b', place, 'a'), 'no space left on device');
      expectClear(await tsv('run', '-b', place, 'a'), 'no space left on device');
      expect((await tsv('list', '--quiet')).stdout).toBe('');
      expect((await tsv('delete', '--force', 'a')).status).toBe(0);
    } finally {
      execFileSync('umount', [root]);
    }
  });
});
