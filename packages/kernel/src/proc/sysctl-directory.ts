import { CAP_SYS_ADMIN, EINVAL, EPERM, type Errno } from '@tsv/abi';
import { SyntheticDirectory, type Caller, type DirentSink, type Inode } from '@tsv/vfs';
import { PAGE_BYTES } from '@tsv/platform';
import { INOTIFY_INSTANCE_MAX, PIPE_PAGES_MAX } from '../fd/anonymous-files.js';
import {
  MESSAGE_QUEUES_MAX,
  SEMAPHORES_MAX,
  SEMAPHORES_PER_SET_MAX,
  SEMAPHORE_OPERATIONS_MAX,
  SEMAPHORE_SETS_MAX,
  SHM_PAGES_MAX,
  SHM_SEGMENTS_MAX,
} from '../ipc/ipc-limits.js';
import type { Kernel } from '../kernel.js';
import { PID_MAX } from '../namespace/pid-namespace.js';
import { THREAD_COUNT_MAX } from '../task/process-limit.js';
import { Task } from '../task/task.js';
import { GeneratedFile, SettableFile, parseSetting } from './generated-file.js';
import { netSysctls } from './net/net-sysctl.js';
import { coreSysctls } from './core-sysctl.js';
import { mqueueSysctls } from './mqueue-sysctl.js';
import type { ProcFileSystem } from './proc-file-system.js';
import { OS_RELEASE } from './system-files.js';

/** Settings that programs read and that nothing here depends on. */
const FIXED: Readonly<Record<string, string>> = {
  'fs/file-max': '9223372036854775807',
  'fs/file-nr': '0\t0\t9223372036854775807',
  'fs/inotify/max_queued_events': '16384',
  'fs/inotify/max_user_instances': `${INOTIFY_INSTANCE_MAX}`,
  'fs/inotify/max_user_watches': '65536',
  'fs/nr_open': '1048576',
  'fs/pipe-max-size': '1048576',
  'fs/pipe-user-pages-hard': '0',
  'fs/pipe-user-pages-soft': `${PIPE_PAGES_MAX}`,
  'kernel/cap_last_cap': '40',
  'kernel/msgmax': '8192',
  'kernel/msgmnb': '16384',
  'kernel/msgmni': String(MESSAGE_QUEUES_MAX),
  'kernel/ngroups_max': '65536',
  'kernel/osrelease': OS_RELEASE,
  'kernel/ostype': 'Linux',
  'kernel/overflowgid': '65534',
  'kernel/overflowuid': '65534',
  'kernel/pid_max': String(PID_MAX),
  'kernel/randomize_va_space': '2',
  'kernel/sched_autogroup_enabled': '0',
  'kernel/seccomp/actions_avail': 'kill_process kill_thread trap errno trace log allow',
  'kernel/sem': [SEMAPHORES_PER_SET_MAX, SEMAPHORES_MAX, SEMAPHORE_OPERATIONS_MAX, SEMAPHORE_SETS_MAX].join('\t'),
  'kernel/shm_rmid_forced': '0',
  'kernel/shmall': String(SHM_PAGES_MAX),
  'kernel/shmmax': String(SHM_PAGES_MAX * PAGE_BYTES),
  'kernel/shmmni': String(SHM_SEGMENTS_MAX),
  'kernel/threads-max': String(THREAD_COUNT_MAX),
  'kernel/version': '#1 SMP TSV',
  'kernel/yama/ptrace_scope': '0',
  'net/core/somaxconn': '4096',
  'net/core/rmem_max': '212992',
  'net/core/wmem_max': '212992',
  'net/core/rmem_default': '212992',
  'net/core/wmem_default': '212992',
  'net/ipv4/ip_local_port_range': '32768\t60999',
  'net/ipv4/tcp_rmem': '4096\t131072\t6291456',
  'net/ipv4/tcp_wmem': '4096\t16384\t4194304',
  'net/unix/max_dgram_qlen': '512',
  'vm/max_map_count': '65530',
  'vm/mmap_min_addr': '65536',
  'vm/nr_hugepages': '0',
  'vm/overcommit_memory': '0',
  'vm/overcommit_ratio': '50',
  'vm/swappiness': '60',
};

