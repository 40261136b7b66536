import { EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINPROGRESS, POLLOUT } from '@tsv/abi';
import fc from 'fast-check';
import { DnsForwarder, QUERY_TIMEOUT_MS } from './dns-forwarder.js';
import { StackUpstream } from './stack-upstream.js';
import {
  DNS_RCODE_REFUSED,
  DNS_RCODE_SERVFAIL,
  DNS_HEADER_BYTES,
  DNS_TYPE_A,
  DNS_TYPE_AAAA,
  DNS_TYPE_CNAME,
  makeQuery,
  parseAnswers,
  parseQuestion,
} from './dns-message.js';
import { EgressPolicy, type EgressOptions } from './egress-policy.js';
import { GRACE_MS, NAME_COUNT_MAX } from './name-cache.js';
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
  ['twin.test', '198.51.100.3'],
  ['six.test', 'fd00:6::1'],
]);
/** Names that are aliases of others. */
const ALIASES = new Map([
  ['www.test', 'cdn.test'],
  ['cdn.test', 'evil.test'],
]);

/** A stack with a policy, and one far away that has all addresses, a web server, and a DNS server. */
function office(options: EgressOptions): Office {
  const network = new Network();
  const [stack, far] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable();
  const nic = stack.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24')] });
  stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nic.id, gateway: IpAddress.parse('10.0.0.2') });
  stack.routes.add({ destination: parsePrefix('::/0'), nicId: nic.id, gateway: IpAddress.parse('fd00::2') });
  nic.addAddress(parsePrefix('fd00::1/64'));
  const far4 = ['10.0.0.2/24', '198.51.100.1/32', '198.51.100.2/32', '198.51.100.3/32'];
  const far6 = ['fd00::2/64', 'fd00:6::1/128', 'fd00:7::1/128', 'fd00:7::2/128'];
  const addresses = [...far4, ...far6].map(parsePrefix);
  far.addNic('eth0', cable[1], { addresses });
  const web = new TcpSocket(far, true);
  web.bind(IpAddress.parse('::'), 443);
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
      const response = answerTo(query);
      if (response === undefined) continue;
      socket.send(response, 0, response.length, from);
    }
  };
  answers.push(answer);
}

/** What the zone says to a query, the aliases on the way first; undefined if it says nothing. */
function answerTo(query: Uint8Array): Uint8Array | undefined {
  const { name, type } = parseQuestion(query)!;
  const records: number[][] = [];
  let owner = name;
  for (let alias = ALIASES.get(owner); alias !== undefined; alias = ALIASES.get(owner)) {
    records.push(record(owner, DNS_TYPE_CNAME, encodedName(alias)));
    owner = alias;
  }
  const address = ZONE.get(owner);
  if (address === undefined) return undefined;
  const bytes = new Uint8Array(type === DNS_TYPE_A ? 4 : 16);
  const parsed = IpAddress.parse(address);
  if (type === DNS_TYPE_A) parsed.storeIpv4(bytes, 0);
  else parsed.storeIpv6(bytes, 0);
  records.push(record(owner, type, [...bytes]));
  const response = Uint8Array.from([...query, ...records.flat()]);
  response.set([0x81, 0x80, 0, 1, 0, records.length], 2);
  return response;
}

function record(owner: string, type: number, data: readonly number[]): number[] {
  return [...encodedName(owner), 0, type, 0, 1, 0, 0, 0, TTL_SEC, 0, data.length, ...data];
}

function encodedName(name: string): number[] {
  return [...makeQuery(0, name, DNS_TYPE_A)!.subarray(DNS_HEADER_BYTES, -4)];
}

const TTL_SEC = 60;

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

function resolve(
  { network, stack }: Office,
  name: string,
  type = DNS_TYPE_A,
): { rcode: number; addresses: string[] } | undefined {
  const socket = new UdpSocket(stack, false);
  const query = makeQuery(77, name, type)!;
  socket.send(query, 0, query.length, new SocketAddress(IpAddress.parse('127.0.0.53'), 53));
  settle(network);
  const buffer = new Uint8Array(512);
  const len = socket.receive(buffer, 0, 512, 0, null, null);
  if (len < 0) return undefined;
  const response = buffer.slice(0, len);
  expect((response[0]! << 8) | response[1]!).toBe(77);
  const addresses = parseAnswers(response, parseQuestion(response)!).addresses.map(({ address }) => String(address));
  return { rcode: response[3]! & 0xf, addresses };
}

