import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle, type BundleChange } from './testing/busybox-bundle.js';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-pod-'));
});
afterEach(async () => {
  for (const id of (await ok('list', '--quiet')).split('\n').filter(Boolean)) await ok('delete', '--force', id);
  rmSync(dir, { recursive: true, force: true });
});

async function ok(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await runTsv(['--root', join(dir, 'root'), ...args]);
  expect([args[0], status, stderr]).toEqual([args[0], 0, '']);
  return stdout;
}

async function leaving(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [TSV, '--root', join(dir, 'root'), ...args], { stdio: 'ignore' });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(0);
}

function bundle(name: string, kind: 'sandbox' | 'container', change: BundleChange = {}): string {
  const path = join(dir, name);
  mkdirSync(path);
  const annotations = {
    'io.kubernetes.cri.container-type': kind,
    'io.kubernetes.cri.sandbox-id': 'pause',
  };
  return busyboxBundle(path, ['sleep', '600'], { annotations, ...change });
}

interface SavedState {
  sandboxId: string;
  sentry: { pid: number };
  process: { pid: number };
}
const saved = (id: string): SavedState =>
  JSON.parse(readFileSync(join(dir, 'root', id, 'state.json'), 'utf8')) as SavedState;

async function startPod(change: BundleChange = {}, pause: BundleChange = {}): Promise<void> {
  await leaving('run', '-d', '--bundle', bundle('pause', 'sandbox', { hostname: 'pod', ...pause }), 'pause');
  await leaving('create', '--bundle', bundle('app', 'container', change), 'app');
}

describe('a pod, by the annotations of CRI', () => {
  it('runs in one sandbox, each container with its files and PID namespace', async () => {
    await startPod();
    expect(saved('app').sentry).toEqual(saved('pause').sentry);
    expect(saved('app').process).not.toEqual(saved('pause').process);
    await ok('start', 'app');
    expect(await ok('exec', 'app', 'sh', '-c', 'echo mine > /tmp/file; echo $$; hostname')).toBe('2\npod\n');
    expect(await ok('exec', 'pause', 'ls', '/tmp')).toBe('');
    expect(await ok('exec', 'app', 'ls', '/tmp')).toBe('file\n');
    expect(await ok('ps', 'app')).toMatch(/\n0 +1 +0 .* sleep\n$/);
  });

  it.each(['dev.tsv', 'dev.gvisor'])('shares a volume in memory that annotations of %s name', async (prefix) => {
    const source = join(dir, 'volume');
    mkdirSync(source);
    const mounts = [{ destination: '/volume', type: 'bind', source, options: ['rbind', 'rw'] }];
    const hint = (field: string) => `${prefix}.spec.mount.cache.${field}`;
    const annotations = {
      'io.kubernetes.cri.container-type': 'sandbox',
      ...{ [hint('source')]: source, [hint('type')]: 'tmpfs', [hint('share')]: 'pod', [hint('options')]: 'rw,size=1m' },
    };
    await startPod({ mounts }, { mounts, annotations });
    await ok('start', 'app');
    await ok('exec', 'app', 'sh', '-c', 'echo of the app > /volume/file');
    expect(await ok('exec', 'pause', 'cat', '/volume/file')).toBe('of the app\n');
    expect(readdirSync(source)).toEqual([]);
  });

  it('shares the PID namespace of the container whose host process a path names', async () => {
    await leaving('run', '-d', '--bundle', bundle('pause', 'sandbox'), 'pause');
    const path = `/proc/${saved('pause').process.pid}/ns/pid`;
    const linux = { namespaces: [{ type: 'pid', path }] };
    await leaving('run', '-d', '--bundle', bundle('app', 'container', { linux }), 'app');
    expect(await ok('exec', 'app', 'sh', '-c', 'ls -d /proc/1 && test $$ -gt 2 && echo shared')).toBe(
      '/proc/1\nshared\n',
    );
  });

  it('destroys one container without the others', async () => {
    await startPod();
    await ok('start', 'app');
    await leaving('exec', '-d', 'app', 'sleep', '500');
    await ok('delete', '--force', 'app');
    expect(await ok('list', '--quiet')).toBe('pause\n');
    expect(await ok('exec', 'pause', 'echo', 'alive')).toBe('alive\n');
  });

  it('deletes a container that was not started', async () => {
    await startPod();
    await ok('delete', 'app');
    expect(await ok('exec', 'pause', 'echo', 'alive')).toBe('alive\n');
  });

  it('ends with its first container', async () => {
    await startPod();
    await ok('start', 'app');
    await ok('delete', '--force', 'pause');
    for (let i = 0; i < 100; i++) {
      const { status } = JSON.parse(await ok('state', 'app')) as { status: string };
      if (status === 'stopped') return;
    }
    throw new Error('The container did not stop');
  });
});
