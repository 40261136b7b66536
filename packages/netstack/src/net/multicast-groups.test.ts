import { PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Network, type CableEnd } from '../testing/network.js';
import { icmp6, ipv4, ipv6, u16 } from '../testing/packets.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { IPPROTO_ICMPV6, IPPROTO_IGMP } from '../wire/protocol.js';
import { ANY_SOURCE, mergeFilters, NO_SOURCE, SourceFilter } from './source-filter.js';

const RECORD_NAMES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];
const GROUP = IpAddress.parse('232.1.1.1');
const GROUP6 = IpAddress.parse('ff35::1');
const IGMP_AT = 24;
const MLD_AT = 48;

function include(...sources: string[]): SourceFilter {
  return new SourceFilter(
    false,
    sources.map((text) => IpAddress.parse(text)),
  );
}

function exclude(...sources: string[]): SourceFilter {
  return new SourceFilter(
    true,
    sources.map((text) => IpAddress.parse(text)),
  );
}

function textOf(filter: SourceFilter): string {
  return `${filter.isExclude ? 'EXCLUDE' : 'INCLUDE'}(${filter.sources.map(String).join(' ')})`;
}

/** A stack whose router is the test: what it reports, and a socket that joins. */
function host(): { network: Network; far: CableEnd; reports: () => string[]; socket: UdpSocket; socket6: UdpSocket } {
  const network = new Network();
  const [near] = network.cable();
  const stack = network.stack();
  stack.addNic('eth0', near, { addresses: [parsePrefix('10.0.0.1/24'), parsePrefix('fe80::1/64')] });
  network.advance(10_000);
  near.sent.length = 0;
  const reports = (): string[] => near.sent.splice(0).flatMap((bytes) => recordsOf(bytes));
  return { network, far: near, reports, socket: new UdpSocket(stack, false), socket6: new UdpSocket(stack, true) };
}

/** The group records of a report, as `TYPE group sources`. */
function recordsOf(bytes: Uint8Array): string[] {
  const isIpv4 = bytes[0]! >>> 4 === 4;
  const at = isIpv4 ? IGMP_AT : MLD_AT;
  if (bytes[at] !== (isIpv4 ? 0x22 : 143)) return [];
  if (isIpv4) expect(checksumFold(checksumAdd(0, bytes, at, bytes.length - at))).toBe(0);
  const size = isIpv4 ? 4 : 16;
  const addressAt = (index: number): string => IpAddress.fromBytes(bytes, at + 12 + index * size, size).toString();
  const count = (bytes[at + 10]! << 8) | bytes[at + 11]!;
  expect(bytes).toHaveLength(at + 12 + (count + 1) * size);
  const sources = Array.from({ length: count }, (_, index) => ` ${addressAt(index + 1)}`);
  return [`${RECORD_NAMES[bytes[at + 8]!]!} ${addressAt(0)}${sources.join('')}`];
}

function igmpQuery(group: string, maxCode: number, ...sources: string[]): Uint8Array {
  const addresses = [...sources].flatMap((text) => bytesOf(text));
  const message = [0x11, maxCode, 0, 0, ...bytesOf(group), 2, 125, ...u16(sources.length), ...addresses];
  const sum = checksumFold(checksumAdd(0, Uint8Array.from(message), 0, message.length));
  message.splice(2, 2, ...u16(sum));
  return Uint8Array.from(ipv4({ src: '10.0.0.9', dst: '224.0.0.1', protocol: IPPROTO_IGMP, ttl: 1 }, ...message));
}

function mldQuery(group: string, ...sources: string[]): Uint8Array {
  const body = [0, 100, 0, 0, ...bytesOf(group), 2, 125, ...u16(sources.length), ...sources.flatMap(bytesOf)];
  const fields = { src: 'fe80::9', dst: 'ff02::1', next: IPPROTO_ICMPV6, hops: 1 };
  return Uint8Array.from(ipv6(fields, ...icmp6(fields, 130, 0, ...body)));
}

function bytesOf(text: string): number[] {
  const address = IpAddress.parse(text);
  const bytes = new Uint8Array(address.byteCount);
  if (address.isIpv4) address.storeIpv4(bytes, 0);
  else address.storeIpv6(bytes, 0);
  return [...bytes];
}

describe('mergeFilters, RFC 3376 section 3.2', () => {
  it.each([
    [[], 'INCLUDE()'],
    [[include('1.1.1.1'), include('1.1.1.1', '1.1.1.2')], 'INCLUDE(1.1.1.1 1.1.1.2)'],
    [[include('1.1.1.1'), ANY_SOURCE], 'EXCLUDE()'],
    [[exclude('1.1.1.1', '1.1.1.2'), exclude('1.1.1.2', '1.1.1.3')], 'EXCLUDE(1.1.1.2)'],
    [[exclude('1.1.1.1', '1.1.1.2', '1.1.1.3'), include('1.1.1.2')], 'EXCLUDE(1.1.1.1 1.1.1.3)'],
    [[NO_SOURCE, exclude('1.1.1.1')], 'EXCLUDE(1.1.1.1)'],
  ])('case %#', (filters, merged) => {
    expect(textOf(mergeFilters(filters))).toBe(merged);
  });
});

