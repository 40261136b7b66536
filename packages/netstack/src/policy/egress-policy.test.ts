import { EHOSTUNREACH, EINPROGRESS, POLLOUT } from '@tsv/abi';
import fc from 'fast-check';
import { DnsForwarder, QUERY_TIMEOUT_MS, StackUpstream } from './dns-forwarder.js';
import {
  DNS_RCODE_REFUSED,
  DNS_RCODE_SERVFAIL,
  DNS_TYPE_A,
  makeQuery,
  parseAddresses,
  parseQuestion,
} from './dns-message.js';
import { EgressPolicy, type EgressOptions } from './egress-policy.js';
import { Netfilter } from '../filter/netfilter.js';
import { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

interface Office {
  network: Network;
  stack: Stack;
  far: Stack;
  policy: EgressPolicy;
  netfilter: Netfilter;
  forwarder: DnsForwarder;
}

const ZONE = new Map([
  ['example.com', '198.51.100.1'],
  ['api.example.com', '198.51.100.2'],
  ['evil.test', '198.51.100.3'],
]);

/** A stack with a policy, and one far away that has all addresses, a web server, and a DNS server. */
function office(options: EgressOptions): Office {
  const network = new Network();
  const [stack, far] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable();
  const nic = stack.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24')] });
  stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nic.id, gateway: IpAddress.parse('10.0.0.2') });
  const addresses = ['10.0.0.2/24', '198.51.100.1/32', '198.51.100.2/32', '198.51.100.3/32'].map(parsePrefix);
  far.addNic('eth0', cable[1], { addresses });
  const web = new TcpSocket(far, false);
  web.bind(IpAddress.parse('0.0.0.0'), 443);
  web.listen(16);
  serveZone(far);
  const policy = new EgressPolicy(stack, { ...options, allow: ['10.0.0.2:53', ...(options.allow ?? [])] });
  const netfilter = new Netfilter(stack);
  netfilter.policy = policy;
  stack.filter = netfilter;
  const upstream = new StackUpstream(stack, new SocketAddress(IpAddress.parse('10.0.0.2'), 53));
  const forwarder = new DnsForwarder(stack, IpAddress.parse('127.0.0.53'), policy, upstream);
  return { network, stack, far, policy, netfilter, forwarder };
}

/** Answers from ZONE whenever the network moves. */
function serveZone(stack: Stack): void {
  const socket = new UdpSocket(stack, false);
  socket.bind(IpAddress.parse('10.0.0.2'), 53);
  const answer = (): void => {
    const [buffer, from] = [new Uint8Array(512), new SocketAddress()];
    for (let len = 0; (len = socket.receive(buffer, 0, 512, 0, from, null)) > 0;) {
      const query = buffer.slice(0, len);
      const address = ZONE.get(parseQuestion(query)!.name);
      if (address === undefined) continue;
      const response = new Uint8Array(len + 16);
      response.set(query);
      response.set([0x81, 0x80, 0, 1, 0, 1], 2);
      response.set([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split('.').map(Number)], len);
      socket.send(response, 0, response.length, from);
    }
  };
  answers.push(answer);
}

let answers: (() => void)[] = [];
beforeEach(() => {
  answers = [];
});

/** Lets time pass with the zone's server at work. */
function settle(network: Network): void {
  for (let i = 0; i < 5; i++) {
    network.advance(5);
    for (const answer of answers) answer();
  }
}

function resolve({ network, stack }: Office, name: string): { rcode: number; addresses: string[] } | undefined {
  const socket = new UdpSocket(stack, false);
  const query = makeQuery(77, name, DNS_TYPE_A)!;
  socket.send(query, 0, query.length, new SocketAddress(IpAddress.parse('127.0.0.53'), 53));
  settle(network);
  const buffer = new Uint8Array(512);
  const len = socket.receive(buffer, 0, 512, 0, null, null);
  if (len < 0) return undefined;
  const response = buffer.slice(0, len);
  expect((response[0]! << 8) | response[1]!).toBe(77);
  const addresses = parseAddresses(response, parseQuestion(response)!).map(({ address }) => String(address));
  return { rcode: response[3]! & 0xf, addresses };
}

/** Connects and returns the socket, and the error that came of it. */
function connectTo({ network, stack }: Office, address: string, port = 443): { socket: TcpSocket; error: number } {
  const socket = new TcpSocket(stack, false);
  const result = socket.connect(IpAddress.parse(address), port);
  network.advance(10);
  return { socket, error: result === -EINPROGRESS ? socket.takeError() : result };
}

