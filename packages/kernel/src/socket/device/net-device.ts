import {
  ARPHRD_ETHER,
  ARPHRD_LOOPBACK,
  ARPHRD_NONE,
  IFF_BROADCAST,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_MULTICAST,
  IFF_NOARP,
  IFF_POINTOPOINT,
  IFF_PROMISC,
  IFF_RUNNING,
  IFF_UP,
} from '@tsv/abi';
import { IpAddress, type Nic, type NicAddress, type Stack } from '@tsv/netstack';

/** Names of devices are at most this long, IFNAMSIZ without the NUL. */
export const DEVICE_NAME_BYTES_MAX = 15;
const QUEUE_LEN_DEFAULT = 1000;

/** IFF_* of a device, netdevice(7). IFF_PROMISC is what was set by it, and not what packet sockets ask for. */
export function deviceFlags(nic: Nic): number {
  let flags = nic.isUp ? IFF_UP | IFF_RUNNING | IFF_LOWER_UP : 0;
  if (nic.isPromiscuous) flags |= IFF_PROMISC;
  if (nic.isLoopback) return flags | IFF_LOOPBACK;
  if (nic.link.linkAddress === null) return flags | IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
  return flags | IFF_BROADCAST | IFF_MULTICAST;
}

/** ARPHRD_* of a device. */
export function deviceType(nic: Nic): number {
  if (nic.isLoopback) return ARPHRD_LOOPBACK;
  return nic.link.linkAddress === null ? ARPHRD_NONE : ARPHRD_ETHER;
}

/** Packets that may wait to be sent, txqueuelen. */
export function deviceQueueLen(nic: Nic): number {
  return nic.link.linkAddress === null && !nic.isLoopback ? 500 : QUEUE_LEN_DEFAULT;
}

/** The device called `name`, or undefined. */
export function deviceNamed(stack: Stack, name: string): Nic | undefined {
  return stack.nics.find((nic) => nic.name === name);
}

/** Whether a device may be called `name`, as `dev_valid_name()` of Linux. */
export function isDeviceName(name: string): boolean {
  if (name === '' || name.length > DEVICE_NAME_BYTES_MAX || name === '.' || name === '..') return false;
  return !/[/:\s]/.test(name);
}

/** Takes those IFF_* of a device that `mask` has from `flags`; others than these cannot be changed. */
export function changeDeviceFlags(nic: Nic, flags: number, mask: number): void {
  if ((mask & IFF_PROMISC) !== 0) nic.isPromiscuous = (flags & IFF_PROMISC) !== 0;
  if ((mask & IFF_UP) === 0) return;
  if ((flags & IFF_UP) !== 0) nic.up();
  else nic.down();
}

/** The first IPv4 address of a device. */
export function ipv4AddressOf(nic: Nic): NicAddress | undefined {
  return nic.addresses.find(({ address }) => address.isIpv4);
}

/** Directed broadcast address of an IPv4 prefix; 0.0.0.0 where there is none. */
export function broadcastOf(entry: NicAddress): IpAddress {
  if (entry.nic.isLoopback || entry.prefixLen >= 31) return IpAddress.ipv4(0);
  return IpAddress.ipv4(entry.address.w3 | (0xffffffff >>> entry.prefixLen));
}

/** The mask of an IPv4 prefix as a number. */
export function maskOf(prefixLen: number): number {
  return prefixLen === 0 ? 0 : (0xffffffff << (32 - prefixLen)) >>> 0;
}

/** The prefix length of a mask, or -1 if its ones do not lie together at its head. */
export function prefixLenOf(mask: number): number {
  const len = Math.clz32(~mask);
  return maskOf(len) === mask >>> 0 ? len : -1;
}
