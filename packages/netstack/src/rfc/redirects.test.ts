import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import {
  EthernetWire,
  type Frame,
  hexOf,
  icmp6Of,
  IPV4,
  IPV6,
  linkOption,
  nd,
  OURS,
} from '../testing/ethernet-wire.js';
import { addressBytes, icmp4, ipv4, ipv6, udp } from '../testing/packets.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { REDIRECT_COUNT_MAX } from '../net/redirects.js';

const ROUTER = '02:00:00:00:00:fe';
const BETTER = '02:00:00:00:00:fd';
const FAR = '192.0.2.9';
const FAR6 = '2001:db8::9';
const ICMP = 1;
const REDIRECT4 = 5;
const REDIRECT6 = 137;

/** A stack whose default router is .254 (fe80::fe), and neighbours .253 and .252 (fe80::fd, fe80::fc). */
function host(): EthernetWire {
  const wire = new EthernetWire({ addresses: ['10.0.0.1/24', 'fd00::1/64'] });
  const neighbours: [string, string][] = [
    ['10.0.0.254', ROUTER],
    ['10.0.0.253', BETTER],
    ['fe80::fe', ROUTER],
    ['fe80::fd', BETTER],
    [FAR6, BETTER],
    ['10.0.0.2', '02:00:00:00:00:02'],
    ['fd00::2', '02:00:00:00:00:02'],
  ];
  for (const [ip, link] of neighbours) wire.nic.neighbours!.addPermanent(IpAddress.parse(ip), parseLinkAddress(link));
  for (const [prefix, gateway] of [
    ['0.0.0.0/0', '10.0.0.254'],
    ['::/0', 'fe80::fe'],
  ] as const) {
    wire.stack.routes.add({
      destination: parsePrefix(prefix),
      nicId: wire.nic.id,
      gateway: IpAddress.parse(gateway),
    });
  }
  wire.pass(5000);
  return wire;
}

/** The link address that a datagram to `ip` goes to. */
function nextHop(wire: EthernetWire, ip = FAR): string {
  wire.heard();
  const socket = new UdpSocket(wire.stack, !IpAddress.parse(ip).isIpv4);
  socket.send(new Uint8Array(4), 0, 4, new SocketAddress(IpAddress.parse(ip), 9));
  socket.close();
  return wire.heard()[0]!.to;
}

interface Redirect4 {
  readonly src?: string;
  readonly code?: number;
  readonly to?: string;
  readonly about?: string;
  readonly sentBy?: string;
  readonly quoteBytes?: number;
}

function redirect4(fields: Redirect4 = {}): number[] {
  const { src = '10.0.0.254', code = 1, to = '10.0.0.253', about = FAR, sentBy = '10.0.0.1', quoteBytes = 28 } = fields;
  const quote = ipv4({ src: sentBy, dst: about }, ...udp(5000, 9)).slice(0, quoteBytes);
  return ipv4({ src, protocol: ICMP }, ...icmp4(REDIRECT4, code, ...addressBytes(to), ...quote));
}

describe('RFC 1122 section 3.2.2.2, redirects that a host takes', () => {
  it.each([0, 1, 2, 3])('code %i: the destination has the new first hop from then on', (code) => {
    const wire = host();
    expect(nextHop(wire)).toBe(ROUTER);
    wire.inject(IPV4, redirect4({ code }));
    expect(nextHop(wire)).toBe(BETTER);
  });

  it('others have not', () => {
    const wire = host();
    wire.inject(IPV4, redirect4());
    expect(nextHop(wire, '192.0.2.10')).toBe(ROUTER);
  });

  it('the new first hop may name another one', () => {
    const wire = host();
    wire.inject(IPV4, redirect4());
    wire.inject(IPV4, redirect4({ src: '10.0.0.253', to: '10.0.0.2' }));
    expect(nextHop(wire)).toBe('02:00:00:00:00:02');
  });

  it('is forgotten after five minutes', () => {
    const wire = host();
    wire.inject(IPV4, redirect4());
    wire.pass(300_000);
    expect(nextHop(wire)).toBe(ROUTER);
  });

  it('does not hold for another router of the route', () => {
    const wire = host();
    wire.inject(IPV4, redirect4());
    wire.stack.routes.removeWhere(({ gateway }) => gateway !== null && gateway.isIpv4);
    const gateway = IpAddress.parse('10.0.0.2');
    wire.stack.routes.add({ destination: parsePrefix('0.0.0.0/0'), nicId: wire.nic.id, gateway });
    expect(nextHop(wire)).toBe('02:00:00:00:00:02');
  });

  it('is forgotten when the new first hop does not answer', () => {
    const wire = host();
    wire.inject(IPV4, redirect4({ to: '10.0.0.99' }));
    expect(nextHop(wire)).toBe('ff:ff:ff:ff:ff:ff');
    wire.pass(10_000);
    expect(nextHop(wire)).toBe(ROUTER);
  });
});

