import {
  AF_UNIX,
  EAGAIN,
  EALREADY,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOPROTOOPT,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_EOR,
  MSG_ERRQUEUE,
  MSG_NOSIGNAL,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SIOCINQ,
  SIZEOF_SOCKADDR_STORAGE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_BROADCAST,
  SO_DONTROUTE,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SO_ZEROCOPY,
  type Errno,
} from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import {
  LENGTH_ADDRESS,
  LENGTH_CONTROL,
  LENGTH_COUNT,
  MESSAGE_FLAGS,
  accept4,
  bind,
  close,
  connect,
  getpeername,
  getsockname,
  getsockopt,
  listen,
  pollFd,
  recvmsg,
  sendmsg,
  setsockopt,
  shutdown,
} from '@tsv/host';
import {
  SocketFile,
  callingTask,
  netIoctl,
  putInt,
  type AnonymousFiles,
  type NetNamespace,
  type SocketMessage,
} from '@tsv/kernel';
import type { Caller, IoBuffer } from '@tsv/vfs';

const DATAGRAM_BYTES_MAX = 65_536;
const NO_BYTES = new Uint8Array(0);
const gathered = new Uint8Array(DATAGRAM_BYTES_MAX);
const lengths = new Int32Array(LENGTH_COUNT);
const address = new Uint8Array(SIZEOF_SOCKADDR_STORAGE);
const value = new Uint8Array(8);
const valueView = new DataView(value.buffer);
/** Events that epoll(7) of the host is asked for, and all that a socket may have, poll(2). */
const WATCHED = POLLIN | POLLPRI | POLLOUT | POLLRDHUP;
const POLLED = WATCHED | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND;
/** On-off options that the kernel keeps and the host is to know; it sets others itself when they are passed on. */
const KEPT_FLAGS: ReadonlySet<number> = new Set([
  SO_REUSEADDR,
  SO_DONTROUTE,
  SO_BROADCAST,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_NO_CHECK,
  SO_REUSEPORT,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SO_RXQ_OVFL,
  SO_ZEROCOPY,
]);
/** What recvmsg(2) tells of a message; the host's also has what was asked for. */
const TOLD_FLAGS = MSG_OOB | MSG_CTRUNC | MSG_TRUNC | MSG_EOR | MSG_ERRQUEUE;

/**
 * A socket of the host's in a guest's hands. Every call is the host's own, and none of them waits: what the host has no
 * answer for yet is waited for by its readiness.
 */
export class HostSocketFile extends SocketFile implements HostFdListener {
  readonly #fd: number;
  readonly #files: AnonymousFiles;
  readonly #watcher: HostFdWatcher;
  readonly #net: NetNamespace;
  #isListening = false;
  #isReadShut = false;
  /** Where the connection goes that is being made. */
  #peer = NO_BYTES;
  /** Events that somebody waits for and that have not come. */
  #awaited = 0;

  /** Takes over `fd`, which is non-blocking. */
  constructor(
    files: AnonymousFiles,
    watcher: HostFdWatcher,
    net: NetNamespace,
    family: number,
    type: number,
    protocol: number,
    flags: number,
    fd: number,
  ) {
    super(files, family, type, protocol, flags);
    this.#fd = fd;
    this.#files = files;
    this.#watcher = watcher;
    this.#net = net;
    watcher.add(fd, this);
  }

  override get isListening(): boolean {
    return this.#isListening;
  }

  override get readsSocketControl(): boolean {
    return this.family !== AF_UNIX;
  }

  override get raisesSigpipe(): boolean {
    return this.type === SOCK_STREAM;
  }

