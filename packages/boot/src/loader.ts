import { EACCES, ENOENT, ENOEXEC, ENOTDIR, O_RDONLY, O_WRONLY, errnoText, syscallName } from '@tsv/abi';
import { HostFdWatcher, HostStreamInode } from '@tsv/gofer';
import { getrandom, hasInvariantTsc, rdtsc } from '@tsv/host';
import { FdTable, FsContext, Kernel, Strace, Timekeeper, createVdso, type ThreadGroup } from '@tsv/kernel';
import type { Process, Spec } from '@tsv/oci';
import { createMemoryFile } from '@tsv/pgalloc';
import type { MemoryFile, Platform, PlatformType } from '@tsv/platform';
import { availableParallelism, totalmem } from 'node:os';
import { toByteString } from './byte-string.js';
import type { RuntimeConfig } from './config.js';
import { confineSentry, type HostDirectory } from './confinement/confine-sentry.js';
import { ContainerMounter, type ContainerFiles } from './container-mounter.js';
import { EventLoop } from './event-loop.js';
import { HostClock } from './host-clock.js';
import { writeResolverFile } from './network/resolver-file.js';
import { openNetwork, type SandboxNetwork } from './network/sandbox-network.js';
import { createCredentials, createEnvironment, createLimits } from './process-args.js';
import { registerFileSystems } from './register-file-systems.js';
import { SandboxError } from './sandbox-error.js';
import type { SandboxLog } from './sandbox-log.js';
import { SignalForwarding } from './signal-forwarding.js';
import { Terminal, hasHostTerminal } from './terminal.js';

/** What a {@link Loader} is made with. */
export interface LoaderArgs {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly config: RuntimeConfig;
  readonly platformType: PlatformType;
  readonly log: SandboxLog;
}

/** Descriptors 0, 1 and 2 of the host are the container's, unless it has a terminal. */
const STDIO_FDS = [0, 1, 2] as const;
const WAIT_SIGNAL_MASK = 0x7f;

/** Makes a kernel from a container's configuration and runs the container in it. */
export class Loader {
  readonly #args: LoaderArgs;
  readonly #process: Process;
  readonly #memoryFile: MemoryFile;
  readonly #platform: Platform;
  readonly #kernel: Kernel;
  readonly #watcher: HostFdWatcher;
  readonly #loop: EventLoop;
  #directories: readonly HostDirectory[] = [];
  #network: SandboxNetwork | null = null;
  #terminal: Terminal | null = null;
  #forwarding: SignalForwarding | null = null;
  #settle: { resolve: (status: number) => void; reject: (error: unknown) => void } | null = null;