describe('EgressPolicy', () => {
  it('allows a domain once it was resolved, and nothing else', () => {
    const world = office({ allow: ['example.com', '*.example.com:443'] });
    expect(connectTo(world, '198.51.100.1').error).toBe(-EHOSTUNREACH);
    expect(resolve(world, 'EXAMPLE.com')).toEqual({ rcode: 0, addresses: ['198.51.100.1'] });
    expect(connectTo(world, '198.51.100.1').socket.readiness() & POLLOUT).toBe(POLLOUT);
    expect(resolve(world, 'api.example.com')?.addresses).toEqual(['198.51.100.2']);
    expect(connectTo(world, '198.51.100.2').error).toBe(0);
    expect(connectTo(world, '198.51.100.2', 80).error).toBe(-EHOSTUNREACH);
    expect(resolve(world, 'evil.test')).toEqual({ rcode: DNS_RCODE_REFUSED, addresses: [] });
    expect(connectTo(world, '198.51.100.3').error).toBe(-EHOSTUNREACH);
  });

  it('denies what is on both lists', () => {
    const world = office({ allow: ['198.51.100.0/24'], deny: ['198.51.100.3'] });
    expect(connectTo(world, '198.51.100.1').error).toBe(0);
    expect(connectTo(world, '198.51.100.3').error).toBe(-EHOSTUNREACH);
  });

  it('ends connections that new lists do not allow', () => {
    const world = office({ allow: ['198.51.100.0/24'] });
    const { socket } = connectTo(world, '198.51.100.1');
    expect(socket.send(new Uint8Array(1), 0, 1)).toBe(1);
    world.network.advance(50);
    expect(socket.endpoint!.sender.unsentBytes).toBe(0);
    const received = world.far.stats.ipInReceives;
    world.policy.setLists([], [], world.netfilter.conntrack);
    socket.send(new Uint8Array(1), 0, 1);
    world.network.advance(1_000);
    expect(world.far.stats.ipInReceives).toBe(received);
  });

  it('asks the hook, which may redirect', () => {
    const seen: string[] = [];
    const world = office({
      onFlow: ({ dst, dstPort, names, isOutgoing }) => {
        seen.push(`${String(dst)}:${dstPort} ${names.join()} ${isOutgoing}`);
        if (names.includes('evil.test')) return { action: 'deny' };
        return { action: 'redirect', address: IpAddress.parse('198.51.100.1'), port: 443 };
      },
    });
    resolve(world, 'evil.test');
    expect(connectTo(world, '198.51.100.3').error).toBe(-EHOSTUNREACH);
    const { socket } = connectTo(world, '192.0.2.1', 80);
    expect(socket.readiness() & POLLOUT).toBe(POLLOUT);
    const peer = new SocketAddress();
    socket.getPeerName(peer);
    expect([String(peer.address), seen]).toEqual([
      '192.0.2.1',
      ['198.51.100.3:443 evil.test true', '192.0.2.1:80  true'],
    ]);
  });

  it('answers for an upstream that does not', () => {
    const world = office({ allow: ['silent.test'] });
    const socket = new UdpSocket(world.stack, false);
    const query = makeQuery(77, 'silent.test', DNS_TYPE_A)!;
    socket.send(query, 0, query.length, new SocketAddress(IpAddress.parse('127.0.0.53'), 53));
    settle(world.network);
    expect(world.forwarder.pendingCount).toBe(1);
    world.network.advance(QUERY_TIMEOUT_MS);
    const buffer = new Uint8Array(512);
    expect(socket.receive(buffer, 0, 512, 0, null, null)).toBe(query.length);
    expect([buffer[3]! & 0xf, world.forwarder.pendingCount]).toEqual([DNS_RCODE_SERVFAIL, 0]);
  });

  it.each(['', 'a b', '1.2.3.4/33', 'a..b', 'example.com:70000', '[::1', '*.*.com'])(
    'refuses the entry "%s"',
    (entry) => {
      expect(() => new EgressPolicy(new Network().stack(), { allow: [entry] })).toThrow('Cannot parse');
    },
  );
});

describe('parseQuestion and parseAddresses', () => {
  it('never throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isPlausible) => {
        const message = isPlausible ? Uint8Array.from([...makeQuery(1, 'a.b', 1)!, ...bytes]) : bytes;
        if (isPlausible) message[7] = 3;
        const question = parseQuestion(message);
        if (question !== undefined) expect(parseAddresses(message, question).length).toBeLessThanOrEqual(256);
      }),
    );
  });

  it('refuse pointers that point at themselves or forward', () => {
    for (const target of [12, 14]) {
      const message = new Uint8Array(20);
      message.set([0, 0, 1, 0, 0, 1], 0);
      message.set([0xc0, target, 0, 1, 0, 1], 12);
      expect(parseQuestion(message)).toBeUndefined();
    }
  });
});
