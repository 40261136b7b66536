import {
  EADDRINUSE,
  EAGAIN,
  EALREADY,
  ECONNREFUSED,
  ECONNRESET,
  EHOSTUNREACH,
  EINPROGRESS,
  EISCONN,
  ENOTCONN,
  EPIPE,
  ETIMEDOUT,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRNORM,
  SHUT_WR,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPCNT,
  TCP_MAXSEG,
} from '@tsv/abi';
import { WaitEntry } from '@tsv/waiter';
import { SocketAddress } from './socket-address.js';
import { TcpSocket } from './tcp-socket.js';
import type { Stack } from '../stack.js';
import { type CableOptions, Network } from '../testing/network.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const READ = POLLIN | POLLRDNORM;
const WRITE = POLLOUT | POLLWRNORM;
const ANY = IpAddress.parse('::');

function pair(options: CableOptions = {}, seed = 1): { network: Network; a: Stack; b: Stack } {
  const network = new Network(seed);
  const [a, b] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable(options);
  a.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24'), parsePrefix('fd00::1/64')] });
  b.addNic('eth0', cable[1], { addresses: [parsePrefix('10.0.0.2/24'), parsePrefix('fd00::2/64')] });
  return { network, a, b };
}

function listener(stack: Stack, port = 80, backlog = 16): TcpSocket {
  const socket = new TcpSocket(stack, true);
  expect(socket.bind(ANY, port)).toBe(0);
  expect(socket.listen(backlog)).toBe(0);
  return socket;
}

function connected(
  network: Network,
  a: Stack,
  b: Stack,
  address = '10.0.0.2',
): { client: TcpSocket; server: TcpSocket } {
  const listening = listener(b);
  const client = new TcpSocket(a, true);
  expect(client.connect(IpAddress.parse(address), 80)).toBe(-EINPROGRESS);
  expect(network.until(() => (listening.readiness() & POLLIN) !== 0)).toBe(true);
  const server = listening.accept();
  if (typeof server === 'number') throw new Error(`accept: ${server}`);
  expect(network.until(() => (client.readiness() & POLLOUT) !== 0)).toBe(true);
  listening.close();
  return { client, server };
}

function pattern(len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => (i * 31 + (i >>> 8)) & 0xff);
}

/** Sends all of `bytes` from one socket to the other and returns what arrived. */
function transfer(network: Network, from: TcpSocket, to: TcpSocket, bytes: Uint8Array): Uint8Array {
  const got = new Uint8Array(bytes.length);
  let [sent, received] = [0, 0];
  const done = network.until(() => {
    for (;;) {
      const n = sent < bytes.length ? from.send(bytes, sent, bytes.length - sent) : 0;
      const m = received < got.length ? to.receive(got, received, got.length - received) : 0;
      if (n > 0) sent += n;
      if (m > 0) received += m;
      if (n <= 0 && m <= 0) break;
    }
    return received === bytes.length;
  }, 3_600_000);
  expect([done, sent, received]).toEqual([true, bytes.length, bytes.length]);
  return got;
}

