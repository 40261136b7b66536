import { spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Spec } from '@tsv/oci';
import { findCgroupHierarchies, parseCgroupHierarchies } from './cgroup-hierarchies.js';
import { statisticsV1, statisticsV2 } from './cgroup-statistics.js';
import { HostCgroup, cgroupPathOf } from './host-cgroup.js';

const HYBRID = `25 1 0:22 / /sys rw - sysfs sysfs rw
30 25 0:26 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
31 25 0:27 / /sys/fs/cgroup/a\\040b rw - cgroup cgroup rw,xattr,memory
32 25 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
33 25 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate`;

describe('parseCgroupHierarchies, cgroups(7)', () => {
  it('finds the controllers of version 1, also beside a unified hierarchy', () => {
    const { version, mountpoints } = parseCgroupHierarchies(HYBRID, () => []);
    expect(version).toBe(1);
    expect([...mountpoints]).toEqual([
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct'],
      ['memory', '/sys/fs/cgroup/a b'],
    ]);
  });

  it('finds version 2', () => {
    const text = '33 25 0:29 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw';
    const { version, mountpoints } = parseCgroupHierarchies(text, () => ['memory', 'pids']);
    expect([version, ...mountpoints.keys()]).toEqual([2, '', 'memory', 'pids']);
  });

  it('finds none', () => {
    expect(parseCgroupHierarchies('', () => [])).toEqual({ version: 1, mountpoints: new Map() });
  });
});

describe('cgroupPathOf, config-linux.md "Cgroups Path"', () => {
  const pathOf = (linux: Spec['linux'], id = 'a', ignoresCgroups = false): string | null => {
    const spec = { ociVersion: '1.2.0', ...(linux !== undefined && { linux }) };
    return cgroupPathOf(spec, { rootDir: '/run/tsv', ignoresCgroups }, id);
  };

  it('takes the path that there is', () => {
    expect(pathOf({ cgroupsPath: '/b/c' })).toBe('/b/c');
  });

  it('makes one up for limits, another for each container', () => {
    expect(pathOf({ resources: {} })).toMatch(/^\/tsv-[0-9a-f]+-a$/);
    expect(pathOf({ resources: {} }, 'b')).not.toBe(pathOf({ resources: {} }));
  });

  it('has none where nothing is asked for', () => {
    expect([pathOf({}), pathOf(undefined), pathOf({ cgroupsPath: '/b/c' }, 'a', true)]).toEqual([null, null, null]);
  });
});

describe('HostCgroup', () => {
  it.each(['', '/', '/..', 'a/../../b', 'user.slice:tsv:c1'])('refuses the path "%s"', (path) => {
    expect(() => HostCgroup.create(path, {})).toThrow('linux.cgroupsPath');
  });

  it('names the field when the host has no such controller, and leaves nothing behind', () => {
    const root = mkdtempSync(join(tmpdir(), 'tsv-cgroup-'));
    const hierarchies = { version: 1 as const, mountpoints: new Map([['pids', root]]) };
    expect(() => HostCgroup.create('/a/b', { memory: { limit: 1 } }, hierarchies)).toThrow(
      'linux.resources.memory.limit: the host has no cgroup controller "memory"',
    );
    expect(existsSync(join(root, 'a'))).toBe(false);
    rmSync(root, { recursive: true });
  });

  it('one that is not there does nothing', async () => {
    const cgroup = HostCgroup.open('/tsv-no-such-cgroup');
    cgroup.addProcess(1);
    expect(cgroup.processes()).toEqual([]);
    expect(cgroup.statistics().pids.current).toBe(0);
    expect(() => {
      cgroup.update({ pids: { limit: 1 } });
    }).toThrow('linux.resources.pids.limit');
    await cgroup.destroy();
  });
});

/** Whether the host lets us make cgroups of version 1 with these controllers. */
function canUse(...controllers: string[]): boolean {
  const { version, mountpoints } = findCgroupHierarchies();
  try {
    for (const controller of controllers) accessSync(mountpoints.get(controller) ?? '', constants.W_OK);
    return version === 1 && process.getuid?.() === 0;
  } catch {
    return false;
  }
}

// Skipped where the host has no cgroups of version 1 that we may change.
const describeV1 = canUse('memory', 'pids', 'cpu', 'cpuset', 'cpuacct', 'devices') ? describe : describe.skip;

