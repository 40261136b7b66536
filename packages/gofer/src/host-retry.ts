import { POLLIN, POLLOUT } from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';

/** How often those who wait look again. */
const RETRY_MS = 20;

/** Wakes those who wait for something that the host does not tell: they look again every now and then. */
export class HostRetry {
  readonly #waiters = new WaitQueue();
  #timer: NodeJS.Timeout | null = null;

  /** A queue that is told POLLIN and POLLOUT soon. */
  soon(): WaitQueue {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#waiters.notify(POLLIN | POLLOUT);
    }, RETRY_MS);
    return this.#waiters;
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
