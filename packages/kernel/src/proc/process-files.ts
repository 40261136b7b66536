import { RLIM_INFINITY, SECCOMP_MODE_DISABLED, SECCOMP_MODE_FILTER } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import type { CapSet } from '../cred/cap-set.js';
import type { Mm } from '../mm/mm.js';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import type { SigSet } from '../signal/sig-set.js';
import { TaskState, type Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import { cpuList, cpuMask, cpusOf } from './cpu-set.js';

/** Clock ticks a second that proc(5) counts in, sysconf(_SC_CLK_TCK). */
export const USER_HZ = 100;
const ticks = (ms: number): number => Math.floor((ms * USER_HZ) / 1000);

/** State letter of proc_pid_stat(5). */
export function stateLetter(task: Task): string {
  switch (task.state) {
    case TaskState.RUNNING:
    case TaskState.WOKEN:
      return 'R';
    case TaskState.BLOCKED:
      return 'S';
    case TaskState.STOPPED:
      return 'T';
    case TaskState.TRACED:
      return 't';
    case TaskState.ZOMBIE:
      return 'Z';
    case TaskState.DEAD:
      return 'X';
  }
}

const STATE_NAMES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  T: 'stopped',
  t: 'tracing stop',
  Z: 'zombie',
  X: 'dead',
};

/** The Mm of a task that has one: a zombie shows none. */
export function mmOf(task: Task): Mm | null {
  return task.hasExited ? null : task.mm;
}

/** /proc/PID/stat, proc_pid_stat(5). */
export function formatStat(task: Task, isThread: boolean, ns: PidNamespace): string {
  const tg = task.threadGroup;
  const mm = mmOf(task);
  const session = tg.session;
  const times = isThread ? task.times : processTimes(tg);
  const { blocked, caught, ignored, pending } = signalSets(task);
  const fields: (number | string)[] = [
    task.threadPid.in(ns),
    `(${task.comm})`,
    stateLetter(task),
    tg.parent?.pidIn(ns) ?? 0,
    tg.processGroup.id.in(ns),
    session.id.in(ns),
    session.tty?.rdev ?? 0,
    session.foregroundGroup?.id.in(ns) ?? -1,
    0x400000, // PF_RANDOMIZE, which every program of ours has.
    ...[0, 0, 0, 0],
    ticks(times.userMs),
    ticks(times.systemMs),
    ticks(tg.childTimes.userMs),
    ticks(tg.childTimes.systemMs),
    20 + task.scheduling.nice,
    task.scheduling.nice,
    Math.max(1, tg.liveCount),
    0,
    ticks(tg.startMs - tg.kernel.bootMs),
    mm?.vmBytes ?? 0,
    mm === null ? 0 : Math.floor(mm.residentBytes() / PAGE_BYTES),
    limitText(tg.limits.soft(RLIMIT_RSS), '18446744073709551615'),
    ...[mm === null ? 0 : 1, mm === null ? 0 : 1],
    mm?.stackStart ?? 0,
    ...[0, 0],
    ...[pending, blocked, ignored, caught].map((low) => low & 0x7fffffff),
    ...[0, 0, 0],
    tg.exitSignal,
    ...[0, task.scheduling.priority, task.scheduling.policy, 0, 0, 0],
    ...[0, 0, mm?.brkStart ?? 0, mm?.argStart ?? 0, mm?.argEnd ?? 0, mm?.envStart ?? 0, mm?.envEnd ?? 0],
    tg.exitStatus,
  ];
  return `${fields.join(' ')}\n`;
}

const RLIMIT_RSS = 5;

function processTimes(tg: ThreadGroup): { userMs: number; systemMs: number } {
  let { userMs, systemMs } = tg.exitedTimes;
  for (const task of tg.tasks) {
    userMs += task.times.userMs;
    systemMs += task.times.systemMs;
  }
  return { userMs, systemMs };
}

function signalSets(task: Task): { pending: number; blocked: number; ignored: number; caught: number } {
  const { ignored, caught } = dispositions(task);
  return {
    pending: task.signals.pending.set.low,
    blocked: task.signals.blocked.low,
    ignored: ignored[0],
    caught: caught[0],
  };
}