  /** Throws {@link SandboxError}; what was made until then is given back. */
  constructor(args: LoaderArgs) {
    const { process } = args.spec;
    if (process === undefined) throw new SandboxError('Cannot start the container: config.json has no "process"');
    if ((process.args ?? []).length === 0) {
      throw new SandboxError('Cannot start the container: process.args is empty; say what to run');
    }
    this.#args = args;
    this.#process = process;
    this.#memoryFile = createMemoryFile();
    try {
      const { mayPatchCode } = args.config;
      this.#platform = args.platformType.create({ memoryFile: this.#memoryFile, deviceFd: -1, mayPatchCode });
    } catch (error) {
      this.#memoryFile.close();
      // Asking beforehand would start a stub only to ask.
      const reason = args.platformType.unavailableReason() ?? (error as Error).message;
      throw new SandboxError(`Cannot use platform "${args.config.platform}": ${reason}`);
    }
    this.#kernel = this.#createKernel();
    this.#watcher = new HostFdWatcher();
    this.#loop = new EventLoop(this.#kernel, (error) => {
      this.#settle?.reject(error);
    });
  }

  /** Runs the container's process; resolves with the exit status of the command line: 128 + n for a death by signal. */
  async run(): Promise<number> {
    const exited = new Promise<number>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const { config, spec, log } = this.#args;
    const mode = config.network;
    this.#network = await openNetwork({ mode, spec, kernel: this.#kernel, watcher: this.#watcher, log });
    const init = this.#start();
    this.#kernel.onExit = (threadGroup: ThreadGroup) => {
      if (threadGroup !== init) return;
      // The promise is heard when the event loop gets a turn: the thread must not go to sleep before.
      this.#loop.stop();
      this.#settle?.resolve(statusOf(threadGroup.exitStatus));
    };
    this.#forwarding = new SignalForwarding(this.#kernel, init, this.#terminal !== null);
    this.#confine();
    this.#loop.start();
    try {
      return await exited;
    } finally {
      this.#reportUnimplemented();
    }
  }

  /** Gives everything back. The container ends if it runs. */
  destroy(): void {
    this.#forwarding?.stop();
    this.#loop.stop();
    this.#terminal?.close();
    this.#network?.close();
    this.#watcher.close();
    this.#platform.close();
    this.#memoryFile.close();
  }

  #createKernel(): Kernel {
    const { config, log, spec } = this.#args;
    const clock = new HostClock();
    const vdso = createVdso(this.#memoryFile);
    if (typeof vdso === 'number') throw new SandboxError(`Cannot place the vDSO in memory: ${errnoText(-vdso)}`);
    const kernel = new Kernel({
      platform: this.#platform,
      memoryFile: this.#memoryFile,
      clock,
      random: (dst) => {
        const n = getrandom(dst, 0);
        if (n !== dst.length) throw new Error(`getrandom gave ${n} of ${dst.length} bytes`);
      },
      vdso,
      cpuCount: availableParallelism(),
      totalMemoryBytes: totalmem(),
      hostname: toByteString(spec.hostname ?? 'tsv'),
      log: (level, message) => {
        log[level](message);
      },
    });
    if (hasInvariantTsc()) kernel.timekeeper = new Timekeeper(this.#memoryFile, vdso, clock, { readTsc: rdtsc });
    if (config.straceNames !== null) {
      kernel.strace = new Strace({
        names: config.straceNames,
        dataBytesMax: config.straceDataBytesMax,
        write: (line) => {
          if (config.log.directory === null) process.stderr.write(`${line}\n`);
          else log.info(line);
        },
      });
    }
    kernel.unimplemented.onFirst = (nr, comm) => {
      log.debug(`${comm} called ${syscallName(nr)}, which is not implemented`);
    };
    // The vDSO tells the time by the counter where it runs evenly on all CPUs, and by a system call elsewhere.
    if (hasInvariantTsc()) kernel.timekeeper = new Timekeeper(this.#memoryFile, vdso, clock, { readTsc: rdtsc });
    registerFileSystems(kernel);
    return kernel;
  }

  #start(): ThreadGroup {
    const kernel = this.#kernel;
    const spec = this.#args.spec;
    const mounter = new ContainerMounter(kernel, this.#args.config, spec, this.#args.bundleDir);
    const files = mounter.setUp();
    this.#directories = mounter.hostDirectories;
    const nameServer = this.#network?.nameServer ?? null;
    if (nameServer !== null && this.#args.config.overlay !== 'none') {
      writeResolverFile(kernel, files, nameServer, this.#args.log);
    }
    const creds = createCredentials(this.#process, kernel.userNs);
    const fs = new FsContext(kernel.vfs, files.namespace, files.root, files.root, this.#process.user?.umask ?? 0o022);
    const cwd = this.#enterCwd(files, fs);
    const fds = this.#createFds(files);
    const argv = (this.#process.args ?? []).map(toByteString);
    const envp = createEnvironment(this.#process);
    const path = this.#findProgram(argv[0]!, envp, files, cwd);
    const init = kernel.createProcess({
      path,
      argv,
      envp,
      creds,
      fds,
      fs,
      limits: createLimits(this.#process),
      hasNoNewPrivs: this.#process.noNewPrivileges ?? false,
    });
    if (typeof init === 'number') throw programError(argv[0]!, init);
    // Only the first process of a PID namespace is spared signals that it has no handler for, pid_namespaces(7).
    init.isNamespaceInit = spec.linux?.namespaces?.some(({ type }) => type === 'pid') ?? false;
    this.#terminal?.attach(init);
    return init;
  }

  /** Everything is open, and no guest code has run. */
  #confine(): void {
    const { config, log } = this.#args;
    confineSentry({
      platform: config.platform,
      network: this.#network?.hostUse === 'sockets' ? 'host' : 'none',
      directories: this.#directories,
      isSeccompDisabled: config.isSeccompDisabled,
      isStartedInNamespaces: false,
      log,
    });
  }

  #enterCwd(files: ContainerFiles, fs: FsContext): string {
    const cwd = this.#process.cwd === '' ? '/' : this.#process.cwd;
    const place = this.#kernel.vfs.resolve(files.caller, files.root, toByteString(cwd));
    if (typeof place === 'number') throw new SandboxError(`Cannot enter process.cwd "${cwd}": ${errnoText(-place)}`);
    if (!place.inode.isDirectory) throw new SandboxError(`Cannot enter process.cwd "${cwd}": not a directory`);
    fs.setCwd(place);
    place.decRef();
    return cwd;
  }

  #createFds(files: ContainerFiles): FdTable {
    const kernel = this.#kernel;
    const caller = files.caller;
    const fds = new FdTable();
    if (this.#process.terminal === true && hasHostTerminal()) {
      this.#terminal = new Terminal(kernel, this.#watcher, files);
      this.#loop.terminal = this.#terminal;
      for (const fd of STDIO_FDS) fds.installAt(fd, this.#terminal.openSlave(), false, caller);
      return fds;
    }
    for (const fd of STDIO_FDS) {
      const inode = new HostStreamInode(kernel.anonymousFiles.anonInodefs, fd + 1, fd, this.#watcher);
      const file = inode.open(null, fd === 0 ? O_RDONLY : O_WRONLY);
      if (typeof file === 'number') continue; // The host gave no such descriptor: the guest has none either.
      const installed = fds.installAt(fd, file, false, caller);
      if (installed < 0) throw new SandboxError(`Cannot pass descriptor ${fd} on: ${errnoText(-installed)}`);
    }
    return fds;
  }

  /** Looks a program without a slash up in PATH, as execvp(3) does and runc too. */
  #findProgram(name: string, envp: readonly string[], files: ContainerFiles, cwd: string): string {
    if (name.includes('/')) return name;
    const path = envp.find((entry) => entry.startsWith('PATH='))?.slice(5) ?? '/usr/local/bin:/usr/bin:/bin';
    const caller = files.caller;
    let refused = 0;
    for (const dir of path.split(':')) {
      const candidate = `${dir === '' ? cwd : dir}/${name}`;
      const found = this.#kernel.vfs.resolve(caller, files.root, candidate);
      if (typeof found === 'number') {
        if (found !== -ENOENT && found !== -ENOTDIR) refused = found;
        continue;
      }
      const isProgram = found.inode.isRegular && (found.inode.mode & 0o111) !== 0;
      found.decRef();
      if (isProgram) return candidate;
      refused = -EACCES;
    }
    throw programError(name, refused === 0 ? -ENOENT : refused, true);
  }

  #reportUnimplemented(): void {
    const rows = this.#kernel.unimplemented.rows;
    if (rows.length === 0) return;
    const text = rows.map(({ nr, comm, count }) => `${syscallName(nr)} (${count}, first by ${comm})`).join(', ');
    this.#args.log.warn(`System calls that are not implemented were made: ${text}`);
  }
}

/** Exit status for a wait status: as a shell gives it. */
function statusOf(waitStatus: number): number {
  const signo = waitStatus & WAIT_SIGNAL_MASK;
  return signo === 0 ? (waitStatus >> 8) & 0xff : 128 + signo;
}

/** The message and exit status for a program that cannot be run, as docker's: 127 if there is none, else 126. */
function programError(name: string, errno: number, inPath = false): SandboxError {
  if (errno === -ENOENT || errno === -ENOTDIR) {
    const where = inPath ? 'executable file not found in $PATH' : errnoText(-errno);
    return new SandboxError(`Cannot run "${name}": ${where}`, 127);
  }
  const reason = errno === -ENOEXEC ? 'exec format error' : errnoText(-errno);
  return new SandboxError(`Cannot run "${name}": ${reason}`, 126);
}
