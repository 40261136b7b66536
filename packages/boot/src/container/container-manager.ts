import { ControlClient } from '../control/control-client.js';
import type { MethodName, MethodParams, MethodResult } from '../control/methods.js';
import { HostCgroup } from '../cgroup/host-cgroup.js';
import type { Resources } from '../cgroup/resource-files.js';
import { removeStores } from '../overlay-stores.js';
import { runHooks } from '../oci/hooks.js';
import { SandboxError } from '../sandbox-error.js';
import {
  createContainer,
  type CreateOptions,
  type CreatedContainer,
  type ManagerContext,
} from './container-creator.js';
import type { ContainerDirectory } from './container-directory.js';
import { containerStatus, ociState, type ContainerState, type ContainerStatus } from './container-state.js';
import { runcStatistics, type RuncStatistics } from './runc-statistics.js';
import { executeInContainer, type ExecOptions } from './execute-in-container.js';
import { killProcess, untilEnded } from './kill-process.js';
import type { DeliveryMode } from './delivery-mode.js';
import { StateStore, type ListedContainer } from './state-store.js';
import { exitStatusOf } from './wait-status.js';

/** How long a container that has ended may take to be gone from the host. */
const ENDING_MS = 2_000;
/** How long the kernel may take to end what was killed. */
const KILLED_MS = 10_000;

/** Operations on the containers of one `--root`, as runtime.md "Operations" has them. All throw {@link SandboxError}. */
export class ContainerManager {
  readonly store: StateStore;
  readonly #context: ManagerContext;

  constructor(context: Omit<ManagerContext, 'store'>) {
    this.store = new StateStore(context.config.rootDir);
    this.#context = { ...context, store: this.store };
  }

