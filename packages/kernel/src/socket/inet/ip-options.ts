import {
  CAP_NET_ADMIN,
  CAP_NET_RAW,
  EADDRNOTAVAIL,
  EINVAL,
  ENOPROTOOPT,
  ENOTCONN,
  EPERM,
  IP_BIND_ADDRESS_NO_PORT,
  IP_CHECKSUM,
  IP_MINTTL,
  IP_MTU,
  IP_MULTICAST_IF,
  IP_MULTICAST_TTL,
  IP_NODEFRAG,
  IP_OPTIONS,
  IP_RECVERR_RFC4884,
  IP_RECVFRAGSIZE,
  IP_RECVOPTS,
  IP_RETOPTS,
  IP_TRANSPARENT,
  IP_UNICAST_IF,
  SOCK_STREAM,
  SOL_IP,
  type Errno,
} from '@tsv/abi';
import { IPV4_ANY, IpAddress, SocketAddress, type Nic } from '@tsv/netstack';
import type { Task } from '../../task/task.js';
import type { InetSocket } from './inet-socket.js';
import { bytesOf, nicWith, setIpMembership } from './membership-options.js';

/** `struct ip_mreq` and `struct ip_mreqn`. */
const SIZEOF_IP_MREQ = 8;
const SIZEOF_IP_MREQN = 12;

/** Options that are kept, and that nothing here has a use for. */
const KEPT: ReadonlySet<number> = new Set([
  IP_RECVOPTS,
  IP_RETOPTS,
  IP_NODEFRAG,
  IP_CHECKSUM,
  IP_BIND_ADDRESS_NO_PORT,
  IP_RECVFRAGSIZE,
  IP_RECVERR_RFC4884,
  IP_MINTTL,
]);

/** getsockopt(2) at level SOL_IP, ip(7). Returns the length. Errors: ENOPROTOOPT, ENOTCONN. */
export function getIpOption(file: InetSocket, name: number, dst: DataView, _lenMax: number): number {
  const { socket } = file;
  switch (name) {
    case IP_OPTIONS:
      return 0;
    case IP_MTU:
      return getMtu(file, dst);
    case IP_MULTICAST_IF: {
      const nic = socket.stack.nic(socket.options.multicastNicId);
      const address = file.multicastAddress ?? (nic === undefined ? null : ipv4Of(nic)) ?? IPV4_ANY;
      address.storeIpv4(bytesOf(dst), 0);
      return 4;
    }
    case IP_UNICAST_IF:
      dst.setUint32(0, 0, true);
      return 4;
    default:
  }
  const value = KEPT.has(name) ? (file.keptOptions.get(name) ?? 0) : socket.getOption(SOL_IP, name);
  if (value === -ENOPROTOOPT) return value;
  dst.setInt32(0, value, true);
  return 4;
}

/** setsockopt(2) at level SOL_IP. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, EPERM. */
export function setIpOption(file: InetSocket, name: number, src: DataView, len: number, t: Task): 0 | Errno {
  const isStream = file.type === SOCK_STREAM;
  if (isStream && (name === IP_MULTICAST_IF || name === IP_MULTICAST_TTL)) return -EINVAL;
  switch (name) {
    case IP_MULTICAST_IF:
      return setMulticastNic(file, src, len);
    case IP_OPTIONS:
      // Options in the header are dropped by most routers; an empty list is what a socket has.
      return len === 0 ? 0 : -EINVAL;
    default:
  }
  const changed = setIpMembership(file, name, src, len);
  if (changed !== null) return changed;
  const value = len >= 4 ? src.getInt32(0, true) : len >= 1 ? src.getUint8(0) : 0;
  if (name === IP_TRANSPARENT && value !== 0 && !mayBeTransparent(file, t)) return -EPERM;
  if (name === IP_MINTTL && (len < 1 || value < 0 || value > 255)) return -EINVAL;
  if (!KEPT.has(name)) return file.socket.setOption(SOL_IP, name, value);
  file.keptOptions.set(name, name === IP_MINTTL ? value : value === 0 ? 0 : 1);
  return 0;
}

/** MTU of the path of a connected socket, IP_MTU and IPV6_MTU. Errors: ENOTCONN. */
export function getMtu(file: InetSocket, dst: DataView): number {
  const { socket } = file;
  const peer = new SocketAddress();
  if (socket.getPeerName(peer) !== 0) return -ENOTCONN;
  const path = socket.stack.findPath(peer.address, null, socket.options.boundNicId);
  dst.setInt32(0, typeof path === 'number' ? 0 : path.mtu, true);
  return 4;
}

/** Whether the task may set IP_TRANSPARENT. */
export function mayBeTransparent(file: InetSocket, t: Task): boolean {
  const { userNs } = file.net;
  return t.creds.hasCapIn(userNs, CAP_NET_RAW) || t.creds.hasCapIn(userNs, CAP_NET_ADMIN);
}

/** `struct in_addr`, `ip_mreq` or `ip_mreqn` says by which interface groups are sent to. */
function setMulticastNic(file: InetSocket, src: DataView, len: number): 0 | Errno {
  const { socket } = file;
  if (len < 4) return -EINVAL;
  const address = new IpAddress();
  address.loadIpv4(bytesOf(src), len >= SIZEOF_IP_MREQ ? 4 : 0);
  const index = len >= SIZEOF_IP_MREQN ? src.getInt32(8, true) : 0;
  let nic: Nic | undefined;
  if (index !== 0 || !address.isUnspecified) {
    nic = index !== 0 ? socket.stack.nic(index) : nicWith(socket.stack, address);
    if (nic === undefined) return -EADDRNOTAVAIL;
  }
  socket.options.multicastNicId = nic === undefined ? 0 : nic.id;
  file.multicastAddress = address.isUnspecified ? null : address;
  return 0;
}

function ipv4Of(nic: Nic): IpAddress | null {
  return nic.addresses.find(({ address }) => address.isIpv4)?.address ?? null;
}
