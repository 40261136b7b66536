import { AF_INET, AF_INET6, type Errno } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import { TimerQueue } from '@tsv/clock';
import { PAGE_BYTES, type MemoryFile, type Platform } from '@tsv/platform';
import { TmpfsFileSystem, VirtualFileSystem, registerMemoryDevices } from '@tsv/vfs';
import { Dispatcher } from './dispatcher.js';
import { Cgroup } from './cgroup/cgroup.js';
import type { CoreSettings } from './coredump/dump-core.js';
import { Keys } from './keys/keys.js';
import { handleFault } from './mm/fault.js';
import type { Vdso } from './mm/vdso.js';
import type { Strace } from './strace/strace.js';
import { syscallHandlers } from './syscalls/table.js';
import { AnonymousFiles } from './fd/anonymous-files.js';
import { fifoOpener } from './fd/fifo.js';
import { FutexTable } from './futex/futex-table.js';
import { CgroupNamespace } from './namespace/cgroup-namespace.js';
import { IpcNamespace } from './namespace/ipc-namespace.js';
import { NetNamespace } from './namespace/net-namespace.js';
import { NamespaceFiles } from './namespace/namespace-files.js';
import type { NsProxy } from './namespace/ns-proxy.js';
import { PidNamespace } from './namespace/pid-namespace.js';
import { UserNamespace } from './namespace/user-namespace.js';
import { createProcess, type CreateProcessArgs } from './task/create-process.js';
import { contextDied } from './task/exit.js';
import { InetFamily } from './socket/inet/inet-family.js';
import { NetStacks } from './socket/inet/net-stacks.js';
import { NetlinkFamily } from './socket/netlink/netlink-family.js';
import { PacketFamily } from './socket/packet/packet-family.js';
import { SocketFamilies } from './socket/socket-families.js';
import { devptsType } from './tty/devpts.js';
import { Ttys } from './tty/tty-devices.js';
import { UnixFamily } from './socket/unix/unix-family.js';
import type { Task } from './task/task.js';
import type { ThreadGroup } from './task/thread-group.js';
import { TaskSet } from './task/task-set.js';
import type { Timekeeper } from './time/timekeeper.js';
import { UnimplementedSyscalls } from './unimplemented-syscalls.js';
import { UtsNamespace } from './namespace/uts-namespace.js';

/** What the kernel needs from its surroundings. */
export interface KernelOptions {
  readonly platform: Platform;
  readonly memoryFile: MemoryFile;
  readonly clock: Clock;
  /** Fills `dst` with random bytes that no one can guess. */
  readonly random: (dst: Uint8Array) => void;
  readonly vdso: Vdso | null;
  /** CPUs that guests see. */
  readonly cpuCount: number;
  /** Memory that guests see. */
  readonly totalMemoryBytes: number;
  readonly hostname: string;
  /** Names of files that are remembered though nobody uses them; a default when absent. */
  readonly unusedDentriesMax?: number;
  /** A line for the log. */
  readonly log: (level: 'debug' | 'info' | 'warn' | 'error', message: string) => void;
}

/** Bytes of the scratch memory that handlers may use between two calls into other code. */
const SCRATCH_BYTES = 64 * 1024;

/** One kernel: all state of a sandbox. Single-threaded. */
export class Kernel {
  readonly platform: Platform;
  readonly memoryFile: MemoryFile;
  readonly clock: Clock;
  readonly random: (dst: Uint8Array) => void;
  readonly vdso: Vdso | null;
  /** Keeps the clock parameters of the vDSO; set at boot if the host's counter can be used. */
  timekeeper: Timekeeper | null = null;
  readonly cpuCount: number;
  readonly totalMemoryBytes: number;
  readonly log: KernelOptions['log'];
  readonly timers = new TimerQueue();
  readonly tasks: TaskSet;
  readonly userNs: UserNamespace;
  readonly pidNs: PidNamespace;
  /** The top of the tree of control groups, cgroups(7). */
  readonly rootCgroup = new Cgroup(null, '');
  /** The namespaces that processes of {@link createProcess} start in. */
  readonly ns: NsProxy;
  readonly futexes = new FutexTable();
  /** keyrings(7). */
  readonly keys: Keys;
  /** How core files are called, core(5). */
  readonly coreSettings: CoreSettings = { pattern: 'core', usesPid: false };
  /** The task whose handler runs, or ran last. Written by the dispatcher. */
  current: Task | null = null;
  readonly anonymousFiles: AnonymousFiles;
  readonly namespaceFiles: NamespaceFiles;
  /** What socket(2) can make; networks add theirs. */
  readonly socketFamilies = new SocketFamilies();
  readonly unixFamily: UnixFamily;
  /** The TCP/IP stacks of its network namespaces. */
  readonly netStacks: NetStacks;
  readonly vfs: VirtualFileSystem;
  /** /dev/tty, /dev/ptmx and devpts. */
  readonly ttys = new Ttys();
  /** Where the files of memfd_create(2) are. */
  readonly memfds: TmpfsFileSystem;
  /** Called when a process has exited, before it is reaped. Boot learns here how process 1 ended. */
  onExit: ((threadGroup: ThreadGroup) => void) | null = null;
  readonly dispatcher: Dispatcher;
  readonly unimplemented = new UnimplementedSyscalls();
  /** Logs system calls while set. */
  strace: Strace | null = null;
  /** For handlers to build and read structures in; its content does not survive a call into other code. */
  readonly scratch = new Uint8Array(SCRATCH_BYTES);
  readonly scratchView = new DataView(this.scratch.buffer);
  /** Monotonic milliseconds at boot. */
  readonly bootMs: number;