/** Connects and returns the socket, and the error that came of it. */
function connectTo({ network, stack }: Office, address: string, port = 443): { socket: TcpSocket; error: number } {
  const socket = new TcpSocket(stack, address.includes(':'));
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

  it('forgets what a name resolved to, some time after its TTL', () => {
    const world = office({ allow: ['example.com'] });
    resolve(world, 'example.com');
    world.network.advance(TTL_SEC * 1000 + GRACE_MS - 1000);
    expect(connectTo(world, '198.51.100.1').error).toBe(0);
    world.network.advance(1000);
    expect(connectTo(world, '198.51.100.1').error).toBe(-EHOSTUNREACH);
    resolve(world, 'example.com');
    expect(connectTo(world, '198.51.100.1').error).toBe(0);
  });

  it('allows what an allowed name is an alias of, and tells the hook the names on the way', () => {
    const world = office({ allow: ['www.test'] });
    expect(resolve(world, 'www.test')?.addresses).toEqual(['198.51.100.3']);
    expect(connectTo(world, '198.51.100.3').error).toBe(0);
    expect(world.policy.names.names(IpAddress.parse('198.51.100.3'), world.stack.nowMs)).toEqual([
      'cdn.test',
      'evil.test',
      'www.test',
    ]);
  });

  it.each(['evil.test', 'cdn.test', '*.test'])('gives no answer by way of %s, which is denied', (name) => {
    const world = office({ allow: ['www.test'], deny: [name] });
    expect(resolve(world, 'www.test')).toEqual({ rcode: DNS_RCODE_REFUSED, addresses: [] });
    expect(connectTo(world, '198.51.100.3').error).toBe(-EHOSTUNREACH);
  });

  it('denies an address that has a denied name too, however many others it has', () => {
    const world = office({ allow: ['198.51.100.0/24', 'evil.test', '*.test'], deny: ['evil.test:443'] });
    const address = IpAddress.parse('198.51.100.3');
    resolve(world, 'evil.test');
    resolve(world, 'twin.test');
    for (let n = 0; n < 2 * NAME_COUNT_MAX; n++) world.policy.names.add(address, `n${n}.test`, 600, world.stack.nowMs);
    expect(connectTo(world, '198.51.100.3').error).toBe(-EHOSTUNREACH);
    expect(connectTo(world, '198.51.100.3', 80).error).toBe(-ECONNREFUSED);
  });

  it('takes addresses of IPv6 as those of IPv4', () => {
    const world = office({ allow: ['six.test', '[fd00:7::]/64:443'], deny: ['[fd00:7::2]'] });
    const errors = (): number[] =>
      ['fd00:6::1', 'fd00:7::1', 'fd00:7::2'].map((address) => connectTo(world, address).error);
    expect(errors()).toEqual([-EHOSTUNREACH, 0, -EHOSTUNREACH]);
    expect(resolve(world, 'six.test', DNS_TYPE_AAAA)?.addresses).toEqual(['fd00:6::1']);
    expect(errors()).toEqual([0, 0, -EHOSTUNREACH]);
  });

  it.each([
    ['by name', 'example.com', [443], false],
    ['by name, where connections are not looked at', 'example.com', [], true],
    ['by address', '198.51.100.1', [443], true],
  ])('takes datagrams as QUIC to what is allowed %s: %s, looking at %j: %s', (_how, entry, inspect, isAllowed) => {
    const world = office({ allow: ['example.com:53', entry], inspect });
    resolve(world, 'example.com');
    const far = new UdpSocket(world.far, false);
    far.bind(IpAddress.parse('198.51.100.1'), 443);
    const socket = new UdpSocket(world.stack, false);
    socket.send(new Uint8Array(9), 0, 9, new SocketAddress(IpAddress.parse('198.51.100.1'), 443));
    settle(world.network);
    expect(far.receive(new Uint8Array(9), 0, 9, 0, null, null)).toBe(isAllowed ? 9 : -EAGAIN);
  });

  it('does not take an answer from another resolver for one of its own', () => {
    const world = office({ allow: ['example.com', '10.0.0.2:53'] });
    const socket = new UdpSocket(world.stack, false);
    const query = makeQuery(77, 'example.com', DNS_TYPE_A)!;
    socket.send(query, 0, query.length, new SocketAddress(IpAddress.parse('10.0.0.2'), 53));
    settle(world.network);
    expect(socket.receive(new Uint8Array(512), 0, 512, 0, null, null)).toBeGreaterThan(query.length);
    expect(connectTo(world, '198.51.100.1').error).toBe(-EHOSTUNREACH);
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

describe('parseQuestion and parseAnswers', () => {
  it('never throw, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, isPlausible) => {
        const message = isPlausible ? Uint8Array.from([...makeQuery(1, 'a.b', 1)!, ...bytes]) : bytes;
        if (isPlausible) message[7] = 3;
        const question = parseQuestion(message);
        if (question !== undefined) expect(parseAnswers(message, question).addresses.length).toBeLessThanOrEqual(256);
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
