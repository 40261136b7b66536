import { loadU16, storeU16 } from './byte-order.js';

/** The UDP header, RFC 768. */
export const UDP_HEADER_BYTES = 8;
/** Largest payload over IPv4. */
export const UDP_PAYLOAD_BYTES_MAX = 65507;

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

export function udpIsWellFormed(bytes: Uint8Array, at: number, len: number): boolean {
  if (len < UDP_HEADER_BYTES) return false;
  const said = loadU16(bytes, at + LENGTH);
  return said >= UDP_HEADER_BYTES && said <= len;
}

export function udpSrcPort(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + SOURCE_PORT);
}

export function udpDstPort(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + DESTINATION_PORT);
}

/** Bytes of header and payload. */
export function udpLen(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + LENGTH);
}

export function udpChecksum(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + CHECKSUM);
}

/** Stores the header with checksum 0. */
export function storeUdp(bytes: Uint8Array, at: number, srcPort: number, dstPort: number, len: number): void {
  storeU16(bytes, at + SOURCE_PORT, srcPort);
  storeU16(bytes, at + DESTINATION_PORT, dstPort);
  storeU16(bytes, at + LENGTH, len);
  storeU16(bytes, at + CHECKSUM, 0);
}

/** Stores the bytes of header and payload. */
export function storeUdpLen(bytes: Uint8Array, at: number, len: number): void {
  storeU16(bytes, at + LENGTH, len);
}

/** Stores a computed checksum; 0 goes as all ones, which RFC 768 keeps apart from "none". */
export function storeUdpChecksum(bytes: Uint8Array, at: number, checksum: number): void {
  storeU16(bytes, at + CHECKSUM, checksum === 0 ? 0xffff : checksum);
}
