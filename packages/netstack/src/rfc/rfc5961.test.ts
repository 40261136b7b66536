import { ACK, RST, SYN } from '../tcp/segment.js';
import { type Heard, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const ESTABLISHED = 1;
/** Two challenges of one connection are that far apart. */
const PAUSE_MS = 500;

const state = (wire: TcpWire): number => wire.info().tcpi_state;

/** The answer is an acknowledgement of what is expected next. */
function expectChallenge(heard: readonly Heard[], seq = 0): void {
  expect(heard.map((segment) => [segment.flags, segment.seq, segment.ack, segment.len])).toEqual([[ACK, seq, 0, 0]]);
}

describe('RFC 5961 section 3.2, resets', () => {
  it('one at RCV.NXT ends the connection', () => {
    const wire = new TcpWire().connect();
    expect([wire.say({ flags: RST }), wire.read()]).toEqual([[], 'errno 104']);
  });

  it.each([1, 1000, 60_000])('one %i bytes further, inside of the window, is challenged', (seq) => {
    const wire = new TcpWire().connect();
    expectChallenge(wire.say({ flags: RST, seq }));
    expect(state(wire)).toBe(ESTABLISHED);
  });

  it.each([-1, -70_000, 1_000_000])('one outside of the window, at %i, is silently dropped', (seq) => {
    const wire = new TcpWire().connect();
    expect([wire.say({ flags: RST, seq }), state(wire)]).toEqual([[], ESTABLISHED]);
  });

  it('a peer that is really gone answers the challenge with a reset that counts', () => {
    const wire = new TcpWire().connect();
    const [challenge] = wire.say({ flags: RST, seq: 10 });
    wire.say({ flags: RST, seq: challenge!.ack });
    expect(wire.read()).toBe('errno 104');
  });
});

describe('RFC 5961 section 4.2, SYNs', () => {
  it.each([-1, 0, 10, 1_000_000])('one at %i is challenged, wherever it is', (seq) => {
    const wire = new TcpWire().connect();
    expectChallenge(wire.say({ flags: SYN, seq }));
    expect(state(wire)).toBe(ESTABLISHED);
  });
});

describe('RFC 5961 section 5.2, acknowledgements', () => {
  const acked = (): TcpWire => {
    const wire = new TcpWire();
    wire.window = 10_000;
    wire.connect();
    for (let i = 1; i <= 30; i++) {
      wire.write(S);
      wire.ack(i * S);
    }
    return wire;
  };

  it.each([
    ['of what was never sent', 30 * S + 1],
    ['older than the largest window ever offered', 30 * S - 10_001],
  ])('one %s: text is not taken, and the connection stays', (_what, ack) => {
    const wire = acked();
    expectChallenge(wire.say({ ack, text: 'injected' }), 30 * S);
    expect([wire.read(), state(wire)]).toEqual(['errno 11', ESTABLISHED]);
  });

  it.each([30 * S, 30 * S - 10_000])('text with the acknowledgement %i is taken', (ack) => {
    const wire = acked();
    wire.say({ ack, text: 'good' });
    expect(wire.read()).toBe('good');
  });
});

describe('RFC 5961 section 7, throttling', () => {
  it('a connection is not made to challenge more than twice a second', () => {
    const wire = new TcpWire().connect();
    const answers = [1, 2, 3, 4].flatMap((seq) => wire.say({ flags: RST, seq }));
    wire.pass(PAUSE_MS);
    answers.push(...wire.say({ flags: RST, seq: 5 }));
    expect(answers).toHaveLength(2);
  });
});
