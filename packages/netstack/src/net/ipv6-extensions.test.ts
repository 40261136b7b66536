import fc from 'fast-check';
import { ExtensionWalk, WalkResult } from './ipv6-extensions.js';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';

const HOP = 0;
const ROUTING = 43;
const FRAGMENT = 44;
const NONE = 59;
const DST = 60;

/** A packet with these headers: the number of the first, then each header's bytes (its first byte names the next). */
function packet(first: number, ...headers: number[][]): PacketBuffer {
  const bytes = new Uint8Array(40 + headers.flat().length);
  bytes[0] = 0x60;
  bytes[6] = first;
  bytes.set(headers.flat(), 40);
  const buffer = PacketBuffer.copyOf(bytes);
  buffer.networkAt = buffer.at;
  return buffer;
}

function options(next: number, ...body: number[]): number[] {
  return [next, 0, ...body];
}

const PAD = [1, 4, 0, 0, 0, 0];
const UDP = [0, 1, 0, 2, 0, 8, 0, 0];

describe('ExtensionWalk, RFC 8200 section 4', () => {
  it.each([
    ['no extension', packet(IPPROTO_UDP, UDP), IPPROTO_UDP, 40],
    ['hop-by-hop options', packet(HOP, options(IPPROTO_UDP, ...PAD), UDP), IPPROTO_UDP, 48],
    ['a router alert', packet(HOP, options(IPPROTO_UDP, 5, 2, 0, 0, 1, 0), UDP), IPPROTO_UDP, 48],
    ['an unknown option to be skipped', packet(DST, options(IPPROTO_UDP, 0x1e, 4, 0, 0, 0, 0), UDP), IPPROTO_UDP, 48],
    ['a used-up routing header', packet(ROUTING, [IPPROTO_TCP, 0, 2, 0, 0, 0, 0, 0], UDP), IPPROTO_TCP, 48],
    ['a first fragment', packet(FRAGMENT, [IPPROTO_UDP, 0, 0, 1, 0, 0, 0, 9], UDP), IPPROTO_UDP, 48],
  ])('reaches the upper layer behind %s', (_what, buffer, protocol, at) => {
    expect(new ExtensionWalk().walk(buffer)).toBe(WalkResult.REACHED);
    expect([buffer.protocol, buffer.transportAt - buffer.networkAt]).toEqual([protocol, at]);
  });

  it('stops at a later fragment', () => {
    const buffer = packet(FRAGMENT, [IPPROTO_UDP, 0, 0, 8, 0, 0, 0, 9], UDP);
    const walk = new ExtensionWalk();
    expect(walk.walk(buffer)).toBe(WalkResult.REACHED);
    expect([buffer.protocol, buffer.transportAt, walk.fragmentAt - buffer.networkAt]).toEqual([IPPROTO_UDP, -1, 40]);
  });

  it.each([
    ['an option cut short', packet(DST, options(IPPROTO_UDP, 1, 9, 0, 0, 0, 0), UDP), WalkResult.DROP, 0],
    ['a header cut short', packet(DST, [IPPROTO_UDP, 7, 1, 4, 0, 0, 0, 0]), WalkResult.DROP, 0],
    ['no next header', packet(NONE), WalkResult.DROP, 0],
    ['an option to drop for', packet(DST, options(17, 0x5e, 4, 0, 0, 0, 0), UDP), WalkResult.DROP, 0],
    ['an option to report', packet(DST, options(17, 0x9e, 4, 0, 0, 0, 0), UDP), WalkResult.REPORT, 42],
    ['one to report if unicast', packet(DST, options(17, 0xde, 4, 0, 0, 0, 0), UDP), WalkResult.REPORT_UNICAST, 42],
    ['a source route', packet(ROUTING, [17, 0, 0, 1, 0, 0, 0, 0], UDP), WalkResult.REPORT_UNICAST, 42],
    ['late hop-by-hop options', packet(DST, options(HOP, ...PAD), options(17, ...PAD)), WalkResult.REPORT_UNICAST, 40],
    ['nine headers', packet(DST, ...Array<number[]>(9).fill(options(DST, ...PAD))), WalkResult.DROP, 0],
    [
      'two fragment headers',
      packet(FRAGMENT, [44, 0, 0, 1, 0, 0, 0, 9], [17, 0, 0, 1, 0, 0, 0, 9]),
      WalkResult.DROP,
      0,
    ],
  ])('does not take %s', (_what, buffer, result, problemAt) => {
    const walk = new ExtensionWalk();
    expect([walk.walk(buffer), walk.problemAt]).toEqual([result, problemAt]);
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 300 }), (bytes) => {
        const buffer = PacketBuffer.copyOf(bytes);
        buffer.networkAt = buffer.at;
        new ExtensionWalk().walk(buffer);
        expect(buffer.transportAt).toBeLessThanOrEqual(buffer.end);
      }),
    );
  });
});
