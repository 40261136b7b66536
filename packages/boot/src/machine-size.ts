import type { Spec } from '@tsv/oci';
import { CHUNK_PAGES, PAGE_BYTES } from '@tsv/platform';
import { availableParallelism, totalmem } from 'node:os';

/** How big a machine guests see: what /proc/cpuinfo, sched_getaffinity(2), sysinfo(2) and /proc/meminfo tell. */
export interface MachineSize {
  readonly cpuCount: number;
  readonly totalMemoryBytes: number;
}

/** The fewest CPUs that a quota of CPU time leaves: programs for one CPU do not spin, and wait for each other badly. */
const CPUS_OF_QUOTA_MIN = 2;
/** cpu.period where the configuration gives a quota only, config-linux.md "CPU". */
const PERIOD_US_DEFAULT = 100_000;

/**
 * What guests may map and never touch: so many times the memory of the host, and this much besides. There is a bound because
 * the sentry keeps a word for each page that is mapped.
 */
const OVERCOMMIT_RATIO = 8;
const OVERCOMMIT_BYTES = 64 * 2 ** 30;

/** Chunks that the memory file may have on a host with `memoryBytes`. */
export function memoryFileChunkCountMax(memoryBytes: number): number {
  return Math.ceil((OVERCOMMIT_BYTES + OVERCOMMIT_RATIO * memoryBytes) / (CHUNK_PAGES * PAGE_BYTES));
}

/** The host, as this process may use it. */
export function hostSize(): MachineSize {
  return { cpuCount: availableParallelism(), totalMemoryBytes: totalmem() };
}

/**
 * What `linux.resources` of the sandbox's first container leaves of `host`: as many CPUs as the quota pays for
 * (`usesQuota`) or the CPU set names, and the memory that the limit gives.
 */
export function machineSize(spec: Spec, host: MachineSize, usesQuota: boolean): MachineSize {
  const { cpu, memory } = spec.linux?.resources ?? {};
  let { cpuCount, totalMemoryBytes } = host;
  const named = countNumbers(cpu?.cpus ?? '');
  if (named > 0) cpuCount = Math.min(cpuCount, named);
  if (usesQuota && cpu?.quota !== undefined && cpu.quota > 0) {
    const period = cpu.period !== undefined && cpu.period > 0 ? cpu.period : PERIOD_US_DEFAULT;
    cpuCount = Math.min(cpuCount, Math.max(CPUS_OF_QUOTA_MIN, Math.ceil(cpu.quota / period)));
  }
  if (memory?.limit !== undefined && memory.limit > 0) totalMemoryBytes = Math.min(totalMemoryBytes, memory.limit);
  return { cpuCount, totalMemoryBytes };
}

/** How many numbers a list such as `0-2,4` names, cpuset(7) "List format"; 0 for one that cannot be read. */
function countNumbers(list: string): number {
  const numbers = new Set<number>();
  for (const part of list.split(',')) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(part);
    if (match === null) return 0;
    for (let cpu = Number(match[1]); cpu <= Number(match[2] ?? match[1]); cpu++) numbers.add(cpu);
  }
  return numbers.size;
}
