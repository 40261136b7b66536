import type { Kernel } from '../kernel.js';
import { cpuList, cpuMask, cpusOf } from './cpu-set.js';
import { formatMeminfo } from './system-files.js';

/** Path below /sys/devices/system and what a file says. */
export type SysDeviceFile = readonly [path: string, text: () => string];

/** Highest number of a CPU that the kernel could have, as Debian's. */
const KERNEL_MAX_CPU = 8191;
/** Rows of /proc/meminfo that a node has too. */
const NODE_MEMORY_ROWS = /^(MemTotal|MemFree|Active|Inactive|Dirty|Writeback|Mapped|AnonPages|Shmem|Slab|HugePages_)/;

/**
 * The CPUs, each a core of the only package, and the only node of memory, as lscpu(1) and libnuma look for them: Linux's
 * Documentation/admin-guide/cputopology.rst and Documentation/ABI/stable/sysfs-devices-node.
 */
export function sysDeviceFiles(kernel: Kernel): SysDeviceFile[] {
  const { cpuCount } = kernel;
  const all = cpusOf(new Uint8Array(0), cpuCount);
  return [
    ...fixed('cpu', {
      online: cpuList(all),
      possible: cpuList(all),
      present: cpuList(all),
      offline: '',
      isolated: '',
      kernel_max: `${KERNEL_MAX_CPU}`,
      'smt/active': '0',
      'smt/control': 'notsupported',
    }),
    ...all.flatMap((cpu) => fixed(`cpu/cpu${cpu}/topology`, topology(cpu, all))),
    ...fixed('node', { online: '0', possible: '0', has_cpu: '0', has_memory: '0', has_normal_memory: '0' }),
    ...fixed('node/node0', { cpulist: cpuList(all), cpumap: cpuMask(all, cpuCount), distance: '10' }),
    ['node/node0/meminfo', () => formatNodeMeminfo(kernel)],
  ];
}

function topology(cpu: number, all: readonly number[]): Record<string, string> {
  const files: Record<string, string> = { core_id: `${cpu}`, die_id: '0', physical_package_id: '0' };
  const addSet = (name: string, cpus: readonly number[]): void => {
    files[name] = cpuMask(cpus, all.length);
    files[`${name}_list`] = cpuList(cpus);
  };
  for (const name of ['thread_siblings', 'core_cpus']) addSet(name, [cpu]);
  for (const name of ['core_siblings', 'package_cpus', 'die_cpus']) addSet(name, all);
  return files;
}

function formatNodeMeminfo(kernel: Kernel): string {
  const rows = formatMeminfo(kernel).split('\n');
  return rows
    .filter((row) => NODE_MEMORY_ROWS.test(row))
    .map((row) => `Node 0 ${row}\n`)
    .join('');
}

function fixed(directory: string, files: Readonly<Record<string, string>>): SysDeviceFile[] {
  return Object.entries(files).map(([name, text]) => [`${directory}/${name}`, () => `${text}\n`]);
}
