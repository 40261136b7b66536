import { ChannelLink } from '../link/channel.js';
import { EthernetWire, IPV4, PEERS } from '../testing/ethernet-wire.js';
import { Bench, icmp4, ipv4, u16, udp } from '../testing/packets.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { parseLinkAddress } from '../wire/ethernet.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const ICMP = 1;
const TYPE_AT = 20;
const UNREACHABLE_PORT = [3, 3];
const UNREACHABLE_PROTOCOL = [3, 2];
const ECHO = icmp4(8, 0, 0, 7, 0, 1, 1, 2, 3, 4);
/** To a port that nobody has. */
const LOST = udp(5000, 9999, 1, 2, 3, 4);

/** Type and code of each message that the stack sends about a packet. */
function errors(packet: number[]): number[][] {
  return new Bench().answers(packet).map((bytes) => [bytes[TYPE_AT]!, bytes[TYPE_AT + 1]!]);
}

describe('RFC 1122 section 3.2.1, what a host takes', () => {
  it.each([
    ['3.2.1.1', 'another version', ipv4({ version: 5, protocol: ICMP }, ...ECHO)],
    ['3.2.1.2', 'a bad header checksum', ipv4({ protocol: ICMP, checksumError: 1 }, ...ECHO)],
    ['3.2.1.3', 'an address of somebody else', ipv4({ dst: '10.0.0.77', protocol: ICMP }, ...ECHO)],
    ['3.2.1.3', 'a group as its source', ipv4({ src: '224.0.0.9', protocol: ICMP }, ...ECHO)],
    ['3.2.1.3', 'a broadcast address as its source', ipv4({ src: '255.255.255.255', protocol: ICMP }, ...ECHO)],
    ['3.2.1.3', 'a loopback address from outside', ipv4({ src: '127.0.0.1', protocol: ICMP }, ...ECHO)],
  ])('%s: silently discards a datagram with %s', (_section, _what, packet) => {
    expect(new Bench().answers(packet)).toEqual([]);
  });

  it('3.2.1.7: takes a datagram whose TTL is used up, if it is for the host', () => {
    expect(errors(ipv4({ ttl: 1, protocol: ICMP }, ...ECHO))).toEqual([[0, 0]]);
  });
});

describe('RFC 1122 section 3.2.2, ICMP', () => {
  it('discards a message of an unknown type', () => {
    expect(new Bench().answers(ipv4({ protocol: ICMP }, ...icmp4(250, 0, 0, 0, 0, 0)))).toEqual([]);
  });

  it('quotes the header and at least eight bytes, unchanged', () => {
    const packet = ipv4({}, ...LOST);
    const [error] = new Bench().answers(packet);
    expect([...error!.subarray(TYPE_AT + 8)]).toEqual(packet);
  });

  it.each([
    ['an ICMP error', ipv4({ protocol: ICMP }, ...icmp4(3, 3, 0, 0, 0, 0, ...ipv4({}, ...LOST)))],
    ['a broadcast', ipv4({ dst: '10.0.0.255' }, ...LOST)],
    ['a limited broadcast', ipv4({ dst: '255.255.255.255' }, ...LOST)],
    ['a group', ipv4({ dst: '224.0.0.1' }, ...LOST)],
    ['a later fragment', ipv4({ fragment: 1 }, ...LOST)],
    ['what nobody in particular sent', ipv4({ src: '0.0.0.0' }, ...LOST)],
  ])('sends no error about %s', (_what, packet) => {
    expect(errors(packet)).toEqual([]);
  });

  it('3.2.2.1: tells of a protocol and of a port that there is none of', () => {
    expect([errors(ipv4({ protocol: 253 }, ...LOST)), errors(ipv4({}, ...LOST))]).toEqual([
      [UNREACHABLE_PROTOCOL],
      [UNREACHABLE_PORT],
    ]);
  });

  it('3.2.2.6: answers an echo request to it with the same data, from the address that was asked', () => {
    const [reply] = new Bench().answers(ipv4({ protocol: ICMP }, ...ECHO));
    expect([...reply!.subarray(12, 20), ...reply!.subarray(TYPE_AT + 4)]).toEqual([
      ...[10, 0, 0, 1, 10, 0, 0, 2],
      ...ECHO.slice(4),
    ]);
  });
});

describe('RFC 1122 section 4.1, UDP', () => {
  function received(datagram: number[]): number {
    const bench = new Bench();
    const socket = new UdpSocket(bench.stack, false);
    socket.bind(IpAddress.parse('0.0.0.0'), 9999);
    bench.answers(ipv4({}, ...datagram));
    return socket.receive(new Uint8Array(100), 0, 100, 0, null, null);
  }
  const withChecksum = (value: number): number[] => [...LOST.slice(0, 6), ...u16(value), ...LOST.slice(8)];
  const EAGAIN = 11;
  /** Over 10.0.0.2, 10.0.0.1, protocol 17, the length, and the datagram. */
  const RIGHT = 0xad36;

  it.each([
    ['no checksum', 0, 4],
    ['the right one', RIGHT, 4],
    ['a wrong one', RIGHT ^ 1, -EAGAIN],
  ])('4.1.3.4: a datagram with %s', (_what, checksum, result) => {
    expect(received(withChecksum(checksum))).toBe(result);
  });
});

describe('RFC 1122 section 3.3.4.2, packets to an address of another interface', () => {
  function answerCount(strongHost: boolean, dst: string): number {
    const wire = new EthernetWire({ addresses: ['10.0.0.1/24'], stack: { strongHost } });
    wire.stack.addNic('eth1', new ChannelLink(), { addresses: [parsePrefix('10.5.0.1/24')] });
    wire.nic.neighbours!.addPermanent(IpAddress.parse('10.0.0.2'), parseLinkAddress(PEERS));
    wire.heard();
    return wire.inject(IPV4, ipv4({ dst, protocol: ICMP }, ...ECHO)).length;
  }

  it('are taken in the weak model, as Linux has it', () => expect(answerCount(false, '10.5.0.1')).toBe(1));

  it('are dropped in the strong model', () => expect(answerCount(true, '10.5.0.1')).toBe(0));

  it('those to its own are taken in either', () => {
    expect([answerCount(false, '10.0.0.1'), answerCount(true, '10.0.0.1')]).toEqual([1, 1]);
  });
});
