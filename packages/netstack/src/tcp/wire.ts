import { copyBytes } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold, pseudoHeaderSum4, pseudoHeaderSum6 } from '../checksum/checksum.js';
import {
  FAST_OPEN_COOKIE_BYTES_MAX,
  NO_FAST_OPEN,
  NO_WINDOW_SHIFT,
  SACK_BLOCKS_MAX,
  SYN,
  type Segment,
} from './segment.js';

/** Header without options, RFC 9293 section 3.1. */
export const TCP_HEADER_BYTES_MIN = 20;
export const TCP_HEADER_BYTES_MAX = 60;
export const IPPROTO_TCP = 6;

const SRC_PORT = 0;
const DST_PORT = 2;
const SEQ = 4;
const ACK_NUMBER = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT_POINTER = 18;

/** Option kinds, RFC 9293 section 3.2 and the IANA registry. */
const KIND_END = 0;
const KIND_NOP = 1;
const KIND_MSS = 2;
const KIND_WINDOW_SCALE = 3;
const KIND_SACK_PERMITTED = 4;
const KIND_SACK = 5;
const KIND_TIMESTAMPS = 8;
const KIND_FAST_OPEN = 34;

const MSS_BYTES = 4;
const WINDOW_SCALE_BYTES = 3;
const SACK_PERMITTED_BYTES = 2;
const TIMESTAMPS_BYTES = 10;
const SACK_BLOCK_BYTES = 8;

/** RFC 7323 section 2.3. */
export const WINDOW_SHIFT_MAX = 14;
/** RFC 7413 section 4.1.1. */
const FAST_OPEN_COOKIE_BYTES_MIN = 4;

/** Whether `bytes[at..at+len)` starts with a whole TCP header. The checksum is not looked at. */
export function tcpIsWellFormed(bytes: Uint8Array, at: number, len: number): boolean {
  if (len < TCP_HEADER_BYTES_MIN) return false;
  const headerBytes = tcpHeaderBytes(bytes, at);
  return headerBytes >= TCP_HEADER_BYTES_MIN && headerBytes <= len;
}

/** Length of the header at `at`, with its options. */
export function tcpHeaderBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at + DATA_OFFSET]! >>> 4) * 4;
}

export function tcpSrcPort(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + SRC_PORT);
}

export function tcpDstPort(bytes: Uint8Array, at: number): number {
  return loadU16(bytes, at + DST_PORT);
}

/**
 * Reads the segment at `bytes[at..at+len)`; its text is a view of `bytes`. Unknown and malformed options are skipped
 * (RFC 9293 section 3.1, MUST-6 and MUST-7). Preconditions: {@link tcpIsWellFormed}; the caller sets addresses and ECN.
 */
export function parseSegment(seg: Segment, bytes: Uint8Array, at: number, len: number): void {
  const headerBytes = tcpHeaderBytes(bytes, at);
  seg.srcPort = loadU16(bytes, at + SRC_PORT);
  seg.dstPort = loadU16(bytes, at + DST_PORT);
  seg.seq = loadI32(bytes, at + SEQ);
  seg.ack = loadI32(bytes, at + ACK_NUMBER);
  seg.flags = bytes[at + FLAGS]!;
  seg.window = loadU16(bytes, at + WINDOW);
  seg.urgentPointer = loadU16(bytes, at + URGENT_POINTER);
  seg.segmentBytes = 0;
  seg.clearOptions();
  if (headerBytes > TCP_HEADER_BYTES_MIN) {
    parseOptions(seg, bytes, at + TCP_HEADER_BYTES_MIN, at + headerBytes);
  }
  seg.setText(bytes, at + headerBytes, len - headerBytes);
}

/** Whether the checksum of the segment at `bytes[at..at+len)` is right, given the sum of the pseudo-header. */
export function tcpChecksumIsRight(bytes: Uint8Array, at: number, len: number, pseudoSum: number): boolean {
  return checksumFold(checksumAdd(pseudoSum, bytes, at, len)) === 0;
}

/** Bytes of the header that {@link encodeSegment} writes. */
export function segmentHeaderBytes(seg: Readonly<Segment>): number {
  return TCP_HEADER_BYTES_MIN + optionBytes(seg);
}

/**
 * Writes the header of `seg` to `bytes[at..]` and copies its text behind it. The checksum covers both and `pseudoSum`
 * (see {@link segmentPseudoSum}). Returns the length of the segment. Preconditions: the options fit in 40 bytes.
 */
