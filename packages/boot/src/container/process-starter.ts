import { E2BIG, F_GETFL, O_ACCMODE, O_RDONLY, O_WRONLY, SIGKILL, errnoText } from '@tsv/abi';
import { fcntl } from '@tsv/host';
import { HostStreamInode, type HostFdWatcher } from '@tsv/gofer';
import {
  FdTable,
  FsContext,
  type Credentials,
  type Kernel,
  type NsProxy,
  type Pid,
  type ResourceLimits,
  type SeccompFilter,
} from '@tsv/kernel';
import type { Process } from '@tsv/oci';
import type { OpenFile } from '@tsv/vfs';
import { toByteString } from '../byte-string.js';
import type { ContainerFiles } from '../container-mounter.js';
import { createCredentials, createEnvironment, createLimits, withoutNetRaw } from '../process-args.js';
import { SandboxError } from '../sandbox-error.js';
import type { TerminalFds } from '../host-terminal.js';
import { Terminal } from '../terminal.js';
import { GuestProcess } from './guest-process.js';
import { homeDirectory } from './home-directory.js';
import { findProgram, programError } from './program-path.js';
import type { StandIn } from './stand-in.js';

/** A descriptor that a process is given beside its standard ones. */
export interface PassedFd {
  readonly hostFd: number;
  /** Its number there, 3 or more. */
  readonly guestFd: number;
}

/** Descriptors of the host for a new process, which takes them over. */
export interface ProcessIo {
  /** A terminal of the host that the process's own is joined to, or null. */
  readonly terminal: TerminalFds | null;
  /** Descriptors 0, 1 and 2; none with a terminal. */
  readonly stdio: readonly number[];
  readonly passed: readonly PassedFd[];
  /** What stands in for it on the host, or null. */
  readonly standIn: StandIn | null;
}

/** Where a process starts. */
export interface ProcessPlace {
  readonly containerId: string;
  readonly files: ContainerFiles;
  readonly ns: NsProxy;
  /** The container's own filter, or null. */
  readonly seccomp: SeccompFilter | null;
}

/** What {@link ProcessStarter} needs of its surroundings. */
export interface StarterContext {
  readonly kernel: Kernel;
  readonly watcher: HostFdWatcher;
  /** Whether its processes may have CAP_NET_RAW. */
  readonly hasNetRaw: boolean;
  /** Tells whoever runs the sandbox what is not as it was asked for. */
  warn(message: string): void;
  /** A signal came to the stand-in of a process. */
  signalled(process: GuestProcess, signo: number): void;
}

const STDIN = 0;
/** Bytes of an argument or variable with its NUL, execve(2). */
const MAX_ARG_STRLEN = 131_072;

/** Starts a process of a container from its description: everything is checked when it is made. */
export class ProcessStarter {
  readonly #context: StarterContext;
  readonly #place: ProcessPlace;
  readonly #process: Process;
  readonly #argv: readonly string[];
  readonly #envp: readonly string[];
  readonly #path: string;
  readonly #fs: FsContext;
  readonly #fds: FdTable;
  readonly #terminal: Terminal | null;
  readonly #standIn: StandIn | null;
  readonly #creds: Credentials;
  readonly #limits: ResourceLimits;

  /** Throws {@link SandboxError} naming what cannot be done; the descriptors of `io` are the caller's still. */
  constructor(context: StarterContext, place: ProcessPlace, process: Process, io: ProcessIo) {
    const { kernel } = context;
    const { files } = place;
    if ((process.args ?? []).length === 0) {
      throw new SandboxError('Cannot start the container: process.args is empty; say what to run');
    }
    this.#context = context;
    this.#place = place;
    this.#process = process;
    this.#standIn = io.standIn;
    this.#argv = process.args!.map(toByteString);
    this.#envp = this.#environment();
    if ([...this.#argv, ...this.#envp].some((word) => word.length >= MAX_ARG_STRLEN)) {
      throw programError(this.#argv[0]!, -E2BIG);
    }
    const permitted = context.hasNetRaw ? process : withoutNetRaw(process);
    this.#creds = createCredentials(permitted, kernel.userNs, (message) => {
      context.warn(message);
    });
    this.#limits = createLimits(process);
    this.#fs = new FsContext(kernel.vfs, files.namespace, files.root, files.root, process.user?.umask ?? 0o022);
    try {
      const cwd = this.#enterCwd();
      this.#path = findProgram(kernel, files, this.#argv[0]!, this.#envp, cwd);
      this.#terminal = io.terminal === null ? null : new Terminal(kernel, context.watcher, files, io.terminal);
    } catch (error) {
      this.#fs.decRef();
      throw error;
    }
    this.#fds = this.#createFds(io);
  }

