import { loadU16, storeU16 } from './byte-order.js';
import type { IpAddress } from './ip-address.js';

/** Ethernet II, RFC 894: destination, source, type. */
export const ETHERNET_HEADER_BYTES = 14;
export const ETH_ALEN = 6;

/** EtherTypes, linux/if_ether.h. */
export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

/** A MAC address; never changed. */
export type LinkAddress = Readonly<Uint8Array>;

export const ETHERNET_BROADCAST: LinkAddress = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

export function ethernetType(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + TYPE);
}

/** Offset of the destination address. */
export function ethernetDestinationAt(at: number): number {
  return at + DESTINATION;
}

/** Offset of the source address. */
export function ethernetSourceAt(at: number): number {
  return at + SOURCE;
}

export function storeEthernet(
  bytes: Uint8Array,
  at: number,
  destination: LinkAddress,
  source: LinkAddress,
  type: number,
): void {
  for (let i = 0; i < ETH_ALEN; i++) {
    bytes[at + DESTINATION + i] = destination[i]!;
    bytes[at + SOURCE + i] = source[i]!;
  }
  storeU16(bytes, at + TYPE, type);
}

/** Whether the group bit is set: multicast or broadcast. */
export function isLinkMulticast(bytes: Readonly<Uint8Array>, at: number): boolean {
  return (bytes[at]! & 1) !== 0;
}

export function isLinkBroadcast(bytes: Readonly<Uint8Array>, at: number): boolean {
  return linkAddressEquals(bytes, at, ETHERNET_BROADCAST);
}

export function linkAddressEquals(bytes: Readonly<Uint8Array>, at: number, address: LinkAddress): boolean {
  for (let i = 0; i < ETH_ALEN; i++) if (bytes[at + i] !== address[i]) return false;
  return true;
}

/** The link-layer address of a multicast group: RFC 1112 section 6.4, RFC 2464 section 7. */
export function multicastLinkAddress(group: IpAddress): LinkAddress {
  if (group.isIpv4) return new Uint8Array([0x01, 0x00, 0x5e, (group.w3 >>> 16) & 0x7f, group.w3 >>> 8, group.w3]);
  return new Uint8Array([0x33, 0x33, group.w3 >>> 24, group.w3 >>> 16, group.w3 >>> 8, group.w3]);
}

/** The modified EUI-64 of an Ethernet address, RFC 2464 section 4, as two words. */
export function interfaceIdentifier(link: LinkAddress): [number, number] {
  const high = ((link[0]! ^ 2) << 24) | (link[1]! << 16) | (link[2]! << 8) | 0xff;
  return [high, (0xfe << 24) | (link[3]! << 16) | (link[4]! << 8) | link[5]!];
}

/** Parses `02:00:00:00:00:01`. Throws RangeError. */
export function parseLinkAddress(text: string): LinkAddress {
  if (!/^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$/.test(text)) {
    throw new RangeError(`Cannot parse "${text}": not an Ethernet address`);
  }
  return Uint8Array.from(text.split(':'), (byte) => parseInt(byte, 16));
}

export function formatLinkAddress(address: LinkAddress): string {
  return Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
