import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;

describe('RFC 3042 section 2, limited transmit', () => {
  it('each of the first two duplicate acknowledgements lets a new segment out, and the third the missing one', () => {
    const wire = new TcpWire().connect();
    wire.write(50 * S);
    expect([wire.ack(0), wire.ack(0), wire.ack(0)].map(numbers)).toEqual([[10], [11], [0]]);
  });

  it('the receiver window is obeyed', () => {
    const wire = new TcpWire();
    wire.window = 10 * S;
    wire.connect();
    wire.write(50 * S);
    expect([wire.ack(0), wire.ack(0)].map(numbers)).toEqual([[], []]);
  });

  it('with SACK, an acknowledgement that tells nothing new lets nothing out', () => {
    const wire = new TcpWire((settings) => (settings.isSackOn = true)).connect({ isSackPermitted: true });
    wire.write(50 * S);
    wire.pass(100);
    const sacks = [[S, 2 * S]] as const;
    expect([wire.ack(0, sacks), wire.ack(0, sacks), wire.ack(0, sacks)].map(numbers)).toEqual([[10], [], []]);
  });

  it('the congestion window does not change', () => {
    const wire = new TcpWire().connect();
    wire.write(50 * S);
    const { tcpi_snd_cwnd: before } = wire.info();
    wire.ack(0);
    wire.ack(0);
    expect(wire.info().tcpi_snd_cwnd).toBe(before);
  });
});
