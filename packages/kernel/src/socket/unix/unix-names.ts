import { EADDRINUSE, EAGAIN, ECONNREFUSED, EEXIST, S_IFMT, S_IFSOCK, type Errno } from '@tsv/abi';
import { MAY_WRITE, checkPathAccess, type Inode, type NodeMaker, type VfsPath } from '@tsv/vfs';
import type { Task } from '../../task/task.js';
import type { SocketFile } from '../socket-file.js';
import { OutsideSocket, type OutsideSockets } from './outside-socket.js';
import type { UnixAddress } from './unix-address.js';
import type { UnixSocket } from './unix-socket.js';

/** Abstract names that the kernel chooses itself: five hexadecimal digits, unix(7). */
const AUTOBIND_COUNT = 0x10_0000;

/** The sockets bound to paths and names. */
export class UnixNames {
  /** Where the sockets are that no guest has bound, or null: paths name those of guests only. */
  outside: OutsideSockets | null = null;
  readonly #byInode = new WeakMap<Inode, UnixSocket>();
  #nextAutobind = 0;

  /** Gives `socket` an address; a path may name it outside, too. Errors: EADDRINUSE, and what mknod(2) says. */
  bind(socket: UnixSocket, address: UnixAddress, t: Task): 0 | Errno {
    if (address.isAbstract) {
      const { abstractSockets } = t.ns.net;
      if (abstractSockets.has(address.name)) return -EADDRINUSE;
      abstractSockets.set(address.name, socket);
      socket.bound(address, null, abstractSockets);
      return 0;
    }
    const { vfs } = t.kernel;
    let file = null as SocketFile | null;
    const make: NodeMaker = (dir, name, mode, rdev) => {
      const bound = this.outside?.bind(dir, name, socket.type, mode & 0o7777, t) ?? null;
      if (bound === null) return dir.mknod(name, mode, rdev, t);
      if (typeof bound === 'number') return bound;
      file = bound;
      return dir.lookup(name);
    };
    const made = vfs.bindAt(t, t.cwd, address.name, 0o777, make);
    const path = made < 0 ? made : vfs.resolve(t, t.cwd, address.name, 0);
    if (typeof path === 'number') {
      file?.decRef();
      return path === -EEXIST ? -EADDRINUSE : path;
    }
    this.#byInode.set(path.dentry.inode!, socket);
    socket.bound(address, path, null);
    if (file !== null) socket.boundOutside = new OutsideSocket(file, address, socket.queue);
    return 0;
  }

  /** Gives `socket` an abstract name of the kernel's choice. Errors: EADDRINUSE when all are taken. */
  autobind(socket: UnixSocket, t: Task): 0 | Errno {
    const { abstractSockets } = t.ns.net;
    for (let tries = 0; tries < AUTOBIND_COUNT; tries++) {
      const name = this.#nextAutobind.toString(16).padStart(5, '0');
      this.#nextAutobind = (this.#nextAutobind + 1) % AUTOBIND_COUNT;
      if (!abstractSockets.has(name)) return this.bind(socket, { isAbstract: true, name }, t);
    }
    return -EADDRINUSE;
  }

  /**
   * The socket at `address` that `socket` looks for: a guest's, or a new one outside that is connected to what is there.
   * Errors: ECONNREFUSED, EACCES without the right to write to it, those of paths, and those of outside.
   */
  find(address: UnixAddress, socket: UnixSocket, t: Task): UnixSocket | OutsideSocket | Errno {
    if (address.isAbstract) return t.ns.net.abstractSockets.get(address.name) ?? -ECONNREFUSED;
    const path = t.kernel.vfs.resolve(t, t.cwd, address.name);
    if (typeof path === 'number') return path;
    const found = this.#at(path, address, socket, t);
    path.decRef();
    return found;
  }

  /** The socket of `path` is closed: nobody finds it there any more. */
  unbind(path: VfsPath): void {
    const { inode } = path.dentry;
    if (inode !== null) this.#byInode.delete(inode);
  }

  #at(path: VfsPath, address: UnixAddress, socket: UnixSocket, t: Task): UnixSocket | OutsideSocket | Errno {
    const access = checkPathAccess(path, MAY_WRITE, t.creds);
    if (access < 0) return access;
    const inode = path.dentry.inode!;
    if ((inode.mode & S_IFMT) !== S_IFSOCK) return -ECONNREFUSED;
    const bound = this.#byInode.get(inode);
    if (bound !== undefined) return bound;
    const file = this.outside?.connect(inode, socket.type, t) ?? -ECONNREFUSED;
    if (file === -EAGAIN) socket.blockedOn = this.outside!.soon();
    return typeof file === 'number' ? file : new OutsideSocket(file, address, socket.queue);
  }
}
