/**
 * IP addresses of both families as four 32-bit words. An IPv4 address is kept IPv4-mapped (::ffff:a.b.c.d, RFC 4291
 * section 2.5.5.2), so that tables and sockets treat both families alike; on the wire it has its four bytes.
 *
 * An address is mutable so that packet buffers need not make new ones: an address that a packet holds is borrowed,
 * and who keeps it takes a {@link IpAddress.clone}. All others are never changed.
 */

const MAPPED = 0xffff;

export const IPV4_BYTES = 4;
export const IPV6_BYTES = 16;

export class IpAddress {
  /** Words of the address, from the most significant one, as signed integers. */
  w0: number;
  w1: number;
  w2: number;
  w3: number;

  /** Words are cut to 32 bits. */
  constructor(w0 = 0, w1 = 0, w2 = 0, w3 = 0) {
    this.w0 = w0 | 0;
    this.w1 = w1 | 0;
    this.w2 = w2 | 0;
    this.w3 = w3 | 0;
  }

  /** The IPv4 address with this value, `0x7f000001` for 127.0.0.1. */
  static ipv4(value: number): IpAddress {
    return new IpAddress(0, 0, MAPPED, value);
  }

  /** The address in the bytes at `at`: 4 (IPv4) or 16 (IPv6). */
  static fromBytes(bytes: Uint8Array, at: number, len: 4 | 16): IpAddress {
    const address = new IpAddress();
    if (len === IPV4_BYTES) address.loadIpv4(bytes, at);
    else address.loadIpv6(bytes, at);
    return address;
  }

  /** Parses dotted quads and RFC 4291 section 2.2 text. Undefined if `text` is neither. */
  static tryParse(text: string): IpAddress | undefined {
    return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
  }

  /** Parses an address. Throws RangeError if `text` is none. */
  static parse(text: string): IpAddress {
    const address = IpAddress.tryParse(text);
    if (address === undefined) throw new RangeError(`Cannot parse "${text}": not an IP address`);
    return address;
  }

  get isIpv4(): boolean {
    return this.w2 === MAPPED && this.w1 === 0 && this.w0 === 0;
  }

  /** Bytes of the address on the wire. */
  get byteCount(): 4 | 16 {
    return this.isIpv4 ? IPV4_BYTES : IPV6_BYTES;
  }

  /** 0.0.0.0 or `::`. */
  get isUnspecified(): boolean {
    return this.w3 === 0 && this.w0 === 0 && this.w1 === 0 && (this.w2 === 0 || this.w2 === MAPPED);
  }

  /** 127.0.0.0/8 or ::1. */
  get isLoopback(): boolean {
    if (this.isIpv4) return this.w3 >>> 24 === 127;
    return this.w3 === 1 && this.w2 === 0 && this.w1 === 0 && this.w0 === 0;
  }

  /** 224.0.0.0/4 or ff00::/8. */
  get isMulticast(): boolean {
    return this.isIpv4 ? this.w3 >>> 28 === 0xe : this.w0 >>> 24 === 0xff;
  }

  /** 255.255.255.255. */
  get isLimitedBroadcast(): boolean {
    return this.w3 === -1 && this.isIpv4;
  }

  /** 169.254.0.0/16 or fe80::/10. */
  get isLinkLocal(): boolean {
    return this.isIpv4 ? this.w3 >>> 16 === 0xa9fe : this.w0 >>> 22 === 0x3fa;
  }

  /** Multicast of interface- or link-local scope (ff01::, ff02::), or 224.0.0.0/24: never forwarded. */
  get isLocalMulticast(): boolean {
    if (this.isIpv4) return this.w3 >>> 8 === 0xe00000;
    return this.w0 >>> 24 === 0xff && ((this.w0 >>> 16) & 0xf) <= 2;
  }

  equals(other: IpAddress): boolean {
    return this.w3 === other.w3 && this.w2 === other.w2 && this.w1 === other.w1 && this.w0 === other.w0;
  }

  /** Whether the first `prefixBits` (0 to 128, an IPv4 prefix counts from 96) are those of `other`. */
  matches(other: IpAddress, prefixBits: number): boolean {
    return commonPrefixBits(this, other) >= prefixBits;
  }

  /** Number of equal leading bits, 0 to 128. */
  commonPrefixBits(other: IpAddress): number {
    return commonPrefixBits(this, other);
  }

  copyFrom(other: IpAddress): void {
    this.w0 = other.w0;
    this.w1 = other.w1;
    this.w2 = other.w2;
    this.w3 = other.w3;
  }

  clone(): IpAddress {
    return new IpAddress(this.w0, this.w1, this.w2, this.w3);
  }

  /** The address with all bits from `prefixBits` on cleared. */
  masked(prefixBits: number): IpAddress {
    return new IpAddress(
      this.w0 & prefixMask(prefixBits),
      this.w1 & prefixMask(prefixBits - 32),
      this.w2 & prefixMask(prefixBits - 64),
      this.w3 & prefixMask(prefixBits - 96),
    );
  }

  loadIpv4(bytes: Uint8Array, at: number): void {
    this.w0 = 0;
    this.w1 = 0;
    this.w2 = MAPPED;
    this.w3 = loadWord(bytes, at);
  }

  loadIpv6(bytes: Uint8Array, at: number): void {
    this.w0 = loadWord(bytes, at);
    this.w1 = loadWord(bytes, at + 4);
    this.w2 = loadWord(bytes, at + 8);
    this.w3 = loadWord(bytes, at + 12);
  }

