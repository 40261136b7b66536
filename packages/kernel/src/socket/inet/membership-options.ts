import {
  AF_INET,
  AF_INET6,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EINVAL,
  ENODEV,
  EPROTO,
  IP_ADD_MEMBERSHIP,
  IP_ADD_SOURCE_MEMBERSHIP,
  IP_BLOCK_SOURCE,
  IP_DROP_MEMBERSHIP,
  IP_DROP_SOURCE_MEMBERSHIP,
  IP_UNBLOCK_SOURCE,
  MCAST_BLOCK_SOURCE,
  MCAST_JOIN_GROUP,
  MCAST_JOIN_SOURCE_GROUP,
  MCAST_LEAVE_GROUP,
  MCAST_LEAVE_SOURCE_GROUP,
  MCAST_UNBLOCK_SOURCE,
  SIN6_ADDR,
  SIN_ADDR,
  SIZEOF_SOCKADDR_STORAGE,
  SOCK_STREAM,
  type Errno,
} from '@tsv/abi';
import { IpAddress, NO_SOURCE, type Nic, type Stack } from '@tsv/netstack';
import type { InetSocket } from './inet-socket.js';

/** `struct ip_mreq`, `ip_mreqn`, `ip_mreq_source` and `ipv6_mreq`. */
const SIZEOF_IP_MREQ = 8;
const SIZEOF_IP_MREQN = 12;
const SIZEOF_IP_MREQ_SOURCE = 12;
const IMR_INTERFACE = 4;
const IMR_IFINDEX = 8;
const IMR_SOURCEADDR = 8;
const SIZEOF_IPV6_MREQ = 20;
const IPV6MR_INTERFACE = 16;
/** `struct group_req` and `group_source_req`: the interface, and addresses. */
const GR_GROUP = 8;
const SIZEOF_GROUP_REQ = GR_GROUP + SIZEOF_SOCKADDR_STORAGE;
const GSR_SOURCE = SIZEOF_GROUP_REQ;
const SIZEOF_GROUP_SOURCE_REQ = GSR_SOURCE + SIZEOF_SOCKADDR_STORAGE;

/** What an option changes: of which kind the filter is to be, and whether a source is added to it. */
interface SourceChange {
  readonly joins: boolean;
  readonly isExclude: boolean;
  readonly adds: boolean;
}

const JOIN: SourceChange = { joins: true, isExclude: false, adds: true };
const LEAVE: SourceChange = { joins: false, isExclude: false, adds: false };
const BLOCK: SourceChange = { joins: false, isExclude: true, adds: true };
const UNBLOCK: SourceChange = { joins: false, isExclude: true, adds: false };

const SOURCE_CHANGES: ReadonlyMap<number, SourceChange> = new Map([
  [IP_ADD_SOURCE_MEMBERSHIP, JOIN],
  [IP_DROP_SOURCE_MEMBERSHIP, LEAVE],
  [IP_BLOCK_SOURCE, BLOCK],
  [IP_UNBLOCK_SOURCE, UNBLOCK],
  [MCAST_JOIN_SOURCE_GROUP, JOIN],
  [MCAST_LEAVE_SOURCE_GROUP, LEAVE],
  [MCAST_BLOCK_SOURCE, BLOCK],
  [MCAST_UNBLOCK_SOURCE, UNBLOCK],
]);

/**
 * The options of SOL_IP that join and leave groups, and let in and block sources: ip(7). Null for any other option.
 * Errors: EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENODEV, EPROTO.
 */
export function setIpMembership(file: InetSocket, name: number, src: DataView, len: number): 0 | Errno | null {
  switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
      return changeIpMembership(file, name === IP_ADD_MEMBERSHIP, src, len);
    case IP_ADD_SOURCE_MEMBERSHIP:
    case IP_DROP_SOURCE_MEMBERSHIP:
    case IP_BLOCK_SOURCE:
    case IP_UNBLOCK_SOURCE: {
      if (len !== SIZEOF_IP_MREQ_SOURCE) return -EINVAL;
      const group = loadIpv4(src, 0);
      const nic = nicOfInterface(file, group, loadIpv4(src, IMR_INTERFACE), 0);
      return changeSource(file, SOURCE_CHANGES.get(name)!, group, nic, loadIpv4(src, IMR_SOURCEADDR));
    }
    default:
      return setGroupMembership(file, name, AF_INET, src, len);
  }
}

