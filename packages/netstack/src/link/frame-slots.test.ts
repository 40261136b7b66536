import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { BATCH_COUNT_MAX, FrameSlots, LENT_COUNT_MAX } from './frame-slots.js';

const FRAME_BYTES = 65_000;

/** Receives `count` frames of `len` bytes, each with bytes of its own. */
function receive(slots: FrameSlots, count: number, len = FRAME_BYTES): PacketBuffer[] {
  slots.begin();
  const { batchBytes, batchLens, slotBytes } = slots;
  const received = Math.min(count, batchLens.length);
  return Array.from({ length: received }, (_, i) => {
    batchBytes.fill(i + 1, i * slotBytes, i * slotBytes + len);
    return slots.packet(i, 10, len);
  });
}

describe('FrameSlots', () => {
  it('lends the memory of long frames, and copies short ones', () => {
    const slots = new FrameSlots(FRAME_BYTES);
    receive(slots, 3, 16_383);
    const before = slots.lentCount;
    receive(slots, 3, 16_384);
    expect([before, slots.lentCount]).toEqual([0, 3]);
  });

  it('begins behind the header, and has the length of the frame', () => {
    const [packet] = receive(new FrameSlots(FRAME_BYTES), 1);
    expect([packet!.len, packet!.headroom, packet!.bytes[packet!.at]]).toEqual([FRAME_BYTES - 10, 10, 1]);
  });

  it('does not receive into slots that are lent, and does again when they are back', () => {
    const slots = new FrameSlots(FRAME_BYTES);
    const kept = receive(slots, 5);
    kept[1]!.release();
    const more = receive(slots, 5);
    // One slot is between those that are lent.
    expect(more).toHaveLength(1);
    const values = [kept[0]!, ...kept.slice(2)].map((packet) => packet.bytes[packet.end - 1]);
    expect([values, more[0]!.bytes[more[0]!.at]]).toEqual([[1, 3, 4, 5], 1]);
    for (const packet of [kept[0]!, ...kept.slice(2), ...more]) packet.release();
    expect([slots.lentCount, receive(slots, BATCH_COUNT_MAX).length]).toEqual([0, BATCH_COUNT_MAX]);
  });

  it('copies when too many are lent', () => {
    const slots = new FrameSlots(FRAME_BYTES);
    const kept: PacketBuffer[] = [];
    while (kept.length < LENT_COUNT_MAX + 10) kept.push(...receive(slots, 20));
    expect(slots.lentCount).toBe(LENT_COUNT_MAX);
    expect(kept.every((packet) => packet.bytes[packet.at] === packet.bytes[packet.end - 1])).toBe(true);
  });

  it('gives a packet that was moved for a longer header its slot again', () => {
    const slots = new FrameSlots(FRAME_BYTES);
    const [packet] = receive(slots, 1);
    packet!.prepend(100);
    packet!.release();
    const [again] = receive(slots, 1);
    expect([again, again!.len, again!.headroom]).toEqual([packet, FRAME_BYTES - 10, 10]);
    again!.release();
    expect(() => again!.release()).toThrow('released before');
  });
});
