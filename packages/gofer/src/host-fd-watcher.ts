import { FdWatcher } from '@tsv/host';

/** Pairs of token and events that one batch may hold. */
const BATCH_PAIRS = 64;
const EPOLLONESHOT = 0x4000_0000;

/** Who hears that a descriptor of the host became ready. */
export interface HostFdListener {
  /** `events` are EPOLL* bits, which are the POLL* bits. Told once for each time it was asked for. */
  hostFdReady(events: number): void;
}

/** Watches descriptors of the host through Node's event loop, each only while somebody waits for it. */
export class HostFdWatcher {
  readonly #ready = new Int32Array(BATCH_PAIRS * 2);
  readonly #watcher: FdWatcher;
  readonly #listeners = new Map<number, HostFdListener>();

  constructor() {
    this.#watcher = new FdWatcher(this.#ready, (count) => {
      for (let i = 0; i < count; i++) this.#listeners.get(this.#ready[2 * i]!)?.hostFdReady(this.#ready[2 * i + 1]!);
    });
  }

  /** Makes `fd` known, with no events asked for. Errors: EPERM for a file that is always ready. */
  add(fd: number, listener: HostFdListener): number {
    const error = this.#watcher.add(fd, fd, EPOLLONESHOT);
    if (error === 0) this.#listeners.set(fd, listener);
    return error;
  }

  /** Asks to be told once when one of `events` happens. */
  watchOnce(fd: number, events: number): void {
    if (this.#listeners.has(fd)) this.#watcher.modify(fd, fd, events | EPOLLONESHOT);
  }

  remove(fd: number): void {
    if (this.#listeners.delete(fd)) this.#watcher.remove(fd);
  }

  close(): void {
    this.#listeners.clear();
    this.#watcher.close();
  }
}
