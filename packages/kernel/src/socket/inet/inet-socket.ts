import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  CAP_NET_BIND_SERVICE,
  EACCES,
  EAFNOSUPPORT,
  EINVAL,
  ENOPROTOOPT,
  EOPNOTSUPP,
  SIN_ADDR,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6_RFC2133,
  SO_ATTACH_FILTER,
  SO_BROADCAST,
  SO_DETACH_FILTER,
  SO_LOCK_FILTER,
  SO_DONTROUTE,
  SO_KEEPALIVE,
  SO_MARK,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  type Errno,
} from '@tsv/abi';
import {
  DatagramSocket,
  Memberships,
  SocketAddress,
  type IpAddress,
  type PingSocket,
  type RawSocket,
  type Stack,
  type TcpSocket,
  type UdpSocket,
} from '@tsv/netstack';
import type { Caller } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { Task } from '../../task/task.js';
import { changeIpv6Address, isIpv6Ioctl } from '../device/ipv6-ioctl.js';
import { netIoctl } from '../device/net-ioctl.js';
import { SocketFile } from '../socket-file.js';
import { familyOf, loadInetAddress, ownSocketAddress, storeInetAddress } from './inet-address.js';
import { getDeviceOption, setDeviceOption } from './device-option.js';
import { attachFilter, detachFilter, lockFilter } from '../filter/socket-filter.js';
import { getGroupFilter, isGroupFilterOption, setGroupFilter } from './group-filter-option.js';
import { getIptables, isIptablesOption, setIptables } from './iptables-option.js';
import { getIpOption, setIpOption } from './ip-options.js';
import { getIpv6Option, setIpv6Option } from './ipv6-options.js';
import { getOriginalDestination, isOriginalDestination } from './original-destination.js';

/** The sockets of the TCP/IP stack that AF_INET and AF_INET6 have. */
export type StackSocket = TcpSocket | UdpSocket | PingSocket | RawSocket;

/** What calls pass addresses in: its IP address is its own, and is loaded anew by each call. */
export const scratchAddress: SocketAddress = ownSocketAddress();
/** Where the stack tells addresses, which are borrowed then. */
const told = new SocketAddress();

/** On-off options of SOL_SOCKET that the stack's socket must know. */
const FLAGS_OF_STACK: ReadonlySet<number> = new Set([
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_BROADCAST,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_NO_CHECK,
  SO_DONTROUTE,
]);

/** A socket of AF_INET or AF_INET6 over a socket of the network namespace's stack: ip(7), ipv6(7). */
export abstract class InetSocket extends SocketFile {
  abstract readonly socket: StackSocket;
  readonly net: NetNamespace;
  readonly isIpv6: boolean;
  /** Options of SOL_IP and SOL_IPV6 that are kept without effect, by number. */
  readonly keptOptions = new Map<number, number>();
  /** The address that IP_MULTICAST_IF was given, or null. */
  multicastAddress: IpAddress | null = null;
  #ownMemberships: Memberships | null = null;

  constructor(
    files: AnonymousFiles,
    net: NetNamespace,
    isIpv6: boolean,
    type: number,
    protocol: number,
    flags: number,
    waiters: WaitQueue,
  ) {
    super(files, isIpv6 ? AF_INET6 : AF_INET, type, protocol, flags);
    this.net = net;
    this.isIpv6 = isIpv6;
    this.blockedOn = waiters;
    net.inetSockets.add(this);
  }

  /** The groups that it has joined: a TCP socket may, too, and gets nothing of it. */
  get memberships(): Memberships {
    if (this.socket instanceof DatagramSocket) return this.socket.memberships;
    this.#ownMemberships ??= new Memberships(this.stack);
    return this.#ownMemberships;
  }

  get stack(): Stack {
    return this.socket.stack;
  }

  override get waiters(): WaitQueue {
    return this.socket.waiters;
  }

  override readiness(): number {
    return this.socket.readiness();
  }

  override takeError(): 0 | Errno {
    return this.socket.takeError();
  }

  /** Errors: EACCES for a privileged port, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENODEV. */
  bind(address: Uint8Array, len: number, t: Task): 0 | Errno {
    const status = this.#loadBind(address, len);
    if (status !== 0) return status;
    const { address: ip, port, scopeId } = scratchAddress;
    if (this.isIpv6 && ip.isIpv4 && this.socket.options.isV6Only) return -EINVAL;
    const isPrivileged = port !== 0 && port < this.net.unprivilegedPortStart && this.hasPorts;
    if (isPrivileged && !t.creds.hasCapIn(this.net.userNs, CAP_NET_BIND_SERVICE)) return -EACCES;
    return this.socket.bind(ip, port, scopeId);
  }

  override get readsSocketControl(): boolean {
    return true;
  }

  /** Whether its addresses have ports that are privileged. */
  get hasPorts(): boolean {
    return true;
  }

  localAddress(dst: Uint8Array): number {
    this.socket.getSocketName(told);
    return storeInetAddress(dst, this.isIpv6, told);
  }

  peerAddress(dst: Uint8Array): number {
    const status = this.socket.getPeerName(told);
    return status < 0 ? status : storeInetAddress(dst, this.isIpv6, told);
  }