describe('MulticastGroups, reports of changes, RFC 3376 section 5.1', () => {
  it('tells twice that a group was joined, and that it was left', () => {
    const { network, reports, socket } = host();
    socket.joinGroup(GROUP, 0);
    network.advance(5_000);
    socket.leaveGroup(GROUP, 0);
    network.advance(5_000);
    expect(reports()).toEqual(['TO_EX 232.1.1.1', 'TO_EX 232.1.1.1', 'TO_IN 232.1.1.1', 'TO_IN 232.1.1.1']);
  });

  it('tells of sources that a filter takes in and lets go', () => {
    const { network, reports, socket } = host();
    const nic = socket.memberships.nicFor(GROUP, 0)!;
    socket.memberships.join(GROUP, nic, NO_SOURCE);
    socket.memberships.addSource(GROUP, nic.id, IpAddress.parse('10.0.0.2'), false);
    network.advance(5_000);
    expect(reports()).toEqual(['ALLOW 232.1.1.1 10.0.0.2', 'ALLOW 232.1.1.1 10.0.0.2']);
    socket.memberships.addSource(GROUP, nic.id, IpAddress.parse('10.0.0.3'), false);
    socket.memberships.removeSource(GROUP, nic.id, IpAddress.parse('10.0.0.2'), false);
    network.advance(5_000);
    const once = ['ALLOW 232.1.1.1 10.0.0.3', 'BLOCK 232.1.1.1 10.0.0.2'];
    expect(new Set(reports())).toEqual(new Set(once));
  });

  it('tells of blocked sources, and of the mode with all sources when that changes', () => {
    const { network, reports, socket } = host();
    socket.joinGroup(GROUP, 0);
    network.advance(5_000);
    reports();
    socket.memberships.addSource(GROUP, 0, IpAddress.parse('10.0.0.2'), true);
    network.advance(5_000);
    expect(reports()).toEqual(['BLOCK 232.1.1.1 10.0.0.2', 'BLOCK 232.1.1.1 10.0.0.2']);
    socket.memberships.setFilter(GROUP, 0, include('10.0.0.3', '10.0.0.4'));
    network.advance(5_000);
    expect(reports()).toEqual(Array(2).fill('TO_IN 232.1.1.1 10.0.0.3 10.0.0.4'));
    socket.close();
    network.advance(5_000);
    expect(new Set(reports())).toEqual(new Set(['BLOCK 232.1.1.1 10.0.0.3 10.0.0.4']));
  });

  it('speaks MLDv2 of groups of IPv6', () => {
    const { network, reports, socket6 } = host();
    socket6.joinGroup(GROUP6, 0);
    socket6.memberships.setFilter(GROUP6, 0, exclude('2001:db8::1'));
    network.advance(5_000);
    expect(new Set(reports())).toEqual(
      new Set(['TO_EX ff35::1', 'TO_EX ff35::1 2001:db8::1', 'BLOCK ff35::1 2001:db8::1']),
    );
  });
});

describe('MulticastGroups, answers to queries, RFC 3376 section 5.2', () => {
  function asked(query: Uint8Array, filter: SourceFilter): string[] {
    const { network, far, reports, socket, socket6 } = host();
    socket.joinGroup(GROUP, 0);
    socket6.joinGroup(GROUP6, 0);
    socket.memberships.setFilter(GROUP, 0, filter);
    network.advance(5_000);
    reports();
    far.sink!.deliver(PacketBuffer.copyOf(query));
    network.advance(60_000);
    return reports();
  }

  it.each([
    ['0.0.0.0', [], include('10.0.0.2'), ['IS_IN 232.1.1.1 10.0.0.2']],
    ['0.0.0.0', [], exclude('10.0.0.2'), ['IS_EX 232.1.1.1 10.0.0.2']],
    ['232.1.1.1', [], exclude('10.0.0.2'), ['IS_EX 232.1.1.1 10.0.0.2']],
    ['232.1.1.2', [], exclude('10.0.0.2'), []],
    ['232.1.1.1', ['10.0.0.2', '10.0.0.3'], exclude('10.0.0.2'), ['IS_IN 232.1.1.1 10.0.0.3']],
    ['232.1.1.1', ['10.0.0.2', '10.0.0.3'], include('10.0.0.2'), ['IS_IN 232.1.1.1 10.0.0.2']],
    ['232.1.1.1', ['10.0.0.3'], include('10.0.0.2'), []],
  ])('for %s, sources %j', (group, sources, filter, answers) => {
    expect(asked(igmpQuery(group, 100, ...sources), filter)).toEqual(answers);
  });

  it('takes a delay that is a floating-point number', () => {
    expect(asked(igmpQuery('232.1.1.1', 0x81), ANY_SOURCE)).toEqual(['IS_EX 232.1.1.1']);
  });

  it('answers MLDv2', () => {
    expect(asked(mldQuery('ff35::1'), ANY_SOURCE)).toEqual(['IS_EX ff35::1']);
    expect(asked(mldQuery('ff35::1', '2001:db8::1'), ANY_SOURCE)).toEqual(['IS_IN ff35::1 2001:db8::1']);
  });

  it('cuts a list of sources that the packet does not hold', () => {
    const query = igmpQuery('232.1.1.1', 100, '10.0.0.3');
    query[20 + 11] = 200;
    const message = query.subarray(20);
    message.set([0, 0], 2);
    message.set(u16(checksumFold(checksumAdd(0, message, 0, message.length))), 2);
    expect(asked(query, ANY_SOURCE)).toEqual(['IS_IN 232.1.1.1 10.0.0.3']);
  });
});
