import { loadU16, loadU32 } from './byte-order.js';
import { ETH_ALEN, type LinkAddress } from './ethernet.js';
import type { IpAddress } from './ip-address.js';

/** Neighbour Discovery messages, RFC 4861 section 4. Offsets are from the ICMPv6 header. */
export const ND_SOLICITATION_BYTES = 24;
export const ND_ADVERTISEMENT_BYTES = 24;
export const ND_ROUTER_SOLICITATION_BYTES = 8;
export const ND_ROUTER_ADVERTISEMENT_BYTES = 16;
export const ND_REDIRECT_BYTES = 40;

/** Bits of the first reserved byte of a neighbour advertisement. */
export const ND_NA_FLAG_ROUTER = 0x80;
export const ND_NA_FLAG_SOLICITED = 0x40;
export const ND_NA_FLAG_OVERRIDE = 0x20;

export const ND_OPT_SOURCE_LINKADDR = 1;
export const ND_OPT_TARGET_LINKADDR = 2;
export const ND_OPT_PREFIX_INFORMATION = 3;
export const ND_OPT_REDIRECTED_HEADER = 4;
export const ND_OPT_MTU = 5;
export const ND_OPT_RDNSS = 25;
/** Bytes of an option with an Ethernet address. */
export const ND_LINK_OPTION_BYTES = 8;
export const ND_PREFIX_OPTION_BYTES = 32;
/** What stands before the packet in a redirected header option. */
export const ND_REDIRECTED_HEADER_BYTES = 8;

export const ND_PREFIX_FLAG_ONLINK = 0x80;
export const ND_PREFIX_FLAG_AUTO = 0x40;

const TARGET = 8;
const REDIRECT_DESTINATION = 24;

export function loadNdTarget(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv6(bytes, at + TARGET);
}

export function storeNdTarget(bytes: Uint8Array, at: number, target: IpAddress): void {
  target.storeIpv6(bytes, at + TARGET);
}

export function loadNdRedirectDestination(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv6(bytes, at + REDIRECT_DESTINATION);
}

export function storeNdRedirectDestination(bytes: Uint8Array, at: number, destination: IpAddress): void {
  destination.storeIpv6(bytes, at + REDIRECT_DESTINATION);
}

export function ndAdvertisementFlags(bytes: Uint8Array, at: number): number {
  return bytes[at + 4]!;
}

/** Whether the options in `[at, end)` are whole: lengths above 0 that fill the range, RFC 4861 section 4.6. */
export function ndOptionsAreWellFormed(bytes: Uint8Array, at: number, end: number): boolean {
  let next = at;
  while (next < end) {
    if (end - next < 8) return false;
    const len = ndOptionLen(bytes, next);
    if (len === 0) return false;
    next += len;
  }
  return next === end;
}

/** Offset of the first option of `type` in `[at, end)`, or -1. Preconditions: {@link ndOptionsAreWellFormed}. */
export function findNdOption(bytes: Uint8Array, at: number, end: number, type: number): number {
  for (let next = at; next < end; next += ndOptionLen(bytes, next)) if (bytes[next] === type) return next;
  return -1;
}

/** Bytes of the option, header included. */
export function ndOptionLen(bytes: Uint8Array, at: number): number {
  return bytes[at + 1]! * 8;
}

export function storeNdLinkOption(bytes: Uint8Array, at: number, type: number, address: LinkAddress): void {
  bytes[at] = type;
  bytes[at + 1] = 1;
  for (let i = 0; i < ETH_ALEN; i++) bytes[at + 2 + i] = address[i]!;
}

/** Router advertisement fields, RFC 4861 section 4.2. */
export function raHopLimit(bytes: Uint8Array, at: number): number {
  return bytes[at + 4]!;
}

export function raRouterLifetimeSec(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + 6);
}

export function raReachableTimeMs(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 8);
}

export function raRetransTimeMs(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 12);
}

/** Prefix information option fields, RFC 4861 section 4.6.2. */
export function prefixOptionLen(bytes: Uint8Array, at: number): number {
  return bytes[at + 2]!;
}

export function prefixOptionFlags(bytes: Uint8Array, at: number): number {
  return bytes[at + 3]!;
}

export function prefixOptionValidSec(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 4);
}

export function prefixOptionPreferredSec(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 8);
}

export function loadPrefixOption(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv6(bytes, at + 16);
}

/** MTU option, RFC 4861 section 4.6.4. */
export function mtuOptionMtu(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 4);
}
