import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv, type TsvResult } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-options-'));
});
afterEach(async () => {
  for (const id of (await tsv('list', '--quiet')).stdout.split('\n').filter(Boolean))
    await tsv('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
});

const tsv = (...args: string[]): Promise<TsvResult> => runTsv(['--root', join(dir, 'root'), ...args]);

async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await tsv(...args);
  expect([args[0], status, stderr]).toEqual([args[0], 0, '']);
  return stdout;
}

function bundle(args: readonly string[], change?: BundleChange): string {
  const path = join(dir, 'bundle');
  mkdirSync(path);
  return busyboxBundle(path, args, change);
}

/** Runs a shell, in which $TSV is the command line; what it starts in the background has none of our descriptors. */
async function shell(script: string): Promise<string> {
  const TSV_COMMAND = `${process.execPath} ${TSV} --root ${join(dir, 'root')}`;
  const child = spawn('sh', ['-c', script], {
    env: { ...process.env, TSV: TSV_COMMAND },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  return text;
}

describe('run --keep', () => {
  it('leaves the container, stopped, with its hooks of poststop, until it is deleted', async () => {
    const note = (word: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo ${word} >> ${dir}/notes`] }];
    const path = bundle(['sh', '-c', 'exit 3'], { hooks: { poststart: note('started'), poststop: note('stopped') } });
    expect((await tsv('run', '--keep', '--bundle', path, 'a')).status).toBe(3);
    expect(JSON.parse(await ok('state', 'a'))).toMatchObject({ id: 'a', status: 'stopped' });
    expect(readFileSync(join(dir, 'notes'), 'utf8')).toBe('started\n');
    expect((await tsv('run', '--bundle', path, 'a')).stderr).toContain('exists');
    await ok('delete', 'a');
    expect(readFileSync(join(dir, 'notes'), 'utf8')).toBe('started\nstopped\n');
    expect(readdirSync(join(dir, 'root'))).toEqual([]);
  });

  it('needs a name', async () => {
    expect((await tsv('run', '--keep', '--', 'true')).stderr).toContain('it has no name');
  });
});

describe('--pass-fd', () => {
  beforeEach(() => {
    writeFileSync(join(dir, 'file'), 'passed\n');
  });

  it('gives run, create and exec descriptors by other numbers', async () => {
    const path = bundle(['sh', '-c', 'cat <&9; ls /proc/self/fd; sleep 1000']);
    expect(await shell(`$TSV run --pass-fd 7:9 -- sh -c 'cat <&9' 7<${dir}/file`)).toBe('passed\n');
    const out = join(dir, 'out');
    await shell(
      `$TSV create --pass-fd 7:9 --preserve-fds 1 --bundle ${path} a 3<${dir}/file 7<${dir}/file >${out} 2>&1`,
    );
    await ok('start', 'a');
    for (let i = 0; i < 500 && !readFileSync(out, 'utf8').includes('9\n'); i++) await sleep(20);
    expect(readFileSync(out, 'utf8')).toMatch(/^passed\n0\n1\n2\n3\n(4\n)?9\n/);
    expect(await shell(`$TSV exec --pass-fd 8:5 a sh -c 'cat <&5' 8<${dir}/file`)).toBe('passed\n');
  });

  it.each([
    ['x', 'HOST:GUEST'],
    ['3:1', 'HOST:GUEST'],
    ['3:99999999', 'HOST:GUEST'],
  ])('refuses "%s"', async (text, message) => {
    expect((await tsv('run', '--pass-fd', text, '--', 'true')).stderr).toContain(message);
  });

  it('refuses one number for two', async () => {
    const result = await tsv('run', '--pass-fd', '8:9', '--pass-fd', '7:9', '--', 'true');
    expect(result.stderr).toContain('another one is to be 9 already');
  });
});

describe('exec', () => {
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
  ];
  beforeEach(async () => {
    const path = bundle(['sh', '-c', 'mkdir -p /sys/fs/cgroup/sub/inner; touch /tmp/ready; sleep 1000'], { mounts });
    await shell(`$TSV run --detach --bundle ${path} a >/dev/null 2>&1`);
    for (let i = 0; i < 500 && !existsSync(join(path, 'rootfs/tmp/ready')); i++) await sleep(20);
  });

  it('--cgroup runs it below the cgroup of the container', async () => {
    expect(await ok('exec', 'a', 'cat', '/proc/self/cgroup')).toBe('0::/\n');
    expect(await ok('exec', '--cgroup', '/sub/inner', 'a', 'cat', '/proc/self/cgroup')).toBe('0::/sub/inner\n');
    expect((await tsv('exec', '--cgroup', 'none', 'a', 'true')).stderr).toContain('the container has none there');
    expect((await tsv('exec', '--cgroup', 'memory:sub', 'a', 'true')).stderr).toContain('no hierarchies by controller');
  });

  it('--ignore-paused has it wait until the container is resumed', async () => {
    const file = join(dir, 'bundle/rootfs/tmp/file');
    await ok('pause', 'a');
    expect((await tsv('exec', 'a', 'true')).stderr).toContain('it is paused');
    await shell('$TSV exec --ignore-paused --detach a touch /tmp/file >/dev/null 2>&1');
    expect(await ok('ps', 'a')).toContain('touch');
    expect(existsSync(file)).toBe(false);
    await ok('resume', 'a');
    for (let i = 0; i < 500 && !existsSync(file); i++) await sleep(20);
    expect(existsSync(file)).toBe(true);
  });
});

describe('--dcache', () => {
  // A name that was not there is remembered, where nobody else changes the files.
  it.each([
    [[], 'unseen\n'],
    [['--dcache=0'], 'seen\n'],
  ])('%j: a file that the host makes is %s', async (options, seen) => {
    const script =
      'test -e /tmp/late; for i in $(busybox seq 100); do test -e /tmp/$i; done; touch /tmp/ready; read x; test -e /tmp/late && echo seen || echo unseen';
    const path = bundle(['sh', '-c', script]);
    const argv = [TSV, '--root', join(dir, 'root'), ...options, 'run', '--bundle', path, 'a'];
    const child = spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    const closed = new Promise((resolve) => child.once('close', resolve));
    for (let i = 0; i < 500 && !existsSync(join(path, 'rootfs/tmp/ready')); i++) await sleep(20);
    writeFileSync(join(path, 'rootfs/tmp/late'), '');
    child.stdin.end('go\n');
    await closed;
    expect(text).toBe(seen);
  });
});

describe('spec --rootless', () => {
  it('writes what runs for a user without root', async () => {
    await ok('spec', '--rootless', '--bundle', dir, '--', 'true');
    const { linux } = JSON.parse(readFileSync(join(dir, 'config.json'), 'utf8')) as {
      linux: { namespaces: { type: string }[]; uidMappings: unknown };
    };
    expect(linux.namespaces.map(({ type }) => type)).toEqual(['pid', 'ipc', 'uts', 'mount', 'user']);
    expect(linux.uidMappings).toEqual([{ containerID: 0, hostID: process.geteuid!(), size: 1 }]);
  });
});
