import {
  AF_INET,
  CAP_NET_ADMIN,
  EADDRNOTAVAIL,
  EEXIST,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
  ENETUNREACH,
  IFC_REQ,
  IFF_PROMISC,
  IFF_UP,
  IFNAMSIZ,
  IFR_DATA,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_REJECT,
  RT_DEV,
  RT_DST,
  RT_FLAGS,
  RT_GATEWAY,
  RT_GENMASK,
  RT_METRIC,
  SIN_ADDR,
  SIOCADDRT,
  SIOCDELRT,
  SIOCETHTOOL,
  SIOCGIFADDR,
  SIOCGIFBRDADDR,
  SIOCGIFCONF,
  SIOCGIFDSTADDR,
  SIOCGIFFLAGS,
  SIOCGIFHWADDR,
  SIOCGIFINDEX,
  SIOCGIFMAP,
  SIOCGIFMETRIC,
  SIOCGIFMTU,
  SIOCGIFNAME,
  SIOCGIFNETMASK,
  SIOCGIFTXQLEN,
  SIOCSIFADDR,
  SIOCSIFBRDADDR,
  SIOCSIFFLAGS,
  SIOCSIFHWADDR,
  SIOCSIFMTU,
  SIOCSIFNETMASK,
  SIZEOF_IFCONF,
  SIZEOF_IFREQ,
  SIZEOF_RTENTRY,
  loadU64,
  type Errno,
} from '@tsv/abi';
import { IpAddress, RTN_UNICAST, RTN_UNREACHABLE, RTPROT_BOOT, type Nic, type Stack } from '@tsv/netstack';
import type { Caller } from '@tsv/vfs';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { callingTask } from '../../task/calling-task.js';
import {
  broadcastOf,
  changeDeviceFlags,
  deviceFlags,
  deviceNamed,
  deviceQueueLen,
  deviceType,
  ipv4AddressOf,
  maskOf,
  prefixLenOf,
} from './net-device.js';

const request = new Uint8Array(SIZEOF_RTENTRY);
const view = new DataView(request.buffer);

const READS: ReadonlySet<number> = new Set([
  SIOCGIFFLAGS,
  SIOCGIFADDR,
  SIOCGIFDSTADDR,
  SIOCGIFBRDADDR,
  SIOCGIFNETMASK,
  SIOCGIFMETRIC,
  SIOCGIFMTU,
  SIOCGIFHWADDR,
  SIOCGIFINDEX,
  SIOCGIFTXQLEN,
  SIOCGIFMAP,
]);
const OTHERS: ReadonlySet<number> = new Set([SIOCETHTOOL, SIOCGIFCONF, SIOCGIFNAME, SIOCADDRT, SIOCDELRT]);
const CHANGES: ReadonlySet<number> = new Set([
  SIOCSIFFLAGS,
  SIOCSIFADDR,
  SIOCSIFBRDADDR,
  SIOCSIFHWADDR,
  SIOCSIFNETMASK,
  SIOCSIFMTU,
]);

/** Whether {@link netIoctl} knows a request. */
export function isNetIoctl(cmd: number): boolean {
  return READS.has(cmd) || CHANGES.has(cmd) || OTHERS.has(cmd);
}

/** The ioctl(2)s about devices and routes that sockets of every family have, netdevice(7). Errors: ENOTTY for others. */
export function netIoctl(net: NetNamespace, stack: Stack, cmd: number, arg: number, caller: Caller): number {
  if (cmd === SIOCGIFCONF) return listDevices(stack, arg, caller);
  if (cmd === SIOCADDRT || cmd === SIOCDELRT) return changeRoute(net, stack, cmd === SIOCADDRT, arg, caller);
  if (cmd === SIOCGIFNAME) return nameOfIndex(stack, arg, caller);
  if (cmd === SIOCETHTOOL) {
    // The devices have nothing of a card: what Linux says of those whose driver knows nothing of ethtool(8).
    if (caller.memory.copyIn(request, 0, arg, SIZEOF_IFREQ) !== 0) return -EFAULT;
    return deviceNamed(stack, loadName(0)) === undefined ? -ENODEV : -EOPNOTSUPP;
  }
  const isRead = READS.has(cmd);
  if (!isRead && !CHANGES.has(cmd)) return -ENOTTY;
  if (caller.memory.copyIn(request, 0, arg, SIZEOF_IFREQ) !== 0) return -EFAULT;
  const nic = deviceNamed(stack, loadName(0));
  if (!isRead) {
    if (!callingTask(caller).creds.hasCapIn(net.userNs, CAP_NET_ADMIN)) return -EPERM;
    return nic === undefined ? -ENODEV : change(stack, nic, cmd);
  }
  if (nic === undefined) return -ENODEV;
  const status = read(nic, cmd);
  return status < 0 ? status : caller.memory.copyOut(arg, request, 0, SIZEOF_IFREQ);
}

