import { EINVAL, ERANGE, type Errno } from '@tsv/abi';
import { PID_MAX } from '../namespace/pid-namespace.js';
import type { Kernel } from '../kernel.js';
import type { Cgroup } from './cgroup.js';
import { MAX, type CgroupSettings, type Controller } from './cgroup-settings.js';
import type { ControlFile } from './control-file.js';
import { isNumberList, limitText, parseBytes, parseCount } from './parse-value.js';

/** Bounds of cpu.max and cpu.max.burst in microseconds, Linux's admin-guide/cgroup-v2. */
const PERIOD_US_MIN = 1000;
const PERIOD_US_MAX = 1_000_000;
const QUOTA_US_MIN = 1000;
const WEIGHT_MAX = 10_000;
const WEIGHT_DEFAULT = 100;
/** cpu.weight.nice counts as setpriority(2): each step is a factor of about 1.25. */
const NICE_MIN = -20;
const NICE_MAX = 19;
const NICE_STEP = 1.25;

type NumberSetting = {
  [K in keyof CgroupSettings]: CgroupSettings[K] extends number ? K : never;
}[keyof CgroupSettings];

/** The files of the controllers that `kernel` has. */
export function controllerFiles(kernel: Kernel): ControlFile[] {
  return [...cpuFiles(), ...cpusetFiles(kernel), ...memoryFiles(), ...pidsFiles()];
}

function pidsFiles(): ControlFile[] {
  return [
    shown('pids', 'pids.current', (cgroup) => String(cgroup.taskCount)),
    shown('pids', 'pids.events', (cgroup) => `max ${cgroup.refusedForkCount}`),
    number('pids', 'pids.max', 'pidsMax', (text) => {
      const value = parseCount(text, 0, PID_MAX);
      return value === -ERANGE ? -EINVAL : value;
    }),
    shown('pids', 'pids.peak', (cgroup) => String(cgroup.peakTaskCount)),
  ];
}

function cpuFiles(): ControlFile[] {
  return [
    {
      name: 'cpu.stat',
      controller: null,
      isOnRoot: true,
      read: (cgroup) => {
        const { totalMs, userMs, systemMs } = cgroup.cpuTimes;
        const us = (ms: number): number => Math.round(ms * 1000);
        const usage = `usage_usec ${us(totalMs)}\nuser_usec ${us(userMs)}\nsystem_usec ${us(systemMs)}\nnice_usec 0\n`;
        if (cgroup.parent === null || !cgroup.controllers.has('cpu')) return usage;
        return `${usage}nr_periods 0\nnr_throttled 0\nthrottled_usec 0\nnr_bursts 0\nburst_usec 0\n`;
      },
    },
    changed(
      'cpu',
      'cpu.idle',
      ({ settings }) => (settings.isCpuIdle ? '1' : '0'),
      ({ settings }, text) => {
        if (text !== '0' && text !== '1') return -EINVAL;
        settings.isCpuIdle = text === '1';
        return 0;
      },
    ),
    changed('cpu', 'cpu.max', ({ settings }) => `${limitText(settings.cpuQuotaUs)} ${settings.cpuPeriodUs}`, setCpuMax),
    number('cpu', 'cpu.max.burst', 'cpuBurstUs', (text) => parseCount(text, 0, Number.MAX_SAFE_INTEGER)),
    number('cpu', 'cpu.weight', 'cpuWeight', (text) => (text === 'max' ? -EINVAL : parseCount(text, 1, WEIGHT_MAX))),
    changed(
      'cpu',
      'cpu.weight.nice',
      ({ settings }) => String(niceOf(settings.cpuWeight)),
      ({ settings }, text) => {
        const nice = text === 'max' ? -EINVAL : Number(text);
        if (!Number.isInteger(nice) || text === 'max') return -EINVAL;
        if (nice < NICE_MIN || nice > NICE_MAX) return -ERANGE;
        settings.cpuWeight = Math.min(WEIGHT_MAX, Math.max(1, Math.round(WEIGHT_DEFAULT * NICE_STEP ** -nice)));
        return 0;
      },
    ),
  ];
}

function niceOf(weight: number): number {
  return Math.max(NICE_MIN, Math.min(NICE_MAX, Math.round(-Math.log(weight / WEIGHT_DEFAULT) / Math.log(NICE_STEP))));
}

/** `$QUOTA $PERIOD`, where the period may be left out. */
function setCpuMax({ settings }: Cgroup, text: string): 0 | Errno {
  const [quotaText = '', periodText, ...rest] = text.split(/\s+/);
  const quotaUs = parseCount(quotaText, QUOTA_US_MIN, Number.MAX_SAFE_INTEGER);
  const periodUs =
    periodText === undefined ? settings.cpuPeriodUs : parseCount(periodText, PERIOD_US_MIN, PERIOD_US_MAX);
  if (quotaUs < 0 || periodUs < 0 || periodUs === MAX || rest.length > 0) return -EINVAL;
  settings.cpuQuotaUs = quotaUs;
  settings.cpuPeriodUs = periodUs;
  return 0;
}

