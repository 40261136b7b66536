import {
  EAGAIN,
  ECONNREFUSED,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  EPROTOTYPE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
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
  SOCK_DGRAM,
  type Errno,
} from '@tsv/abi';
import type { IoBuffer } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { Task } from '../../task/task.js';
import { realCredentials } from '../peer-credentials.js';
import type { SocketMessage } from '../socket-message.js';
import { OutsideSocket } from './outside-socket.js';
import { PacketQueue } from './packet-queue.js';
import { storeUnixAddress } from './unix-address.js';
import type { UnixFamily } from './unix-family.js';
import { RCV_SHUTDOWN, SEND_SHUTDOWN, SHUTDOWN_MASK, UnixSocket } from './unix-socket.js';

/** Datagrams that a socket keeps before its senders wait, /proc/sys/net/unix/max_dgram_qlen. */
const PACKET_COUNT_MAX = 10;
const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM | POLLWRBAND;

/** A SOCK_DGRAM socket, unix(7): reliable, in order, and full after a few packets. */
export class UnixDatagramSocket extends UnixSocket {
  readonly received = new PacketQueue();
  #peer: UnixDatagramSocket | null = null;
  /** Sockets whose default destination this is. */
  readonly #senders = new Set<UnixDatagramSocket>();
  /** Whoever waits for room in this one. */
  readonly #room = new WaitQueue();

  constructor(unix: UnixFamily, flags: number) {
    super(unix, SOCK_DGRAM, flags);
  }

  override get peer(): UnixDatagramSocket | null {
    return this.#peer;
  }

