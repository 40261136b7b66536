import { IpAddress } from '../wire/ip-address.js';
import { hostName, type Sniffed } from './client-hello.js';

/** Bytes of a request's head that are looked at. */
export const HTTP_HEAD_BYTES_MAX = 16_384;

/** The body of a request comes in chunks, and ends with an empty one. */
export const CHUNKED_BODY = -1;

/** What the head of an HTTP/1 request says of where it goes, and of where it ends. */
export interface RequestHead {
  readonly byteCount: number;
  /** The host that it is for, null if it names none. */
  readonly host: string | null;
  /** Bytes of the body, or {@link CHUNKED_BODY}. */
  readonly bodyBytes: number;
  readonly isConnect: boolean;
  /** Whether it asks to speak the protocol of WebSockets from then on. */
  readonly asksForWebSocket: boolean;
}

const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;
const METHOD_BYTES_MAX = 20;
const REQUEST_LINE = /^([A-Z]{1,20}) (\S+) HTTP\/1\.([01])$/;
/** Lengths above are not exact any more. */
const CONTENT_LENGTH = /^\d{1,15}$/;

/** The host that an HTTP/1 client asks, in the first `len` bytes of its stream: RFC 9112 section 3.2. */
export function sniffHttpHost(bytes: Uint8Array, len: number): Sniffed {
  const head = parseRequestHead(bytes, len);
  return typeof head === 'string' ? { kind: head } : { kind: 'found', name: head.host };
}

/**
 * The request that the first `len` bytes begin: 'more' if its head does not end yet, 'other' if it is none, or one that
 * can be read in two ways. RFC 9112.
 */
export function parseRequestHead(bytes: Uint8Array, len: number): RequestHead | 'more' | 'other' {
  if (!startsAsRequest(bytes, len)) return 'other';
  const head = headLines(bytes, Math.min(len, HTTP_HEAD_BYTES_MAX));
  if (head === undefined) return len >= HTTP_HEAD_BYTES_MAX ? 'other' : 'more';
  const [, method, target, minorVersion] = REQUEST_LINE.exec(head.lines[0]!) ?? [];
  const fields = parseFields(head.lines.slice(1));
  if (method === undefined || fields === undefined) return 'other';
  const isConnect = method === 'CONNECT';
  const host = hostOf(target!, isConnect, fields.get('host') ?? []);
  const bodyBytes = bodyBytesOf(fields, minorVersion === '1');
  if (host === undefined || bodyBytes === undefined || (isConnect && bodyBytes !== 0)) return 'other';
  const asksForWebSocket = fields.get('upgrade')?.join() === 'websocket';
  return { byteCount: head.byteCount, host, bodyBytes, isConnect, asksForWebSocket };
}

/** Whether it may be a request so far: a method in capitals, and a space. */
function startsAsRequest(bytes: Uint8Array, len: number): boolean {
  for (let i = 0; i < Math.min(len, METHOD_BYTES_MAX + 1); i++) {
    const byte = bytes[i]!;
    if (byte === SPACE) return i > 0;
    if (byte < 65 || byte > 90) return false;
  }
  return len <= METHOD_BYTES_MAX;
}

/** The lines of a whole head; undefined if it does not end yet. */
function headLines(bytes: Uint8Array, len: number): { lines: string[]; byteCount: number } | undefined {
  const lines: string[] = [];
  let line = '';
  for (let i = 0; i < len; i++) {
    const byte = bytes[i]!;
    if (byte !== LF) {
      line += String.fromCharCode(byte);
      continue;
    }
    if (line.charCodeAt(line.length - 1) === CR) line = line.slice(0, -1);
    if (line === '') return { lines: lines.length > 0 ? lines : [''], byteCount: i + 1 };
    lines.push(line);
    line = '';
  }
  return undefined;
}

/** Values by name, both in lower case; undefined if there is a line that not everybody reads alike. */
function parseFields(lines: readonly string[]): Map<string, string[]> | undefined {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    // A line that continues the one before it, a space in front of the colon, and a CR alone, RFC 9112 section 2.2.
    const colon = line.indexOf(':');
    if (colon <= 0 || /\s/.test(line.slice(0, colon)) || line.includes('\r')) return undefined;
    const name = line.slice(0, colon).toLowerCase();
    const value = line
      .slice(colon + 1)
      .trim()
      .toLowerCase();
    fields.set(name, [...(fields.get(name) ?? []), value]);
  }
  return fields;
}

/** Section 3.2.2: the target counts where it has an authority; it must not contradict. Undefined if it does. */
function hostOf(target: string, isConnect: boolean, hosts: readonly string[]): string | null | undefined {
  const authority = isConnect ? target : /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(target)?.[1];
  const named = new Set(authority === undefined ? hosts : [...hosts, authority.toLowerCase()]);
  if (hosts.length > 1 || named.size > 1) return undefined;
  const [host = ''] = named;
  return host === '' ? null : parseHost(host);
}

/** Section 6.3; undefined if the length is told twice, or in a way that is not understood. */
function bodyBytesOf(fields: ReadonlyMap<string, readonly string[]>, hasChunks: boolean): number | undefined {
  const lengths = fields.get('content-length');
  const codings = fields.get('transfer-encoding');
  if (codings !== undefined) {
    return hasChunks && lengths === undefined && codings.join() === 'chunked' ? CHUNKED_BODY : undefined;
  }
  if (lengths === undefined) return 0;
  return lengths.length === 1 && CONTENT_LENGTH.test(lengths[0]!) ? Number(lengths[0]) : undefined;
}

/** A host with or without a port: a name, or an address, which is no name. Undefined if it is neither. */
function parseHost(host: string): string | null | undefined {
  if (host.startsWith('[')) {
    const end = host.indexOf(']');
    const isAddress = end > 0 && IpAddress.tryParse(host.slice(1, end)) !== undefined;
    return isAddress && /^(:\d{0,5})?$/.test(host.slice(end + 1)) ? null : undefined;
  }
  const text = host.replace(/:\d{0,5}$/, '');
  if (IpAddress.tryParse(text) !== undefined) return null;
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  return bytes.includes(COLON) ? undefined : hostName(bytes, 0, bytes.length);
}
