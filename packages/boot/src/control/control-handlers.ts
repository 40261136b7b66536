import { RUSAGE_COUNT, RUSAGE_MAXRSS_KIB, close, getrusage } from '@tsv/host';
import type { HostFdWatcher } from '@tsv/gofer';
import { UsageKind } from '@tsv/platform';
import { parseConfig, type Process } from '@tsv/oci';
import { layerTar } from '@tsv/vfs';
import { PAGE_BYTES } from '@tsv/platform';
import { setLimits } from '../cgroup/guest-cgroup.js';
import type { Resources } from '../cgroup/resource-files.js';
import type { Container } from '../container/container.js';
import type { GuestProcess } from '../container/guest-process.js';
import { cpuTimes, listProcesses } from '../container/process-list.js';
import { setStrace } from '../create-kernel.js';
import type { Loader } from '../loader.js';
import { SandboxError } from '../sandbox-error.js';
import { describeStacks } from './describe-stacks.js';
import type { MethodHandlers } from './methods.js';
import { storeName } from '../overlay-stores.js';
import { withPassedIo } from './passed-io.js';
import { profileCpu, profileHeap } from './profile.js';
import { writePieces } from './write-all.js';

const RUSAGE_SELF = 0;

/** What a sandbox answers. */
export class ControlHandlers {
  readonly #loader: () => Loader;
  readonly #watcher: HostFdWatcher;
  /** Executed processes that end with the connection that started them: their terminal goes away with it. */
  readonly #attached = new Map<GuestProcess, number>();

  /** `loader` throws as long as there is no sandbox. */
  constructor(loader: () => Loader, watcher: HostFdWatcher) {
    this.#loader = loader;
    this.#watcher = watcher;
  }

  /** A client has gone: what it has shown on its terminal is hung up. */
  connectionClosed(connection: number): void {
    for (const [process, owner] of this.#attached) {
      if (owner !== connection) continue;
      this.#attached.delete(process);
      process.terminal?.hangUp();
    }
  }

  get methods(): MethodHandlers {
    return {
      ...this.#lifecycle(),
      ...this.#signals(),
      ...this.#inspection(),
      ...this.#debugging(),
    };
  }

