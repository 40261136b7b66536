import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;

/** Ten of a hundred segments are out, a round trip old. */
function sending(): TcpWire {
  const wire = new TcpWire((settings) => (settings.isSackOn = true)).connect({ isSackPermitted: true });
  wire.write(60 * S);
  wire.pass(100);
  return wire;
}

function ack(wire: TcpWire, una: number, ...sacks: (readonly [number, number])[]): number[] {
  return numbers(
    wire.ack(
      una * S,
      sacks.map(([from, to]) => [from * S, to * S] as const),
    ),
  );
}

describe('RFC 6675 section 5, recovery with SACK', () => {
  it('starts when three segments beyond a gap have arrived, with the first that is missing', () => {
    const wire = sending();
    expect(ack(wire, 0, [1, 4])[0]).toBe(0);
    expect(wire.info().tcpi_ca_state).toBe(3);
  });

  it('NextSeg: first what is lost in order, then new text', () => {
    const wire = sending();
    const sent = ack(wire, 0, [2, 3], [4, 5], [6, 10]);
    for (let arrived = 11; arrived < 18; arrived++) sent.push(...ack(wire, 0, [2, 3], [4, 5], [6, arrived]));
    const firstNew = sent.findIndex((index) => index >= 10);
    expect([sent.slice(0, 4), firstNew]).toEqual([[0, 1, 3, 5], 4]);
  });

  it('nothing is sent again twice while its copy may still arrive', () => {
    const wire = sending();
    const sent = ack(wire, 0, [1, 5]);
    for (let arrived = 6; arrived <= 10; arrived++) sent.push(...ack(wire, 0, [1, arrived]));
    expect(sent.filter((index) => index === 0)).toHaveLength(1);
  });

  it('(C): never more goes out than the window has room for', () => {
    const wire = sending();
    ack(wire, 0, [1, 4]);
    for (let arrived = 5; arrived <= 10; arrived++) {
      ack(wire, 0, [1, arrived]);
      const { tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_snd_cwnd } = wire.info();
      expect(tcpi_unacked - tcpi_sacked - tcpi_lost + tcpi_retrans).toBeLessThanOrEqual(tcpi_snd_cwnd);
    }
  });

  it('the window is half of what it was when all is acknowledged that was out', () => {
    const wire = sending();
    ack(wire, 0, [1, 4]);
    const out = wire.info().tcpi_unacked;
    ack(wire, out);
    expect([wire.info().tcpi_snd_cwnd, wire.info().tcpi_snd_ssthresh]).toEqual([5, 5]);
  });

  it('further losses of the same window do not reduce it again', () => {
    const wire = sending();
    ack(wire, 0, [1, 4]);
    ack(wire, 4, [5, 9]);
    expect(wire.info().tcpi_snd_ssthresh).toBe(5);
  });

  it('5.1: after a timeout slow start begins with the first segment, and the peer need not get what it has', () => {
    const wire = sending();
    ack(wire, 0, [7, 8]);
    const again = numbers(wire.pass(60_000)).filter((index) => index < 10);
    expect([again[0], again.includes(7)]).toEqual([0, false]);
  });
});
