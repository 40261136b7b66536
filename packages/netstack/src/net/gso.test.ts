import fc from 'fast-check';
import { VirtualClock } from '@tsv/clock';
import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { ChannelLink } from '../link/channel.js';
import { PipeLink } from '../link/pipe.js';
import { noteTcpHeaders } from '../link/frame-headers.js';
import { Gro } from '../link/gro.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';
import { gsoSegment, gsoTextLen, wireLen } from './gso.js';
import { SeededRandom } from './random.js';
import { packetChecksumIsRight } from './transport-checksum.js';

/** A packet of several segments, as a stack hands it to a link that takes them. */
function largePacket(isIpv4: boolean, len: number): PacketBuffer {
  const clock = new VirtualClock(1);
  const [near, far] = PipeLink.pair();
  const sent: PacketBuffer[] = [];
  const [a, b] = [1, 2].map((n) => new Stack({ clock, random: new SeededRandom(n), dadTransmits: 0 })) as [
    Stack,
    Stack,
  ];
  const carry = near.send.bind(near);
  near.send = (packet): void => {
    if (packet.segmentBytes > 0) sent.push(packet.clone());
    carry(packet);
  };
  for (const [n, stack, link] of [
    [1, a, near],
    [2, b, far],
  ] as const) {
    stack.addNic('eth0', link, { addresses: [`10.0.0.${n}/24`, `fd00::${n}/64`].map(parsePrefix) });
  }
  const [client, server] = [new TcpSocket(a, true), new TcpSocket(b, true)];
  server.bind(IpAddress.parse('::'), 80);
  server.listen(1);
  client.connect(IpAddress.parse(isIpv4 ? '10.0.0.2' : 'fd00::2'), 80);
  client.send(
    Uint8Array.from({ length: len }, (_, i) => i & 0xff),
    0,
    len,
  );
  const packet = sent[0]!;
  noteTcpHeaders(packet, 0);
  return packet;
}

describe('gsoSegment and Gro', () => {
  it.each([
    ['IPv4', true],
    ['IPv6', false],
  ])('%s: what is cut up can be joined to the same packet', (_name, isIpv4) => {
    fc.assert(
      fc.property(fc.integer({ min: 3000, max: 14_000 }), (len) => {
        const packet = largePacket(isIpv4, len);
        const whole = packet.bytes.slice(packet.networkAt, packet.end);
        const gro = new Gro();
        for (let from = 0; from < gsoTextLen(packet); from += packet.segmentBytes) {
          const piece = gsoSegment(packet, from);
          expect(piece.len).toBeLessThanOrEqual(wireLen(packet));
          piece.flags &= ~PacketFlag.CHECKSUM_VERIFIED;
          expect([noteTcpHeaders(piece, 0), packetChecksumIsRight(piece)]).toEqual([true, true]);
          expect(from === 0 ? gro.hold(piece) : gro.join(piece)).toBe(true);
        }
        const joined = gro.take()!;
        expect([joined.segmentBytes, joined.len]).toEqual([packet.segmentBytes, packet.len]);
        const bytes = joined.bytes.slice(joined.networkAt, joined.end);
        const sumAt = joined.transportAt - joined.networkAt + 16;
        bytes.copyWithin(sumAt, sumAt + 2, sumAt + 2);
        whole.set(bytes.subarray(sumAt, sumAt + 2), sumAt);
        expect(bytes).toEqual(whole);
      }),
      { numRuns: 20 },
    );
  });

  it('does not join what is out of order, of another flow, or corrupt', () => {
    const packet = largePacket(true, 10_000);
    const piece = (from: number, edit: (bytes: Uint8Array, at: number) => void): PacketBuffer => {
      const made = gsoSegment(packet, from);
      made.flags &= ~PacketFlag.CHECKSUM_VERIFIED;
      noteTcpHeaders(made, 0);
      edit(made.bytes, made.networkAt);
      return made;
    };
    const next = packet.segmentBytes;
    const edits: [number, (bytes: Uint8Array, at: number) => void][] = [
      [2 * next, () => undefined],
      [next, (bytes, at) => (bytes[at + 21]! ^= 1)],
      [next, (bytes, at) => (bytes[at + 60]! ^= 1)],
    ];
    for (const [from, edit] of edits) {
      const gro = new Gro();
      expect(gro.hold(piece(0, () => undefined))).toBe(true);
      expect(gro.join(piece(from, edit))).toBe(false);
    }
  });

  it('cuts up what is forwarded to a link that takes single segments', () => {
    const clock = new VirtualClock(1);
    const router = new Stack({ clock, random: new SeededRandom(1), dadTransmits: 0 });
    const [near, far] = [new ChannelLink(), new ChannelLink()];
    router.addNic('eth0', near, { addresses: [parsePrefix('10.0.0.254/24')] });
    router.addNic('eth1', far, { addresses: [parsePrefix('10.0.1.254/24')] });
    router.forwardsIpv4 = true;
    const packet = largePacket(true, 10_000);
    router.routes.add({ destination: parsePrefix('10.0.0.2/32'), nicId: 3 });
    const text = gsoTextLen(packet);
    packet.at = packet.networkAt;
    near.inject(packet);
    const lens: number[] = [];
    for (let piece = far.read(); piece !== null; piece = far.read()) {
      expect([noteTcpHeaders(piece, 0), packetChecksumIsRight(piece)]).toEqual([true, true]);
      lens.push(gsoTextLen(piece));
    }
    expect(Math.max(...lens)).toBeLessThanOrEqual(1460);
    expect(lens.reduce((sum, len) => sum + len, 0)).toBe(text);
  });
});
