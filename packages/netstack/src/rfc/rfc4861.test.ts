import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import {
  EthernetWire,
  type EthernetWireOptions,
  type Frame,
  hexOf,
  icmp6Of,
  IPV6,
  linkOption,
  type Nd,
  nd,
  OURS,
  PEERS,
} from '../testing/ethernet-wire.js';
import { addressBytes, u16 } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const RS = 133;
const RA = 134;
const NS = 135;
const NA = 136;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;
const OTHER = '02:00:00:00:00:99';
const NODES_MAC = '33:33:00:00:00:01';
/** The solicited-node group of fd00::1. */
const OUR_GROUP = 'ff02::1:ff00:1';
const ZERO = [0, 0, 0, 0];

function fresh(options: EthernetWireOptions = {}): EthernetWire {
  const wire = new EthernetWire(options);
  wire.pass(10_000);
  return wire;
}

function solicitation(target: string, fields: Nd = {}, options = linkOption(1)): number[] {
  return nd(fields, NS, ...ZERO, ...addressBytes(target), ...options);
}

function advertisement(target: string, flags: number, options = linkOption(2), fields: Nd = {}): number[] {
  return nd({ src: target, ...fields }, NA, flags, 0, 0, 0, ...addressBytes(target), ...options);
}

/** The stack sends a datagram to `ip`; returns what goes out: messages of discovery, and UDP as its destination. */
function send(wire: EthernetWire, ip = 'fd00::2'): (number | string)[] {
  const socket = new UdpSocket(wire.stack, true);
  socket.send(new Uint8Array(4), 0, 4, new SocketAddress(IpAddress.parse(ip), 9));
  socket.close();
  return kinds(wire.heard());
}

function kinds(frames: readonly Frame[]): (number | string)[] {
  return frames.filter(({ type }) => type === IPV6).map((frame) => icmp6Of(frame)?.type ?? frame.to);
}

/** The neighbour fd00::2 is known and reachable. */
function acquainted(): EthernetWire {
  const wire = fresh();
  send(wire);
  wire.inject(IPV6, advertisement('fd00::2', SOLICITED | OVERRIDE));
  return wire;
}

describe('RFC 4861 section 7.1.1, which solicitations are taken', () => {
  const answers = (packet: number[]): number => fresh().inject(IPV6, packet).length;

  it('a good one is answered', () => expect(answers(solicitation('fd00::1', { src: 'fd00::2' }))).toBe(1));

  it.each([
    ['hop limit 254', solicitation('fd00::1', { hops: 254 })],
    ['code 1', solicitation('fd00::1', { code: 1 })],
    ['less than 24 bytes', nd({}, NS, ...ZERO, ...addressBytes('fd00::1').slice(0, 12))],
    ['a group as its target', solicitation('ff02::1')],
    ['an option of length 0', solicitation('fd00::1', {}, [1, 0, 0, 0, 0, 0, 0, 0])],
    ['no source and a unicast destination', solicitation('fd00::1', { src: '::' }, [])],
    ['no source and a source link-layer address', solicitation('fd00::1', { src: '::', dst: OUR_GROUP })],
  ])('one with %s is silently dropped', (_what, packet) => expect(answers(packet)).toBe(0));

  it('one with a wrong checksum is silently dropped', () => {
    const packet = solicitation('fd00::1');
    packet[42] = packet[42]! ^ 1;
    expect(answers(packet)).toBe(0);
  });

  it('unknown options are ignored', () => {
    expect(answers(solicitation('fd00::1', {}, [200, 1, 0, 0, 0, 0, 0, 0, ...linkOption(1)]))).toBe(1);
  });
});

