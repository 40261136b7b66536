import { UdpSocket } from '../socket/udp-socket.js';
import { EthernetWire, type Frame, icmp6Of, IPV4, IPV6, nd } from '../testing/ethernet-wire.js';
import { addressBytes, internetSum, ipv4, u16 } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const IGMP = 2;
const QUERY = 0x11;
const V1_REPORT = 0x12;
const V2_REPORT = 0x16;
const LEAVE = 0x17;
const V3_REPORT = 0x22;
const MLD_QUERY = 130;
const MLD_REPORT = 131;
const MLD_DONE = 132;
const MLD2_REPORT = 143;
const IS_EXCLUDE = 2;
const TO_INCLUDE = 3;
const TO_EXCLUDE = 4;
const GROUP = '239.1.2.3';
const GROUP6 = 'ff15::1:2:3';
const ALL_SYSTEMS_MAC = '01:00:5e:00:00:01';

/** One record of a report: its type and group; or of an older report, its message type. */
interface Told {
  readonly atMs: number;
  readonly dst: string;
  readonly type: number;
  readonly record: number;
  readonly group: string;
  readonly frame: Frame;
}

function reports4(frames: readonly Frame[]): Told[] {
  return frames.flatMap((frame) => {
    const { payload } = frame;
    if (frame.type !== IPV4 || payload[9] !== IGMP) return [];
    const message = payload.slice((payload[0]! & 15) * 4);
    expect(internetSum(message)).toBe(0);
    const isV3 = message[0] === V3_REPORT;
    const group = (isV3 ? message.slice(12, 16) : message.slice(4, 8)).join('.');
    return [
      {
        atMs: frame.atMs,
        dst: payload.slice(16, 20).join('.'),
        type: message[0]!,
        record: isV3 ? message[8]! : 0,
        group,
        frame,
      },
    ];
  });
}

function reports6(frames: readonly Frame[]): Told[] {
  return frames.flatMap((frame) => {
    const { payload } = frame;
    if (frame.type !== IPV6 || payload[6] !== 0) return [];
    const message = payload.slice(48);
    const isV2 = message[0] === MLD2_REPORT;
    const bytes = isV2 ? message.slice(12, 28) : message.slice(8, 24);
    const group = IpAddress.fromBytes(Uint8Array.from(bytes), 0, 16).toString();
    const dst = IpAddress.fromBytes(Uint8Array.from(payload.slice(24, 40)), 0, 16).toString();
    return [{ atMs: frame.atMs, dst, type: message[0]!, record: isV2 ? message[8]! : 0, group, frame }];
  });
}

const about = (told: readonly Told[], group: string): Told[] => told.filter((one) => one.group === group);

/** A host that has told what it had to tell. */
function quiet(): EthernetWire {
  const wire = new EthernetWire();
  wire.pass(60_000);
  return wire;
}

function join(wire: EthernetWire, group: string): UdpSocket {
  const socket = new UdpSocket(wire.stack, true);
  expect(socket.joinGroup(IpAddress.parse(group), wire.nic.id)).toBe(0);
  return socket;
}

function query4(maxTenths: number, group = '0.0.0.0', isV3 = true): number[] {
  const message = [QUERY, maxTenths, 0, 0, ...addressBytes(group), ...(isV3 ? [2, 125, 0, 0] : [])];
  message.splice(2, 2, ...u16(internetSum(message)));
  return ipv4({ dst: group === '0.0.0.0' ? '224.0.0.1' : group, protocol: IGMP, ttl: 1 }, ...message);
}

function query6(maxMs: number, group = '::', isV2 = true, src = 'fe80::2'): number[] {
  const body = [...u16(maxMs), 0, 0, ...addressBytes(group), ...(isV2 ? [2, 125, 0, 0] : [])];
  return nd({ src, dst: group === '::' ? 'ff02::1' : group, hops: 1 }, MLD_QUERY, ...body);
}

