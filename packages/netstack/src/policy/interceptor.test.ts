import { ECONNRESET, EINPROGRESS } from '@tsv/abi';
import { Netfilter } from '../filter/netfilter.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { type EgressOptions, EgressPolicy } from './egress-policy.js';
import { type TakenConnection, SNIFF_TIMEOUT_MS } from './interceptor.js';

const SITES = new Map([
  ['good.test', '198.51.100.1'],
  ['evil.test', '198.51.100.2'],
]);

/** A host whose connections a policy looks at, itself or on a router in front of it, and far away a server that echoes. */
class Office {
  readonly network = new Network();
  readonly client: Stack;
  readonly guard: Stack;
  readonly far: Stack;
  readonly policy: EgressPolicy;
  readonly netfilter: Netfilter;
  readonly #servers: TcpSocket[] = [];
  readonly #listener: TcpSocket;
  serverCount = 0;
  serverBytes = 0;

  constructor(hasRouter: boolean, options: EgressOptions) {
    const { network } = this;
    this.far = network.stack({ dadTransmits: 0 });
    this.guard = network.stack({ dadTransmits: 0 });
    const cable = network.cable({ delayMs: 1 });
    const nic = this.guard.addNic('eth0', cable[0], { addresses: [parsePrefix('192.0.2.1/24')] });
    this.guard.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nic.id });
    const farNic = this.far.addNic('eth0', cable[1], {
      addresses: [...SITES.values()].map((text) => parsePrefix(`${text}/32`)),
    });
    this.far.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: farNic.id });
    this.client = this.guard;
    if (hasRouter) {
      this.client = network.stack({ dadTransmits: 0 });
      const inner = network.cable({ delayMs: 1 });
      this.guard.addNic('eth1', inner[0], { addresses: [parsePrefix('10.0.0.254/24')] });
      const own = this.client.addNic('eth0', inner[1], { addresses: [parsePrefix('10.0.0.1/24')] });
      this.client.routes.add({
        destination: parsePrefix('0.0.0.0/0'),
        nicId: own.id,
        gateway: IpAddress.parse('10.0.0.254'),
      });
      this.guard.forwardsIpv4 = true;
    }
    this.netfilter = new Netfilter(this.guard);
    this.policy = new EgressPolicy(this.guard, options);
    this.netfilter.policy = this.policy;
    this.guard.filter = this.netfilter;
    for (const [name, address] of SITES) this.policy.names.add(IpAddress.parse(address), name, 60, this.guard.nowMs);
    this.#listener = new TcpSocket(this.far, false);
    this.#listener.bind(IpAddress.parse('0.0.0.0'), 80);
    this.#listener.listen(16);
  }

  connect(site: string): TcpSocket {
    const socket = new TcpSocket(this.client, false);
    expect([0, -EINPROGRESS]).toContain(socket.connect(IpAddress.parse(SITES.get(site)!), 80));
    this.run();
    return socket;
  }

  /** Lets the network move, and the server echo. */
  run(ms = 50): void {
    const buffer = new Uint8Array(65_536);
    for (let i = 0; i < ms; i++) {
      this.network.advance(1);
      for (let next = this.#listener.accept(); typeof next !== 'number'; next = this.#listener.accept()) {
        this.#servers.push(next);
        this.serverCount++;
      }
      for (const server of this.#servers) {
        const len = server.receive(buffer, 0, buffer.length);
        if (len > 0) this.serverBytes += len;
        if (len > 0) server.send(buffer, 0, len);
        if (len === 0) server.close();
      }
    }
  }

  close(): void {
    this.policy.close();
    this.#listener.close();
    for (const server of this.#servers) server.close();
    this.network.advance(600_000);
    for (const stack of this.network.stacks) expect([stack.tcp.connections.count, stack.timers.count]).toEqual([0, 0]);
  }
}

function send(socket: TcpSocket, text: string): void {
  expect(socket.send(new TextEncoder().encode(text), 0, text.length)).toBe(text.length);
}

function receive(socket: TcpSocket): string | number {
  const buffer = new Uint8Array(65_536);
  const len = socket.receive(buffer, 0, buffer.length);
  return len < 0 ? len : new TextDecoder().decode(buffer.subarray(0, len));
}

const request = (host: string): string => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