/** Which signals the process ignores and which it handles, as low and high halves. */
function dispositions(task: Task): { ignored: [number, number]; caught: [number, number] } {
  const ignored: [number, number] = [0, 0];
  const caught: [number, number] = [0, 0];
  for (let signo = 1; signo <= 64; signo++) {
    const { handlerAddr } = task.threadGroup.signalActions.get(signo);
    if (handlerAddr === 0) continue;
    const set = handlerAddr === 1 ? ignored : caught;
    const half = signo <= 32 ? 0 : 1;
    set[half] = (set[half] | (1 << ((signo - 1) & 31))) >>> 0;
  }
  return { ignored, caught };
}

/** /proc/PID/statm, proc_pid_statm(5). */
export function formatStatm(task: Task): string {
  const mm = mmOf(task);
  if (mm === null) return '0 0 0 0 0 0 0\n';
  const pages = Math.ceil(mm.vmBytes / PAGE_BYTES);
  const resident = Math.floor(mm.residentBytes() / PAGE_BYTES);
  return `${pages} ${resident} 0 0 0 ${resident} 0\n`;
}

/** /proc/PID/status, proc_pid_status(5). */
export function formatStatus(task: Task, ns: PidNamespace): string {
  const tg = task.threadGroup;
  const creds = task.creds;
  const letter = stateLetter(task);
  const mm = mmOf(task);
  const { ignored, caught } = dispositions(task);
  const cpus = cpusOf(task.scheduling.affinity, tg.kernel.cpuCount);
  const nsNumbers = (id: { in: (ns: PidNamespace) => number; numbers: readonly number[] }): string =>
    id.numbers.slice(ns.level).join('\t');
  const lines: [string, string][] = [
    ['Name', escapeName(task.comm)],
    ['Umask', `0${(task.hasExited ? 0 : task.umask).toString(8).padStart(3, '0')}`],
    ['State', `${letter} (${STATE_NAMES[letter]!})`],
    ['Tgid', String(tg.pidIn(ns))],
    ['Ngid', '0'],
    ['Pid', String(task.threadPid.in(ns))],
    ['PPid', String(tg.parent?.pidIn(ns) ?? 0)],
    ['TracerPid', String(task.tracing?.tracer.pidIn(ns) ?? 0)],
    ['Uid', [creds.uid, creds.euid, creds.suid, creds.fsuid].join('\t')],
    ['Gid', [creds.gid, creds.egid, creds.sgid, creds.fsgid].join('\t')],
    ['FDSize', String(task.hasExited ? 0 : task.fds.capacity)],
    ['Groups', creds.groups.map((gid) => `${gid} `).join('')],
    ['NStgid', nsNumbers(tg.leader.threadPid)],
    ['NSpid', nsNumbers(task.threadPid)],
    ['NSpgid', nsNumbers(tg.processGroup.id)],
    ['NSsid', nsNumbers(tg.session.id)],
    ...(mm === null ? [] : memoryLines(mm)),
    ['Threads', String(Math.max(1, tg.liveCount))],
    ['SigQ', `0/${limitText(tg.limits.soft(RLIMIT_SIGPENDING), '18446744073709551615')}`],
    ['SigPnd', hexSet(task.signals.pending.set)],
    ['ShdPnd', hexSet(tg.pending.set)],
    ['SigBlk', hexSet(task.signals.blocked)],
    ['SigIgn', hexHalves(ignored[0], ignored[1])],
    ['SigCgt', hexHalves(caught[0], caught[1])],
    ['CapInh', hexCaps(creds.inheritable)],
    ['CapPrm', hexCaps(creds.permitted)],
    ['CapEff', hexCaps(creds.effective)],
    ['CapBnd', hexCaps(creds.bounding)],
    ['CapAmb', hexCaps(creds.ambient)],
    ['NoNewPrivs', task.hasNoNewPrivs ? '1' : '0'],
    ['Seccomp', String(task.seccomp === null ? SECCOMP_MODE_DISABLED : SECCOMP_MODE_FILTER)],
    ['Seccomp_filters', String(filterCountOf(task))],
    ['Speculation_Store_Bypass', 'thread vulnerable'],
    ['Cpus_allowed', cpuMask(cpus, tg.kernel.cpuCount)],
    ['Cpus_allowed_list', cpuList(cpus)],
    ['Mems_allowed', '1'],
    ['Mems_allowed_list', '0'],
    ['voluntary_ctxt_switches', String(task.voluntarySwitchCount)],
    ['nonvoluntary_ctxt_switches', '0'],
  ];
  return lines.map(([name, value]) => `${name}:\t${value}\n`).join('');
}