function cpusetFiles(kernel: Kernel): ControlFile[] {
  const allCpus = kernel.cpuCount === 1 ? '0' : `0-${kernel.cpuCount - 1}`;
  const effective = (cgroup: Cgroup, key: 'cpusetCpus' | 'cpusetMems', all: string): string => {
    for (let c: Cgroup | null = cgroup; c !== null; c = c.parent) if (c.settings[key] !== '') return c.settings[key];
    return all;
  };
  const list = (name: string, key: 'cpusetCpus' | 'cpusetMems', count: number): ControlFile =>
    changed(
      'cpuset',
      name,
      ({ settings }) => settings[key],
      ({ settings }, text) => {
        if (text !== '' && !isNumberList(text, count)) return -EINVAL;
        settings[key] = text;
        return 0;
      },
    );
  return [
    list('cpuset.cpus', 'cpusetCpus', kernel.cpuCount),
    { ...shown('cpuset', 'cpuset.cpus.effective', (c) => effective(c, 'cpusetCpus', allCpus)), isOnRoot: true },
    list('cpuset.mems', 'cpusetMems', 1),
    { ...shown('cpuset', 'cpuset.mems.effective', (c) => effective(c, 'cpusetMems', '0')), isOnRoot: true },
  ];
}

function memoryFiles(): ControlFile[] {
  const limit = (name: string, key: NumberSetting): ControlFile => number('memory', name, key, parseBytes);
  const events = (): string => 'low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\noom_group_kill 0';
  return [
    shown('memory', 'memory.current', (cgroup) => String(cgroup.memoryBytes)),
    shown('memory', 'memory.events', events),
    shown('memory', 'memory.events.local', events),
    limit('memory.high', 'memoryHighBytes'),
    limit('memory.low', 'memoryLowBytes'),
    limit('memory.max', 'memoryMaxBytes'),
    limit('memory.min', 'memoryMinBytes'),
    changed(
      'memory',
      'memory.oom.group',
      ({ settings }) => (settings.isOomGroup ? '1' : '0'),
      ({ settings }, text) => {
        if (text !== '0' && text !== '1') return -EINVAL;
        settings.isOomGroup = text === '1';
        return 0;
      },
    ),
    shown('memory', 'memory.peak', (cgroup) => String(Math.max(cgroup.memoryBytes, cgroup.peakMemoryBytes))),
    { ...shown('memory', 'memory.stat', memoryStat), isOnRoot: true },
    shown('memory', 'memory.swap.current', () => '0'),
    shown('memory', 'memory.swap.events', () => 'high 0\nmax 0\nfail 0'),
    limit('memory.swap.high', 'swapHighBytes'),
    limit('memory.swap.max', 'swapMaxBytes'),
  ];
}

/** What programs look for in memory.stat: all that a process has touched counts as its own. */
function memoryStat(cgroup: Cgroup): string {
  const anon = cgroup.memoryBytes;
  const rows = { anon, file: 0, kernel: 0, kernel_stack: 0, pagetables: 0, shmem: 0, file_mapped: 0, file_dirty: 0 };
  const lists = { inactive_anon: 0, active_anon: anon, inactive_file: 0, active_file: 0, unevictable: 0, slab: 0 };
  const counts = { workingset_refault_anon: 0, workingset_refault_file: 0, pgfault: 0, pgmajfault: 0 };
  return Object.entries({ ...rows, ...lists, ...counts })
    .map(([name, value]) => `${name} ${value}`)
    .join('\n');
}

/** A file that tells something; `make` gives its lines without the last newline. */
function shown(controller: Controller, name: string, make: (cgroup: Cgroup) => string): ControlFile {
  return { name, controller, isOnRoot: false, read: (cgroup) => `${make(cgroup)}\n` };
}

function changed(
  controller: Controller,
  name: string,
  make: (cgroup: Cgroup) => string,
  write: (cgroup: Cgroup, text: string) => 0 | Errno,
): ControlFile {
  return { ...shown(controller, name, make), write };
}

/** A number of the settings; `parse` gives an errno for what it cannot be. */
function number(
  controller: Controller,
  name: string,
  key: NumberSetting,
  parse: (text: string) => number,
): ControlFile {
  return changed(
    controller,
    name,
    ({ settings }) => limitText(settings[key]),
    ({ settings }, text) => {
      const value = parse(text);
      if (value < 0) return value;
      settings[key] = value;
      return 0;
    },
  );
}