describe.each([
  ['on the host', false],
  ['on a router', true],
])('EgressPolicy that inspects, %s', (_name, hasRouter) => {
  it('carries on what is allowed by name, from its first byte, and ends it as it ends', () => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const socket = office.connect('good.test');
    expect(office.serverCount).toBe(0);
    send(socket, request('good.test').slice(0, 20));
    office.run();
    expect(office.serverCount).toBe(0);
    send(socket, request('good.test').slice(20));
    office.run();
    expect(receive(socket)).toBe(request('good.test'));
    send(socket, request('good.test'));
    office.run();
    expect([office.serverCount, receive(socket)]).toEqual([1, request('good.test')]);
    socket.shutdown(1);
    office.run();
    expect(receive(socket)).toBe('');
    socket.close();
    office.close();
  });

  it.each([
    ['a name that is not allowed', 'evil.test', 'evil.test'],
    ['an allowed name at an address that it did not resolve to', 'evil.test', 'good.test'],
    ['a name that is not allowed at an address that is', 'good.test', 'evil.test'],
  ])('resets %s, and nothing of it goes out', (_what, site, host) => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const socket = office.connect(site);
    send(socket, request(host));
    office.run();
    expect([receive(socket), office.serverCount]).toEqual([-ECONNRESET, 0]);
    socket.close();
    office.close();
  });

  it.each([
    ['', request('evil.test')],
    ['more of the body', request('evil.test')],
    ['', 'GET / HTTP/1.1\r\n\r\n'],
  ])('resets at a later request that is for another host, after a body %j: %j', (body, text) => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const socket = office.connect('good.test');
    const first = request('good.test').replace('\r\n\r\n', `\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    send(socket, first + request('good.test'));
    office.run();
    expect(receive(socket)).toBe(first + request('good.test'));
    send(socket, text);
    office.run();
    expect([receive(socket), office.serverBytes]).toEqual([-ECONNRESET, first.length + request('good.test').length]);
    socket.close();
    office.close();
  });

  it.each([
    ['speaks another protocol', 'SSH-2.0-x\r\n'],
    ['names no host', 'GET / HTTP/1.0\r\n\r\n'],
    ['begins with an empty line', `\r\n${request('good.test')}`],
    ['names two hosts', 'GET / HTTP/1.1\r\nHost: good.test\r\nHost: evil.test\r\n\r\n'],
  ])('resets who %s, unless the address is allowed', (_what, text) => {
    for (const [entry, isAllowed] of [
      ['good.test', false],
      ['198.51.100.1', true],
    ] as const) {
      const office = new Office(hasRouter, { allow: [entry], inspect: [80] });
      const socket = office.connect('good.test');
      send(socket, text);
      office.run();
      expect(receive(socket)).toBe(isAllowed ? text : -ECONNRESET);
      socket.close();
      office.close();
    }
  });

  it('asks the hook about each host on a connection', () => {
    const asked: unknown[] = [];
    const office = new Office(hasRouter, {
      inspect: [80],
      onFlow: ({ httpHost }) => {
        asked.push(httpHost);
        return { action: httpHost === 'third.test' ? 'deny' : 'allow' };
      },
    });
    const socket = office.connect('good.test');
    for (const host of ['good.test', 'good.test', 'second.test']) {
      send(socket, request(host));
      office.run();
      expect(receive(socket)).toBe(request(host));
    }
    send(socket, request('third.test'));
    office.run();
    expect([receive(socket), asked]).toEqual([-ECONNRESET, ['good.test', 'second.test', 'third.test']]);
    socket.close();
    office.close();
  });

  it('resets who says nothing', () => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const socket = office.connect('good.test');
    office.network.advance(SNIFF_TIMEOUT_MS + 1000);
    expect([receive(socket), office.serverCount]).toEqual([-ECONNRESET, 0]);
    socket.close();
    office.close();
  });

  it('ends connections that are no longer allowed when the lists change', () => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const socket = office.connect('good.test');
    send(socket, request('good.test'));
    office.run();
    expect(receive(socket)).toBe(request('good.test'));
    office.policy.setLists(['other.test'], [], office.netfilter.conntrack);
    office.network.advance(2_000);
    expect(receive(socket)).toBe(-ECONNRESET);
    socket.close();
    office.close();
  });

  it('asks the hook twice, the second time with what the client asked for', () => {
    const asked: unknown[] = [];
    const office = new Office(hasRouter, {
      onFlow: ({ serverName, httpHost, names, dstPort }) => {
        asked.push([serverName, httpHost, names[0], dstPort]);
        return { action: asked.length === 1 ? 'inspect' : 'allow' };
      },
    });
    const socket = office.connect('evil.test');
    send(socket, request('evil.test'));
    office.run();
    expect([asked, receive(socket)]).toEqual([
      [
        [null, null, 'evil.test', 80],
        [null, 'evil.test', 'evil.test', 80],
      ],
      request('evil.test'),
    ]);
    socket.close();
    office.close();
  });

  it('hands a connection to the program', () => {
    const taken: TakenConnection[] = [];
    const accept = (connection: TakenConnection): void => void taken.push(connection);
    const office = new Office(hasRouter, { onFlow: () => ({ action: 'take-over', accept }) });
    const socket = office.connect('evil.test');
    send(socket, 'hello');
    office.run();
    const [connection] = taken;
    expect([taken.length, connection!.address.toString(), connection!.port]).toEqual([1, '198.51.100.2', 80]);
    expect(receive(connection!.socket)).toBe('hello');
    send(connection!.socket, 'from here');
    office.run();
    expect([receive(socket), office.serverCount]).toEqual(['from here', 0]);
    socket.close();
    connection!.socket.close();
    office.close();
  });

  it('limits the rate of a connection', () => {
    const office = new Office(hasRouter, { onFlow: () => ({ action: 'limit', bytesPerSec: 100_000, burstBytes: 0 }) });
    const socket = office.connect('good.test');
    let sent = 0;
    const startMs = office.network.clock.monotonicMs();
    for (let round = 0; round < 2_000 && office.serverBytes < 300_000; round++) {
      if (sent < 300_000) sent += Math.max(0, socket.send(new Uint8Array(10_000), 0, Math.min(10_000, 300_000 - sent)));
      office.run(10);
    }
    expect(office.serverBytes).toBe(300_000);
    // Less the burst, at 100 kB a second, which what comes back takes its part of.
    const seconds = (office.network.clock.monotonicMs() - startMs) / 1000;
    expect(seconds).toBeGreaterThan(2.3);
    socket.close();
    office.run();
    office.close();
  });

  it('refuses who connects to its port', () => {
    const office = new Office(hasRouter, { allow: ['good.test'], inspect: [80] });
    const first = office.connect('good.test');
    const port = [...office.netfilter.conntrack.flows()][0]!.reply.tuple.srcPort;
    const socket = new TcpSocket(office.client, false);
    socket.connect(IpAddress.parse(hasRouter ? '10.0.0.254' : '127.0.0.1'), port);
    office.run();
    expect(receive(socket)).toBe(-ECONNRESET);
    first.close();
    socket.close();
    office.close();
  });
});
