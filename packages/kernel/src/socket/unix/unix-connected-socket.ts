import {
  ECONNREFUSED,
  ECONNRESET,
  EAGAIN,
  EINVAL,
  EISCONN,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  EPROTOTYPE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  O_NONBLOCK,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_STREAM,
  type Errno,
} from '@tsv/abi';
import type { IoBuffer, OpenFile } from '@tsv/vfs';
import type { Task } from '../../task/task.js';
import { effectiveCredentials, realCredentials } from '../peer-credentials.js';
import type { SocketMessage } from '../socket-message.js';
import { OutsideSocket } from './outside-socket.js';
import { PacketQueue } from './packet-queue.js';
import type { ReceiveQueue } from './receive-queue.js';
import { StreamQueue } from './stream-queue.js';
import { storeUnixAddress } from './unix-address.js';
import type { UnixFamily } from './unix-family.js';
import { RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, UnixSocket } from './unix-socket.js';

const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND;

/** A socket with a connection, unix(7): SOCK_STREAM, or SOCK_SEQPACKET which keeps messages apart. */
export class UnixConnectedSocket extends UnixSocket {
  readonly received: ReceiveQueue;
  #peer: UnixConnectedSocket | null = null;
  /** Connections not yet accepted; null unless it listens. */
  #pending: UnixConnectedSocket[] | null = null;
  #backlog = 0;

  constructor(unix: UnixFamily, type: number, flags: number) {
    super(unix, type, flags);
    this.received = type === SOCK_STREAM ? new StreamQueue() : new PacketQueue();
  }

  override get peer(): UnixConnectedSocket | null {
    return this.#peer;
  }

  override get isListening(): boolean {
    return this.#pending !== null;
  }

  /** Connects two new sockets, as socketpair(2) and connect(2) do. */
  join(other: UnixConnectedSocket): void {
    this.#peer = other;
    other.#peer = this;
  }

  /** Errors: EAGAIN, ECONNREFUSED, EINVAL, EISCONN, EPROTOTYPE, and those of the address. */
  connect(address: Uint8Array, len: number, t: Task): 0 | Errno {
    const found = this.find(address, len, t);
    if (typeof found === 'number') return found;
    if (found instanceof OutsideSocket) return this.#connectOutside(found, t);
    if (!(found instanceof UnixConnectedSocket) || found.type !== this.type) return -EPROTOTYPE;
    if (this.#pending !== null) return -EINVAL;
    if (this.#isConnected()) return -EISCONN;
    const pending = found.#pending;
    if (pending === null || (found.shut & RCV_SHUTDOWN) !== 0) return -ECONNREFUSED;
    if (pending.length > found.#backlog) {
      this.blockedOn = found.queue;
      return -EAGAIN;
    }
    const accepted = new UnixConnectedSocket(this.unix, this.type, 0);
    accepted.options.copyFrom(found.options);
    accepted.bound(found.address!, null, null);
    accepted.peerCredentials = effectiveCredentials(t);
    this.peerCredentials = found.peerCredentials;
    this.join(accepted);
    pending.push(accepted);
    found.queue.notify(READABLE);
    this.queue.notify(WRITABLE);
    return 0;
  }

  /** Errors: EINVAL when it has no address or is connected. */
  override listen(backlog: number, t: Task): 0 | Errno {
    if (this.address === null || this.#isConnected()) return -EINVAL;
    const status = this.boundOutside?.file.listen(backlog, t) ?? 0;
    if (status < 0) return status;
    const hadRoom = this.#pending !== null && this.#pending.length <= this.#backlog;
    this.#pending ??= [];
    this.#backlog = backlog;
    this.peerCredentials = effectiveCredentials(t);
    if (!hadRoom) this.queue.notify(WRITABLE);
    return 0;
  }

  /** Errors: EAGAIN, EINVAL when it does not listen. */
  override accept(flags: number, t: Task): UnixConnectedSocket | Errno {
    const pending = this.#pending;
    if (pending === null) return -EINVAL;
    this.blockedOn = this.queue;
    const accepted = pending.shift();
    if (accepted === undefined) return (this.shut & RCV_SHUTDOWN) !== 0 ? -EINVAL : this.#acceptOutside(flags, t);
    accepted.flags |= flags & O_NONBLOCK;
    this.queue.notify(WRITABLE);
    return accepted;
  }

  /** The next connection from outside. Errors: EAGAIN, and those of accept(2). */
  #acceptOutside(flags: number, t: Task): UnixConnectedSocket | Errno {
    const file = this.boundOutside?.file.accept(0, t) ?? -EAGAIN;
    if (typeof file === 'number') return file;
    const accepted = new UnixConnectedSocket(this.unix, this.type, flags);
    accepted.options.copyFrom(this.options);
    accepted.bound(this.address!, null, null);
    accepted.joinOutside(new OutsideSocket(file, null, accepted.queue), t);
    return accepted;
  }

  /** Errors: EINVAL, EISCONN; `outside` is closed then. */
  #connectOutside(outside: OutsideSocket, t: Task): 0 | Errno {
    if (this.#pending !== null || this.#isConnected()) {
      outside.close();
      return this.#pending !== null ? -EINVAL : -EISCONN;
    }
    this.joinOutside(outside, t);
    this.queue.notify(WRITABLE);
    return 0;
  }

  #isConnected(): boolean {
    return this.#peer !== null || this.peerOutside !== null;
  }