  hostFdReady(events: number): void {
    // epoll(7) of the host tells of plain events; guests may ask for the others that mean the same.
    const more = ((events & POLLIN) !== 0 ? POLLRDNORM : 0) | ((events & POLLOUT) !== 0 ? POLLWRNORM | POLLWRBAND : 0);
    this.#awaited &= ~events;
    if (this.#awaited !== 0) this.#watch(this.#awaited);
    this.queue.notify(events | more);
  }

  override readiness(): number {
    const ready = pollFd(this.#fd, POLLED, 0);
    const missing = WATCHED & ~ready;
    if (missing !== 0) this.#watch(missing);
    return ready;
  }

  override takeError(): 0 | Errno {
    const len = getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, value);
    return len < 0 ? len : -valueView.getInt32(0, true);
  }

  bind(bytes: Uint8Array, len: number): 0 | Errno {
    return bind(this.#fd, bytes.subarray(0, len));
  }

  connect(bytes: Uint8Array, len: number): 0 | Errno {
    const status = connect(this.#fd, bytes.subarray(0, len));
    if (status !== -EINPROGRESS) return status;
    this.#peer = bytes.slice(0, len);
    this.#watch(POLLOUT);
    return status;
  }

  override connectResult(): 0 | Errno {
    // As a call that waits would find out, so that the host knows that it is over, whichever way.
    const status = connect(this.#fd, this.#peer);
    if (status !== -EALREADY && status !== -EINPROGRESS) return status === -EISCONN ? 0 : status;
    this.#watch(POLLOUT);
    return -EINPROGRESS;
  }

  override listen(backlog: number): 0 | Errno {
    const status = listen(this.#fd, backlog);
    if (status === 0) this.#isListening = true;
    return status;
  }

  override accept(flags: number): HostSocketFile | Errno {
    const fd = accept4(this.#fd, address, lengths, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return this.#later(fd, POLLIN);
    const { family, type, protocol } = this;
    const file = new HostSocketFile(this.#files, this.#watcher, this.#net, family, type, protocol, flags, fd);
    file.options.copyFrom(this.options);
    return file;
  }

  localAddress(dst: Uint8Array): number {
    return getsockname(this.#fd, dst);
  }

  peerAddress(dst: Uint8Array): number {
    return getpeername(this.#fd, dst);
  }

  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno {
    const status = shutdown(this.#fd, how);
    if (status === 0 && how !== SHUT_WR) this.#isReadShut = true;
    if (status === 0) this.queue.notify(this.readiness());
    return status;
  }

  send(io: IoBuffer, message: SocketMessage, flags: number): number {
    const to = message.addressLen === 0 ? NO_BYTES : message.address.subarray(0, message.addressLen);
    const control = message.controlLen === 0 ? NO_BYTES : message.control.subarray(0, message.controlLen);
    const sending = flags | MSG_DONTWAIT | MSG_NOSIGNAL;
    let len = io.remaining === 0 ? 0 : io.segment(io.remaining);
    if (len < 0) return len;
    let sent: number;
    if (len === io.remaining || this.type === SOCK_STREAM) {
      sent = sendmsg(this.#fd, io.seg, io.segAt, len, to, control, sending);
      if (sent > 0) io.advance(sent);
    } else {
      // A datagram goes in one piece.
      if (io.remaining > DATAGRAM_BYTES_MAX) return -EMSGSIZE;
      len = io.take(gathered, 0, io.remaining);
      if (len < 0) return len;
      sent = sendmsg(this.#fd, gathered, 0, len, to, control, sending);
    }
    // With MSG_FASTOPEN it connects first.
    const isConnecting = sent === -EINPROGRESS || sent === -EALREADY;
    const waits = !this.isNonblocking && (flags & MSG_DONTWAIT) === 0;
    return this.#later(isConnecting && waits ? -EAGAIN : sent, POLLOUT);
  }

  receive(io: IoBuffer, message: SocketMessage, flags: number): number {
    const room = io.remaining;
    const len = room === 0 ? 0 : io.segment(room);
    if (len < 0) return len;
    const isDirect = len === room || (this.type === SOCK_STREAM && (flags & MSG_PEEK) === 0);
    const limit = isDirect ? len : Math.min(room, DATAGRAM_BYTES_MAX);
    const dst = isDirect ? io.seg : gathered;
    const at = isDirect ? io.segAt : 0;
    const asked = flags | MSG_DONTWAIT;
    // The host's names mean nothing here, and its descriptors must not come.
    const isBare = this.family === AF_UNIX;
    const from = isBare ? NO_BYTES : message.address;
    const n = recvmsg(this.#fd, dst, at, limit, from, isBare ? NO_BYTES : message.control, lengths, asked);
    if (n === -EAGAIN && this.#endsWaiting(flags)) return 0;
    if (n < 0) return this.#later(n, (flags & MSG_PEEK) === 0 ? POLLIN : POLLIN | POLLPRI);
    message.addressLen = Math.min(lengths[LENGTH_ADDRESS]!, SIZEOF_SOCKADDR_STORAGE);
    message.controlLen = lengths[LENGTH_CONTROL]!;
    message.flags |= lengths[MESSAGE_FLAGS]! & TOLD_FLAGS;
    message.wholeBytes = n;
    const isDiscarded = this.type === SOCK_STREAM && (flags & MSG_TRUNC) !== 0;
    const moved = isDiscarded ? 0 : Math.min(n, limit);
    if (isDirect) io.advance(moved);
    else {
      const put = io.put(gathered, 0, moved);
      if (put < 0) return put;
    }
    return n;
  }

  override getOption(level: number, name: number, dst: DataView, lenMax: number): number {
    return getsockopt(this.#fd, level, name, new Uint8Array(dst.buffer, dst.byteOffset, lenMax));
  }

  override setOption(level: number, name: number, src: DataView, len: number): 0 | Errno {
    return setsockopt(this.#fd, level, name, new Uint8Array(src.buffer, src.byteOffset, len));
  }

  override getSocketOption(name: number, dst: DataView, lenMax: number): number {
    return name === SO_ERROR ? -ENOPROTOOPT : this.getOption(SOL_SOCKET, name, dst, lenMax);
  }

  override setSocketOption(name: number, src: DataView, len: number): 0 | Errno {
    return this.setOption(SOL_SOCKET, name, src, len);
  }

  /** Tells the host what was set; what it refuses, such as a mark, has no effect. */
  override optionChanged(name: number): void {
    const { options } = this;
    if (name === SO_LINGER) {
      // Differs: close(2) does not wait, for the host's would hold up the whole sandbox; the host sends in the background.
      valueView.setInt32(0, options.isLingering && options.lingerSeconds === 0 ? 1 : 0, true);
      valueView.setInt32(4, 0, true);
      setsockopt(this.#fd, SOL_SOCKET, name, value);
      return;
    }
    const wanted = this.#optionValue(name);
    if (wanted === null) return;
    valueView.setInt32(0, wanted, true);
    setsockopt(this.#fd, SOL_SOCKET, name, value.subarray(0, 4));
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (cmd !== SIOCINQ) {
      const t = callingTask(caller);
      return netIoctl(this.#net, t.kernel.netStacks.of(this.#net), cmd, arg, caller);
    }
    if (this.#isListening) return -EINVAL;
    const n = recvmsg(this.#fd, gathered, 0, gathered.length, address, NO_BYTES, lengths, MSG_PEEK | MSG_DONTWAIT);
    return putInt(caller, arg, Math.max(n, 0));
  }

  protected override release(): void {
    this.#watcher.remove(this.#fd);
    close(this.#fd);
  }

  /** Whether a call that waits is told the end: of a datagram socket that was shut down, who does not wait hears EAGAIN. */
  #endsWaiting(flags: number): boolean {
    return this.#isReadShut && !this.isNonblocking && (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) === 0;
  }

  #watch(events: number): void {
    this.#awaited |= events;
    this.#watcher.watchOnce(this.#fd, this.#awaited);
  }

  /** What the host is to be told of an option that the kernel keeps; null of others. */
  #optionValue(name: number): number | null {
    const { options } = this;
    switch (name) {
      case SO_RCVBUF:
      case SO_RCVBUFFORCE:
        return options.receiveBytes >> 1;
      case SO_SNDBUF:
      case SO_SNDBUFFORCE:
        return options.sendBytes >> 1;
      case SO_RCVLOWAT:
        return options.receiveLowWater;
      case SO_MARK:
        return options.mark;
      case SO_PRIORITY:
        return options.priority;
      default:
        return KEPT_FLAGS.has(name) ? Number(options.has(name)) : null;
    }
  }

  /** Has what would have waited told when it may go on. */
  #later(result: number, events: number): number {
    if (result === -EAGAIN) this.#watch(events);
    return result;
  }
}
