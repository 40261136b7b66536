import { loadU16 } from '../wire/byte-order.js';

/** Bytes of handshake that are looked at; a ClientHello with post-quantum keys has about two thousand. */
export const CLIENT_HELLO_BYTES_MAX = 16_384;

/** Record and handshake types, RFC 8446 sections 5.1 and 4. */
const RECORD_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const RECORD_BYTES_MAX = 16_384;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST_NAME = 0;
const HOST_NAME = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** What the start of a stream says of whom it is for. */
export type Sniffed =
  /** It is not decided yet: more bytes are needed. */
  | { readonly kind: 'more' }
  /** It is something else, or malformed. */
  | { readonly kind: 'other' }
  | { readonly kind: 'found'; readonly name: string | null };

const MORE: Sniffed = { kind: 'more' };
const OTHER: Sniffed = { kind: 'other' };

/** The server name that a TLS client asks for, in the first `len` bytes of its stream: RFC 6066 section 3. */
export function sniffServerName(bytes: Uint8Array, len: number): Sniffed {
  // The handshake is put together first: a hello may lie in several records.
  const hello = new Uint8Array(Math.min(len, CLIENT_HELLO_BYTES_MAX));
  let helloLen = 0;
  for (let at = 0; ;) {
    if (len > at && bytes[at] !== RECORD_HANDSHAKE) return OTHER;
    if (len > at + 1 && bytes[at + 1] !== 3) return OTHER;
    if (len < at + RECORD_HEADER_BYTES) return len >= CLIENT_HELLO_BYTES_MAX ? OTHER : MORE;
    const recordLen = loadU16(bytes, at + 3);
    if (recordLen === 0 || recordLen > RECORD_BYTES_MAX) return OTHER;
    const from = at + RECORD_HEADER_BYTES;
    const part = bytes.subarray(from, Math.min(from + recordLen, len));
    if (helloLen + part.length > hello.length) return OTHER;
    hello.set(part, helloLen);
    helloLen += part.length;
    if (helloLen > 0 && hello[0] !== HANDSHAKE_CLIENT_HELLO) return OTHER;
    if (helloLen >= 4) {
      const wanted = 4 + ((hello[1]! << 16) | loadU16(hello, 2));
      if (wanted > CLIENT_HELLO_BYTES_MAX) return OTHER;
      if (helloLen >= wanted) return parseHello(hello, wanted);
    }
    at = from + recordLen;
  }
}

/** `struct ClientHello`, RFC 8446 section 4.1.2: every length is checked against what holds it. */
function parseHello(hello: Uint8Array, end: number): Sniffed {
  let at = 4 + 2 + 32;
  if (at + 1 > end) return OTHER;
  at += 1 + hello[at]!;
  if (at + 2 > end) return OTHER;
  at += 2 + loadU16(hello, at);
  if (at + 1 > end) return OTHER;
  at += 1 + hello[at]!;
  if (at === end) return { kind: 'found', name: null };
  if (at + 2 > end || at + 2 + loadU16(hello, at) !== end) return OTHER;
  for (at += 2; at < end;) {
    if (at + 4 > end) return OTHER;
    const type = loadU16(hello, at);
    const next = at + 4 + loadU16(hello, at + 2);
    if (next > end) return OTHER;
    if (type === EXTENSION_SERVER_NAME) return parseServerName(hello, at + 4, next);
    at = next;
  }
  return { kind: 'found', name: null };
}

function parseServerName(hello: Uint8Array, from: number, end: number): Sniffed {
  if (from + 2 > end || from + 2 + loadU16(hello, from) !== end) return OTHER;
  for (let at = from + 2; at < end;) {
    if (at + 3 > end) return OTHER;
    const next = at + 3 + loadU16(hello, at + 1);
    if (next > end) return OTHER;
    if (hello[at] === NAME_TYPE_HOST_NAME) {
      const name = hostName(hello, at + 3, next);
      return name === undefined ? OTHER : { kind: 'found', name };
    }
    at = next;
  }
  return { kind: 'found', name: null };
}

/** A domain name in lower case and without a dot at its end; undefined if it is none. */
export function hostName(bytes: Uint8Array, from: number, end: number): string | undefined {
  let name = '';
  for (let at = from; at < end && name.length < 256; at++) name += String.fromCharCode(bytes[at]!);
  name = name.toLowerCase().replace(/\.$/, '');
  return HOST_NAME.test(name) ? name : undefined;
}
