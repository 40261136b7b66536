import { close, openat2 } from '@tsv/host';
import { AT_FDCWD, ENOENT, O_CLOEXEC, O_PATH, errnoText } from '@tsv/abi';
import { userInfo } from 'node:os';
import { statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Spec } from '@tsv/oci';
import { toByteString } from '../byte-string.js';
import type { RuntimeConfig } from '../config.js';
import { HostCgroup, cgroupPathOf } from '../cgroup/host-cgroup.js';
import { hostPaths } from '../host-paths.js';
import { makeStores, removeStores, storePaths } from '../overlay-stores.js';
import { ControlClient } from '../control/control-client.js';
import type { MethodName, MethodParams, MethodResult } from '../control/methods.js';
import { checkNamespacePaths } from '../oci/check-namespaces.js';
import { runHooks } from '../oci/hooks.js';
import { SandboxError } from '../sandbox-error.js';
import { openUserLog } from '../user-log.js';
import { SOCKET_FILE, type ContainerDirectory } from './container-directory.js';
import { STATE_VERSION, containerStatus, ociState, type ContainerState } from './container-state.js';
import { startStandIn, type HostStandIn } from './host-stand-in.js';
import { launchSentry, type LaunchedSentry } from './launch-sentry.js';
import { passedStdio, type PassedStdio } from './passed-stdio.js';
import type { PassedFd } from './process-starter.js';
import { podSandboxId } from './pod-annotations.js';
import { killProcess } from './kill-process.js';
import type { StateStore } from './state-store.js';

/** What `create` is asked for. */
export interface CreateOptions {
  readonly id: string;
  readonly spec: Spec;
  /** The text that `spec` was read from. */
  readonly configText: string;
  /** Absolute. */
  readonly bundleDir: string;
  readonly pidFile?: string | undefined;
  readonly consoleSocket?: string | undefined;
  /** File that is appended what the programs of the sandbox miss. */
  readonly userLog?: string | undefined;
  readonly passed: readonly PassedFd[];
}

/** Where containers are kept, and how their sandboxes are started. */
export interface ManagerContext {
  readonly store: StateStore;
  readonly config: RuntimeConfig;
  /** The program of the command line, which is also the sentry's. */
  readonly entry: string;
}

/** Starts a sentry that listens at a path. Throws {@link SandboxError}. */
export type SentryLauncher = (socketPath: string) => Promise<LaunchedSentry>;

/** A container that can be started, and what its creation holds of it until {@link close}. */
export interface CreatedContainer {
  readonly state: ContainerState;
  /** Locked. */
  readonly directory: ContainerDirectory;
  /** A connection to its sandbox. */
  readonly client: ControlClient;
  close(): void;
}

/** Makes a container up to the point where it can be started, runtime.md "Create". Throws {@link SandboxError}. */
export async function createContainer(context: ManagerContext, options: CreateOptions): Promise<CreatedContainer> {
  const { store } = context;
  const directory = store.create(options.id);
  const creation = new Creation(context, options, directory);
  const close = (): void => {
    creation.close();
    directory.unlock();
  };
  try {
    return { state: await creation.run(), directory, client: creation.client, close };
  } catch (error) {
    await creation.undo();
    directory.remove();
    close();
    throw error;
  }
}

/** The state that a container begins with. */
export function firstState(
  options: Pick<CreateOptions, 'id' | 'spec' | 'bundleDir'>,
  sandboxId: string,
): ContainerState {
  const { spec, id, bundleDir } = options;
  const root = spec.root?.path ?? 'rootfs';
  return {
    version: STATE_VERSION,
    id,
    ociVersion: spec.ociVersion,
    bundle: bundleDir,
    rootfs: isAbsolute(root) ? root : join(bundleDir, root),
    annotations: spec.annotations ?? {},
    created: new Date().toISOString(),
    owner: userInfo().username,
    phase: 'creating',
    sandboxId,
    process: null,
    sentry: null,
    cgroupPath: null,
    hooks: { poststart: spec.hooks?.poststart ?? [], poststop: spec.hooks?.poststop ?? [] },
    ...(spec.process !== undefined && { init: spec.process }),
  };
}