  #lifecycle(): MethodHandlers {
    const start = async ({ id }: { id: string }): Promise<Record<string, never>> => {
      await this.#loader().startContainer(id);
      return {};
    };
    return {
      'containerManager.StartRoot': start,
      'containerManager.StartSubcontainer': start,
      'containerManager.CreateSubcontainer': (params, fds) => {
        const { id, bundleDir, donatedPaths } = params;
        const ioCount = Math.max(0, fds.length - donatedPaths.length);
        const donated = new Map(donatedPaths.map((path, index) => [path, fds[ioCount + index] ?? -1]));
        return withPassedIo(params, fds.slice(0, ioCount), this.#watcher, (io) => {
          const spec = parseConfig(params.config, `${bundleDir}/config.json`);
          this.#loader().createContainer({ id, spec, bundleDir, io, donated });
          return {};
        }).finally(() => {
          for (const fd of donated.values()) close(fd);
        });
      },
      'containerManager.DestroySubcontainer': async ({ id }) => {
        await this.#loader().destroyContainer(id);
        return {};
      },
      'containerManager.ExecuteAsync': (params, fds, connection) =>
        withPassedIo(params, fds, this.#watcher, (io) => {
          const { pid, process } = this.#loader().executeAsync(params.id, parseProcess(params.process), io, params);
          if (io.standIn === null && io.terminal !== null) {
            this.#attached.set(process, connection);
            void process.exited.then(() => this.#attached.delete(process));
          }
          return { pid };
        }),
      'containerManager.Wait': async ({ id }) => ({ waitStatus: await this.#loader().waitContainer(id) }),
      'containerManager.WaitPID': async ({ id, pid }) => ({ waitStatus: await this.#loader().waitPid(id, pid) }),
    };
  }

  #signals(): MethodHandlers {
    return {
      'containerManager.Signal': ({ id, pid, signo, mode }) => {
        this.#loader().signal(id, pid, signo, mode);
        return {};
      },
      'containerManager.SignalExecuted': ({ id, pid, signo }) => {
        const loader = this.#loader();
        const process = loader.container(id).executed(pid);
        if (process === undefined || process.status !== null) return {}; // It has just ended.
        const mode = process.terminal === null ? 'process' : 'foreground-process-group';
        loader.signal(id, process.threadGroup.pid, signo, mode);
        return {};
      },
      'containerManager.Update': ({ id, resources }) => {
        setLimits(this.#loader().container(id).ns.cgroup.root, parseResources(resources));
        return {};
      },
      'containerManager.Pause': ({ id }) => {
        const container = this.#running(id);
        if (container.isPaused) throw new SandboxError(`Cannot pause container "${id}": it is paused already`);
        container.pause();
        return {};
      },
      'containerManager.Resume': ({ id }) => {
        const container = this.#running(id);
        if (!container.isPaused) throw new SandboxError(`Cannot resume container "${id}": it is not paused`);
        container.resume();
        return {};
      },
      'containerManager.ResizeTerminal': ({ id, pid }) => {
        const container = this.#loader().container(id);
        (pid === 0 ? container.init : container.executed(pid))?.terminal?.followSize();
        return {};
      },
    };
  }

  #inspection(): MethodHandlers {
    return {
      'containerManager.Event': ({ id }) => this.#statistics(this.#running(id)),
      'containerManager.Processes': ({ id }) => {
        const loader = this.#loader();
        return { processes: listProcesses(loader, loader.container(id)) };
      },
      'containerManager.ContainerRuntimeState': ({ id }) => {
        const container = this.#loader().container(id);
        if (container.isCreated) return { status: 'created' };
        if (!container.isRunning) return { status: 'stopped' };
        return { status: container.isPaused ? 'paused' : 'running' };
      },
      'Metrics.Export': ({ prefix, labels, filter }) => {
        const wanted = filter === undefined ? null : new RegExp(filter);
        return { text: this.#loader().metrics.toText(prefix, labels, wanted) };
      },
      'containerManager.PortForward': async ({ id, port }, fds) => {
        const fd = onlyFd(fds);
        const loader = this.#loader();
        try {
          this.#running(id);
        } catch (error) {
          close(fd);
          throw error;
        }
        await loader.portForwards.connect(loader.container(id), port, fd);
        return {};
      },
      'Fs.TarRootfsUpperLayer': async ({ id }, fds) => {
        const fd = onlyFd(fds);
        try {
          await this.#writeUpper(id, fd);
          return {};
        } finally {
          close(fd);
        }
      },
      'Usage.Collect': () => {
        const { memoryFile } = this.#loader().kernel;
        const bytes = (kind: UsageKind): number => memoryFile.pageCount(kind) * PAGE_BYTES;
        return {
          anonymousBytes: bytes(UsageKind.ANONYMOUS),
          pageCacheBytes: bytes(UsageKind.PAGE_CACHE),
          tmpfsBytes: bytes(UsageKind.TMPFS),
          systemBytes: bytes(UsageKind.SYSTEM),
          committedBytes: memoryFile.committedBytes(),
          sentryPeakBytes: peakBytes(),
        };
      },
    };
  }

  #debugging(): MethodHandlers {
    return {
      'debug.Stacks': () => ({ text: describeStacks(this.#loader().kernel) }),
      'Profile.CPU': async ({ durationMs }, fds) => {
        await profileCpu(onlyFd(fds), durationMs);
        return {};
      },
      'Profile.Heap': async (_params, fds) => {
        await profileHeap(onlyFd(fds));
        return {};
      },
      'Logging.Change': ({ isDebug, strace }) => {
        const { kernel, config, log } = this.#loader();
        if (isDebug !== undefined) log.level = isDebug ? 'debug' : 'warn';
        if (strace !== undefined) setStrace(kernel, config, log, strace);
        return {};
      },
    };
  }

  async #writeUpper(id: string, fd: number): Promise<void> {
    const { config } = this.#loader();
    const { upper } = this.#loader().container(id).files;
    if (upper === null) {
      throw new SandboxError(`Cannot tell what container "${id}" has written: it has no overlay, see --overlay2`);
    }
    const hidden = config.overlayMedium === 'self' ? storeName(id) : null;
    await writePieces(fd, layerTar(upper.root, hidden), 'the archive');
  }

  #statistics(container: Container): { userMs: number; systemMs: number; memoryBytes: number; processCount: number } {
    let { exitedUserMs: userMs, exitedSystemMs: systemMs } = container;
    let memoryBytes = 0;
    const groups = container.threadGroups.filter((group) => !group.isZombie);
    for (const group of groups) {
      const times = cpuTimes(group);
      userMs += times.userMs;
      systemMs += times.systemMs;
      memoryBytes += group.leader.mm.rssBytes;
    }
    return { userMs, systemMs, memoryBytes, processCount: groups.reduce((sum, group) => sum + group.liveCount, 0) };
  }

  #running(id: string): Container {
    const container = this.#loader().container(id);
    if (!container.isRunning) throw new SandboxError(`Cannot use container "${id}": container not running`);
    return container;
  }
}

/** `linux.resources` as JSON. Throws {@link ConfigError}. */
function parseResources(text: string): Resources {
  const config = parseConfig(`{"ociVersion":"1.0.0","linux":{"resources":${text}}}`, 'resources');
  return config.linux?.resources ?? {};
}

/** A process as config.json describes it, config.md "Process". Throws {@link ConfigError} or {@link SandboxError}. */
function parseProcess(text: string): Process {
  const config = `{"ociVersion":"1.0.0","process":${text}}`;
  const { process } = parseConfig(config, 'the process');
  if (process === undefined) throw new SandboxError('Cannot execute: there is no process');
  return process;
}

/** The most memory that the sentry has had resident: what it has now only names out of its reach tell. */
function peakBytes(): number {
  const fields = new Float64Array(RUSAGE_COUNT);
  getrusage(RUSAGE_SELF, fields);
  return fields[RUSAGE_MAXRSS_KIB]! * 1024;
}

function onlyFd(fds: readonly number[]): number {
  if (fds.length !== 1) throw new SandboxError(`Cannot write: ${fds.length} descriptors came instead of one`);
  return fds[0]!;
}
