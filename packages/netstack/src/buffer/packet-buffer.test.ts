import fc from 'fast-check';
import { copyBytes, HEADROOM_BYTES, PacketBuffer, PacketQueue } from './packet-buffer.js';

function bytes(len: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => i + 1);
}

describe('PacketBuffer', () => {
  it('takes headers in front without moving the data, and moves it when the headroom is used up', () => {
    const packet = PacketBuffer.copyOf(bytes(10));
    expect(packet.prepend(40)).toBe(HEADROOM_BYTES - 40);
    packet.trimFront(40);
    packet.transportAt = packet.at;
    expect(packet.prepend(HEADROOM_BYTES)).toBe(0);
    packet.prepend(100);
    expect(packet.len).toBe(10 + HEADROOM_BYTES + 100);
    expect([...packet.bytes.subarray(packet.transportAt, packet.end)]).toEqual([...bytes(10)]);
  });

  it('grows a wrapped array that has no headroom', () => {
    const packet = PacketBuffer.wrap(bytes(5));
    packet.prepend(14);
    expect([packet.len, ...packet.bytes.subarray(packet.at + 14, packet.end)]).toEqual([19, 1, 2, 3, 4, 5]);
  });

  it('refuses more than there is room for', () => {
    const packet = PacketBuffer.allocate(100);
    const room = packet.tailroom;
    packet.extend(room);
    expect(() => packet.extend(1)).toThrow(RangeError);
    expect(() => packet.append(bytes(1), 0, 1)).toThrow(RangeError);
  });

  it('is as good as new when it comes out of the pool', () => {
    const packet = PacketBuffer.copyOf(bytes(10));
    Object.assign(packet, { flags: 7, mark: 1, nicId: 3, networkAt: 5, segmentBytes: 9, isReply: true, ctState: 2 });
    packet.release();
    const again = PacketBuffer.allocate(10);
    expect(again).toBe(packet);
    const { flags, mark, nicId, networkAt, segmentBytes, isReply, ctState, len, at } = again;
    expect([flags, mark, nicId, networkAt, segmentBytes, isReply, ctState, len, at]).toEqual([
      0,
      0,
      0,
      -1,
      0,
      false,
      0,
      0,
      HEADROOM_BYTES,
    ]);
  });

  it('asserts that it is released once', () => {
    const packet = PacketBuffer.allocate(10);
    packet.release();
    expect(() => packet.release()).toThrow('released before');
    expect(PacketBuffer.allocate(10)).toBe(packet);
  });

  it('clones data, headers before it, and notes', () => {
    const packet = PacketBuffer.copyOf(bytes(30));
    packet.networkAt = packet.at;
    packet.trimFront(20);
    packet.transportAt = packet.at;
    packet.mark = 5;
    const copy = packet.clone();
    packet.bytes.fill(0);
    expect([...copy.bytes.subarray(copy.networkAt, copy.end)]).toEqual([...bytes(30)]);
    expect([copy.at - copy.networkAt, copy.transportAt - copy.at, copy.len, copy.mark]).toEqual([20, 0, 10, 5]);
  });
});

describe('PacketQueue', () => {
  it('is first in, first out, and counts', () => {
    const queue = new PacketQueue();
    for (const len of [1, 2, 3]) queue.push(PacketBuffer.copyOf(bytes(len)));
    expect([queue.count, queue.byteCount, queue.shift()!.len, queue.head!.len]).toEqual([3, 6, 1, 2]);
    queue.clear();
    expect([queue.count, queue.byteCount, queue.shift()]).toEqual([0, 0, null]);
  });
});

describe('copyBytes', () => {
  it('copies any range', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.nat(20), (src, skip, dstAt) => {
        const at = Math.min(skip, src.length);
        const dst = new Uint8Array(330);
        copyBytes(src, at, dst, dstAt, src.length - at);
        expect(dst.subarray(dstAt, dstAt + src.length - at)).toEqual(src.subarray(at));
      }),
    );
  });
});
