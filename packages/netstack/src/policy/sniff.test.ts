import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { CLIENT_HELLO_BYTES_MAX, sniffServerName } from './client-hello.js';
import { sniffHttpHost } from './http-head.js';

/** The first bytes that Node's TLS client sends. */
function realHello(servername: string | undefined): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Uint8Array) => {
        const hello = Uint8Array.from(chunk);
        setImmediate(() => {
          tls.destroy();
          resolve(hello);
        });
      },
    });
    const tls = connect({ socket, ...(servername === undefined ? {} : { servername }) });
    tls.on('error', () => undefined);
  });
}

/** Cuts a hello of one record into records of `len` bytes of handshake. */
function inRecords(hello: Uint8Array, len: number): Uint8Array {
  const out: number[] = [];
  for (let at = 5; at < hello.length; at += len) {
    const part = hello.subarray(at, at + len);
    out.push(22, 3, 1, part.length >> 8, part.length & 0xff, ...part);
  }
  return Uint8Array.from(out);
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));

describe('sniffServerName', () => {
  it('finds the name in the hello of a real client, however it is cut', async () => {
    const hello = await realHello('www.Example.COM');
    const found = { kind: 'found', name: 'www.example.com' };
    expect(sniffServerName(hello, hello.length)).toEqual(found);
    for (let len = 0; len < hello.length; len++) expect(sniffServerName(hello, len)).toEqual({ kind: 'more' });
    for (const len of [1, 7, 100]) {
      const cut = inRecords(hello, len);
      expect(sniffServerName(cut, cut.length)).toEqual(found);
    }
  });

  it('says when there is none', async () => {
    const hello = await realHello(undefined);
    expect(sniffServerName(hello, hello.length)).toEqual({ kind: 'found', name: null });
  });

  it.each([
    ['HTTP', latin1('GET / HTTP/1.1\r\n')],
    ['an empty record', Uint8Array.of(22, 3, 1, 0, 0)],
    ['a record that is too long', Uint8Array.of(22, 3, 1, 0x40, 1)],
    ['another handshake message', Uint8Array.of(22, 3, 1, 0, 4, 2, 0, 0, 0)],
    ['a hello that is too long', Uint8Array.of(22, 3, 1, 0, 4, 1, 1, 0, 0)],
  ])('is %s: something else', (_name, bytes) => {
    expect(sniffServerName(bytes, bytes.length)).toEqual({ kind: 'other' });
  });

  it('survives any bytes in a hello, and never asks for more than it looks at', async () => {
    const hello = await realHello('example.com');
    const edit = fc.record({ at: fc.nat(hello.length - 1), byte: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 8 }), fc.nat(hello.length), (edits, len) => {
        const bytes = new Uint8Array(CLIENT_HELLO_BYTES_MAX + 100);
        bytes.set(hello.subarray(0, len));
        for (const { at, byte } of edits) bytes[at] = byte;
        const { kind } = sniffServerName(bytes, len);
        expect(['more', 'other', 'found']).toContain(kind);
        expect(sniffServerName(bytes, bytes.length).kind).not.toBe('more');
      }),
      { numRuns: 2000, seed: 11 },
    );
  });
});

describe('sniffHttpHost', () => {
  it.each([
    ['GET / HTTP/1.1\r\nHost: Example.com\r\n\r\n', 'example.com'],
    ['POST /x HTTP/1.1\r\nAccept: */*\r\nhost:a.test:8080\r\n\r\nbody', 'a.test'],
    ['GET / HTTP/1.0\r\n\r\n', null],
    ['GET / HTTP/1.1\nHost: example.com.\n\n', 'example.com'],
    ['GET / HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n', null],
    ['GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n', null],
    ['GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n', 'a.test'],
    ['CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n', 'a.test'],
  ])('%j: %s', (text, name) => {
    const bytes = latin1(text);
    expect(sniffHttpHost(bytes, bytes.length)).toEqual({ kind: 'found', name });
  });

  it.each([
    'GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n',
    'GET / HTTP/1.1\r\nHost : a.test\r\n\r\n',
    'GET / HTTP/1.1\r\nX: 1\r\n Host: a.test\r\n\r\n',
    'GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
    'GET / HTTP/2.0\r\n\r\n',
    'get / HTTP/1.1\r\n\r\n',
    'GET  / HTTP/1.1\r\n\r\n',
    '\u0016\u0003\u0001',
    'SSH-2.0-OpenSSH',
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  ])('%j: something else, or to be read in two ways', (text) => {
    const bytes = latin1(text);
    expect(sniffHttpHost(bytes, bytes.length)).toEqual({ kind: 'other' });
  });

  it('asks for more until the head ends, but not for ever', () => {
    const text = latin1('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
    for (let len = 0; len < text.length; len++) expect(sniffHttpHost(text, len)).toEqual({ kind: 'more' });
    const long = latin1(`GET / HTTP/1.1\r\n${'X: 1\r\n'.repeat(4000)}`);
    expect(sniffHttpHost(long, long.length)).toEqual({ kind: 'other' });
  });

  it('survives any bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const bytes = latin1(`GET / HTTP/1.1\r\nHost: ${text}\r\n\r\n`);
        expect(['more', 'other', 'found']).toContain(sniffHttpHost(bytes, bytes.length).kind);
      }),
      { numRuns: 1000, seed: 5 },
    );
  });
});
