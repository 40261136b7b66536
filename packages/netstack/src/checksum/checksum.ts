/**
 * The Internet checksum, RFC 1071. A running sum is a number below 2^48 in the order of the machine's memory, so that
 * whole words are added without swapping; {@link checksumFold} swaps once at the end. The parts of one sum must have
 * even lengths, except the last.
 */

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Below this many bytes a loop over bytes beats making a word view. */
const VIEW_BYTES_MIN = 128;
/** 16-bit words that a signed 32-bit sum can hold. */
const WORDS_MAX = 0x8000;

/** Adds `len` bytes of `bytes` from `at` to the running sum. An odd last byte is padded with zero. */
export function checksumAdd(sum: number, bytes: Uint8Array, at: number, len: number): number {
  if (len < VIEW_BYTES_MIN) return sum + addBytes(bytes, at, len);
  const byteOffset = bytes.byteOffset + at;
  if ((byteOffset & 1) === 0) return addWords(sum, bytes, at, byteOffset, len);
  // At an odd address every byte is in the other half of its word: sum the rest aligned, then swap it.
  const rest = addWords(0, bytes, at + 1, byteOffset + 1, len - 1);
  const first = IS_LITTLE_ENDIAN ? bytes[at]! : bytes[at]! << 8;
  return sum + first + swap(reduce(rest));
}

/** Adds a 16-bit value in network byte order, as a header field or a length. */
export function checksumAddU16(sum: number, value: number): number {
  return sum + (IS_LITTLE_ENDIAN ? swap(value) : value);
}

/** The one's complement of the sum: the value of the checksum field, in network byte order. 0 if the field was right. */
export function checksumFold(sum: number): number {
  const folded = reduce(sum);
  return ~(IS_LITTLE_ENDIAN ? swap(folded) : folded) & 0xffff;
}

/** Sum of the IPv4 pseudo-header at (src, srcAt), (dst, dstAt): RFC 9293 section 3.1, RFC 768. `len`: header and text. */
export function pseudoHeaderSum4(
  src: Uint8Array,
  srcAt: number,
  dst: Uint8Array,
  dstAt: number,
  protocol: number,
  len: number,
): number {
  const sum = addBytes(src, srcAt, 4) + addBytes(dst, dstAt, 4);
  return checksumAddU16(checksumAddU16(sum, protocol), len);
}

/** Sum of the IPv6 pseudo-header, RFC 8200 section 8.1. `len`: upper-layer header and data. */
export function pseudoHeaderSum6(
  src: Uint8Array,
  srcAt: number,
  dst: Uint8Array,
  dstAt: number,
  protocol: number,
  len: number,
): number {
  const sum = addBytes(src, srcAt, 16) + addBytes(dst, dstAt, 16);
  return checksumAddU16(checksumAddU16(checksumAddU16(sum, protocol), len >>> 16), len & 0xffff);
}

/**
 * The checksum field after a 16-bit word that it covers changed from `before` to `after`: RFC 1624, equation 3.
 */
export function checksumUpdate(field: number, before: number, after: number): number {
  const sum = (~field & 0xffff) + (~before & 0xffff) + after;
  return ~reduce(sum) & 0xffff;
}

function addBytes(bytes: Uint8Array, at: number, len: number): number {
  const even = at + (len & ~1);
  let high = 0;
  let low = 0;
  for (let i = at; i < even; i += 2) {
    high += bytes[i]!;
    low += bytes[i + 1]!;
  }
  if ((len & 1) !== 0) high += bytes[even]!;
  return IS_LITTLE_ENDIAN ? low * 256 + high : high * 256 + low;
}

function addWords(sum: number, bytes: Uint8Array, at: number, byteOffset: number, len: number): number {
  let total = sum;
  const wordCount = len >>> 1;
  const words = new Uint16Array(bytes.buffer, byteOffset, wordCount);
  for (let from = 0; from < wordCount; from += WORDS_MAX) {
    total += addWordRun(words, from, Math.min(from + WORDS_MAX, wordCount));
  }
  if ((len & 1) !== 0) total += IS_LITTLE_ENDIAN ? bytes[at + len - 1]! : bytes[at + len - 1]! << 8;
  return total;
}

function addWordRun(words: Uint16Array, from: number, to: number): number {
  let a = 0;
  let b = 0;
  let i = from;
  for (const last = to - 7; i < last; i += 8) {
    a = (a + words[i]! + words[i + 1]! + words[i + 2]! + words[i + 3]!) | 0;
    b = (b + words[i + 4]! + words[i + 5]! + words[i + 6]! + words[i + 7]!) | 0;
  }
  for (; i < to; i++) a = (a + words[i]!) | 0;
  return a + b;
}

/** Adds the carries until 16 bits are left. */
function reduce(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest % 0x1_0000) + Math.floor(rest / 0x1_0000);
  return rest;
}

function swap(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}
