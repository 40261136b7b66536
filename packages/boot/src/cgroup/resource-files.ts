import type { Linux } from '@tsv/oci';
import { SandboxError } from '../sandbox-error.js';

/** `linux.resources` of a container, config-linux.md "Control groups". */
export type Resources = NonNullable<Linux['resources']>;

/** A value for a file of a cgroup. */
export interface ResourceWrite {
  readonly controller: string;
  /** Names to try in this order: kernels differ. */
  readonly files: readonly string[];
  readonly value: string;
  /** Path of the field of the configuration, for messages. */
  readonly field: string;
}

/** No limit, as the configuration writes it: -1, or a number that does not fit 63 bits. */
const UNLIMITED_FROM = 2 ** 63;

/** Collects writes, in the order in which kernels take them. */
class Writes {
  readonly list: ResourceWrite[] = [];

  /** `value` undefined: the configuration does not say. */
  add(controller: string, file: string | readonly string[], value: string | number | undefined, field: string): void {
    if (value === undefined) return;
    const files = typeof file === 'string' ? [file] : file;
    this.list.push({ controller, files, value: String(value), field: `linux.resources.${field}` });
  }
}

/** What to write for `resources` in the hierarchies of cgroups version 1, Linux's admin-guide/cgroup-v1. */
export function resourceFilesV1(resources: Resources): ResourceWrite[] {
  const { cpu, memory, blockIO, network, unified } = resources;
  if (unified !== undefined && Object.keys(unified).length > 0) {
    throw new SandboxError('Cannot use linux.resources.unified: this host has cgroups version 1');
  }
  const out = new Writes();
  // Both cpuset files must be written before a process can be added.
  out.add('cpuset', 'cpuset.cpus', nonEmpty(cpu?.cpus), 'cpu.cpus');
  out.add('cpuset', 'cpuset.mems', nonEmpty(cpu?.mems), 'cpu.mems');
  out.add('cpu', 'cpu.shares', nonZero(cpu?.shares), 'cpu.shares');
  out.add('cpu', 'cpu.cfs_period_us', nonZero(cpu?.period), 'cpu.period');
  out.add('cpu', 'cpu.cfs_quota_us', nonZero(cpu?.quota), 'cpu.quota');
  out.add('cpu', 'cpu.cfs_burst_us', cpu?.burst, 'cpu.burst');
  out.add('cpu', 'cpu.rt_period_us', nonZero(cpu?.realtimePeriod), 'cpu.realtimePeriod');
  out.add('cpu', 'cpu.rt_runtime_us', nonZero(cpu?.realtimeRuntime), 'cpu.realtimeRuntime');
  out.add('cpu', 'cpu.idle', cpu?.idle, 'cpu.idle');
  const bytes = (limit: number | undefined): number | undefined =>
    limit !== undefined && limit >= UNLIMITED_FROM ? -1 : nonZero(limit);
  out.add('memory', 'memory.use_hierarchy', memory?.useHierarchy === true ? 1 : undefined, 'memory.useHierarchy');
  out.add('memory', 'memory.limit_in_bytes', bytes(memory?.limit), 'memory.limit');
  out.add('memory', 'memory.memsw.limit_in_bytes', bytes(memory?.swap), 'memory.swap');
  out.add('memory', 'memory.soft_limit_in_bytes', bytes(memory?.reservation), 'memory.reservation');
  out.add('memory', 'memory.kmem.limit_in_bytes', bytes(memory?.kernel), 'memory.kernel');
  out.add('memory', 'memory.kmem.tcp.limit_in_bytes', bytes(memory?.kernelTCP), 'memory.kernelTCP');
  out.add('memory', 'memory.swappiness', memory?.swappiness, 'memory.swappiness');
  const oomControl = memory?.disableOOMKiller === true ? 1 : undefined;
  out.add('memory', 'memory.oom_control', oomControl, 'memory.disableOOMKiller');
  addPids(out, resources);
  addBlockIoV1(out, blockIO);
  for (const [index, { pageSize, limit }] of (resources.hugepageLimits ?? []).entries()) {
    out.add('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit, `hugepageLimits.${index}`);
  }
  out.add('net_cls', 'net_cls.classid', nonZero(network?.classID), 'network.classID');
  for (const [index, { name, priority }] of (network?.priorities ?? []).entries()) {
    out.add('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`, `network.priorities.${index}`);
  }
  addRdma(out, resources);
  addDevices(out, resources);
  return out.list;
}

/** What to write for `resources` in the unified hierarchy, Linux's admin-guide/cgroup-v2. */
export function resourceFilesV2(resources: Resources): ResourceWrite[] {
  const { cpu, memory, blockIO, network } = resources;
  refuseOnV2('cpu.realtimePeriod', nonZero(cpu?.realtimePeriod));
  refuseOnV2('cpu.realtimeRuntime', nonZero(cpu?.realtimeRuntime));
  refuseOnV2('memory.kernel', nonZero(memory?.kernel));
  refuseOnV2('memory.kernelTCP', nonZero(memory?.kernelTCP));
  refuseOnV2('memory.swappiness', memory?.swappiness);
  refuseOnV2('memory.disableOOMKiller', memory?.disableOOMKiller === true ? 1 : undefined);
  refuseOnV2('network.classID', nonZero(network?.classID));
  refuseOnV2('network.priorities', network?.priorities?.length === 0 ? undefined : network?.priorities);
  refuseOnV2('blockIO.leafWeight', nonZero(blockIO?.leafWeight));
  const out = new Writes();
  out.add('cpuset', 'cpuset.cpus', nonEmpty(cpu?.cpus), 'cpu.cpus');
  out.add('cpuset', 'cpuset.mems', nonEmpty(cpu?.mems), 'cpu.mems');
  out.add('cpu', 'cpu.idle', cpu?.idle, 'cpu.idle');
  if (cpu?.shares !== undefined && cpu.shares !== 0) {
    out.add('cpu', 'cpu.weight', weightOfShares(cpu.shares), 'cpu.shares');
  }
  if (nonZero(cpu?.quota) !== undefined || nonZero(cpu?.period) !== undefined) {
    const quota = cpu?.quota === undefined || cpu.quota <= 0 ? 'max' : cpu.quota;
    const period = nonZero(cpu?.period);
    out.add('cpu', 'cpu.max', period === undefined ? quota : `${quota} ${period}`, 'cpu.quota');
  }
  out.add('cpu', 'cpu.max.burst', cpu?.burst, 'cpu.burst');
  const bytes = (limit: number | undefined): number | 'max' | undefined =>
    limit !== undefined && (limit < 0 || limit >= UNLIMITED_FROM) ? 'max' : nonZero(limit);
  out.add('memory', 'memory.max', bytes(memory?.limit), 'memory.limit');
  out.add('memory', 'memory.swap.max', swapOnly(memory), 'memory.swap');
  out.add('memory', 'memory.low', bytes(memory?.reservation), 'memory.reservation');
  addPids(out, resources);
  addBlockIoV2(out, blockIO);
  for (const [index, { pageSize, limit }] of (resources.hugepageLimits ?? []).entries()) {
    out.add('hugetlb', `hugetlb.${pageSize}.max`, limit, `hugepageLimits.${index}`);
  }
  addRdma(out, resources);
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    if (!/^[a-z0-9_]+\.[A-Za-z0-9_.]+$/.test(file)) {
      throw new SandboxError(`Cannot use linux.resources.unified: "${file}" is no file of a cgroup`);
    }
    const controller = file.slice(0, file.indexOf('.'));
    for (const line of value.split('\n')) {
      out.add(controller === 'cgroup' ? '' : controller, file, line, `unified.${file}`);
    }
  }
  return out.list;
}

/** `cpu.weight` (1 to 10000) for `cpu.shares` (2 to 262144): ends map to ends. */
export function weightOfShares(shares: number): number {
  const inRange = Math.min(Math.max(shares, 2), 262_144);
  return Math.floor(1 + ((inRange - 2) * 9999) / 262_142);
}

/** Version 2 counts swap alone, the configuration memory and swap together. */
function swapOnly(memory: Resources['memory']): number | 'max' | undefined {
  const { swap, limit } = memory ?? {};
  if (swap === undefined || swap === 0) return undefined;
  if (swap < 0 || swap >= UNLIMITED_FROM) return 'max';
  if (limit === undefined || limit <= 0) {
    throw new SandboxError('Cannot use linux.resources.memory.swap: it needs linux.resources.memory.limit');
  }
  if (swap < limit) {
    throw new SandboxError('Cannot use linux.resources.memory.swap: it is below linux.resources.memory.limit');
  }
  return swap - limit;
}

function addPids(out: Writes, { pids }: Resources): void {
  if (pids?.limit === undefined) return;
  out.add('pids', 'pids.max', pids.limit > 0 ? pids.limit : 'max', 'pids.limit');
}

type BlockIo = NonNullable<Resources['blockIO']>;

const THROTTLES = [
  ['throttleReadBpsDevice', 'blkio.throttle.read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'blkio.throttle.write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'blkio.throttle.read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'blkio.throttle.write_iops_device', 'wiops'],
] as const satisfies readonly (readonly [keyof BlockIo, string, string])[];

function addBlockIoV1(out: Writes, blockIo: Resources['blockIO']): void {
  out.add('blkio', ['blkio.weight', 'blkio.bfq.weight'], nonZero(blockIo?.weight), 'blockIO.weight');
  out.add('blkio', 'blkio.leaf_weight', nonZero(blockIo?.leafWeight), 'blockIO.leafWeight');
  for (const [index, { major, minor, weight, leafWeight }] of (blockIo?.weightDevice ?? []).entries()) {
    const [device, field] = [`${major}:${minor}`, `blockIO.weightDevice.${index}`];
    const files = ['blkio.weight_device', 'blkio.bfq.weight_device'];
    out.add('blkio', files, weight === undefined ? undefined : `${device} ${weight}`, `${field}.weight`);
    const leaf = leafWeight === undefined ? undefined : `${device} ${leafWeight}`;
    out.add('blkio', 'blkio.leaf_weight_device', leaf, `${field}.leafWeight`);
  }
  for (const [name, file] of THROTTLES) {
    for (const [index, { major, minor, rate }] of (blockIo?.[name] ?? []).entries()) {
      out.add('blkio', file, `${major}:${minor} ${rate}`, `blockIO.${name}.${index}`);
    }
  }
}

function addBlockIoV2(out: Writes, blockIo: Resources['blockIO']): void {
  out.add('io', ['io.bfq.weight', 'io.weight'], nonZero(blockIo?.weight), 'blockIO.weight');
  for (const [index, { major, minor, weight }] of (blockIo?.weightDevice ?? []).entries()) {
    const value = weight === undefined ? undefined : `${major}:${minor} ${weight}`;
    out.add('io', ['io.bfq.weight', 'io.weight'], value, `blockIO.weightDevice.${index}`);
  }
  for (const [name, , key] of THROTTLES) {
    for (const [index, { major, minor, rate }] of (blockIo?.[name] ?? []).entries()) {
      out.add('io', 'io.max', `${major}:${minor} ${key}=${rate}`, `blockIO.${name}.${index}`);
    }
  }
}

function addRdma(out: Writes, { rdma }: Resources): void {
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(rdma ?? {})) {
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (limits.length > 0) out.add('rdma', 'rdma.max', [device, ...limits].join(' '), `rdma.${device}`);
  }
}

/** A rule about devices, config-linux.md "Allowed Device list", with everything in it. */
export interface DeviceRule {
  readonly isAllowed: boolean;
  /** Of all devices, whatever their numbers are, or of these. */
  readonly type: 'a' | 'c' | 'b';
  /** -1 for every number. */
  readonly major: number;
  readonly minor: number;
  /** Of `rwm`, one at least. */
  readonly access: string;
}

/**
 * Devices that every container has, config-linux.md "Default Devices", terminals, and what the sentry itself opens:
 * /dev/net/tun and /dev/kvm.
 */
const DEFAULT_DEVICES = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0],
  [5, 2],
  [136, -1],
  [10, 200],
  [10, 232],
] as const;

