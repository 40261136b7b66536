import { AF_UNIX, O_NONBLOCK, type Errno } from '@tsv/abi';
import { HostInode, HostRetry, type HostFdWatcher } from '@tsv/gofer';
import type { Kernel, OutsideSockets, SocketFile, Task } from '@tsv/kernel';
import { OverlayInode, type Inode } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { HostUds } from '../../config.js';
import { HostSocketFile } from './host-socket-file.js';

/** Sockets of the host that have names in its filesystems, unix(7), for guests: `--host-uds`. */
export class HostUnixSockets implements OutsideSockets {
  readonly #kernel: Kernel;
  readonly #watcher: HostFdWatcher;
  readonly #mayOpen: boolean;
  readonly #mayCreate: boolean;
  readonly #retry = new HostRetry();

  constructor(kernel: Kernel, watcher: HostFdWatcher, allowed: HostUds) {
    this.#kernel = kernel;
    this.#watcher = watcher;
    this.#mayOpen = allowed === 'open' || allowed === 'all';
    this.#mayCreate = allowed === 'create' || allowed === 'all';
  }

  connect(inode: Inode, type: number, t: Task): SocketFile | Errno | null {
    // A file of an overlay that was not written to is the host's.
    let real = inode;
    while (real instanceof OverlayInode) real = real.real;
    return this.#mayOpen && real instanceof HostInode ? this.#file(type, real.connectSocket(type), t) : null;
  }

  bind(dir: Inode, name: string, type: number, permissions: number, t: Task): SocketFile | Errno | null {
    if (!this.#mayCreate || !(dir instanceof HostInode)) return null;
    return this.#file(type, dir.bindSocket(name, type, permissions, t), t);
  }

  soon(): WaitQueue {
    return this.#retry.soon();
  }

  close(): void {
    this.#retry.close();
  }

  #file(type: number, fd: number, t: Task): SocketFile | Errno {
    if (fd < 0) return fd;
    return new HostSocketFile(this.#kernel.anonymousFiles, this.#watcher, t.ns.net, AF_UNIX, type, 0, O_NONBLOCK, fd);
  }
}