/** Fills the union of {@link request}. Errors: EADDRNOTAVAIL for a device without an address. */
function read(nic: Nic, cmd: number): 0 | Errno {
  const entry = ipv4AddressOf(nic);
  switch (cmd) {
    case SIOCGIFFLAGS:
      view.setInt16(IFR_DATA, deviceFlags(nic) & 0xffff, true);
      return 0;
    case SIOCGIFINDEX:
      view.setInt32(IFR_DATA, nic.id, true);
      return 0;
    case SIOCGIFMTU:
      view.setInt32(IFR_DATA, nic.mtu, true);
      return 0;
    case SIOCGIFTXQLEN:
      view.setInt32(IFR_DATA, deviceQueueLen(nic), true);
      return 0;
    case SIOCGIFMETRIC:
    case SIOCGIFMAP:
      request.fill(0, IFR_DATA, SIZEOF_IFREQ);
      return 0;
    case SIOCGIFHWADDR:
      request.fill(0, IFR_DATA, SIZEOF_IFREQ);
      view.setUint16(IFR_DATA, deviceType(nic), true);
      if (nic.link.linkAddress !== null) request.set(nic.link.linkAddress, IFR_DATA + 2);
      return 0;
    default:
  }
  if (entry === undefined) return -EADDRNOTAVAIL;
  if (cmd === SIOCGIFNETMASK) storeSockaddr(IFR_DATA, IpAddress.ipv4(maskOf(entry.prefixLen)));
  else if (cmd === SIOCGIFBRDADDR) storeSockaddr(IFR_DATA, broadcastOf(entry));
  else storeSockaddr(IFR_DATA, entry.address);
  return 0;
}

function change(stack: Stack, nic: Nic, cmd: number): 0 | Errno {
  const entry = ipv4AddressOf(nic);
  switch (cmd) {
    case SIOCSIFFLAGS:
      changeDeviceFlags(nic, view.getUint16(IFR_DATA, true), IFF_UP | IFF_PROMISC);
      return 0;
    case SIOCSIFMTU:
      return nic.setMtu(view.getInt32(IFR_DATA, true)) ? 0 : -EINVAL;
    case SIOCSIFADDR: {
      if (view.getUint16(IFR_DATA, true) !== AF_INET) return -EINVAL;
      const address = loadSockaddr(IFR_DATA);
      if (entry !== undefined) nic.removeAddress(entry.address);
      if (!address.isUnspecified) nic.addAddress({ address, prefixLen: classPrefixLen(address) });
      nic.up();
      return 0;
    }
    case SIOCSIFHWADDR:
      // No driver lets its address be changed.
      return -EOPNOTSUPP;
    case SIOCSIFNETMASK: {
      const prefixLen = prefixLenOf(view.getUint32(IFR_DATA + SIN_ADDR));
      if (entry === undefined) return -EADDRNOTAVAIL;
      if (prefixLen < 0) return -EINVAL;
      nic.removeAddress(entry.address);
      nic.addAddress({ address: entry.address, prefixLen });
      return 0;
    }
    default:
      // The broadcast address follows from the prefix.
      return entry === undefined ? -EADDRNOTAVAIL : 0;
  }
}

/** SIOCGIFCONF: the IPv4 address of every device, as many as there is room for. */
function listDevices(stack: Stack, arg: number, caller: Caller): number {
  if (caller.memory.copyIn(request, 0, arg, SIZEOF_IFCONF) !== 0) return -EFAULT;
  const room = view.getInt32(0, true);
  const to = loadU64(view, IFC_REQ);
  let len = 0;
  for (const nic of stack.nics) {
    for (const { address } of nic.addresses) {
      if (!address.isIpv4) continue;
      if (to !== 0) {
        if (len + SIZEOF_IFREQ > room) break;
        request.fill(0, 0, SIZEOF_IFREQ);
        storeName(0, nic.name);
        storeSockaddr(IFR_DATA, address);
        if (caller.memory.copyOut(to + len, request, 0, SIZEOF_IFREQ) !== 0) return -EFAULT;
      }
      len += SIZEOF_IFREQ;
    }
  }
  view.setInt32(0, len, true);
  return caller.memory.copyOut(arg, request, 0, 4);
}