/** /proc/sys, proc_sys(5). What is in it is made when somebody looks: a container has its own, and most never do. */
export class SysctlDirectory extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;
  #isFilled = false;

  constructor(fs: ProcFileSystem) {
    super(fs, 0o555);
    this.nlink = 1; // As Linux shows it, whatever is in it.
  }

  override get(name: string): Inode | undefined {
    this.#fill();
    return super.get(name);
  }

  override lookup(name: string): Inode | Errno {
    this.#fill();
    return super.lookup(name);
  }

  override emitEntries(from: number, sink: DirentSink, caller: Caller): number {
    this.#fill();
    return super.emitEntries(from, sink, caller);
  }

  #fill(): void {
    if (this.#isFilled) return;
    this.#isFilled = true;
    fillSysctls(this.fs, this);
    this.nlink = 1;
  }
}

function fillSysctls(fs: ProcFileSystem, root: SysctlDirectory): void {
  for (const [path, value] of Object.entries(FIXED)) {
    add(fs, root, path, new GeneratedFile(fs, () => `${value}\n`));
  }
  for (const [path, file] of netSysctls(fs)) add(fs, root, `net/${path}`, file);
  for (const [name, file] of mqueueSysctls(fs)) add(fs, root, `fs/mqueue/${name}`, file);
  add(fs, root, 'kernel/hostname', hostname(fs, 'hostname'));
  add(fs, root, 'kernel/domainname', hostname(fs, 'domainname'));
  const bootId = uuid(fs.kernel);
  add(fs, root, 'kernel/random/boot_id', new GeneratedFile(fs, () => bootId));
  add(fs, root, 'kernel/random/uuid', new GeneratedFile(fs, () => uuid(fs.kernel)));
  add(fs, root, 'kernel/random/entropy_avail', new GeneratedFile(fs, () => '256\n'));
  add(fs, root, 'kernel/random/poolsize', new GeneratedFile(fs, () => '256\n'));
  for (const [name, file] of coreSysctls(fs)) add(fs, root, `kernel/${name}`, file);
  let panicSeconds = 0;
  add(
    fs,
    root,
    'kernel/panic',
    new SettableFile(
      fs,
      () => `${panicSeconds}\n`,
      (text) => {
        const value = parseSetting(text, -(2 ** 31), 2 ** 31 - 1);
        if (value === -EINVAL) return -EINVAL;
        panicSeconds = value;
        return 0;
      },
    ),
  );
}

function add(fs: ProcFileSystem, root: SyntheticDirectory, path: string, file: GeneratedFile): void {
  const words = path.split('/');
  const name = words.pop()!;
  let directory = root;
  for (const word of words) {
    let child = directory.get(word);
    if (child === undefined) {
      child = new SyntheticDirectory(fs, 0o555);
      directory.add(word, child);
    }
    if (!(child instanceof SyntheticDirectory)) throw new Error(`sysctl: "${word}" is a file`);
    directory = child;
  }
  directory.add(name, file);
}

/** A name of the UTS namespace of whoever asks. */
function hostname(fs: ProcFileSystem, field: 'hostname' | 'domainname'): SettableFile {
  const uts = (caller: Caller): { hostname: string; domainname: string } =>
    caller instanceof Task ? caller.ns.uts : fs.kernel.ns.uts;
  return new SettableFile(
    fs,
    (caller) => `${uts(caller)[field]}\n`,
    (text, caller): 0 | Errno => {
      if (!caller.creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
      if (text.length > HOSTNAME_BYTES_MAX) return -EINVAL;
      uts(caller)[field] = text;
      return 0;
    },
  );
}

/** __NEW_UTS_LEN. */
const HOSTNAME_BYTES_MAX = 64;

/** A random UUID, RFC 9562 section 5.4. */
function uuid(kernel: Kernel): string {
  const bytes = new Uint8Array(16);
  kernel.random(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}\n`;
}
