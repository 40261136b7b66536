import fc from 'fast-check';
import { ByteRing, RING_BYTES_MIN } from './byte-ring.js';

describe('ByteRing', () => {
  it('behaves as a plain array, whatever is pushed and consumed', () => {
    const operation = fc.oneof(
      fc.record({ push: fc.uint8Array({ maxLength: 9000 }) }),
      fc.record({ consume: fc.nat(9000) }),
      fc.record({ ahead: fc.nat(5000), bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const ring = new ByteRing();
        let model: number[] = [];
        for (const op of operations) {
          if ('push' in op) {
            ring.push(op.push, 0, op.push.length);
            model = model.concat([...op.push]);
          } else if ('consume' in op) {
            const len = Math.min(op.consume, ring.len);
            ring.consume(len);
            model = model.slice(len);
          } else {
            // Text beyond a gap, and then the gap.
            ring.store(ring.len + op.ahead, op.bytes, 0, op.bytes.length);
            const gap = new Uint8Array(op.ahead).fill(7);
            ring.push(gap, 0, gap.length);
            ring.commit(op.bytes.length);
            model = model.concat([...gap], [...op.bytes]);
          }
          const out = new Uint8Array(model.length + 10);
          expect(ring.copyTo(0, out, 0, out.length)).toBe(model.length);
          expect([...out.subarray(0, model.length)]).toEqual(model);
        }
      }),
      { seed: 1, numRuns: 200 },
    );
  });

  it('gives the bytes that lie in one piece', () => {
    const ring = new ByteRing();
    ring.push(new Uint8Array(4000).fill(1), 0, 4000);
    ring.consume(3900);
    ring.push(new Uint8Array(1000).fill(2), 0, 1000);
    expect(ring.span(100, 1000)).toBe(96);
    expect(ring.bytes[ring.spanAt]).toBe(2);
    expect(ring.span(196, 1000)).toBe(904);
    expect(ring.spanAt).toBe(0);
  });

  it('has no memory, and nothing in it, once it was given back', () => {
    const ring = new ByteRing();
    ring.push(new Uint8Array(10), 0, 10);
    ring.consume(3);
    expect(ring.release()).toBe(RING_BYTES_MIN);
    expect([ring.len, ring.capacityBytes]).toEqual([0, 0]);
  });

  it('has as much again as the last one of a queue, and less when less is needed', () => {
    let wantedBytes = RING_BYTES_MIN;
    const capacityWith = (len: number): number => {
      const ring = ByteRing.take(wantedBytes);
      ring.push(new Uint8Array(len).fill(7), 0, len);
      const { capacityBytes } = ring;
      expect([ring.span(0, len), ring.bytes[ring.spanAt + len - 1]]).toEqual([len, 7]);
      ring.consume(len);
      wantedBytes = ring.release();
      return capacityBytes;
    };
    expect([200_000, 70_000, 10, 200_000].map(capacityWith)).toEqual([262_144, 262_144, 4096, 262_144]);
  });
});
