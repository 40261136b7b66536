import {
  EAGAIN,
  ECONNREFUSED,
  EHOSTUNREACH,
  EMSGSIZE,
  ENETUNREACH,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  MSG_TRUNC,
  SOL_IP,
  IP_TTL,
  IP_RECVERR,
} from '@tsv/abi';
import type { Nic } from './net/nic.js';
import { AddressState } from './net/nic-address.js';
import { RTN_BLACKHOLE } from './net/route-table.js';
import { PingSocket } from './socket/ping-socket.js';
import { RawSocket } from './socket/raw-socket.js';
import { SocketAddress, ReceiveInfo } from './socket/socket-address.js';
import { UdpSocket } from './socket/udp-socket.js';
import type { Stack } from './stack.js';
import { type CableEnd, type CableOptions, Network } from './testing/network.js';
import { parseLinkAddress } from './wire/ethernet.js';
import { ICMP_ECHO, ICMP_TIME_EXCEEDED, storeIcmp } from './wire/icmpv4.js';
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from './wire/icmpv6.js';
import { IpAddress, parsePrefix } from './wire/ip-address.js';

const MACS = [parseLinkAddress('02:00:00:00:00:01'), parseLinkAddress('02:00:00:00:00:02')] as const;

interface Pair {
  network: Network;
  a: Stack;
  b: Stack;
  nicA: Nic;
  nicB: Nic;
  cable: [CableEnd, CableEnd];
}

function pair(options: CableOptions = {}): Pair {
  const network = new Network();
  const [a, b] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable(options);
  const nicA = a.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24'), parsePrefix('fd00::1/64')] });
  const nicB = b.addNic('eth0', cable[1], { addresses: [parsePrefix('10.0.0.2/24'), parsePrefix('fd00::2/64')] });
  return { network, a, b, nicA, nicB, cable };
}

function at(text: string, port: number): SocketAddress {
  return new SocketAddress(IpAddress.parse(text), port);
}

function bytesOf(len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => (i * 31) >>> 2);
}

describe.each([
  ['bare IP', {}],
  ['Ethernet', { linkAddresses: MACS }],
] as [string, CableOptions][])('two stacks over %s', (_, options) => {
  it.each(['10.0.0.2', 'fd00::2'])('exchange UDP datagrams with %s', (address) => {
    const { network, a, b } = pair(options);
    const server = new UdpSocket(b, true);
    expect(server.bind(IpAddress.parse('::'), 53)).toBe(0);
    const client = new UdpSocket(a, true);
    expect(client.send(bytesOf(100), 0, 100, at(address, 53))).toBe(100);
    network.advance(10);
    const buffer = new Uint8Array(200);
    const from = new SocketAddress();
    expect(server.receive(buffer, 0, 200, 0, from, null)).toBe(100);
    expect(buffer.subarray(0, 100)).toEqual(bytesOf(100));
    expect(server.send(buffer, 0, 50, from)).toBe(50);
    network.advance(10);
    expect(client.receive(buffer, 0, 200, 0, from, null)).toBe(50);
    expect(`${String(from.address)} ${from.port}`).toBe(`${address} 53`);
    expect(client.receive(buffer, 0, 200, 0, null, null)).toBe(-EAGAIN);
  });

  it.each(['10.0.0.2', 'fd00::2'])('carry a datagram of 60,000 bytes in fragments to %s', (address) => {
    const { network, a, b, cable } = pair(options);
    const server = new UdpSocket(b, true);
    server.bind(IpAddress.parse('::'), 53);
    const client = new UdpSocket(a, true);
    expect(client.send(bytesOf(60_000), 0, 60_000, at(address, 53))).toBe(60_000);
    network.advance(10);
    const buffer = new Uint8Array(65_536);
    expect(server.receive(buffer, 0, 65_536, 0, null, null)).toBe(60_000);
    expect(Buffer.compare(buffer.subarray(0, 60_000), bytesOf(60_000))).toBe(0);
    const headerBytes = options.linkAddresses === undefined ? 0 : 14;
    expect(Math.max(...cable[0].sent.map((packet) => packet.length))).toBeLessThanOrEqual(1500 + headerBytes);
    expect([b.ipv4.reassembler.count, b.ipv6.reassembler.count]).toEqual([0, 0]);
  });

  it.each(['10.0.0.2', 'fd00::2'])('report a closed port of %s to a connected socket', (address) => {
    const { network, a } = pair(options);
    const client = new UdpSocket(a, true);
    expect(client.connect(IpAddress.parse(address), 9, 0)).toBe(0);
    expect(client.send(bytesOf(10), 0, 10, null)).toBe(10);
    network.advance(10);
    expect(client.receive(new Uint8Array(1), 0, 1, 0, null, null)).toBe(-ECONNREFUSED);
  });

  it.each([
    ['10.0.0.2', false, ICMP_ECHO, 0],
    ['fd00::2', true, ICMPV6_ECHO_REQUEST, ICMPV6_ECHO_REPLY],
  ] as const)('answer a ping of %s', (address, isIpv6, request, reply) => {
    const { network, a } = pair(options);
    const socket = new PingSocket(a, isIpv6);
    const message = bytesOf(64);
    storeIcmp(message, 0, request, 0, 0x1234_0007);
    expect(socket.send(message, 0, 64, at(address, 0))).toBe(64);
    network.advance(10);
    const buffer = new Uint8Array(100);
    const info = new ReceiveInfo();
    expect(socket.receive(buffer, 0, 100, 0, null, info)).toBe(64);
    expect([buffer[0], buffer[7], info.hopLimit]).toEqual([reply, 7, 64]);
    expect(buffer.subarray(8, 64)).toEqual(message.subarray(8));
    expect((buffer[4]! << 8) | buffer[5]!).toBe(socket.localPort);
  });
});

