import { EAGAIN, POLLRDHUP } from '@tsv/abi';
import { HttpGuard, MUST_END, MUST_WAIT } from './http-guard.js';

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
const get = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
const post = (fields: string): string => `POST / HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n\r\n`;

/** A client of a guard that lets `a.test` and `b.test` through, and what has passed. */
class Client {
  readonly guard = new HttpGuard('a.test', (host) => host === 'b.test' || host === 'a.test');
  passed = '';
  hasEnded = false;
  #unread = '';

  /** Sends, and takes what may pass; the last answer of the guard. */
  send(text: string): number {
    this.#unread += text;
    for (;;) {
      const count = this.guard.mayPass(this);
      if (count <= 0 || this.#unread === '') return Math.min(count, 0);
      const part = this.#unread.slice(0, Math.min(count, 7));
      this.#unread = this.#unread.slice(part.length);
      this.passed += part;
      this.guard.passed(part.length);
    }
  }

  receive(dst: Uint8Array, at: number, len: number): number {
    const bytes = latin1(this.#unread.slice(0, len));
    dst.set(bytes, at);
    return bytes.length > 0 ? bytes.length : -EAGAIN;
  }

  readiness(): number {
    return this.hasEnded ? POLLRDHUP : 0;
  }
}

describe('HttpGuard, RFC 9112', () => {
  it.each([
    ['requests for allowed hosts', get('a.test') + get('b.test') + get('a.test')],
    ['bodies with a length, whatever is in them', post('Content-Length: 35') + get('evil.test') + get('b.test')],
    ['chunks, whatever is in them', `${post('Transfer-Encoding: chunked')}23\r\n${get('evil.test')}\r\n0\r\n\r\n`],
    [
      'chunks with extensions and trailers',
      `${post('Transfer-Encoding: Chunked')}1;x=y\r\na\r\n0\r\nX: 1\r\n\r\n${get('b.test')}`,
    ],
    ['an empty line between requests', `${get('a.test')}\r\n${get('b.test')}`],
  ])('passes %s, however they are cut', (_what, text) => {
    const whole = new Client();
    expect([whole.send(text), whole.passed]).toEqual([MUST_WAIT, text]);
    const cut = new Client();
    for (const char of text) expect(cut.send(char)).toBe(MUST_WAIT);
    expect(cut.passed).toBe(text);
  });

  it.each([
    ['a request for another host', '', get('evil.test')],
    ['one without a host', '', 'GET / HTTP/1.1\r\n\r\n'],
    ['one after a body', `${post('Content-Length: 2')}ab`, get('evil.test')],
    ['one after chunks', `${post('Transfer-Encoding: chunked')}0\r\n\r\n`, get('evil.test')],
    ['one after a switch that was not', 'GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: h2c\r\n\r\n', get('evil.test')],
    ['a length and chunks', '', post('Content-Length: 1\r\nTransfer-Encoding: chunked')],
    ['two lengths', '', post('Content-Length: 1\r\nContent-Length: 2')],
    ['a length with a sign', '', post('Content-Length: +1')],
    ['codings that are not known', '', post('Transfer-Encoding: xchunked')],
    ['chunks of HTTP/1.0', '', 'POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['a CR alone', '', 'GET / HTTP/1.1\r\nX: 1\rHost: evil.test\r\nHost: a.test\r\n\r\n'],
    ['a chunk that is longer than it says', `${post('Transfer-Encoding: chunked')}1\r\na`, 'bc'],
    ['a chunk without a length', post('Transfer-Encoding: chunked'), 'x\r\n'],
    ['a line of a chunk without an end', post('Transfer-Encoding: chunked'), '1;'.padEnd(300, 'x')],
    ['a trailer that ends with an LF alone', `${post('Transfer-Encoding: chunked')}0\r\n`, '\n'],
    ['HTTP/2', get('a.test'), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('ends a connection at %s', (_what, before, text) => {
    const client = new Client();
    expect([client.send(before), client.send(text)]).toEqual([MUST_WAIT, MUST_END]);
    expect(client.passed).not.toContain('evil.test');
  });

  it('ends a connection whose client ends in the middle of a head', () => {
    const client = new Client();
    expect(client.send(get('a.test').slice(0, 20))).toBe(MUST_WAIT);
    client.hasEnded = true;
    expect(client.send('')).toBe(MUST_END);
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: WebSocket\r\n\r\n', 'HTTP/1.1 101 Switching', true],
    ['GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: WebSocket\r\n\r\n', 'HTTP/1.1 200 OK', false],
    ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 'HTTP/1.1 200 OK', true],
    ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 'HTTP/1.1 101 Switching', false],
  ])('holds what follows %j until the server says %j', (request, answer, isTunnel) => {
    const client = new Client();
    expect([client.send(`${request}\u0001\u0002`), client.passed]).toEqual([MUST_WAIT, request]);
    for (const byte of latin1(answer)) client.guard.answered(Uint8Array.of(byte), 1);
    expect(client.send('')).toBe(isTunnel ? MUST_WAIT : MUST_END);
    expect(client.passed).toBe(isTunnel ? `${request}\u0001\u0002` : request);
  });

  it('makes no tunnel of a later request', () => {
    const client = new Client();
    client.send(get('a.test'));
    client.guard.answered(latin1('HTTP/1.1 101 '), 13);
    client.send('GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\n\r\n');
    expect(client.send(get('evil.test'))).toBe(MUST_END);
  });
});
