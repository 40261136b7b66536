import { AddressState } from '../net/nic-address.js';
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
  nd,
} from '../testing/ethernet-wire.js';
import { addressBytes, u16 } from '../testing/packets.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const RA = 134;
const NS = 135;
const NA = 136;
const ZERO = [0, 0, 0, 0];
const LINK_LOCAL = 'fe80::ff:fe00:1';
const GROUP = 'ff02::1:ff00:1';
const PREFIX = '2001:db8:1::';
/** What the stack makes of {@link PREFIX}. */
const MADE = '2001:db8:1:0:0:ff:fe00:1';
const ON_LINK = 0x80;
const AUTO = 0x40;
const HOURS_2 = 7_200;

function probing(options: EthernetWireOptions = {}): EthernetWire {
  return new EthernetWire({ addresses: [], stack: { dadTransmits: 1 }, ...options });
}

function probe(target: string, src = '::'): number[] {
  return nd({ src, dst: GROUP }, NS, ...ZERO, ...addressBytes(target));
}

function claim(target: string): number[] {
  return nd({ src: target, dst: 'ff02::1' }, NA, 0x20, 0, 0, 0, ...addressBytes(target), ...linkOption(2));
}

function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}

function advertise(
  wire: EthernetWire,
  valid: number,
  preferred: number,
  flags = ON_LINK | AUTO,
  len = 64,
  prefix = PREFIX,
) {
  const option = [3, 4, len, flags, ...u32(valid), ...u32(preferred), ...ZERO, ...addressBytes(prefix)];
  wire.inject(IPV6, nd({ dst: 'ff02::1' }, RA, 64, 0, ...u16(0), ...ZERO, ...ZERO, ...option));
}

/** Whether the stack answers a solicitation for `address`: it has it, and uses it. */
function has(wire: EthernetWire, address: string): boolean {
  const fields = { src: 'fe80::2', dst: GROUP };
  const answers = wire.inject(IPV6, nd(fields, NS, ...ZERO, ...addressBytes(address), ...linkOption(1)));
  return answers.some((frame) => icmp6Of(frame)?.type === NA);
}

function solicitations(frames: readonly Frame[]) {
  return frames.flatMap((frame) => {
    const message = icmp6Of(frame);
    return message?.type === NS ? [{ atMs: frame.atMs, ...message }] : [];
  });
}

describe('RFC 4862 section 5.3 and 5.4, link-local address and duplicate address detection', () => {
  it('5.3: an interface that comes up makes its link-local address', () => {
    const wire = probing();
    wire.pass(3_000);
    expect(has(wire, LINK_LOCAL)).toBe(true);
  });

  it('5.4.2: the probe comes from nobody, asks for the address, has no option, and goes to the solicited-node group', () => {
    const [sent] = solicitations(probing().pass(3_000));
    expect(sent).toMatchObject({
      src: hexOf('::'),
      dst: hexOf(GROUP),
      hops: 255,
      body: [...ZERO, ...addressBytes(LINK_LOCAL)],
    });
  });

  it('5.4.2: it goes after a random part of a second, behind the report of the group', () => {
    const frames = probing().pass(3_000);
    const [sent] = solicitations(frames);
    const report = frames.find(
      ({ payload }) => payload[6] === 0 && payload.join().includes(addressBytes(GROUP).join()),
    );
    expect([sent!.atMs <= 1_000, report!.atMs <= sent!.atMs]).toEqual([true, true]);
  });

  it('5.1: as many probes as DupAddrDetectTransmits says go, RetransTimer apart', () => {
    const sent = solicitations(probing({ stack: { dadTransmits: 3 } }).pass(10_000));
    expect(sent.slice(1).map(({ atMs }, i) => atMs - sent[i]!.atMs)).toEqual([1_000, 1_000]);
  });

  it('5.4: an address that is being checked is not used: nobody who asks for it is answered', () => {
    const wire = probing();
    expect(has(wire, LINK_LOCAL)).toBe(false);
  });

  it('5.4: nor is it the source of anything', () => {
    const wire = probing({ addresses: ['fd00::1/64'] });
    const socket = new UdpSocket(wire.stack, true);
    expect(socket.send(new Uint8Array(1), 0, 1, new SocketAddress(IpAddress.parse('fd00::2'), 9))).toBeLessThan(0);
  });

  it.each([
    ['5.4.3: another node probes for it', probe(LINK_LOCAL)],
    ['5.4.4: another node has it', claim(LINK_LOCAL)],
  ])('%s: the address is never used', (_what, packet) => {
    const wire = probing();
    wire.inject(IPV6, packet);
    wire.pass(10_000);
    expect(has(wire, LINK_LOCAL)).toBe(false);
    expect(wire.nic.addresses.map(({ state }) => state)).toEqual([AddressState.DUPLICATE]);
  });

  it('5.4.3: who only asks for the link-layer address of it is ignored', () => {
    const wire = probing();
    const sent = wire.inject(IPV6, nd({ src: 'fe80::2', dst: GROUP }, NS, ...ZERO, ...addressBytes(LINK_LOCAL)));
    wire.pass(3_000);
    expect([sent.filter((frame) => icmp6Of(frame)?.type === NA), has(wire, LINK_LOCAL)]).toEqual([[], true]);
  });

  it('5.4: an address set by hand is checked too', () => {
    const wire = probing({ addresses: ['fd00::1/64'] });
    const sent = solicitations(wire.pass(3_000)).map(({ body }) => body.slice(4).join());
    expect(sent).toContain(addressBytes('fd00::1').join());
  });

  it('5.4: an address that the interface had before it came up is checked, and answered for', () => {
    const wire = probing();
    wire.nic.down();
    wire.nic.addAddress(parsePrefix('fd00::77/64'));
    wire.heard();
    wire.nic.up();
    const sent = solicitations(wire.pass(3_000)).map(({ body }) => body.slice(4).join());
    expect(sent).toContain(addressBytes('fd00::77').join());
    const fields = { src: 'fe80::2', dst: 'ff02::1:ff00:77' };
    const [answer] = wire.inject(IPV6, nd(fields, NS, ...ZERO, ...addressBytes('fd00::77'), ...linkOption(1)));
    expect(icmp6Of(answer!)!.type).toBe(NA);
  });

  it('5.4.2: its solicited-node group is left with the address, however often the interface came up', () => {
    const wire = probing();
    for (let i = 0; i < 3; i++) {
      wire.nic.down();
      wire.nic.up();
    }
    wire.nic.removeAddress(wire.nic.addresses[0]!.address);
    expect([...wire.nic.groups()].map(String)).not.toContain(GROUP);
  });

  it('5.4.3: an address in use is defended: a probe is answered to all nodes', () => {
    const wire = probing();
    wire.pass(3_000);
    const [answer] = wire.inject(IPV6, probe(LINK_LOCAL)).flatMap((frame) => icmp6Of(frame) ?? []);
    expect([answer!.type, answer!.dst]).toEqual([NA, hexOf('ff02::1')]);
  });
});