  create(options: CreateOptions): Promise<ContainerState> {
    return this.#createThen(options, ({ state, directory }) => {
      directory.save(state);
    });
  }

  /** Creates a container and starts it, by one connection to its sandbox. */
  async run(options: CreateOptions): Promise<void> {
    await this.#createThen(options, startCreated);
  }

  async start(id: string): Promise<void> {
    const directory = this.store.open(id);
    try {
      const state = loaded(directory);
      const status = containerStatus(state);
      if (status !== 'created') throw new SandboxError(`Cannot start container "${id}": it is ${status}`);
      await this.#withClient(state, (client) => startCreated({ state, directory, client }));
    } finally {
      directory.unlock();
    }
  }

  /** The state as it is now. */
  state(id: string): ContainerState {
    return this.store.read(id);
  }

  list(): ListedContainer[] {
    return this.store.list();
  }

  async kill(id: string, signo: number, mode: DeliveryMode, pid = 0): Promise<void> {
    const state = this.#alive(id, 'signal', ['created', 'running', 'paused']);
    await this.#call(state, 'containerManager.Signal', { id, pid, signo, mode });
  }

  /** Removes a container that has stopped or was not started; with `force`, any, and it is no error if there is none. */
  async delete(id: string, force: boolean): Promise<void> {
    let directory: ContainerDirectory;
    try {
      directory = this.store.open(id);
    } catch (error) {
      if (force && error instanceof SandboxError && error.message.endsWith('does not exist')) return;
      throw error;
    }
    try {
      const state = directory.load();
      if (state !== null) {
        await this.#stop(state, force);
        if (state.cgroupPath !== null) await HostCgroup.open(state.cgroupPath).destroy();
        removeStores(state.fileStores ?? []);
      }
      directory.remove();
      if (state !== null) await runLateHooks('poststop', state);
    } finally {
      directory.unlock();
    }
  }

  async pause(id: string): Promise<void> {
    await this.#changePhase(id, 'running', 'paused', 'containerManager.Pause');
  }

  async resume(id: string): Promise<void> {
    await this.#changePhase(id, 'paused', 'running', 'containerManager.Resume');
  }

  /** Resolves with the exit status of the container, or of a process in it. */
  async wait(id: string, pid = 0): Promise<number> {
    const state = this.#alive(id, 'wait for', ['created', 'running', 'paused']);
    const { waitStatus } =
      pid === 0
        ? await this.#call(state, 'containerManager.Wait', { id })
        : await this.#call(state, 'containerManager.WaitPID', { id, pid });
    return exitStatusOf(waitStatus);
  }

  /** Runs a process in a container; resolves with its exit status, or with 0 at once when it is detached. */
  async execute(id: string, options: ExecOptions): Promise<number> {
    const state = this.#alive(id, 'execute in', options.mayBePaused ? ['running', 'paused'] : ['running']);
    return this.#withClient(state, (client) => executeInContainer(client, id, options));
  }

  /** Asks the sandbox of a container that has not stopped. */
  async ask<M extends MethodName>(
    id: string,
    method: M,
    params: MethodParams<M>,
    fds: number[] = [],
  ): Promise<MethodResult<M>> {
    const state = this.#alive(id, 'ask', ['created', 'running', 'paused']);
    return this.#call(state, method, params, fds);
  }

  /** What a container uses, in runc's form: by its cgroup of the host, and by the sandbox. */
  async statistics(id: string): Promise<RuncStatistics> {
    const state = this.#alive(id, 'measure', ['running', 'paused']);
    const guest = await this.#call(state, 'containerManager.Event', { id });
    const isAlone = state.sandboxId === id;
    const host = isAlone && state.cgroupPath !== null ? HostCgroup.open(state.cgroupPath).statistics() : null;
    return runcStatistics(guest, host);
  }

  /** The metrics of a sandbox, by the ID of its first container, which its series name. It may take `timeoutMs`. */
  async metrics(
    id: string,
    params: Omit<MethodParams<'Metrics.Export'>, 'labels'>,
    timeoutMs: number,
  ): Promise<MethodResult<'Metrics.Export'>> {
    const client = ControlClient.connect(this.store.socketPath(id));
    const timer = setTimeout(() => {
      client.close();
    }, timeoutMs);
    try {
      return await client.call('Metrics.Export', { ...params, labels: { sandbox: id } });
    } finally {
      clearTimeout(timer);
      client.close();
    }
  }

  /** Changes the limits of a container's cgroup, and what its guests see of them. */
  async update(id: string, resources: Resources): Promise<void> {
    const state = this.#alive(id, 'update', ['created', 'running', 'paused']);
    const { cgroupPath } = state;
    if (cgroupPath === null) throw new SandboxError(`Cannot update container "${id}": it has no cgroup of its own`);
    HostCgroup.open(cgroupPath).update(resources);
    await this.#call(state, 'containerManager.Update', { id, resources: JSON.stringify(resources) });
  }

  /** Creates a container and goes on while it is locked; one with which that fails is deleted. */
  async #createThen(
    options: CreateOptions,
    next: (created: CreatedContainer) => void | Promise<void>,
  ): Promise<ContainerState> {
    const created = await createContainer(this.#context, options);
    try {
      await next(created);
    } catch (error) {
      created.close();
      await this.delete(options.id, true);
      throw error;
    }
    created.close();
    return created.state;
  }

  #alive(id: string, verb: string, statuses: readonly ContainerStatus[]): ContainerState {
    const state = this.store.read(id);
    const status = containerStatus(state);
    if (statuses.includes(status)) return state;
    const reason = status === 'stopped' ? 'container not running' : `it is ${status}`;
    throw new SandboxError(`Cannot ${verb} container "${id}": ${reason}`);
  }

  async #changePhase(
    id: string,
    from: ContainerStatus,
    to: 'running' | 'paused',
    method: 'containerManager.Pause' | 'containerManager.Resume',
  ): Promise<void> {
    const directory = this.store.open(id);
    try {
      const state = loaded(directory);
      const status = containerStatus(state);
      const verb = to === 'paused' ? 'pause' : 'resume';
      if (status !== from) throw new SandboxError(`Cannot ${verb} container "${id}": it is ${status}`);
      await this.#call(state, method, { id });
      directory.save({ ...state, phase: to });
    } finally {
      directory.unlock();
    }
  }

  /** Ends what there is still of a container. */
  async #stop(state: ContainerState, force: boolean): Promise<void> {
    const status = containerStatus(state);
    if (!force && status !== 'stopped' && status !== 'created') {
      throw new SandboxError(`Cannot delete container "${state.id}": container is not stopped: it is ${status}`);
    }
    const { process, sentry } = state;
    if (state.sandboxId !== state.id) await this.#destroyInPod(state);
    else if (sentry !== null) {
      if (status === 'stopped') await untilEnded(sentry, ENDING_MS);
      killProcess(sentry);
      if (!(await untilEnded(sentry, KILLED_MS))) throw stuck(state.id, sentry.pid);
    }
    if (process === null) return;
    killProcess(process);
    if (!(await untilEnded(process, KILLED_MS))) throw stuck(state.id, process.pid);
  }

  async #destroyInPod(state: ContainerState): Promise<void> {
    try {
      await this.#call(state, 'containerManager.DestroySubcontainer', { id: state.id });
    } catch (error) {
      // The sandbox may have ended, and the container with it.
      if (!(error instanceof SandboxError)) throw error;
    }
  }

  async #call<M extends MethodName>(
    state: ContainerState,
    method: M,
    params: MethodParams<M>,
    fds: readonly number[] = [],
  ): Promise<MethodResult<M>> {
    return this.#withClient(state, (client) => client.call(method, params, fds));
  }

  async #withClient<T>(state: ContainerState, body: (client: ControlClient) => Promise<T>): Promise<T> {
    const client = ControlClient.connect(this.store.socketPath(state.sandboxId));
    try {
      return await body(client);
    } finally {
      client.close();
    }
  }
}

/** Runs the first process of a container that was created, and the hooks after it. */
async function startCreated({ state, directory, client }: Omit<CreatedContainer, 'close'>): Promise<void> {
  const { id } = state;
  const isRoot = state.sandboxId === id;
  await client.call(isRoot ? 'containerManager.StartRoot' : 'containerManager.StartSubcontainer', { id });
  const running: ContainerState = { ...state, phase: 'running' };
  directory.save(running);
  await runLateHooks('poststart', running);
}

/** Runs hooks whose failure changes nothing any more: it is a warning, runtime.md "Lifecycle" 9 and 13. */
export async function runLateHooks(kind: 'poststart' | 'poststop', state: ContainerState): Promise<void> {
  const hooks = state.hooks[kind];
  if (hooks.length === 0) return;
  try {
    await runHooks(kind, hooks, ociState(state, kind === 'poststart' ? 'running' : 'stopped'));
  } catch (error) {
    if (!(error instanceof SandboxError)) throw error;
    process.stderr.write(`tsv: warning: ${error.message}\n`);
  }
}

function loaded(directory: ContainerDirectory): ContainerState {
  const state = directory.load();
  if (state === null)
    throw new SandboxError(`Cannot use container "${directory.id}": its creation was cut off; delete it`);
  return state;
}

function stuck(id: string, pid: number): SandboxError {
  return new SandboxError(`Cannot delete container "${id}": process ${pid} does not end`);
}
