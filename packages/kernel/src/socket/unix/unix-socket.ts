import {
  AF_UNIX,
  AF_UNSPEC,
  EINVAL,
  ENOTTY,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SIOCINQ,
  SIOCOUTQ,
  SO_PASSCRED,
  SUN_PATH,
  type Errno,
} from '@tsv/abi';
import type { Caller, OpenFile, VfsPath } from '@tsv/vfs';
import { putInt } from '../../fd/user-int.js';
import { callingTask } from '../../task/calling-task.js';
import type { Task } from '../../task/task.js';
import type { PeerCredentials } from '../peer-credentials.js';
import { isNetIoctl, netIoctl } from '../device/net-ioctl.js';
import { SocketFile } from '../socket-file.js';
import type { SocketMessage } from '../socket-message.js';
import type { OutsideSocket } from './outside-socket.js';
import type { ReceiveQueue } from './receive-queue.js';
import { loadUnixAddress, storeUnixAddress, type UnixAddress } from './unix-address.js';
import type { UnixFamily } from './unix-family.js';

/** Bits of what is shut down, by this end or the other. */
export const RCV_SHUTDOWN = 1;
export const SEND_SHUTDOWN = 2;
export const SHUTDOWN_MASK = 3;

/** A socket of unix(7): its name, and what all types have in common. */
export abstract class UnixSocket extends SocketFile {
  readonly unix: UnixFamily;
  abstract readonly received: ReceiveQueue;
  /** SO_PEERCRED. */
  peerCredentials: PeerCredentials | null = null;
  /** RCV_SHUTDOWN, SEND_SHUTDOWN. */
  shut = 0;
  isClosed = false;
  /** The socket outside that has its name too, or null. */
  boundOutside: OutsideSocket | null = null;
  /** The socket outside that is connected in its place, or null. */
  peerOutside: OutsideSocket | null = null;
  /** Whether it was ever sent through a socket: only then can it be part of a cycle. */
  wasSent = false;
  #address: UnixAddress | null = null;
  #path: VfsPath | null = null;
  #names: Map<string, UnixSocket> | null = null;

  constructor(unix: UnixFamily, type: number, flags: number) {
    super(unix.files, AF_UNIX, type, 0, flags);
    this.unix = unix;
    unix.sockets.add(this);
  }

  get address(): UnixAddress | null {
    return this.#address;
  }

  get passesCredentials(): boolean {
    return this.options.has(SO_PASSCRED);
  }

  /** The other end, connected or default, or null. */
  abstract get peer(): UnixSocket | null;

  /** The open files that wait here to be received. */
  *queuedFiles(): IterableIterator<OpenFile> {
    yield* this.received.rights();
  }

  /** Errors: EADDRINUSE, EINVAL, and what mknod(2) says of a path. */
  bind(address: Uint8Array, len: number, t: Task): 0 | Errno {
    if (len === SUN_PATH && address[0] === AF_UNIX && address[1] === 0) {
      return this.#address === null ? this.unix.names.autobind(this, t) : 0;
    }
    const parsed = loadUnixAddress(address, len);
    if (typeof parsed === 'number') return parsed;
    if (this.#address !== null) return -EINVAL;
    return this.unix.names.bind(this, parsed, t);
  }

  /** Called by the names when it got one; `path` comes with a reference. */
  bound(address: UnixAddress, path: VfsPath | null, names: Map<string, UnixSocket> | null): void {
    this.#address = address;
    this.#path = path;
    this.#names = names;
  }

  localAddress(dst: Uint8Array): number {
    return storeUnixAddress(dst, this.#address);
  }

  /** The socket that `sockaddr` names; one outside is the caller's to close. Errors: EINVAL, and those of the names. */
  protected find(address: Uint8Array, len: number, t: Task): UnixSocket | OutsideSocket | Errno {
    const parsed = loadUnixAddress(address, len);
    return typeof parsed === 'number' ? parsed : this.unix.names.find(parsed, this, t);
  }

  /** It is connected to a socket outside from now on. */
  protected joinOutside(outside: OutsideSocket, t: Task): void {
    this.leaveOutside();
    this.peerOutside = outside;
    this.peerCredentials = outside.peerCredentials(t);
  }

  protected leaveOutside(): void {
    this.peerOutside?.close();
    this.peerOutside = null;
  }

  override takeError(): 0 | Errno {
    return this.peerOutside === null ? super.takeError() : this.peerOutside.file.takeError();
  }

  protected isUnspecified(address: Uint8Array): boolean {
    return address[0] === AF_UNSPEC && address[1] === 0;
  }

  /** The `shut` bits of a shutdown(2) `how`. */
  protected shutBits(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): number {
    if (how === SHUT_RDWR) return SHUTDOWN_MASK;
    return how === SHUT_RD ? RCV_SHUTDOWN : SEND_SHUTDOWN;
  }

  /** Counts the files of a message that `received` has taken over: `count` before, none in `message` after. */
  protected countSent(rights: readonly OpenFile[] | null, message: SocketMessage): void {
    if (rights === null || message.rights !== null) return;
    this.unix.inFlightCount += rights.length;
    for (const file of rights) if (file instanceof UnixSocket) file.wasSent = true;
  }

  /** Counts the files that `message` took away. */
  protected countReceived(message: SocketMessage, isPeek: boolean): void {
    if (message.rights !== null && !isPeek) this.unix.inFlightCount -= message.rights.length;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (cmd === SIOCINQ && this.peerOutside !== null) return this.peerOutside.file.ioctl(cmd, arg, caller);
    if (cmd === SIOCINQ) return this.isListening ? -EINVAL : putInt(caller, arg, this.received.nextBytes);
    if (cmd === SIOCOUTQ) return putInt(caller, arg, this.peer?.received.usedBytes ?? 0);
    if (!isNetIoctl(cmd)) return -ENOTTY;
    const t = callingTask(caller);
    return netIoctl(t.ns.net, t.kernel.netStacks.of(t.ns.net), cmd, arg, caller);
  }

  override flush(): number {
    if (this.wasSent && this.refCount > 1) this.unix.descriptorClosing(this);
    return 0;
  }

  protected override release(): void {
    this.isClosed = true;
    this.unix.sockets.delete(this);
    if (this.#names !== null && this.#address !== null) this.#names.delete(this.#address.name);
    if (this.#path !== null) {
      this.unix.names.unbind(this.#path);
      this.#path.decRef();
    }
    this.boundOutside?.close();
    this.leaveOutside();
    this.dropReceived();
  }

  /** Drops what was received. */
  dropReceived(): void {
    this.unix.drop(this.received);
  }
}
