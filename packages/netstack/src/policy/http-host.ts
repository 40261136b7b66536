import { IpAddress } from '../wire/ip-address.js';
import { hostName, type Sniffed } from './client-hello.js';

/** Bytes of a request's head that are looked at. */
export const HTTP_HEAD_BYTES_MAX = 16_384;

const CR = 13;
const LF = 10;
const SPACE = 32;
const COLON = 58;
const METHOD_BYTES_MAX = 20;
const REQUEST_LINE = /^([A-Z]{1,20}) (\S+) HTTP\/1\.[01]$/;

/** The host that an HTTP/1 client asks, in the first `len` bytes of its stream: RFC 9112 section 3.2. */
export function sniffHttpHost(bytes: Uint8Array, len: number): Sniffed {
  if (!startsAsRequest(bytes, len)) return { kind: 'other' };
  const lines = headLines(bytes, Math.min(len, HTTP_HEAD_BYTES_MAX));
  if (lines === undefined) return { kind: len >= HTTP_HEAD_BYTES_MAX ? 'other' : 'more' };
  const request = REQUEST_LINE.exec(lines[0]!);
  if (request === null) return { kind: 'other' };
  const hosts = new Set<string>();
  let hostCount = 0;
  for (const line of lines.slice(1)) {
    // A line that continues the one before it, and a space in front of the colon, are ways to be read differently.
    const colon = line.indexOf(':');
    if (colon <= 0 || /[\s]/.test(line.slice(0, colon))) return { kind: 'other' };
    if (line.slice(0, colon).toLowerCase() !== 'host') continue;
    hostCount++;
    hosts.add(
      line
        .slice(colon + 1)
        .trim()
        .toLowerCase(),
    );
  }
  // Section 3.2.2: the target counts where it has an authority; it must not contradict.
  const target =
    /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(request[2]!)?.[1] ?? (request[1] === 'CONNECT' ? request[2] : undefined);
  if (target !== undefined) hosts.add(target.toLowerCase());
  if (hostCount > 1 || hosts.size > 1) return { kind: 'other' };
  const [host] = hosts;
  if (host === undefined || host === '') return { kind: 'found', name: null };
  return parseHost(host);
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
function headLines(bytes: Uint8Array, len: number): string[] | undefined {
  const lines: string[] = [];
  let line = '';
  for (let i = 0; i < len; i++) {
    const byte = bytes[i]!;
    if (byte !== LF) {
      line += String.fromCharCode(byte);
      continue;
    }
    if (line.charCodeAt(line.length - 1) === CR) line = line.slice(0, -1);
    if (line === '') return lines.length > 0 ? lines : [''];
    lines.push(line);
    line = '';
  }
  return undefined;
}

/** A host with or without a port: a name, or an address, which is no name. */
function parseHost(host: string): Sniffed {
  const text = host.startsWith('[') ? host : host.replace(/:\d{0,5}$/, '');
  if (host.startsWith('[')) {
    const end = host.indexOf(']');
    const isAddress = end > 0 && IpAddress.tryParse(host.slice(1, end)) !== undefined;
    return isAddress && /^(:\d{0,5})?$/.test(host.slice(end + 1)) ? { kind: 'found', name: null } : { kind: 'other' };
  }
  if (IpAddress.tryParse(text) !== undefined) return { kind: 'found', name: null };
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  if (bytes.includes(COLON)) return { kind: 'other' };
  const name = hostName(bytes, 0, bytes.length);
  return name === undefined ? { kind: 'other' } : { kind: 'found', name };
}
