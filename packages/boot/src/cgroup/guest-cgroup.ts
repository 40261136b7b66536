import { CgroupNamespace, type Cgroup, type Kernel, type NsProxy } from '@tsv/kernel';
import type { Resources } from './resource-files.js';
import { weightOfShares } from './resource-files.js';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/** No limit, as the configuration writes it: -1, or a number that does not fit 63 bits. */
const UNLIMITED_FROM = 2 ** 63;

/**
 * `ns` with a cgroup of the container's own as the root of what its processes see, cgroup_namespaces(7): its control
 * files tell what `resources` limit. The number of threads is kept to inside; the rest is the host's cgroup's work.
 */
export function withContainerCgroup(kernel: Kernel, ns: NsProxy, id: string, resources?: Resources): NsProxy {
  const { rootCgroup, userNs } = kernel;
  for (const name of rootCgroup.controllers) rootCgroup.subtreeControl.add(name);
  // One that is there is of a container that could not be created.
  const cgroup = rootCgroup.children.get(toByteString(id)) ?? rootCgroup.createChild(toByteString(id));
  if (typeof cgroup === 'number') throw new SandboxError(`Cannot make the cgroup of container "${id}"`);
  if (resources !== undefined) setLimits(cgroup, resources);
  return { ...ns, cgroup: new CgroupNamespace(userNs, cgroup) };
}

/** The cgroup at `path` below `cgroup`. Throws {@link SandboxError} when there is none. */
export function cgroupBelow(cgroup: Cgroup, path: string): Cgroup {
  let found: Cgroup | undefined = cgroup;
  for (const name of path.split('/')) {
    if (name !== '') found = found?.children.get(toByteString(name));
  }
  if (found === undefined) throw new SandboxError(`Cannot execute in cgroup "${path}": the container has none there`);
  // cgroups(7) "No internal processes": what shares out to its children holds none itself.
  if (found !== cgroup && found.subtreeControl.size > 0) {
    throw new SandboxError(`Cannot execute in cgroup "${path}": it shares out to cgroups below it`);
  }
  return found;
}

/** Removes a container's cgroup, in which nothing runs any more, and those that it has made below. */
export function removeCgroup(cgroup: Cgroup): void {
  for (const child of [...cgroup.children.values()]) removeCgroup(child);
  cgroup.remove();
}

/** Sets what `linux.resources` limits, config-linux.md "Control groups". Fields that are absent stay. */
export function setLimits({ settings }: Cgroup, { pids, cpu, memory }: Resources): void {
  if (pids?.limit !== undefined) settings.pidsMax = pids.limit > 0 ? pids.limit : Infinity;
  if (cpu?.quota !== undefined && cpu.quota !== 0) settings.cpuQuotaUs = cpu.quota > 0 ? cpu.quota : Infinity;
  if (cpu?.period !== undefined && cpu.period > 0) settings.cpuPeriodUs = cpu.period;
  if (cpu?.shares !== undefined && cpu.shares > 0) settings.cpuWeight = weightOfShares(cpu.shares);
  if (cpu?.cpus !== undefined) settings.cpusetCpus = toByteString(cpu.cpus);
  if (cpu?.mems !== undefined) settings.cpusetMems = toByteString(cpu.mems);
  settings.memoryMaxBytes = bytesOf(memory?.limit) ?? settings.memoryMaxBytes;
  settings.memoryLowBytes = bytesOf(memory?.reservation) ?? settings.memoryLowBytes;
  const withSwap = bytesOf(memory?.swap);
  if (withSwap === undefined) return;
  settings.swapMaxBytes = withSwap === Infinity ? Infinity : Math.max(0, withSwap - settings.memoryMaxBytes);
}

function bytesOf(limit: number | undefined): number | undefined {
  if (limit === undefined || limit === 0) return undefined;
  return limit < 0 || limit >= UNLIMITED_FROM ? Infinity : limit;
}
