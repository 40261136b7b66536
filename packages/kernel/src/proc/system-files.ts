import type { Kernel } from '../kernel.js';
import { USER_HZ } from './process-files.js';

/** Version that uname(2) and /proc/version tell. */
export const OS_RELEASE = '6.1.0';

/** /proc/meminfo, proc_meminfo(5). */
export function formatMeminfo(kernel: Kernel): string {
  const totalKb = Math.floor(kernel.totalMemoryBytes / 1024);
  const usedKb = Math.floor(kernel.memoryFile.committedBytes() / 1024);
  const freeKb = Math.max(0, totalKb - usedKb);
  const cachedKb = kernel.memoryFile.pageCount(1) * 4;
  const shmemKb = kernel.memoryFile.pageCount(2) * 4;
  const rows: [string, number][] = [
    ['MemTotal', totalKb],
    ['MemFree', freeKb],
    ['MemAvailable', freeKb],
    ['Buffers', 0],
    ['Cached', cachedKb],
    ['SwapCached', 0],
    ['Active', usedKb],
    ['Inactive', 0],
    ['Active(anon)', usedKb],
    ['Inactive(anon)', 0],
    ['Active(file)', 0],
    ['Inactive(file)', 0],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', kernel.memoryFile.pageCount(0) * 4],
    ['Mapped', 0],
    ['Shmem', shmemKb],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 0],
    ['PageTables', 0],
    ['CommitLimit', totalKb],
    ['Committed_AS', usedKb],
    ['VmallocTotal', 34359738367],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['HugePages_Total', 0],
    ['HugePages_Free', 0],
    ['Hugepagesize', 2048],
  ];
  return rows
    .map(([name, value]) => {
      const unit = name.startsWith('HugePages_') ? '' : ' kB';
      return `${`${name}:`.padEnd(16)}${String(value).padStart(8)}${unit}\n`;
    })
    .join('');
}

/** /proc/uptime: seconds since boot and idle seconds of all CPUs. */
export function formatUptime(kernel: Kernel): string {
  const upMs = kernel.clock.monotonicMs() - kernel.bootMs;
  const idleMs = Math.max(0, upMs * kernel.cpuCount - busyMs(kernel).totalMs);
  return `${(upMs / 1000).toFixed(2)} ${(idleMs / 1000).toFixed(2)}\n`;
}

/** CPU time that all processes have used. */
function busyMs(kernel: Kernel): { userMs: number; systemMs: number; totalMs: number } {
  let userMs = 0;
  let systemMs = 0;
  for (const tg of kernel.tasks.threadGroups()) {
    userMs += tg.exitedTimes.userMs + tg.childTimes.userMs;
    systemMs += tg.exitedTimes.systemMs + tg.childTimes.systemMs;
    for (const task of tg.tasks) {
      userMs += task.times.userMs;
      systemMs += task.times.systemMs;
    }
  }
  return { userMs, systemMs, totalMs: userMs + systemMs };
}

/** /proc/stat, proc_stat(5). CPU time is shared out evenly: which CPU ran what is the host's knowledge. */
export function formatStat(kernel: Kernel): string {
  const upMs = kernel.clock.monotonicMs() - kernel.bootMs;
  const busy = busyMs(kernel);
  const row = (name: string, cpuCount: number): string => {
    const share = cpuCount / kernel.cpuCount;
    const ticks = (ms: number): number => Math.floor((ms * share * USER_HZ) / 1000);
    const idle = ticks(Math.max(0, upMs * kernel.cpuCount - busy.totalMs));
    return `${name} ${ticks(busy.userMs)} 0 ${ticks(busy.systemMs)} ${idle} 0 0 0 0 0 0\n`;
  };
  let text = row('cpu ', kernel.cpuCount);
  for (let cpu = 0; cpu < kernel.cpuCount; cpu++) text += row(`cpu${cpu}`, 1);
  let running = 0;
  for (const tg of kernel.tasks.threadGroups()) for (const task of tg.tasks) if (task.isInGuest) running++;
  const bootSec = Math.floor((kernel.clock.realtimeMs() - upMs) / 1000);
  return `${text}intr 0\nctxt 0\nbtime ${bootSec}\nprocesses ${kernel.tasks.threadGroupCount}\nprocs_running ${Math.max(1, running)}\nprocs_blocked 0\n`;
}

/** /proc/loadavg, proc_loadavg(5): what runs now stands for all three averages. */
export function formatLoadavg(kernel: Kernel): string {
  let running = 0;
  let lastPid = 0;
  for (const tg of kernel.tasks.threadGroups()) {
    if (tg.pid > lastPid) lastPid = tg.pid;
    for (const task of tg.tasks) if (task.isInGuest) running++;
  }
  const load = running.toFixed(2);
  return `${load} ${load} ${load} ${Math.max(1, running)}/${kernel.tasks.taskCount} ${lastPid}\n`;
}

/** /proc/version. */
export function formatVersion(): string {
  return `Linux version ${OS_RELEASE} (tsv) #1 SMP TSV\n`;
}

/** What the host's CPU tells of itself, for /proc/cpuinfo. */
export interface CpuDescription {
  readonly vendorId: string;
  readonly family: number;
  readonly model: number;
  readonly modelName: string;
  readonly stepping: number;
  readonly mhz: number;
  readonly cacheKb: number;
  /** Feature names as Linux calls them. */
  readonly flags: readonly string[];
}

/** /proc/cpuinfo for `cpuCount` CPUs of one kind. */
export function formatCpuinfo(cpu: CpuDescription, cpuCount: number): string {
  let text = '';
  for (let index = 0; index < cpuCount; index++) {
    const rows: [string, string | number][] = [
      ['processor', index],
      ['vendor_id', cpu.vendorId],
      ['cpu family', cpu.family],
      ['model', cpu.model],
      ['model name', cpu.modelName],
      ['stepping', cpu.stepping],
      ['cpu MHz', cpu.mhz.toFixed(3)],
      ['cache size', `${cpu.cacheKb} KB`],
      ['physical id', 0],
      ['siblings', cpuCount],
      ['core id', index],
      ['cpu cores', cpuCount],
      ['apicid', index],
      ['fpu', 'yes'],
      ['fpu_exception', 'yes'],
      ['cpuid level', 13],
      ['wp', 'yes'],
      ['flags', cpu.flags.join(' ')],
      ['bogomips', (cpu.mhz * 2).toFixed(2)],
      ['clflush size', 64],
      ['cache_alignment', 64],
      ['address sizes', '48 bits physical, 48 bits virtual'],
      ['power management', ''],
    ];
    text += `${rows.map(([name, value]) => `${name}${name.length < 8 ? '\t\t' : '\t'}: ${value}\n`).join('')}\n`;
  }
  return text;
}
