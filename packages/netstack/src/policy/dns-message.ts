import { loadU16, loadU32, storeU16 } from '../wire/byte-order.js';
import { IpAddress } from '../wire/ip-address.js';

/** DNS messages, RFC 1035 section 4. */
export const DNS_HEADER_BYTES = 12;
/** Bytes of the longest query, and of the longest response in a datagram: what RFC 6891 section 6.2.5 has senders announce. */
export const DNS_MESSAGE_BYTES_MAX = 4096;

export const DNS_TYPE_A = 1;
export const DNS_TYPE_CNAME = 5;
export const DNS_TYPE_AAAA = 28;
export const DNS_CLASS_IN = 1;

export const DNS_RCODE_SERVFAIL = 2;
export const DNS_RCODE_NXDOMAIN = 3;
export const DNS_RCODE_REFUSED = 5;

const FLAG_RESPONSE = 0x8000;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;
const OPCODE_MASK = 0x7800;
const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;
/** Compression pointers followed in one name; each must point backwards. */
const POINTER_COUNT_MAX = 32;
/** A response over TCP has room for no more addresses. */
const RECORD_COUNT_MAX = 4096;
/** Aliases followed in one answer; of one behind more no address is known. */
const ALIAS_COUNT_MAX = 8;

export function dnsId(message: Uint8Array): number {
  return loadU16(message, 0);
}

export function storeDnsId(message: Uint8Array, id: number): void {
  storeU16(message, 0, id);
}

export function dnsIsResponse(message: Uint8Array): boolean {
  return (loadU16(message, 2) & FLAG_RESPONSE) !== 0;
}

/** What a query asks for. */
export interface DnsQuestion {
  /** Lower case, without the dot at the end. */
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

/** An address that a response gives for the name that was asked for, aliases followed. */
export interface DnsAddress {
  readonly address: IpAddress;
  readonly ttlSec: number;
}

/** The only question of a standard query or its response; undefined if the message is anything else. */
export function parseQuestion(message: Uint8Array): DnsQuestion | undefined {
  if (message.length < DNS_HEADER_BYTES) return undefined;
  if ((loadU16(message, 2) & OPCODE_MASK) !== 0 || loadU16(message, 4) !== 1) return undefined;
  const name = readName(message, DNS_HEADER_BYTES);
  if (name === undefined || message.length - name.end < 4) return undefined;
  if (loadU16(message, name.end + 2) !== DNS_CLASS_IN) return undefined;
  return { name: name.text, type: loadU16(message, name.end), end: name.end + 4 };
}

/** What a response says of the name that was asked for: its addresses, and the names that it is an alias of. */
export interface DnsAnswers {
  readonly addresses: readonly DnsAddress[];
  readonly aliases: readonly string[];
}

/** The answers of a response to `question`, as far as it is well-formed; those of other names than its aliases do not count. */
export function parseAnswers(message: Uint8Array, question: DnsQuestion): DnsAnswers {
  const count = Math.min(loadU16(message, 6), RECORD_COUNT_MAX);
  const aliases: string[] = [];
  const addresses: DnsAddress[] = [];
  let at = question.end;
  for (let i = 0; i < count; i++) {
    const owner = readName(message, at);
    if (owner === undefined || message.length - owner.end < 10) return { addresses, aliases };
    const type = loadU16(message, owner.end);
    const ttlSec = loadU32(message, owner.end + 4);
    const dataAt = owner.end + 10;
    const len = loadU16(message, owner.end + 8);
    if (message.length - dataAt < len) return { addresses, aliases };
    at = dataAt + len;
    const isAsked = owner.text === question.name || aliases.includes(owner.text);
    if (!isAsked || loadU16(message, owner.end + 2) !== DNS_CLASS_IN) continue;
    if (type === DNS_TYPE_A && len === 4) addresses.push({ address: IpAddress.fromBytes(message, dataAt, 4), ttlSec });
    if (type === DNS_TYPE_AAAA && len === 16) {
      addresses.push({ address: IpAddress.fromBytes(message, dataAt, 16), ttlSec });
    }
    const alias = type === DNS_TYPE_CNAME ? readName(message, dataAt) : undefined;
    if (alias !== undefined && aliases.length < ALIAS_COUNT_MAX) aliases.push(alias.text);
  }
  return { addresses, aliases };
}

/** A response to `query` without records that says `rcode`. */
export function makeError(query: Uint8Array, question: DnsQuestion, rcode: number): Uint8Array {
  const response = query.slice(0, question.end);
  const flags = FLAG_RESPONSE | (loadU16(query, 2) & FLAG_RECURSION_DESIRED) | FLAG_RECURSION_AVAILABLE | rcode;
  storeU16(response, 2, flags);
  for (const countAt of [6, 8, 10]) storeU16(response, countAt, 0);
  return response;
}

/** A query for `name`, with recursion desired; undefined if it is no domain name. For tests and resolvers. */
export function makeQuery(id: number, name: string, type: number): Uint8Array | undefined {
  const labels = name.split('.');
  const len = labels.reduce((sum, label) => sum + 1 + label.length, 1);
  if (len > NAME_BYTES_MAX || labels.some((label) => label.length < 1 || label.length > LABEL_BYTES_MAX))
    return undefined;
  const message = new Uint8Array(DNS_HEADER_BYTES + len + 4);
  storeU16(message, 0, id);
  storeU16(message, 2, FLAG_RECURSION_DESIRED);
  storeU16(message, 4, 1);
  let at = DNS_HEADER_BYTES;
  for (const label of labels) {
    message[at++] = label.length;
    for (let i = 0; i < label.length; i++) message[at++] = label.charCodeAt(i);
  }
  storeU16(message, at + 1, type);
  storeU16(message, at + 3, DNS_CLASS_IN);
  return message;
}

/** Reads a name, RFC 1035 section 4.1.4. Bytes that are no letters, digits, hyphens or underscores come as `\ddd`. */
function readName(message: Uint8Array, from: number): { text: string; end: number } | undefined {
  const labels: string[] = [];
  let at = from;
  let end = -1;
  let len = 0;
  for (let pointers = 0; ;) {
    const byte = message[at];
    if (byte === undefined) return undefined;
    if (byte === 0) return { text: labels.join('.'), end: end < 0 ? at + 1 : end };
    if (byte >= 0xc0) {
      const low = message[at + 1];
      if (low === undefined || ++pointers > POINTER_COUNT_MAX) return undefined;
      if (end < 0) end = at + 2;
      const target = ((byte & 0x3f) << 8) | low;
      if (target >= at) return undefined;
      at = target;
      continue;
    }
    len += byte + 1;
    if (byte > LABEL_BYTES_MAX || len > NAME_BYTES_MAX || at + 1 + byte > message.length) return undefined;
    labels.push(labelText(message, at + 1, byte));
    at += byte + 1;
  }
}

function labelText(message: Uint8Array, at: number, len: number): string {
  let text = '';
  for (let i = at; i < at + len; i++) {
    const byte = message[i]!;
    const char = String.fromCharCode(byte).toLowerCase();
    text += /[a-z0-9_-]/.test(char) ? char : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}
