import { numbers, SEGMENT_BYTES, TcpWire, times } from '../testing/tcp-wire.js';

/** How long after `sentMs` the first segment with text goes again, and again. */
function timeouts(wire: TcpWire, count: number, sentMs = wire.nowMs): number[] {
  const heard = wire.pass(400_000).filter(({ len }) => len > 0);
  return times(heard)
    .map((atMs, i, all) => atMs - (i === 0 ? sentMs : all[i - 1]!))
    .slice(0, count);
}

describe('RFC 6298 section 2, the retransmission timeout', () => {
  it('2.1: is 1 second before anything has been measured', () => {
    const wire = new TcpWire();
    const sentMs = wire.call().atMs;
    expect(wire.pass(2_000).map(({ atMs }) => atMs - sentMs)).toEqual([1_000]);
  });

  it.each([
    [100, 300],
    [400, 1_200],
  ])('2.2: is three times the first round trip of %i ms', (rttMs, rtoMs) => {
    const wire = new TcpWire().connect({}, rttMs);
    wire.write(10);
    expect(timeouts(wire, 1)).toEqual([rtoMs]);
  });

  it('2.3: follows later round trips: SRTT by an eighth, RTTVAR by a quarter of the old difference', () => {
    const wire = new TcpWire().connect({}, 400);
    wire.write(10);
    wire.pass(800);
    wire.ack(10);
    wire.write(10);
    // RTTVAR = 3/4 * 200 + 1/4 * |400 - 800| = 250, SRTT = 7/8 * 400 + 1/8 * 800 = 450.
    expect(timeouts(wire, 1)).toEqual([450 + 4 * 250]);
  });

  it('2.4: leaves 200 ms beyond the round trip where it varies less, as Linux, which is below the 1 s of the RFC', () => {
    const wire = new TcpWire().connect({}, 20);
    wire.write(10);
    expect(timeouts(wire, 1)).toEqual([220]);
  });

  it('2.5: ends at a maximum of at least 60 seconds', () => {
    const wire = new TcpWire().connect({}, 400);
    wire.write(10);
    const longest = Math.max(...timeouts(wire, 20));
    expect(longest).toBe(120_000);
  });
});

describe('RFC 6298 section 3, taking samples', () => {
  it("Karn's algorithm: an acknowledgement of what was sent twice is no sample", () => {
    const wire = new TcpWire().connect({}, 400);
    wire.write(10);
    wire.pass(1_200 + 50);
    wire.ack(10);
    wire.write(10);
    expect(timeouts(wire, 1)).toEqual([1_200]);
  });

  it('a timestamp tells which copy was acknowledged, and makes it a sample', () => {
    const wire = new TcpWire((settings) => (settings.isTimestampsOn = true)).connect({ timestamps: [1, 0] }, 400);
    wire.write(10);
    const [again] = wire.pass(1_200);
    wire.pass(400);
    wire.ack(10, [], { timestamps: [2, again!.timestamps![0]] });
    wire.write(10);
    // RTTVAR = 3/4 * 200, SRTT = 400.
    expect(timeouts(wire, 1)).toEqual([400 + 4 * 150]);
  });

  it('at least one sample is taken in a round trip', () => {
    const wire = new TcpWire().connect({}, 400);
    for (let round = 1; round <= 40; round++) {
      wire.write(3 * SEGMENT_BYTES);
      wire.pass(100);
      wire.ack(round * 3 * SEGMENT_BYTES);
    }
    wire.write(10);
    expect(timeouts(wire, 1)[0]).toBeLessThan(310);
  });
});

describe('RFC 6298 section 5, the retransmission timer', () => {
  const connected = (): TcpWire => new TcpWire().connect({}, 400);

  it('5.1: runs from the first segment, and is not started again by the next', () => {
    const wire = connected();
    const [first] = wire.write(SEGMENT_BYTES);
    wire.pass(500);
    wire.write(SEGMENT_BYTES);
    const [again] = wire.pass(2_000);
    expect([again!.atMs - first!.atMs, again!.seq]).toEqual([1_200, 0]);
  });

  it('5.2: is stopped when all is acknowledged', () => {
    const wire = connected();
    wire.write(SEGMENT_BYTES);
    wire.ack(SEGMENT_BYTES);
    expect([wire.pass(60_000), wire.stack.pollAtMs()]).toEqual([[], Infinity]);
  });

  it('5.3: starts anew when something new is acknowledged, and not by a duplicate', () => {
    const wire = connected();
    wire.write(2 * SEGMENT_BYTES);
    wire.pass(400);
    wire.ack(SEGMENT_BYTES);
    const ackedMs = wire.nowMs;
    wire.pass(500);
    wire.ack(SEGMENT_BYTES);
    const [again] = wire.pass(2_000);
    // RTTVAR = 3/4 * 200.
    expect([again!.atMs - ackedMs, numbers([again!])]).toEqual([400 + 4 * 150, [1]]);
  });

  it('5.4: sends the earliest segment again, and nothing else', () => {
    const wire = connected();
    wire.write(4 * SEGMENT_BYTES);
    expect(numbers(wire.pass(1_200))).toEqual([0]);
  });

  it('5.5, 5.6: doubles with each timeout', () => {
    const wire = connected();
    wire.write(10);
    expect(timeouts(wire, 5)).toEqual([1_200, 2_400, 4_800, 9_600, 19_200]);
  });

  it('5.5: the doubled timeout ends with an acknowledgement of new text', () => {
    const wire = connected();
    wire.write(10);
    wire.pass(1_200 + 2_400 + 100);
    wire.ack(10);
    wire.write(10);
    expect(timeouts(wire, 1)).toEqual([1_200]);
  });

  it('5.7: is 3 seconds for text after a SYN that had to be sent again', () => {
    const wire = new TcpWire();
    wire.call();
    wire.pass(1_500);
    wire.answerCall();
    wire.write(10);
    expect(timeouts(wire, 1)).toEqual([3_000]);
  });
});
