import native from '../native/index.js';

/** Pairs that come in one batch. */
const BATCH_COUNT = 64;

/** Open watchers: an open one is not collected. */
const openWatchers = new Set<FdWatcher>();

/** Tells of readiness of host descriptors, epoll(7), in batches through Node's event loop, which it keeps alive. */
export class FdWatcher {
  readonly #ready = new Int32Array(2 * BATCH_COUNT);
  readonly #native: InstanceType<typeof native.FdWatcher>;

  /** Calls `onReady` for each descriptor that is ready, with the token it was added with and its EPOLL* events. */
  constructor(onReady: (token: number, events: number) => void) {
    const ready = this.#ready;
    this.#native = new native.FdWatcher(ready, (count) => {
      for (let index = 0; index < count; index++) onReady(ready[2 * index]!, ready[2 * index + 1]! >>> 0);
    });
    openWatchers.add(this);
  }

  /**
   * Watches `fd` for `events`, which may have EPOLLET and EPOLLONESHOT. Errors: EPERM for a regular file, which is
   * always ready, and what else epoll_ctl(2) says.
   */
  add(fd: number, token: number, events: number): number {
    return this.#native.add(fd, token, events);
  }

  /** Watches for other events, and looks at once whether they are there. Errors: ENOENT. */
  modify(fd: number, token: number, events: number): number {
    return this.#native.modify(fd, token, events);
  }

  /** Watches no more. Errors: ENOENT. */
  remove(fd: number): number {
    return this.#native.remove(fd);
  }

  /** Leaves the loop. */
  close(): void {
    openWatchers.delete(this);
    this.#native.close();
  }
}
