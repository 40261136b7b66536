import {
  AF_UNSPEC,
  EAGAIN,
  EALREADY,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  MSG_DONTWAIT,
  MSG_ERRQUEUE,
  MSG_FASTOPEN,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  POLLIN,
  POLLRDNORM,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SIOCATMARK,
  SIOCINQ,
  SIOCOUTQ,
  SOCK_STREAM,
  SO_LINGER,
  SOL_TCP,
  TCP_INQ,
  type Errno,
} from '@tsv/abi';
import { IPPROTO_TCP, TcpState, type TcpSocket } from '@tsv/netstack';
import type { Caller, IoBuffer } from '@tsv/vfs';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import { putInt } from '../../fd/user-int.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { callingTask } from '../../task/calling-task.js';
import type { Task } from '../../task/task.js';
import { noteLingering } from '../lingering-close.js';
import type { SocketMessage } from '../socket-message.js';
import { familyOf } from './inet-address.js';
import { appendControl } from './inet-control.js';
import { InetSocket, scratchAddress } from './inet-socket.js';
import { receiveQueuedError } from './error-message.js';
import { getTcpOption, setTcpOption } from './tcp-options.js';

/** net.ipv4.tcp_rmem and tcp_wmem: what SO_RCVBUF and SO_SNDBUF say at first. */
const RECEIVE_BYTES_DEFAULT = 131072;
const SEND_BYTES_DEFAULT = 16384;
/** What one MSG_PEEK into memory in several pieces sees. */
const PEEK_BYTES_MAX = 65536;
const NO_BYTES = new Uint8Array(0);
const peeked = new Uint8Array(PEEK_BYTES_MAX);

/** A TCP socket, tcp(7). */
export class InetStreamSocket extends InetSocket {
  readonly socket: TcpSocket;
  readonly #files: AnonymousFiles;
  /** A connect(2) that did not wait has begun, and no later one has told how it went. */
  #hasBegun = false;

  constructor(files: AnonymousFiles, net: NetNamespace, socket: TcpSocket, flags: number) {
    super(files, net, socket.isIpv6, SOCK_STREAM, IPPROTO_TCP, flags, socket.waiters);
    this.socket = socket;
    this.#files = files;
    this.options.receiveBytes = RECEIVE_BYTES_DEFAULT;
    this.options.sendBytes = SEND_BYTES_DEFAULT;
  }

  override get isListening(): boolean {
    return this.socket.isListening;
  }

  /** As the stack says, but that input counts from SO_RCVLOWAT bytes on, socket(7). */
  override readiness(): number {
    const mask = this.socket.readiness();
    const lowWater = this.options.receiveLowWater;
    if (lowWater <= 1 || (mask & POLLIN) === 0) return mask;
    const endpoint = this.socket.endpoint;
    if (endpoint === null || endpoint.isReadOver || endpoint.readableBytes >= lowWater) return mask;
    return mask & ~(POLLIN | POLLRDNORM);
  }