describe('RFC 3376, IGMPv3 of a host', () => {
  it('4.2: a report goes to 224.0.0.22, with TTL 1, precedence of internetwork control and the router alert', () => {
    const wire = quiet();
    join(wire, GROUP);
    const [told] = about(reports4(wire.heard()), GROUP);
    const { payload } = told!.frame;
    expect([told!.dst, payload[8], payload[1], payload.slice(20, 24)]).toEqual([
      '224.0.0.22',
      1,
      0xc0,
      [0x94, 4, 0, 0],
    ]);
  });

  it('5.1: joining is told at once, and again after a random part of a second', () => {
    const wire = quiet();
    join(wire, GROUP);
    const startMs = wire.nowMs;
    const told = about(reports4(wire.pass(60_000)), GROUP);
    expect(told.map(({ type, record }) => [type, record])).toEqual([
      [V3_REPORT, TO_EXCLUDE],
      [V3_REPORT, TO_EXCLUDE],
    ]);
    expect([told[0]!.atMs - startMs, told[1]!.atMs - startMs <= 1_000]).toEqual([0, true]);
  });

  it('5.1: leaving too', () => {
    const wire = quiet();
    const socket = join(wire, GROUP);
    wire.pass(10_000);
    socket.close();
    expect(about(reports4(wire.pass(60_000)), GROUP).map(({ record }) => record)).toEqual([TO_INCLUDE, TO_INCLUDE]);
  });

  it('5.1: only the first who joins and the last who leaves count', () => {
    const wire = quiet();
    join(wire, GROUP);
    wire.pass(10_000);
    const second = join(wire, GROUP);
    second.close();
    expect(about(reports4(wire.pass(60_000)), GROUP)).toEqual([]);
  });

  it('5.2: a general query is answered for every group within the time that it allows', () => {
    const wire = quiet();
    for (const group of [GROUP, '239.9.9.9']) join(wire, group);
    wire.pass(10_000);
    wire.inject(IPV4, query4(50), ALL_SYSTEMS_MAC);
    const startMs = wire.nowMs;
    const told = reports4(wire.pass(60_000));
    expect(told.map(({ group, record }) => [group, record]).sort()).toEqual([
      [GROUP, IS_EXCLUDE],
      ['239.9.9.9', IS_EXCLUDE],
    ]);
    expect(told.every(({ atMs }) => atMs - startMs <= 5_000)).toBe(true);
  });

  it('5.2: a query for one group is answered for that one', () => {
    const wire = quiet();
    for (const group of [GROUP, '239.9.9.9']) join(wire, group);
    wire.pass(10_000);
    wire.inject(IPV4, query4(10, GROUP), '01:00:5e:01:02:03');
    expect(reports4(wire.pass(60_000)).map(({ group }) => group)).toEqual([GROUP]);
  });

  it('5.2: one for a group that nobody has joined is not answered', () => {
    const wire = quiet();
    join(wire, GROUP);
    wire.pass(10_000);
    wire.inject(IPV4, query4(10, '239.9.9.9'), ALL_SYSTEMS_MAC);
    expect(reports4(wire.pass(60_000))).toEqual([]);
  });

  it('4.2.12: 224.0.0.1 is never told', () => {
    const wire = quiet();
    wire.inject(IPV4, query4(10), ALL_SYSTEMS_MAC);
    expect(about(reports4(wire.pass(60_000)), '224.0.0.1')).toEqual([]);
  });

  it('4.1.1: 128 and more stand for longer times', () => {
    const wire = quiet();
    join(wire, GROUP);
    wire.pass(10_000);
    // 0x8f: (15 | 16) << 3, that is 24.8 seconds.
    wire.inject(IPV4, query4(0x8f), ALL_SYSTEMS_MAC);
    const startMs = wire.nowMs;
    const [told] = reports4(wire.pass(60_000));
    expect(told!.atMs - startMs).toBeLessThanOrEqual(24_800);
  });

  it('a query with a wrong checksum is ignored', () => {
    const wire = quiet();
    join(wire, GROUP);
    wire.pass(10_000);
    const query = query4(10);
    query[22] = query[22]! ^ 1;
    wire.inject(IPV4, query, ALL_SYSTEMS_MAC);
    expect(reports4(wire.pass(60_000))).toEqual([]);
  });

  it.each([
    ['version 2', 10, V2_REPORT],
    ['version 1', 0, V1_REPORT],
  ])('7.2.1: to a querier of %s a host reports as that version does, to the group', (_version, maxTenths, type) => {
    const wire = quiet();
    join(wire, GROUP);
    wire.pass(10_000);
    wire.inject(IPV4, query4(maxTenths, '0.0.0.0', false), ALL_SYSTEMS_MAC);
    expect(about(reports4(wire.pass(20_000)), GROUP).map((told) => [told.type, told.dst])).toEqual([[type, GROUP]]);
  });

  it('7.2.1: with one of version 2 it says to all routers when it leaves', () => {
    const wire = quiet();
    const socket = join(wire, GROUP);
    wire.pass(10_000);
    wire.inject(IPV4, query4(10, '0.0.0.0', false), ALL_SYSTEMS_MAC);
    wire.pass(20_000);
    socket.close();
    expect(about(reports4(wire.pass(1_000)), GROUP).map((told) => [told.type, told.dst])).toEqual([
      [LEAVE, '224.0.0.2'],
    ]);
  });

  it('7.2.1: and goes back to version 3 when the old querier is not heard any more', () => {
    const wire = quiet();
    join(wire, GROUP);
    wire.inject(IPV4, query4(10, '0.0.0.0', false), ALL_SYSTEMS_MAC);
    wire.pass(10_000_000);
    join(wire, '239.9.9.9');
    expect(about(reports4(wire.heard()), '239.9.9.9').map(({ type }) => type)).toEqual([V3_REPORT]);
  });
});

