import { EAGAIN, ECONNREFUSED, EHOSTUNREACH, EINPROGRESS, POLLIN } from '@tsv/abi';
import { CtState } from './conntrack.js';
import { FlowState, stateOnSegment } from './flow.js';
import { Netfilter } from './netfilter.js';
import { LimitMatch, MultiportMatch, PortMatch, StateMatch } from './matches.js';
import { Rule, type Target } from './rule.js';
import { RULE_COUNT_MAX } from './table.js';
import { ReceiveInfo, SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { ACK, FIN, RST, SYN } from '../tcp/segment.js';
import { Network } from '../testing/network.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';

interface Home {
  network: Network;
  /** A host behind the router, the router, and a server outside that has no route to the inside. */
  inside: Stack;
  router: Stack;
  outside: Stack;
  netfilter: Netfilter;
}

function home(farMtu = 1500): Home {
  const network = new Network();
  const [inside, router, outside] = [0, 1, 2].map(() => network.stack({ dadTransmits: 0 })) as [Stack, Stack, Stack];
  const [near, far] = [network.cable(), network.cable({ mtu: farMtu })];
  const nic = inside.addNic('eth0', near[0], { addresses: [parsePrefix('192.168.0.2/24'), parsePrefix('fd01::2/64')] });
  router.addNic('lan', near[1], { addresses: [parsePrefix('192.168.0.1/24'), parsePrefix('fd01::1/64')] });
  router.addNic('wan', far[0], { addresses: [parsePrefix('203.0.113.1/24'), parsePrefix('2001:db8::1/64')] });
  outside.addNic('eth0', far[1], { addresses: [parsePrefix('203.0.113.9/24'), parsePrefix('2001:db8::9/64')] });
  for (const [prefix, gateway] of [
    ['0.0.0.0/0', '192.168.0.1'],
    ['::/0', 'fd01::1'],
  ] as const) {
    inside.routes.add({ destination: parsePrefix(prefix), nicId: nic.id, gateway: IpAddress.parse(gateway) });
  }
  router.forwardsIpv4 = router.forwardsIpv6 = true;
  const netfilter = new Netfilter(router);
  router.filter = netfilter;
  for (const tables of [netfilter.ipv4, netfilter.ipv6]) {
    const target: Target = { kind: 'MASQUERADE', portMin: 0, portMax: 0 };
    tables.nat.insertRule('POSTROUTING', new Rule({ outInterface: 'wan' }, [], target));
  }
  return { network, inside, router, outside, netfilter };
}

function server(stack: Stack, port: number): TcpSocket {
  const socket = new TcpSocket(stack, true);
  socket.bind(IpAddress.parse('::'), port);
  socket.listen(16);
  return socket;
}

function udpServer(stack: Stack, port: number): UdpSocket {
  const socket = new UdpSocket(stack, true);
  socket.bind(IpAddress.parse('::'), port);
  return socket;
}

describe('Netfilter as a NAT router', () => {
  it.each([
    ['203.0.113.9', '203.0.113.1'],
    ['2001:db8::9', '2001:db8::1'],
  ])('hides who connects to %s behind %s', (address, seen) => {
    const { network, inside, outside, netfilter } = home();
    const listening = server(outside, 80);
    const client = new TcpSocket(inside, true);
    expect(client.connect(IpAddress.parse(address), 80)).toBe(-EINPROGRESS);
    network.advance(10);
    const accepted = listening.accept() as TcpSocket;
    const peer = new SocketAddress();
    accepted.getPeerName(peer);
    expect(peer.address.toString()).toBe(seen);
    client.send(new Uint8Array(100_000), 0, 100_000);
    network.advance(50);
    expect(accepted.receive(new Uint8Array(200_000), 0, 200_000)).toBeGreaterThan(10_000);
    accepted.send(new Uint8Array([1, 2]), 0, 2);
    network.advance(10);
    expect(client.receive(new Uint8Array(9), 0, 9)).toBe(2);
    expect(netfilter.conntrack.count).toBe(1);
    expect([...netfilter.conntrack.flows()][0]!.state).toBe(FlowState.ESTABLISHED);
  });

  it('gives two senders from one port different ports', () => {
    const { network, inside, outside } = home();
    inside.nic(2)!.addAddress(parsePrefix('192.168.0.3/24'));
    const far = udpServer(outside, 53);
    const to = new SocketAddress(IpAddress.parse('203.0.113.9'), 53);
    const senders = ['192.168.0.2', '192.168.0.3'].map((address) => {
      const socket = new UdpSocket(inside, false);
      socket.bind(IpAddress.parse(address), 5000);
      socket.send(Uint8Array.of(address.charCodeAt(10)), 0, 1, to);
      return socket;
    });
    network.advance(10);
    const from = new SocketAddress();
    const ports = new Set<number>();
    const byte = new Uint8Array(1);
    for (let i = 0; i < 2; i++) {
      expect(far.receive(byte, 0, 1, 0, from, null)).toBe(1);
      ports.add(from.port);
      far.send(byte, 0, 1, from);
    }
    expect(ports.size).toBe(2);
    network.advance(10);
    for (const [index, socket] of senders.entries()) {
      expect(socket.receive(byte, 0, 1, 0, from, null)).toBe(1);
      expect(String.fromCharCode(byte[0]!)).toBe(String(index + 2));
    }
  });

  it.each(['203.0.113.9', '2001:db8::9'])('brings ICMP errors from %s back to who caused them', (address) => {
    const { network, inside } = home();
    const client = new UdpSocket(inside, true);
    client.connect(IpAddress.parse(address), 9, 0);
    client.send(new Uint8Array(4), 0, 4, null);
    network.advance(10);
    expect(client.receive(new Uint8Array(1), 0, 1, 0, null, null)).toBe(-ECONNREFUSED);
  });

  it('lets others in where DNAT says so, and shows them the address that they called', () => {
    const { network, inside, outside, netfilter } = home();
    const target: Target = { kind: 'DNAT', address: IpAddress.parse('192.168.0.2'), port: 80 };
    const ports = new PortMatch(null, { min: 8080, max: 8080 });
    const rule = new Rule({ inInterface: 'wan', protocol: IPPROTO_TCP }, [ports], target);
    netfilter.ipv4.nat.insertRule('PREROUTING', rule);
    const listening = server(inside, 80);
    const client = new TcpSocket(outside, false);
    client.connect(IpAddress.parse('203.0.113.1'), 8080);
    network.advance(10);
    expect(listening.readiness() & POLLIN).toBe(POLLIN);
    const peer = new SocketAddress();
    (listening.accept() as TcpSocket).getPeerName(peer);
    expect(peer.address.toString()).toBe('203.0.113.9');
    client.getPeerName(peer);
    expect(`${String(peer.address)}:${peer.port}`).toBe('203.0.113.1:8080');
    expect(rule.packets).toBe(1);
  });

  it('forgets flows that are over', () => {
    const { network, inside, outside, netfilter, router } = home();
    udpServer(outside, 53);
    const to = new SocketAddress(IpAddress.parse('203.0.113.9'), 53);
    new UdpSocket(inside, false).send(new Uint8Array(1), 0, 1, to);
    network.advance(29_000);
    expect(netfilter.conntrack.count).toBe(1);
    network.advance(20_000);
    expect([netfilter.conntrack.count, router.timers.count]).toEqual([0, 0]);
  });
});

describe('Netfilter as a firewall', () => {
  it('lets answers in and nothing else: conntrack states', () => {
    const { network, inside, outside, netfilter } = home();
    const { filter, nat } = netfilter.ipv4;
    nat.chain('POSTROUTING')!.rules.length = 0;
    outside.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: 2, gateway: IpAddress.parse('203.0.113.1') });
    filter.chain('FORWARD')!.policy = 'DROP';
    const states = new StateMatch(CtState.ESTABLISHED | CtState.RELATED);
    filter.insertRule('FORWARD', new Rule({}, [states], { kind: 'ACCEPT' }));
    filter.insertRule('FORWARD', new Rule({ inInterface: 'lan' }, [], { kind: 'ACCEPT' }));
    const [near, far] = [udpServer(inside, 53), udpServer(outside, 53)];
    const byte = new Uint8Array(1);
    far.send(byte, 0, 1, new SocketAddress(IpAddress.parse('192.168.0.2'), 53));
    network.advance(10);
    expect(near.receive(byte, 0, 1, 0, null, null)).toBe(-EAGAIN);
    near.send(byte, 0, 1, new SocketAddress(IpAddress.parse('203.0.113.9'), 53));
    network.advance(10);
    far.send(byte, 0, 1, new SocketAddress(IpAddress.parse('192.168.0.2'), 53));
    network.advance(10);
    expect(near.receive(byte, 0, 1, 0, null, null)).toBe(1);
  });

  it.each([
    ['tcp-reset', -ECONNREFUSED],
    ['host', -EHOSTUNREACH],
  ] as const)('rejects with %s', (kind, errno) => {
    const { network, inside, outside, netfilter } = home();
    server(outside, 80);
    netfilter.ipv4.filter.insertRule('FORWARD', new Rule({}, [], { kind: 'REJECT', with: kind }));
    const client = new TcpSocket(inside, false);
    client.connect(IpAddress.parse('203.0.113.9'), 80);
    network.advance(10);
    expect(client.takeError()).toBe(errno);
  });

  it('redirects what its own sockets send', () => {
    const { network, router, netfilter } = home();
    const ports = new MultiportMatch('destination', [
      { min: 53, max: 53 },
      { min: 5353, max: 5353 },
    ]);
    const rule = new Rule({ protocol: IPPROTO_UDP }, [ports], { kind: 'REDIRECT', port: 5300 });
    netfilter.ipv4.nat.insertRule('OUTPUT', rule);
    const local = new UdpSocket(router, false);
    local.bind(IpAddress.parse('127.0.0.1'), 5300);
    const client = new UdpSocket(router, false);
    client.connect(IpAddress.parse('203.0.113.9'), 53, 0);
    client.send(new Uint8Array(3), 0, 3, null);
    network.advance(10);
    const [from, info, buffer] = [new SocketAddress(), new ReceiveInfo(), new Uint8Array(9)];
    expect(local.receive(buffer, 0, 9, 0, from, info)).toBe(3);
    expect(info.dst.toString()).toBe('127.0.0.1');
    local.send(buffer, 0, 2, from);
    network.advance(10);
    expect(client.receive(buffer, 0, 9, 0, from, null)).toBe(2);
    expect(`${String(from.address)}:${from.port}`).toBe('203.0.113.9:53');
  });

  it('runs chains of the user and returns from them; refuses loops and jumps to nowhere', () => {
    const { network, inside, outside, netfilter } = home();
    const { filter } = netfilter.ipv4;
    expect([filter.addChain('mine'), filter.addChain('mine'), filter.addChain('other')]).toEqual([true, false, true]);
    const jump = (chain: string): Rule => new Rule({}, [], { kind: 'JUMP', chain });
    expect(filter.insertRule('FORWARD', jump('mine'))).toBe(true);
    expect(filter.insertRule('mine', jump('other'))).toBe(true);
    expect([filter.insertRule('other', jump('mine')), filter.insertRule('mine', jump('none'))]).toEqual([false, false]);
    expect([filter.insertRule('mine', jump('FORWARD')), filter.removeChain('other')]).toEqual([false, false]);
    filter.insertRule('other', new Rule({ protocol: IPPROTO_UDP }, [], { kind: 'RETURN' }));
    filter.insertRule('other', new Rule({}, [], { kind: 'DROP' }));
    const counted = new Rule({}, [], null);
    filter.insertRule('mine', counted);
    const far = udpServer(outside, 53);
    new UdpSocket(inside, false).send(new Uint8Array(1), 0, 1, new SocketAddress(IpAddress.parse('203.0.113.9'), 53));
    network.advance(10);
    expect([far.queuedCount, counted.packets, RULE_COUNT_MAX]).toEqual([1, 1, 16_384]);
  });

  it('limits by a token bucket', () => {
    const { network, inside, outside, netfilter } = home();
    const { filter } = netfilter.ipv4;
    filter.chain('FORWARD')!.policy = 'DROP';
    filter.insertRule('FORWARD', new Rule({}, [new LimitMatch(10, 3)], { kind: 'ACCEPT' }));
    const far = udpServer(outside, 53);
    const client = new UdpSocket(inside, false);
    const to = new SocketAddress(IpAddress.parse('203.0.113.9'), 53);
    for (let i = 0; i < 10; i++) client.send(new Uint8Array(1), 0, 1, to);
    network.advance(100);
    expect(far.queuedCount).toBe(3);
    for (let i = 0; i < 10; i++) client.send(new Uint8Array(1), 0, 1, to);
    network.advance(10);
    expect(far.queuedCount).toBe(4);
  });
});

