import { EAGAIN, EINPROGRESS } from '@tsv/abi';
import { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { DnsForwarder, QUERY_TIMEOUT_MS } from './dns-forwarder.js';
import {
  DNS_RCODE_REFUSED,
  DNS_RCODE_SERVFAIL,
  DNS_TYPE_A,
  makeQuery,
  parseAnswers,
  parseQuestion,
} from './dns-message.js';
import {
  DNS_CONNECTION_COUNT_MAX,
  DNS_IDLE_MS,
  DnsStreamServer,
  framedMessage,
  type QueryHandler,
} from './dns-stream.js';
import { EgressPolicy } from './egress-policy.js';
import { StackUpstream } from './stack-upstream.js';

const FORWARDER = IpAddress.parse('127.0.0.53');
const SERVER = IpAddress.parse('10.0.0.2');
/** More than a datagram may carry. */
const ANSWER_COUNT = 400;

interface World {
  network: Network;
  stack: Stack;
  policy: EgressPolicy;
  forwarder: DnsForwarder;
}

/** A stack with a forwarder, and one whose DNS server at 10.0.0.2 answers over TCP by `handle`. */
function world(handle: QueryHandler): World {
  const network = new Network();
  const [stack, far] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable();
  stack.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24')] });
  far.addNic('eth0', cable[1], { addresses: [parsePrefix('10.0.0.2/24')] });
  new DnsStreamServer(far, SERVER, 53, handle);
  const policy = new EgressPolicy(stack, { allow: ['10.0.0.2:53', 'big.test'] });
  const forwarder = new DnsForwarder(stack, FORWARDER, policy, new StackUpstream(stack, new SocketAddress(SERVER, 53)));
  return { network, stack, policy, forwarder };
}

function bigAnswer(query: Uint8Array): Uint8Array {
  const records = Array.from({ length: ANSWER_COUNT }, (_, i) => {
    return [0xc0, 12, 0, DNS_TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, i >> 8, i & 0xff];
  });
  const response = Uint8Array.from([...query, ...records.flat()]);
  response.set([0x81, 0x80, 0, 1, ANSWER_COUNT >> 8, ANSWER_COUNT & 0xff], 2);
  return response;
}

function connected({ network, stack }: World): TcpSocket {
  const socket = new TcpSocket(stack, false);
  expect([0, -EINPROGRESS]).toContain(socket.connect(FORWARDER, 53));
  network.advance(10);
  return socket;
}

function send(socket: TcpSocket, bytes: Uint8Array): void {
  expect(socket.send(bytes, 0, bytes.length)).toBe(bytes.length);
}

/** What has come, message by message; null at the end of the stream. */
function received({ network }: World, socket: TcpSocket, waitMs = 50): (Uint8Array | null)[] {
  network.advance(waitMs);
  const bytes: number[] = [];
  const buffer = new Uint8Array(0x10000);
  const messages: (Uint8Array | null)[] = [];
  let len = 0;
  while ((len = socket.receive(buffer, 0, buffer.length)) > 0) bytes.push(...buffer.subarray(0, len));
  for (let at = 0; at < bytes.length; at += 2 + ((bytes[at]! << 8) | bytes[at + 1]!)) {
    messages.push(Uint8Array.from(bytes.slice(at + 2, at + 2 + ((bytes[at]! << 8) | bytes[at + 1]!))));
  }
  return len === -EAGAIN ? messages : [...messages, null];
}

const rcodes = (messages: (Uint8Array | null)[]): (number | undefined)[] => messages.map((m) => m?.[3] && m[3] & 0xf);
const query = (id: number, name: string): Uint8Array => framedMessage(makeQuery(id, name, DNS_TYPE_A)!);

describe('DNS over TCP, RFC 7766', () => {
  it('gives answers that no datagram could carry, and ties all of their addresses to the name', () => {
    const w = world((message, client) => {
      client.answer(bigAnswer(message));
      return true;
    });
    const socket = connected(w);
    send(socket, query(7, 'big.test'));
    const [response] = received(w, socket);
    expect([response![0], response![1]]).toEqual([0, 7]);
    expect(parseAnswers(response!, parseQuestion(response!)!).addresses).toHaveLength(ANSWER_COUNT);
    expect(w.policy.names.names(IpAddress.parse('198.51.1.143'), w.stack.nowMs)).toContain('big.test');
  });

  it('answers a query that comes in pieces, and several that come at once, section 6.2.1.1', () => {
    const w = world((message, client) => {
      client.answer(bigAnswer(message));
      return true;
    });
    const socket = connected(w);
    const bytes = query(1, 'big.test');
    for (const byte of bytes) {
      send(socket, Uint8Array.of(byte));
      w.network.advance(1);
    }
    send(socket, Uint8Array.from([...query(2, 'big.test'), ...query(3, 'no.test'), ...query(4, 'big.test')]));
    const ids = received(w, socket, 500).map((message) => message![1]!);
    expect(ids.sort((a, b) => a - b)).toEqual([1, 2, 3, 4]);
  });

  it('refuses thousands in a row without a deeper stack', () => {
    const w = world(() => true);
    const socket = connected(w);
    const refused = query(5, 'no.test');
    const all = new Uint8Array(2000 * refused.length);
    for (let i = 0; i < 2000; i++) all.set(refused, i * refused.length);
    let count = 0;
    for (let sent = 0; sent < all.length;) {
      sent += Math.max(0, socket.send(all, sent, all.length - sent));
      count += rcodes(received(w, socket)).filter((code) => code === DNS_RCODE_REFUSED).length;
    }
    expect(count).toBe(2000);
  });

  it('tells a failure when the server does not answer', () => {
    const w = world(() => true);
    const socket = connected(w);
    send(socket, query(9, 'big.test'));
    w.network.advance(QUERY_TIMEOUT_MS);
    expect(rcodes(received(w, socket))).toEqual([DNS_RCODE_SERVFAIL]);
    expect(w.forwarder.pendingCount).toBe(0);
  });

  it.each([
    ['no header', [0, 5, 1, 2, 3, 4, 5]],
    ['more than a query has', [0xff, 0xff, 0]],
  ])('ends a connection over which comes what is no query: %s', (_, bytes) => {
    const w = world(() => true);
    const socket = connected(w);
    send(socket, Uint8Array.from(bytes));
    expect(received(w, socket)).toEqual([null]);
  });

  it('ends idle connections, section 6.2.3, and those beyond its limit', () => {
    const w = world(() => true);
    const sockets = Array.from({ length: DNS_CONNECTION_COUNT_MAX }, () => connected(w));
    const late = connected(w);
    expect(received(w, late)).toEqual([null]);
    expect(received(w, sockets[0]!)).toEqual([]);
    w.network.advance(DNS_IDLE_MS);
    expect(sockets.map((socket) => received(w, socket))).toEqual(sockets.map(() => [null]));
    expect(received(w, connected(w))).toEqual([]);
  });

  it('forgets a client that has gone before its answer', () => {
    const waiting: (() => void)[] = [];
    const w = world((message, client) => {
      waiting.push(() => client.answer(bigAnswer(message)));
      return true;
    });
    const socket = connected(w);
    send(socket, query(1, 'big.test'));
    w.network.advance(20);
    socket.close();
    w.network.advance(20);
    for (const answer of waiting) answer();
    w.network.advance(20);
    expect([waiting.length, w.forwarder.pendingCount]).toEqual([1, 0]);
  });
});