const RLIMIT_SIGPENDING = 11;

function memoryLines(mm: Mm): [string, string][] {
  const kb = (bytes: number): string => `${Math.ceil(bytes / 1024)} kB`.padStart(11);
  const residentBytes = mm.residentBytes();
  return [
    ['VmPeak', kb(mm.vmBytes)],
    ['VmSize', kb(mm.vmBytes)],
    ['VmLck', kb(0)],
    ['VmPin', kb(0)],
    ['VmHWM', kb(residentBytes)],
    ['VmRSS', kb(residentBytes)],
    ['RssAnon', kb(residentBytes)],
    ['RssFile', kb(0)],
    ['RssShmem', kb(0)],
    ['VmSwap', kb(0)],
  ];
}

const hexHalves = (low: number, high: number): string =>
  (high >>> 0).toString(16).padStart(8, '0') + (low >>> 0).toString(16).padStart(8, '0');
const hexSet = (set: SigSet): string => hexHalves(set.low, set.high);
const hexCaps = (set: CapSet): string => hexHalves(set.low, set.high);

/** A command name with newline and backslash as `\n` and `\\`, as Linux writes it. */
function escapeName(comm: string): string {
  return comm.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function limitText(value: number, unlimited: string): string {
  return value === RLIM_INFINITY ? unlimited : String(value);
}

const LIMIT_ROWS = [
  ['Max cpu time', 'seconds', 0],
  ['Max file size', 'bytes', 1],
  ['Max data size', 'bytes', 2],
  ['Max stack size', 'bytes', 3],
  ['Max core file size', 'bytes', 4],
  ['Max resident set', 'bytes', 5],
  ['Max processes', 'processes', 6],
  ['Max open files', 'files', 7],
  ['Max locked memory', 'bytes', 8],
  ['Max address space', 'bytes', 9],
  ['Max file locks', 'locks', 10],
  ['Max pending signals', 'signals', 11],
  ['Max msgqueue size', 'bytes', 12],
  ['Max nice priority', '', 13],
  ['Max realtime priority', '', 14],
  ['Max realtime timeout', 'us', 15],
] as const;

/** /proc/PID/limits, proc_pid_limits(5). */
export function formatLimits(tg: ThreadGroup): string {
  const row = (a: string, b: string, c: string, d: string): string =>
    `${a.padEnd(25)} ${b.padEnd(20)} ${c.padEnd(20)} ${d.padEnd(10)}\n`;
  let text = row('Limit', 'Soft Limit', 'Hard Limit', 'Units');
  for (const [name, unit, resource] of LIMIT_ROWS) {
    const soft = limitText(tg.limits.soft(resource), 'unlimited');
    text += row(name, soft, limitText(tg.limits.hard(resource), 'unlimited'), unit);
  }
  return text;
}

/** /proc/PID/io, proc_pid_io(5): nothing is counted yet, so all is zero. */
export function formatIo(): string {
  const names = ['rchar', 'wchar', 'syscr', 'syscw', 'read_bytes', 'write_bytes', 'cancelled_write_bytes'];
  return names.map((name) => `${name}: 0\n`).join('');
}

/** The bytes of guest memory `[start, end)` as a byte string, at most `bytesMax`; empty when they cannot be read. */
export function readRange(mm: Mm, start: number, end: number, bytesMax: number): string {
  const len = Math.max(0, Math.min(end - start, bytesMax));
  const bytes = new Uint8Array(len);
  if (len === 0 || mm.copyIn(bytes, 0, start, len) !== 0) return '';
  let text = '';
  for (let at = 0; at < len; at += 4096) text += String.fromCharCode(...bytes.subarray(at, Math.min(len, at + 4096)));
  return text;
}

/** /proc/PID/auxv: the vector as execve(2) made it. */
export function formatAuxv(mm: Mm): string {
  return String.fromCharCode(...mm.auxv);
}

/** Filters that a task has, those of its ancestors too. */
function filterCountOf(task: Task): number {
  let count = 0;
  for (let filter = task.seccomp; filter !== null; filter = filter.previous) count++;
  return count;
}
