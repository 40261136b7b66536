import {
  AF_INET,
  AF_UNSPEC,
  EAFNOSUPPORT,
  EINVAL,
  EMSGSIZE,
  ENOPROTOOPT,
  EOPNOTSUPP,
  MSG_ERRQUEUE,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  POLLERR,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SIOCINQ,
  SIOCOUTQ,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_SOFTWARE,
  SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE,
  SO_RXQ_OVFL,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SOL_ICMPV6,
  SOL_RAW,
  SOL_UDP,
  UDP_CORK,
  UDP_ENCAP,
  UDP_GRO,
  UDP_NO_CHECK6_RX,
  UDP_NO_CHECK6_TX,
  UDP_SEGMENT,
  type Errno,
} from '@tsv/abi';
import { IPPROTO_ICMPV6, RawSocket, ReceiveInfo, UdpSocket, SocketAddress, type PingSocket } from '@tsv/netstack';
import type { Caller, IoBuffer } from '@tsv/vfs';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import { putInt } from '../../fd/user-int.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { Task } from '../../task/task.js';
import type { SocketMessage } from '../socket-message.js';
import { receiveQueuedError } from './error-message.js';
import { familyOf, loadInetAddress, ownSocketAddress, storeInetAddress } from './inet-address.js';
import { SendControl, storeReceiveInfo } from './inet-control.js';
import { InetSocket, scratchAddress } from './inet-socket.js';

/** What a socket sets that wants to be told when datagrams are sent. */
const TX_STAMPS = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED;
/** Room for the largest datagram. */
const DATAGRAM_BYTES_MAX = 65_536;
const ICMPV6_FILTER_BYTES = 32;
const gathered = new Uint8Array(DATAGRAM_BYTES_MAX);
const destination = ownSocketAddress();
const source = new SocketAddress();
const info = new ReceiveInfo();
const control = new SendControl();

/** Data that MSG_MORE or UDP_CORK holds back until the datagram is whole. */
interface Corked {
  readonly to: SocketAddress | null;
  readonly bytes: number[];
  /** UDP_SEGMENT as the first part said. */
  readonly segmentBytes: number;
}

/** A UDP, ping or raw socket: udp(7), icmp(7), raw(7). */
export class InetDatagramSocket extends InetSocket {
  readonly socket: UdpSocket | PingSocket | RawSocket;
  readonly #udpOptions = new Map<number, number>();
  #corked: Corked | null = null;
  /** SOF_TIMESTAMPING_OPT_ID of the next datagram. */
  #stampId = 0;

  constructor(
    files: AnonymousFiles,
    net: NetNamespace,
    socket: UdpSocket | PingSocket | RawSocket,
    type: number,
    protocol: number,
    flags: number,
  ) {
    super(files, net, socket.isIpv6, type, protocol, flags, socket.waiters);
    this.socket = socket;
  }

  override get hasPorts(): boolean {
    return this.socket instanceof UdpSocket;
  }

  override get raisesSigpipe(): boolean {
    return false;
  }

  /** Errors: EACCES, EAFNOSUPPORT, EAGAIN, EINVAL, ENETUNREACH. */
  connect(address: Uint8Array, len: number, _t: Task): 0 | Errno {
    if (familyOf(address) === AF_UNSPEC) {
      this.socket.disconnect();
      return 0;
    }
    const status = this.loadPeer(address, len);
    if (status !== 0) return status;
    return this.socket.connect(scratchAddress.address, scratchAddress.port, scratchAddress.scopeId);
  }

  shutdown(how: typeof SHUT_RD | typeof SHUT_WR | typeof SHUT_RDWR): 0 | Errno {
    return this.socket.shutdown(how);
  }

  /** Sends one datagram. Errors: those of its kind of socket, EFAULT, EINVAL, EOPNOTSUPP. */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if (flags & MSG_OOB) return -EOPNOTSUPP;
    if (io.remaining >= DATAGRAM_BYTES_MAX) return -EMSGSIZE;
    const to = message.addressLen === 0 ? null : this.#loadDestination(message);
    if (typeof to === 'number') return to;
    control.clear();
    if (message.controlLen > 0) {
      const address = to === null ? this.socket.remoteAddress : to.address;
      const status = control.load(message, address === null ? !this.isIpv6 : address.isIpv4, t);
      if (status !== 0) return status;
      this.socket.overrides = control;
    }
    const isHeld = (flags & MSG_MORE) !== 0 || this.#udpOptions.get(UDP_CORK) === 1;
    const isWhole = !(isHeld && this.socket instanceof UdpSocket) && this.#corked === null;
    const result = isWhole ? this.#sendNow(io, to) : this.#cork(io, to, isHeld);
    this.socket.overrides = null;
    if (result >= 0 && this.#stampsSending()) this.#stamp();
    return result;
  }