  readonly #tasksByContext: (Task | null)[] = [];
  readonly #woken: (Task | null)[] = [];
  #wokenHead = 0;
  /** Where the next goes: the array keeps its room, which V8 takes from one that is emptied. */
  #wokenCount = 0;

  constructor(options: KernelOptions) {
    this.platform = options.platform;
    this.memoryFile = options.memoryFile;
    this.clock = options.clock;
    this.random = options.random;
    this.vdso = options.vdso;
    this.cpuCount = options.cpuCount;
    this.totalMemoryBytes = options.totalMemoryBytes;
    this.log = options.log;
    this.bootMs = options.clock.monotonicMs();
    this.userNs = new UserNamespace(null, 0, 0);
    this.pidNs = new PidNamespace(null, this.userNs);
    this.ns = {
      uts: new UtsNamespace(this.userNs, options.hostname),
      ipc: new IpcNamespace(this.userNs),
      net: new NetNamespace(this.userNs),
      cgroup: new CgroupNamespace(this.userNs, this.rootCgroup),
      pidForChildren: this.pidNs,
    };
    this.tasks = new TaskSet(this.pidNs);
    this.keys = new Keys(options.random);
    this.anonymousFiles = new AnonymousFiles(options.clock);
    this.namespaceFiles = new NamespaceFiles(options.clock);
    this.unixFamily = new UnixFamily(this.anonymousFiles);
    this.socketFamilies.register(this.unixFamily);
    this.netStacks = new NetStacks({ clock: options.clock, timers: this.timers, random: options.random }, this.ns.net);
    this.socketFamilies.register(new InetFamily(AF_INET, this.anonymousFiles, this.netStacks));
    this.socketFamilies.register(new InetFamily(AF_INET6, this.anonymousFiles, this.netStacks));
    this.socketFamilies.register(new NetlinkFamily(this.anonymousFiles));
    this.socketFamilies.register(new PacketFamily(this.anonymousFiles, this.netStacks));
    this.vfs = new VirtualFileSystem(options);
    this.vfs.devices.openFifo = fifoOpener(this.anonymousFiles.pipePages);
    this.ttys.register(this.vfs.devices);
    this.vfs.registerType(devptsType(this));
    registerMemoryDevices(this.vfs.devices, { random: options.random, pool: options.memoryFile });
    this.memfds = new TmpfsFileSystem({
      pool: options.memoryFile,
      clock: options.clock,
      dev: this.vfs.allocateDev(),
      // As much as there is: what cannot be backed must not be promised.
      pageCountMax: Math.floor(options.totalMemoryBytes / PAGE_BYTES),
      inodeCountMax: 0,
    });
    this.dispatcher = new Dispatcher(this, options.platform, syscallHandlers());
  }

  /** The task whose guest thread is context `index`, or null for one that was released. */
  taskOfContext(index: number): Task | null {
    return this.#tasksByContext[index] ?? null;
  }

  /** Says whose guest thread context `index` is; null when it is released. */
  setTaskOfContext(index: number, task: Task | null): void {
    while (this.#tasksByContext.length <= index) this.#tasksByContext.push(null);
    this.#tasksByContext[index] = task;
  }

  get hasWoken(): boolean {
    return this.#wokenHead < this.#wokenCount;
  }

  /** Called by {@link Task.wake}. */
  enqueueWoken(task: Task): void {
    this.#woken[this.#wokenCount++] = task;
  }

  /** The task that was woken first, or null. */
  dequeueWoken(): Task | null {
    if (this.#wokenHead === this.#wokenCount) {
      this.#wokenHead = 0;
      this.#wokenCount = 0;
      return null;
    }
    const task = this.#woken[this.#wokenHead]!;
    this.#woken[this.#wokenHead++] = null;
    return task;
  }

  /** Starts a program as a process of its own, in a new session. Errors: what execve(2) and fork(2) return. */
  createProcess(args: CreateProcessArgs): ThreadGroup | Errno {
    return createProcess(this, args);
  }

  /** Answers a fault of the guest: the page appears, or the task gets a signal. */
  handleFault(task: Task): void {
    handleFault(task);
  }

  /** The platform lost the guest thread of `task`. */
  contextDied(task: Task): void {
    contextDied(task);
  }
}
