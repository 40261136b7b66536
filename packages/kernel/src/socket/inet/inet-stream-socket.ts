import {
  AF_UNSPEC,
  EALREADY,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENOENT,
  ENOPROTOOPT,
  ENOTCONN,
  MSG_ERRQUEUE,
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
  SIZEOF_TCP_INFO,
  SOCK_STREAM,
  SO_LINGER,
  SOL_TCP,
  TCP_CA_NAME_MAX,
  TCP_CONGESTION,
  TCP_INFO,
  TCP_ULP,
  storeTcpInfo,
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
import { InetSocket, scratchAddress } from './inet-socket.js';
import { receiveQueuedError } from './error-message.js';

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

  /** Queues bytes straight from the caller's memory. Errors: EAGAIN, EFAULT, ENOTCONN, EPIPE, the connection's. */
  send(io: IoBuffer, _message: SocketMessage, flags: number, _t: Task): number {
    const { socket } = this;
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
    socket.stack.leave();
    return moved > 0 ? moved : result;
  }

  /** Moves bytes straight to the caller's memory. Errors: EAGAIN, EFAULT, EINVAL, ENOTCONN, the connection's. */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const { socket } = this;
    if (flags & MSG_ERRQUEUE) return receiveQueuedError(socket, this.isIpv6, io, message, t);
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
    if (level !== SOL_TCP) return this.unknownLevel;
    const { socket } = this;
    if (name === TCP_CONGESTION) return storeName(dst, socket.tcpOptions.congestionControl, lenMax);
    if (name === TCP_INFO) {
      const info = socket.endpoint?.info(socket.stack.nowMs);
      new Uint8Array(dst.buffer, dst.byteOffset, SIZEOF_TCP_INFO).fill(0);
      if (info === undefined) dst.setUint8(0, socket.state);
      else storeTcpInfo(dst, 0, info);
      return SIZEOF_TCP_INFO;
    }
    if (name === TCP_ULP) return 0;
    const value = socket.getOption(level, name);
    if (value === -ENOPROTOOPT) return value;
    dst.setInt32(0, value, true);
    return 4;
  }

  /** Errors: EINVAL, ENOENT for an algorithm that there is none of, ENOPROTOOPT. */
  protected override setProtocolOption(level: number, name: number, src: DataView, len: number): 0 | Errno {
    if (level !== SOL_TCP) return -ENOPROTOOPT;
    if (name === TCP_CONGESTION || name === TCP_ULP) {
      if (len < 1) return -EINVAL;
      const isKnown = name === TCP_CONGESTION && this.socket.setCongestionControl(loadName(src, len));
      return isKnown ? 0 : -ENOENT;
    }
    if (len < 4) return -EINVAL;
    return this.socket.setOption(level, name, src.getInt32(0, true));
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

/** Stores a name and its NULs, TCP_CONGESTION. */
function storeName(dst: DataView, name: string, lenMax: number): number {
  for (let i = 0; i < TCP_CA_NAME_MAX; i++) dst.setUint8(i, i < name.length ? name.charCodeAt(i) : 0);
  return Math.min(TCP_CA_NAME_MAX, lenMax);
}

function loadName(src: DataView, len: number): string {
  let name = '';
  for (let i = 0; i < Math.min(len, TCP_CA_NAME_MAX - 1); i++) {
    const byte = src.getUint8(i);
    if (byte === 0) break;
    name += String.fromCharCode(byte);
  }
  return name;
}