  /** Receives one datagram. Errors: EAGAIN, EFAULT, and the socket's pending error. */
  receive(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    const { socket } = this;
    if (flags & MSG_ERRQUEUE) return receiveQueuedError(socket, this.isIpv6, io, message, t);
    if (flags & MSG_OOB) return -EOPNOTSUPP;
    const wholeBytes = socket.nextLen;
    const isOver = socket.queuedCount === 0;
    const room = io.remaining;
    const details = this.#wantsDetails() ? info : null;
    const len = room === 0 ? 0 : io.segment(room);
    if (len < 0) return len;
    const isDirect = len >= Math.min(room, wholeBytes);
    const stack = isDirect ? io.seg : gathered;
    const asked = flags & (MSG_PEEK | MSG_TRUNC);
    const limit = isDirect ? len : Math.min(room, gathered.length);
    const n = socket.receive(stack, isDirect ? io.segAt : 0, limit, asked, source, details);
    if (n < 0) return n;
    const moved = Math.min(n, limit);
    if (isDirect) io.advance(moved);
    else {
      const put = io.put(gathered, 0, moved);
      if (put < 0) return put;
    }
    // After SHUT_RD there is no datagram, and nobody that it came from.
    if (isOver) return n;
    message.wholeBytes = wholeBytes;
    if (wholeBytes > room) message.flags |= MSG_TRUNC;
    message.addressLen = storeInetAddress(message.address, this.isIpv6, source);
    if (details === null) return n;
    const { clock } = t.kernel;
    storeReceiveInfo(message, socket, this.options, details, clock.realtimeMs() - clock.monotonicMs());
    return n;
  }