function nameOfIndex(stack: Stack, arg: number, caller: Caller): number {
  if (caller.memory.copyIn(request, 0, arg, SIZEOF_IFREQ) !== 0) return -EFAULT;
  const nic = stack.nic(view.getInt32(IFR_DATA, true));
  if (nic === undefined) return -ENODEV;
  request.fill(0, 0, IFNAMSIZ);
  storeName(0, nic.name);
  return caller.memory.copyOut(arg, request, 0, SIZEOF_IFREQ);
}

/** SIOCADDRT and SIOCDELRT, `struct rtentry`. Errors: EEXIST, EINVAL, ENETUNREACH, ENODEV, EPERM, ESRCH. */
function changeRoute(net: NetNamespace, stack: Stack, adds: boolean, arg: number, caller: Caller): number {
  if (!callingTask(caller).creds.hasCapIn(net.userNs, CAP_NET_ADMIN)) return -EPERM;
  if (caller.memory.copyIn(request, 0, arg, SIZEOF_RTENTRY) !== 0) return -EFAULT;
  const flags = view.getUint16(RT_FLAGS, true);
  const prefixLen = (flags & RTF_HOST) !== 0 ? 32 : prefixLenOf(view.getUint32(RT_GENMASK + SIN_ADDR));
  const destination = { address: loadSockaddr(RT_DST), prefixLen };
  const gateway = (flags & RTF_GATEWAY) !== 0 ? loadSockaddr(RT_GATEWAY) : null;
  const metric = Math.max(0, view.getInt16(RT_METRIC, true) - 1);
  const dev = loadU64(view, RT_DEV);
  if (prefixLen < 0) return -EINVAL;
  let nic = dev === 0 ? undefined : namedAt(stack, dev, caller);
  if (typeof nic === 'number') return nic;
  if (nic === undefined && gateway !== null) nic = stack.nics.find((each) => each.isUp && each.isOnLink(gateway));
  if (!adds) {
    const removed = stack.routes.removeWhere(
      (route) =>
        route.destination.prefixLen === prefixLen &&
        route.destination.address.equals(destination.address) &&
        (nic === undefined || route.nicId === nic.id) &&
        (gateway === null || route.gateway?.equals(gateway) === true),
    );
    return removed > 0 ? 0 : -ESRCH;
  }
  const type = (flags & RTF_REJECT) !== 0 ? RTN_UNREACHABLE : RTN_UNICAST;
  if (nic === undefined && type === RTN_UNICAST) return gateway === null ? -ENODEV : -ENETUNREACH;
  const nicId = nic === undefined ? 0 : nic.id;
  return stack.routes.add({ destination, nicId, gateway, metric, type, protocol: RTPROT_BOOT }) ? 0 : -EEXIST;
}

/** The device whose name is at `addr`. Errors: EFAULT, ENODEV. */
function namedAt(stack: Stack, addr: number, caller: Caller): Nic | Errno {
  const name = new Uint8Array(IFNAMSIZ);
  if (caller.memory.copyIn(name, 0, addr, IFNAMSIZ) !== 0) return -EFAULT;
  const end = name.indexOf(0);
  const text = String.fromCharCode(...name.subarray(0, end < 0 ? IFNAMSIZ : end));
  return deviceNamed(stack, text) ?? -ENODEV;
}

/** The prefix that goes with an address of the old classes, as SIOCSIFADDR takes it. */
function classPrefixLen(address: IpAddress): number {
  const first = address.w3 >>> 24;
  if (first < 128) return 8;
  return first < 192 ? 16 : 24;
}

function loadName(at: number): string {
  let name = '';
  for (let i = at; i < at + IFNAMSIZ - 1 && request[i] !== 0; i++) name += String.fromCharCode(request[i]!);
  // An alias such as eth0:1 stands for its device.
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(0, colon);
}

function storeName(at: number, name: string): void {
  for (let i = 0; i < name.length; i++) request[at + i] = name.charCodeAt(i);
}

function loadSockaddr(at: number): IpAddress {
  const address = new IpAddress();
  address.loadIpv4(request, at + SIN_ADDR);
  return address;
}

function storeSockaddr(at: number, address: IpAddress): void {
  request.fill(0, at, at + 16);
  view.setUint16(at, AF_INET, true);
  address.storeIpv4(request, at + SIN_ADDR);
}