describe('TcpSocket', () => {
  it.each(['10.0.0.2', 'fd00::2'])('connects to %s and carries bytes both ways', (address) => {
    const { network, a, b } = pair();
    const { client, server } = connected(network, a, b, address);
    const bytes = pattern(1_000_000);
    expect(Buffer.compare(transfer(network, client, server, bytes), bytes)).toBe(0);
    expect(Buffer.compare(transfer(network, server, client, bytes), bytes)).toBe(0);
    const name = new SocketAddress();
    client.getPeerName(name);
    expect(`${String(name.address)} ${name.port}`).toBe(`${address} 80`);
  });

  it('goes through the calls of a connect that waits', () => {
    const { network, a, b } = pair({ delayMs: 5 });
    listener(b);
    const client = new TcpSocket(a, false);
    expect(client.readiness()).toBe(WRITE | POLLHUP);
    expect(client.connect(IpAddress.parse('10.0.0.2'), 80)).toBe(-EINPROGRESS);
    expect([client.readiness(), client.connect(IpAddress.parse('10.0.0.2'), 80)]).toEqual([0, -EALREADY]);
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(-EAGAIN);
    network.advance(20);
    expect(client.readiness()).toBe(WRITE);
    expect(client.connect(IpAddress.parse('10.0.0.2'), 80)).toBe(-EISCONN);
  });

  it('connects by the loopback interface within the call', () => {
    const { a } = pair();
    const listening = listener(a);
    const client = new TcpSocket(a, false);
    expect(client.connect(IpAddress.parse('127.0.0.1'), 80)).toBe(0);
    const server = listening.accept() as TcpSocket;
    const bytes = pattern(60_000);
    expect(client.send(bytes, 0, 60_000)).toBeGreaterThan(0);
    expect(server.receive(new Uint8Array(10), 0, 10)).toBe(10);
  });

  it('is refused by a closed port', () => {
    const { network, a } = pair({ delayMs: 1 });
    const client = new TcpSocket(a, false);
    client.connect(IpAddress.parse('10.0.0.2'), 81);
    network.advance(10);
    expect(client.readiness()).toBe(POLLERR | POLLHUP | READ | POLLRDHUP | WRITE);
    expect(client.connect(IpAddress.parse('10.0.0.2'), 81)).toBe(-ECONNREFUSED);
    listener(a, 81);
    expect(client.connect(IpAddress.parse('10.0.0.1'), 81)).toBe(0);
  });

  it('gives up on a host that does not answer', () => {
    const { network, a } = pair({ loss: 1 });
    const client = new TcpSocket(a, false);
    client.connect(IpAddress.parse('10.0.0.2'), 80);
    network.advance(126_000);
    expect(client.takeError()).toBe(0);
    network.advance(2_000);
    expect(client.takeError()).toBe(-ETIMEDOUT);
  });

  it('says at once that there is no such neighbour', () => {
    const network = new Network();
    const a = network.stack();
    const macs = [new Uint8Array([2, 0, 0, 0, 0, 1]), new Uint8Array([2, 0, 0, 0, 0, 2])] as const;
    a.addNic('eth0', network.cable({ linkAddresses: macs })[0], { addresses: [parsePrefix('10.0.0.1/24')] });
    const client = new TcpSocket(a, false);
    client.connect(IpAddress.parse('10.0.0.2'), 80);
    network.advance(3_100);
    expect(client.takeError()).toBe(-EHOSTUNREACH);
  });

  it('ends a stream with shutdown, and both ends with close', () => {
    const { network, a, b } = pair();
    const { client, server } = connected(network, a, b);
    client.send(pattern(10), 0, 10);
    client.shutdown(SHUT_WR);
    network.advance(10);
    expect(client.send(pattern(1), 0, 1)).toBe(-EPIPE);
    expect(server.readiness()).toBe(READ | POLLRDHUP | WRITE);
    const buffer = new Uint8Array(20);
    expect([server.receive(buffer, 0, 20), server.receive(buffer, 0, 20)]).toEqual([10, 0]);
    expect(server.send(pattern(5), 0, 5)).toBe(5);
    server.close();
    network.advance(10);
    expect([client.receive(buffer, 0, 20), client.receive(buffer, 0, 20)]).toEqual([5, 0]);
    expect(client.readiness() & POLLHUP).toBe(POLLHUP);
    client.close();
    network.advance(120_000);
    expect([a.tcp.connections.count, b.tcp.connections.count, a.timers.count, b.timers.count]).toEqual([0, 0, 0, 0]);
  });

  it('resets a connection that is closed with unread text', () => {
    const { network, a, b } = pair();
    const { client, server } = connected(network, a, b);
    client.send(pattern(10), 0, 10);
    network.advance(1);
    server.close();
    network.advance(1);
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(-ECONNRESET);
    expect(client.receive(new Uint8Array(1), 0, 1)).toBe(0);
  });

  it('tells waiters of each arrival', () => {
    const { network, a, b } = pair();
    const { client, server } = connected(network, a, b);
    class Recorder extends WaitEntry {
      readonly masks: number[] = [];
      notified(mask: number): void {
        this.masks.push(mask);
      }
    }
    const recorder = new Recorder();
    server.waiters.add(recorder, POLLIN);
    for (let i = 0; i < 3; i++) {
      client.send(pattern(1), 0, 1);
      network.advance(100);
    }
    expect(recorder.masks).toEqual([READ, READ, READ]);
  });

  it('keeps a port from others, but for SO_REUSEADDR in TIME_WAIT and SO_REUSEPORT', () => {
    const { network, a, b } = pair();
    const { client, server } = connected(network, a, b);
    server.close();
    network.advance(10);
    client.close();
    network.advance(10);
    const plain = new TcpSocket(b, true);
    expect(plain.bind(ANY, 80)).toBe(-EADDRINUSE);
    const first = new TcpSocket(b, true);
    first.setOption(SOL_SOCKET, SO_REUSEADDR, 1);
    first.setOption(SOL_SOCKET, SO_REUSEPORT, 1);
    expect(first.bind(ANY, 81)).toBe(0);
    first.listen(1);
    const second = new TcpSocket(b, true);
    second.setOption(SOL_SOCKET, SO_REUSEADDR, 1);
    expect(second.bind(ANY, 81)).toBe(-EADDRINUSE);
    second.setOption(SOL_SOCKET, SO_REUSEPORT, 1);
    expect(second.bind(ANY, 81)).toBe(0);
  });

  it('lets a server start again while its old connections live, with SO_REUSEADDR', () => {
    const { network, a, b } = pair();
    const start = (): TcpSocket => {
      const socket = new TcpSocket(b, true);
      socket.setOption(SOL_SOCKET, SO_REUSEADDR, 1);
      expect([socket.bind(ANY, 80), socket.listen(4)]).toEqual([0, 0]);
      return socket;
    };
    const first = start();
    const client = new TcpSocket(a, false);
    client.connect(IpAddress.parse('10.0.0.2'), 80);
    network.advance(10);
    const server = first.accept() as TcpSocket;
    first.close();
    start();
    server.send(pattern(3), 0, 3);
    network.advance(10);
    expect(client.receive(new Uint8Array(9), 0, 9)).toBe(3);
  });

  it('uses segments that fit the path', () => {
    const { network, a, b } = pair({ mtu: 1300 });
    const { client } = connected(network, a, b);
    expect(client.getOption(SOL_TCP, TCP_MAXSEG)).toBe(1300 - 40 - 12);
    expect(new TcpSocket(a, false).receive(new Uint8Array(1), 0, 1)).toBe(-ENOTCONN);
  });
});