describe('RFC 4862 section 5.5.3, router advertisements', () => {
  const accepting = (): EthernetWire => {
    const wire = new EthernetWire({ addresses: [], acceptsRouterAdvertisements: true });
    wire.pass(3_000);
    return wire;
  };

  it('an autonomous prefix makes an address of it and the interface identifier', () => {
    const wire = accepting();
    advertise(wire, 86_400, 14_400);
    expect(has(wire, MADE)).toBe(true);
  });

  it('5.4: which is checked before it is used', () => {
    const wire = probing({ acceptsRouterAdvertisements: true });
    wire.pass(10_000);
    advertise(wire, 86_400, 14_400);
    const before = has(wire, MADE);
    const sent = solicitations(wire.pass(3_000)).map(({ body }) => body.slice(4).join());
    expect([before, sent, has(wire, MADE)]).toEqual([false, [addressBytes(MADE).join()], true]);
  });

  it.each([
    ['(a) not autonomous', () => [86_400, 14_400, ON_LINK] as const],
    ['(c) preferred for longer than valid', () => [14_400, 86_400] as const],
    ['(d) valid for no time', () => [0, 0] as const],
    ['(d) of a length that leaves no room for the identifier', () => [86_400, 14_400, ON_LINK | AUTO, 80] as const],
  ])('%s: makes none', (_what, told) => {
    const wire = accepting();
    advertise(wire, ...(told() as [number, number]));
    expect(has(wire, MADE)).toBe(false);
  });

  it('(b) the link-local prefix is ignored', () => {
    const wire = accepting();
    const before = wire.nic.addresses.length;
    advertise(wire, 86_400, 14_400, ON_LINK | AUTO, 64, 'fe80::');
    expect(wire.nic.addresses).toHaveLength(before);
  });

  it('an address that was set by hand is left alone', () => {
    const wire = new EthernetWire({ addresses: [`${MADE}/64`], acceptsRouterAdvertisements: true });
    advertise(wire, HOURS_2 + 1, 100);
    wire.pass(2 * HOURS_2 * 1000);
    expect(has(wire, MADE)).toBe(true);
  });

  it.each([
    ['1. more than two hours: taken', 86_400, 10_000, 9_999, 10_001],
    ['1. more than what is left: taken', 1_000, 5_000, 4_999, 5_001],
    ['2. what is left is two hours or less: the shorter is ignored', 5_000, 10, 4_999, 5_001],
    ['3. else it becomes two hours', 86_400, 10, HOURS_2 - 1, HOURS_2 + 1],
  ])('(e) %s', (_what, first, second, stillSec, goneSec) => {
    const wire = accepting();
    advertise(wire, first, 5);
    advertise(wire, second, 5);
    wire.pass(stillSec * 1000);
    const still = has(wire, MADE);
    wire.pass((goneSec - stillSec) * 1000);
    expect([still, has(wire, MADE)]).toEqual([true, false]);
  });

  it('a host that does not accept them makes nothing of them', () => {
    const wire = new EthernetWire({ addresses: [] });
    advertise(wire, 86_400, 14_400);
    expect(has(wire, MADE)).toBe(false);
  });

  it('5.5.4: a deprecated address is not used for something new while there is another, and still receives', () => {
    const wire = accepting();
    advertise(wire, 86_400, 100);
    wire.nic.addAddress({ address: IpAddress.parse('fd00::1'), prefixLen: 64 });
    const sourceTo = (): string | number => {
      const path = wire.stack.findPath(IpAddress.parse('2001:db8:1::99'), null, wire.nic.id);
      return typeof path === 'number' ? path : String(path.src);
    };
    const before = sourceTo();
    wire.pass(101_000);
    expect([before, sourceTo(), has(wire, MADE)]).toEqual([String(IpAddress.parse(MADE)), 'fd00::1', true]);
  });
});