/** The options of either family that say groups and sources by socket addresses, RFC 3678; as {@link setIpMembership}. */
export function setGroupMembership(
  file: InetSocket,
  name: number,
  family: typeof AF_INET | typeof AF_INET6,
  src: DataView,
  len: number,
): 0 | Errno | null {
  if (name === MCAST_JOIN_GROUP || name === MCAST_LEAVE_GROUP) {
    if (len < SIZEOF_GROUP_REQ) return -EINVAL;
    const group = loadStorage(src, GR_GROUP, family);
    if (group === null) return family === AF_INET ? -EINVAL : -EADDRNOTAVAIL;
    const nicId = src.getUint32(0, true);
    return name === MCAST_JOIN_GROUP ? join(file, group, nicId) : file.memberships.leave(group, nicId);
  }
  const change = name >= MCAST_BLOCK_SOURCE ? SOURCE_CHANGES.get(name) : undefined;
  if (change === undefined) return null;
  if (len < SIZEOF_GROUP_SOURCE_REQ) return -EINVAL;
  const group = loadStorage(src, GR_GROUP, family);
  const source = loadStorage(src, GSR_SOURCE, family);
  if (group === null || source === null) return -EADDRNOTAVAIL;
  const nic = file.memberships.nicFor(group, src.getUint32(0, true), file.socket.options.boundNicId);
  return changeSource(file, change, group, nic, source);
}

/** IPV6_ADD_MEMBERSHIP and IPV6_DROP_MEMBERSHIP, ipv6(7). Errors: as {@link setIpMembership}. */
export function changeIpv6Membership(file: InetSocket, joins: boolean, src: DataView, len: number): 0 | Errno {
  if (len < SIZEOF_IPV6_MREQ) return -EINVAL;
  if (file.type === SOCK_STREAM) return -EPROTO;
  const group = new IpAddress();
  group.loadIpv6(bytesOf(src), 0);
  const nicId = src.getUint32(IPV6MR_INTERFACE, true);
  return joins ? join(file, group, nicId) : file.memberships.leave(group, nicId);
}

/** The interface that an address, or `nicId` if not 0, says; if neither does, that of the route to the group. */
export function nicOfInterface(file: InetSocket, group: IpAddress, address: IpAddress, nicId: number): Nic | undefined {
  if (nicId === 0 && !address.isUnspecified) return nicWith(file.stack, address);
  return file.memberships.nicFor(group, nicId, file.socket.options.boundNicId);
}

/** The interface that has an address. */
export function nicWith(stack: Stack, address: IpAddress): Nic | undefined {
  if (address.isIpv4 && address.isLoopback) return stack.loopback;
  return stack.nics.find((nic) => nic.findAddress(address) !== undefined);
}

/** The address in a `struct sockaddr_storage`; null if it is of another family. */
export function loadStorage(src: DataView, at: number, family: typeof AF_INET | typeof AF_INET6): IpAddress | null {
  if (src.getUint16(at, true) !== family) return null;
  if (family === AF_INET) return loadIpv4(src, at + SIN_ADDR);
  const address = new IpAddress();
  address.loadIpv6(bytesOf(src), at + SIN6_ADDR);
  return address;
}

export function loadIpv4(src: DataView, at: number): IpAddress {
  const address = new IpAddress();
  address.loadIpv4(bytesOf(src), at);
  return address;
}

/** The bytes that a view is over. */
export function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function changeIpMembership(file: InetSocket, joins: boolean, src: DataView, len: number): 0 | Errno {
  if (file.type === SOCK_STREAM) return -EPROTO;
  if (len < SIZEOF_IP_MREQ) return -EINVAL;
  const group = loadIpv4(src, 0);
  const address = loadIpv4(src, IMR_INTERFACE);
  let nicId = len >= SIZEOF_IP_MREQN ? src.getInt32(IMR_IFINDEX, true) : 0;
  if (nicId === 0 && !address.isUnspecified) {
    const nic = nicWith(file.stack, address);
    if (nic === undefined) return joins ? -ENODEV : -EADDRNOTAVAIL;
    nicId = nic.id;
  }
  return joins ? join(file, group, nicId) : file.memberships.leave(group, nicId);
}

function join(file: InetSocket, group: IpAddress, nicId: number): 0 | Errno {
  if (!group.isMulticast) return -EINVAL;
  const nic = file.memberships.nicFor(group, nicId, file.socket.options.boundNicId);
  return nic === undefined ? -ENODEV : file.memberships.join(group, nic);
}

function changeSource(
  file: InetSocket,
  change: SourceChange,
  group: IpAddress,
  nic: Nic | undefined,
  source: IpAddress,
): 0 | Errno {
  const { memberships } = file;
  if (!group.isMulticast) return -EINVAL;
  if (nic === undefined) return -ENODEV;
  if (change.joins) {
    const joined = memberships.join(group, nic, NO_SOURCE);
    if (joined !== 0 && joined !== -EADDRINUSE) return joined;
  }
  if (change.adds) return memberships.addSource(group, nic.id, source, change.isExclude);
  return memberships.removeSource(group, nic.id, source, change.isExclude);
}
