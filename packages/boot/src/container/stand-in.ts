import { close, read, write } from '@tsv/host';
import { EAGAIN, EINTR, POLLIN } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';

/** Signal numbers that come at once at most; more follow. */
const BATCH = 64;

/** Who hears of the host's process that stands in for a guest's. */
export interface StandInListener {
  /** It was sent a signal. */
  signalled(signo: number): void;
  /** It was killed. */
  killed(): void;
}

/**
 * The sentry's end of the socket to a stand-in: the host's process that engines see in the place of a guest's, see
 * crates/stand-in.
 */
export class StandIn implements HostFdListener {
  /** Its ID on the host. */
  readonly hostPid: number;
  readonly #fd: number;
  readonly #watcher: HostFdWatcher;
  /** Who is told; changed when the process that it stands for is made. */
  listener: StandInListener;
  readonly #signals = new Uint8Array(BATCH);
  #hasEnded = false;

  /** Takes `fd` over. */
  constructor(fd: number, hostPid: number, watcher: HostFdWatcher, listener: StandInListener) {
    this.#fd = fd;
    this.hostPid = hostPid;
    this.#watcher = watcher;
    this.listener = listener;
    watcher.add(fd, this);
    watcher.watchOnce(fd, POLLIN);
  }

  /** Ends it with an exit status. */
  exit(status: number): void {
    if (this.#hasEnded) return;
    write(this.#fd, Uint8Array.of(status), 0, 1); // One that was killed meanwhile needs no status.
    this.close();
  }

  /** Lets go of it: it ends as if killed. */
  close(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#watcher.remove(this.#fd);
    close(this.#fd);
  }

  hostFdReady(): void {
    const count = read(this.#fd, this.#signals, 0, BATCH);
    if (count > 0) for (const signo of this.#signals.slice(0, count)) this.listener.signalled(signo);
    else if (count !== -EAGAIN && count !== -EINTR) {
      this.close();
      this.listener.killed();
      return;
    }
    if (!this.#hasEnded) this.#watcher.watchOnce(this.#fd, POLLIN);
  }
}