describe('RFC 4861 section 7.2, address resolution', () => {
  it('7.2.2: asks the solicited-node group, with its own link-layer address, and hop limit 255', () => {
    const wire = fresh();
    send(wire);
    wire.nic.neighbours!.clear();
    const socket = new UdpSocket(wire.stack, true);
    socket.send(new Uint8Array(4), 0, 4, new SocketAddress(IpAddress.parse('fd00::2'), 9));
    const [frame] = wire.heard();
    expect([frame!.to, icmp6Of(frame!)]).toEqual([
      '33:33:ff:00:00:02',
      {
        type: NS,
        src: hexOf('fd00::1'),
        dst: hexOf('ff02::1:ff00:2'),
        hops: 255,
        body: [...ZERO, ...addressBytes('fd00::2'), ...linkOption(1, OURS)],
      },
    ]);
  });

  it('7.2.2: keeps the packet, and sends it when the answer comes', () => {
    const wire = fresh();
    expect(send(wire)).toEqual([NS]);
    expect(kinds(wire.inject(IPV6, advertisement('fd00::2', SOLICITED | OVERRIDE)))).toEqual([PEERS]);
  });

  it('7.2.2: asks three times, a second apart, and gives up', () => {
    const wire = fresh();
    send(wire);
    const startMs = wire.nowMs;
    const asked = wire.pass(10_000).filter((frame) => icmp6Of(frame)?.type === NS);
    expect(asked.map(({ atMs }) => atMs - startMs)).toEqual([1_000, 2_000]);
  });

  it('7.2.3: a good solicitation makes an entry that is not taken for reachable', () => {
    const wire = fresh();
    wire.inject(IPV6, solicitation('fd00::1', { src: 'fd00::2' }));
    expect(send(wire)).toEqual([PEERS]);
    expect(kinds(wire.pass(5_000))).toEqual([NS]);
  });

  it('7.2.3: one without a source makes none', () => {
    const wire = fresh();
    wire.inject(IPV6, solicitation('fd00::1', { src: '::', dst: OUR_GROUP }, []));
    expect(wire.nic.neighbours!.count).toBe(0);
  });

  it('7.2.4: the answer is solicited, overrides, has the link-layer address, and goes to the one who asked', () => {
    const [frame] = fresh().inject(IPV6, solicitation('fd00::1', { src: 'fd00::2', dst: OUR_GROUP }));
    expect([frame!.to, icmp6Of(frame!)]).toEqual([
      PEERS,
      {
        type: NA,
        src: hexOf('fd00::1'),
        dst: hexOf('fd00::2'),
        hops: 255,
        body: [SOLICITED | OVERRIDE, 0, 0, 0, ...addressBytes('fd00::1'), ...linkOption(2, OURS)],
      },
    ]);
  });

  it('7.2.4: the answer to one without a source goes to all nodes, and is not solicited', () => {
    const [frame] = fresh().inject(IPV6, solicitation('fd00::1', { src: '::', dst: OUR_GROUP }, []));
    const answer = icmp6Of(frame!)!;
    expect([frame!.to, answer.dst, answer.body[0]! & SOLICITED]).toEqual([NODES_MAC, hexOf('ff02::1'), 0]);
  });

  it('7.2.4: a router says that it is one', () => {
    const wire = fresh();
    wire.stack.forwardsIpv6 = true;
    const [frame] = wire.inject(IPV6, solicitation('fd00::1', { src: 'fd00::2' }));
    expect(icmp6Of(frame!)!.body[0]! & ROUTER).toBe(ROUTER);
  });

  it('others are not answered for', () => expect(fresh().inject(IPV6, solicitation('fd00::77'))).toEqual([]));
});