  /** Runs it, by an ID that was allocated before or a new one. Throws {@link SandboxError}. */
  start(pid: Pid | null = null): GuestProcess {
    const { kernel } = this.#context;
    const { seccomp } = this.#place;
    const threadGroup = kernel.createProcess({
      path: this.#path,
      argv: this.#argv,
      envp: this.#envp,
      creds: this.#creds,
      fds: this.#fds,
      fs: this.#fs,
      ns: this.#place.ns,
      limits: this.#limits,
      ...(seccomp !== null && { seccomp }),
      hasNoNewPrivs: this.#process.noNewPrivileges ?? false,
      containerId: this.#place.containerId,
      ...(pid !== null && { pid }),
    });
    if (typeof threadGroup === 'number') {
      this.#terminal?.close();
      throw programError(this.#argv[0]!, threadGroup);
    }
    if (this.#process.oomScoreAdj !== undefined) threadGroup.oomScoreAdj = this.#process.oomScoreAdj;
    const guest = new GuestProcess(threadGroup, this.#terminal, this.#standIn);
    if (this.#standIn !== null) {
      this.#standIn.listener = {
        signalled: (signo) => {
          this.#context.signalled(guest, signo);
        },
        killed: () => {
          this.#context.signalled(guest, SIGKILL);
        },
      };
    }
    this.#terminal?.attach(threadGroup);
    return guest;
  }

  /** The host's terminal may have changed its size. */
  followTerminalSize(): void {
    this.#terminal?.followSize();
  }

  /** Gives back what it holds; it will not be started. */
  discard(): void {
    this.#terminal?.close();
    this.#fds.decRef(this.#place.files.caller);
    this.#fs.decRef();
  }

  #environment(): string[] {
    const envp = createEnvironment(this.#process);
    if (envp.some((entry) => entry.startsWith('HOME='))) return envp;
    const { kernel } = this.#context;
    return [...envp, `HOME=${homeDirectory(kernel, this.#place.files, this.#process.user?.uid ?? 0)}`];
  }

  #enterCwd(): string {
    const { kernel } = this.#context;
    const { files } = this.#place;
    const cwd = this.#process.cwd === '' ? '/' : this.#process.cwd;
    const place = kernel.vfs.resolve(files.caller, files.root, toByteString(cwd));
    if (typeof place === 'number') throw new SandboxError(`Cannot enter process.cwd "${cwd}": ${errnoText(-place)}`);
    if (!place.inode.isDirectory) throw new SandboxError(`Cannot enter process.cwd "${cwd}": not a directory`);
    this.#fs.setCwd(place);
    place.decRef();
    return cwd;
  }

  #createFds({ stdio, passed }: ProcessIo): FdTable {
    const fds = new FdTable();
    const slaveCount = this.#terminal === null ? 0 : 3;
    for (let fd = 0; fd < slaveCount; fd++) this.#install(fds, fd, this.#terminal!.openSlave());
    const given = [...stdio.map((hostFd, guestFd) => ({ hostFd, guestFd })), ...passed];
    for (const { hostFd, guestFd } of given) {
      const file = this.#openHost(hostFd, guestFd);
      if (typeof file !== 'number') this.#install(fds, guestFd, file);
      // The host gave no such descriptor: the guest has none either.
    }
    return fds;
  }

  #openHost(hostFd: number, fd: number): OpenFile | number {
    const { kernel, watcher } = this.#context;
    const { anonInodefs } = kernel.anonymousFiles;
    const inode = new HostStreamInode(anonInodefs, fd + 1, hostFd, watcher);
    const isOutput = fd === 1 || fd === 2;
    return inode.open(null, fd === STDIN ? O_RDONLY : isOutput ? O_WRONLY : accessMode(hostFd));
  }

  #install(fds: FdTable, fd: number, file: OpenFile): void {
    const installed = fds.installAt(fd, file, false, this.#place.files.caller);
    if (installed < 0) throw new SandboxError(`Cannot pass descriptor ${fd} on: ${errnoText(-installed)}`);
  }
}

/** How the host's descriptor was opened. */
function accessMode(hostFd: number): number {
  const flags = fcntl(hostFd, F_GETFL, 0);
  return flags < 0 ? O_RDONLY : flags & O_ACCMODE;
}
