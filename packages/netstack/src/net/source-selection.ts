import type { IpAddress } from '../wire/ip-address.js';
import { prefixBitsOf } from '../wire/ip-address.js';
import { AddressState, IFA_F_TEMPORARY, type NicAddress } from './nic-address.js';

/** Address scopes, RFC 6724 section 3.1. */
const SCOPE_LINK_LOCAL = 2;
const SCOPE_SITE_LOCAL = 5;
const SCOPE_GLOBAL = 14;

/**
 * The best of `candidates` as the source of packets to `dst`, RFC 6724 section 5; for IPv4 the address whose prefix
 * holds `dst`, else the first. `prefersTemporary`: RFC 8981 addresses go before others, not after them. Undefined if none
 * fits.
 */
export function selectSource(
  candidates: readonly NicAddress[],
  dst: IpAddress,
  prefersTemporary = false,
): NicAddress | undefined {
  let best: NicAddress | undefined;
  for (const candidate of candidates) {
    if (!candidate.isAssigned || candidate.address.isIpv4 !== dst.isIpv4) continue;
    if (best === undefined || isBetter(candidate, best, dst, prefersTemporary)) best = candidate;
  }
  return best;
}

/** Whether `a` is strictly better than `b`, which came earlier. */
function isBetter(a: NicAddress, b: NicAddress, dst: IpAddress, prefersTemporary: boolean): boolean {
  if (dst.isIpv4) return holds(a, dst) && !holds(b, dst);
  if (b.address.equals(dst)) return false; // Rule 1.
  if (a.address.equals(dst)) return true;
  const [scopeA, scopeB, scopeDst] = [scopeOf(a.address), scopeOf(b.address), scopeOf(dst)];
  if (scopeA !== scopeB) return scopeA < scopeB ? scopeA >= scopeDst : scopeB < scopeDst; // Rule 2.
  const [isDeprecatedA, isDeprecatedB] = [isDeprecated(a), isDeprecated(b)];
  if (isDeprecatedA !== isDeprecatedB) return isDeprecatedB; // Rule 3.
  const [labelA, labelB, labelDst] = [labelOf(a.address), labelOf(b.address), labelOf(dst)];
  if (labelA !== labelB) return labelA === labelDst; // Rule 6.
  const [isTemporaryA, isTemporaryB] = [isTemporary(a), isTemporary(b)];
  if (isTemporaryA !== isTemporaryB) return isTemporaryA === prefersTemporary; // Rule 7.
  return commonBits(a, dst) > commonBits(b, dst); // Rule 8.
}

function holds(entry: NicAddress, dst: IpAddress): boolean {
  return dst.matches(entry.address, prefixBitsOf(entry));
}

function isDeprecated(entry: NicAddress): boolean {
  return entry.state === AddressState.DEPRECATED;
}

function isTemporary(entry: NicAddress): boolean {
  return (entry.flags & IFA_F_TEMPORARY) !== 0;
}

/** Common leading bits, at most the length of the source's prefix: RFC 6724 section 2.2. */
function commonBits(entry: NicAddress, dst: IpAddress): number {
  return Math.min(entry.address.commonPrefixBits(dst), entry.prefixLen);
}

function scopeOf(address: IpAddress): number {
  if (address.isMulticast) return (address.w0 >>> 16) & 0xf;
  if (address.isLinkLocal || address.isLoopback) return SCOPE_LINK_LOCAL;
  return address.w0 >>> 22 === 0x3fb ? SCOPE_SITE_LOCAL : SCOPE_GLOBAL;
}

/** Labels of the default policy table, RFC 6724 section 2.1. */
function labelOf(address: IpAddress): number {
  if (address.isLoopback) return 0;
  if (address.w0 >>> 16 === 0x2002) return 2; // 6to4
  if (address.w0 === 0x20010000) return 5; // Teredo
  if (address.w0 >>> 25 === 0x7e) return 13; // fc00::/7
  if (address.w0 >>> 22 === 0x3fb) return 11; // Site-local
  if (address.w0 >>> 16 === 0x3ffe) return 12; // 6bone
  return 1;
}
