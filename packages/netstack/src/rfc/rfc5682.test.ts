import type { TcpSettings } from '../tcp/tcp-settings.js';
import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;

/** Ten segments were out when the timer expired, and the first was sent again. */
function timedOut(configure?: (settings: TcpSettings) => void): TcpWire {
  const wire = new TcpWire(configure).connect();
  wire.write(60 * S);
  expect(numbers(wire.pass(300))).toEqual([0]);
  return wire;
}

describe('RFC 5682 section 2.1, F-RTO', () => {
  it('step 2: the first acknowledgement that advances lets two new segments out, and nothing again', () => {
    expect(numbers(timedOut().ack(S))).toEqual([10, 11]);
  });

  it('step 3b: when the next one advances too, the timeout was for nothing: nothing goes again, the window is back', () => {
    const wire = timedOut();
    wire.ack(S);
    const sent = numbers(wire.ack(2 * S));
    expect([sent.every((index) => index >= 12), wire.info().tcpi_snd_cwnd >= 10]).toEqual([true, true]);
  });

  it('step 3a: when it is a duplicate, the loss was real: what is missing goes again in slow start', () => {
    const wire = timedOut();
    wire.ack(S);
    const sent = numbers(wire.ack(S));
    sent.push(...numbers(wire.ack(2 * S)));
    expect([sent[0], wire.info().tcpi_snd_cwnd <= 5]).toEqual([1, true]);
  });

  it('step 2: a duplicate acknowledgement comes first: the loss was real', () => {
    const wire = timedOut();
    wire.ack(0);
    expect(numbers(wire.ack(S))).toContain(1);
  });

  it('can be turned off: then the first acknowledgement sends the next segments again', () => {
    expect(numbers(timedOut((settings) => (settings.isFrtoOn = false)).ack(S))).toEqual([1, 2]);
  });
});

describe('RFC 5682 section 3.1, with SACK', () => {
  it('an acknowledgement of what was never sent again means that the timeout was for nothing', () => {
    const wire = new TcpWire((settings) => (settings.isSackOn = true)).connect({ isSackPermitted: true });
    wire.write(4 * S);
    wire.pass(2_000);
    wire.ack(S);
    wire.ack(2 * S);
    const before = wire.heard().length;
    expect([before, wire.info().tcpi_ca_state, wire.info().tcpi_snd_cwnd >= 10]).toEqual([0, 0, true]);
  });
});