  peerAddress(dst: Uint8Array): number {
    if (this.peerOutside !== null) return storeUnixAddress(dst, this.peerOutside.address);
    return this.#peer === null ? -ENOTCONN : storeUnixAddress(dst, this.#peer.address);
  }

  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno {
    if (this.peerOutside !== null) return this.peerOutside.file.shutdown(how);
    const bits = this.shutBits(how);
    this.#shutBy(bits);
    const peer = this.#peer;
    if (peer !== null) peer.#shutBy(((bits & RCV_SHUTDOWN) << 1) | ((bits & SEND_SHUTDOWN) >> 1));
    return 0;
  }

  /** Errors: EAGAIN, EFAULT, EISCONN, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPIPE. */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    const peer = this.#peer;
    if (message.addressLen > 0 && this.type === SOCK_STREAM) return this.#isConnected() ? -EISCONN : -EOPNOTSUPP;
    if (this.peerOutside !== null) return this.#withOutside(this.peerOutside.send(io, message, flags, t));
    if (peer === null) return -ENOTCONN;
    if ((this.shut & SEND_SHUTDOWN) !== 0 || peer.isClosed || (peer.shut & RCV_SHUTDOWN) !== 0) return -EPIPE;
    message.addressLen = 0;
    if (message.credentials === null && (this.passesCredentials || peer.passesCredentials)) {
      message.credentials = realCredentials(t);
    }
    const { rights } = message;
    const n = peer.received.put(io, this.options.sendBytes, message);
    this.blockedOn = this.queue;
    if (n < 0) return n;
    this.countSent(rights, message);
    peer.queue.notify(READABLE);
    return n;
  }

  /** Errors: EAGAIN, ECONNRESET, EFAULT, EINVAL or ENOTCONN without a connection, EOPNOTSUPP. */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if ((flags & MSG_OOB) !== 0) return this.type === SOCK_STREAM ? -EINVAL : -EOPNOTSUPP;
    if (this.peerOutside !== null) {
      message.credentials = this.peerCredentials;
      return this.#withOutside(this.peerOutside.receive(io, message, flags, t));
    }
    const peer = this.#peer;
    if (peer === null) return this.type === SOCK_STREAM ? -EINVAL : -ENOTCONN;
    if (this.type !== SOCK_STREAM && this.error !== 0) return this.takeError();
    const isPeek = (flags & MSG_PEEK) !== 0;
    const hadRoom = peer.hasRoom();
    const n = this.received.take(io, message, isPeek, this.#peekOffset(isPeek), this.passesCredentials);
    if (n === -EAGAIN) {
      this.blockedOn = this.queue;
      if (this.error !== 0) return this.takeError();
      return (this.shut & RCV_SHUTDOWN) !== 0 ? 0 : -EAGAIN;
    }
    this.countReceived(message, isPeek);
    if (n < 0) return n;
    this.#movePeekOffset(n, isPeek);
    if (!hadRoom && peer.hasRoom()) peer.queue.notify(WRITABLE);
    return (flags & MSG_TRUNC) !== 0 && this.type !== SOCK_STREAM ? message.wholeBytes : n;
  }

  /** Whether the peer has room: as Linux, at most a quarter of SO_SNDBUF is used. */
  hasRoom(): boolean {
    return this.#peer === null || this.#peer.received.usedBytes * 4 <= this.options.sendBytes;
  }

  override readiness(): number {
    if (this.peerOutside !== null) return this.peerOutside.file.readiness();
    let events =
      this.boundOutside === null || this.#pending === null ? 0 : this.boundOutside.file.readiness() & READABLE;
    if (this.error !== 0) events |= POLLERR;
    if (this.shut === SHUTDOWN_MASK) events |= POLLHUP;
    if ((this.shut & RCV_SHUTDOWN) !== 0) events |= POLLRDHUP | READABLE;
    if (this.#pending !== null) return this.#pending.length > 0 ? events | READABLE : events;
    if (!this.received.isEmpty) events |= READABLE;
    if (this.#peer === null) events |= POLLHUP;
    if (this.hasRoom()) events |= WRITABLE;
    return events;
  }

  override get raisesSigpipe(): boolean {
    return this.type === SOCK_STREAM;
  }

  override *queuedFiles(): IterableIterator<OpenFile> {
    yield* this.received.rights();
    if (this.#pending !== null) for (const each of this.#pending) yield* each.received.rights();
  }

  protected override release(): void {
    const hadData = !this.received.isEmpty;
    super.release();
    const pending = this.#pending;
    if (pending !== null) {
      this.#pending = [];
      for (const each of pending) {
        if (each.#peer !== null) each.#peer.error = ECONNRESET;
        each.decRef();
      }
      this.queue.notify(WRITABLE | READABLE);
    }
    const peer = this.#peer;
    if (peer === null || peer.isClosed) return;
    if (hadData) peer.error = ECONNRESET;
    peer.#shutBy(SHUTDOWN_MASK);
  }

  /** What outside said, which is waited for here. */
  #withOutside(result: number): number {
    this.blockedOn = this.queue;
    return result;
  }

  #shutBy(bits: number): void {
    this.shut |= bits;
    let events = WRITABLE | READABLE | POLLRDHUP;
    if (this.shut === SHUTDOWN_MASK) events |= POLLHUP;
    this.queue.notify(events);
  }

  #peekOffset(isPeek: boolean): number {
    return isPeek ? Math.max(0, this.options.peekOffset) : 0;
  }

  #movePeekOffset(n: number, isPeek: boolean): void {
    const { options } = this;
    if (options.peekOffset < 0) return;
    options.peekOffset = isPeek ? options.peekOffset + n : Math.max(0, options.peekOffset - n);
  }
}