export function encodeSegment(seg: Readonly<Segment>, bytes: Uint8Array, at: number, pseudoSum: number): number {
  const headerBytes = encodeHeader(seg, bytes, at);
  const { textLen } = seg;
  if (textLen > 0) copyBytes(seg.text, seg.textAt, bytes, at + headerBytes, textLen);
  const sum = checksumAdd(pseudoSum, bytes, at, headerBytes + textLen);
  storeU16(bytes, at + CHECKSUM, checksumFold(sum));
  return headerBytes + textLen;
}

/** Writes the header of `seg` with a checksum field of zero, for links that compute it. Returns the header's length. */
export function encodeHeader(seg: Readonly<Segment>, bytes: Uint8Array, at: number): number {
  const headerBytes = segmentHeaderBytes(seg);
  storeU16(bytes, at + SRC_PORT, seg.srcPort);
  storeU16(bytes, at + DST_PORT, seg.dstPort);
  storeI32(bytes, at + SEQ, seg.seq);
  storeI32(bytes, at + ACK_NUMBER, seg.ack);
  bytes[at + DATA_OFFSET] = headerBytes << 2;
  bytes[at + FLAGS] = seg.flags;
  storeU16(bytes, at + WINDOW, seg.window);
  storeU16(bytes, at + CHECKSUM, 0);
  storeU16(bytes, at + URGENT_POINTER, seg.urgentPointer);
  if (headerBytes > TCP_HEADER_BYTES_MIN) encodeOptions(seg, bytes, at + TCP_HEADER_BYTES_MIN);
  return headerBytes;
}

/**
 * The sum of the pseudo-header of `seg`, for its addresses. `addresses` is scratch room of 32 bytes. A segment between
 * IPv4 addresses gets the IPv4 pseudo-header.
 */
export function segmentPseudoSum(seg: Readonly<Segment>, len: number, addresses: Uint8Array): number {
  if (seg.src.isIpv4 && seg.dst.isIpv4) {
    seg.src.storeIpv4(addresses, 0);
    seg.dst.storeIpv4(addresses, 4);
    return pseudoHeaderSum4(addresses, 0, addresses, 4, IPPROTO_TCP, len);
  }
  seg.src.storeIpv6(addresses, 0);
  seg.dst.storeIpv6(addresses, 16);
  return pseudoHeaderSum6(addresses, 0, addresses, 16, IPPROTO_TCP, len);
}

function parseOptions(seg: Segment, bytes: Uint8Array, from: number, to: number): void {
  let at = from;
  while (at < to) {
    const kind = bytes[at]!;
    if (kind === KIND_END) return;
    if (kind === KIND_NOP) {
      at++;
      continue;
    }
    if (at + 1 >= to) return;
    const len = bytes[at + 1]!;
    if (len < 2 || at + len > to) return;
    parseOption(seg, bytes, at, kind, len);
    at += len;
  }
}

function parseOption(seg: Segment, bytes: Uint8Array, at: number, kind: number, len: number): void {
  if (kind === KIND_TIMESTAMPS) {
    if (len !== TIMESTAMPS_BYTES) return;
    seg.hasTimestamps = true;
    seg.tsVal = loadI32(bytes, at + 2);
    seg.tsEcr = loadI32(bytes, at + 6);
  } else if (kind === KIND_SACK) {
    parseSackBlocks(seg, bytes, at, len);
  } else if (seg.flags & SYN) {
    parseSynOption(seg, bytes, at, kind, len);
  }
}

/** Options that count only in a SYN. */
function parseSynOption(seg: Segment, bytes: Uint8Array, at: number, kind: number, len: number): void {
  switch (kind) {
    case KIND_MSS:
      if (len === MSS_BYTES) seg.mss = loadU16(bytes, at + 2);
      return;
    case KIND_WINDOW_SCALE:
      // RFC 7323 section 2.3: a larger shift counts as 14.
      if (len === WINDOW_SCALE_BYTES) seg.windowShift = Math.min(bytes[at + 2]!, WINDOW_SHIFT_MAX);
      return;
    case KIND_SACK_PERMITTED:
      if (len === SACK_PERMITTED_BYTES) seg.isSackPermitted = true;
      return;
    case KIND_FAST_OPEN:
      parseFastOpen(seg, bytes, at + 2, len - 2);
      return;
  }
}

