import { EAGAIN, MSG_PEEK, POLLRDHUP } from '@tsv/abi';
import type { TcpSocket } from '../socket/tcp-socket.js';
import { CHUNKED_BODY, HTTP_HEAD_BYTES_MAX, parseRequestHead } from './http-head.js';

const CR = 13;
const LF = 10;
const CHUNK_LINE_BYTES_MAX = 256;
const CHUNK_LINE = /^([0-9a-f]{1,12})[ \t]*(?:;[^\r]*)?\r\n$/i;
const STATUS_CHARS = 'HTTP/1.1 200'.length;

/** What the next bytes of the client are. */
const Part = { HEAD: 0, CHUNK_LINE: 1, CHUNK_END: 2, TRAILER: 3, AFTER_SWITCH: 4, TUNNEL: 5 } as const;
type Part = (typeof Part)[keyof typeof Part];

/** Nothing may pass until more has come; and nothing will any more. */
export const MUST_WAIT = 0;
export const MUST_END = -1;

/** What the client has sent and nobody has read: looked at within one call. */
const peeked = new Uint8Array(HTTP_HEAD_BYTES_MAX);

/**
 * Follows the requests on an HTTP/1 connection, each of which may be for another host, RFC 9112 sections 6 and 7: lets
 * one through whose host is allowed, and ends the connection at anything that others might read differently. A first
 * request may make the connection a tunnel for its host (CONNECT, WebSockets), once the server has agreed.
 */
export class HttpGuard {
  #host: string | null;
  readonly #isAllowed: (host: string | null) => boolean;
  #part: Part = Part.HEAD;
  /** What follows the body of this request. */
  #partAfterBody: Part = Part.HEAD;
  /** Bytes that may pass before the next part. */
  #passingBytes = 0;
  #requestCount = 0;
  #isConnect = false;
  /** The beginning of the server's first answer. */
  #status = '';

  /** `host` is that of the first request, which is allowed; of a request for another one `isAllowed` says whether it is. */
  constructor(host: string | null, isAllowed: (host: string | null) => boolean) {
    this.#host = host;
    this.#isAllowed = isAllowed;
  }

  /** Bytes that may be read from the client and sent on: a count, {@link MUST_WAIT} or {@link MUST_END}. */
  mayPass(client: Pick<TcpSocket, 'receive' | 'readiness'>): number {
    if (this.#passingBytes > 0) return this.#passingBytes;
    if (this.#part === Part.AFTER_SWITCH && !this.#hasSwitched()) return MUST_WAIT;
    const len = client.receive(peeked, 0, peeked.length, MSG_PEEK);
    if (len === -EAGAIN) return MUST_WAIT;
    // The end and errors are for who reads.
    if (len <= 0) return Infinity;
    const bytes = this.#next(len);
    if (bytes === MUST_WAIT && (client.readiness() & POLLRDHUP) !== 0) return MUST_END;
    if (bytes > 0) this.#passingBytes = bytes;
    return bytes;
  }

  /** So many bytes of the client have passed. */
  passed(count: number): void {
    this.#passingBytes -= count;
  }

  /** The server has sent this; whether it may be what {@link mayPass} waits for. */
  answered(bytes: Uint8Array, len: number): boolean {
    if (this.#status.length >= STATUS_CHARS) return false;
    const count = Math.min(len, STATUS_CHARS - this.#status.length);
    this.#status += String.fromCharCode(...bytes.subarray(0, count));
    return true;
  }

  /** Whether the server has answered the request to switch; then it has become a tunnel, or the next request follows. */
  #hasSwitched(): boolean {
    if (this.#status.length < STATUS_CHARS) return false;
    const status = /^HTTP\/1\.[01] (\d{3})$/.exec(this.#status)?.[1] ?? '';
    this.#part = (this.#isConnect ? status.startsWith('2') : status === '101') ? Part.TUNNEL : Part.HEAD;
    return true;
  }

  /** Bytes of the next part, whose first `len` bytes at most are known; with those of the body that are not looked at. */
  #next(len: number): number {
    switch (this.#part) {
      case Part.HEAD:
        // Section 2.2: servers skip an empty line here.
        return peeked[0] === CR ? crlf(len) : this.#head(len);
      case Part.CHUNK_LINE:
        return this.#chunkLine(len);
      case Part.CHUNK_END: {
        const bytes = crlf(len);
        if (bytes > 0) this.#part = Part.CHUNK_LINE;
        return bytes;
      }
      case Part.TRAILER: {
        const bytes = lineBytes(len, HTTP_HEAD_BYTES_MAX);
        if (bytes === 1) return MUST_END;
        if (bytes === 2 && peeked[0] === CR) this.#part = this.#partAfterBody;
        return bytes;
      }
      case Part.AFTER_SWITCH:
        return MUST_WAIT;
      case Part.TUNNEL:
        return Infinity;
    }
  }

  #head(len: number): number {
    const head = parseRequestHead(peeked, len);
    if (head === 'more') return MUST_WAIT;
    if (head === 'other') return MUST_END;
    if (head.host !== this.#host && !this.#isAllowed(head.host)) return MUST_END;
    this.#host = head.host;
    this.#isConnect = head.isConnect;
    // Of a later request it is not known which answer is its.
    const mayBecomeTunnel = this.#requestCount++ === 0 && (head.isConnect || head.asksForWebSocket);
    this.#partAfterBody = mayBecomeTunnel ? Part.AFTER_SWITCH : Part.HEAD;
    this.#part = head.bodyBytes === CHUNKED_BODY ? Part.CHUNK_LINE : this.#partAfterBody;
    return head.byteCount + Math.max(head.bodyBytes, 0);
  }

  #chunkLine(len: number): number {
    const bytes = lineBytes(len, CHUNK_LINE_BYTES_MAX);
    if (bytes <= 0) return bytes;
    const digits = CHUNK_LINE.exec(String.fromCharCode(...peeked.subarray(0, bytes)))?.[1];
    if (digits === undefined) return MUST_END;
    const chunkBytes = Number.parseInt(digits, 16);
    this.#part = chunkBytes === 0 ? Part.TRAILER : Part.CHUNK_END;
    return bytes + chunkBytes;
  }
}

/** The end of a line, and nothing before it. */
function crlf(len: number): number {
  if (peeked[0] !== CR || (len > 1 && peeked[1] !== LF)) return MUST_END;
  return len > 1 ? 2 : MUST_WAIT;
}

function lineBytes(len: number, max: number): number {
  const end = peeked.subarray(0, Math.min(len, max)).indexOf(LF);
  if (end >= 0) return end + 1;
  return len >= max ? MUST_END : MUST_WAIT;
}
