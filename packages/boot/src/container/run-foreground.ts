import { join } from 'node:path';
import { unixSocketpair } from '@tsv/host';
import { O_CLOEXEC, SOCK_STREAM, errnoText } from '@tsv/abi';
import { CgroupReturn } from '../cgroup/cgroup-return.js';
import { HostCgroup, cgroupPathOf } from '../cgroup/host-cgroup.js';
import { ControlClient } from '../control/control-client.js';
import { makeStores, storePaths } from '../overlay-stores.js';
import { openLog } from '../quiet-log.js';
import { runContainer, type RunOptions } from '../run-container.js';
import { SandboxError } from '../sandbox-error.js';
import { Sentry } from '../sentry.js';
import { Creation, writePidFile, type CreateOptions, type ManagerContext } from './container-creator.js';
import { DIRECTORY_FILES, type ContainerDirectory } from './container-directory.js';
import type { ContainerState } from './container-state.js';
import { identifyProcess } from './host-process.js';
import { LateHooks } from './late-hooks.js';
import { bindControlSocket, type LaunchedSentry } from './launch-sentry.js';
import { AT_REMOVEDIR, Leftovers } from './leftovers.js';
import { StateStore } from './state-store.js';
import { StoreRemover } from './store-remover.js';

/** What `run` of a bundle in the foreground is asked for. */
export interface ForegroundOptions extends Omit<CreateOptions, 'consoleSocket'> {
  /** Whether the container stays, stopped, until it is deleted. */
  readonly isKept: boolean;
}

/**
 * Creates a container, starts it, waits for its end and removes it unless it is to be kept, as the commands of these names
 * do, but that its sentry is this process. Resolves with its exit status. Throws {@link SandboxError}; nothing is left
 * behind then.
 */
export async function runForeground(
  context: Omit<ManagerContext, 'store'>,
  options: ForegroundOptions,
): Promise<number> {
  const store = new StateStore(context.config.rootDir);
  const directory = store.create(options.id);
  const run = begin({ ...context, store }, options, directory);
  await run.create();
  return run.startAndWait();
}

function begin(context: ManagerContext, options: ForegroundOptions, directory: ContainerDirectory): ForegroundRun {
  try {
    return new ForegroundRun(context, options, directory);
  } catch (error) {
    directory.remove();
    throw error;
  }
}

class ForegroundRun {
  readonly #context: ManagerContext;
  readonly #options: ForegroundOptions;
  readonly #directory: ContainerDirectory;
  /** Null for a container that has no cgroup: this process stays where it is. */
  readonly #cgroups: CgroupReturn | null;
  readonly #leftovers: Leftovers;
  #sentry: Sentry | null = null;
  #client: ControlClient | null = null;
  #hooks: LateHooks | null = null;

  constructor(context: ManagerContext, options: ForegroundOptions, directory: ContainerDirectory) {
    this.#context = context;
    this.#options = options;
    this.#directory = directory;
    const hasCgroup = cgroupPathOf(options.spec, context.config, options.id) !== null;
    this.#cgroups = hasCgroup ? new CgroupReturn() : null;
    this.#leftovers = new Leftovers(hasCgroup);
  }

  /** Everything that needs names of the host is done when this resolves. */
  async create(): Promise<void> {
    const directory = this.#directory;
    const creation = new Creation(this.#context, this.#options, directory, (path) => this.#launch(path));
    try {
      const state = await creation.run();
      this.#noteLeftovers(state);
      this.#hooks = await LateHooks.start(this.#context.entry, this.#context.config.rootDir, state);
      if (this.#hooks !== null) this.#cgroups?.move(this.#hooks.pid);
      directory.save({ ...state, phase: 'running' });
      this.#client = creation.takeClient();
    } catch (error) {
      this.#sentry?.destroy();
      this.#cgroups?.goBack();
      this.#leftovers.forget();
      await creation.undo();
      directory.remove();
      throw error;
    } finally {
      creation.close();
      directory.unlock(); // Others may do with it what they want while it runs.
    }
  }

  async startAndWait(): Promise<number> {
    const sentry = this.#sentry!;
    try {
      try {
        await this.#client!.call('containerManager.StartRoot', { id: this.#options.id });
      } catch (error) {
        sentry.destroy();
        throw error;
      }
      const [status] = await Promise.all([sentry.run(), this.#runStartHooks()]);
      return status;
    } finally {
      this.#client!.close();
      this.#cgroups?.goBack();
      if (this.#options.isKept) {
        this.#leftovers.forget();
      } else {
        await this.#leftovers.remove();
        await this.#hooks?.stopped();
      }
    }
  }

  async #runStartHooks(): Promise<void> {
    await this.#hooks?.started();
    if (this.#options.isKept) await this.#hooks?.kept();
  }

  async #launch(socketPath: string): Promise<LaunchedSentry> {
    const { config } = this.#context;
    const { id, spec } = this.#options;
    const log = await openLog(config.log, id);
    const pair = new Int32Array(2);
    const error = unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair);
    if (error < 0) throw new SandboxError(`Cannot make a control connection: ${errnoText(-error)}`);
    this.#sentry = new Sentry({ config, log, listenFd: bindControlSocket(socketPath), spec });
    this.#sentry.createdBy(pair[1]!);
    return { process: identifyProcess(process.pid)!, client: new ControlClient(pair[0]!) };
  }

  #noteLeftovers({ cgroupPath, fileStores = [] }: ContainerState): void {
    const { path } = this.#directory;
    const { pidFile } = this.#options;
    if (cgroupPath !== null) {
      for (const directory of HostCgroup.open(cgroupPath).directories) this.#leftovers.add(directory, AT_REMOVEDIR);
    }
    for (const store of fileStores) this.#leftovers.add(store, AT_REMOVEDIR);
    for (const name of DIRECTORY_FILES) this.#leftovers.add(join(path, name), 0);
    this.#leftovers.add(path, AT_REMOVEDIR);
    if (pidFile !== undefined) this.#leftovers.add(pidFile, 0);
  }
}

/**
 * Runs a container in this process that no other command can find. Resolves with its exit status; nothing is left behind, nor
 * are its stores when this process is killed. Throws {@link SandboxError}.
 */
export async function runUnlisted(options: RunOptions, pidFile: string | undefined): Promise<number> {
  const { config, spec, bundleDir, id } = options;
  const stores = storePaths(config, spec, bundleDir, id);
  if (pidFile === undefined && stores.length === 0) return runContainer(options);
  const leftovers = new Leftovers(false);
  let remover: StoreRemover | null = null;
  try {
    if (pidFile !== undefined) {
      writePidFile(pidFile, process.pid);
      leftovers.add(pidFile, 0);
    }
    if (stores.length > 0) remover = StoreRemover.start(stores);
    makeStores(stores);
    for (const store of stores) leftovers.add(store, AT_REMOVEDIR);
    return await runContainer(options);
  } finally {
    await leftovers.remove();
    remover?.close();
  }
}