  /** Errors: EAFNOSUPPORT, EALREADY, ECONNREFUSED, EINPROGRESS, EINVAL, EISCONN, ENETUNREACH, ETIMEDOUT and others. */
  connect(address: Uint8Array, len: number, _t: Task): 0 | Errno {
    const { socket } = this;
    if (familyOf(address) === AF_UNSPEC) {
      socket.disconnect();
      this.#hasBegun = false;
      return 0;
    }
    const status = this.loadPeer(address, len);
    if (status !== 0) return status;
    const { address: ip, port, scopeId } = scratchAddress;
    if (this.#hasBegun) return this.#continueConnect();
    if (!this.isNonblocking) {
      const result = socket.connect(ip, port, scopeId);
      return result === -EALREADY ? -EINPROGRESS : result;
    }
    const begun = socket.beginConnect(ip, port, scopeId);
    this.#hasBegun = begun === -EINPROGRESS;
    return begun;
  }

  override connectResult(): 0 | Errno {
    if (this.socket.endpoint === null) return -ECONNABORTED;
    const result = this.socket.connect(scratchAddress.address, 0);
    if (result === -EALREADY) return -EINPROGRESS;
    return result === -EISCONN ? 0 : result;
  }

  override listen(backlog: number, _t: Task): 0 | Errno {
    return this.socket.listen(backlog);
  }

  override accept(flags: number, _t: Task): InetStreamSocket | Errno {
    const accepted = this.socket.accept();
    if (typeof accepted === 'number') return accepted;
    const file = new InetStreamSocket(this.#files, this.net, accepted, flags);
    file.options.copyFrom(this.options);
    return file;
  }

  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno {
    return this.socket.shutdown(how);
  }

  /**
   * Queues bytes straight from the caller's memory; with MSG_FASTOPEN it connects first. Errors: EAGAIN, EFAULT, ENOTCONN,
   * EPIPE, the connection's, and those of connect.
   */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const { socket } = this;
    if (flags & MSG_FASTOPEN && t.restart.tryCount === 0 && t.restart.moved === 0) {
      const moved = this.#sendFast(io, message, flags);
      if (moved !== 0) return moved;
    }
    if (io.remaining === 0) return socket.send(NO_BYTES, 0, 0, flags);
    let moved = 0;
    let result = 0;
    socket.stack.enter();
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) {
        result = len;
        break;
      }
      const isLast = len === io.remaining;
      result = socket.send(io.seg, io.segAt, len, isLast ? flags : (flags & ~MSG_OOB) | MSG_MORE);
      if (result <= 0) break;
      io.advance(result);
      moved += result;
      if (result < len) break;
    }
    socket.stack.leaveUnsettled(); // The caller computes while its segments are on their way.
    return moved > 0 ? moved : result;
  }

  /** Errors: EAGAIN, EFAULT, EINVAL, ENOTCONN, the connection's. */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const { socket } = this;
    if (flags & MSG_ERRQUEUE) return receiveQueuedError(socket, this.isIpv6, io, message, t);
    const moved = this.#receiveText(io, message, flags);
    if (moved >= 0 && socket.tcpOptionValues.tellsInput) this.#tellInput(message);
    return moved;
  }

  /** TCP_CM_INQ: how much can be read yet; 1 at the end of the stream, so that the reader looks again. */
  #tellInput(message: SocketMessage): void {
    const { endpoint } = this.socket;
    const left = endpoint === null ? 0 : endpoint.readableBytes || Number(endpoint.isReadOver);
    message.controlView.setInt32(appendControl(message, SOL_TCP, TCP_INQ, 4), left, true);
  }

  /** Moves bytes straight to the caller's memory. */
  #receiveText(io: IoBuffer, message: SocketMessage, flags: number): number {
    const { socket } = this;
    if (flags & MSG_OOB) return this.#receiveUrgent(io, message, flags);
    if (io.remaining === 0) return socket.endpoint === null ? -ENOTCONN : 0;
    if (flags & MSG_PEEK) return this.#peek(io);
    if (flags & MSG_TRUNC) return socket.receive(NO_BYTES, 0, io.remaining, MSG_TRUNC);
    let moved = 0;
    let result = 0;
    socket.stack.enter();
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      result = len <= 0 ? len : socket.receive(io.seg, io.segAt, len, 0);
      if (result <= 0) break;
      io.advance(result);
      moved += result;
      if (result < len) break;
    }
    socket.stack.leave();
    return moved > 0 ? moved : result;
  }

  override optionChanged(name: number): void {
    super.optionChanged(name);
    if (name === SO_LINGER) this.socket.lingerSec = this.options.isLingering ? this.lingerMs / 1000 : -1;
  }

  override get isLingering(): boolean {
    return this.socket.isLingering;
  }

  /** With SO_LINGER the call that closes the last descriptor waits. */
  override flush(caller: Caller): number {
    if (this.socket.lingerSec > 0 && this.refCount === 1) noteLingering(callingTask(caller), this);
    return 0;
  }

  protected override getProtocolOption(level: number, name: number, dst: DataView, lenMax: number): number {
    return level === SOL_TCP ? getTcpOption(this.socket, name, dst, lenMax) : this.unknownLevel;
  }

  protected override setProtocolOption(level: number, name: number, src: DataView, len: number): 0 | Errno {
    return level === SOL_TCP ? setTcpOption(this.socket, name, src, len) : -ENOPROTOOPT;
  }

  /** SIOCINQ, SIOCOUTQ, SIOCATMARK of tcp(7). Errors: EINVAL while listening. */
  override ioctl(cmd: number, arg: number, caller: Caller): number {
    const { endpoint } = this.socket;
    switch (cmd) {
      case SIOCINQ:
        return this.isListening ? -EINVAL : putInt(caller, arg, endpoint === null ? 0 : endpoint.readableBytes);
      case SIOCOUTQ:
        return this.isListening ? -EINVAL : putInt(caller, arg, endpoint === null ? 0 : endpoint.sender.ring.len);
      case SIOCATMARK:
        return putInt(caller, arg, endpoint?.receiver.isAtMark === true ? 1 : 0);
      default:
        return super.ioctl(cmd, arg, caller);
    }
  }

  /** A connect(2) after one that did not wait: how far it is, or how it went. */
  #continueConnect(): 0 | Errno {
    const result = this.socket.connect(scratchAddress.address, 0);
    if (result === -EALREADY) return this.isNonblocking ? -EALREADY : -EINPROGRESS;
    this.#hasBegun = false;
    return result === -EISCONN ? 0 : result;
  }

  /**
   * Connects with bytes of `io` in the SYN, MSG_FASTOPEN of tcp(7). Returns how many went along, an error (EINPROGRESS of
   * a socket that does not wait and has no cookie yet), or 0 if there is a connection to send on.
   */
  #sendFast(io: IoBuffer, message: SocketMessage, flags: number): number {
    const { socket } = this;
    if (socket.endpoint?.isSynDeferred === true) return 0;
    if (this.#hasBegun) {
      const status = this.#continueConnect();
      return status === -EINPROGRESS ? -EAGAIN : status;
    }
    if (message.addressLen > 0 && familyOf(message.address) === AF_UNSPEC) return -EOPNOTSUPP;
    if (message.addressLen === 0) return socket.state === TcpState.CLOSE ? -EINVAL : -EISCONN;
    const status = this.loadPeer(message.address, message.addressLen);
    if (status !== 0) return status;
    const len = io.remaining === 0 ? 0 : io.segment(io.remaining);
    if (len < 0) return len;
    const { address: ip, port, scopeId } = scratchAddress;
    const sent = socket.connectFast(ip, port, scopeId, io.seg, io.segAt, len);
    if (sent < 0) return sent;
    this.#hasBegun = this.isNonblocking || (flags & MSG_DONTWAIT) !== 0;
    if (sent > 0) {
      io.advance(sent);
      return sent;
    }
    if (this.#hasBegun) return -EINPROGRESS;
    return socket.state === TcpState.SYN_SENT ? -EAGAIN : 0;
  }

  #peek(io: IoBuffer): number {
    const len = io.segment(io.remaining);
    if (len < 0) return len;
    if (len === io.remaining) {
      const count = this.socket.receive(io.seg, io.segAt, len, MSG_PEEK);
      if (count > 0) io.advance(count);
      return count;
    }
    const count = this.socket.receive(peeked, 0, Math.min(io.remaining, PEEK_BYTES_MAX), MSG_PEEK);
    return count > 0 ? io.put(peeked, 0, count) : count;
  }

  #receiveUrgent(io: IoBuffer, message: SocketMessage, flags: number): number {
    const { state } = this.socket;
    if (state === TcpState.CLOSE || state === TcpState.LISTEN) return -ENOTCONN;
    const count = this.socket.receive(peeked, 0, Math.min(io.remaining, 1), flags);
    if (count < 0) return count;
    message.flags |= MSG_OOB;
    return count === 0 ? 0 : io.put(peeked, 0, count);
  }
}
