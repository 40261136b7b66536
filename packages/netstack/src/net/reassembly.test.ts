import fc from 'fast-check';
import { TimerQueue } from '@tsv/clock';
import { FRAGMENT_BYTES_MAX, FRAGMENTS_PER_DATAGRAM_MAX, Reassembler } from './reassembly.js';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { IpAddress } from '../wire/ip-address.js';

const HEADER_BYTES = 20;

/** A fragment of `data[from..to)` behind a header of zeros. */
function fragment(data: Uint8Array, from: number, to: number, src = 1): PacketBuffer {
  const packet = PacketBuffer.allocate(HEADER_BYTES + to - from);
  packet.networkAt = packet.extend(HEADER_BYTES);
  packet.append(data, from, to - from);
  packet.trimFront(HEADER_BYTES);
  packet.src.copyFrom(IpAddress.ipv4(src));
  return packet;
}

function reassembler(onTimeout: (first: PacketBuffer | null) => void = () => undefined) {
  const timers = new TimerQueue();
  return { timers, unit: new Reassembler(timers, 30_000, onTimeout) };
}

const data = Uint8Array.from({ length: 4_000 }, (_, i) => i >>> 3);

describe('Reassembler, RFC 791 section 3.2 and RFC 5722', () => {
  it('puts fragments together in whatever order they come, duplicates included', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 499 }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat()), (where, order) => {
        const ends = [...where.map((cut) => cut * 8), data.length].sort((a, b) => a - b);
        const pieces = ends.map((to, i) => ({ from: i === 0 ? 0 : ends[i - 1]!, to }));
        if (pieces.length < 2) return;
        const shuffled = [...pieces, pieces[0]!]
          .map((piece) => ({ piece, key: order.next().value! }))
          .sort((a, b) => a.key - b.key)
          .map(({ piece }) => piece);
        const { timers, unit } = reassembler();
        let whole: PacketBuffer | null = null;
        for (const { from, to } of shuffled) {
          if (whole !== null) break;
          whole = unit.add(fragment(data, from, to), 1, from, to < data.length, 0);
        }
        expect(whole).not.toBeNull();
        expect(Buffer.compare(whole!.bytes.subarray(whole!.at, whole!.end), data)).toBe(0);
        expect([unit.count, unit.costBytes, timers.count]).toEqual([0, 0, 0]);
      }),
    );
  });

  it.each([
    ['overlaps what there is', [0, 16, true], [8, 24, false]],
    ['covers what there is', [8, 16, true], [0, 24, false]],
    ['goes beyond the end', [8, 16, false], [16, 24, true]],
    ['says another end', [16, 24, false], [0, 8, false]],
    ['ends inside an eight', [0, 8, true], [8, 15, true]],
    ['is empty', [0, 8, true], [8, 8, true]],
  ] as const)('discards the datagram when a fragment %s', (_what, first, second) => {
    const { timers, unit } = reassembler();
    expect(unit.add(fragment(data, first[0], first[1]), 1, first[0], first[2], 0)).toBeNull();
    expect(unit.count).toBe(1);
    expect(unit.add(fragment(data, second[0], second[1]), 1, second[0], second[2], 0)).toBeNull();
    expect([unit.count, unit.costBytes, timers.count]).toEqual([0, 0, 0]);
  });

  it('refuses a datagram beyond 65,535 bytes', () => {
    const { unit } = reassembler();
    unit.add(fragment(data, 0, 16), 1, 65_520, false, 0);
    expect(unit.count).toBe(0);
    unit.add(fragment(data, 0, 15), 1, 65_520, false, 0);
    expect(unit.count).toBe(1);
  });

  it('takes so many fragments of a datagram and not one more', () => {
    const { unit } = reassembler();
    for (let i = 0; i < FRAGMENTS_PER_DATAGRAM_MAX; i++) unit.add(fragment(data, 0, 8), 1, i * 8, true, 0);
    expect(unit.count).toBe(1);
    unit.add(fragment(data, 0, 8), 1, FRAGMENTS_PER_DATAGRAM_MAX * 8, true, 0);
    expect(unit.count).toBe(0);
  });

  it('drops the oldest datagrams when memory runs out', () => {
    const { unit } = reassembler();
    for (let src = 0; src < 20_000; src++) unit.add(fragment(data, 0, 8, src), 1, 0, true, 0);
    expect(unit.costBytes).toBeLessThanOrEqual(FRAGMENT_BYTES_MAX);
    expect(unit.count).toBeGreaterThan(1_000);
    expect(unit.add(fragment(data, 8, 16, 19_999), 1, 8, false, 0)).not.toBeNull();
    expect(unit.add(fragment(data, 8, 16, 0), 1, 8, false, 0)).toBeNull();
  });

  it('reports the first fragment, if it came, when time is over', () => {
    const reported: (number | null)[] = [];
    const { timers, unit } = reassembler((first) => reported.push(first === null ? null : first.len));
    unit.add(fragment(data, 0, 8), 1, 0, true, 0);
    unit.add(fragment(data, 8, 24), 2, 8, true, 0);
    timers.run(29_999);
    expect(reported).toEqual([]);
    timers.run(30_000);
    expect([reported, unit.count]).toEqual([[8, null], 0]);
  });
});
