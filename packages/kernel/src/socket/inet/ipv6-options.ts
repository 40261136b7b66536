import {
  AF_INET6,
  EINVAL,
  ENODEV,
  ENOPROTOOPT,
  EPERM,
  IPV6_ADD_MEMBERSHIP,
  IPV6_ADDR_PREFERENCES,
  IPV6_AUTOFLOWLABEL,
  IPV6_DROP_MEMBERSHIP,
  IPV6_FREEBIND,
  IPV6_MTU,
  IPV6_MULTICAST_IF,
  IPV6_RECVORIGDSTADDR,
  IPV6_RECVPATHMTU,
  IPV6_TRANSPARENT,
  IPV6_UNICAST_IF,
  IPV6_V6ONLY,
  SOL_IPV6,
  type Errno,
} from '@tsv/abi';
import type { Task } from '../../task/task.js';
import type { InetSocket } from './inet-socket.js';
import { getMtu, mayBeTransparent } from './ip-options.js';
import { changeIpv6Membership, setGroupMembership } from './membership-options.js';

/** Kept apart from the options of SOL_IP in {@link InetSocket.keptOptions}. */
const KEPT_BASE = SOL_IPV6 << 8;

/** Options that are kept, and that nothing here has a use for. */
const KEPT: ReadonlySet<number> = new Set([
  IPV6_AUTOFLOWLABEL,
  IPV6_ADDR_PREFERENCES,
  IPV6_RECVPATHMTU,
  IPV6_RECVORIGDSTADDR,
  IPV6_UNICAST_IF,
]);

/** getsockopt(2) at level SOL_IPV6, ipv6(7). Returns the length. Errors: ENOPROTOOPT, ENOTCONN. */
export function getIpv6Option(file: InetSocket, name: number, dst: DataView, _lenMax: number): number {
  const { socket } = file;
  let value: number;
  if (name === IPV6_MTU) return getMtu(file, dst);
  if (name === IPV6_MULTICAST_IF) value = socket.options.multicastNicId;
  else if (name === IPV6_TRANSPARENT) value = Number(socket.options.isTransparent);
  else if (name === IPV6_FREEBIND) value = Number(socket.options.isFreeBind);
  else if (KEPT.has(name)) value = file.keptOptions.get(KEPT_BASE + name) ?? 0;
  else {
    value = socket.getOption(SOL_IPV6, name);
    if (value === -ENOPROTOOPT) return value;
  }
  dst.setInt32(0, value, true);
  return 4;
}

/** setsockopt(2) at level SOL_IPV6. Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENODEV, ENOPROTOOPT, EPERM. */
export function setIpv6Option(file: InetSocket, name: number, src: DataView, len: number, t: Task): 0 | Errno {
  const { socket } = file;
  switch (name) {
    case IPV6_ADD_MEMBERSHIP:
    case IPV6_DROP_MEMBERSHIP:
      return changeIpv6Membership(file, name === IPV6_ADD_MEMBERSHIP, src, len);
    default:
  }
  const changed = setGroupMembership(file, name, AF_INET6, src, len);
  if (changed !== null) return changed;
  if (len < 4) return -EINVAL;
  const value = src.getInt32(0, true);
  switch (name) {
    case IPV6_V6ONLY:
      // Once it has a port the addresses that it stands for are settled.
      if (socket.localPort !== 0) return -EINVAL;
      return socket.setOption(SOL_IPV6, name, value);
    case IPV6_MULTICAST_IF:
      if (value !== 0 && socket.stack.nic(value) === undefined) return -ENODEV;
      socket.options.multicastNicId = value;
      return 0;
    case IPV6_TRANSPARENT:
      if (value !== 0 && !mayBeTransparent(file, t)) return -EPERM;
      socket.options.isTransparent = value !== 0;
      return 0;
    case IPV6_FREEBIND:
      socket.options.isFreeBind = value !== 0;
      return 0;
    default:
  }
  if (!KEPT.has(name)) return socket.setOption(SOL_IPV6, name, value);
  file.keptOptions.set(KEPT_BASE + name, value);
  return 0;
}
