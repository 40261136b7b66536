import { loadU16, storeU16 } from './byte-order.js';
import { ETH_ALEN, ETH_P_IP, type LinkAddress } from './ethernet.js';
import type { IpAddress } from './ip-address.js';

/** ARP for IPv4 over Ethernet, RFC 826. */
export const ARP_BYTES = 28;

export const ARPOP_REQUEST = 1;
export const ARPOP_REPLY = 2;

const ARPHRD_ETHER = 1;
const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LEN = 4;
const PROTOCOL_LEN = 5;
const OPERATION = 6;
const SENDER_LINK = 8;
const SENDER_PROTOCOL = 14;
const TARGET_LINK = 18;
const TARGET_PROTOCOL = 24;

export function arpIsWellFormed(bytes: Uint8Array, at: number, len: number): boolean {
  return (
    len >= ARP_BYTES &&
    loadU16(bytes, at + HARDWARE_TYPE) === ARPHRD_ETHER &&
    loadU16(bytes, at + PROTOCOL_TYPE) === ETH_P_IP &&
    bytes[at + HARDWARE_LEN] === ETH_ALEN &&
    bytes[at + PROTOCOL_LEN] === 4
  );
}

export function arpOperation(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + OPERATION);
}

/** Offset of the sender's link-layer address. */
export function arpSenderLinkAt(at: number): number {
  return at + SENDER_LINK;
}

export function loadArpSender(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv4(bytes, at + SENDER_PROTOCOL);
}

export function loadArpTarget(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv4(bytes, at + TARGET_PROTOCOL);
}

/** Stores a packet of {@link ARP_BYTES}. A request has null for the target's link-layer address. */
export function storeArp(
  bytes: Uint8Array,
  at: number,
  operation: number,
  senderLink: LinkAddress,
  sender: IpAddress,
  targetLink: LinkAddress | null,
  target: IpAddress,
): void {
  storeU16(bytes, at + HARDWARE_TYPE, ARPHRD_ETHER);
  storeU16(bytes, at + PROTOCOL_TYPE, ETH_P_IP);
  bytes[at + HARDWARE_LEN] = ETH_ALEN;
  bytes[at + PROTOCOL_LEN] = 4;
  storeU16(bytes, at + OPERATION, operation);
  for (let i = 0; i < ETH_ALEN; i++) {
    bytes[at + SENDER_LINK + i] = senderLink[i]!;
    bytes[at + TARGET_LINK + i] = targetLink === null ? 0 : targetLink[i]!;
  }
  sender.storeIpv4(bytes, at + SENDER_PROTOCOL);
  target.storeIpv4(bytes, at + TARGET_PROTOCOL);
}