  override optionChanged(name: number): void {
    const { options, socket } = this;
    if (FLAGS_OF_STACK.has(name)) socket.setOption(SOL_SOCKET, name, options.has(name) ? 1 : 0);
    else if (name === SO_RCVBUF || name === SO_RCVBUFFORCE) {
      socket.setOption(SOL_SOCKET, SO_RCVBUFFORCE, options.receiveBytes >> 1);
    } else if (name === SO_SNDBUF || name === SO_SNDBUFFORCE) {
      socket.setOption(SOL_SOCKET, SO_SNDBUFFORCE, options.sendBytes >> 1);
    } else if (name === SO_MARK) socket.setOption(SOL_SOCKET, name, options.mark);
    else if (name === SO_PRIORITY) socket.setOption(SOL_SOCKET, name, options.priority);
    else if (name === SO_RCVLOWAT) socket.setOption(SOL_SOCKET, name, options.receiveLowWater);
  }

  override getSocketOption(name: number, dst: DataView, lenMax: number, _t: Task): number {
    return getDeviceOption(this, name, dst, lenMax);
  }

  override setSocketOption(name: number, src: DataView, len: number, t: Task): 0 | Errno {
    if (name === SO_DETACH_FILTER) return detachFilter(this.socket);
    if (name === SO_LOCK_FILTER) return lockFilter(this.socket, src.getInt32(0, true) !== 0);
    return setDeviceOption(this, name, src, len, t);
  }

  override getLongOption(level: number, name: number, addr: number, len: number, t: Task): number | null {
    if (isGroupFilterOption(this, level, name)) return getGroupFilter(this, level, name, addr, len, t);
    return isIptablesOption(this, level, name) ? getIptables(this, name, addr, len, t) : null;
  }

  override setLongOption(level: number, name: number, addr: number, len: number, t: Task): number | null {
    if (isGroupFilterOption(this, level, name)) return setGroupFilter(this, level, name, addr, len, t);
    if (isIptablesOption(this, level, name)) return setIptables(this, name, addr, len, t);
    if (level !== SOL_SOCKET || name !== SO_ATTACH_FILTER) return null;
    return attachFilter(this.socket, addr, len, t);
  }

  override getOption(level: number, name: number, dst: DataView, lenMax: number, t: Task): number {
    if (isOriginalDestination(level, name)) return getOriginalDestination(this, level, dst, lenMax);
    if (level === SOL_IP) return getIpOption(this, name, dst, lenMax);
    if (level === SOL_IPV6 && this.isIpv6) return getIpv6Option(this, name, dst, lenMax);
    return this.getProtocolOption(level, name, dst, lenMax, t);
  }

  override setOption(level: number, name: number, src: DataView, len: number, t: Task): 0 | Errno {
    if (level === SOL_IP) return setIpOption(this, name, src, len, t);
    if (level === SOL_IPV6 && this.isIpv6) return setIpv6Option(this, name, src, len, t);
    return this.setProtocolOption(level, name, src, len, t);
  }

  /** What getsockopt(2) says of a level that there is none of: IPv4 and IPv6 differ in Linux. */
  protected get unknownLevel(): Errno {
    return this.isIpv6 ? -ENOPROTOOPT : -EOPNOTSUPP;
  }

  /** An option of the transport protocol's level. */
  protected getProtocolOption(_level: number, _name: number, _dst: DataView, _lenMax: number, _t: Task): number {
    return -ENOPROTOOPT;
  }

  protected setProtocolOption(_level: number, _name: number, _src: DataView, _len: number, _t: Task): 0 | Errno {
    return -ENOPROTOOPT;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (this.isIpv6 && isIpv6Ioctl(cmd)) return changeIpv6Address(this.net, this.stack, cmd, arg, caller);
    return netIoctl(this.net, this.stack, cmd, arg, caller);
  }

  protected override release(): void {
    this.net.inetSockets.delete(this);
    this.#ownMemberships?.clear();
    this.socket.close();
  }

  /** Loads the address of a connect(2) into {@link scratchAddress}. Errors: EAFNOSUPPORT, EINVAL. */
  protected loadPeer(address: Uint8Array, len: number): 0 | Errno {
    const status = loadInetAddress(address, len, scratchAddress);
    if (status !== 0) return status;
    if (!this.isIpv6) return familyOf(address) === AF_INET ? 0 : -EAFNOSUPPORT;
    return familyOf(address) === AF_INET && this.socket.options.isV6Only ? -EAFNOSUPPORT : 0;
  }

  /** Loads the address of a bind(2); AF_UNSPEC with the wildcard is taken for AF_INET, as Linux does. */
  #loadBind(address: Uint8Array, len: number): 0 | Errno {
    if (len < (this.isIpv6 ? SIZEOF_SOCKADDR_IN6_RFC2133 : SIZEOF_SOCKADDR_IN)) return -EINVAL;
    const family = familyOf(address);
    if (family !== this.family) {
      const isWildcard = address.subarray(SIN_ADDR, SIN_ADDR + 4).every((byte) => byte === 0);
      if (this.isIpv6 || family !== AF_UNSPEC || !isWildcard) return -EAFNOSUPPORT;
      address[0] = AF_INET;
    }
    return loadInetAddress(address, len, scratchAddress);
  }
}
