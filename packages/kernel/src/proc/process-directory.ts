import { CAP_SYS_PTRACE, EACCES, EINVAL, ENOENT, EPERM, S_IFDIR, type Errno } from '@tsv/abi';
import {
  SyntheticDirectory,
  SyntheticSymlink,
  type Caller,
  type DynamicEntrySink,
  type Inode,
  type VfsPath,
} from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import type { Mm } from '../mm/mm.js';
import { writeGidMap, writeSetgroups, writeUidMap } from '../namespace/id-map.js';
import type { UserNamespace } from '../namespace/user-namespace.js';
import { Task } from '../task/task.js';
import { FdDirectory, FdInfoDirectory } from './fd-directory.js';
import { GeneratedFile, SettableFile, parseSetting } from './generated-file.js';
import { formatMountinfo, formatMounts } from './mount-files.js';
import {
  formatAuxv,
  formatIo,
  formatLimits,
  formatStat,
  formatStatm,
  formatStatus,
  mmOf,
  readRange,
} from './process-files.js';
import { formatMaps, formatSmaps } from './maps-files.js';
import { MemFile } from './mem-file.js';
import { NetDirectory } from './net/net-directory.js';
import { NamespaceDirectory } from './namespace-directory.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** Bytes of cmdline and environ that are shown. */
const STRINGS_BYTES_MAX = 1 << 20;

/** Whether `caller` may look into the memory and files of `task`, ptrace(2) "Ptrace access mode checking". */
export function mayInspect(task: Task, caller: Caller): boolean {
  if (caller.creds.hasCap(CAP_SYS_PTRACE)) return true;
  const { uid, euid, suid } = task.creds;
  const fsuid = caller.creds.fsuid;
  return fsuid === uid && fsuid === euid && fsuid === suid && task.threadGroup.dumpable === 1;
}

/** /proc/PID and /proc/PID/task/TID, proc_pid(5). */
export class ProcessDirectory extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;
  readonly task: Task;
  /** /proc/PID/task/TID. */
  readonly isThread: boolean;

  constructor(fs: ProcFileSystem, task: Task, isThread: boolean) {
    super(fs, 0o555);
    this.task = task;
    this.isThread = isThread;
    this.refresh();
    const file = (make: (caller: Caller) => string | Errno, permissions?: number): GeneratedFile =>
      new GeneratedFile(fs, make, permissions);
    const inspected = (make: (mm: Mm, caller: Caller) => string, permissions = 0o444): GeneratedFile =>
      new GeneratedFile(fs, (caller) => this.#inspect(make, caller), permissions);
    const ns = fs.pidNs;

    this.add('auxv', inspected(formatAuxv, 0o400));
    this.add(
      'cgroup',
      file((caller) => formatCgroup(task, caller)),
    );
    this.add(
      'cmdline',
      file(() => commandLine(task)),
    );
    this.add(
      'comm',
      new SettableFile(
        fs,
        () => `${task.comm}\n`,
        (text) => setComm(task, text),
      ),
    );
    this.add('cwd', new TaskLink(fs, task, (t) => t.cwd));
    this.add(
      'environ',
      inspected((mm) => readRange(mm, mm.envStart, mm.envEnd, STRINGS_BYTES_MAX), 0o400),
    );
    this.add('exe', new TaskLink(fs, task, (t) => t.mm.exeFile?.path ?? null));
    this.add('fd', new FdDirectory(fs, task));
    this.add('fdinfo', new FdInfoDirectory(fs, task));
    this.add(
      'gid_map',
      idSetting(fs, task, () => idMap(task.creds.userNs.gidMap), writeGidMap),
    );
    this.add('io', file(formatIo, 0o400));
    this.add(
      'limits',
      file(() => formatLimits(task.threadGroup)),
    );
    this.add('maps', inspected(formatMaps));
    this.add('mem', new MemFile(fs, task));
    this.add(
      'mountinfo',
      file((caller) => formatMountinfo(task, caller)),
    );
    this.add(
      'mounts',
      file((caller) => formatMounts(task, caller)),
    );
    this.add('net', new NetDirectory(fs, () => task.ns.net));
    this.add('ns', new NamespaceDirectory(fs, task));
    this.add(
      'oom_adj',
      file(() => '0\n'),
    );
    this.add(
      'oom_score',
      file(() => '0\n'),
    );
    this.add('oom_score_adj', oomScoreAdj(fs, task));
    this.add(
      'personality',
      file(() => `${task.personality.toString(16).padStart(8, '0')}\n`, 0o400),
    );
    this.add('root', new TaskLink(fs, task, (t) => t.root));
    this.add(
      'sched',
      file(() => `${task.comm} (${task.tid}, #threads: ${task.threadGroup.liveCount})\n`),
    );
    this.add(
      'setgroups',
      idSetting(fs, task, () => (task.creds.userNs.isSetgroupsAllowed ? 'allow\n' : 'deny\n'), writeSetgroups),
    );
    this.add('smaps', inspected(formatSmaps));
    this.add(
      'stat',
      file(() => formatStat(task, isThread, ns)),
    );
    this.add(
      'statm',
      file(() => formatStatm(task)),
    );
    this.add(
      'status',
      file(() => formatStatus(task, ns)),
    );
    this.add(
      'uid_map',
      idSetting(fs, task, () => idMap(task.creds.userNs.uidMap), writeUidMap),
    );
    this.add(
      'wchan',
      file(() => '0'),
    );
    if (!isThread) this.add('task', new ThreadsDirectory(fs, task));
    else
      this.add(
        'children',
        file(() => childList(task, fs)),
      );
  }

  override refresh(): number {
    const isOwn = this.task.threadGroup.dumpable === 1;
    this.uid = isOwn ? this.task.creds.euid : 0;
    this.gid = isOwn ? this.task.creds.egid : 0;
    return 0;
  }

  #inspect(make: (mm: Mm, caller: Caller) => string, caller: Caller): string | Errno {
    const mm = mmOf(this.task);
    if (mm === null) return '';
    return mayInspect(this.task, caller) ? make(mm, caller) : -EACCES;
  }
}

