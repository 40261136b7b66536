import { closeSync, constants, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fstatSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { flock } from '@tsv/host';
import { EAGAIN, errnoText } from '@tsv/abi';
import * as v from 'valibot';
import { SandboxError } from '../sandbox-error.js';
import { containerStateSchema, type ContainerState } from './container-state.js';

const LOCK_EX = 2;
const LOCK_NB = 4;
const STATE_FILE = 'state.json';
const LOCK_FILE = 'lock';

/** Name of the control server's socket in a container's directory. */
export const SOCKET_FILE = 'control.sock';

/** All that may be in a container's directory. */
export const DIRECTORY_FILES: readonly string[] = [SOCKET_FILE, STATE_FILE, `${STATE_FILE}.new`, LOCK_FILE];

/**
 * A container's directory, locked: nobody else changes it meanwhile. The lock goes with the process that holds it,
 * however it ends.
 */
export class ContainerDirectory {
  readonly id: string;
  readonly path: string;
  #lockFd: number;

  private constructor(id: string, path: string, lockFd: number) {
    this.id = id;
    this.path = path;
    this.#lockFd = lockFd;
  }

  /** Makes the directory of a new container. Throws {@link SandboxError} when there is one by this name. */
  static create(root: string, id: string): ContainerDirectory {
    const path = join(root, id);
    try {
      mkdirSync(root, { recursive: true, mode: 0o711 });
      mkdirSync(path, { mode: 0o700 });
    } catch (error) {
      const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST';
      const reason = isThere ? 'container with given ID already exists' : reasonOf(error);
      throw new SandboxError(`Cannot create container "${id}": ${reason}`);
    }
    try {
      return ContainerDirectory.open(root, id);
    } catch (error) {
      rmSync(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** Waits for the lock of a container. Throws {@link SandboxError} when there is no such container. */
  static open(root: string, id: string): ContainerDirectory {
    const path = join(root, id);
    for (;;) {
      const fd = openLock(path, id);
      const error = flock(fd, LOCK_EX);
      if (error < 0) {
        closeSync(fd);
        throw new SandboxError(`Cannot lock container "${id}": ${errnoText(-error)}`);
      }
      // Whoever held the lock may have removed the directory, and somebody made it anew.
      if (isSameFile(fd, join(path, LOCK_FILE))) return new ContainerDirectory(id, path, fd);
      closeSync(fd);
    }
  }

  /** Whether a command works on the container now. */
  static isLocked(root: string, id: string): boolean {
    const fd = openLock(join(root, id), id);
    const error = flock(fd, LOCK_EX | LOCK_NB);
    closeSync(fd);
    return error === -EAGAIN;
  }

  /** The state that was saved last, or null when it never was, or cannot be read. */
  load(): ContainerState | null {
    return loadState(this.path);
  }

  /**
   * Replaces the state: when this process is killed at any moment, either the old or the new one is there, whole. It is not
   * forced to a disk, which takes milliseconds: a crash of the host ends the container too.
   */
  save(state: ContainerState): void {
    const draft = join(this.path, `${STATE_FILE}.new`);
    try {
      writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
      renameSync(draft, join(this.path, STATE_FILE));
    } catch (error) {
      throw new SandboxError(`Cannot write the state of container "${this.id}": ${reasonOf(error)}`);
    }
  }

  /** Removes the container's directory. */
  remove(): void {
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch (error) {
      throw new SandboxError(`Cannot remove the state of container "${this.id}": ${reasonOf(error)}`);
    }
    this.unlock();
  }

  /** Lets others at it. */
  unlock(): void {
    if (this.#lockFd < 0) return;
    closeSync(this.#lockFd);
    this.#lockFd = -1;
  }
}

/** The saved state in a container's directory, or null when there is none that can be read. */
export function loadState(path: string): ContainerState | null {
  let text: string;
  try {
    text = readFileSync(join(path, STATE_FILE), 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), containerStateSchema), text);
  return parsed.success ? parsed.output : null;
}

function openLock(path: string, id: string): number {
  try {
    return openSync(join(path, LOCK_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    const isAbsent = ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
    const reason = isAbsent ? 'container does not exist' : reasonOf(error);
    throw new SandboxError(`Cannot open container "${id}": ${reason}`);
  }
}

function isSameFile(fd: number, path: string): boolean {
  const there = statSync(path, { throwIfNoEntry: false });
  const held = fstatSync(fd);
  return there !== undefined && there.ino === held.ino && there.dev === held.dev;
}

/** The text of a failed call of node:fs, without its path. */
function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return code === undefined ? message : message.replace(/^[A-Z]+: /, '').replace(/, \w+( '.*)?$/, '');
}