  /** Sets the default destination; AF_UNSPEC takes it away. Errors: ECONNREFUSED, EPERM, EPROTOTYPE, and the address's. */
  connect(address: Uint8Array, len: number, t: Task): 0 | Errno {
    if (this.isUnspecified(address)) {
      this.setPeer(null);
      return 0;
    }
    if (this.passesCredentials && this.address === null) {
      const status = this.unix.names.autobind(this, t);
      if (status < 0) return status;
    }
    const found = this.#destination(address, len, t);
    if (typeof found === 'number') return found;
    if (found instanceof OutsideSocket) {
      this.setPeer(null);
      this.joinOutside(found, t);
      return 0;
    }
    if (!found.#accepts(this)) return -EPERM;
    this.setPeer(found);
    return 0;
  }

  setPeer(peer: UnixDatagramSocket | null): void {
    this.leaveOutside();
    if (this.#peer === peer) return;
    if (this.#peer !== null) this.#peer.#senders.delete(this);
    this.#peer = peer;
    if (peer !== null) peer.#senders.add(this);
    this.queue.notify(WRITABLE);
  }

  peerAddress(dst: Uint8Array): number {
    if (this.peerOutside !== null) return storeUnixAddress(dst, this.peerOutside.address);
    return this.#peer === null ? -ENOTCONN : storeUnixAddress(dst, this.#peer.address);
  }

  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno {
    this.shut |= this.shutBits(how);
    this.queue.notify(READABLE | WRITABLE | POLLRDHUP | (this.shut === SHUTDOWN_MASK ? POLLHUP : 0));
    this.#roomGrew();
    return 0;
  }

  /** Errors: EAGAIN, ECONNREFUSED, EFAULT, EMSGSIZE, ENOTCONN, EOPNOTSUPP, EPERM, EPIPE, and the address's. */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.passesCredentials && this.address === null) {
      const status = this.unix.names.autobind(this, t);
      if (status < 0) return status;
    }
    if ((this.shut & SEND_SHUTDOWN) !== 0) return -EPIPE;
    const isNamed = message.addressLen > 0;
    const peer = this.peerOutside ?? this.#peer;
    const found = isNamed ? this.#destination(message.address, message.addressLen, t) : peer;
    if (found === null) return -ENOTCONN;
    if (typeof found === 'number') return found;
    if (found instanceof OutsideSocket) return this.#sendOutside(found, io, message, flags, t);
    if (found.isClosed) {
      if (!isNamed) this.setPeer(null);
      return -ECONNREFUSED;
    }
    if (!found.#accepts(this)) return -EPERM;
    if ((found.shut & RCV_SHUTDOWN) !== 0) return -EPIPE;
    if (found.#isFullFor(this)) {
      this.blockedOn = found.#room;
      return -EAGAIN;
    }
    return this.#deliver(found, io, message, t);
  }

  /** Errors: EAGAIN, EFAULT, EOPNOTSUPP. */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    const isPeek = (flags & MSG_PEEK) !== 0;
    const n = this.received.take(io, message, isPeek, isPeek ? Math.max(0, this.options.peekOffset) : 0);
    if (n === -EAGAIN) {
      this.blockedOn = this.queue;
      if ((this.shut & RCV_SHUTDOWN) !== 0) return 0;
      return this.#hearsOutside() ? this.boundOutside!.receive(io, message, flags, t) : -EAGAIN;
    }
    this.countReceived(message, isPeek);
    if (!isPeek && this.received.count === PACKET_COUNT_MAX) this.#roomGrew();
    if (n < 0) return n;
    return (flags & MSG_TRUNC) !== 0 ? message.wholeBytes : n;
  }

  override readiness(): number {
    let events = 0;
    if (this.error !== 0) events |= POLLERR;
    if ((this.shut & RCV_SHUTDOWN) !== 0) events |= POLLRDHUP | READABLE;
    if (this.shut === SHUTDOWN_MASK) events |= POLLHUP;
    if (!this.received.isEmpty) events |= READABLE;
    if (this.#hearsOutside()) events |= this.boundOutside!.file.readiness() & READABLE;
    if (this.peerOutside !== null) return events | (this.peerOutside.file.readiness() & WRITABLE);
    const peer = this.#peer;
    if (peer === null || !peer.#isFullFor(this)) events |= WRITABLE;
    return events;
  }

  override get raisesSigpipe(): boolean {
    return false;
  }

  protected override release(): void {
    super.release();
    this.setPeer(null);
    this.#roomGrew();
    this.#senders.clear();
  }

  #destination(address: Uint8Array, len: number, t: Task): UnixDatagramSocket | OutsideSocket | Errno {
    const found = this.find(address, len, t);
    if (typeof found === 'number') return found;
    return found instanceof UnixDatagramSocket || found instanceof OutsideSocket ? found : -EPROTOTYPE;
  }

  /** A socket of outside that a message named is connected for that message only. */
  #sendOutside(outside: OutsideSocket, io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const isNamed = outside !== this.peerOutside;
    const n = outside.send(io, message, flags, t);
    if (n === -EAGAIN) this.blockedOn = isNamed ? this.unix.names.outside!.soon() : this.queue;
    if (isNamed) outside.close();
    return n;
  }

  /** A connected socket hears only its peer, which has no way to answer where it is outside. */
  #hearsOutside(): boolean {
    return this.boundOutside !== null && this.#peer === null && this.peerOutside === null;
  }

  /** Whether `sender` may send here: a connected socket hears only its peer. */
  #accepts(sender: UnixDatagramSocket): boolean {
    return this.#peer === null || this.#peer === sender;
  }

  #isFullFor(sender: UnixDatagramSocket): boolean {
    return this.#peer !== sender && this.received.count > PACKET_COUNT_MAX;
  }

  #deliver(to: UnixDatagramSocket, io: IoBuffer, message: SocketMessage, t: Task): number {
    message.addressLen = this.address === null ? 0 : this.localAddress(message.address);
    if (message.credentials === null && (this.passesCredentials || to.passesCredentials)) {
      message.credentials = realCredentials(t);
    }
    const { rights } = message;
    const n = to.received.put(io, this.options.sendBytes, message);
    if (n === -EAGAIN) this.blockedOn = to.#room;
    if (n < 0) return n;
    this.countSent(rights, message);
    to.queue.notify(READABLE);
    return n;
  }

  /** Tells those who send here. */
  #roomGrew(): void {
    this.#room.notify(WRITABLE);
    for (const sender of this.#senders) sender.queue.notify(WRITABLE);
  }
}