describe('Stack', () => {
  it('delivers to its own addresses by the loopback interface', () => {
    const { a, cable } = pair();
    const server = new UdpSocket(a, false);
    server.bind(IpAddress.parse('0.0.0.0'), 53);
    const client = new UdpSocket(a, false);
    const from = new SocketAddress();
    const buffer = new Uint8Array(10);
    for (const [to, source] of [
      ['127.0.0.1', '127.0.0.1'],
      ['10.0.0.1', '10.0.0.1'],
      ['127.3.4.5', '127.0.0.1'],
    ] as const) {
      expect(client.send(bytesOf(5), 0, 5, at(to, 53))).toBe(5);
      expect(server.receive(buffer, 0, 10, 0, from, null)).toBe(5);
      expect(from.address.toString()).toBe(source);
    }
    expect(cable[0].sent.filter((packet) => packet[0] === 0x45 && packet[9] === 17)).toEqual([]);
  });

  it('has no way to where no route leads', () => {
    const { a } = pair();
    const client = new UdpSocket(a, true);
    expect(client.send(bytesOf(5), 0, 5, at('192.0.2.1', 53))).toBe(-ENETUNREACH);
    expect(client.send(bytesOf(5), 0, 5, at('2001:db8::1', 53))).toBe(-ENETUNREACH);
  });

  it('reports a neighbour that does not answer, after three requests', () => {
    const { network, a, cable } = pair({ linkAddresses: MACS });
    const client = new UdpSocket(a, false);
    client.connect(IpAddress.parse('10.0.0.99'), 53, 0);
    client.send(bytesOf(5), 0, 5, null);
    network.advance(2_900);
    expect(client.receive(new Uint8Array(1), 0, 1, 0, null, null)).toBe(-EAGAIN);
    network.advance(200);
    expect(client.receive(new Uint8Array(1), 0, 1, 0, null, null)).toBe(-EHOSTUNREACH);
    expect(cable[0].sent.filter((frame) => frame[12] === 8 && frame[13] === 6)).toHaveLength(3);
  });

  it('refuses a packet that does not fit and must not be fragmented', () => {
    const { a } = pair();
    const client = new UdpSocket(a, false);
    client.setOption(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    expect(client.send(bytesOf(1473), 0, 1473, at('10.0.0.2', 53))).toBe(-EMSGSIZE);
    expect(client.send(bytesOf(1472), 0, 1472, at('10.0.0.2', 53))).toBe(1472);
  });

  it('tells the whole length of a datagram that was cut', () => {
    const { a } = pair();
    const socket = new UdpSocket(a, false);
    socket.bind(IpAddress.parse('127.0.0.1'), 53);
    socket.send(bytesOf(100), 0, 100, at('127.0.0.1', 53));
    const info = new ReceiveInfo();
    expect(socket.receive(new Uint8Array(10), 0, 10, MSG_TRUNC, null, info)).toBe(100);
    expect(info.msgFlags).toBe(MSG_TRUNC);
  });

  it('gives raw sockets the packet with its header', () => {
    const { network, a, b } = pair();
    const raw = new RawSocket(b, false, 17);
    const client = new UdpSocket(a, false);
    client.send(bytesOf(7), 0, 7, at('10.0.0.2', 5));
    network.advance(1);
    const buffer = new Uint8Array(100);
    expect(raw.receive(buffer, 0, 100, 0, null, null)).toBe(35);
    expect([buffer[0], buffer[9]]).toEqual([0x45, 17]);
  });

  it('gives link-local IPv6 addresses after duplicate address detection', () => {
    const network = new Network();
    const [a, b] = [network.stack(), network.stack()];
    const cable = network.cable({ linkAddresses: [MACS[0], MACS[0]] });
    const [nicA, nicB] = [a.addNic('eth0', cable[0]), b.addNic('eth0', cable[1])];
    expect(nicA.addresses[0]!.state).toBe(AddressState.TENTATIVE);
    network.advance(5_000);
    // Both have the same Ethernet address: who asked first has the address.
    const states = [nicA.addresses[0]!.state, nicB.addresses[0]!.state];
    expect(nicA.addresses[0]!.address.toString()).toBe('fe80::ff:fe00:1');
    expect(states.sort()).toEqual([AddressState.PREFERRED, AddressState.DUPLICATE]);
  });
});

describe('Nic', () => {
  const routesOf = (stack: Stack, nic: Nic): string[] =>
    stack.routes.routes
      .filter(({ nicId }) => nicId === nic.id)
      .map(({ destination }) => `${String(destination.address)}/${String(destination.prefixLen)}`)
      .sort();

  it('loses its routes and IPv6 addresses when it goes down, and gets the routes to its prefixes back', () => {
    const { a, nicA } = pair();
    a.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: nicA.id, gateway: IpAddress.parse('10.0.0.2') });
    expect(routesOf(a, nicA)).toStrictEqual(['0.0.0.0/0', '10.0.0.0/24', 'fd00::/64']);
    nicA.down();
    expect(routesOf(a, nicA)).toStrictEqual([]);
    expect(nicA.addresses.map(({ address }) => String(address))).toStrictEqual(['10.0.0.1']);
    nicA.addAddress(parsePrefix('fd01::1/64'));
    expect(routesOf(a, nicA)).toStrictEqual([]);
    nicA.up();
    expect(routesOf(a, nicA)).toStrictEqual(['10.0.0.0/24', 'fd01::/64']);
  });

  it('keeps routes that lead nowhere, whether it is up or down', () => {
    const { a, nicA } = pair();
    a.routes.add({ destination: parsePrefix('10.9.0.0/16'), nicId: nicA.id, type: RTN_BLACKHOLE });
    nicA.down();
    expect(routesOf(a, nicA)).toStrictEqual(['10.9.0.0/16']);
  });

  it('has the loopback addresses again when it is the loopback interface', () => {
    const { a } = pair();
    a.loopback.down();
    a.loopback.up();
    expect(a.loopback.addresses.map(({ address }) => String(address))).toStrictEqual(['127.0.0.1', '::1']);
  });

  it('counts what wants frames for others once for itself, however often it is set', () => {
    const { nicA } = pair();
    nicA.promiscuity++;
    nicA.isPromiscuous = true;
    nicA.isPromiscuous = true;
    expect(nicA.promiscuity).toBe(2);
    nicA.isPromiscuous = false;
    nicA.isPromiscuous = false;
    expect(nicA.promiscuity).toBe(1);
  });
});

