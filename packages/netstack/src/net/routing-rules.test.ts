import { EACCES, EHOSTUNREACH, EINVAL, ENETUNREACH, SO_MARK, SOL_SOCKET } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { Netfilter } from '../filter/netfilter.js';
import { Rule } from '../filter/rule.js';
import { ChannelLink } from '../link/channel.js';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Stack } from '../stack.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { SeededRandom } from './random.js';
import {
  FR_ACT_BLACKHOLE,
  FR_ACT_PROHIBIT,
  FR_ACT_TO_TBL,
  FR_ACT_UNREACHABLE,
  RULE_COUNT_MAX,
} from './routing-rules.js';

/** Two ways out: eth0 by the main table, eth1 by table 100. */
function stack() {
  const made = new Stack({ clock: new VirtualClock(1), random: new SeededRandom(1), dadTransmits: 0 });
  const links = [0, 1].map(() => new ChannelLink());
  const nics = links.map((link, n) =>
    made.addNic(`eth${n}`, link, { addresses: [parsePrefix(`10.0.${n}.1/24`), parsePrefix(`fd0${n}::1/64`)] }),
  );
  for (const prefix of ['0.0.0.0/0', '::/0']) {
    made.routes.add({ destination: parsePrefix(prefix), nicId: nics[0]!.id });
    made.routingTable(100)!.add({ destination: parsePrefix(prefix), nicId: nics[1]!.id });
  }
  for (const link of links) while (link.read() !== null);
  return { stack: made, links };
}

const to = (text: string): IpAddress => IpAddress.parse(text);

describe('policy routing', () => {
  it.each([
    ['source', { source: parsePrefix('10.0.1.0/24') }, '10.0.1.1', 0, 'eth1'],
    ['another source', { source: parsePrefix('10.0.1.0/24') }, '10.0.0.1', 0, 'eth0'],
    ['not that source', { source: parsePrefix('10.0.1.0/24'), isInverted: true }, '10.0.0.1', 0, 'eth1'],
    ['destination', { destination: parsePrefix('192.0.2.0/24') }, null, 0, 'eth1'],
    ['another destination', { destination: parsePrefix('192.0.3.0/24') }, null, 0, 'eth0'],
    ['mark', { mark: 0x10, markMask: 0xf0 }, null, 0x1f, 'eth1'],
    ['another mark', { mark: 0x10, markMask: 0xf0 }, null, 0x2f, 'eth0'],
    ['an interface that it did not come in by', { inNicId: 2 }, null, 0, 'eth0'],
  ])('by %s', (_name, condition, source, mark, out) => {
    const { stack: made } = stack();
    made.rules.add({ priority: 100, isIpv6: false, action: FR_ACT_TO_TBL, table: 100, ...condition });
    const path = made.findPath(to('192.0.2.9'), source === null ? null : to(source), 0, mark);
    expect(typeof path === 'number' ? path : path.nic.name).toBe(out);
    const other = made.findPath(to('2001:db8::1'), null, 0, mark);
    expect(typeof other === 'number' ? other : other.nic.name).toBe('eth0');
  });

  it.each([
    [FR_ACT_BLACKHOLE, -EINVAL],
    [FR_ACT_UNREACHABLE, -EHOSTUNREACH],
    [FR_ACT_PROHIBIT, -EACCES],
  ])('action %i: errno %i', (action, errno) => {
    const { stack: made } = stack();
    made.rules.add({ priority: 1, isIpv6: true, action, table: 0 });
    expect([made.findPath(to('2001:db8::1'), null, 0), typeof made.findPath(to('192.0.2.1'), null, 0)]).toEqual([
      errno,
      'object',
    ]);
  });

  it('goes on with the next rule where a table has no route', () => {
    const { stack: made } = stack();
    made.rules.add({ priority: 1, isIpv6: false, action: FR_ACT_TO_TBL, table: 7 });
    expect(typeof made.findPath(to('192.0.2.1'), null, 0)).toBe('object');
    expect(made.rules.remove(({ table }) => table === 254)).toBe(true);
    expect(made.findPath(to('192.0.2.1'), null, 0)).toBe(-ENETUNREACH);
  });

  it('follows a mark that the socket or the mangle table sets', () => {
    const { stack: made, links } = stack();
    made.rules.add({ priority: 1, isIpv6: false, mark: 5, action: FR_ACT_TO_TBL, table: 100 });
    const socket = new UdpSocket(made, false);
    const send = (): number[] => {
      socket.send(new Uint8Array(1), 0, 1, new SocketAddress(to('192.0.2.1'), 9));
      return links.map((link) => (link.read() === null ? 0 : 1));
    };
    expect(send()).toEqual([1, 0]);
    socket.setOption(SOL_SOCKET, SO_MARK, 5);
    expect(send()).toEqual([0, 1]);
    socket.setOption(SOL_SOCKET, SO_MARK, 0);
    expect(send()).toEqual([1, 0]);
    const netfilter = new Netfilter(made);
    netfilter.ipv4.mangle.insertRule('OUTPUT', new Rule({}, [], { kind: 'MARK', value: 5, mask: -1 }));
    made.filter = netfilter;
    expect(send()).toEqual([0, 1]);
  });

  it('routes what is forwarded by where it came in', () => {
    const { stack: made, links } = stack();
    made.forwardsIpv4 = true;
    made.rules.add({ priority: 1, isIpv6: false, inNicId: 2, action: FR_ACT_TO_TBL, table: 100 });
    const socket = new UdpSocket(made, false);
    socket.send(new Uint8Array(1), 0, 1, new SocketAddress(to('192.0.2.1'), 9));
    const sent = links[0]!.read()!;
    // As from a neighbour of eth0.
    const bytes = sent.bytes.slice(sent.at, sent.end);
    bytes[15] = 9;
    bytes[10] = bytes[11] = 0;
    let sum = 0;
    for (let i = 0; i < 20; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
    sum = (sum & 0xffff) + (sum >> 16);
    [bytes[10], bytes[11]] = [(~sum >> 8) & 0xff, ~sum & 0xff];
    links[0]!.inject(PacketBuffer.copyOf(bytes));
    expect(links.map((link) => link.count)).toEqual([0, 1]);
  });

  it('has no more rules than it may', () => {
    const { stack: made } = stack();
    const rule = { priority: 5, isIpv6: false, action: FR_ACT_TO_TBL, table: 100 };
    while (made.rules.rules.length < RULE_COUNT_MAX) expect(made.rules.add(rule)).toBe(true);
    expect(made.rules.add(rule)).toBe(false);
  });
});
