import { Bench, icmp6, ipv6, u16, udp } from '../testing/packets.js';

const TYPE_AT = 40;
const POINTER_AT = 44;
const HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const ICMPV6 = 58;
const NONE = 59;
const DESTINATION = 60;
const LOST = udp(5000, 9999, 1, 2, 3, 4);
const ECHO = icmp6({}, 128, 0, 0, 7, 0, 1, ...new Array<number>(16).fill(9));
const REPLY = [129, 0];
const PARAMETER_PROBLEM = 4;

/** Type and code of each message that a packet is answered with. */
function answers(packet: number[]): number[][] {
  return new Bench().answers(packet).map((bytes) => [bytes[TYPE_AT]!, bytes[TYPE_AT + 1]!]);
}

/** Type, code and pointer of the one message that a packet is answered with. */
function problem(packet: number[]): number[] {
  const [error] = new Bench().answers(packet);
  return error === undefined ? [] : [error[TYPE_AT]!, error[TYPE_AT + 1]!, error[POINTER_AT + 3]!];
}

/** An extension header of eight bytes with one option of four. */
function option(next: number, type: number): number[] {
  return [next, 0, type, 4, 0, 0, 0, 0];
}

/** A fragment header; `offset` in bytes. */
function fragment(next: number, offset: number, isLast: boolean, id = 9): number[] {
  return [next, 0, ...u16(offset | (isLast ? 0 : 1)), 0, 0, ...u16(id)];
}

describe('RFC 8200 section 4, extension headers', () => {
  it.each([
    [
      'hop-by-hop and destination options',
      ipv6({ next: HOP }, ...option(DESTINATION, 1), ...option(ICMPV6, 1), ...ECHO),
    ],
    ['a routing header that is used up', ipv6({ next: ROUTING }, ICMPV6, 0, 77, 0, 0, 0, 0, 0, ...ECHO)],
    ['a fragment that is the whole packet', ipv6({ next: FRAGMENT }, ...fragment(ICMPV6, 0, true), ...ECHO)],
    ['4.2: an option that may be skipped', ipv6({ next: DESTINATION }, ...option(ICMPV6, 0x1e), ...ECHO)],
  ])('takes a packet with %s', (_what, packet) => {
    expect(answers(packet)).toEqual([REPLY]);
  });

  it.each([
    ['4.2', 'an option to be dropped for', ipv6({ next: DESTINATION }, ...option(ICMPV6, 0x5e), ...ECHO)],
    ['4.2', 'an option to a group', ipv6({ dst: 'ff02::1', next: DESTINATION }, ...option(NONE, 0xde))],
    ['4.7', 'no next header', ipv6({ next: NONE }, ...LOST)],
  ])('%s: silently discards a packet with %s', (_section, _what, packet) => {
    expect(answers(packet)).toEqual([]);
  });

  it.each([
    ['4', 'an unknown next header', ipv6({ next: 253 }, ...LOST), [PARAMETER_PROBLEM, 1, 6]],
    [
      '4.1',
      'late hop-by-hop options',
      ipv6({ next: DESTINATION }, ...option(HOP, 1), ...option(ICMPV6, 1)),
      [4, 1, 40],
    ],
    ['4.2', 'an option to be told of', ipv6({ next: DESTINATION }, ...option(ICMPV6, 0x9e), ...ECHO), [4, 2, 42]],
    ['4.4', 'a source route', ipv6({ next: ROUTING }, ICMPV6, 0, 77, 1, 0, 0, 0, 0, ...ECHO), [4, 0, 42]],
    ['4.5', 'a fragment of odd length', ipv6({ next: FRAGMENT }, ...fragment(17, 0, false), ...LOST, 1), [4, 0, 4]],
    ['4.5', 'a fragment beyond the end', ipv6({ next: FRAGMENT }, ...fragment(17, 65528, true), ...LOST), [4, 0, 42]],
  ])('%s: tells of %s', (_section, _what, packet, told) => {
    expect(problem(packet)).toEqual(told);
  });
});

describe('RFC 8200 section 4.5, reassembly', () => {
  const pieces = (id: number): [number[], number[]] => [
    ipv6({ next: FRAGMENT }, ...fragment(ICMPV6, 0, false, id), ...ECHO.slice(0, 8)),
    ipv6({ next: FRAGMENT }, ...fragment(ICMPV6, 8, true, id), ...ECHO.slice(8)),
  ];

  it.each([
    ['in order', 0, 1],
    ['the last one first', 1, 0],
  ])('puts fragments together: %s', (_order, first, second) => {
    const bench = new Bench();
    const both = pieces(1);
    expect([bench.answers(both[first]!), bench.answers(both[second]!).map((bytes) => bytes[TYPE_AT])]).toEqual([
      [],
      [REPLY[0]],
    ]);
  });

  it('keeps fragments of different packets apart', () => {
    const bench = new Bench();
    expect([bench.answers(pieces(1)[0]), bench.answers(pieces(2)[1])]).toEqual([[], []]);
  });

  it('silently gives a packet up whose fragments overlap, RFC 5722', () => {
    const bench = new Bench();
    const [first, last] = pieces(1);
    bench.answers(first);
    bench.answers(ipv6({ next: FRAGMENT }, ...fragment(ICMPV6, 0, false, 1), ...ECHO.slice(0, 16)));
    expect(bench.answers(last)).toEqual([]);
  });
});
