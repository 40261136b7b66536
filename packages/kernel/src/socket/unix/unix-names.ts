import { EADDRINUSE, ECONNREFUSED, EEXIST, S_IFMT, S_IFSOCK, type Errno } from '@tsv/abi';
import { MAY_WRITE, checkPathAccess, type Inode, type VfsPath } from '@tsv/vfs';
import type { Task } from '../../task/task.js';
import type { UnixAddress } from './unix-address.js';
import type { UnixSocket } from './unix-socket.js';

/** Abstract names that the kernel chooses itself: five hexadecimal digits, unix(7). */
const AUTOBIND_COUNT = 0x10_0000;

/** The sockets bound to paths and names. */
export class UnixNames {
  readonly #byInode = new WeakMap<Inode, UnixSocket>();
  #nextAutobind = 0;

  /** Gives `socket` an address. Errors: EADDRINUSE, and what mknod(2) says. */
  bind(socket: UnixSocket, address: UnixAddress, t: Task): 0 | Errno {
    if (address.isAbstract) {
      const { abstractSockets } = t.ns.net;
      if (abstractSockets.has(address.name)) return -EADDRINUSE;
      abstractSockets.set(address.name, socket);
      socket.bound(address, null, abstractSockets);
      return 0;
    }
    const { vfs } = t.kernel;
    const made = vfs.mknodAt(t, t.cwd, address.name, S_IFSOCK | 0o777, 0);
    if (made < 0) return made === -EEXIST ? -EADDRINUSE : made;
    const path = vfs.resolve(t, t.cwd, address.name, 0);
    if (typeof path === 'number') return path;
    this.#byInode.set(path.dentry.inode!, socket);
    socket.bound(address, path, null);
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

  /** The socket at `address`. Errors: ECONNREFUSED, EACCES without the right to write to it, and those of paths. */
  find(address: UnixAddress, t: Task): UnixSocket | Errno {
    if (address.isAbstract) return t.ns.net.abstractSockets.get(address.name) ?? -ECONNREFUSED;
    const path = t.kernel.vfs.resolve(t, t.cwd, address.name);
    if (typeof path === 'number') return path;
    const found = this.#at(path, t);
    path.decRef();
    return found;
  }

  /** The socket of `path` is closed: nobody finds it there any more. */
  unbind(path: VfsPath): void {
    const { inode } = path.dentry;
    if (inode !== null) this.#byInode.delete(inode);
  }

  #at(path: VfsPath, t: Task): UnixSocket | Errno {
    const access = checkPathAccess(path, MAY_WRITE, t.creds);
    if (access < 0) return access;
    const inode = path.dentry.inode!;
    return (inode.mode & S_IFMT) === S_IFSOCK ? (this.#byInode.get(inode) ?? -ECONNREFUSED) : -ECONNREFUSED;
  }
}