describe('stateOnSegment', () => {
  it.each`
    from             | flags        | isReply  | to
    ${'NONE'}        | ${SYN}       | ${false} | ${'SYN_SENT'}
    ${'NONE'}        | ${ACK}       | ${false} | ${'ESTABLISHED'}
    ${'SYN_SENT'}    | ${SYN | ACK} | ${true}  | ${'SYN_RECV'}
    ${'SYN_RECV'}    | ${ACK}       | ${false} | ${'ESTABLISHED'}
    ${'ESTABLISHED'} | ${FIN | ACK} | ${false} | ${'FIN_WAIT'}
    ${'ESTABLISHED'} | ${FIN | ACK} | ${true}  | ${'FIN_WAIT'}
    ${'FIN_WAIT'}    | ${ACK}       | ${true}  | ${'CLOSE_WAIT'}
    ${'FIN_WAIT'}    | ${SYN | ACK} | ${true}  | ${'FIN_WAIT'}
    ${'FIN_WAIT'}    | ${FIN | ACK} | ${true}  | ${'LAST_ACK'}
    ${'CLOSE_WAIT'}  | ${ACK}       | ${false} | ${'CLOSE_WAIT'}
    ${'CLOSE_WAIT'}  | ${FIN | ACK} | ${false} | ${'LAST_ACK'}
    ${'LAST_ACK'}    | ${FIN | ACK} | ${true}  | ${'LAST_ACK'}
    ${'LAST_ACK'}    | ${ACK}       | ${true}  | ${'TIME_WAIT'}
    ${'TIME_WAIT'}   | ${SYN}       | ${false} | ${'SYN_SENT'}
    ${'ESTABLISHED'} | ${RST}       | ${true}  | ${'CLOSE'}
  `('$from, flags $flags, a reply $isReply: $to', ({ from, flags, isReply, to }: Row) => {
    expect(stateOnSegment(FlowState[from], flags, isReply)).toBe(FlowState[to]);
  });
});

interface Row {
  from: keyof typeof FlowState;
  flags: number;
  isReply: boolean;
  to: keyof typeof FlowState;
}