  /** SIOCINQ: bytes of the next datagram; SIOCOUTQ: none wait. */
  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (cmd === SIOCINQ) return putInt(caller, arg, this.socket.nextLen);
    if (cmd === SIOCOUTQ) return putInt(caller, arg, 0);
    return super.ioctl(cmd, arg, caller);
  }

  protected override getProtocolOption(level: number, name: number, dst: DataView): number {
    const { socket } = this;
    if (level === SOL_UDP && socket instanceof UdpSocket) {
      if (!UDP_OPTIONS.has(name)) return -ENOPROTOOPT;
      dst.setInt32(0, this.#udpOptions.get(name) ?? 0, true);
      return 4;
    }
    if (level === SOL_ICMPV6 && socket instanceof RawSocket && socket.protocol === IPPROTO_ICMPV6 && name === 1) {
      socket.icmpv6Filter.forEach((word, index) => {
        dst.setUint32(4 * index, word, true);
      });
      return ICMPV6_FILTER_BYTES;
    }
    if (level !== SOL_RAW || !(socket instanceof RawSocket)) return this.unknownLevel;
    const value = socket.getOption(level, name);
    if (value === -ENOPROTOOPT) return value;
    dst.setInt32(0, value, true);
    return 4;
  }

  protected override setProtocolOption(level: number, name: number, src: DataView, len: number): 0 | Errno {
    const { socket } = this;
    if (level === SOL_UDP && socket instanceof UdpSocket) {
      return len < 4 ? -EINVAL : this.#setUdpOption(name, src.getInt32(0, true));
    }
    if (!(socket instanceof RawSocket)) return -ENOPROTOOPT;
    if (level === SOL_ICMPV6 && socket.protocol === IPPROTO_ICMPV6) {
      if (name !== 1) return -ENOPROTOOPT;
      const count = Math.min(len, ICMPV6_FILTER_BYTES) >> 2;
      for (let index = 0; index < count; index++) socket.icmpv6Filter[index] = src.getUint32(4 * index, true);
      return 0;
    }
    if (level !== SOL_RAW) return -ENOPROTOOPT;
    return len < 4 ? -EINVAL : socket.setOption(level, name, src.getInt32(0, true));
  }

  #wantsDetails(): boolean {
    const { socket } = this;
    const { options } = socket;
    const own = this.options;
    if (socket instanceof UdpSocket && socket.takesSegments) return true;
    if (own.timestamping !== 0 || own.has(SO_TIMESTAMP) || own.has(SO_TIMESTAMPNS) || own.has(SO_RXQ_OVFL)) return true;
    if (options.wantsPktInfo || options.wantsTtl || options.wantsTos || options.wantsOriginalDst) return true;
    if (options.wantsOldPktInfo6 || options.wantsOldHopLimit) return true;
    return options.wantsPktInfo6 || options.wantsHopLimit || options.wantsTrafficClass;
  }

  #setUdpOption(name: number, value: number): 0 | Errno {
    if (!UDP_OPTIONS.has(name)) return -ENOPROTOOPT;
    if (name === UDP_SEGMENT && (value < 0 || value > 0xffff)) return -EINVAL;
    if (name === UDP_ENCAP && value !== 0) return -ENOPROTOOPT;
    this.#udpOptions.set(name, name === UDP_SEGMENT ? value : value === 0 ? 0 : 1);
    if (name === UDP_GRO && this.socket instanceof UdpSocket) this.socket.takesSegments = value !== 0;
    if (name === UDP_CORK && value === 0 && this.#corked !== null) this.#uncork();
    return 0;
  }

  /** Where a sendto(2) goes: null for the peer. Errors: EAFNOSUPPORT, EINVAL. */
  #loadDestination(message: SocketMessage): SocketAddress | null | Errno {
    const { address, addressLen } = message;
    const family = familyOf(address);
    if (family === AF_UNSPEC) {
      if (this.isIpv6) return null;
      address[0] = AF_INET; // As Linux takes it, for old programs.
    }
    const status = loadInetAddress(address, addressLen, destination);
    if (status !== 0) return this.isIpv6 && status === -EAFNOSUPPORT ? -EINVAL : status;
    return !this.isIpv6 && familyOf(address) !== AF_INET ? -EAFNOSUPPORT : destination;
  }

  #sendNow(io: IoBuffer, to: SocketAddress | null): number {
    const total = io.remaining;
    const len = total === 0 ? 0 : io.segment(total);
    if (len < 0) return len;
    const isDirect = len === total;
    if (!isDirect) {
      const taken = io.take(gathered, 0, total);
      if (taken < total) return taken < 0 ? taken : -EINVAL;
    }
    const sent = this.#sendBytes(
      isDirect ? io.seg : gathered,
      isDirect ? io.segAt : 0,
      total,
      to,
      this.#segmentBytes(),
    );
    if (sent >= 0 && isDirect) io.advance(total);
    return sent < 0 ? sent : total;
  }

  /** UDP_SEGMENT for what is being sent. */
  #segmentBytes(): number {
    return control.segmentBytes >= 0 ? control.segmentBytes : (this.#udpOptions.get(UDP_SEGMENT) ?? 0);
  }

  /** Sends one datagram, or with UDP_SEGMENT several. Errors: the socket's. */
  #sendBytes(bytes: Uint8Array, at: number, len: number, to: SocketAddress | null, segmentBytes: number): number {
    const { socket } = this;
    if (!(socket instanceof UdpSocket) || segmentBytes === 0) return socket.send(bytes, at, len, to);
    return socket.send(bytes, at, len, to, segmentBytes);
  }

  /** Whether SO_TIMESTAMPING asks when datagrams are sent. */
  #stampsSending(): boolean {
    const { timestamping } = this.options;
    const what = control.stamping >= 0 ? control.stamping : timestamping;
    return (timestamping & SOF_TIMESTAMPING_SOFTWARE) !== 0 && (what & TX_STAMPS) !== 0;
  }

  /**
   * Queues the time of now as that at which a datagram was sent. Differs: of the datagram nothing is told with it, as
   * Linux does with SOF_TIMESTAMPING_OPT_TSONLY.
   */
  #stamp(): void {
    const { socket } = this;
    const hasId = (this.options.timestamping & SOF_TIMESTAMPING_OPT_ID) !== 0;
    socket.errors.pushStamp(hasId ? this.#stampId++ : 0, socket.stack.nowMs, socket.localAddress);
    socket.waiters.notify(POLLERR);
  }

  /** Adds to the datagram that is held back, and sends it unless more is to come. */
  #cork(io: IoBuffer, to: SocketAddress | null, isHeld: boolean): number {
    const len = io.remaining;
    const taken = len === 0 ? 0 : io.take(gathered, 0, len);
    if (taken < len) return taken < 0 ? taken : -EINVAL;
    if (this.#corked === null) {
      const own = to === null ? null : new SocketAddress(to.address.clone(), to.port, to.scopeId);
      this.#corked = { to: own, bytes: [], segmentBytes: this.#segmentBytes() };
    }
    const { bytes } = this.#corked;
    if (bytes.length + len >= DATAGRAM_BYTES_MAX) return -EMSGSIZE;
    for (let i = 0; i < len; i++) bytes.push(gathered[i]!);
    const sent = isHeld ? 0 : this.#uncork();
    return sent < 0 ? sent : len;
  }

  #uncork(): number {
    const { to, bytes, segmentBytes } = this.#corked!;
    this.#corked = null;
    return this.#sendBytes(Uint8Array.from(bytes), 0, bytes.length, to, segmentBytes);
  }
}

const UDP_OPTIONS = new Set([UDP_CORK, UDP_ENCAP, UDP_NO_CHECK6_TX, UDP_NO_CHECK6_RX, UDP_SEGMENT, UDP_GRO]);