describe('a router between two stacks', () => {
  function routed(options: CableOptions = {}): { network: Network; a: Stack; r: Stack; b: Stack; far: CableEnd } {
    const network = new Network();
    const [a, r, b] = [0, 1, 2].map(() => network.stack({ dadTransmits: 0 })) as [Stack, Stack, Stack];
    const near = network.cable();
    const far = network.cable(options);
    const nicA = a.addNic('eth0', near[0], { addresses: [parsePrefix('10.0.1.1/24'), parsePrefix('fd01::1/64')] });
    r.addNic('eth0', near[1], { addresses: [parsePrefix('10.0.1.254/24'), parsePrefix('fd01::fe/64')] });
    r.addNic('eth1', far[0], { addresses: [parsePrefix('10.0.2.254/24'), parsePrefix('fd02::fe/64')] });
    const nicB = b.addNic('eth0', far[1], { addresses: [parsePrefix('10.0.2.1/24'), parsePrefix('fd02::1/64')] });
    for (const [stack, nic, net] of [
      [a, nicA, 1],
      [b, nicB, 2],
    ] as const) {
      stack.routes.add({
        destination: parsePrefix('0.0.0.0/0'),
        nicId: nic.id,
        gateway: IpAddress.parse(`10.0.${net}.254`),
      });
      stack.routes.add({ destination: parsePrefix('::/0'), nicId: nic.id, gateway: IpAddress.parse(`fd0${net}::fe`) });
    }
    r.forwardsIpv4 = r.forwardsIpv6 = true;
    return { network, a, r, b, far: far[0] };
  }

  it.each(['10.0.2.1', 'fd02::1'])('forwards to %s and takes one off the hop limit', (address) => {
    const { network, a, b } = routed();
    const server = new UdpSocket(b, true);
    server.bind(IpAddress.parse('::'), 53);
    new UdpSocket(a, true).send(bytesOf(9), 0, 9, at(address, 53));
    network.advance(1);
    const info = new ReceiveInfo();
    expect(server.receive(new Uint8Array(9), 0, 9, 0, null, info)).toBe(9);
    expect(info.hopLimit).toBe(63);
  });

  it('reports a packet whose hops are used up, with IP_RECVERR', () => {
    const { network, a } = routed();
    const client = new UdpSocket(a, false);
    client.setOption(SOL_IP, IP_TTL, 1);
    client.setOption(SOL_IP, IP_RECVERR, 1);
    client.send(bytesOf(9), 0, 9, at('10.0.2.1', 33434));
    network.advance(1);
    const error = client.errors.shift()!;
    expect([error.errno, error.type, error.dstPort]).toEqual([EHOSTUNREACH, ICMP_TIME_EXCEEDED, 33434]);
    expect(`${String(error.offender)} ${String(error.dst)}`).toBe('10.0.1.254 10.0.2.1');
    expect(error.payload).toEqual(bytesOf(9));
  });

  it.each(['10.0.2.1', 'fd02::1'])('makes the sender learn the MTU of the path to %s', (address) => {
    const { network, a, b } = routed({ mtu: 1300 });
    const server = new UdpSocket(b, true);
    server.bind(IpAddress.parse('::'), 53);
    const client = new UdpSocket(a, true);
    client.setOption(SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    expect(client.send(bytesOf(1400), 0, 1400, at(address, 53))).toBe(1400);
    network.advance(1);
    expect(client.send(bytesOf(1400), 0, 1400, at(address, 53))).toBe(-EMSGSIZE);
    expect(client.send(bytesOf(1200), 0, 1200, at(address, 53))).toBe(1200);
    network.advance(1);
    expect(server.receive(new Uint8Array(2000), 0, 2000, 0, null, null)).toBe(1200);
  });

  it('fragments IPv4 packets that allow it', () => {
    const { network, a, b, far } = routed({ mtu: 576 });
    const server = new UdpSocket(b, true);
    server.bind(IpAddress.parse('::'), 53);
    new UdpSocket(a, false).send(bytesOf(1400), 0, 1400, at('10.0.2.1', 53));
    network.advance(1);
    const buffer = new Uint8Array(2000);
    expect(server.receive(buffer, 0, 2000, 0, null, null)).toBe(1400);
    expect(Buffer.compare(buffer.subarray(0, 1400), bytesOf(1400))).toBe(0);
    expect(Math.max(...far.sent.map((packet) => packet.length))).toBeLessThanOrEqual(576);
  });

  it('limits the errors that it sends to one host: a burst of six', () => {
    const { network, a, r } = routed();
    const client = new UdpSocket(a, false);
    client.setOption(SOL_IP, IP_TTL, 1);
    for (let i = 0; i < 20; i++) client.send(bytesOf(9), 0, 9, at('10.0.2.1', 33434));
    network.advance(1);
    expect(r.stats.icmpOutMsgs).toBe(6);
    network.advance(1000);
    client.send(bytesOf(9), 0, 9, at('10.0.2.1', 33434));
    client.send(bytesOf(9), 0, 9, at('10.0.2.1', 33434));
    network.advance(1);
    expect(r.stats.icmpOutMsgs).toBe(7);
  });
});
