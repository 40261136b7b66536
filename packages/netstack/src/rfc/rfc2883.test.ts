import { SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const TEXT = 'x'.repeat(S);

/** A connection with SACK that has received segments of these numbers. */
function received(...arrived: number[]): TcpWire {
  const wire = new TcpWire((settings) => (settings.isSackOn = true)).connect({ isSackPermitted: true });
  for (const index of arrived) wire.say({ seq: index * S, text: TEXT });
  wire.pass(100);
  return wire;
}

/** Acknowledgement number and blocks of the answer to `len` bytes from segment `index` on, in segments. */
function answer(wire: TcpWire, index: number, len = S): unknown[] {
  const [ack] = wire.say({ seq: index * S, text: 'x'.repeat(len) });
  return [ack!.ack / S, ack!.sacks.map(([from, to]) => [from / S, to / S])];
}

describe('RFC 2883 section 4, reporting duplicate segments', () => {
  it('4.1: the first block tells what came twice, below the acknowledgement number', () => {
    expect(answer(received(0, 1, 2), 1)).toEqual([3, [[1, 2]]]);
  });

  it('4.1: behind it come the blocks of RFC 2018', () => {
    expect(answer(received(0, 1, 3), 1)).toEqual([
      2,
      [
        [1, 2],
        [3, 4],
      ],
    ]);
  });

  it('4.1: a duplicate above the acknowledgement number is followed by the block that it lies in', () => {
    expect(answer(received(0, 2, 3, 4), 3)).toEqual([
      1,
      [
        [3, 4],
        [2, 5],
      ],
    ]);
  });

  it('4.1: each duplicate is reported once', () => {
    const wire = received(0, 1, 3);
    answer(wire, 1);
    expect(answer(wire, 4)).toEqual([2, [[3, 5]]]);
  });

  it('4.2: of a segment that is partly new, the old part is told', () => {
    expect(answer(received(0), 0, 2 * S)).toEqual([2, [[0, 1]]]);
  });

  it('is not sent to a peer that did not permit SACK', () => {
    const wire = new TcpWire().connect();
    wire.say({ seq: 0, text: TEXT });
    expect(answer(wire, 0)).toEqual([1, []]);
  });
});

describe('RFC 2883 section 5, what the sender makes of it', () => {
  it('a report tells that a retransmission was needless, and is no loss', () => {
    const wire = new TcpWire((settings) => (settings.isSackOn = true)).connect({ isSackPermitted: true });
    wire.write(10 * S);
    wire.pass(100);
    const { tcpi_snd_cwnd: before } = wire.info();
    wire.ack(0, [[S, 4 * S]]);
    wire.ack(4 * S, [[0, S]]);
    wire.ack(10 * S);
    expect([wire.info().tcpi_dsack_dups, wire.info().tcpi_snd_cwnd >= before]).toEqual([1, true]);
  });
});
