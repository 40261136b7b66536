import { numbers, SEGMENT_BYTES, TcpWire, times } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const INITIAL = 10;

/** Connected, with more to send than any window of these tests. F-RTO (RFC 5682) is off. */
function busy(): TcpWire {
  const wire = new TcpWire((settings) => (settings.isFrtoOn = false)).connect();
  wire.write(200 * S);
  return wire;
}

/** Acknowledges what was sent, and what is sent upon that, and so on; returns how many segments went in each round. */
function rounds(wire: TcpWire, count: number, out: number): number[] {
  const sent: number[] = [];
  for (let acked = 0; sent.length < count; out = sent.at(-1)!) {
    acked += out;
    sent.push(numbers(wire.ack(acked * S)).length);
  }
  return sent;
}

describe('RFC 5681 section 3.1, slow start and congestion avoidance', () => {
  it('a connection starts in slow start: each acknowledged segment lets two out', () => {
    const wire = busy();
    expect([numbers(wire.ack(S)), numbers(wire.ack(3 * S))]).toEqual([
      [10, 11],
      [12, 13, 14, 15],
    ]);
  });

  it('the window grows by what is acknowledged, not by the number of acknowledgements', () => {
    const wire = busy();
    const sent = [];
    for (let count = 100; count <= S; count += 100) sent.push(...wire.ack(count));
    expect(numbers(sent)).toEqual([10, 11]);
  });

  it('the receiver window is a limit too', () => {
    const wire = new TcpWire();
    wire.window = 4 * S;
    wire.connect();
    expect([numbers(wire.write(20 * S)), numbers(wire.ack(S))]).toEqual([[0, 1, 2, 3], [4]]);
  });

  it('a timeout leaves a window of one segment, then slow start up to half of what was in flight, then one more a round', () => {
    const wire = busy();
    expect(numbers(wire.pass(300))).toEqual([0]);
    expect(rounds(wire, 6, 1)).toEqual([2, 4, 5, 6, 7, 8]);
  });

  it('equation 4: what counts is what was in flight, not what the window would have allowed', () => {
    const wire = new TcpWire((settings) => (settings.isFrtoOn = false)).connect();
    wire.write(4 * S);
    expect(numbers(wire.pass(300))).toEqual([0]);
    wire.write(100 * S);
    expect(rounds(wire, 4, 1)).toEqual([2, 3, 4, 5]);
  });

  it('the threshold stays when the same segment times out again', () => {
    const wire = busy();
    wire.pass(300 + 600 + 1_200);
    expect(rounds(wire, 4, 1)).toEqual([2, 4, 5, 6]);
  });

  it('after a lost SYN the first window is one segment', () => {
    const wire = new TcpWire();
    wire.call();
    wire.pass(1_500);
    wire.answerCall();
    expect(numbers(wire.write(20 * S))).toEqual([0]);
  });
});

describe('RFC 5681 section 3.2, fast retransmit and fast recovery', () => {
  it('the third duplicate acknowledgement sends the missing segment at once', () => {
    const wire = busy();
    expect([wire.ack(0), wire.ack(0), wire.ack(0)].map(numbers)).toEqual([[INITIAL], [INITIAL + 1], [0]]);
  });

  it.each([
    ['text of its own', { seq: 0, text: 'abc' }],
    ['another window', { window: 40_000 }],
    ['a FIN', { flags: 0x11 }],
  ])('section 2: an acknowledgement with %s is no duplicate', (_what, fields) => {
    const wire = busy();
    const sent = [0, 1, 2, 3].map((i) =>
      wire.ack(0, [], { ...fields, ...('window' in fields && { window: 40_000 + i }) }),
    );
    expect(sent.map(numbers).flat()).not.toContain(0);
  });

  it('when nothing is outstanding, no acknowledgement is a duplicate', () => {
    const wire = new TcpWire().connect();
    for (let i = 0; i < 5; i++) wire.ack(0);
    expect(numbers(wire.write(2 * S))).toEqual([0, 1]);
    expect(wire.ack(0).length).toBe(0);
  });

  it('equation 4: the window is half of what was in flight when the recovery is over', () => {
    const wire = busy();
    for (let i = 0; i < 10; i++) wire.ack(0);
    wire.ack(wire.info().tcpi_unacked * S);
    const { tcpi_snd_cwnd, tcpi_snd_ssthresh } = wire.info();
    expect([tcpi_snd_cwnd, tcpi_snd_ssthresh]).toEqual([5, 5]);
  });

  it('equation 4: it is half of the flight where the window would have allowed more', () => {
    const wire = new TcpWire().connect();
    wire.write(4 * S);
    for (let i = 0; i < 3; i++) wire.ack(0);
    wire.ack(4 * S);
    expect(wire.info().tcpi_snd_cwnd).toBe(2);
  });
});

describe('RFC 5681 section 4, additional considerations', () => {
  it('4.1: after a pause longer than the timeout the window is smaller, and not below the initial one', () => {
    const wire = new TcpWire((settings) => (settings.isWindowScalingOn = true)).connect({ windowShift: 7 });
    wire.write(100 * S);
    for (let acked = 1; acked <= 100; acked++) wire.ack(acked * S);
    const { tcpi_snd_cwnd: grown } = wire.info();
    wire.pass(60_000);
    expect(grown).toBeGreaterThan(50);
    expect(numbers(wire.write(100 * S))).toHaveLength(INITIAL);
  });

  it('4.2: an acknowledgement waits for less than 500 ms', () => {
    const wire = settled();
    const receivedMs = wire.nowMs;
    expect(wire.say({ seq: 20 * S, text: 'x' })).toEqual([]);
    const [ack] = wire.pass(1_000);
    expect([ack!.ack, times([ack!])[0]! - receivedMs < 500]).toEqual([20 * S + 1, true]);
  });

  it('4.2: every second full segment is acknowledged at once', () => {
    const wire = settled();
    const full = 'x'.repeat(S);
    expect([20, 21, 22, 23].map((i) => wire.say({ seq: i * S, text: full }).length)).toEqual([0, 1, 0, 1]);
  });

  it('4.2: text out of order is acknowledged at once, and so is what fills the gap', () => {
    const wire = settled();
    const full = 'x'.repeat(S);
    const answers = [21, 22, 20].map((i) => wire.say({ seq: i * S, text: full }).map(({ ack }) => ack / S));
    expect(answers).toEqual([[20], [20], [23]]);
  });

  it('4.2: a segment is answered by one acknowledgement at most', () => {
    const wire = settled();
    const counts = [25, 25, 20, 20, 21, 0].map((i) => wire.say({ seq: i * S, text: 'x'.repeat(S) }).length);
    expect(counts.every((count) => count <= 1)).toBe(true);
  });

  it('4.3: losses of one window of text reduce it once', () => {
    const wire = busy();
    for (let i = 0; i < 9; i++) wire.ack(0);
    const { tcpi_snd_ssthresh: first } = wire.info();
    wire.ack(3 * S);
    wire.ack(5 * S);
    expect([first, wire.info().tcpi_snd_ssthresh]).toEqual([5, 5]);
  });

  /** Past the acknowledgements that go at once when a connection is young; 20 segments have come. */
  function settled(): TcpWire {
    const wire = new TcpWire().connect();
    for (let i = 0; i < 20; i++) wire.say({ seq: i * S, text: 'x'.repeat(S) });
    wire.pass(1_000);
    wire.read();
    wire.heard();
    return wire;
  }
});
