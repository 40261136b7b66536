import { FdWatcher, close, read, unixSocketpair, write } from '@tsv/host';
import { O_CLOEXEC, POLLIN, SOCK_STREAM, errnoText } from '@tsv/abi';
import { Socket } from 'node:net';
import { SandboxError } from '../sandbox-error.js';
import { NO_FD, startCompanion } from './companion-process.js';
import { runLateHooks, type ContainerManager } from './container-manager.js';
import type { ContainerState } from './container-state.js';

/** Descriptor of the socket in the process that runs the hooks. */
export const LATE_HOOKS_FD = 3;
const STDERR = 2;
/** What the sentry says over the socket; each is answered by a byte when the hooks have ended. */
const STARTED = 's'.charCodeAt(0);
const STOPPED = 'e'.charCodeAt(0);
const KEPT = 'k'.charCodeAt(0);

/**
 * The hooks of a container that are due when this process, its sentry, is confined and can run no program: another one
 * runs them. When the sentry is killed, that one removes the container and runs what is due then.
 */
export class LateHooks {
  /** The process that runs them. */
  readonly pid: number;
  readonly #fd: number;

  private constructor(pid: number, fd: number) {
    this.pid = pid;
    this.#fd = fd;
  }

  /** Starts the process, with `entry` (the command line's program), where there are hooks. Throws {@link SandboxError}. */
  static async start(entry: string, rootDir: string, state: ContainerState): Promise<LateHooks | null> {
    if (state.hooks.poststart.length === 0 && state.hooks.poststop.length === 0) return null;
    const pair = new Int32Array(2);
    const failed = unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair);
    if (failed < 0) throw new SandboxError(`Cannot make the socket of hooks: ${errnoText(-failed)}`);
    const [ours, theirs] = [pair[0]!, pair[1]!];
    const argv = ['node', entry, '--root', rootDir, 'late-hooks', state.id];
    let pid: number;
    try {
      pid = startCompanion({ file: process.execPath, argv, envp: [], fds: [NO_FD, NO_FD, STDERR, theirs] });
    } catch (error) {
      close(ours);
      throw error;
    } finally {
      close(theirs);
    }
    const hooks = new LateHooks(pid, ours);
    if ((await hooks.#answer()) === 1) return hooks;
    close(ours);
    throw new SandboxError('Cannot run hooks: their process has ended at once');
  }

  /** Resolves when the hooks of poststart have run. */
  async started(): Promise<void> {
    await this.#tell(STARTED);
  }

  /** The container stays, stopped, when the sentry ends: whoever removes it runs the hooks of poststop. */
  async kept(): Promise<void> {
    await this.#tell(KEPT);
    close(this.#fd);
  }

  /** The container is gone. Resolves when the hooks of poststop have run. */
  async stopped(): Promise<void> {
    await this.#tell(STOPPED);
    close(this.#fd);
  }

  async #tell(what: number): Promise<void> {
    if (write(this.#fd, Uint8Array.of(what), 0, 1) === 1) await this.#answer();
  }

  /** Resolves with the bytes that came: 1, or 0 when the process has ended. */
  #answer(): Promise<number> {
    return new Promise((resolve) => {
      const watcher = new FdWatcher(() => {
        watcher.close();
        resolve(read(this.#fd, new Uint8Array(1), 0, 1));
      });
      watcher.add(this.#fd, 0, POLLIN);
    });
  }
}

/** Runs the hooks of a container as {@link LateHooks} says over the socket {@link LATE_HOOKS_FD}. */
export async function serveLateHooks(manager: ContainerManager, id: string): Promise<void> {
  const state = manager.state(id);
  const socket = new Socket({ fd: LATE_HOOKS_FD, readable: true, writable: true });
  socket.write('r');
  try {
    for await (const words of socket as AsyncIterable<Buffer>) {
      for (const word of words) {
        if (word === STARTED) await runLateHooks('poststart', state);
        if (word === STOPPED) await runLateHooks('poststop', state);
        if (word === STOPPED || word === KEPT) {
          socket.end('r');
          return;
        }
        socket.write('r');
      }
    }
  } catch (error) {
    // A sentry that is killed may leave an answer unread.
    if (!['ECONNRESET', 'EPIPE'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  await manager.delete(id, true);
}