describe('RFC 4861 section 7.1.2 and 7.2.5, advertisements', () => {
  it.each([
    ['hop limit 254', advertisement('fd00::2', SOLICITED, linkOption(2), { hops: 254 })],
    ['code 1', advertisement('fd00::2', SOLICITED, linkOption(2), { code: 1 })],
    ['a group as its target', advertisement('ff02::2', SOLICITED, linkOption(2), { src: 'fd00::2' })],
    ['the solicited flag to a group', advertisement('fd00::2', SOLICITED, linkOption(2), { dst: 'ff02::1' })],
    ['no link-layer address, where it is needed', advertisement('fd00::2', SOLICITED, [])],
  ])('one with %s is silently dropped', (_what, packet) => {
    const wire = fresh();
    send(wire);
    expect(kinds(wire.inject(IPV6, packet))).toEqual([]);
  });

  it('one that nobody asked for makes no entry', () => {
    const wire = fresh();
    wire.inject(IPV6, advertisement('fd00::2', OVERRIDE, linkOption(2), { dst: 'ff02::1' }));
    expect(wire.nic.neighbours!.count).toBe(0);
  });

  it('without the override flag another link-layer address is not taken, but the neighbour is asked again', () => {
    const wire = acquainted();
    wire.inject(IPV6, advertisement('fd00::2', SOLICITED, linkOption(2, OTHER)));
    expect([send(wire), kinds(wire.pass(5_000))]).toEqual([[PEERS], [NS]]);
  });

  it('with it, it is taken', () => {
    const wire = acquainted();
    wire.inject(IPV6, advertisement('fd00::2', SOLICITED | OVERRIDE, linkOption(2, OTHER)));
    expect([send(wire), kinds(wire.pass(5_000))]).toEqual([[OTHER], []]);
  });

  it('an unsolicited one with a new link-layer address makes the neighbour stale', () => {
    const wire = acquainted();
    wire.inject(IPV6, advertisement('fd00::2', OVERRIDE, linkOption(2, OTHER), { dst: 'ff02::1' }));
    expect([send(wire), kinds(wire.pass(5_000))]).toEqual([[OTHER], [NS]]);
  });

  it('one that is solicited confirms, even without a link-layer address', () => {
    const wire = acquainted();
    wire.pass(60_000);
    wire.inject(IPV6, advertisement('fd00::2', SOLICITED, []));
    expect([send(wire), kinds(wire.pass(5_000))]).toEqual([[PEERS], []]);
  });

  it('a neighbour that ceases to be a router is no default router any more', () => {
    const wire = fresh({ acceptsRouterAdvertisements: true });
    wire.inject(IPV6, routerAdvertisement(1800));
    const before = routes(wire);
    wire.inject(IPV6, advertisement('fe80::2', SOLICITED | OVERRIDE));
    expect([before, routes(wire)]).toEqual([1, 0]);
  });
});

describe('RFC 4861 section 7.3, neighbour unreachability detection', () => {
  it('a reachable neighbour is not asked for', () => {
    const wire = acquainted();
    expect([send(wire), kinds(wire.pass(10_000))]).toEqual([[PEERS], []]);
  });

  it('after that a neighbour is used at once, and asked five seconds later itself, three times a second apart', () => {
    const wire = acquainted();
    wire.pass(60_000);
    expect(send(wire)).toEqual([PEERS]);
    const startMs = wire.nowMs;
    const asked = wire.pass(20_000).filter((frame) => icmp6Of(frame)?.type === NS);
    expect(asked.map(({ atMs, to }) => [atMs - startMs, to])).toEqual([
      [5_000, PEERS],
      [6_000, PEERS],
      [7_000, PEERS],
    ]);
  });

  it('6.3.2: it stays reachable for half to one and a half of 30 seconds', () => {
    const wire = acquainted();
    wire.pass(14_999);
    send(wire);
    expect(kinds(wire.pass(5_000))).toEqual([]);
    wire.pass(30_000);
    send(wire);
    expect(kinds(wire.pass(5_000))).toEqual([NS]);
  });
});