/** Arguments as the process has them now; empty for a zombie. */
function commandLine(task: Task): string {
  const mm = mmOf(task);
  return mm === null ? '' : readRange(mm, mm.argStart, mm.argEnd, STRINGS_BYTES_MAX);
}

/** The cgroup as whoever reads sees it, cgroups(7). */
function formatCgroup(task: Task, caller: Caller): string {
  const { cgroup } = task.threadGroup;
  const { root } = (caller instanceof Task ? caller : task).ns.cgroup;
  return `0::${cgroup.pathFrom(root)}${cgroup.isRemoved ? ' (deleted)' : ''}\n`;
}

function setComm(task: Task, text: string): 0 {
  task.comm = text.slice(0, 15);
  return 0;
}

function oomScoreAdj(fs: ProcFileSystem, task: Task): SettableFile {
  return new SettableFile(
    fs,
    () => `${task.threadGroup.oomScoreAdj}\n`,
    (text) => {
      const value = parseSetting(text, -1000, 1000);
      if (value === -EINVAL) return -EINVAL;
      task.threadGroup.oomScoreAdj = value;
      return 0;
    },
  );
}

/** A file of user_namespaces(7) that says how IDs are mapped. */
function idSetting(
  fs: ProcFileSystem,
  task: Task,
  make: () => string,
  write: (ns: UserNamespace, text: string, writer: Credentials) => 0 | Errno,
): SettableFile {
  return new SettableFile(fs, make, (text, caller) =>
    caller.creds instanceof Credentials ? write(task.creds.userNs, text, caller.creds) : -EPERM,
  );
}

function idMap(map: readonly { firstInside: number; firstKernel: number; count: number }[] | null): string {
  const cell = (value: number): string => String(value).padStart(10);
  return (map ?? []).map((r) => `${cell(r.firstInside)} ${cell(r.firstKernel)} ${cell(r.count)}\n`).join('');
}

function childList(task: Task, fs: ProcFileSystem): string {
  if (!task.isLeader) return '';
  return [...task.threadGroup.children].map((child) => `${child.pidIn(fs.pidNs)} `).join('');
}

/** A magic link to a place of a task: its root, its working directory, its program. */
class TaskLink extends SyntheticSymlink {
  declare readonly fs: ProcFileSystem;
  readonly #task: Task;
  readonly #path: (task: Task) => VfsPath | null;

  constructor(fs: ProcFileSystem, task: Task, path: (task: Task) => VfsPath | null) {
    super(fs);
    this.#task = task;
    this.#path = path;
  }

  override followMagic(caller: Caller): VfsPath | Errno {
    const path = this.#find(caller);
    if (typeof path !== 'number') path.incRef();
    return path;
  }

  readlink(caller: Caller): string | Errno {
    const path = this.#find(caller);
    return typeof path === 'number' ? path : this.fs.kernel.vfs.pathText(path, caller.root);
  }

  #find(caller: Caller): VfsPath | Errno {
    if (this.#task.hasExited) return -ENOENT;
    if (!mayInspect(this.#task, caller)) return -EACCES;
    return this.#path(this.#task) ?? -ENOENT;
  }
}

/** /proc/PID/task. */
class ThreadsDirectory extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;
  readonly #leader: Task;

  constructor(fs: ProcFileSystem, leader: Task) {
    super(fs, 0o555);
    this.#leader = leader;
  }

  protected override lookupDynamic(name: string): Inode | Errno {
    const task = /^[1-9]\d{0,9}$/.test(name) ? this.fs.pidNs.lookup(Number(name))?.task : null;
    if (task == null || task.threadGroup !== this.#leader.threadGroup) return -ENOENT;
    return this.fs.threadDirectory(task);
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    const ids = this.#leader.threadGroup.tasks.map((task) => task.threadPid.in(this.fs.pidNs)).sort((a, b) => a - b);
    for (const id of ids) if (id >= fromKey && !take(id, String(id), id + TASK_INO_BASE, S_IFDIR)) return;
  }
}

/** Inode numbers of thread directories in listings. */
const TASK_INO_BASE = 0x1000_0000;
