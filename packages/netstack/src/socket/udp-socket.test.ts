import {
  EACCES,
  EADDRINUSE,
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EAGAIN,
  EDESTADDRREQ,
  EINVAL,
  EMSGSIZE,
  ENETUNREACH,
  ENOPROTOOPT,
  ENOTCONN,
  EPIPE,
  IP_MULTICAST_ALL,
  IP_MULTICAST_LOOP,
  IP_TTL,
  IPV6_MULTICAST_ALL,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  MSG_PEEK,
  POLLIN,
  SHUT_WR,
  SO_BROADCAST,
  SO_RCVBUF,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from '@tsv/abi';
import { EPHEMERAL_PORT_MAX, EPHEMERAL_PORT_MIN } from './port-table.js';
import { LinkSocketAddress, PACKET_BROADCAST, PACKET_HOST, PACKET_OUTGOING, PacketSocket } from './packet-socket.js';
import { ReceiveInfo, SocketAddress } from './socket-address.js';
import { UdpSocket } from './udp-socket.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { ETH_P_ALL, ETH_P_ARP, parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const MACS = [parseLinkAddress('02:00:00:00:00:01'), parseLinkAddress('02:00:00:00:00:02')] as const;

function pair(): { network: Network; a: Stack; b: Stack; sentByA: Uint8Array[] } {
  const network = new Network();
  const [a, b] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
  const cable = network.cable({ linkAddresses: MACS });
  a.addNic('eth0', cable[0], { addresses: [parsePrefix('10.0.0.1/24'), parsePrefix('fd00::1/64')] });
  b.addNic('eth0', cable[1], { addresses: [parsePrefix('10.0.0.2/24'), parsePrefix('fd00::2/64')] });
  return { network, a, b, sentByA: cable[0].sent };
}

function at(text: string, port: number): SocketAddress {
  return new SocketAddress(IpAddress.parse(text), port);
}

const BYTE = Uint8Array.of(7);
const receive = (socket: UdpSocket): number => socket.receive(new Uint8Array(100), 0, 100, 0, null, null);

describe('UdpSocket', () => {
  it('gives out ephemeral ports and keeps them apart', () => {
    const { a } = pair();
    const ports = Array.from({ length: 50 }, () => {
      const socket = new UdpSocket(a, false);
      expect(socket.bind(IpAddress.parse('0.0.0.0'), 0)).toBe(0);
      return socket.localPort;
    });
    expect(new Set(ports).size).toBe(50);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(EPHEMERAL_PORT_MIN);
    expect(Math.max(...ports)).toBeLessThanOrEqual(EPHEMERAL_PORT_MAX);
  });

  it.each`
    first                                             | second                                            | result
    ${['0.0.0.0', false]}                             | ${['0.0.0.0', false]}                             | ${-EADDRINUSE}
    ${['0.0.0.0', false]}                             | ${['10.0.0.1', false]}                            | ${-EADDRINUSE}
    ${['127.0.0.1', false]}                           | ${['10.0.0.1', false]}                            | ${0}
    ${['::', true]}                                   | ${['0.0.0.0', false]}                             | ${-EADDRINUSE}
    ${['::', true, [SOL_IPV6, IPV6_V6ONLY]]}          | ${['0.0.0.0', false]}                             | ${0}
    ${['0.0.0.0', false]}                             | ${['::', true, [SOL_IPV6, IPV6_V6ONLY]]}          | ${0}
    ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEADDR]]} | ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEADDR]]} | ${0}
    ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEADDR]]} | ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEPORT]]} | ${-EADDRINUSE}
    ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEPORT]]} | ${['0.0.0.0', false, [SOL_SOCKET, SO_REUSEPORT]]} | ${0}
  `('bind($first), then bind($second): $result', ({ first, second, result }: BindRow) => {
    const { a } = pair();
    const results = [first, second].map(([address, isIpv6, option]) => {
      const socket = new UdpSocket(a, isIpv6);
      if (option !== undefined) socket.setOption(option[0], option[1], 1);
      return socket.bind(IpAddress.parse(address), 53);
    });
    expect(results).toEqual([0, result]);
  });

  it('refuses what it cannot do', () => {
    const { a } = pair();
    const socket = new UdpSocket(a, false);
    expect(socket.bind(IpAddress.parse('::'), 1)).toBe(-EAFNOSUPPORT);
    expect(socket.bind(IpAddress.parse('192.0.2.1'), 1)).toBe(-EADDRNOTAVAIL);
    expect([socket.send(BYTE, 0, 1, null), socket.send(BYTE, 0, 1, at('10.0.0.2', 0))]).toEqual([
      -EDESTADDRREQ,
      -EINVAL,
    ]);
    expect(socket.send(BYTE, 0, 1, at('10.0.0.255', 9))).toBe(-EACCES);
    expect([socket.shutdown(SHUT_WR), socket.getPeerName(new SocketAddress())]).toEqual([-ENOTCONN, -ENOTCONN]);
    const only6 = new UdpSocket(a, true);
    only6.setOption(SOL_IPV6, IPV6_V6ONLY, 1);
    expect(only6.send(BYTE, 0, 1, at('10.0.0.2', 9))).toBe(-ENETUNREACH);
    expect([socket.bind(IpAddress.parse('0.0.0.0'), 5), socket.bind(IpAddress.parse('0.0.0.0'), 6)]).toEqual([
      0,
      -EINVAL,
    ]);
    socket.connect(IpAddress.parse('10.0.0.2'), 9, 0);
    socket.shutdown(SHUT_WR);
    expect(socket.send(BYTE, 0, 1, null)).toBe(-EPIPE);
  });

  it('hears only its peer when connected, and prefers the connected socket', () => {
    const { a } = pair();
    const [wild, connected] = [new UdpSocket(a, false), new UdpSocket(a, false)];
    for (const socket of [wild, connected]) {
      socket.setOption(SOL_SOCKET, SO_REUSEADDR, 1);
      socket.bind(IpAddress.parse('0.0.0.0'), 53);
    }
    const [peer, other] = [new UdpSocket(a, false), new UdpSocket(a, false)];
    peer.bind(IpAddress.parse('127.0.0.1'), 1000);
    connected.connect(IpAddress.parse('127.0.0.1'), 1000, 0);
    peer.send(BYTE, 0, 1, at('127.0.0.1', 53));
    other.send(BYTE, 0, 1, at('127.0.0.1', 53));
    expect([connected.queuedCount, wild.queuedCount]).toEqual([1, 1]);
  });

  it('spreads flows over the sockets of a SO_REUSEPORT group, each flow to one', () => {
    const { a } = pair();
    const group = [0, 1, 2, 3].map(() => {
      const socket = new UdpSocket(a, false);
      socket.setOption(SOL_SOCKET, SO_REUSEPORT, 1);
      socket.bind(IpAddress.parse('0.0.0.0'), 53);
      return socket;
    });
    for (let i = 0; i < 60; i++) {
      const before = group.map((socket) => socket.queuedCount);
      const client = new UdpSocket(a, false);
      for (let n = 0; n < 2; n++) client.send(BYTE, 0, 1, at('127.0.0.1', 53));
      const grown = group.map((socket, index) => socket.queuedCount - before[index]!);
      expect(grown.filter((count) => count > 0)).toEqual([2]);
    }
    expect(group.filter((socket) => socket.queuedCount > 0)).toHaveLength(4);
  });

  it('drops what does not fit the receive buffer, and counts it', () => {
    const { a } = pair();
    const socket = new UdpSocket(a, false);
    socket.setOption(SOL_SOCKET, SO_RCVBUF, 1);
    socket.bind(IpAddress.parse('127.0.0.1'), 53);
    for (let i = 0; i < 100; i++) socket.send(BYTE, 0, 1, at('127.0.0.1', 53));
    expect(socket.queuedCount).toBeGreaterThan(0);
    expect(socket.queuedCount + socket.droppedCount).toBe(100);
    expect(socket.droppedCount).toBeGreaterThan(90);
  });

  it.each([
    [SOL_IP, IP_TTL, 64, 5],
    [SOL_IPV6, IPV6_UNICAST_HOPS, 64, 5],
    [SOL_IP, IP_MULTICAST_LOOP, 1, 0],
    [SOL_SOCKET, SO_BROADCAST, 0, 1],
  ])('keeps option %i %i, at first %i', (level, name, first, second) => {
    const socket = new UdpSocket(pair().a, true);
    expect(socket.getOption(level, name)).toBe(first);
    expect([socket.setOption(level, name, second), socket.getOption(level, name)]).toEqual([0, second]);
    expect([socket.getOption(level, 9999), socket.setOption(level, 9999, 1)]).toEqual([-ENOPROTOOPT, -ENOPROTOOPT]);
  });

  it('peeks', () => {
    const { a } = pair();
    const socket = new UdpSocket(a, false);
    socket.bind(IpAddress.parse('127.0.0.1'), 53);
    socket.send(BYTE, 0, 1, at('127.0.0.1', 53));
    expect(socket.receive(new Uint8Array(9), 0, 9, MSG_PEEK, null, null)).toBe(1);
    expect([receive(socket), receive(socket)]).toEqual([1, -EAGAIN]);
  });

  it('broadcasts, to itself as well', () => {
    const { network, a, b } = pair();
    const [own, far] = [a, b].map((stack) => {
      const socket = new UdpSocket(stack, false);
      socket.bind(IpAddress.parse('0.0.0.0'), 9);
      return socket;
    });
    own!.setOption(SOL_SOCKET, SO_BROADCAST, 1);
    for (const address of ['10.0.0.255', '255.255.255.255']) {
      expect(own!.send(BYTE, 0, 1, at(address, 9))).toBe(1);
      network.advance(10);
      expect([receive(own!), receive(far!)]).toEqual([1, 1]);
    }
  });

  it.each([
    ['239.1.2.3', '0.0.0.0', false],
    ['ff05::1234', '::', true],
  ] as const)('joins and leaves the group %s', (group, any, isIpv6) => {
    const { network, a, b, sentByA } = pair();
    const [sender, far] = [new UdpSocket(a, isIpv6), new UdpSocket(b, isIpv6)];
    far.bind(IpAddress.parse(any), 9);
    far.setOption(SOL_IP, IP_MULTICAST_ALL, 0);
    if (isIpv6) far.setOption(SOL_IPV6, IPV6_MULTICAST_ALL, 0);
    const send = (): number => {
      sender.send(BYTE, 0, 1, at(group, 9));
      network.advance(10);
      return receive(far);
    };
    expect(send()).toBe(-EAGAIN);
    expect([far.joinGroup(IpAddress.parse(group), 0), far.joinGroup(IpAddress.parse(group), 0)]).toEqual([
      0,
      -EADDRINUSE,
    ]);
    expect(send()).toBe(1);
    expect([far.leaveGroup(IpAddress.parse(group), 0), far.leaveGroup(IpAddress.parse(group), 0)]).toEqual([
      0,
      -EADDRNOTAVAIL,
    ]);
    expect(send()).toBe(-EAGAIN);
    expect(sentByA.at(-1)![0]! & 1).toBe(1);
  });

  it('hears its own multicast unless IP_MULTICAST_LOOP is off', () => {
    const { a } = pair();
    const socket = new UdpSocket(a, false);
    socket.bind(IpAddress.parse('0.0.0.0'), 9);
    socket.joinGroup(IpAddress.parse('239.1.2.3'), 0);
    socket.send(BYTE, 0, 1, at('239.1.2.3', 9));
    expect(receive(socket)).toBe(1);
    socket.setOption(SOL_IP, IP_MULTICAST_LOOP, 0);
    socket.send(BYTE, 0, 1, at('239.1.2.3', 9));
    expect(receive(socket)).toBe(-EAGAIN);
  });
});

describe('PacketSocket', () => {
  it('sees frames that come and go, with their kind', () => {
    const { network, a, b } = pair();
    network.advance(10_000); // The reports of multicast groups are over.
    const tap = new PacketSocket(b, false, ETH_P_ALL);
    new UdpSocket(a, false).send(BYTE, 0, 1, at('10.0.0.2', 9));
    network.advance(10);
    const [from, buffer] = [new LinkSocketAddress(), new Uint8Array(2000)];
    const seen: string[] = [];
    for (let len = 0; (len = tap.receive(buffer, 0, 2000, 0, from)) > 0;) {
      seen.push(`${from.packetType} ${from.protocol.toString(16)} ${len}`);
    }
    expect(seen).toEqual([
      `${PACKET_BROADCAST} 806 42`,
      `${PACKET_OUTGOING} 806 42`,
      `${PACKET_HOST} 800 43`,
      `${PACKET_OUTGOING} 800 71`,
    ]);
  });

  it('takes one protocol of one interface without the header, and sends', () => {
    const { network, a, b } = pair();
    const [tap, source] = [new PacketSocket(b, true, 0), new PacketSocket(a, false, ETH_P_ALL)];
    expect([tap.bind(2, 0x88b5), source.bind(2, 0)]).toEqual([0, 0]);
    const frame = Uint8Array.from([...MACS[1], ...MACS[0], 0x88, 0xb5, 1, 2, 3]);
    expect(source.send(frame, 0, frame.length, null)).toBe(17);
    network.advance(10);
    expect(tap.readiness() & POLLIN).toBe(POLLIN);
    const [buffer, from] = [new Uint8Array(20), new LinkSocketAddress()];
    expect(tap.receive(buffer, 0, 20, 0, from)).toBe(3);
    expect([...from.linkAddress]).toEqual([...MACS[0]]);
    expect(tap.receive(buffer, 0, 20, 0, from)).toBe(-EAGAIN);
    expect(ETH_P_ARP).toBe(0x806);
  });
});

type BindCall = [address: string, isIpv6: boolean, option?: [number, number]];
interface BindRow {
  first: BindCall;
  second: BindCall;
  result: number;
}

describe('UdpSocket, several datagrams at once: UDP_SEGMENT and UDP_GRO of udp(7)', () => {
  function lengths(socket: UdpSocket): number[] {
    const [buffer, info] = [new Uint8Array(70_000), new ReceiveInfo()];
    const found: number[] = [];
    for (;;) {
      const n = socket.receive(buffer, 0, buffer.length, 0, null, info);
      if (n < 0) return found;
      found.push(n, info.segmentBytes);
    }
  }

  it.each([
    ['10.0.0.1', false, [1000, 0, 1000, 0, 500, 0]],
    ['10.0.0.1', true, [2500, 1000]],
    ['10.0.0.2', true, [1000, 0, 1000, 0, 500, 0]],
    ['fd00::2', false, [1000, 0, 1000, 0, 500, 0]],
  ])('to %s, taken whole %s', (to, takesSegments, expected) => {
    const { network, a, b } = pair();
    const far = new UdpSocket(to === '10.0.0.1' ? a : b, true);
    far.bind(IpAddress.parse('::'), 9);
    far.takesSegments = takesSegments;
    const text = Uint8Array.from({ length: 2500 }, (_, i) => i);
    expect(new UdpSocket(a, true).send(text, 0, 2500, at(to, 9), 1000)).toBe(2500);
    network.advance(10);
    expect(lengths(far)).toEqual(expected);
  });

  it('refuses more than 64, and what does not fit the path', () => {
    const socket = new UdpSocket(pair().a, false);
    const send = (len: number, segmentBytes: number): number =>
      socket.send(new Uint8Array(len), 0, len, at('10.0.0.2', 9), segmentBytes);
    expect([send(640, 10), send(641, 10), send(3000, 1472), send(3000, 1473)]).toEqual([640, -EINVAL, 3000, -EMSGSIZE]);
  });
});
