import {
  EADDRINUSE,
  EADDRNOTAVAIL,
  EALREADY,
  EBADF,
  ECONNABORTED,
  EINPROGRESS,
  EINVAL,
  EISCONN,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPIPE,
  IP_PMTUDISC_DONT,
  IP_TOS,
  IP_TTL,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  MSG_MORE,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  POLLHUP,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SO_KEEPALIVE,
  SO_MARK,
  SO_OOBINLINE,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_TCP,
  type TcpInfo,
} from '@tsv/abi';
import { listenerInfo } from '../tcp/tcp-info.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Stack } from '../stack.js';
import { createCongestionControl } from '../tcp/congestion/registry.js';
import type { Segment } from '../tcp/segment.js';
import { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import { errnoOfTcpError, type TcpError } from '../tcp/tcp-error.js';
import { TcpListener } from '../tcp/tcp-listener.js';
import { TcpOptions } from '../tcp/tcp-options.js';
import { isClosing, TcpState } from '../tcp/tcp-state.js';
import { IPV4_ANY, IPV6_ANY, type IpAddress } from '../wire/ip-address.js';
import { setFastOpenOption } from './fast-open-options.js';
import { PacketTraits } from './packet-traits.js';
import { Socket } from './socket.js';
import type { SocketAddress } from './socket-address.js';
import { ListenTimer } from './tcp.js';
import { TcpConnection } from './tcp-connection.js';
import { READ_EVENTS, readinessOf, WRITE_EVENTS } from './tcp-readiness.js';
import { getTcpOption, setTcpOption } from './tcp-socket-options.js';

/** When a connect uses fast open: never, with the text that is at hand, or with what is sent first. */
const FastOpenMode = { OFF: 0, AT_ONCE: 1, DEFERRED: 2 } as const;
type FastOpenMode = (typeof FastOpenMode)[keyof typeof FastOpenMode];

/** A TCP socket, tcp(7). No call blocks. */
export class TcpSocket extends Socket {
  /** SO_LINGER: seconds that close(2) waits, see {@link isLingering}; negative if it does not. 0 resets the connection. */
  lingerSec = -1;
  #tcpOptions: TcpOptions;
  #hasOwnTcpOptions = false;
  #connection: TcpConnection | null = null;
  #listener: TcpListener | null = null;
  #listenTimer: ListenTimer | null = null;
  #isConnecting = false;
  /** Whether bind(2) or listen(2) has entered it in the port table. */
  #holdsPort = false;
  #readiness = 0;

  constructor(stack: Stack, isIpv6: boolean) {
    super(stack, isIpv6);
    this.#tcpOptions = TcpOptions.shared(stack.tcp.context.settings);
    this.#readiness = this.readiness();
  }

  get isListening(): boolean {
    return this.#listener !== null;
  }

  /** Connections that wait to be accepted, and how many may. */
  get acceptCount(): number {
    return this.#listener === null ? 0 : this.#listener.acceptCount;
  }

  get backlog(): number {
    return this.#listener === null ? 0 : this.#listener.backlog;
  }

  override get isExclusive(): boolean {
    return this.#listener !== null;
  }

  /** The endpoint of the connection, or null: for TCP_INFO and tables. */
  get endpoint(): TcpEndpoint | null {
    return this.#connection?.endpoint ?? null;
  }

  /** What TCP_INFO tells; null of a socket without a peer that does not listen. */
  get info(): Partial<TcpInfo> | null {
    if (this.#listener !== null) return listenerInfo(this.#listener);
    if (this.#connection === null) return null;
    this.stack.enter();
    const info = this.#connection.endpoint.info(this.stack.nowMs);
    this.stack.leave();
    return info;
  }

  /** State as in net/tcp_states.h. */
  get state(): TcpState {
    if (this.#listener !== null) return TcpState.LISTEN;
    return this.#connection === null ? TcpState.CLOSE : this.#connection.endpoint.state;
  }

  /** The options of tcp(7), to be read: sockets on which nobody has set any share them. */
  get tcpOptionValues(): Readonly<TcpOptions> {
    return this.#tcpOptions;
  }

  /** The options of tcp(7), to be changed. */
  get tcpOptions(): TcpOptions {
    if (this.#hasOwnTcpOptions) return this.#tcpOptions;
    const own = this.#tcpOptions.clone();
    this.#tcpOptions = own;
    this.#hasOwnTcpOptions = true;
    this.#connection?.endpoint.useOptions(own);
    if (this.#listener !== null) this.#listener.options = own;
    return own;
  }

  /** Takes a port, 0 for any free one. Errors: EINVAL when bound, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT. */
  bind(address: IpAddress, port: number, scopeId = 0): number {
    if (this.isClosed) return -EBADF;
    if (this.#holdsPort || this.#connection !== null) return -EINVAL;
    const checked = address.isMulticast ? -EADDRNOTAVAIL : this.checkBind(address, scopeId);
    if (checked !== 0) return checked;
    const { ports } = this.stack.tcp;
    const isFree = (candidate: number): boolean => ports.isFree(this, address, candidate);
    const chosen = port !== 0 ? port : ports.ephemeral(this.stack.random.u32(), isFree);
    if (chosen === 0 || (port !== 0 && !isFree(port))) return -EADDRINUSE;
    this.localAddress = address.clone();
    this.localPort = chosen;
    this.#holdsPort = true;
    ports.add(this);
    return 0;
  }

  /** Accepts connections from now on, up to `backlog` in the queue. Errors: EINVAL when connected, EADDRINUSE. */
  listen(backlog: number): number {
    if (this.isClosed) return -EBADF;
    if (this.#listener !== null) {
      this.#listener.setBacklog(backlog);
      return 0;
    }
    if (this.#connection !== null) return -EINVAL;
    if (!this.#holdsPort) {
      const bound = this.bind(this.localAddress, 0);
      if (bound !== 0) return bound;
    }
    const { tcp } = this.stack;
    const { context, hash } = tcp;
    this.#listener = new TcpListener(context, hash, this.localAddress, this.localPort, backlog, this.#tcpOptions);
    if (!tcp.ports.isFree(this, this.localAddress, this.localPort)) {
      this.#listener = null;
      return -EADDRINUSE;
    }
    this.#listenTimer = new ListenTimer(this);
    tcp.listeners.add(this);
    this.noticeChange();
    return 0;
  }

  /** The next connection as a socket of its own. Errors: EAGAIN, EINVAL when not listening. */
  accept(): TcpSocket | number {
    if (this.#listener === null) return -EINVAL;
    const endpoint = this.#listener.accept();
    if (typeof endpoint === 'number') return errnoOfTcpError(endpoint);
    const socket = new TcpSocket(this.stack, this.isIpv6);
    socket.shareOptions(this);
    socket.#tcpOptions = endpoint.options;
    socket.socketFilter = this.socketFilter;
    socket.uid = this.uid;
    socket.lingerSec = this.lingerSec;
    socket.#adopt(this.#connectionOf(endpoint));
    this.#readiness = this.readiness();
    return socket;
  }

  /**
   * Starts to connect. Returns -EINPROGRESS, then -EALREADY; 0 once it is connected, then -EISCONN. Errors:
   * ECONNREFUSED, ETIMEDOUT and others of the attempt, EADDRNOTAVAIL without a free port, those of finding a path.
   */
  connect(address: IpAddress, port: number, scopeId = 0): number {
    const begun = this.beginConnect(address, port, scopeId);
    if (begun !== -EINPROGRESS) return begun;
    const again = this.#isConnecting ? this.#connectAgain() : 0;
    return again === -EALREADY ? -EINPROGRESS : again;
  }

  /** As {@link TcpSocket.connect}, but how an attempt goes that ends at once is left for the next call to tell. */
  beginConnect(address: IpAddress, port: number, scopeId = 0): number {
    const usesFastOpen = this.#tcpOptions.connectsFast && this.stack.tcp.isClientFastOpenOn;
    return this.#begin(address, port, scopeId, usesFastOpen ? FastOpenMode.DEFERRED : FastOpenMode.OFF);
  }

  /**
   * Starts to connect with text in the SYN, MSG_FASTOPEN: RFC 7413. Returns how much went along, which is nothing when a
   * cookie has to be asked for first. Errors: those of connect, and EOPNOTSUPP where fast open is off.
   */
  connectFast(address: IpAddress, port: number, scopeId: number, bytes: Uint8Array, at: number, len: number): number {
    if (!this.stack.tcp.isClientFastOpenOn) return -EOPNOTSUPP;
    if (this.#connection !== null) return -EISCONN;
    this.stack.enter();
    let result = this.#begin(address, port, scopeId, FastOpenMode.AT_ONCE);
    if (result === -EINPROGRESS) {
      const { endpoint } = this.#connection!;
      const textLen = Math.min(len, endpoint.synTextBytesMax);
      result = textLen === 0 ? 0 : endpoint.send(bytes, at, textLen);
    }
    this.stack.leave();
    return result;
  }

  #begin(address: IpAddress, port: number, scopeId: number, mode: FastOpenMode): number {
    if (this.isClosed) return -EBADF;
    if (this.#listener !== null) return -EISCONN;
    if (this.#connection !== null) return this.#connectAgain();
    const family = this.checkFamily(address);
    if (family !== 0) return family;
    if (address.isMulticast || address.isLimitedBroadcast) return -ENETUNREACH;
    const path = this.pathTo(address, scopeId);
    if (typeof path === 'number') return path;
    this.stack.enter();
    const opened = this.#open(path.src, path.dst, port, mode);
    this.stack.leave();
    if (opened !== 0) return opened;
    return this.endpoint!.isSynDeferred ? 0 : -EINPROGRESS;
  }

  /** Has no peer any more: connect(2) with AF_UNSPEC. A connection is reset; a listening socket listens no more. */
  disconnect(): void {
    if (this.#listener !== null) this.#stopListening();
    const connection = this.#connection;
    if (connection === null) return;
    this.stack.enter();
    connection.endpoint.abort();
    this.#detach();
    this.stack.leave();
    this.#isConnecting = false;
    if (!this.#holdsPort) this.localAddress = this.isIpv6 ? IPV6_ANY : IPV4_ANY;
    this.#readiness = this.readiness();
  }

  /** Sends up to `len` bytes and returns how many. Errors: EAGAIN, EPIPE, ENOTCONN, the connection's. */
  send(bytes: Uint8Array, at: number, len: number, flags = 0): number {
    const connection = this.#connection;
    if (connection === null) return this.#listener !== null ? -EPIPE : this.isClosed ? -EBADF : -EPIPE;
    const { endpoint } = connection;
    this.stack.enter();
    endpoint.sender.hasMore = (flags & MSG_MORE) !== 0;
    let sent: number;
    if (flags & MSG_OOB && len > 0) {
      sent = len === 1 ? 0 : endpoint.send(bytes, at, len - 1);
      if (sent === len - 1) sent = addUrgent(sent, endpoint.sendUrgent(bytes[at + len - 1]!));
    } else sent = endpoint.send(bytes, at, endpoint.isSynDeferred ? Math.min(len, endpoint.synTextBytesMax) : len);
    this.stack.tcp.touch(connection);
    // Only what the text took away: what has come since the waiters were told is theirs to hear of from the flush.
    this.#readiness &= this.readiness();
    this.stack.leave();
    return sent < 0 ? errnoOfTcpError(sent as TcpError) : sent;
  }

  /** Receives up to `len` bytes and returns how many, 0 at the end. Errors: EAGAIN, ENOTCONN, EINVAL, the connection's. */
  receive(dst: Uint8Array, at: number, len: number, flags = 0): number {
    const connection = this.#connection;
    if (connection === null) return this.isClosed ? -EBADF : -ENOTCONN;
    const { endpoint } = connection;
    this.stack.enter();
    let count: number;
    if (flags & MSG_OOB) {
      count = endpoint.recvUrgent();
      if (count >= 0 && len > 0) {
        dst[at] = count;
        count = 1;
      }
    } else if (flags & MSG_PEEK) count = endpoint.peek(dst, at, len);
    else if (flags & MSG_TRUNC) count = endpoint.discard(len);
    else count = endpoint.recv(dst, at, len);
    if (endpoint.pollAtMs() <= this.stack.nowMs) this.stack.tcp.touch(connection);
    this.stack.leave();
    this.#readiness = this.readiness();
    return count < 0 ? errnoOfTcpError(count as TcpError) : count;
  }

  /** Ends reading (SHUT_RD), writing (SHUT_WR) or both; of a listening socket, the listening. Errors: ENOTCONN, EINVAL. */
  shutdown(how: number): number {
    if (how < SHUT_RD || how > SHUT_RDWR) return -EINVAL;
    if (this.#listener !== null) {
      if (how !== SHUT_WR) this.#stopListening();
      return 0;
    }
    const connection = this.#connection;
    if (connection === null || connection.endpoint.state === TcpState.CLOSE) return -ENOTCONN;
    this.stack.enter();
    if (how !== SHUT_WR) connection.endpoint.shutdownRead();
    if (how !== SHUT_RD) connection.endpoint.shutdownWrite();
    this.stack.tcp.touch(connection);
    this.stack.leave();
    return 0;
  }

  /** Whether it is closed, lingers, and the peer has yet to acknowledge all. `waiters` hear POLLHUP when that is over. */
  get isLingering(): boolean {
    return this.isClosed && this.lingerSec > 0 && this.#connection !== null && isClosing(this.state);
  }

  /** Closes in the background: what is queued is still sent, unless lingerSec is 0. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stack.enter();
    if (this.#listener !== null) this.#stopListening();
    if (this.#holdsPort) this.stack.tcp.ports.remove(this);
    this.#holdsPort = false;
    const connection = this.#connection;
    if (connection !== null) {
      if (this.lingerSec === 0) connection.endpoint.abort();
      else connection.endpoint.close();
      if (!this.isLingering) connection.socket = null;
      this.stack.tcp.touch(connection);
    }
    if (this.hasErrors) this.errors.clear();
    this.stack.leave();
    this.waiters.notify(POLLHUP);
  }

  readiness(): number {
    if (this.#listener !== null) return this.#listener.acceptCount > 0 ? READ_EVENTS : 0;
    if (this.#connection === null) return WRITE_EVENTS | POLLHUP;
    return readinessOf(this.#connection.endpoint);
  }

  getSocketName(into: SocketAddress): number {
    into.set(this.localAddress, this.localPort, this.localAddress.isLinkLocal ? this.optionValues.boundNicId : 0);
    return 0;
  }

  /** Errors: ENOTCONN. */
  getPeerName(into: SocketAddress): number {
    const connection = this.#connection;
    if (connection === null || connection.endpoint.state === TcpState.CLOSE || this.#isConnecting) return -ENOTCONN;
    const { remoteAddress, remotePort, path } = connection;
    into.set(remoteAddress, remotePort, remoteAddress.isLinkLocal && path !== null ? path.nic.id : 0);
    return 0;
  }

  /** The error of the connection, negated, which is then forgotten. SO_ERROR. */
  override takeError(): number {
    const error = this.#connection === null ? 0 : this.#connection.endpoint.takeError();
    return error === 0 ? super.takeError() : errnoOfTcpError(error);
  }

  /** Sets an option of an `int`; setsockopt(2). Errors: ENOPROTOOPT, EINVAL, EBADF. */
  setOption(level: number, name: number, value: number): number {
    if (this.isClosed) return -EBADF;
    const set = level === SOL_TCP ? this.#setTcpOption(name, value) : this.options.set(level, name, value);
    if (set === 0) this.#applyOptions(level, name);
    return set;
  }

  #setTcpOption(name: number, value: number): number {
    const { tcpOptions, stack } = this;
    const set = setFastOpenOption(tcpOptions, this.state, stack.tcp.isClientFastOpenOn, name, value);
    return set === -ENOPROTOOPT ? setTcpOption(tcpOptions, this.endpoint, name, value) : set;
  }

  /** The value of an option. Errors: ENOPROTOOPT. */
  getOption(level: number, name: number): number {
    if (level === SOL_TCP) return getTcpOption(this.#tcpOptions, this.endpoint, name);
    return this.optionOf(level, name);
  }

  /** TCP_CONGESTION. False if there is no such algorithm. */
  setCongestionControl(name: string): boolean {
    if (createCongestionControl(name) === undefined) return false;
    this.tcpOptions.congestionControl = name;
    this.#applyOptions(SOL_TCP, 0);
    return true;
  }

  /** How well a listening socket fits a connection to `address`: -1 not at all. */
  listenScore(address: IpAddress, nicId: number): number {
    if (!this.takes(address, nicId)) return -1;
    const exact = this.localAddress.isUnspecified ? 0 : 4;
    return exact + (this.optionValues.boundNicId !== 0 ? 2 : 0) + (this.isIpv6 === !address.isIpv4 ? 1 : 0);
  }

  /** A listening socket takes a segment that belongs to no connection. */
  inputSegment(seg: Segment, nicId: number): void {
    const listener = this.#listener!;
    const { tcp, nowMs } = this.stack;
    const scope = seg.src.isLinkLocal ? nicId : this.optionValues.boundNicId;
    const path = this.stack.findPath(seg.src.clone(), seg.dst.clone(), scope);
    if (typeof path === 'number') return;
    const endpoint = listener.input(seg, tcp.mssOf(path), nowMs, tcp);
    this.#armListener();
    if (endpoint === null) return;
    // It has the same options object.
    this.#hasOwnTcpOptions = false;
    const { local, remote } = endpoint;
    const connection = new TcpConnection(
      tcp,
      endpoint,
      path.between(local, remote),
      scope,
      this.optionValues.reusesAddress,
    );
    connection.listener = this;
    this.#configure(connection);
    tcp.add(connection);
    tcp.touch(connection);
    this.waiters.notify(READ_EVENTS);
    this.#readiness = this.readiness();
  }

  /** Runs the timers of a listening socket. */
  pollListener(nowMs: number): void {
    this.#listener?.output(nowMs, this.stack.tcp);
    this.#armListener();
  }

  /** New text has come: told each time, for edge-triggered waiters. */
  textArrived(): void {
    this.#readiness &= ~READ_EVENTS;
  }

  /** Tells the waiters what has become ready since they were last told. */
  noticeChange(): void {
    const connection = this.#connection;
    if (this.isClosed) return this.#endLinger();
    if (connection !== null && this.#isConnecting && connection.endpoint.state !== TcpState.SYN_SENT) {
      if (connection.endpoint.state !== TcpState.SYN_RECV) this.#isConnecting = connection.endpoint.error !== 0;
    }
    const now = this.readiness();
    const grown = now & ~this.#readiness;
    this.#readiness = now;
    if (grown !== 0) this.waiters.notify(grown);
  }

  icmpError(error: IcmpError): void {
    this.fail(error.errno);
  }

  #endLinger(): void {
    if (this.isLingering) return;
    if (this.#connection !== null) this.#connection.socket = null;
    this.waiters.notify(POLLHUP);
  }

  #connectAgain(): number {
    const { endpoint } = this.#connection!;
    if (!this.#isConnecting) return endpoint.state === TcpState.CLOSE ? -ECONNABORTED : -EISCONN;
    if (endpoint.isSynDeferred) return -EISCONN;
    if (endpoint.state === TcpState.SYN_SENT || endpoint.state === TcpState.SYN_RECV) return -EALREADY;
    this.#isConnecting = false;
    const error = endpoint.takeError();
    if (error === 0 && endpoint.state !== TcpState.CLOSE) return 0;
    this.#detach();
    return error === 0 ? -ECONNABORTED : errnoOfTcpError(error);
  }

  /** A failed attempt leaves a socket that may connect again. */
  #detach(): void {
    const connection = this.#connection!;
    connection.socket = null;
    connection.endpoint.close();
    this.stack.enter();
    this.stack.tcp.touch(connection);
    this.stack.leave();
    this.#connection = null;
    if (!this.#holdsPort) this.localPort = 0;
  }

  #open(local: IpAddress, remote: IpAddress, port: number, mode: FastOpenMode): number {
    const { tcp, nowMs } = this.stack;
    const localPort = this.#holdsPort ? this.localPort : tcp.portFor(local, remote, port);
    if (localPort === 0) return -EADDRNOTAVAIL;
    if (this.#holdsPort && !tcp.isTupleFree(local, localPort, remote, port)) return -EADDRNOTAVAIL;
    const path = this.pathTo(remote, 0);
    if (typeof path === 'number') return path;
    const mss = tcp.mssOf(path);
    const endpoint = new TcpEndpoint(tcp.context, local, localPort, remote, port, mss, this.#tcpOptions);
    const { reusesAddress, boundNicId } = this.optionValues;
    const connection = new TcpConnection(tcp, endpoint, path, boundNicId, reusesAddress);
    tcp.add(connection);
    this.#isConnecting = true;
    this.#adopt(connection);
    const iss = tcp.isns.isn(local, localPort, remote, port, nowMs);
    if (mode !== FastOpenMode.OFF) tcp.prepareFastOpen(endpoint, nowMs);
    const opened = endpoint.connect(iss, tcp.isns.tsOffset(local, remote), nowMs);
    if (mode === FastOpenMode.DEFERRED && endpoint.fastOpen?.takesText === true) endpoint.deferSyn();
    tcp.touch(connection);
    return opened === 0 ? 0 : errnoOfTcpError(opened);
  }

  #adopt(connection: TcpConnection): void {
    this.#connection = connection;
    connection.socket = this;
    connection.listener = null;
    this.localAddress = connection.localAddress;
    this.localPort = connection.localPort;
    this.#configure(connection);
    this.#readiness = this.readiness();
  }

  #connectionOf(endpoint: TcpEndpoint): TcpConnection {
    const { local, localPort, remote, remotePort } = endpoint;
    const { tcp } = this.stack;
    const known = tcp.connections.lookup(local, localPort, remote, remotePort);
    if (known !== null && known.endpoint === endpoint) return known;
    // It was reset while it waited: the socket tells of the error, and has nothing in the tables.
    return new TcpConnection(tcp, endpoint, null, 0, false);
  }

  #stopListening(): void {
    const listener = this.#listener!;
    const { tcp, timers } = this.stack;
    tcp.listeners.remove(this);
    this.#listener = null;
    timers.disarm(this.#listenTimer!);
    this.#listenTimer = null;
    this.stack.enter();
    for (let next = listener.accept(); typeof next !== 'number'; next = listener.accept()) {
      const connection = this.#connectionOf(next);
      connection.listener = null;
      next.abort();
      tcp.touch(connection);
    }
    listener.close();
    this.stack.leave();
    this.noticeChange();
  }

  #armListener(): void {
    if (this.#listener === null || this.#listenTimer === null) return;
    const atMs = this.#listener.pollAtMs();
    if (atMs !== this.#listenTimer.deadlineMs) this.stack.timers.arm(this.#listenTimer, atMs);
  }

  /** Hands the connection what the socket's options say about its packets. */
  #configure(connection: TcpConnection): void {
    const options = this.optionValues;
    const isIpv4 = connection.remoteAddress.isIpv4;
    const ttl = isIpv4 ? options.ttl : options.hops;
    const trafficClass = isIpv4 ? options.tos : options.trafficClass;
    const mayFragment = isIpv4 && options.pmtuDiscovery === IP_PMTUDISC_DONT;
    const traits = new PacketTraits(ttl, trafficClass, options.mark, this.uid, this.gid, mayFragment);
    connection.traits = this.stack.tcp.shareTraits(traits);
  }

  #applyOptions(level: number, name: number): void {
    const options = this.optionValues;
    const connection = this.#connection;
    const isOfEndpoint = level === SOL_SOCKET && ENDPOINT_OPTIONS.has(name);
    if (isOfEndpoint) {
      const { tcpOptions } = this;
      tcpOptions.isKeepAlive = options.keepsAlive;
      tcpOptions.isUrgentInline = options.isOobInline;
      if (options.receiveIsLocked) tcpOptions.receiveBytes = options.receiveBytesMax >> 1;
      if (options.sendIsLocked) tcpOptions.sendBytes = options.sendBytesMax >> 1;
    }
    if (connection === null) return;
    const isHeader = level === SOL_IP || level === SOL_IPV6 || (level === SOL_SOCKET && name === SO_MARK);
    if (isHeader && HEADER_OPTIONS.has(name)) this.#configure(connection);
    if (level !== SOL_TCP && !isOfEndpoint) return;
    this.stack.enter();
    connection.endpoint.applyOptions();
    this.stack.tcp.touch(connection);
    this.stack.leave();
  }
}

const HEADER_OPTIONS = new Set([IP_TOS, IP_TTL, IPV6_TCLASS, IPV6_UNICAST_HOPS, SO_MARK]);
const ENDPOINT_OPTIONS = new Set([SO_KEEPALIVE, SO_OOBINLINE, SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF, SO_SNDBUFFORCE]);

/** Bytes sent when `sent` went before an urgent byte whose sending returned `urgent`. */
function addUrgent(sent: number, urgent: number): number {
  if (urgent >= 0) return sent + urgent;
  return sent > 0 ? sent : urgent;
}