describe('TCP over a bad line', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('loses nothing and leaves nothing behind, seed %i', (seed) => {
    const weather = { delayMs: 5, jitterMs: 8, loss: 0.05, duplicate: 0.02, corrupt: 0.02 };
    const { network, a, b } = pair(weather, seed);
    const { client, server } = connected(network, a, b, seed % 2 === 0 ? 'fd00::2' : '10.0.0.2');
    const bytes = pattern(200_000);
    expect(Buffer.compare(transfer(network, client, server, bytes), bytes)).toBe(0);
    client.close();
    server.close();
    network.advance(400_000);
    const left = [a, b].map((stack) => [stack.tcp.connections.count, stack.timers.count]);
    expect([left, network.inFlightCount]).toEqual([
      [
        [0, 0],
        [0, 0],
      ],
      0,
    ]);
  });
});

describe('options of accepted sockets', () => {
  it.each([
    ['of the socket', SOL_SOCKET, SO_RCVLOWAT, 1],
    ['of TCP', SOL_TCP, TCP_KEEPCNT, 9],
  ])('%s are those that the listener had, and each has its own', (_, level, name, byDefault) => {
    const { network, a, b } = pair();
    const listening = listener(b);
    const accept = (): TcpSocket => {
      new TcpSocket(a, true).connect(IpAddress.parse('10.0.0.2'), 80);
      network.advance(1000);
      return listening.accept() as TcpSocket;
    };
    listening.setOption(level, name, 27);
    const [first, second] = [accept(), accept()];
    first.setOption(level, name, 28);
    listening.setOption(level, name, 29);
    const sockets = [first, second, listening, accept(), new TcpSocket(b, true)];
    expect(sockets.map((socket) => socket.getOption(level, name))).toEqual([28, 27, 29, 29, byDefault]);
  });
});

class Called extends WaitEntry {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  notified(): void {
    this.#run();
  }
}

function connectedToItself(stack: Stack, port: number): { client: TcpSocket; server: TcpSocket } {
  const listening = listener(stack, port);
  const client = new TcpSocket(stack, true);
  expect(client.connect(IpAddress.parse('10.0.0.1'), port)).toBe(0);
  const server = listening.accept();
  if (typeof server === 'number') throw new Error(`accept: ${server}`);
  return { client, server };
}

test('a send from a waiter of another socket hides no text that came in the same batch', () => {
  const { a } = pair();
  const first = connectedToItself(a, 80);
  const second = connectedToItself(a, 81);
  let told = 0;
  first.client.waiters.add(new Called(() => second.client.send(pattern(1), 0, 1)), POLLIN);
  second.client.waiters.add(new Called(() => told++), POLLIN);
  a.enter();
  expect(first.server.send(pattern(1), 0, 1)).toBe(1);
  expect(second.server.send(pattern(1), 0, 1)).toBe(1);
  expect(told).toBe(0);
  a.leave();
  expect(second.client.readiness() & POLLIN).toBe(POLLIN);
  expect(told).toBe(1);
});
