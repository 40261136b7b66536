import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;

/** In fast recovery: ten segments were out, and two more went by limited transmit. */
function recovering(): TcpWire {
  const wire = new TcpWire((settings) => (settings.isFrtoOn = false)).connect();
  wire.write(100 * S);
  for (let i = 0; i < 3; i++) wire.ack(0);
  return wire;
}

describe('RFC 6582 section 3.2, NewReno without SACK', () => {
  it('step 3: a partial acknowledgement sends the next missing segment at once', () => {
    const wire = recovering();
    expect([numbers(wire.ack(4 * S))[0], numbers(wire.ack(8 * S))[0]]).toEqual([4, 8]);
  });

  it('step 3: a partial acknowledgement does not end fast recovery', () => {
    const wire = recovering();
    wire.ack(4 * S);
    for (let i = 0; i < 3; i++) wire.ack(4 * S);
    const again = [1, 2, 3].flatMap(() => numbers(wire.ack(4 * S)));
    expect([again.includes(4), wire.info().tcpi_snd_ssthresh]).toEqual([false, 5]);
  });

  it('step 3: an acknowledgement of all that was out, and of more, ends it with the window at the threshold', () => {
    const wire = recovering();
    wire.ack(12 * S);
    wire.ack(13 * S);
    expect([wire.info().tcpi_ca_state, wire.info().tcpi_snd_cwnd]).toEqual([0, 5]);
  });

  it('step 1: duplicates of what ended a recovery do not start another one', () => {
    const wire = recovering();
    wire.ack(12 * S);
    const sent = [1, 2, 3, 4].flatMap(() => numbers(wire.ack(12 * S)));
    expect([sent.includes(12), wire.info().tcpi_snd_ssthresh]).toEqual([false, 5]);
  });

  it('step 4: after a timeout, duplicates of what was out by then do not start fast retransmit', () => {
    const wire = new TcpWire((settings) => (settings.isFrtoOn = false)).connect();
    wire.write(100 * S);
    expect(numbers(wire.pass(300))).toEqual([0]);
    wire.ack(2 * S);
    const sent = [1, 2, 3, 4].flatMap(() => numbers(wire.ack(2 * S)));
    expect([sent, wire.info().tcpi_snd_ssthresh]).toEqual([[], 5]);
  });
});
