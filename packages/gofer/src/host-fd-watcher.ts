import { FdWatcher } from '@tsv/host';

const EPOLLONESHOT = 0x4000_0000;

/** Who hears that a descriptor of the host became ready. */
export interface HostFdListener {
  /** `events` are EPOLL* bits, which are the POLL* bits. Told once for each time it was asked for. */
  hostFdReady(events: number): void;
}

/** Watches descriptors of the host through Node's event loop, each only while somebody waits for it. */
export class HostFdWatcher {
  readonly #watcher: FdWatcher;
  readonly #listeners = new Map<number, HostFdListener>();

  constructor() {
    this.#watcher = new FdWatcher((fd, events) => this.#listeners.get(fd)?.hostFdReady(events));
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
