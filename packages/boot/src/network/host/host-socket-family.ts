import {
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOL_SOCKET,
  SO_PROTOCOL,
  type AF_INET,
  type AF_INET6,
  type Errno,
} from '@tsv/abi';
import type { HostFdWatcher } from '@tsv/gofer';
import { getsockopt, socket } from '@tsv/host';
import type { Kernel, SocketFamily, SocketFile, Task } from '@tsv/kernel';
import { HostSocketFile } from './host-socket-file.js';

/** A family of sockets of the host's: what the host's kernel lets the sentry make, guests may. */
export class HostSocketFamily implements SocketFamily {
  readonly family: typeof AF_INET | typeof AF_INET6;
  readonly name = 'HOST';
  readonly createPair = null;
  readonly #kernel: Kernel;
  readonly #watcher: HostFdWatcher;

  constructor(family: typeof AF_INET | typeof AF_INET6, kernel: Kernel, watcher: HostFdWatcher) {
    this.family = family;
    this.#kernel = kernel;
    this.#watcher = watcher;
  }

  /** Errors: those of socket(2) on the host. */
  create(t: Task, type: number, protocol: number, flags: number): SocketFile | Errno {
    const fd = socket(this.family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
    if (fd < 0) return fd;
    const { anonymousFiles } = this.#kernel;
    const chosen = protocolOf(fd);
    return new HostSocketFile(anonymousFiles, this.#watcher, t.ns.net, this.family, type, chosen, flags, fd);
  }
}

/** The protocol of a socket of the host's, which it chose if it was asked for 0. */
function protocolOf(fd: number): number {
  const value = new Uint8Array(4);
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, value) < 0 ? 0 : new DataView(value.buffer).getInt32(0, true);
}
