/** The controllers of the hierarchy, cgroups(7), in the order in which Linux names them. */
export const CONTROLLERS = ['cpuset', 'cpu', 'memory', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** Controllers that may compete with processes of the cgroup itself: they know threads, cgroups(7) "Thread mode". */
export const THREADED_CONTROLLERS: ReadonlySet<Controller> = new Set(['cpuset', 'cpu', 'pids']);

/** No limit. */
export const MAX = Infinity;

/** What is set of a cgroup by writing to its files. Differs: limits of memory and CPU time are kept, not enforced. */
export class CgroupSettings {
  maxDepth = MAX;
  maxDescendants = MAX;
  isFrozen = false;
  pidsMax = MAX;
  cpuWeight = 100;
  isCpuIdle = false;
  /** Microseconds of each period; {@link MAX} for all. */
  cpuQuotaUs = MAX;
  cpuPeriodUs = 100_000;
  cpuBurstUs = 0;
  memoryMinBytes = 0;
  memoryLowBytes = 0;
  memoryHighBytes = MAX;
  memoryMaxBytes = MAX;
  swapMaxBytes = MAX;
  swapHighBytes = MAX;
  isOomGroup = false;
  /** As they were written; empty for those of the parent. */
  cpusetCpus = '';
  cpusetMems = '';
}
