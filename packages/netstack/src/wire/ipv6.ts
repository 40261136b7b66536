import { loadU16, loadU32, storeU16, storeU32 } from './byte-order.js';
import type { IpAddress } from './ip-address.js';

/** The IPv6 header, RFC 8200 section 3. */
export const IPV6_HEADER_BYTES = 40;
/** Every link carries packets of this size, RFC 8200 section 5. */
export const IPV6_MTU_MIN = 1280;
/** The fragment header, RFC 8200 section 4.5. */
export const IPV6_FRAGMENT_HEADER_BYTES = 8;

const VERSION_CLASS_FLOW = 0;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOP_LIMIT = 7;
const SOURCE = 8;
const DESTINATION = 24;

/** Whether the fixed header is whole and its length fits `len`. Extension headers are checked as they are walked. */
export function ipv6IsWellFormed(bytes: Uint8Array, at: number, len: number): boolean {
  if (len < IPV6_HEADER_BYTES || bytes[at + VERSION_CLASS_FLOW]! >>> 4 !== 6) return false;
  return IPV6_HEADER_BYTES + loadU16(bytes, at + PAYLOAD_LENGTH) <= len;
}

export function ipv6PayloadLen(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + PAYLOAD_LENGTH);
}

export function ipv6TrafficClass(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! & 0xf) << 4) | (bytes[at + 1]! >>> 4);
}

export function ipv6FlowLabel(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at) & 0xfffff;
}

export function ipv6NextHeader(bytes: Uint8Array, at: number): number {
  return bytes[at + NEXT_HEADER]!;
}

/** Offset of the next-header field. */
export function ipv6NextHeaderAt(at: number): number {
  return at + NEXT_HEADER;
}

export function ipv6HopLimit(bytes: Uint8Array, at: number): number {
  return bytes[at + HOP_LIMIT]!;
}

export function storeIpv6HopLimit(bytes: Uint8Array, at: number, hopLimit: number): void {
  bytes[at + HOP_LIMIT] = hopLimit;
}

export function storeIpv6PayloadLen(bytes: Uint8Array, at: number, payloadLen: number): void {
  storeU16(bytes, at + PAYLOAD_LENGTH, payloadLen);
}

export function loadIpv6Src(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv6(bytes, at + SOURCE);
}

export function loadIpv6Dst(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv6(bytes, at + DESTINATION);
}

export function ipv6SrcAt(at: number): number {
  return at + SOURCE;
}

export function ipv6DstAt(at: number): number {
  return at + DESTINATION;
}

export function storeIpv6(
  bytes: Uint8Array,
  at: number,
  trafficClass: number,
  flowLabel: number,
  payloadLen: number,
  nextHeader: number,
  hopLimit: number,
  src: IpAddress,
  dst: IpAddress,
): void {
  storeU32(bytes, at + VERSION_CLASS_FLOW, (0x60000000 | (trafficClass << 20) | flowLabel) >>> 0);
  storeU16(bytes, at + PAYLOAD_LENGTH, payloadLen);
  bytes[at + NEXT_HEADER] = nextHeader;
  bytes[at + HOP_LIMIT] = hopLimit;
  src.storeIpv6(bytes, at + SOURCE);
  dst.storeIpv6(bytes, at + DESTINATION);
}

/** Length in bytes of the extension header at `at` in units of RFC 8200 section 4.2 (options and routing headers). */
export function ipv6ExtensionLen(bytes: Uint8Array, at: number): number {
  return (bytes[at + 1]! + 1) * 8;
}

/** Fragment header fields. */
export function ipv6FragmentOffsetBytes(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + 2) & 0xfff8;
}

export function ipv6HasMoreFragments(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + 3]! & 1) !== 0;
}

export function ipv6FragmentId(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + 4);
}

export function storeIpv6FragmentHeader(
  bytes: Uint8Array,
  at: number,
  nextHeader: number,
  offsetBytes: number,
  hasMore: boolean,
  id: number,
): void {
  bytes[at] = nextHeader;
  bytes[at + 1] = 0;
  storeU16(bytes, at + 2, offsetBytes | (hasMore ? 1 : 0));
  storeU32(bytes, at + 4, id);
}
