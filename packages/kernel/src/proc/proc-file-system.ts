import { ENOENT, S_IFDIR, type Errno } from '@tsv/abi';
import {
  StaticSymlink,
  SyntheticDirectory,
  SyntheticFileSystem,
  type Caller,
  type DynamicEntrySink,
  type Inode,
} from '@tsv/vfs';
import { CONTROLLERS } from '../cgroup/cgroup-settings.js';
import type { Kernel } from '../kernel.js';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import { Task } from '../task/task.js';
import { GeneratedFile, GeneratedSymlink } from './generated-file.js';
import { ProcessDirectory } from './process-directory.js';
import { SysctlDirectory } from './sysctl-directory.js';
import { createSysvipcDirectory } from './sysvipc-directory.js';
import {
  formatCpuinfo,
  formatLoadavg,
  formatMeminfo,
  formatStat,
  formatUptime,
  formatVersion,
  type CpuDescription,
} from './system-files.js';

/** PROC_SUPER_MAGIC, statfs(2). */
const PROC_SUPER_MAGIC = 0x9fa0;
/** Number of the first namespace that is shown, as Linux's. */
const NAMESPACE_INO_FIRST = 4026531835;

/** What an instance of procfs shows. */
export interface ProcOptions {
  readonly kernel: Kernel;
  readonly pidNs: PidNamespace;
  readonly dev: number;
  readonly cpu: CpuDescription;
}

/** proc(5), for one PID namespace. */
export class ProcFileSystem extends SyntheticFileSystem {
  readonly kernel: Kernel;
  readonly pidNs: PidNamespace;
  readonly root: SyntheticDirectory;
  readonly #processes = new WeakMap<Task, ProcessDirectory>();
  readonly #threads = new WeakMap<Task, ProcessDirectory>();
  readonly #namespaces = new WeakMap<object, Map<string, number>>();
  #lastNamespaceIno = NAMESPACE_INO_FIRST;

  constructor(options: ProcOptions) {
    super({
      typeName: 'proc',
      magic: PROC_SUPER_MAGIC,
      dev: options.dev,
      clock: options.kernel.clock,
      mustRevalidate: true,
    });
    this.kernel = options.kernel;
    this.pidNs = options.pidNs;
    this.root = createRoot(this, options.cpu);
  }

  /** /proc/PID of the process that `leader` leads. */
  processDirectory(leader: Task): ProcessDirectory {
    return this.#directory(this.#processes, leader, false);
  }

  /** /proc/PID/task/TID. */
  threadDirectory(task: Task): ProcessDirectory {
    return this.#directory(this.#threads, task, true);
  }

  /** The number by which a namespace is known in /proc/PID/ns. */
  namespaceIno(namespace: object, kind: string): number {
    let byKind = this.#namespaces.get(namespace);
    if (byKind === undefined) {
      byKind = new Map();
      this.#namespaces.set(namespace, byKind);
    }
    let ino = byKind.get(kind);
    if (ino === undefined) {
      ino = this.#lastNamespaceIno++;
      byKind.set(kind, ino);
    }
    return ino;
  }

  #directory(known: WeakMap<Task, ProcessDirectory>, task: Task, isThread: boolean): ProcessDirectory {
    let directory = known.get(task);
    if (directory === undefined) {
      directory = new ProcessDirectory(this, task, isThread);
      known.set(task, directory);
    }
    return directory;
  }
}

/** The process that asks, as `ns` numbers it, or -ENOENT for a caller that is none (the kernel's own). */
function callerPid(caller: Caller, ns: PidNamespace): number {
  if (!(caller instanceof Task)) return -ENOENT;
  const pid = caller.threadGroup.pidIn(ns);
  return pid === 0 ? -ENOENT : pid;
}

class ProcRoot extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;

  protected override lookupDynamic(name: string): Inode | Errno {
    if (!/^[1-9]\d{0,9}$/.test(name)) return -ENOENT;
    const task = this.fs.pidNs.lookup(Number(name))?.task;
    if (task == null) return -ENOENT;
    // A thread's ID leads to its process, though it is not listed, proc(5).
    return this.fs.processDirectory(task.threadGroup.leader);
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    const numbers: number[] = [];
    for (const pid of this.fs.pidNs.pids()) {
      if (pid.task?.isLeader === true) numbers.push(pid.in(this.fs.pidNs));
    }
    numbers.sort((a, b) => a - b);
    for (const number of numbers) {
      if (number >= fromKey && !take(number, String(number), PROCESS_INO_BASE + number, S_IFDIR)) return;
    }
  }
}

/** Inode numbers of process directories in listings. */
const PROCESS_INO_BASE = 0x4000_0000;

function createRoot(fs: ProcFileSystem, cpu: CpuDescription): ProcRoot {
  const { kernel } = fs;
  const root = new ProcRoot(fs, 0o555);
  const file = (name: string, make: (caller: Caller) => string | Errno, permissions?: number): void => {
    root.add(name, new GeneratedFile(fs, make, permissions));
  };
  root.add(
    'self',
    new GeneratedSymlink(fs, (caller) => {
      const pid = callerPid(caller, fs.pidNs);
      return pid < 0 ? pid : String(pid);
    }),
  );
  root.add(
    'thread-self',
    new GeneratedSymlink(fs, (caller) => {
      const pid = callerPid(caller, fs.pidNs);
      if (pid < 0 || !(caller instanceof Task)) return -ENOENT;
      return `${pid}/task/${caller.threadPid.in(fs.pidNs)}`;
    }),
  );
  file('cgroups', () => formatCgroups(kernel));
  file('cmdline', () => 'tsv\n');
  file('cpuinfo', () => formatCpuinfo(cpu, kernel.cpuCount));
  file('devices', () => formatDevices(kernel));
  file('filesystems', () => formatFilesystems(kernel));
  file('loadavg', () => formatLoadavg(kernel));
  file('meminfo', () => formatMeminfo(kernel));
  file('modules', () => '');
  root.add('mounts', new StaticSymlink(fs, 'self/mounts'));
  root.add('net', new StaticSymlink(fs, 'self/net'));
  file('stat', () => formatStat(kernel));
  file('swaps', () => 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
  root.add('sys', new SysctlDirectory(fs));
  root.add('sysvipc', createSysvipcDirectory(fs));
  file('sysrq-trigger', () => '', 0o200);
  file('uptime', () => formatUptime(kernel));
  file('version', () => formatVersion());
  file('vmstat', () => `nr_free_pages ${Math.floor(kernel.totalMemoryBytes / 4096)}\n`);
  return root;
}

function formatDevices(kernel: Kernel): string {
  const rows = kernel.vfs.devices.charMajorNames.map(([major, name]) => `${String(major).padStart(3)} ${name}\n`);
  return `Character devices:\n${rows.join('')}\nBlock devices:\n`;
}

/** The controllers, cgroups(7): all belong to the unified hierarchy. */
function formatCgroups({ rootCgroup }: Kernel): string {
  const count = rootCgroup.descendantCount + 1;
  const rows = CONTROLLERS.map((name) => `${name}\t0\t${count}\t1\n`);
  return `#subsys_name\thierarchy\tnum_cgroups\tenabled\n${rows.join('')}`;
}

function formatFilesystems(kernel: Kernel): string {
  return kernel.vfs.typeNames.map((name) => `nodev\t${name}\n`).join('');
}
