import type { CgroupStatistics } from '../cgroup/cgroup-statistics.js';
import type { MethodResult } from '../control/methods.js';

const NS_PER_MS = 1e6;
/** What runc tells for "no limit": the largest number that every reader can hold. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** What runc's `events --stats` tells of a container. */
export interface RuncStatistics {
  readonly cpu: {
    readonly usage: {
      readonly total: number;
      readonly percpu: readonly number[];
      readonly kernel: number;
      readonly user: number;
    };
    readonly throttling: {
      readonly periods: number;
      readonly throttledPeriods: number;
      readonly throttledTime: number;
    };
  };
  readonly memory: {
    readonly cache: number;
    readonly usage: { readonly limit: number; readonly usage: number; readonly max: number; readonly failcnt: number };
    readonly raw: Readonly<Record<string, number>>;
  };
  readonly pids: { readonly current: number; readonly limit: number };
  readonly network_interfaces: readonly never[];
}

/**
 * What a container uses in runc's form. CPU and memory are the host's cgroup's where the container has one to itself, the
 * sentry's own use included; processes are the guest's.
 */
export function runcStatistics(
  guest: MethodResult<'containerManager.Event'>,
  host: CgroupStatistics | null,
): RuncStatistics {
  const hasHostCpu = host !== null && host.cpu.usageNs > 0;
  const hasHostMemory = host !== null && host.memory.usageBytes > 0;
  const userNs = Math.round(guest.userMs * NS_PER_MS);
  const systemNs = Math.round(guest.systemMs * NS_PER_MS);
  const memoryBytes = hasHostMemory ? host.memory.usageBytes : guest.memoryBytes;
  return {
    cpu: {
      usage: {
        total: hasHostCpu ? host.cpu.usageNs : userNs + systemNs,
        percpu: [],
        kernel: hasHostCpu ? host.cpu.systemNs : systemNs,
        user: hasHostCpu ? host.cpu.userNs : userNs,
      },
      throttling: {
        periods: host?.cpu.periodCount ?? 0,
        throttledPeriods: host?.cpu.throttledPeriodCount ?? 0,
        throttledTime: host?.cpu.throttledNs ?? 0,
      },
    },
    memory: {
      cache: host?.memory.cacheBytes ?? 0,
      usage: {
        limit: limited(host?.memory.limitBytes ?? Infinity),
        usage: memoryBytes,
        max: hasHostMemory ? host.memory.usageBytesMax : memoryBytes,
        failcnt: host?.memory.failCount ?? 0,
      },
      raw: host?.memory.raw ?? {},
    },
    pids: { current: guest.processCount, limit: limited(host?.pids.limit ?? Infinity) },
    network_interfaces: [],
  };
}

function limited(value: number): number {
  return Number.isFinite(value) ? value : UNLIMITED;
}
