import { resourceFilesV1, resourceFilesV2, weightOfShares, type Resources } from './resource-files.js';

/** `file=value` of each write. */
function v1(resources: Resources): string[] {
  return resourceFilesV1(resources).map(({ files, value }) => `${files[0]!}=${value}`);
}
function v2(resources: Resources): string[] {
  return resourceFilesV2(resources).map(({ files, value }) => `${files[0]!}=${value}`);
}

const DEFAULTS_ALLOWED = 10;

describe('resourceFilesV1, config-linux.md "Control groups" and admin-guide/cgroup-v1', () => {
  it.each`
    resources                                                                      | files
    ${{}}                                                                          | ${[]}
    ${{ cpu: { shares: 512, quota: 50000, period: 100000, burst: 1000 } }}         | ${['cpu.shares=512', 'cpu.cfs_period_us=100000', 'cpu.cfs_quota_us=50000', 'cpu.cfs_burst_us=1000']}
    ${{ cpu: { shares: 0, quota: 0, period: 0, cpus: '', mems: '' } }}             | ${[]}
    ${{ cpu: { cpus: '0-1', mems: '0' } }}                                         | ${['cpuset.cpus=0-1', 'cpuset.mems=0']}
    ${{ cpu: { realtimeRuntime: 9, realtimePeriod: 10, idle: 1 } }}                | ${['cpu.rt_period_us=10', 'cpu.rt_runtime_us=9', 'cpu.idle=1']}
    ${{ memory: { limit: 4096, swap: 8192, reservation: 1024 } }}                  | ${['memory.limit_in_bytes=4096', 'memory.memsw.limit_in_bytes=8192', 'memory.soft_limit_in_bytes=1024']}
    ${{ memory: { limit: -1 } }}                                                   | ${['memory.limit_in_bytes=-1']}
    ${{ memory: { limit: 2 ** 63 } }}                                              | ${['memory.limit_in_bytes=-1']}
    ${{ memory: { kernel: 1, kernelTCP: 2, swappiness: 0, useHierarchy: true } }}  | ${['memory.use_hierarchy=1', 'memory.kmem.limit_in_bytes=1', 'memory.kmem.tcp.limit_in_bytes=2', 'memory.swappiness=0']}
    ${{ memory: { disableOOMKiller: true } }}                                      | ${['memory.oom_control=1']}
    ${{ memory: { disableOOMKiller: false } }}                                     | ${[]}
    ${{ pids: { limit: 7 } }}                                                      | ${['pids.max=7']}
    ${{ pids: { limit: -1 } }}                                                     | ${['pids.max=max']}
    ${{ blockIO: { weight: 10, leafWeight: 20 } }}                                 | ${['blkio.weight=10', 'blkio.leaf_weight=20']}
    ${{ blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 5 }] } }}          | ${['blkio.weight_device=8:0 5']}
    ${{ blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] } }}   | ${['blkio.throttle.read_bps_device=8:0 9']}
    ${{ blockIO: { throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 9 }] } }} | ${['blkio.throttle.write_iops_device=8:0 9']}
    ${{ hugepageLimits: [{ pageSize: '2MB', limit: 1 }] }}                         | ${['hugetlb.2MB.limit_in_bytes=1']}
    ${{ network: { classID: 5, priorities: [{ name: 'eth0', priority: 3 }] } }}    | ${['net_cls.classid=5', 'net_prio.ifpriomap=eth0 3']}
    ${{ rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 4 } } }}                      | ${['rdma.max=mlx5_1 hca_handle=3 hca_object=4']}
  `('$resources', ({ resources, files }: { resources: Resources; files: string[] }) => {
    expect(v1(resources)).toEqual(files);
  });

  it('device rules keep their order, and the default devices follow', () => {
    const devices = [{ allow: false }, { allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }];
    const files = v1({ devices });
    expect(files.slice(0, 2)).toEqual(['devices.deny=a', 'devices.allow=c 1:3 rw']);
    expect(files).toHaveLength(2 + DEFAULTS_ALLOWED);
  });

  it.each`
    resources                                      | message
    ${{ unified: { 'memory.max': '1' } }}          | ${'linux.resources.unified'}
    ${{ devices: [{ allow: true, access: 'x' }] }} | ${'linux.resources.devices.0.access'}
  `('refuses $resources', ({ resources, message }: { resources: Resources; message: string }) => {
    expect(() => v1(resources)).toThrow(message);
  });

  it('tells the field of each file', () => {
    const fields = resourceFilesV1({ pids: { limit: 1 }, memory: { swap: 9 } }).map(({ field }) => field);
    expect(fields).toEqual(['linux.resources.memory.swap', 'linux.resources.pids.limit']);
  });
});

describe('resourceFilesV2, admin-guide/cgroup-v2', () => {
  it.each`
    resources                                                                    | files
    ${{ cpu: { quota: 50000, period: 100000 } }}                                 | ${['cpu.max=50000 100000']}
    ${{ cpu: { quota: -1, period: 100000 } }}                                    | ${['cpu.max=max 100000']}
    ${{ cpu: { quota: 50000 } }}                                                 | ${['cpu.max=50000']}
    ${{ cpu: { shares: 1024 } }}                                                 | ${['cpu.weight=39']}
    ${{ memory: { limit: 4096, swap: 8192, reservation: 1024 } }}                | ${['memory.max=4096', 'memory.swap.max=4096', 'memory.low=1024']}
    ${{ memory: { limit: -1, swap: -1 } }}                                       | ${['memory.max=max', 'memory.swap.max=max']}
    ${{ pids: { limit: 0 } }}                                                    | ${['pids.max=max']}
    ${{ blockIO: { weight: 10 } }}                                               | ${['io.bfq.weight=10']}
    ${{ blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] } }} | ${['io.max=8:0 rbps=9']}
    ${{ hugepageLimits: [{ pageSize: '2MB', limit: 1 }] }}                       | ${['hugetlb.2MB.max=1']}
    ${{ unified: { 'memory.high': '5', 'io.max': '8:0 rbps=1\n8:1 wbps=2' } }}   | ${['memory.high=5', 'io.max=8:0 rbps=1', 'io.max=8:1 wbps=2']}
    ${{ devices: [{ allow: false }] }}                                           | ${[]}
  `('$resources', ({ resources, files }: { resources: Resources; files: string[] }) => {
    expect(v2(resources)).toEqual(files);
  });

  it.each`
    resources                                 | field
    ${{ cpu: { realtimeRuntime: 1 } }}        | ${'cpu.realtimeRuntime'}
    ${{ memory: { kernelTCP: 1 } }}           | ${'memory.kernelTCP'}
    ${{ memory: { swappiness: 1 } }}          | ${'memory.swappiness'}
    ${{ memory: { disableOOMKiller: true } }} | ${'memory.disableOOMKiller'}
    ${{ memory: { swap: 5 } }}                | ${'memory.swap'}
    ${{ memory: { swap: 5, limit: 9 } }}      | ${'memory.swap'}
    ${{ network: { classID: 1 } }}            | ${'network.classID'}
    ${{ unified: { '../x': '1' } }}           | ${'unified'}
  `('refuses $resources', ({ resources, field }: { resources: Resources; field: string }) => {
    expect(() => v2(resources)).toThrow(`linux.resources.${field}`);
  });
});

describe('weightOfShares', () => {
  it.each([
    [2, 1],
    [0, 1],
    [1024, 39],
    [262_144, 10_000],
    [300_000, 10_000],
  ])('%d: %d', (shares, weight) => {
    expect(weightOfShares(shares)).toBe(weight);
  });
});