function parseSackBlocks(seg: Segment, bytes: Uint8Array, at: number, len: number): void {
  const count = (len - 2) / SACK_BLOCK_BYTES;
  if (count !== Math.floor(count)) return;
  seg.sackCount = 0;
  for (let i = 0; i < count && i < SACK_BLOCKS_MAX; i++) {
    const blockAt = at + 2 + i * SACK_BLOCK_BYTES;
    seg.addSack(loadI32(bytes, blockAt), loadI32(bytes, blockAt + 4));
  }
}

function parseFastOpen(seg: Segment, bytes: Uint8Array, at: number, len: number): void {
  const isRequest = len === 0;
  const isCookie = len >= FAST_OPEN_COOKIE_BYTES_MIN && len <= FAST_OPEN_COOKIE_BYTES_MAX && len % 2 === 0;
  if (!isRequest && !isCookie) return;
  for (let i = 0; i < len; i++) seg.fastOpenCookie[i] = bytes[at + i]!;
  seg.fastOpenLen = len;
}

function optionBytes(seg: Readonly<Segment>): number {
  let len = 0;
  if (seg.mss !== 0) len += MSS_BYTES;
  // "SACK permitted" goes where the timestamps would be padded, else with padding of its own.
  if (seg.hasTimestamps) len += TIMESTAMPS_BYTES + 2;
  else if (seg.isSackPermitted) len += SACK_PERMITTED_BYTES + 2;
  if (seg.windowShift !== NO_WINDOW_SHIFT) len += WINDOW_SCALE_BYTES + 1;
  if (seg.sackCount > 0) len += 4 + seg.sackCount * SACK_BLOCK_BYTES;
  if (seg.fastOpenLen !== NO_FAST_OPEN) len += 2 + seg.fastOpenLen;
  return (len + 3) & ~3;
}

/** Options in the order that Linux writes them. */
function encodeOptions(seg: Readonly<Segment>, bytes: Uint8Array, from: number): void {
  let at = from;
  if (seg.mss !== 0) {
    at = storeOption(bytes, at, KIND_MSS, MSS_BYTES);
    storeU16(bytes, at - 2, seg.mss);
  }
  if (seg.hasTimestamps) {
    at = seg.isSackPermitted ? storeOption(bytes, at, KIND_SACK_PERMITTED, SACK_PERMITTED_BYTES) : storeNops(bytes, at);
    at = storeOption(bytes, at, KIND_TIMESTAMPS, TIMESTAMPS_BYTES);
    storeI32(bytes, at - 8, seg.tsVal);
    storeI32(bytes, at - 4, seg.tsEcr);
  } else if (seg.isSackPermitted) {
    at = storeNops(bytes, at);
    at = storeOption(bytes, at, KIND_SACK_PERMITTED, SACK_PERMITTED_BYTES);
  }
  if (seg.windowShift !== NO_WINDOW_SHIFT) {
    bytes[at] = KIND_NOP;
    at = storeOption(bytes, at + 1, KIND_WINDOW_SCALE, WINDOW_SCALE_BYTES);
    bytes[at - 1] = seg.windowShift;
  }
  if (seg.sackCount > 0) at = encodeSackBlocks(seg, bytes, storeNops(bytes, at));
  if (seg.fastOpenLen !== NO_FAST_OPEN) {
    at = storeOption(bytes, at, KIND_FAST_OPEN, 2 + seg.fastOpenLen);
    for (let i = 0; i < seg.fastOpenLen; i++) bytes[at - seg.fastOpenLen + i] = seg.fastOpenCookie[i]!;
  }
  // RFC 9293 section 3.1: the rest of the header is zero.
  while (((at - from) & 3) !== 0) bytes[at++] = KIND_END;
}

function encodeSackBlocks(seg: Readonly<Segment>, bytes: Uint8Array, from: number): number {
  const at = storeOption(bytes, from, KIND_SACK, 2 + seg.sackCount * SACK_BLOCK_BYTES);
  for (let i = 0; i < seg.sackCount; i++) {
    storeI32(bytes, from + 2 + i * SACK_BLOCK_BYTES, seg.sackStarts[i]!);
    storeI32(bytes, from + 6 + i * SACK_BLOCK_BYTES, seg.sackEnds[i]!);
  }
  return at;
}

/** Writes kind and length and returns the end of the option. */
function storeOption(bytes: Uint8Array, at: number, kind: number, len: number): number {
  bytes[at] = kind;
  bytes[at + 1] = len;
  return at + len;
}

function storeNops(bytes: Uint8Array, at: number): number {
  bytes[at] = KIND_NOP;
  bytes[at + 1] = KIND_NOP;
  return at + 2;
}

function loadU16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function loadI32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function storeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

function storeI32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