describe('RFC 3810, MLDv2 of a host', () => {
  it('5.2: a report goes to ff02::16 from a link-local address, with hop limit 1 and the router alert', () => {
    const wire = quiet();
    join(wire, GROUP6);
    const [told] = about(reports6(wire.heard()), GROUP6);
    const { payload } = told!.frame;
    expect([told!.dst, payload[7], payload.slice(8, 10), payload.slice(40, 46)]).toEqual([
      'ff02::16',
      1,
      [0xfe, 0x80],
      [58, 0, 5, 2, 0, 0],
    ]);
  });

  it('6.1: joining and leaving are told twice', () => {
    const wire = quiet();
    const socket = join(wire, GROUP6);
    const joined = about(reports6(wire.pass(60_000)), GROUP6).map(({ record }) => record);
    socket.close();
    expect([joined, about(reports6(wire.pass(60_000)), GROUP6).map(({ record }) => record)]).toEqual([
      [TO_EXCLUDE, TO_EXCLUDE],
      [TO_INCLUDE, TO_INCLUDE],
    ]);
  });

  it('6.2: a general query is answered for every group, the solicited-node groups too, within the time that it allows', () => {
    const wire = quiet();
    join(wire, GROUP6);
    wire.pass(10_000);
    wire.inject(IPV6, query6(5_000), '33:33:00:00:00:01');
    const startMs = wire.nowMs;
    const told = reports6(wire.pass(60_000));
    expect(told.map(({ group }) => group)).toEqual(expect.arrayContaining([GROUP6, 'ff02::1:ff00:1']));
    expect(told.every(({ atMs, record }) => atMs - startMs <= 5_000 && record === IS_EXCLUDE)).toBe(true);
  });

  it('6.2: a query for one group is answered for that one', () => {
    const wire = quiet();
    join(wire, GROUP6);
    wire.pass(10_000);
    wire.inject(IPV6, query6(1_000, GROUP6), '33:33:00:02:00:03');
    expect(reports6(wire.pass(60_000)).map(({ group }) => group)).toEqual([GROUP6]);
  });

  it('6: ff02::1 is never told', () => {
    const wire = quiet();
    wire.inject(IPV6, query6(1_000), '33:33:00:00:00:01');
    expect(about(reports6(wire.pass(60_000)), 'ff02::1')).toEqual([]);
  });

  it.each([
    ['does not come from a link-local address', query6(1_000, '::', true, 'fd00::2')],
    ['has a hop limit other than 1', query6(1_000).map((byte, i) => (i === 7 ? 2 : byte))],
  ])('6.2: a query that %s is silently dropped', (_what, packet) => {
    const wire = quiet();
    join(wire, GROUP6);
    wire.pass(10_000);
    wire.inject(IPV6, packet, '33:33:00:00:00:01');
    expect(reports6(wire.pass(60_000))).toEqual([]);
  });

  it('8.2.1: to a querier of version 1 a host reports as that one does, to the group', () => {
    const wire = quiet();
    const socket = join(wire, GROUP6);
    wire.pass(10_000);
    wire.inject(IPV6, query6(1_000, '::', false), '33:33:00:00:00:01');
    const told = about(reports6(wire.pass(20_000)), GROUP6).map(({ type, dst }) => [type, dst]);
    socket.close();
    const left = about(reports6(wire.pass(1_000)), GROUP6).map(({ type, dst }) => [type, dst]);
    expect([told, left]).toEqual([[[MLD_REPORT, GROUP6]], [[MLD_DONE, 'ff02::2']]]);
  });

  it('RFC 3590: while there is no link-local address, reports come from nobody', () => {
    const wire = new EthernetWire({ addresses: [], stack: { dadTransmits: 1 } });
    const [told] = reports6(wire.heard());
    expect([told!.frame.payload.slice(8, 24).every((byte) => byte === 0), icmp6Of(told!.frame)]).toEqual([true, null]);
  });
});
