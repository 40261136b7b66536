import { loadU16, storeU16 } from './byte-order.js';

/** `struct virtio_net_hdr` without `num_buffers`, linux/virtio_net.h: in front of frames of TAP and packet sockets. */
export const VIRTIO_NET_HDR_BYTES = 10;

/** Bits of `flags`. */
export const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;
export const VIRTIO_NET_HDR_F_DATA_VALID = 2;
/** Values of `gso_type`; ECN is a bit beside them. */
export const VIRTIO_NET_HDR_GSO_NONE = 0;
export const VIRTIO_NET_HDR_GSO_TCPV4 = 1;
export const VIRTIO_NET_HDR_GSO_TCPV6 = 4;
export const VIRTIO_NET_HDR_GSO_ECN = 0x80;

const FLAGS = 0;
const GSO_TYPE = 1;
const HDR_LEN = 2;
const GSO_SIZE = 4;
const CSUM_START = 6;
const CSUM_OFFSET = 8;

/** The words are in the machine's order. */
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function virtioFlags(bytes: Uint8Array, at: number): number {
  return bytes[at + FLAGS]!;
}

export function virtioGsoType(bytes: Uint8Array, at: number): number {
  return bytes[at + GSO_TYPE]!;
}

/** Text bytes of each segment of the frame. */
export function virtioGsoSize(bytes: Uint8Array, at: number): number {
  return native(loadU16(bytes, at + GSO_SIZE));
}

/** Stores a header for a frame whose checksum is complete. */
export function storeVirtioPlain(bytes: Uint8Array, at: number): void {
  bytes.fill(0, at, at + VIRTIO_NET_HDR_BYTES);
}

/**
 * Stores a header for a frame whose checksum, at `csumOffset` behind `csumStart`, covers what follows `csumStart` and
 * holds the sum of the pseudo-header. With a `gsoType`, the frame is several segments of `gsoSize` bytes of text behind
 * `headerLen` bytes of headers.
 */
export function storeVirtioPartial(
  bytes: Uint8Array,
  at: number,
  csumStart: number,
  csumOffset: number,
  gsoType: number,
  headerLen: number,
  gsoSize: number,
): void {
  bytes[at + FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
  bytes[at + GSO_TYPE] = gsoType;
  storeU16(bytes, at + HDR_LEN, native(headerLen));
  storeU16(bytes, at + GSO_SIZE, native(gsoSize));
  storeU16(bytes, at + CSUM_START, native(csumStart));
  storeU16(bytes, at + CSUM_OFFSET, native(csumOffset));
}

function native(word: number): number {
  return IS_LITTLE_ENDIAN ? ((word & 0xff) << 8) | (word >>> 8) : word;
}