/**
 * The rules of `devices` in their order, and after them the devices that a container always has; none when there are none.
 * Throws {@link SandboxError} with the path of a field that is wrong.
 */
export function deviceRules({ devices = [] }: Resources): DeviceRule[] {
  const rules = devices.map(({ allow, type = 'a', major = -1, minor = -1, access = '' }, index): DeviceRule => {
    if (!/^[rwm]*$/.test(access)) {
      throw new SandboxError(`Cannot use linux.resources.devices.${index}.access: "${access}" is not of "rwm"`);
    }
    const isOfAll = type !== 'c' && type !== 'u' && type !== 'b';
    if (isOfAll) return { isAllowed: allow, type: 'a', major: -1, minor: -1, access: 'rwm' };
    return { isAllowed: allow, type: type === 'b' ? 'b' : 'c', major, minor, access: access === '' ? 'rwm' : access };
  });
  if (rules.length === 0) return [];
  const always = DEFAULT_DEVICES.map(([major, minor]): DeviceRule => {
    return { isAllowed: true, type: 'c', major, minor, access: 'rwm' };
  });
  return [...rules, ...always];
}

/** Version 2 has no files for devices: see `deviceProgram`. */
function addDevices(out: Writes, resources: Resources): void {
  const number = (part: number): string => (part < 0 ? '*' : String(part));
  for (const [index, { isAllowed, type, major, minor, access }] of deviceRules(resources).entries()) {
    const device = type === 'a' ? 'a' : `${type} ${number(major)}:${number(minor)} ${access}`;
    out.add('devices', isAllowed ? 'devices.allow' : 'devices.deny', device, `devices.${index}`);
  }
}

function refuseOnV2(field: string, value: unknown): void {
  if (value === undefined) return;
  throw new SandboxError(`Cannot use linux.resources.${field}: cgroups version 2 does not have it`);
}

/** Engines write 0 for what they do not limit. */
function nonZero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}
