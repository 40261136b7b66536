import { ChannelLink } from '../link/channel.js';
import { parsePrefix } from '../wire/ip-address.js';
import { IPPROTO_UDP } from '../wire/protocol.js';
import { Bench, icmp6, ipv6, type Ipv6Fields, udp } from '../testing/packets.js';

const TYPE_AT = 40;
const MTU_MIN = 1280;
const GROUP = 'ff02::1';
/** To a port that nobody has; nobody looks at the checksum first. */
const LOST = udp(5000, 9999, 1, 2, 3, 4);
/** Destination options with one that the node does not know and that asks for a report: RFC 8200 section 4.2. */
const UNKNOWN_OPTION = [59, 0, 0x9e, 4, 0, 0, 0, 0];
const UNKNOWN_NEXT = 253;

/** Type and code of each message that the stack sends about a packet. */
function errors(packet: number[]): number[][] {
  return new Bench().answers(packet).map((bytes) => [bytes[TYPE_AT]!, bytes[TYPE_AT + 1]!]);
}

function message(type: number, code: number, body: number[], fields: Ipv6Fields = {}): number[] {
  return ipv6(fields, ...icmp6(fields, type, code, ...body));
}

describe('RFC 4443 section 2.4, processing rules', () => {
  it('(b): silently discards an informational message of an unknown type', () => {
    expect(errors(message(200, 0, [0, 0, 0, 0]))).toEqual([]);
  });

  it('(c): quotes as much as fits into the smallest MTU', () => {
    const packet = ipv6({ next: UNKNOWN_NEXT }, ...new Array<number>(1400).fill(7));
    const [error] = new Bench().answers(packet);
    expect([error!.length, [...error!.subarray(TYPE_AT + 8)]]).toEqual([
      MTU_MIN,
      packet.slice(0, MTU_MIN - TYPE_AT - 8),
    ]);
  });

  it.each([
    ['(e.1)', 'an error', message(1, 4, [0, 0, 0, 0, ...ipv6({}, ...LOST)])],
    ['(e.1)', 'an error of an unknown type', message(100, 0, [0, 0, 0, 0, ...ipv6({}, ...LOST)])],
    ['(e.2)', 'a redirect', message(137, 0, [0, 0, 0, 0])],
    ['(e.3)', 'a packet to a group', ipv6({ dst: GROUP, next: UNKNOWN_NEXT }, ...LOST)],
    ['(e.6)', 'a packet that no one node sent', ipv6({ src: '::', next: UNKNOWN_NEXT }, ...LOST)],
    ['(e.6)', 'a packet from a group', ipv6({ src: 'ff02::9', next: UNKNOWN_NEXT }, ...LOST)],
  ])('%s: sends no error about %s', (_rule, _what, packet) => {
    expect(errors(packet)).toEqual([]);
  });

  it('(e.3): reports an unknown option to a group all the same', () => {
    expect(errors(ipv6({ dst: GROUP, next: 60 }, ...UNKNOWN_OPTION))).toEqual([[4, 2]]);
  });

  it('(f): limits how many errors it sends', () => {
    const bench = new Bench();
    let count = 0;
    for (let i = 0; i < 100; i++) count += bench.answers(ipv6({ next: UNKNOWN_NEXT }, ...LOST)).length;
    expect(count).toBeLessThan(20);
  });
});

describe('RFC 4443 sections 3 and 4, messages', () => {
  it('3.4: points at a next header that the node does not know', () => {
    const [error] = new Bench().answers(ipv6({ next: UNKNOWN_NEXT }, ...LOST));
    expect([...error!.subarray(TYPE_AT, TYPE_AT + 2), ...error!.subarray(TYPE_AT + 4, TYPE_AT + 8)]).toEqual([
      ...[4, 1],
      ...[0, 0, 0, 6],
    ]);
  });

  it('4.2: answers an echo request with its identifier, sequence number and data, from the address that was asked', () => {
    const body = [0, 7, 0, 1, 1, 2, 3, 4];
    const [reply] = new Bench().answers(message(128, 0, body));
    expect([reply![TYPE_AT], reply![8 + 15], ...reply!.subarray(TYPE_AT + 4)]).toEqual([129, 1, ...body]);
  });

  describe('of a router whose next link takes 1300 bytes', () => {
    /** What it tells the sender of a packet that it is to forward. */
    function told(packet: number[]): Uint8Array[] {
      const bench = new Bench();
      bench.stack.addNic('eth1', new ChannelLink({ mtu: 1300 }), { addresses: [parsePrefix('fd01::1/64')] });
      bench.stack.forwardsIpv6 = true;
      bench.sent();
      return bench.answers(packet);
    }
    const packetOf = (len: number, hops = 64): number[] =>
      ipv6({ dst: 'fd01::2', next: IPPROTO_UDP, hops }, ...udp(1, 2, ...new Array<number>(len - 48).fill(7)));

    it('3.2: tells the MTU of the next link about a packet that is larger, and quotes it', () => {
      const packet = packetOf(1301);
      const [error] = told(packet);
      expect([...error!.subarray(TYPE_AT, TYPE_AT + 2), ...error!.subarray(TYPE_AT + 4, TYPE_AT + 8)]).toEqual([
        ...[2, 0],
        ...[0, 0, 1300 >> 8, 1300 & 0xff],
      ]);
      expect([...error!.subarray(TYPE_AT + 8)]).toEqual(packet.slice(0, MTU_MIN - TYPE_AT - 8));
    });

    it('3.2: says nothing about one that fits', () => {
      expect(told(packetOf(1300)).filter((bytes) => bytes[TYPE_AT] === 2)).toEqual([]);
    });

    it.each([0, 1])('3.3: discards a packet that came with hop limit %i, and tells its sender', (hops) => {
      expect(told(packetOf(100, hops)).map((bytes) => [bytes[TYPE_AT], bytes[TYPE_AT + 1]])).toEqual([[3, 0]]);
    });
  });

  it('2.3: discards a message with a wrong checksum', () => {
    const packet = message(128, 0, [0, 7, 0, 1]);
    packet[TYPE_AT + 2] = packet[TYPE_AT + 2]! ^ 1;
    expect(new Bench().answers(packet)).toEqual([]);
  });
});
