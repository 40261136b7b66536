import type { TcpSettings } from '../tcp/tcp-settings.js';
import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const RTT = 100;
const sack = (settings: TcpSettings): void => void (settings.isSackOn = true);

/** Connected over a path of 100 ms, with so many segments out for `ageMs`. */
function sending(count: number, ageMs = RTT): TcpWire {
  const wire = new TcpWire(sack).connect({ isSackPermitted: true }, RTT);
  wire.write(count * S);
  wire.pass(ageMs);
  return wire;
}

/** The peer has all before segment `una`, and the segments from `from` to before `to`. */
function ack(wire: TcpWire, una: number, ...sacks: (readonly [number, number])[]): number[] {
  return numbers(
    wire.ack(
      una * S,
      sacks.map(([from, to]) => [from * S, to * S] as const),
    ),
  );
}

/** As {@link sending}; one segment was overtaken once, so that reordering is known. */
function reordered(): TcpWire {
  const wire = sending(3);
  ack(wire, 0, [1, 2]);
  ack(wire, 3);
  wire.write(8 * S);
  wire.pass(RTT);
  return wire;
}

describe('RFC 8985 section 6.2, RACK', () => {
  it('step 5: a segment is lost when one that was sent later has arrived, and the reordering window has passed', () => {
    const wire = sending(3);
    expect(ack(wire, 0, [1, 2])).toEqual([]);
    // A quarter of the smallest round trip.
    expect([numbers(wire.pass(RTT / 4 - 1)), numbers(wire.pass(1))]).toEqual([[], [0]]);
  });

  it('step 5: what was sent after the latest segment that arrived is not lost', () => {
    const wire = sending(6);
    ack(wire, 0, [1, 4]);
    expect(numbers(wire.pass(RTT))).not.toContain(4);
  });

  it('step 4: without reordering seen, three segments beyond a gap are enough', () => {
    const wire = sending(8);
    expect([ack(wire, 0, [1, 2]), ack(wire, 0, [1, 3]), ack(wire, 0, [1, 4])]).toEqual([[], [], [0]]);
  });

  it('step 4: once reordering was seen, three segments wait for the reordering window', () => {
    const wire = reordered();
    expect([ack(wire, 3, [4, 8]), numbers(wire.pass(RTT / 4 - 1)), numbers(wire.pass(1))]).toEqual([[], [], [3]]);
  });

  it('step 3: one acknowledgement that tells of several gaps at once tells nothing of order', () => {
    const wire = sending(10);
    expect(ack(wire, 0, [7, 10], [2, 3], [5, 6])).toContain(0);
    expect(wire.info().tcpi_reord_seen).toBe(0);
  });

  it('step 3: nor does one that acknowledges and tells of a gap', () => {
    const wire = sending(10);
    expect(ack(wire, 3, [5, 10])).toContain(3);
    expect(wire.info().tcpi_reord_seen).toBe(0);
  });

  it('step 3: a segment that arrives behind later ones, and was sent once, is reordering', () => {
    const wire = sending(10);
    ack(wire, 0, [2, 3]);
    ack(wire, 0, [1, 3]);
    expect(wire.info().tcpi_reord_seen).toBe(1);
  });

  it('step 4: D-SACK widens the reordering window', () => {
    const wire = reordered();
    ack(wire, 3, [4, 5]);
    wire.pass(RTT / 4);
    ack(wire, 5, [3, 4]);
    ack(wire, 11);
    wire.write(4 * S);
    wire.pass(RTT);
    ack(wire, 11, [12, 13]);
    expect([numbers(wire.pass(RTT / 2 - 1)), numbers(wire.pass(1))]).toEqual([[], [11]]);
  });

  it('step 5: a lost retransmission is found without a timeout', () => {
    const wire = sending(8);
    expect(ack(wire, 0, [1, 4])).toEqual([0]);
    wire.pass(10);
    ack(wire, 0, [1, 8]);
    expect(numbers(wire.write(2 * S))).toEqual([8, 9]);
    wire.pass(RTT);
    expect([ack(wire, 0, [1, 10]), wire.info().tcpi_retransmits]).toEqual([[0], 0]);
  });

  it('step 2: an acknowledgement that came sooner than a round trip is one of the first copy', () => {
    const wire = sending(8);
    ack(wire, 0, [1, 4]);
    wire.pass(1);
    // The first copy of 0 was only late: its acknowledgement says nothing about 4, sent before the second copy.
    expect(ack(wire, 4)).toEqual([]);
    expect(numbers(wire.pass(50))).toEqual([]);
  });

  it('6.3: at a timeout the first segment is lost, and younger ones are not', () => {
    const wire = sending(1);
    ack(wire, 1);
    wire.write(2 * S);
    // The probe goes at 202 ms, the timer expires 300 ms later.
    expect(numbers(wire.pass(450))).toEqual([2]);
    wire.write(2 * S);
    expect([numbers(wire.pass(60)), wire.info().tcpi_lost]).toEqual([[1], 2]);
  });
});

