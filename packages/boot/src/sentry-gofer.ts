import { POLLHUP, POLLIN } from '@tsv/abi';
import { GoferClient, useGofer, type HostFdListener, type HostFdWatcher } from '@tsv/gofer';
import { getThreadCapabilities } from '@tsv/host';
import type { RuntimeConfig } from './config.js';
import { SandboxError } from './sandbox-error.js';

/** CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER, capabilities(7): what only the gofer has once the sentry is confined. */
const FILE_CAPABILITIES = [2 ** 0, 2 ** 1, 2 ** 3];
const CAP_SYS_ADMIN = 2 ** 21;

/**
 * The gofer of this sentry: it does with host files what the confined sentry may not. Its end is told once: a container
 * whose files are gone must not go on.
 */
export class SentryGofer implements HostFdListener {
  readonly #client: GoferClient;
  readonly #watcher: HostFdWatcher;
  readonly #onGone: () => void;
  #isWatched = true;

  private constructor(client: GoferClient, watcher: HostFdWatcher, onGone: () => void) {
    this.#client = client;
    this.#watcher = watcher;
    this.#onGone = onGone;
    watcher.add(client.pidfd, this);
    watcher.watchOnce(client.pidfd, POLLIN | POLLHUP);
  }

  /**
   * Starts a gofer where one is of use: when this process has capabilities on files, which it is about to give up, and
   * with `--directfs=false` or `--host-uds` always. Null where it is of none. Throws {@link SandboxError}.
   */
  static start({ isDirectfs, hostUds }: RuntimeConfig, watcher: HostFdWatcher, onGone: () => void): SentryGofer | null {
    const capabilities = getThreadCapabilities();
    const has = (bit: number): boolean => Math.floor(capabilities / bit) % 2 === 1;
    const hasSockets = hostUds !== 'none';
    if (isDirectfs && !hasSockets && !FILE_CAPABILITIES.some(has)) return null;
    try {
      const client = GoferClient.start({ isRoot: has(CAP_SYS_ADMIN), hasSockets });
      useGofer(client, !isDirectfs);
      return new SentryGofer(client, watcher, onGone);
    } catch (error) {
      throw new SandboxError((error as Error).message);
    }
  }

  /** Returns when the gofer serves. Throws {@link SandboxError} when it does not come to that. */
  awaitReady(): void {
    try {
      this.#client.awaitReady();
    } catch (error) {
      throw new SandboxError((error as Error).message);
    }
  }

  hostFdReady(): void {
    if (!this.#isWatched) return;
    this.#stopWatching();
    this.#client.reap();
    this.#onGone();
  }

  /** Ends the gofer. */
  close(): void {
    this.#stopWatching();
    useGofer(null, false);
    this.#client.close();
  }

  #stopWatching(): void {
    if (!this.#isWatched) return;
    this.#isWatched = false;
    this.#watcher.remove(this.#client.pidfd);
  }
}