  /** Stores the low word: the four bytes of an IPv4 address. */
  storeIpv4(bytes: Uint8Array, at: number): void {
    storeWord(bytes, at, this.w3);
  }

  /** Stores all 16 bytes; an IPv4 address goes IPv4-mapped. */
  storeIpv6(bytes: Uint8Array, at: number): void {
    storeWord(bytes, at, this.w0);
    storeWord(bytes, at + 4, this.w1);
    storeWord(bytes, at + 8, this.w2);
    storeWord(bytes, at + 12, this.w3);
  }

  /** Hash of the address, a signed 32-bit integer. */
  hash(seed: number): number {
    let h = Math.imul(seed ^ this.w3, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ this.w2, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13) ^ this.w1, 0xc2b2ae35);
    h = Math.imul(h ^ (h >>> 16) ^ this.w0, 0x9e3779b1);
    return h ^ (h >>> 15);
  }

  /** Dotted quad, or the canonical text of RFC 5952. */
  toString(): string {
    return this.isIpv4 ? formatIpv4(this.w3) : formatIpv6(this);
  }
}

/** 0.0.0.0 */
export const IPV4_ANY = IpAddress.ipv4(0);
/** 255.255.255.255 */
export const IPV4_BROADCAST = IpAddress.ipv4(0xffffffff);
/** 127.0.0.1 */
export const IPV4_LOOPBACK = IpAddress.ipv4(0x7f000001);
/** 224.0.0.1 */
export const IPV4_ALL_SYSTEMS = IpAddress.ipv4(0xe0000001);
/** `::` */
export const IPV6_ANY = new IpAddress();
/** `::1` */
export const IPV6_LOOPBACK = new IpAddress(0, 0, 0, 1);
/** ff02::1, RFC 4291 section 2.7.1 */
export const IPV6_ALL_NODES = new IpAddress(0xff020000, 0, 0, 1);
/** ff02::2 */
export const IPV6_ALL_ROUTERS = new IpAddress(0xff020000, 0, 0, 2);
/** fe80:: */
export const IPV6_LINK_LOCAL_PREFIX = new IpAddress(0xfe800000, 0, 0, 0);

/** The solicited-node multicast address, RFC 4291 section 2.7.1. */
export function solicitedNodeAddress(target: IpAddress): IpAddress {
  return new IpAddress(0xff020000, 0, 1, 0xff000000 | (target.w3 & 0xffffff));
}

/** An address with the length of its prefix, in bits of its own family: 0 to 32 or 0 to 128. */
export interface IpPrefix {
  readonly address: IpAddress;
  readonly prefixLen: number;
}

/** Parses `10.0.0.1/8`; without a slash the prefix is the whole address. Throws RangeError. */
export function parsePrefix(text: string): IpPrefix {
  const slash = text.indexOf('/');
  const address = IpAddress.parse(slash < 0 ? text : text.slice(0, slash));
  const bits = address.byteCount * 8;
  const prefixLen = slash < 0 ? bits : Number(text.slice(slash + 1));
  if (!Number.isInteger(prefixLen) || prefixLen < 0 || prefixLen > bits) {
    throw new RangeError(`Cannot parse "${text}": the prefix length is not 0 to ${bits}`);
  }
  return { address, prefixLen };
}

/** Bits of the prefix in the four words: an IPv4 prefix counts from 96. */
export function prefixBitsOf(prefix: IpPrefix): number {
  return prefix.address.isIpv4 ? prefix.prefixLen + 96 : prefix.prefixLen;
}

function commonPrefixBits(a: IpAddress, b: IpAddress): number {
  if (a.w0 !== b.w0) return Math.clz32(a.w0 ^ b.w0);
  if (a.w1 !== b.w1) return 32 + Math.clz32(a.w1 ^ b.w1);
  if (a.w2 !== b.w2) return 64 + Math.clz32(a.w2 ^ b.w2);
  return 96 + Math.clz32(a.w3 ^ b.w3);
}

function prefixMask(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}

function loadWord(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

function storeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}

function parseIpv4(text: string): IpAddress | undefined {
  const value = parseDottedQuad(text);
  return value === undefined ? undefined : IpAddress.ipv4(value);
}

function parseDottedQuad(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = (value << 8) | Number(part);
  }
  return value;
}

function parseIpv6(text: string): IpAddress | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (index: number): number => (groups[index]! << 16) | groups[index + 1]!;
  return new IpAddress(word(0), word(2), word(4), word(6));
}

/** Groups of one side of `::`. A dotted quad may end the address. */
function parseGroups(text: string, mayEndInQuad: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (part.includes('.') && mayEndInQuad && index === parts.length - 1) {
      const quad = parseDottedQuad(part);
      if (quad === undefined) return undefined;
      groups.push(quad >>> 16, quad & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(parseInt(part, 16));
    }
  }
  return groups;
}

function formatIpv4(value: number): string {
  return `${value >>> 24}.${(value >>> 16) & 0xff}.${(value >>> 8) & 0xff}.${value & 0xff}`;
}

function formatIpv6(address: IpAddress): string {
  const { w0, w1, w2, w3 } = address;
  const groups = [w0, w1, w2, w3].flatMap((word) => [word >>> 16, word & 0xffff]);
  let [bestAt, bestCount] = [-1, 1];
  for (let at = 0; at < 8; at++) {
    let count = 0;
    while (at + count < 8 && groups[at + count] === 0) count++;
    if (count > bestCount) [bestAt, bestCount] = [at, count];
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestAt < 0) return hex.join(':');
  return `${hex.slice(0, bestAt).join(':')}::${hex.slice(bestAt + bestCount).join(':')}`;
}