describe('RFC 8985 section 7, tail loss probe', () => {
  it('7.2: a probe goes after two round trips', () => {
    const wire = sending(4, 0);
    expect([numbers(wire.pass(2 * RTT)), numbers(wire.pass(2))]).toEqual([[], [3]]);
  });

  it('7.2: with one segment out it waits for a delayed acknowledgement too, and never beyond the timeout', () => {
    const wire = new TcpWire(sack).connect({ isSackPermitted: true }, 400);
    wire.write(S);
    // 2 * 400 + 200 is less than the timeout of 1200.
    expect([numbers(wire.pass(999)), numbers(wire.pass(1))]).toEqual([[], [0]]);
  });

  it('7.2: there is none without SACK', () => {
    const wire = new TcpWire().connect({}, RTT);
    wire.write(4 * S);
    expect([numbers(wire.pass(299)), numbers(wire.pass(1))]).toEqual([[], [0]]);
  });

  it('7.2: there is none while something beyond a gap is known to have arrived', () => {
    const wire = sending(4);
    ack(wire, 0, [1, 2]);
    expect(numbers(wire.pass(2 * RTT + 2))).toEqual([0]);
  });

  it('7.3: it is new text where the window allows', () => {
    const wire = new TcpWire(sack);
    wire.window = 20 * S;
    wire.connect({ isSackPermitted: true }, RTT);
    wire.write(20 * S);
    expect(numbers(wire.pass(2 * RTT + 2))).toEqual([10]);
  });

  it('7.3: it is the last segment where the window of the peer is full', () => {
    const wire = new TcpWire(sack);
    wire.window = 5 * S;
    wire.connect({ isSackPermitted: true }, RTT);
    wire.write(20 * S);
    expect(numbers(wire.pass(2 * RTT + 2))).toEqual([4]);
  });

  it('7.3: one probe goes, then the timeout counts from it', () => {
    const wire = sending(4, 0);
    wire.pass(2 * RTT + 2);
    const probedMs = wire.nowMs;
    const [next] = wire.pass(5_000);
    expect([next!.seq, next!.atMs - probedMs]).toEqual([0, 300]);
  });

  it('7.4: a loss that the probe mended reduces the window', () => {
    const wire = sending(4, 2 * RTT + 2);
    wire.pass(RTT);
    const { tcpi_snd_cwnd: before } = wire.info();
    ack(wire, 4);
    expect(wire.info().tcpi_snd_cwnd).toBeLessThan(before);
  });

  it('7.4: a probe whose first copy had arrived, says D-SACK, reduces nothing', () => {
    const wire = sending(4, 2 * RTT + 2);
    wire.pass(RTT);
    const { tcpi_snd_cwnd: before } = wire.info();
    ack(wire, 4, [3, 4]);
    expect(wire.info().tcpi_snd_cwnd).toBeGreaterThanOrEqual(before);
  });

  it('7.4: what the probe reveals is mended by fast recovery', () => {
    const wire = sending(4, 2 * RTT + 2);
    wire.pass(RTT);
    expect([ack(wire, 0, [3, 4])[0], wire.info().tcpi_ca_state]).toEqual([0, 3]);
  });
});