describeV1('HostCgroup, on a host with version 1', () => {
  const { mountpoints } = findCgroupHierarchies();
  const path = `/tsv-test-${process.pid}/inner`;
  const content = (controller: string, file: string): string =>
    readFileSync(join(mountpoints.get(controller)!, path, file), 'utf8').trim();
  let sleeper: ChildProcess | null = null;

  afterEach(async () => {
    await end(sleeper);
    sleeper = null;
    await HostCgroup.open(path).destroy();
    await HostCgroup.open(`/tsv-test-${process.pid}`).destroy();
    for (const mountpoint of mountpoints.values()) expect(existsSync(join(mountpoint, path))).toBe(false);
  });

  it('sets limits, moves a process, counts it, changes limits and goes', () => {
    const cgroup = HostCgroup.create(path, {
      memory: { limit: 64 << 20 },
      pids: { limit: 50 },
      cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: '0' },
      devices: [{ allow: false }, { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }],
    });
    expect(content('memory', 'memory.limit_in_bytes')).toBe(String(64 << 20));
    expect(content('cpu', 'cpu.cfs_quota_us')).toBe('50000');
    expect(content('cpuset', 'cpuset.cpus')).toBe('0');
    expect(content('devices', 'devices.list')).toContain('c 10:229 rw');
    sleeper = spawn('sleep', ['60']);
    cgroup.addProcess(sleeper.pid!);
    expect(cgroup.processes()).toEqual([sleeper.pid]);
    const statistics = cgroup.statistics();
    expect(statistics.pids).toEqual({ current: 1, limit: 50 });
    expect(statistics.memory.limitBytes).toBe(64 << 20);
    HostCgroup.open(path).update({ pids: { limit: -1 }, memory: { limit: 32 << 20 } });
    expect([content('pids', 'pids.max'), content('memory', 'memory.limit_in_bytes')]).toEqual([
      'max',
      String(32 << 20),
    ]);
  });

  it('a process that is in it keeps it, and others from using it', async () => {
    const cgroup = HostCgroup.create(path, {});
    sleeper = spawn('sleep', ['60']);
    cgroup.addProcess(sleeper.pid!);
    expect(() => HostCgroup.create(path, {})).toThrow(`process ${sleeper.pid!} is there already`);
    const destroyed = cgroup.destroy();
    sleeper.kill('SIGKILL');
    await destroyed;
  });

  it('a limit that the kernel refuses is named', () => {
    expect(() => HostCgroup.create(path, { cpu: { cpus: '4000' } })).toThrow('linux.resources.cpu.cpus to 4000');
    mkdirSync(join(mountpoints.get('memory')!, path), { recursive: true }); // What was made is gone: make it for afterEach.
  });
});

/** Where the unified hierarchy is mounted, perhaps beside version 1; null where it is not, or we cannot make a cgroup there. */
function unifiedMountpoint(): string | null {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find((text) => text.includes(' - cgroup2 '));
  const mountpoint = line?.split(' ')[4];
  if (mountpoint === undefined || process.getuid?.() !== 0) return null;
  try {
    const probe = join(mountpoint, `tsv-probe-${process.pid}`);
    mkdirSync(probe);
    rmdirSync(probe);
    return mountpoint;
  } catch {
    return null; // Whatever the reason is, it cannot be tested here.
  }
}

const unified = unifiedMountpoint();
const describeV2 = unified === null ? describe.skip : describe;

describeV2('HostCgroup, device rules of version 2 (where root may make a cgroup of that)', () => {
  const hierarchies = { version: 2, mountpoints: new Map([['', unified!]]) } as const;
  const path = `/tsv-devices-${process.pid}`;

  afterEach(() => HostCgroup.open(path, hierarchies).destroy());

  /** What becomes of reading a device and making one in the cgroup. */
  function tryDevices(cgroup: HostCgroup): Promise<string> {
    const script = `read go; for name in zero kmsg; do head -c 1 /dev/$name > /dev/null 2>&1 && echo $name; done
      mknod /dev/shm/tsv-${process.pid} c 7 77 2> /dev/null && echo made; rm -f /dev/shm/tsv-${process.pid}`;
    const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    cgroup.addProcess(child.pid!);
    child.stdin.end('go\n');
    return new Promise((resolve) => {
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
      child.on('close', () => {
        resolve(text.trim().replaceAll('\n', ' '));
      });
    });
  }

  it('denies what the rules deny, and takes other ones later', async () => {
    const cgroup = HostCgroup.create(path, { devices: [{ allow: false }] }, hierarchies);
    expect(await tryDevices(cgroup)).toBe('zero');
    cgroup.update({ devices: [{ allow: false }, { allow: true, type: 'c', major: 7, access: 'm' }] });
    expect(await tryDevices(cgroup)).toBe('zero made');
    cgroup.update({ devices: [{ allow: true }] });
    expect(await tryDevices(cgroup)).toMatch(/^zero (kmsg )?made$/);
  });
});

async function end(child: ChildProcess | null): Promise<void> {
  if (child === null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}

describe('statistics', () => {
  it('of version 1', () => {
    const files: Record<string, string> = {
      'cpu/cpu.stat': 'nr_periods 3\nnr_throttled 2\nthrottled_time 77\n',
      'cpuacct/cpuacct.usage': '123456\n',
      'cpuacct/cpuacct.stat': 'user 2\nsystem 1\n',
      'memory/memory.stat': 'cache 9\nrss 8\n',
      'memory/memory.limit_in_bytes': '9223372036854771712\n',
      'pids/pids.max': 'max\n',
      'pids/pids.current': '4\n',
    };
    const { cpu, memory, pids } = statisticsV1((controller, file) => files[`${controller}/${file}`] ?? '');
    expect(cpu).toMatchObject({ usageNs: 123_456, userNs: 2e7, systemNs: 1e7, throttledNs: 77 });
    expect(memory).toMatchObject({ usageBytes: 0, limitBytes: Infinity, cacheBytes: 9, raw: { rss: 8 } });
    expect(pids).toEqual({ current: 4, limit: Infinity });
  });

  it('of version 2', () => {
    const files: Record<string, string> = {
      'cpu/cpu.stat': 'usage_usec 10\nuser_usec 7\nsystem_usec 3\nnr_periods 1\nnr_throttled 1\nthrottled_usec 2\n',
      'memory/memory.current': '4096\n',
      'memory/memory.max': '8192\n',
      'memory/memory.events': 'low 0\nmax 6\n',
      'memory/memory.stat': 'anon 1\nfile 2\n',
    };
    const { cpu, memory } = statisticsV2((controller, file) => files[`${controller}/${file}`] ?? '');
    expect(cpu).toMatchObject({ usageNs: 10_000, userNs: 7000, systemNs: 3000, throttledNs: 2000 });
    expect(memory).toMatchObject({ usageBytes: 4096, limitBytes: 8192, failCount: 6, cacheBytes: 2 });
  });
});
