import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SandboxError } from '../sandbox-error.js';
import { ContainerDirectory, SOCKET_FILE, loadState } from './container-directory.js';
import { checkContainerId } from './container-id.js';
import { containerStatus, type ContainerState, type ContainerStatus } from './container-state.js';

/** A container as `tsv list` finds it. */
export interface ListedContainer {
  readonly id: string;
  readonly status: ContainerStatus;
  /** Null for one whose creation was cut off. */
  readonly state: ContainerState | null;
}

/** All containers of one `--root`: a directory each. */
export class StateStore {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Begins a new container; its directory is locked. Throws {@link SandboxError}. */
  create(id: string): ContainerDirectory {
    checkContainerId(id);
    return ContainerDirectory.create(this.root, id);
  }

  /** Locks a container. Throws {@link SandboxError} when there is none. */
  open(id: string): ContainerDirectory {
    checkContainerId(id);
    return ContainerDirectory.open(this.root, id);
  }

  /** The state as it is now, without a lock. Throws {@link SandboxError} when there is no such container. */
  read(id: string): ContainerState {
    checkContainerId(id);
    const state = loadState(join(this.root, id));
    if (state === null) throw new SandboxError(`Cannot find container "${id}": container does not exist`);
    return state;
  }

  /** Where the control server of a sandbox listens. */
  socketPath(sandboxId: string): string {
    return join(this.root, sandboxId, SOCKET_FILE);
  }

  /** All containers, those with a cut-off creation too, by name. */
  list(): ListedContainer[] {
    return this.#names().flatMap((id): ListedContainer[] => {
      const state = loadState(join(this.root, id));
      if (state !== null) return [{ id, state, status: this.#statusOf(id, state) }];
      const isBusy = this.#isBusy(id);
      return isBusy === null ? [] : [{ id, state, status: isBusy ? 'creating' : 'stopped' }];
    });
  }

  #statusOf(id: string, state: ContainerState): ContainerStatus {
    if (state.phase !== 'creating' || state.process !== null) return containerStatus(state);
    return this.#isBusy(id) === true ? 'creating' : 'stopped';
  }

  #names(): string[] {
    try {
      return readdirSync(this.root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new SandboxError(`Cannot read "${this.root}": ${(error as Error).message}`);
    }
  }

  /** Whether a command works on a container; null when it has just gone. */
  #isBusy(id: string): boolean | null {
    try {
      return ContainerDirectory.isLocked(this.root, id);
    } catch (error) {
      if (error instanceof SandboxError) return null;
      throw error;
    }
  }
}
