import { accept4, bind, close, getsockname, listen, setsockopt, socket } from '@tsv/host';
import {
  AF_INET,
  EAGAIN,
  ECONNABORTED,
  EINTR,
  POLLIN,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_REUSEADDR,
  errnoText,
} from '@tsv/abi';
import { HostFdWatcher, type HostFdListener } from '@tsv/gofer/host-fd-watcher';
import { SandboxError } from '../sandbox-error.js';

const BACKLOG = 128;
const SOCKADDR_IN_BYTES = 16;
const PORT_AT = 2;
const ADDRESS_AT = 4;
const LOOPBACK = [127, 0, 0, 1];

/** Takes connections at a port of the host's loopback address and hands each to whoever joins it to a sandbox. */
export class PortForwarder implements HostFdListener {
  /** The port that it listens at. */
  readonly port: number;
  readonly #fd: number;
  readonly #watcher = new HostFdWatcher();
  readonly #join: (fd: number) => Promise<unknown>;
  readonly #onError: (error: Error) => void;

  /** `port` 0 takes any. `join` is given a connection, which is closed here afterwards. Throws {@link SandboxError}. */
  constructor(port: number, join: (fd: number) => Promise<unknown>, onError: (error: Error) => void) {
    this.#join = join;
    this.#onError = onError;
    this.#fd = check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), port);
    const address = new Uint8Array(SOCKADDR_IN_BYTES);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_INET, true);
    view.setUint16(PORT_AT, port);
    address.set(LOOPBACK, ADDRESS_AT);
    try {
      check(setsockopt(this.#fd, SOL_SOCKET, SO_REUSEADDR, Uint8Array.of(1, 0, 0, 0)), port);
      check(bind(this.#fd, address), port);
      check(listen(this.#fd, BACKLOG), port);
      check(getsockname(this.#fd, address), port);
    } catch (error) {
      this.close();
      throw error;
    }
    this.port = view.getUint16(PORT_AT);
    this.#watcher.add(this.#fd, this);
    this.#watcher.watchOnce(this.#fd, POLLIN);
  }

  hostFdReady(): void {
    for (;;) {
      const fd = accept4(this.#fd, new Uint8Array(0), new Int32Array(2), SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) void this.#forward(fd);
      else if (fd !== -EINTR && fd !== -ECONNABORTED) {
        if (fd !== -EAGAIN) this.#onError(new SandboxError(`Cannot take a connection: ${errnoText(-fd)}`));
        break;
      }
    }
    this.#watcher.watchOnce(this.#fd, POLLIN);
  }

  /** Takes no more connections. */
  close(): void {
    this.#watcher.close();
    close(this.#fd);
  }

  async #forward(fd: number): Promise<void> {
    try {
      await this.#join(fd);
    } catch (error) {
      this.#onError(error as Error);
    } finally {
      close(fd);
    }
  }
}

function check(result: number, port: number): number {
  if (result >= 0) return result;
  throw new SandboxError(`Cannot listen at 127.0.0.1:${port}: ${errnoText(-result)}`);
}
