import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxBundle } from './testing/busybox-bundle.js';
import { TSV, runTsv } from './testing/run-tsv.js';

jest.setTimeout(120_000);

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-limits-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** What `script` prints in a bundle that is limited by `resources`. */
async function outputOf(script: string, resources: Readonly<Record<string, unknown>>): Promise<string[]> {
  const bundle = busyboxBundle(dir, ['sh', '-c', script], {
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/sys', type: 'sysfs', source: 'sysfs' },
      { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }], resources },
  });
  const { stdout, stderr } = await runTsv(['--root', join(dir, 'state'), 'run', '--bundle', bundle, 'limited']);
  return [...stdout.trim().split('\n'), ...(stderr === '' ? [] : [stderr])];
}

describe('limits of a container, inside', () => {
  it('are told by /proc, /sys and the cgroup', async () => {
    const script = [
      'head -n 1 /proc/meminfo',
      'cat /sys/devices/system/cpu/online /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max',
      'cat /proc/self/cgroup',
    ].join('; ');
    const resources = { memory: { limit: 256 << 20 }, cpu: { cpus: '0', quota: 50_000 }, pids: { limit: 30 } };
    expect(await outputOf(script, resources)).toEqual([
      'MemTotal:         262144 kB',
      '0',
      String(256 << 20),
      '50000 100000',
      '30',
      '0::/',
    ]);
  });
});

describe('tsv update', () => {
  it('changes what guests read of their cgroup, and leaves the rest', async () => {
    const bundle = busyboxBundle(dir, ['sleep', '600'], {
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/sys', type: 'sysfs', source: 'sysfs' },
        { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' },
      ],
      linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }], resources: { pids: { limit: 30 } } },
    });
    const flags = ['--root', join(dir, 'state')];
    // What it leaves behind has none of our descriptors.
    const started = spawn(process.execPath, [TSV, ...flags, 'run', '--detach', '--bundle', bundle, 'a'], {
      stdio: 'ignore',
    });
    expect(await new Promise((resolve) => started.once('exit', resolve))).toBe(0);
    try {
      const updated = await runTsv([...flags, 'update', '--memory', '300m', '--cpu-quota', '50000', 'a']);
      expect(updated).toMatchObject({ status: 0, stderr: '' });
      const files = ['memory.max', 'cpu.max', 'pids.max'].map((name) => `/sys/fs/cgroup/${name}`);
      const { stdout } = await runTsv([...flags, 'exec', 'a', 'cat', ...files]);
      expect(stdout).toBe(`${300 << 20}\n50000 100000\n30\n`);
    } finally {
      await runTsv([...flags, 'delete', '--force', 'a']);
    }
  });
});

describe('tsv update with words that are wrong', () => {
  it.each([
    [[], 'say what to change'],
    [['--cpu-burst', 'much'], 'Cannot use "much" for cpuBurst'],
    [['--blkio-weight', '10'], 'container "none"'],
  ])('%j: %s', async (words, message) => {
    const { status, stderr } = await runTsv(['--root', join(dir, 'state'), 'update', ...words, 'none']);
    expect([status, stderr]).toEqual([128, expect.stringContaining(message)]);
  });
});

describe('--overlay2 with a size', () => {
  it('has the root filesystem full when it is', async () => {
    const bundle = busyboxBundle(dir, ['sh', '-c', 'head -c 300000 /dev/zero > /full || echo full; wc -c < /full']);
    const flags = ['--root', join(dir, 'state'), '--overlay2=root:memory,size=128k'];
    const { stdout } = await runTsv([...flags, 'run', '--bundle', bundle, 'small']);
    const [message, written] = stdout.trim().split('\n');
    expect([message, Number(written) <= 128 * 1024]).toEqual(['full', true]);
  });
});
