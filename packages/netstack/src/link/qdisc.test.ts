import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { SeededRandom } from '../net/random.js';
import { Stack } from '../stack.js';
import { ChannelLink } from './channel.js';
import { FifoQdisc, TokenBucketQdisc } from './qdisc.js';

function packet(len: number): PacketBuffer {
  return PacketBuffer.copyOf(new Uint8Array(len));
}

describe('FifoQdisc', () => {
  it('keeps packets until it is flushed, in order, and not too many', () => {
    const link = new ChannelLink();
    const fifo = new FifoQdisc(link, 3);
    for (const len of [1, 2, 3, 4]) fifo.send(packet(len));
    expect([link.count, fifo.backlogCount, fifo.backlogBytes, fifo.droppedCount]).toEqual([0, 3, 6, 1]);
    fifo.flush();
    expect([link.read()!.len, link.read()!.len, link.read()!.len, link.count]).toEqual([1, 2, 3, 0]);
  });
});

describe('TokenBucketQdisc', () => {
  /** 10 bytes a millisecond, 1000 at once, 3000 may wait. */
  function bucket() {
    const clock = new VirtualClock(1000);
    const stack = new Stack({ clock, random: new SeededRandom(1) });
    const link = new ChannelLink();
    const qdisc = new TokenBucketQdisc(link, stack, { bytesPerMs: 10, burstBytes: 1000, limitBytes: 3000 });
    const pass = (ms: number): number => {
      clock.advance(ms);
      stack.poll();
      return link.count;
    };
    return { stack, link, qdisc, pass };
  }

  it('lets a burst go, then packets at the rate', () => {
    const { stack, qdisc, pass } = bucket();
    for (let i = 0; i < 5; i++) qdisc.send(packet(500));
    expect([pass(0), pass(49), pass(1), pass(49), pass(1), pass(50)]).toEqual([2, 2, 3, 3, 4, 5]);
    expect(stack.pollAtMs()).toBe(Infinity);
    expect(pass(1000)).toBe(5);
    for (let i = 0; i < 3; i++) qdisc.send(packet(500));
    expect(pass(0)).toBe(7);
  });

  it('drops what has no room to wait', () => {
    const { qdisc, pass } = bucket();
    for (let i = 0; i < 10; i++) qdisc.send(packet(500));
    expect([qdisc.droppedCount, qdisc.backlogBytes, pass(0)]).toEqual([2, 3000, 2]);
  });

  it('lets a packet larger than the bucket go when that is full', () => {
    const { qdisc, pass } = bucket();
    qdisc.send(packet(1500));
    qdisc.send(packet(500));
    expect([pass(0), pass(99), pass(1)]).toEqual([1, 1, 2]);
  });

  it('stops its timer when it is detached', () => {
    const { stack, qdisc } = bucket();
    for (let i = 0; i < 5; i++) qdisc.send(packet(500));
    qdisc.attach(null);
    expect([stack.timers.count, qdisc.backlogCount]).toEqual([0, 0]);
  });
});
