import { POLLIN, SIGKILL, SIGWINCH, syscallName } from '@tsv/abi';
import type { HostFdWatcher } from '@tsv/gofer';
import { FrozenBy, Kernel, freeze, type Pid, type ThreadGroup } from '@tsv/kernel';
import type { Process, Spec } from '@tsv/oci';
import type { Watchdog } from '@tsv/host';
import type { MemoryFile, Platform } from '@tsv/platform';
import { WaitEntry } from '@tsv/waiter';
import type { RuntimeConfig } from './config.js';
import { confineSentry, type HostDirectory } from './confinement/confine-sentry.js';
import { cgroupBelow, removeCgroup, withContainerCgroup } from './cgroup/guest-cgroup.js';
import { ContainerMounter } from './container-mounter.js';
import { guestHookExecutor } from './container/guest-hooks.js';
import { childNamespaces } from './container/container-namespaces.js';
import { Container } from './container/container.js';
import type { DeliveryMode } from './container/delivery-mode.js';
import type { GuestProcess } from './container/guest-process.js';
import { cpuTimes } from './container/process-list.js';
import { ProcessStarter, type ProcessIo, type StarterContext } from './container/process-starter.js';
import { isDefaultFatal, killContainer, signalContainer, signalProcess } from './container/signal-container.js';
import { createKernel } from './create-kernel.js';
import { EventLoop } from './event-loop.js';
import { findLeaks } from './find-leaks.js';
import type { HostUnixSockets } from './network/host/host-unix-sockets.js';
import { withEngineNetwork } from './network/engine-network.js';
import { writeResolverFile } from './network/resolver-file.js';
import type { MetricRegistry } from './metrics/metric-registry.js';
import { createSandboxMetrics } from './metrics/sandbox-metrics.js';
import { openNetwork, type SandboxNetwork } from './network/sandbox-network.js';
import { runHooks, type Hook } from './oci/hooks.js';
import { seccompOf } from './oci/seccomp/seccomp-of.js';
import { PortForwards } from './port-forward.js';
import { hostSize, machineSize } from './machine-size.js';
import { SandboxError } from './sandbox-error.js';
import type { SandboxLog } from './sandbox-log.js';
import { SentryGofer } from './sentry-gofer.js';
import type { UserLog } from './user-log.js';
import { startWatchdog } from './start-watchdog.js';

/** What a {@link Loader} is made with. */
export interface LoaderArgs {
  /** The sandbox's ID: that of its first container. */
  readonly id: string;
  /** Configuration of the first container. */
  readonly spec: Spec;
  readonly config: RuntimeConfig;
  /** Taken over, as the memory file is. */
  readonly platform: Platform;
  readonly memoryFile: MemoryFile;
  readonly log: SandboxLog;
  /** Of descriptors that guests and the control server wait for. */
  readonly watcher: HostFdWatcher;
  readonly userLog: UserLog | null;
}

/** What a container is made from. */
export interface ContainerArgs {
  readonly id: string;
  readonly spec: Spec;
  readonly bundleDir: string;
  readonly io: ProcessIo;
  /** Descriptors of the host's files that it sees, by path, where the sentry cannot open them itself. */
  readonly donated?: ReadonlyMap<string, number>;
}

class ExitEntry extends WaitEntry {
  readonly #resolve: () => void;
  constructor(resolve: () => void) {
    super();
    this.#resolve = resolve;
  }
  notified(): void {
    this.leave();
    this.#resolve();
  }
}

