import { defaultConfig, type Spec } from '@tsv/oci';
import { machineSize, memoryFileChunkCountMax } from './machine-size.js';

const HOST = { cpuCount: 8, totalMemoryBytes: 2 ** 34 };
type Resources = NonNullable<NonNullable<Spec['linux']>['resources']>;

function specOf(resources: Resources): Spec {
  const spec = defaultConfig();
  return { ...spec, linux: { ...spec.linux, resources } };
}

describe('machineSize, config-linux.md "Control groups"', () => {
  it.each`
    what                         | cpu                                   | cpuCount
    ${'nothing'}                 | ${{}}                                 | ${8}
    ${'a quota of three CPUs'}   | ${{ quota: 300_000 }}                 | ${3}
    ${'a quota of 2.5 CPUs'}     | ${{ quota: 125_000, period: 50_000 }} | ${3}
    ${'a quota of half a CPU'}   | ${{ quota: 50_000 }}                  | ${2}
    ${'a quota beyond the host'} | ${{ quota: 9_000_000 }}               | ${8}
    ${'no quota'}                | ${{ quota: -1 }}                      | ${8}
    ${'a set of one CPU'}        | ${{ cpus: '3' }}                      | ${1}
    ${'a set of ranges'}         | ${{ cpus: '0-2,5' }}                  | ${4}
    ${'an unreadable set'}       | ${{ cpus: 'all' }}                    | ${8}
    ${'a set below the quota'}   | ${{ cpus: '0', quota: 400_000 }}      | ${1}
  `('$what leaves $cpuCount CPUs', ({ cpu, cpuCount }: { cpu: Resources['cpu']; cpuCount: number }) => {
    expect(machineSize(specOf(cpu === undefined ? {} : { cpu }), HOST, true).cpuCount).toBe(cpuCount);
  });

  it('does not count quotas when it is told so', () => {
    expect(machineSize(specOf({ cpu: { quota: 100_000 } }), HOST, false).cpuCount).toBe(8);
  });

  it.each([
    [undefined, HOST.totalMemoryBytes],
    [2 ** 28, 2 ** 28],
    [-1, HOST.totalMemoryBytes],
    [2 ** 40, HOST.totalMemoryBytes],
  ])('a memory limit of %s leaves %d bytes', (limit, totalMemoryBytes) => {
    const memory = limit === undefined ? {} : { limit };
    expect(machineSize(specOf({ memory }), HOST, true).totalMemoryBytes).toBe(totalMemoryBytes);
  });
});

describe('memoryFileChunkCountMax', () => {
  it.each([
    [2 ** 28, 66],
    [2 ** 34, 192],
  ])('of a host with %d bytes is %d GiB', (bytes, chunkCount) => {
    expect(memoryFileChunkCountMax(bytes)).toBe(chunkCount);
  });
});