describe('RFC 4861 section 6, routers', () => {
  const accepting = (): EthernetWire => fresh({ acceptsRouterAdvertisements: true });

  it.each([
    ['hop limit 254', routerAdvertisement(1800, [], { hops: 254 })],
    ['code 1', routerAdvertisement(1800, [], { code: 1 })],
    ['a source that is not link-local', routerAdvertisement(1800, [], { src: 'fd00::2' })],
    ['an option of length 0', routerAdvertisement(1800, [1, 0, 0, 0, 0, 0, 0, 0])],
    ['less than 16 bytes', nd({ dst: 'ff02::1' }, RA, 64, 0, ...u16(1800), 0, 0, 0, 0)],
  ])('6.1.2: an advertisement with %s is silently dropped', (_what, packet) => {
    const wire = accepting();
    wire.inject(IPV6, packet);
    expect(routes(wire)).toBe(0);
  });

  it('6.3.4: a router lifetime makes a default router, which goes when it is over', () => {
    const wire = accepting();
    wire.inject(IPV6, routerAdvertisement(100));
    const before = routes(wire);
    wire.pass(99_000);
    const late = routes(wire);
    wire.pass(2_000);
    expect([before, late, routes(wire)]).toEqual([1, 1, 0]);
  });

  it('6.3.4: a lifetime of zero takes it away at once', () => {
    const wire = accepting();
    wire.inject(IPV6, routerAdvertisement(100));
    wire.inject(IPV6, routerAdvertisement(0));
    expect(routes(wire)).toBe(0);
  });

  it('6.3.4: the hop limit counts for IPv6, and not for IPv4', () => {
    const wire = accepting();
    wire.inject(IPV6, routerAdvertisement(100, [], {}, 33));
    wire.nic.neighbours!.addPermanent(IpAddress.parse('fd00::2'), Uint8Array.of(2, 0, 0, 0, 0, 2));
    wire.nic.neighbours!.addPermanent(IpAddress.parse('10.0.0.2'), Uint8Array.of(2, 0, 0, 0, 0, 2));
    for (const ip of ['fd00::2', '10.0.0.2']) {
      const socket = new UdpSocket(wire.stack, true);
      socket.send(new Uint8Array(4), 0, 4, new SocketAddress(IpAddress.parse(ip), 9));
    }
    const [six, four] = wire.heard();
    expect([six!.payload[7], four!.payload[8]]).toEqual([33, 64]);
  });

  it.each([
    [1400, 1400],
    [1279, 1500],
    [9000, 1500],
  ])('6.3.4: an MTU option of %i makes the MTU %i', (told, mtu) => {
    const wire = accepting();
    wire.inject(IPV6, routerAdvertisement(100, [5, 1, 0, 0, 0, 0, ...u16(told)]));
    expect(wire.nic.mtu).toBe(mtu);
  });

  it('6.3.4: the retransmission timer is taken', () => {
    const wire = accepting();
    wire.inject(IPV6, routerAdvertisement(100, [], {}, 64, 250));
    send(wire, 'fd00::3');
    const startMs = wire.nowMs;
    expect(wire.pass(2_000).map(({ atMs }) => atMs - startMs)).toEqual([250, 500]);
  });

  it('6.3.7: a host asks three times at most, four seconds apart, from its link-local address', () => {
    const wire = new EthernetWire({ acceptsRouterAdvertisements: true });
    const asked = wire.pass(60_000).filter((frame) => icmp6Of(frame)?.type === RS);
    const gaps = asked.slice(1).map(({ atMs }, i) => atMs - asked[i]!.atMs);
    const { src, dst, hops, body } = icmp6Of(asked[0]!)!;
    expect([gaps, src, dst, hops, body]).toEqual([
      [4_000, 4_000],
      hexOf('fe80::ff:fe00:1'),
      hexOf('ff02::2'),
      255,
      [...ZERO, ...linkOption(1, OURS)],
    ]);
  });

  it('6.3.7: and no more once a router has told of itself', () => {
    const wire = new EthernetWire({ acceptsRouterAdvertisements: true });
    wire.pass(3_000);
    wire.inject(IPV6, routerAdvertisement(100));
    expect(kinds(wire.pass(20_000))).not.toContain(RS);
  });
});

function routerAdvertisement(lifetimeSec: number, options: number[] = [], fields: Nd = {}, hops = 64, retransMs = 0) {
  const times = [0, 0, 0, 0, 0, 0, ...u16(retransMs)];
  return nd({ dst: 'ff02::1', ...fields }, RA, hops, 0, ...u16(lifetimeSec), ...times, ...options, ...linkOption(1));
}

/** Default routes that routers have told of. */
function routes(wire: EthernetWire): number {
  return wire.stack.routes.routes.filter(({ gateway }) => gateway !== null).length;
}
