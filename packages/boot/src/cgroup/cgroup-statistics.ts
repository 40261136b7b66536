/** What a cgroup has used, in the units of runc's `events --stats`. */
export interface CgroupStatistics {
  readonly cpu: {
    readonly usageNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    readonly periodCount: number;
    readonly throttledPeriodCount: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    readonly usageBytes: number;
    readonly usageBytesMax: number;
    /** Infinity when there is none. */
    readonly limitBytes: number;
    readonly failCount: number;
    readonly cacheBytes: number;
    /** memory.stat as it is. */
    readonly raw: Readonly<Record<string, number>>;
  };
  /** `limit` is Infinity when there is none. */
  readonly pids: { readonly current: number; readonly limit: number };
}

/** Reads a file of a controller; empty when there is none. */
export type ReadControl = (controller: string, file: string) => string;

const NS_PER_US = 1000;
/** Files of version 1 give the time of a mode in clock ticks, sysconf(3) _SC_CLK_TCK. */
const NS_PER_TICK = 1e7;
/** Version 1 shows this or more, rounded to pages, for no limit. */
const UNLIMITED_FROM = 2 ** 62;

/** Statistics of version 1. */
export function statisticsV1(read: ReadControl): CgroupStatistics {
  const cpu = parsePairs(read('cpu', 'cpu.stat'));
  const modes = parsePairs(read('cpuacct', 'cpuacct.stat'));
  const memory = parsePairs(read('memory', 'memory.stat'));
  const limit = numberOf(read('memory', 'memory.limit_in_bytes'));
  return {
    cpu: {
      usageNs: numberOf(read('cpuacct', 'cpuacct.usage')),
      userNs: (modes['user'] ?? 0) * NS_PER_TICK,
      systemNs: (modes['system'] ?? 0) * NS_PER_TICK,
      periodCount: cpu['nr_periods'] ?? 0,
      throttledPeriodCount: cpu['nr_throttled'] ?? 0,
      throttledNs: cpu['throttled_time'] ?? 0,
    },
    memory: {
      usageBytes: numberOf(read('memory', 'memory.usage_in_bytes')),
      usageBytesMax: numberOf(read('memory', 'memory.max_usage_in_bytes')),
      limitBytes: limit >= UNLIMITED_FROM ? Infinity : limit,
      failCount: numberOf(read('memory', 'memory.failcnt')),
      cacheBytes: memory['cache'] ?? 0,
      raw: memory,
    },
    pids: pidsOf(read),
  };
}

/** Statistics of version 2. */
export function statisticsV2(read: ReadControl): CgroupStatistics {
  const cpu = parsePairs(read('cpu', 'cpu.stat'));
  const memory = parsePairs(read('memory', 'memory.stat'));
  const nsOf = (key: string): number => (cpu[key] ?? 0) * NS_PER_US;
  return {
    cpu: {
      usageNs: nsOf('usage_usec'),
      userNs: nsOf('user_usec'),
      systemNs: nsOf('system_usec'),
      periodCount: cpu['nr_periods'] ?? 0,
      throttledPeriodCount: cpu['nr_throttled'] ?? 0,
      throttledNs: nsOf('throttled_usec'),
    },
    memory: {
      usageBytes: numberOf(read('memory', 'memory.current')),
      usageBytesMax: numberOf(read('memory', 'memory.peak')),
      limitBytes: numberOf(read('memory', 'memory.max')),
      failCount: parsePairs(read('memory', 'memory.events'))['max'] ?? 0,
      cacheBytes: memory['file'] ?? 0,
      raw: memory,
    },
    pids: pidsOf(read),
  };
}

function pidsOf(read: ReadControl): { current: number; limit: number } {
  return { current: numberOf(read('pids', 'pids.current')), limit: numberOf(read('pids', 'pids.max')) };
}

/** A number on a line of its own; `max` is Infinity, nothing is 0. */
function numberOf(text: string): number {
  const word = text.trim();
  return word === 'max' ? Infinity : Number(word === '' ? 0 : word);
}

/** Lines of a name and a number. */
function parsePairs(text: string): Record<string, number> {
  const pairs: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [name, value] = line.split(' ');
    if (name !== undefined && value !== undefined) pairs[name] = Number(value);
  }
  return pairs;
}
