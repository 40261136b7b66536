import { EINVAL, SIZEOF_UCRED, SO_PEERCRED, UCRED_GID, UCRED_UID, type Errno } from '@tsv/abi';
import type { Inode, IoBuffer } from '@tsv/vfs';
import { WaitEntry, type WaitQueue } from '@tsv/waiter';
import type { Task } from '../../task/task.js';
import type { PeerCredentials } from '../peer-credentials.js';
import type { SocketFile } from '../socket-file.js';
import type { SocketMessage } from '../socket-message.js';
import type { UnixAddress } from './unix-address.js';

/** Sockets of another kernel, unix(7), that have names in filesystems which guests see too. */
export interface OutsideSockets {
  /**
   * A socket of `type` that is connected to the one that `inode` is outside; null where guests may not reach it. Errors:
   * those of connect(2); EAGAIN when it may have room {@link soon}.
   */
  connect(inode: Inode, type: number, t: Task): SocketFile | Errno | null;
  /**
   * A socket of `type` that is bound outside to `name`, which this makes in `dir`; null where only guests may find it.
   * Errors: those of bind(2).
   */
  bind(dir: Inode, name: string, type: number, permissions: number, t: Task): SocketFile | Errno | null;
  /** A queue that is told POLLOUT soon: nobody tells when a socket outside has room for whoever is not connected. */
  soon(): WaitQueue;
}

const credentials = new DataView(new ArrayBuffer(SIZEOF_UCRED));
const EVERYTHING = -1;

/** A socket outside that one of a guest's stands for: whoever waits for that one is told what happens to it. */
export class OutsideSocket extends WaitEntry {
  readonly file: SocketFile;
  /** What the guest called it; null for one that was accepted. */
  readonly address: UnixAddress | null;
  readonly #told: WaitQueue;

  /** Takes over a reference of `file`, and tells `told`. */
  constructor(file: SocketFile, address: UnixAddress | null, told: WaitQueue) {
    super();
    this.file = file;
    this.address = address;
    this.#told = told;
    file.queue.add(this, EVERYTHING);
  }

  notified(events: number): void {
    this.#told.notify(events);
  }

  close(): void {
    this.leave();
    this.file.decRef();
  }

  /** Who is at its other end, as far as that means something here: its process has no ID in guests' namespaces. */
  peerCredentials(t: Task): PeerCredentials | null {
    const len = this.file.getSocketOption(SO_PEERCRED, credentials, SIZEOF_UCRED, t);
    if (len !== SIZEOF_UCRED) return null;
    const [uid, gid] = [credentials.getUint32(UCRED_UID, true), credentials.getUint32(UCRED_GID, true)];
    return { pid: null, uid, gid, groups: [] };
  }

  /**
   * Sends what `message` has; outside knows the sandbox, so that credentials which it states stay here. Errors: EINVAL
   * for open files, which nobody outside can have; and those of send(2).
   */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if (message.rights !== null) return -EINVAL;
    message.addressLen = 0;
    message.controlLen = 0;
    return this.file.send(io, message, flags, t);
  }

  /** Receives from outside: open files that come along are dropped, MSG_CTRUNC tells. Errors: those of recv(2). */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const n = this.file.receive(io, message, flags, t);
    message.addressLen = 0;
    message.controlLen = 0;
    return n;
  }
}