describe('RFC 1122 section 3.2.2.2, redirects that are silently discarded', () => {
  it.each<[string, Redirect4]>([
    ['of somebody who is not the first hop', { src: '10.0.0.2' }],
    ['to a gateway that is not on the link', { to: '198.51.100.1' }],
    ['to a group', { to: '224.0.0.1' }],
    ['to the broadcast address', { to: '10.0.0.255' }],
    ['to ourselves', { to: '10.0.0.1' }],
    ['to the router itself', { to: '10.0.0.254' }],
    ['about a packet of another source', { sentBy: '10.0.0.7' }],
    ['about a neighbour', { about: '10.0.0.2' }],
    ['with an unknown code', { code: 4 }],
    ['that quotes less than header and eight bytes', { quoteBytes: 27 }],
  ])('%s', (_what, fields) => {
    const wire = host();
    wire.inject(IPV4, redirect4(fields));
    expect([wire.stack.redirects.count, nextHop(wire)]).toEqual([0, ROUTER]);
  });

  it('all where accept_redirects is off', () => {
    const wire = host();
    wire.stack.redirects.acceptsIpv4 = false;
    wire.inject(IPV4, redirect4());
    expect(nextHop(wire)).toBe(ROUTER);
  });

  it('to others than default routers where secure_redirects counts', () => {
    const wire = host();
    wire.stack.redirects.hasSharedMedia = false;
    wire.inject(IPV4, redirect4());
    expect(nextHop(wire)).toBe(ROUTER);
  });

  it('by a router: RFC 1812 section 5.2.7.2', () => {
    const wire = host();
    wire.stack.forwardsIpv4 = true;
    wire.inject(IPV4, redirect4());
    expect(nextHop(wire)).toBe(ROUTER);
  });

  it('no more than a bound are remembered', () => {
    const wire = host();
    for (let i = 0; i <= REDIRECT_COUNT_MAX; i++) {
      wire.inject(IPV4, redirect4({ about: `192.0.${2 + (i >> 8)}.${i & 255}` }));
    }
    expect(wire.stack.redirects.count).toBeLessThanOrEqual(REDIRECT_COUNT_MAX);
  });
});

/** What a router answers to a packet that `src` has sent it. */
function forwarded(wire: EthernetWire, type: number, packet: number[]): Frame[] {
  wire.stack.forwardsIpv4 = wire.stack.forwardsIpv6 = true;
  return wire.inject(type, packet);
}

describe('RFC 1812 section 5.2.7.2, redirects that a router sends', () => {
  const packet = ipv4({ src: '10.0.0.2', dst: FAR }, ...udp(5000, 9, 1, 2, 3, 4));

  it('for a packet that leaves by the interface that it came in by, which is sent on all the same', () => {
    const [told, sentOn] = forwarded(host(), IPV4, packet);
    expect([told!.payload.slice(16, 20), told!.payload.slice(20, 22)]).toEqual([
      addressBytes('10.0.0.2'),
      [REDIRECT4, 1],
    ]);
    expect(told!.payload.slice(24, 28)).toEqual(addressBytes('10.0.0.254'));
    expect(told!.payload.slice(28)).toEqual(packet);
    expect(sentOn!.to).toBe(ROUTER);
  });

  it('none where send_redirects is off', () => {
    const wire = host();
    wire.stack.redirects.sendsIpv4 = false;
    expect(forwarded(wire, IPV4, packet)).toHaveLength(1);
  });

  it('none to a source that is not on the link', () => {
    expect(forwarded(host(), IPV4, ipv4({ src: '203.0.113.5', dst: FAR }, ...udp(5000, 9)))).toHaveLength(1);
  });

  it('not without limit: six at once to one source', () => {
    const wire = host();
    const redirects = Array.from({ length: 20 }, () => forwarded(wire, IPV4, packet))
      .flat()
      .filter(isRedirect);
    expect(redirects).toHaveLength(6);
  });

  function isRedirect({ payload }: Frame): boolean {
    return payload[9] === ICMP && payload[20] === REDIRECT4;
  }
});

