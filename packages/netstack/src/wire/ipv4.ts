import { checksumAdd, checksumFold, checksumUpdate } from '../checksum/checksum.js';
import { loadU16, storeU16 } from './byte-order.js';
import type { IpAddress } from './ip-address.js';

/** The IPv4 header, RFC 791 section 3.1. */
export const IPV4_HEADER_BYTES = 20;
export const IPV4_HEADER_BYTES_MAX = 60;
/** Largest packet, header included. */
export const IPV4_PACKET_BYTES_MAX = 65535;
/** Every link carries packets of this size, RFC 791 section 3.2. */
export const IPV4_MTU_MIN = 68;

/** Bits of the flags-and-offset field. */
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
const IP_OFFMASK = 0x1fff;

const VERSION_IHL = 0;
const TOS = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FRAGMENT = 6;
const TTL = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

/** Whether the header is whole and says lengths that fit `len`. The checksum is {@link ipv4ChecksumIsRight}. */
export function ipv4IsWellFormed(bytes: Uint8Array, at: number, len: number): boolean {
  if (len < IPV4_HEADER_BYTES || bytes[at + VERSION_IHL]! >>> 4 !== 4) return false;
  const headerLen = ipv4HeaderLen(bytes, at);
  const totalLen = loadU16(bytes, at + TOTAL_LENGTH);
  return headerLen >= IPV4_HEADER_BYTES && headerLen <= totalLen && totalLen <= len;
}

export function ipv4ChecksumIsRight(bytes: Uint8Array, at: number): boolean {
  return checksumFold(checksumAdd(0, bytes, at, ipv4HeaderLen(bytes, at))) === 0;
}

export function ipv4HeaderLen(bytes: Uint8Array, at: number): number {
  return (bytes[at + VERSION_IHL]! & 0xf) * 4;
}

export function ipv4Tos(bytes: Uint8Array, at: number): number {
  return bytes[at + TOS]!;
}

export function ipv4TotalLen(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + TOTAL_LENGTH);
}

export function ipv4Id(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + IDENTIFICATION);
}

export function ipv4HasDf(bytes: Uint8Array, at: number): boolean {
  return (loadU16(bytes, at + FRAGMENT) & IP_DF) !== 0;
}

export function ipv4HasMoreFragments(bytes: Uint8Array, at: number): boolean {
  return (loadU16(bytes, at + FRAGMENT) & IP_MF) !== 0;
}

/** Fragment offset in bytes. */
export function ipv4FragmentOffsetBytes(bytes: Uint8Array, at: number): number {
  return (loadU16(bytes, at + FRAGMENT) & IP_OFFMASK) * 8;
}

export function ipv4Ttl(bytes: Uint8Array, at: number): number {
  return bytes[at + TTL]!;
}

export function ipv4Protocol(bytes: Uint8Array, at: number): number {
  return bytes[at + PROTOCOL]!;
}

export function loadIpv4Src(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv4(bytes, at + SOURCE);
}

export function loadIpv4Dst(bytes: Uint8Array, at: number, into: IpAddress): void {
  into.loadIpv4(bytes, at + DESTINATION);
}

/** Offsets of the addresses, for the pseudo-header. */
export function ipv4SrcAt(at: number): number {
  return at + SOURCE;
}

export function ipv4DstAt(at: number): number {
  return at + DESTINATION;
}

/** Stores a header of `headerLen` bytes, options excepted, with its checksum. `fragment`: flags and offset in eights. */
export function storeIpv4(
  bytes: Uint8Array,
  at: number,
  headerLen: number,
  totalLen: number,
  tos: number,
  id: number,
  fragment: number,
  ttl: number,
  protocol: number,
  src: IpAddress,
  dst: IpAddress,
): void {
  bytes[at + VERSION_IHL] = 0x40 | (headerLen >>> 2);
  bytes[at + TOS] = tos;
  storeU16(bytes, at + TOTAL_LENGTH, totalLen);
  storeU16(bytes, at + IDENTIFICATION, id);
  storeU16(bytes, at + FRAGMENT, fragment);
  bytes[at + TTL] = ttl;
  bytes[at + PROTOCOL] = protocol;
  src.storeIpv4(bytes, at + SOURCE);
  dst.storeIpv4(bytes, at + DESTINATION);
  storeIpv4Checksum(bytes, at, headerLen);
}

/** Stores the checksum of a header that is otherwise complete. */
export function storeIpv4Checksum(bytes: Uint8Array, at: number, headerLen: number): void {
  storeU16(bytes, at + CHECKSUM, 0);
  storeU16(bytes, at + CHECKSUM, checksumFold(checksumAdd(0, bytes, at, headerLen)));
}

/** Stores the source address and leaves the checksum to the caller. */
export function storeIpv4Src(bytes: Uint8Array, at: number, src: IpAddress): void {
  src.storeIpv4(bytes, at + SOURCE);
}

export function storeIpv4Dst(bytes: Uint8Array, at: number, dst: IpAddress): void {
  dst.storeIpv4(bytes, at + DESTINATION);
}

export function storeIpv4Id(bytes: Uint8Array, at: number, id: number): void {
  storeU16(bytes, at + IDENTIFICATION, id);
}

export function storeIpv4TotalLen(bytes: Uint8Array, at: number, totalLen: number): void {
  storeU16(bytes, at + TOTAL_LENGTH, totalLen);
}

/** Stores flags and offset (in eights); leaves the checksum to the caller. */
export function storeIpv4Fragment(bytes: Uint8Array, at: number, fragment: number): void {
  storeU16(bytes, at + FRAGMENT, fragment);
}

/** Takes one off the TTL, which is above 0, and updates the checksum: RFC 1812 section 5.3.1. */
export function decrementIpv4Ttl(bytes: Uint8Array, at: number): void {
  const before = loadU16(bytes, at + TTL);
  const after = before - 0x100;
  storeU16(bytes, at + TTL, after);
  storeU16(bytes, at + CHECKSUM, checksumUpdate(loadU16(bytes, at + CHECKSUM), before, after));
}

/** Options, RFC 791 section 3.1. */
export const IPOPT_EOL = 0;
export const IPOPT_NOP = 1;
export const IPOPT_RR = 7;
export const IPOPT_TS = 68;
export const IPOPT_LSRR = 131;
export const IPOPT_SSRR = 137;
export const IPOPT_RA = 148;
/** Set in options that every fragment carries. */
export const IPOPT_COPY = 0x80;

/** Offset in the header of the first malformed option, or 0 when they are all right. Source routes are malformed here. */
export function ipv4BadOptionAt(bytes: Uint8Array, at: number): number {
  const headerLen = ipv4HeaderLen(bytes, at);
  for (let i = IPV4_HEADER_BYTES; i < headerLen;) {
    const type = bytes[at + i]!;
    if (type === IPOPT_EOL) return 0;
    if (type === IPOPT_NOP) {
      i++;
      continue;
    }
    const len = i + 1 < headerLen ? bytes[at + i + 1]! : 0;
    if (len < 2 || i + len > headerLen) return i;
    if (type === IPOPT_LSRR || type === IPOPT_SSRR) return i;
    i += len;
  }
  return 0;
}
