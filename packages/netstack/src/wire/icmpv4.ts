import { loadU16, loadU32, storeU16, storeU32 } from './byte-order.js';

/** ICMP, RFC 792; names of linux/icmp.h. Type, code, checksum, and four bytes that depend on the type. */
export const ICMP_HEADER_BYTES = 8;

export const ICMP_ECHOREPLY = 0;
export const ICMP_DEST_UNREACH = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETERPROB = 12;
export const ICMP_TIMESTAMP = 13;
export const ICMP_TIMESTAMPREPLY = 14;

export const ICMP_NET_UNREACH = 0;
export const ICMP_HOST_UNREACH = 1;
export const ICMP_PROT_UNREACH = 2;
export const ICMP_PORT_UNREACH = 3;
export const ICMP_FRAG_NEEDED = 4;
export const ICMP_NET_ANO = 9;
export const ICMP_HOST_ANO = 10;
export const ICMP_PKT_FILTERED = 13;
/** Redirects for a host; codes up to 3 are for networks and types of service, too. */
export const ICMP_REDIR_HOST = 1;
export const ICMP_REDIR_CODE_MAX = 3;
export const ICMP_EXC_TTL = 0;
export const ICMP_EXC_FRAGTIME = 1;

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;

export function icmpType(bytes: Uint8Array, at: number): number {
  return bytes[at + TYPE]!;
}

export function icmpCode(bytes: Uint8Array, at: number): number {
  return bytes[at + CODE]!;
}

/** Echo identifier. */
export function icmpId(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + REST);
}

export function storeIcmpId(bytes: Uint8Array, at: number, id: number): void {
  storeU16(bytes, at + REST, id);
}

export function icmpSequence(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + REST + 2);
}

/** The 32 bits behind the checksum: ICMPv6 MTU and pointer. */
export function icmpRest(bytes: Uint8Array, at: number): number {
  return loadU32(bytes, at + REST);
}

/** Next-hop MTU of ICMP_FRAG_NEEDED, RFC 1191 section 4. */
export function icmpFragNeededMtu(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + REST + 2);
}

/** Stores the header with checksum 0. */
export function storeIcmp(bytes: Uint8Array, at: number, type: number, code: number, rest: number): void {
  bytes[at + TYPE] = type;
  bytes[at + CODE] = code;
  storeU16(bytes, at + CHECKSUM, 0);
  storeU32(bytes, at + REST, rest);
}

export function storeIcmpType(bytes: Uint8Array, at: number, type: number): void {
  bytes[at + TYPE] = type;
}

export function icmpChecksum(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + CHECKSUM);
}

export function storeIcmpChecksum(bytes: Uint8Array, at: number, checksum: number): void {
  storeU16(bytes, at + CHECKSUM, checksum);
}

/** Whether the message reports an error: no error answers it, RFC 1122 section 3.2.2. Unknown types count as errors. */
export function icmpIsError(type: number): boolean {
  return type !== ICMP_ECHOREPLY && type !== ICMP_ECHO && type !== ICMP_TIMESTAMP && type !== ICMP_TIMESTAMPREPLY;
}
