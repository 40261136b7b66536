import fc from 'fast-check';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { RING_BYTES_MIN } from './byte-ring.js';
import { NO_TEXT, ReceiveBuffer } from './receive-buffer.js';

const LONG = 40_000;

function packetOf(len: number, first = 0): PacketBuffer {
  return PacketBuffer.copyOf(Uint8Array.from({ length: len }, (_, i) => (i + first) & 0xff));
}

describe('ReceiveBuffer', () => {
  it.each([
    ['a long text', LONG, LONG, true],
    ['a text of half the memory of its packet', 32_848, 32_848, true],
    ['one byte less', 32_847, 32_847, false],
    ['a short part of a long packet', LONG, 1000, false],
    ['a short packet', 1000, 1000, false],
  ])('keeps the packet of %s', (_, packetLen, textLen, isKept) => {
    expect(NO_TEXT.canKeep(packetOf(packetLen), textLen)).toBe(isKept);
  });

  it('keeps none behind text that was copied', () => {
    const buffer = ReceiveBuffer.take(RING_BYTES_MIN);
    buffer.store(0, new Uint8Array(1), 0, 1);
    buffer.commit(1);
    expect(buffer.canKeep(packetOf(LONG), LONG)).toBe(false);
  });

  it('behaves as a plain array, whatever is kept, copied, peeked and consumed', () => {
    const operation = fc.oneof(
      fc.record({ keep: fc.integer({ min: 1, max: 300 }), skip: fc.nat(20) }),
      fc.record({ copy: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ consume: fc.nat(400) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), fc.nat(500), (operations, offset) => {
        const buffer = ReceiveBuffer.take(RING_BYTES_MIN);
        let model: number[] = [];
        let isRingEmpty = true;
        for (const [i, op] of operations.entries()) {
          if ('consume' in op) {
            const len = Math.min(op.consume, model.length);
            buffer.consume(len);
            model = model.slice(len);
            isRingEmpty ||= model.length === 0;
          } else if ('keep' in op && isRingEmpty) {
            const packet = packetOf(op.keep + op.skip, i);
            model.push(...packet.bytes.subarray(packet.at + op.skip, packet.end));
            buffer.keep(packet, packet.at + op.skip, op.keep);
          } else {
            const { bytes, at, len } = packetOf('keep' in op ? op.keep : op.copy, i);
            buffer.store(0, bytes, at, len);
            buffer.commit(len);
            model.push(...bytes.subarray(at, at + len));
            isRingEmpty = false;
          }
          const out = new Uint8Array(model.length + 10);
          expect([buffer.len, buffer.copyTo(0, out, 0, out.length)]).toEqual([model.length, model.length]);
          expect([...out.subarray(0, model.length)]).toEqual(model);
          const rest = buffer.copyTo(offset, out, 0, out.length);
          expect([...out.subarray(0, rest)]).toEqual(model.slice(offset));
        }
        buffer.release();
        expect([buffer.len, buffer.capacityBytes]).toEqual([0, 0]);
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('gives packets back when they are read, and when nobody reads them any more', () => {
    const buffer = ReceiveBuffer.take(RING_BYTES_MIN);
    const packets = [packetOf(LONG), packetOf(LONG)] as const;
    for (const packet of packets) buffer.keep(packet, packet.at, packet.len);
    buffer.consume(LONG);
    expect(() => packets[0].release()).toThrow('released before');
    buffer.release();
    expect(() => packets[1].release()).toThrow('released before');
  });
});
