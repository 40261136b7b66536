import { syscallName } from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import { UsageKind } from '@tsv/platform';
import { MetricRegistry } from './metric-registry.js';

const MS_PER_SECOND = 1000;
const PAGE_BYTES = 4096;

/** The metrics of a sandbox, which are read from its kernel when they are told: nothing is counted for them alone. */
export function createSandboxMetrics(kernel: Kernel): MetricRegistry {
  const metrics = new MetricRegistry();
  const startMs = kernel.clock.monotonicMs();
  metrics.gauge('uptime_seconds', 'Time since the sandbox was made', () => {
    return (kernel.clock.monotonicMs() - startMs) / MS_PER_SECOND;
  });
  metrics.gauge('pids', 'Processes and threads of guests', () => kernel.pidNs.count);
  metrics.gauge('memory_bytes', 'Memory of guests by what it is for', () => {
    return Object.entries(UsageKind).map(([name, kind]) => {
      return [{ kind: name.toLowerCase() }, kernel.memoryFile.pageCount(kind) * PAGE_BYTES] as const;
    });
  });
  metrics.gauge('unimplemented_syscalls', 'Calls that guests made of system calls that do not exist here', () => {
    return kernel.unimplemented.rows.map(({ nr, count }) => [{ name: syscallName(nr) }, count] as const);
  });
  return metrics;
}
