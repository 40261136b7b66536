import {
  ENOPROTOOPT,
  EOPNOTSUPP,
  O_NONBLOCK,
  O_RDWR,
  POLLERR,
  POLLHUP,
  S_IFSOCK,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  type Errno,
} from '@tsv/abi';
import { OpenFile, type Caller, type IoBuffer } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { AnonymousFiles } from '../fd/anonymous-files.js';
import { callingTask } from '../task/calling-task.js';
import type { Task } from '../task/task.js';
import { SocketMessage } from './socket-message.js';
import { SocketOptions } from './socket-options.js';

/** What read(2) and write(2) on sockets pass for a message. */
const plainMessage = new SocketMessage();

/**
 * A socket, socket(7). A family subclasses it. As for all files nothing waits: -EAGAIN says that the caller would
 * wait, for what {@link blockedOn} tells. Addresses are `sockaddr` bytes, at most `sockaddr_storage`.
 */
export abstract class SocketFile extends OpenFile {
  readonly family: number;
  /** SOCK_STREAM and the like, without flags. */
  readonly type: number;
  readonly protocol: number;
  readonly options: SocketOptions;
  readonly queue = new WaitQueue();
  /** Where the wait for the last -EAGAIN is; {@link queue} unless another socket is waited for. */
  blockedOn: WaitQueue = this.queue;
  /** SO_ERROR: a positive errno that the next call reports, 0 for none. */
  error = 0;

  /** `flags` may have O_NONBLOCK. */
  constructor(files: AnonymousFiles, family: number, type: number, protocol: number, flags: number) {
    super(files.sockfs.createInode(S_IFSOCK | 0o777, 'socket'), null, O_RDWR | (flags & O_NONBLOCK));
    this.family = family;
    this.type = type;
    this.protocol = protocol;
    this.options = new SocketOptions();
  }

  override get waiters(): WaitQueue {
    return this.queue;
  }

  /** Gives the socket an address, bind(2). `len` is 2 or more. */
  abstract bind(address: Uint8Array, len: number, t: Task): 0 | Errno;

  /**
   * Connects, connect(2). -EAGAIN: try again when {@link blockedOn} tells POLLOUT; -EINPROGRESS: it has begun, and
   * {@link connectResult} tells how it went once the socket is writable.
   */
  abstract connect(address: Uint8Array, len: number, t: Task): 0 | Errno;

  /** How a connection that was in progress went: 0, an error, or -EINPROGRESS. */
  connectResult(): 0 | Errno {
    return 0;
  }

  /** listen(2); `backlog` is 0 or more. */
  listen(_backlog: number, _t: Task): 0 | Errno {
    return -EOPNOTSUPP;
  }

  /** The next connection, accept(2); `flags` may have O_NONBLOCK. Its reference is the caller's. */
  accept(_flags: number, _t: Task): SocketFile | Errno {
    return -EOPNOTSUPP;
  }

  /** Writes its own address to `dst`, getsockname(2). Returns the length, or an error. */
  abstract localAddress(dst: Uint8Array): number;

  /** Writes the peer's address to `dst`, getpeername(2). Returns the length. Errors: ENOTCONN. */
  abstract peerAddress(dst: Uint8Array): number;

  /** shutdown(2): SHUT_RD, SHUT_WR or SHUT_RDWR. */
  abstract shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno;

  /**
   * Sends bytes of `io` with what `message` has beside them; `flags` are MSG_*. Returns how many were taken; it takes
   * over the rights if it took anything.
   */
  abstract send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number;

  /**
   * Receives into `io` and `message`. Returns the bytes moved; with MSG_TRUNC in `flags`, the whole length of a
   * datagram.
   */
  abstract receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number;

  /** An option of a level other than SOL_SOCKET: stores it in `dst` and returns its length, getsockopt(2). */
  getOption(_level: number, _name: number, _dst: DataView, _lenMax: number, _t: Task): number {
    return -EOPNOTSUPP;
  }

  setOption(_level: number, _name: number, _src: DataView, _len: number, _t: Task): 0 | Errno {
    return -EOPNOTSUPP;
  }

  /** An option of SOL_SOCKET that not every family has: as {@link getOption}. Errors: ENOPROTOOPT. */
  getSocketOption(_name: number, _dst: DataView, _lenMax: number, _t: Task): number {
    return -ENOPROTOOPT;
  }

  setSocketOption(_name: number, _src: DataView, _len: number, _t: Task): 0 | Errno {
    return -ENOPROTOOPT;
  }

  /**
   * getsockopt(2) of an option whose value at `addr` is read too, or is long: returns its length or an error once it is
   * stored; null for an ordinary option.
   */
  getLongOption(_level: number, _name: number, _addr: number, _len: number, _t: Task): number | null {
    return null;
  }

  /** setsockopt(2) of an option with a long value; null for an ordinary one. */
  setLongOption(_level: number, _name: number, _addr: number, _len: number, _t: Task): number | null {
    return null;
  }

  /** Whether it accepts connections, SO_ACCEPTCONN. */
  get isListening(): boolean {
    return false;
  }

  /** Whether it is closed and its peer has yet to get all that was sent, SO_LINGER. {@link waiters} hear POLLHUP then. */
  get isLingering(): boolean {
    return false;
  }

  /** How long it lingers at most. */
  get lingerMs(): number {
    const { isLingering, lingerSeconds } = this.options;
    if (!isLingering) return 0;
    // A negative time is a long one, as Linux has it.
    return lingerSeconds < 0 ? Infinity : lingerSeconds * 1000;
  }

  /** A SOL_SOCKET option was set, such as SO_RCVBUF. */
  optionChanged(_name: number): void {
    // Most take effect when they are looked at.
  }

  /** Whether it takes control messages of SOL_SOCKET beyond those of unix(7). */
  get readsSocketControl(): boolean {
    return false;
  }

  /** Whether a write that nobody can read raises SIGPIPE. */
  get raisesSigpipe(): boolean {
    return true;
  }

  override read(io: IoBuffer, caller: Caller): number {
    plainMessage.clear();
    const n = this.receive(io, plainMessage, 0, callingTask(caller));
    plainMessage.dropRights();
    return n;
  }

  override write(io: IoBuffer, caller: Caller): number {
    plainMessage.clear();
    return this.send(io, plainMessage, 0, callingTask(caller));
  }

  /** Takes the pending error: 0, or negated. */
  takeError(): 0 | Errno {
    const error = this.error;
    this.error = 0;
    return error === 0 ? 0 : -error;
  }

  /** Notes an error that happened by itself, and tells who waits. */
  fail(error: number): void {
    this.error = error;
    this.queue.notify(POLLERR | POLLHUP);
  }
}