/** Makes a kernel and runs containers in it: one, or those of a pod. */
export class Loader {
  readonly id: string;
  readonly config: RuntimeConfig;
  readonly log: SandboxLog;
  readonly kernel: Kernel;
  readonly watcher: HostFdWatcher;
  readonly metrics: MetricRegistry;
  readonly portForwards: PortForwards;
  readonly #memoryFile: MemoryFile;
  readonly #platform: Platform;
  readonly #loop: EventLoop;
  readonly #containers = new Map<string, Container>();
  /** Processes that were started from outside, until they exit. */
  readonly #guests = new Map<ThreadGroup, GuestProcess>();
  readonly #context: StarterContext;
  readonly #userLog: UserLog | null;
  #watchdog: Watchdog | null = null;
  readonly #directories: HostDirectory[] = [];
  #network: SandboxNetwork | null = null;
  #hostSockets: HostUnixSockets | null = null;
  #hasStarted = false;
  #onFailure: ((error: unknown) => void) | null = null;
  #gofer: SentryGofer | null = null;

  /** Throws {@link SandboxError}. */
  constructor(args: LoaderArgs) {
    this.id = args.id;
    this.config = args.config;
    this.log = args.log;
    this.#userLog = args.userLog;
    this.#memoryFile = args.memoryFile;
    this.#platform = args.platform;
    this.kernel = createKernel({
      platform: this.#platform,
      memoryFile: this.#memoryFile,
      config: args.config,
      log: args.log,
      userLog: args.userLog,
      hostname: args.spec.hostname ?? 'tsv',
      size: machineSize(args.spec, hostSize(), args.config.countsCpusOfQuota),
      domainname: args.spec.domainname,
    });
    this.metrics = createSandboxMetrics(this.kernel);
    this.portForwards = new PortForwards(this.kernel);
    this.kernel.onExit = (threadGroup) => {
      this.#exited(threadGroup);
    };
    this.watcher = args.watcher;
    this.#loop = new EventLoop(this.kernel, (error) => {
      this.log.error(`The kernel failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      this.#onFailure?.(error);
    });
    this.#context = {
      kernel: this.kernel,
      watcher: this.watcher,
      hasNetRaw: args.config.hasNetRaw,
      warn: (message) => {
        this.log.warn(message);
      },
      signalled: (process, signo) => {
        this.#standInSignalled(process, signo);
      },
    };
  }

  /** Called with what the kernel throws, which is always a bug. Nothing runs then. */
  onFailure(listener: (error: unknown) => void): void {
    this.#onFailure = listener;
  }

  /**
   * Joins the sandbox to the network that the command line and its first container ask for. One that an engine made has a
   * process of the host that stands for it, in whose network namespace the engine works. Throws {@link SandboxError}.
   */
  async openNetwork({ spec, io }: ContainerArgs): Promise<void> {
    const { kernel, watcher, log, config } = this;
    const engineSpec = io.standIn === null ? spec : withEngineNetwork(spec, io.standIn.hostPid);
    const mode = engineSpec === null && config.network === 'sandbox' ? 'none' : config.network;
    this.#network = await openNetwork({ mode, spec: engineSpec ?? spec, kernel, watcher, log, config });
    if (config.hostUds === 'none') return;
    const { HostUnixSockets } = await import('./network/host/host-unix-sockets.js');
    this.#hostSockets = new HostUnixSockets(kernel, watcher, config.hostUds);
    kernel.unixFamily.names.outside = this.#hostSockets;
  }

  /** Prepares a container: its files, and all that its first process needs. Throws {@link SandboxError}. */
  createContainer(args: ContainerArgs): Container {
    const { id, spec, bundleDir } = args;
    if (this.#containers.has(id)) throw new SandboxError(`Cannot create container "${id}": it exists already`);
    const { process } = spec;
    if (process === undefined) throw new SandboxError('Cannot start the container: config.json has no "process"');
    const isFirst = this.#containers.size === 0;
    const shared = isFirst ? this.kernel.ns : childNamespaces(this.kernel, spec, [...this.#containers.values()]);
    const ns = withContainerCgroup(this.kernel, shared, id, spec.linux?.resources);
    if (isFirst) {
      this.#gofer = SentryGofer.start(this.config, this.watcher, () => {
        this.#loseGofer();
      });
    }
    const donated = args.donated ?? new Map<string, number>();
    const fifoWatcher = this.config.hostFifo === 'open' ? this.watcher : null;
    const place = { containerId: id, bundleDir, donated, fifoWatcher };
    const mounter = new ContainerMounter(this.kernel, this.config, spec, place, ns);
    const files = mounter.setUp();
    this.#directories.push(...mounter.hostDirectories);
    const nameServer = this.#network?.nameServer ?? null;
    if (nameServer !== null && this.config.overlay !== 'none') {
      writeResolverFile(this.kernel, files, nameServer, this.log);
    }
    const seccomp = seccompOf(spec, this.config, this.log);
    const starter = new ProcessStarter(this.#context, { containerId: id, files, ns, seccomp }, process, args.io);
    const { standIn } = args.io;
    const container = new Container(this.kernel, {
      id,
      spec,
      bundleDir,
      process,
      files,
      ns,
      seccomp,
      starter,
      standIn,
    });
    this.#containers.set(id, container);
    if (standIn !== null) {
      const signalled = (signo: number): void => {
        if (signo === SIGWINCH) starter.followTerminalSize();
        else if (container.isCreated && isDefaultFatal(signo)) container.abandon(signo);
      };
      standIn.listener = {
        signalled,
        killed: () => {
          signalled(SIGKILL);
        },
      };
    }
    return container;
  }

  /** Runs the hooks of startContainer and the first process of a container. Throws {@link SandboxError}. */
  async startContainer(id: string): Promise<GuestProcess> {
    const container = this.container(id);
    if (!container.isCreated) throw new SandboxError(`Cannot start container "${id}": it was started already`);
    this.#start();
    const hooks = container.spec.hooks?.startContainer ?? [];
    const reserved = hooks.length === 0 ? null : await this.#runStartHooks(container, hooks);
    const init = this.#adopt(container.start(reserved));
    // Only the first process of a PID namespace is spared signals that it has no handler for, pid_namespaces(7).
    const hasPidNamespace = container.spec.linux?.namespaces?.some(({ type }) => type === 'pid') ?? false;
    init.threadGroup.isNamespaceInit &&= hasPidNamespace;
    return init;
  }

  /**
   * Runs hooks in a container before its first process, whose ID is kept for it: it is process 1 of a new PID namespace.
   * Returns that ID, or null where another container has the first process. When a hook fails, the container ends,
   * runtime.md "Lifecycle" 7.
   */
  async #runStartHooks(container: Container, hooks: readonly Hook[]): Promise<Pid | null> {
    const { spec, bundleDir, hostPid, files, ns, seccomp, id } = container;
    const reserved = ns.pidForChildren.init === null ? ns.pidForChildren.allocate() : null;
    if (typeof reserved === 'number') throw new SandboxError(`Cannot start container "${id}": there is no free ID`);
    const place = { containerId: id, files, ns, seccomp };
    const execute = guestHookExecutor({
      watcher: this.watcher,
      base: container.process,
      start: (process, io) => this.#adopt(new ProcessStarter(this.#context, place, process, io).start()),
      kill: () => {
        killContainer(this.kernel, container);
      },
    });
    const { annotations = {}, ociVersion } = spec;
    const state = { ociVersion, id, status: 'created' as const, pid: hostPid, bundle: bundleDir, annotations };
    try {
      await runHooks('startContainer', hooks, state, execute);
      if (!container.isCreated) throw new SandboxError(`Cannot start container "${id}": it was killed`);
      return reserved;
    } catch (error) {
      reserved?.releaseIfUnused();
      if (container.isCreated) container.abandon(SIGKILL);
      throw error;
    }
  }

  /**
   * Runs another process in a container, in a cgroup below its own. Returns it and its ID there. In a paused container it waits
   * until that is resumed, where it may. Throws {@link SandboxError}.
   */
  executeAsync(
    id: string,
    process: Process,
    io: ProcessIo,
    place: { readonly cgroup: string; readonly mayBePaused: boolean },
  ): { pid: number; process: GuestProcess } {
    const container = this.container(id);
    if (!container.isRunning) throw new SandboxError(`Cannot execute in container "${id}": container not running`);
    if (container.isPaused && !place.mayBePaused) {
      throw new SandboxError(`Cannot execute in container "${id}": it is paused`);
    }
    const { files, ns, seccomp } = container;
    const cgroup = cgroupBelow(ns.cgroup.root, place.cgroup);
    const starter = new ProcessStarter(this.#context, { containerId: id, files, ns, seccomp }, process, io);
    const guest = this.#adopt(starter.start());
    guest.threadGroup.cgroup.move(guest.threadGroup, cgroup);
    if (container.isPaused) freeze(guest.threadGroup, FrozenBy.PAUSE);
    const pid = guest.threadGroup.pidIn(ns.pidForChildren);
    container.addExecuted(pid, guest);
    return { pid, process: guest };
  }

  /** Resolves with the wait status of the container's first process when it has exited. */
  async waitContainer(id: string): Promise<number> {
    return this.container(id).ended;
  }

  /** Resolves with the wait status of a process by its ID in the container, executed or not, when it has exited. */
  async waitPid(id: string, pid: number): Promise<number> {
    const container = this.container(id);
    const executed = container.executed(pid);
    if (executed !== undefined) {
      const status = await executed.exited;
      container.forgetExecuted(pid);
      return status;
    }
    const group = container.ns.pidForChildren.lookup(pid)?.task?.threadGroup;
    if (group === undefined) throw new SandboxError(`Cannot wait for process ${pid}: no such process`);
    if (group.containerId !== id) {
      throw new SandboxError(`Cannot wait for process ${pid}: it belongs to container "${group.containerId}"`);
    }
    await untilExited(group);
    return group.exitStatus;
  }

  /** Sends a signal; see {@link signalContainer}. A container that was not started yet ends by one that kills. */
  signal(id: string, pid: number, signo: number, mode: DeliveryMode): void {
    const container = this.container(id);
    if (container.isCreated && isDefaultFatal(signo)) container.abandon(signo);
    else signalContainer(this.kernel, container, pid, signo, mode);
  }

  /** Ends everything in a container, waits for the end and forgets it. Throws {@link SandboxError}. */
  async destroyContainer(id: string): Promise<void> {
    const container = this.container(id);
    if (container.isCreated) container.abandon(SIGKILL);
    while (container.threadGroups.some((group) => !group.isZombie)) {
      const running = container.threadGroups.filter((group) => !group.isZombie);
      killContainer(this.kernel, container);
      await Promise.all(running.map(untilExited));
    }
    container.files.root.decRef();
    container.files.stores.destroy();
    removeCgroup(container.ns.cgroup.root);
    this.#containers.delete(id);
  }

  /** A container by its ID. Throws {@link SandboxError}. */
  container(id: string): Container {
    const container = this.#containers.get(id);
    if (container === undefined) throw new SandboxError(`Cannot find container "${id}": container does not exist`);
    return container;
  }

  /** The host's process that stands for a process of a guest, 0 if none does. */
  hostPidOf(threadGroup: ThreadGroup): number {
    return this.#guests.get(threadGroup)?.standIn?.hostPid ?? 0;
  }

  get containers(): Container[] {
    return [...this.#containers.values()];
  }

  /** Passes on a signal that the sentry was sent: to the first container, or to the foreground of its terminal. */
  forwardSignal(signo: number): void {
    if (signo === SIGWINCH) this.followTerminalSizes();
    const container = this.#containers.get(this.id);
    if (container === undefined || (!container.isCreated && !container.isRunning)) return;
    const hasTerminal = container.init?.terminal != null;
    if (hasTerminal && signo === SIGWINCH) return; // The terminal tells its size itself.
    this.signal(this.id, 0, signo, hasTerminal ? 'foreground-process-group' : 'process');
  }

  /** A host's terminal may have changed its size: all that are shown follow. */
  followTerminalSizes(): void {
    for (const { terminal } of this.#guests.values()) terminal?.followSize();
  }

  /** Ends what runs, and tells what is left then: see {@link findLeaks}. */
  async findLeaks(): Promise<string[]> {
    const { containers } = this;
    for (const { id } of containers) await this.destroyContainer(id);
    return findLeaks(this.kernel, containers);
  }

  /** Gives everything back. What runs ends. */
  destroy(): void {
    this.#loop.stop();
    this.portForwards.close();
    for (const { terminal, standIn } of this.#guests.values()) {
      terminal?.close();
      standIn?.close();
    }
    for (const { standIn, files } of this.#containers.values()) {
      standIn?.close();
      files.stores.destroy();
    }
    this.#reportUnimplemented();
    this.#userLog?.close(this.kernel.unimplemented.rows);
    this.#watchdog?.close();
    this.#network?.close();
    this.#hostSockets?.close();
    this.#gofer?.close();
    this.#platform.close();
    this.#memoryFile.close();
  }

  /** Before the first guest runs, the sentry gives up what it does not need any more; from then on guests are served. */
  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const { config, log } = this;
    const watchdog = (this.#watchdog = startWatchdog(config, log));
    this.#gofer?.awaitReady();
    confineSentry({
      platform: this.#platform.name,
      network: this.#network?.hostUse === 'sockets' ? 'host' : 'none',
      directories: this.#directories,
      hostUds: config.hostUds,
      isDirectfs: config.isDirectfs,
      isSeccompDisabled: config.isSeccompDisabled,
      isStartedInNamespaces: false,
      log,
    });
    this.#loop.start(watchdog, config.watchdog.timeoutMs);
  }

  /** The containers' files are gone: they are killed, as if their disk had been pulled out. */
  #loseGofer(): void {
    this.log.error('The gofer has ended: its containers are killed');
    for (const container of this.#containers.values()) {
      if (container.isCreated) container.abandon(SIGKILL);
      else killContainer(this.kernel, container);
    }
  }

  #adopt(guest: GuestProcess): GuestProcess {
    this.#guests.set(guest.threadGroup, guest);
    if (guest.terminal !== null) this.#loop.terminals.add(guest.terminal);
    return guest;
  }

  #exited(threadGroup: ThreadGroup): void {
    const container = this.#containers.get(threadGroup.containerId);
    if (container !== undefined) {
      const { userMs, systemMs } = cpuTimes(threadGroup);
      container.exitedUserMs += userMs;
      container.exitedSystemMs += systemMs;
    }
    const guest = this.#guests.get(threadGroup);
    if (guest === undefined) return;
    this.#guests.delete(threadGroup);
    if (guest.terminal !== null) this.#loop.terminals.delete(guest.terminal);
    guest.finish(threadGroup.exitStatus);
    if (container?.init === guest) container.finish(threadGroup.exitStatus);
    // Promises are heard when the event loop gets a turn: the thread must not go to sleep before.
    this.#loop.yield();
  }

  #standInSignalled(process: GuestProcess, signo: number): void {
    if (process.status !== null) return;
    const container = this.#containers.get(process.threadGroup.containerId);
    if (container === undefined) return;
    if (signo === SIGWINCH && process.terminal !== null) process.terminal.followSize();
    else signalProcess(this.kernel, container, process.threadGroup, signo);
  }

  #reportUnimplemented(): void {
    const rows = this.kernel.unimplemented.rows;
    if (rows.length === 0) return;
    const text = rows.map(({ nr, comm, count }) => `${syscallName(nr)} (${count}, first by ${comm})`).join(', ');
    this.log.warn(`System calls that are not implemented were made: ${text}`);
  }
}

function untilExited(group: ThreadGroup): Promise<void> {
  if (group.isZombie) return Promise.resolve();
  return new Promise((resolve) => {
    group.exited.add(new ExitEntry(resolve), POLLIN);
  });
}