interface Redirect6 {
  readonly src?: string;
  readonly hops?: number;
  readonly code?: number;
  readonly to?: string;
  readonly about?: string;
  readonly options?: number[];
}

function redirect6(fields: Redirect6 = {}): number[] {
  const {
    src = 'fe80::fe',
    hops = 255,
    code = 0,
    to = 'fe80::fd',
    about = FAR6,
    options = linkOption(2, BETTER),
  } = fields;
  const body = [0, 0, 0, 0, ...addressBytes(to), ...addressBytes(about), ...options];
  return nd({ src, hops, code }, REDIRECT6, ...body);
}

describe('RFC 4861 section 8.3, redirects that a host takes', () => {
  it('to a better router, whose link address comes along', () => {
    const wire = host();
    wire.nic.neighbours!.remove(IpAddress.parse('fe80::fd'));
    expect(nextHop(wire, FAR6)).toBe(ROUTER);
    wire.inject(IPV6, redirect6());
    expect(nextHop(wire, FAR6)).toBe(BETTER);
    expect(wire.nic.neighbours!.get(IpAddress.parse('fe80::fd'))).toMatchObject({ isRouter: true });
  });

  it('to the destination itself, which is a neighbour then', () => {
    const wire = host();
    wire.inject(IPV6, redirect6({ to: FAR6 }));
    expect(nextHop(wire, FAR6)).toBe(BETTER);
  });
});

describe('RFC 4861 section 8.1, redirects that are silently discarded', () => {
  it.each<[string, Redirect6]>([
    ['a hop limit below 255', { hops: 254 }],
    ['a code', { code: 1 }],
    ['a source that is not link-local', { src: 'fd00::2' }],
    ['a source that is not the first hop', { src: 'fe80::fc' }],
    ['a group as destination', { about: 'ff02::1' }],
    ['a target that is neither link-local nor the destination', { to: 'fd00::2' }],
    ['an option of length 0', { options: [2, 0, 0, 0, 0, 0, 0, 0] }],
    ['us as target', { to: 'fe80::ff:fe00:1' }],
  ])('%s', (_what, fields) => {
    const wire = host();
    wire.inject(IPV6, redirect6(fields));
    expect([wire.stack.redirects.count, nextHop(wire, FAR6)]).toEqual([0, ROUTER]);
  });

  it('a message that is too short', () => {
    const wire = host();
    wire.inject(IPV6, nd({ src: 'fe80::fe' }, REDIRECT6, 0, 0, 0, 0, ...addressBytes('fe80::fd')));
    expect(wire.stack.redirects.count).toBe(0);
  });

  it('all by a router, and where accept_redirects is off', () => {
    const [router, deaf] = [host(), host()];
    router.stack.forwardsIpv6 = true;
    deaf.stack.redirects.acceptsIpv6 = false;
    for (const wire of [router, deaf]) wire.inject(IPV6, redirect6());
    expect([nextHop(router, FAR6), nextHop(deaf, FAR6)]).toEqual([ROUTER, ROUTER]);
  });
});

describe('RFC 4861 section 8.2, redirects that a router sends', () => {
  const packet = ipv6({ src: 'fd00::2', dst: FAR6, next: 17 }, ...udp(5000, 9, 1, 2, 3, 4, 5, 6, 7, 8));

  it('target, destination, link address of the target and the packet', () => {
    const [told, sentOn] = forwarded(host(), IPV6, packet);
    const { type, src, dst, hops, body } = icmp6Of(told!)!;
    expect([type, src, dst, hops]).toEqual([REDIRECT6, hexOf('fe80::ff:fe00:1'), hexOf('fd00::2'), 255]);
    const quote = packet.slice(0, packet.length & ~7);
    const header = [4, 1 + quote.length / 8, 0, 0, 0, 0, 0, 0];
    const targets = [...addressBytes('fe80::fe'), ...addressBytes(FAR6)];
    expect(body).toEqual([0, 0, 0, 0, ...targets, ...linkOption(2, ROUTER), ...header, ...quote]);
    expect([told!.from, sentOn!.to]).toEqual([OURS, ROUTER]);
  });

  it('none to a source that is not on the link', () => {
    const far = ipv6({ src: '2001:db8:1::5', dst: FAR6, next: 17 }, ...udp(5000, 9));
    expect(forwarded(host(), IPV6, far)).toHaveLength(1);
  });
});