type Creating = Omit<MethodParams<'containerManager.CreateSubcontainer'>, 'donatedPaths'>;

/** The way of one container from a configuration to one that can be started; {@link undo} takes back what was done. */
export class Creation {
  readonly #context: ManagerContext;
  readonly #options: CreateOptions;
  readonly #directory: ContainerDirectory;
  readonly #launcher: SentryLauncher;
  #state: ContainerState;
  #stdio: PassedStdio | null = null;
  #standIn: HostStandIn | null = null;
  #client: ControlClient | null = null;

  /** `launch` makes the sentry where it is not a process of its own. */
  constructor(context: ManagerContext, options: CreateOptions, directory: ContainerDirectory, launch?: SentryLauncher) {
    this.#context = context;
    this.#launcher =
      launch ?? ((path) => launchSentry(context.entry, { id: options.id, config: context.config }, path));
    this.#options = options;
    this.#directory = directory;
    this.#state = firstState(options, podSandboxId(options.spec) ?? options.id);
  }

  /** The state that this resolves with is saved by the caller; until there is something to find, none is. */
  async run(): Promise<ContainerState> {
    const { id, spec, configText, bundleDir, pidFile } = this.#options;
    const isRoot = this.#state.sandboxId === id;
    if (!isRoot) this.#state = { ...this.#state, sentry: this.#podSentry() };
    checkRoot(this.#state.rootfs);
    checkNamespacePaths(spec);
    this.#makeStores();
    this.#stdio = this.#openStdio();
    const terminalFd = this.#stdio.params.terminal === 'own' ? this.#stdio.fds[0]! : -1;
    const network = spec.linux?.namespaces?.find(({ type }) => type === 'network');
    const hasNetwork = network !== undefined && (network.path ?? '') === '';
    this.#standIn = startStandIn(terminalFd, { root: this.#state.rootfs, hasNetwork });
    const { process, socketFd } = this.#standIn;
    this.#save({ process });
    this.#client = isRoot
      ? await this.#launch()
      : ControlClient.connect(this.#context.store.socketPath(this.#state.sandboxId));
    this.#enterCgroup([process.pid, ...(isRoot ? [this.#state.sentry!.pid] : [])]);
    const { hooks } = spec;
    await runHooks('prestart', hooks?.prestart, ociState(this.#state, 'creating'));
    await runHooks('createRuntime', hooks?.createRuntime, ociState(this.#state, 'creating'));
    const params = { id, config: configText, bundleDir, ...this.#stdio.params, hostPid: process.pid };
    const fds = [...this.#stdio.fds, socketFd];
    if (isRoot) await this.#createRoot(this.#client, params, fds);
    else await this.#createInPod(this.#client, params, fds);
    await runHooks('createContainer', hooks?.createContainer, ociState(this.#state, 'creating'));
    this.#state = { ...this.#state, phase: 'created' };
    if (pidFile !== undefined) writePidFile(pidFile, process.pid);
    if (isRoot && !this.#isHere()) await this.#callWithin(this.#client, 'containerManager.Commit', {});
    return this.#state;
  }

  /** What was begun ends. */
  async undo(): Promise<void> {
    const { sandboxId, id, sentry, cgroupPath, fileStores } = this.#state;
    if (sandboxId === id && sentry !== null && !this.#isHere()) killProcess(sentry);
    if (this.#standIn !== null) killProcess(this.#standIn.process);
    if (cgroupPath !== null) await HostCgroup.open(cgroupPath).destroy();
    removeStores(fileStores ?? []);
  }

  /** The connection to the sentry; {@link run} has resolved. */
  get client(): ControlClient {
    return this.#client!;
  }

  /** The same, which the caller closes from now on. */
  takeClient(): ControlClient {
    const client = this.#client!;
    this.#client = null;
    return client;
  }

  /** Gives back what was needed to create it. */
  close(): void {
    this.#client?.close();
    this.#stdio?.close();
    if (this.#standIn !== null) close(this.#standIn.socketFd);
  }

  /** Whether this process is the sentry. */
  #isHere(): boolean {
    return this.#state.sentry?.pid === process.pid;
  }

  #save(change: Partial<ContainerState>): void {
    this.#state = { ...this.#state, ...change };
    this.#directory.save(this.#state);
  }

  #makeStores(): void {
    const { id, spec, bundleDir } = this.#options;
    const paths = storePaths(this.#context.config, spec, bundleDir, id);
    if (paths.length === 0) return;
    makeStores(paths);
    this.#save({ fileStores: paths });
  }

  /** The limits of a pod are its first container's: the processes of all run in its sandbox. */
  #enterCgroup(pids: readonly number[]): void {
    const { id, spec } = this.#options;
    const path = cgroupPathOf(spec, this.#context.config, id);
    if (path === null) return;
    this.#save({ cgroupPath: path });
    const isRoot = this.#state.sandboxId === id;
    const cgroup = HostCgroup.create(path, isRoot ? spec.linux?.resources : undefined);
    for (const pid of pids) cgroup.addProcess(pid);
  }

  #openStdio(): PassedStdio {
    const { spec, consoleSocket, passed } = this.#options;
    const wantsTerminal = spec.process?.terminal === true;
    return passedStdio({ wantsTerminal, consoleSocket, passed, size: spec.process?.consoleSize });
  }

  async #launch(): Promise<ControlClient> {
    const { client, process } = await this.#launcher(join(this.#directory.path, SOCKET_FILE));
    this.#save({ sentry: process });
    return client;
  }

  async #createRoot(client: ControlClient, params: Creating, fds: readonly number[]): Promise<void> {
    const { userLog } = this.#options;
    const userLogFd = userLog === undefined ? -1 : openUserLog(userLog);
    const hasUserLog = userLogFd >= 0;
    try {
      await this.#callWithin(
        client,
        'containerManager.CreateRoot',
        { ...params, hasUserLog },
        hasUserLog ? [...fds, userLogFd] : fds,
      );
    } finally {
      if (hasUserLog) close(userLogFd);
    }
  }

  /** The sandbox is confined: the files of the host that the container sees are opened here. */
  async #createInPod(client: ControlClient, params: Creating, fds: readonly number[]): Promise<void> {
    const { spec, bundleDir } = this.#options;
    const opened = new Map<string, number>();
    try {
      for (const path of [...hostPaths(spec, bundleDir), ...(this.#state.fileStores ?? [])]) {
        const fd = openat2(AT_FDCWD, toByteString(path), O_PATH | O_CLOEXEC, 0, 0);
        if (fd < 0) throw new SandboxError(`Cannot open "${path}": ${errnoText(-fd)}`);
        opened.set(path, fd);
      }
      const donatedPaths = [...opened.keys()];
      const all = [...fds, ...opened.values()];
      await this.#callWithin(client, 'containerManager.CreateSubcontainer', { ...params, donatedPaths }, all);
    } finally {
      for (const fd of opened.values()) close(fd);
    }
  }

  /** No hook runs in the sandbox meanwhile, and no guest: one that does not answer never will. */
  #callWithin<M extends MethodName>(
    client: ControlClient,
    method: M,
    params: MethodParams<M>,
    fds?: readonly number[],
  ): Promise<MethodResult<M>> {
    return client.callWithin(this.#context.config.createTimeoutMs, method, params, fds);
  }

  /** The sentry of the pod that the container joins. */
  #podSentry(): ContainerState['sentry'] {
    const { sandboxId } = this.#state;
    const sandbox = this.#context.store.read(sandboxId);
    const status = containerStatus(sandbox);
    if (status === 'running' || status === 'paused') return sandbox.sentry;
    throw new SandboxError(`Cannot join sandbox "${sandboxId}": it is ${status}`);
  }
}

/** config.md "Root": "A directory MUST exist at the path declared by the field". Throws {@link SandboxError}. */
function checkRoot(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) return;
  throw new SandboxError(
    `Cannot open root.path "${path}": ${stats === undefined ? errnoText(ENOENT) : 'not a directory'}`,
  );
}

/** Writes a process ID for engines. Throws {@link SandboxError}. */
export function writePidFile(path: string, pid: number): void {
  try {
    writeFileSync(path, String(pid));
  } catch (error) {
    throw new SandboxError(`Cannot write pid file "${path}": ${(error as Error).message}`);
  }
}
