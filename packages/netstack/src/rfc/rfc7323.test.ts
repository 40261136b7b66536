import { TcpSocket } from '../socket/tcp-socket.js';
import { ACK, RST } from '../tcp/segment.js';
import type { TcpSettings } from '../tcp/tcp-settings.js';
import { SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';
import { IpAddress } from '../wire/ip-address.js';

const scaled = (settings: TcpSettings): void => void (settings.isWindowScalingOn = true);
const stamped = (settings: TcpSettings): void => void (settings.isTimestampsOn = true);
const DAYS_24 = 24 * 86_400_000;

describe('RFC 7323 section 2, window scale', () => {
  it('2.1: a call offers a shift', () => {
    expect(new TcpWire(scaled).call().windowShift).toBeGreaterThan(0);
  });

  it.each([
    ['with it', 3, true],
    ['without it', undefined, false],
  ])('2.2: a SYN %s', (_what, windowShift, hasOption) => {
    const answer = new TcpWire(scaled).beCalled(windowShift === undefined ? {} : { windowShift });
    expect(answer.windowShift >= 0).toBe(hasOption);
  });

  it('2.2: only a SYN has the option', () => {
    const wire = new TcpWire(scaled).connect({ windowShift: 3 });
    expect(wire.write(10)[0]!.windowShift).toBe(-1);
  });

  it('2.2: the window of a SYN-ACK is not scaled, that of later segments is', () => {
    const wire = new TcpWire(scaled);
    wire.window = 250;
    wire.connect({ windowShift: 3, window: 4000 });
    expect(sum(wire.write(20_000))).toBe(4_000);
    expect(sum(wire.ack(4_000))).toBe(2_000);
  });

  it('2.2: our window of a SYN is not scaled, and that of later segments is', () => {
    const wire = new TcpWire((settings) => {
      scaled(settings);
      settings.receiveBytes = 400_000;
    });
    const syn = wire.call();
    const [ack] = wire.answerCall({ windowShift: 0 });
    expect([syn.window, ack!.window * 2 ** syn.windowShift > 65_535]).toEqual([65_535, true]);
  });

  it('2.2: without the option in both SYNs no window is scaled', () => {
    const wire = new TcpWire(scaled);
    wire.call();
    const [ack] = wire.answerCall();
    wire.window = 5_000;
    expect([ack!.window > 60_000, sum(wire.write(20_000))]).toEqual([true, 10_000]);
    expect(sum(wire.ack(10_000))).toBe(5_000);
  });

  it('2.3: a shift above 14 counts as 14', () => {
    const wire = new TcpWire(scaled);
    wire.window = 1;
    wire.connect({ windowShift: 15, window: 1_000 });
    wire.write(100_000);
    wire.ack(1_000);
    expect(wire.info().tcpi_snd_wnd).toBe(2 ** 14);
  });

  it('2.3: ours is never above 14', () => {
    const wire = new TcpWire((settings) => {
      scaled(settings);
      settings.receiveBytesMax = 2 ** 36;
    });
    expect(wire.call().windowShift).toBe(14);
  });
});

describe('RFC 7323 section 3, the timestamps option', () => {
  it('3.2: a SYN without ACK echoes nothing', () => {
    const syn = new TcpWire(stamped).call();
    expect(syn.timestamps![1]).toBe(0);
  });

  it.each([
    ['has it', { timestamps: [77, 0] as const }, 77],
    ['has none', {}, undefined],
  ])('3.2: the answer to a SYN that %s', (_what, syn, echo) => {
    expect(new TcpWire(stamped).beCalled(syn).timestamps?.[1]).toBe(echo);
  });

  it('3.2: once agreed, every segment has it: text, text sent again, acknowledgements and FIN', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [77, 0] });
    const sent = wire.write(10);
    sent.push(...wire.pass(500), ...wire.say({ text: 'x', timestamps: [78, 0] }), ...wire.pass(100));
    wire.socket.shutdown(1);
    sent.push(...wire.heard());
    expect([sent.length >= 4, sent.every(({ timestamps }) => timestamps !== null)]).toEqual([true, true]);
  });

  it('3.2: and so has a reset', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [77, 0] });
    wire.socket.lingerSec = 0;
    wire.socket.close();
    const [reset] = wire.heard();
    expect([reset!.flags & RST, reset!.timestamps?.[1]]).toEqual([RST, 77]);
  });

  it('3.2: where it was not agreed, no segment has it, and one that comes is ignored', () => {
    const wire = new TcpWire(stamped).connect();
    expect(wire.say({ text: 'x', timestamps: [5, 0] })[0]!.timestamps).toBeNull();
    wire.say({ seq: 1, text: 'y', timestamps: [4, 0] });
    expect(wire.read()).toBe('xy');
  });

  it('3.2: a segment that lacks it does not end the connection', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [77, 0] });
    wire.say({ text: 'x' });
    wire.say({ seq: 0, text: 'x', timestamps: [78, 0] });
    expect([wire.read(), wire.info().tcpi_state]).toEqual(['x', 1]);
  });
});

describe('RFC 7323 section 4, round-trip time', () => {
  it('4.1: the clock of timestamps ticks once a millisecond to once a second', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [77, 0] });
    const [first] = wire.write(10);
    wire.pass(100);
    wire.ack(10, [], { timestamps: [78, first!.timestamps![0]] });
    wire.pass(900);
    const [second] = wire.write(10);
    expect((second!.timestamps![0] - first!.timestamps![0]) | 0).toBe(1_000);
  });

  it('4.3: a delayed acknowledgement echoes the first segment it acknowledges', () => {
    const wire = settled();
    const text = 'x'.repeat(SEGMENT_BYTES);
    wire.say({ seq: 0, text, timestamps: [200, 0] });
    const [ack] = wire.say({ seq: SEGMENT_BYTES, text, timestamps: [201, 0] });
    expect(ack!.timestamps![1]).toBe(200);
  });

  it('4.3: behind a gap, the last segment that advanced the window is echoed', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [100, 0] });
    const [gap] = wire.say({ seq: 5, text: 'later', timestamps: [300, 0] });
    expect(gap!.timestamps![1]).toBe(100);
  });

  it('4.3: a segment that fills the gap is echoed', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [100, 0] });
    wire.say({ seq: 5, text: 'later', timestamps: [300, 0] });
    const [filled] = wire.say({ seq: 0, text: 'first', timestamps: [250, 0] });
    expect([filled!.timestamps![1], filled!.ack]).toEqual([250, 10]);
  });

  /** Past the acknowledgements that go at once when a connection is young. */
  function settled(): TcpWire {
    const wire = new TcpWire(stamped).connect({ timestamps: [100, 0] });
    for (let i = 0; i < 20; i++) wire.say({ seq: i - 20, text: 'x', timestamps: [100, 0] });
    return wire;
  }
});

describe('RFC 7323 section 5, PAWS', () => {
  const connected = (): TcpWire => new TcpWire(stamped).connect({ timestamps: [1_000, 0] });

  it('5.3 R1: an older timestamp than the last one: dropped, and acknowledged', () => {
    const wire = connected();
    const [ack] = wire.say({ text: 'old', timestamps: [999, 0] });
    expect([ack!.flags, ack!.ack, wire.read()]).toEqual([ACK, 0, 'errno 11']);
  });

  it('5.3 R1: the same timestamp is good', () => {
    const wire = connected();
    wire.say({ text: 'same', timestamps: [1_000, 0] });
    expect(wire.read()).toBe('same');
  });

  it('5.3 R1: the clock of the peer may wrap', () => {
    const wire = new TcpWire(stamped).connect({ timestamps: [0xffff_fff0, 0] });
    wire.say({ text: 'new', timestamps: [3, 0] });
    expect(wire.read()).toBe('new');
  });

  it('5.3 R2: a segment outside of the window does not move the timestamp', () => {
    const wire = connected();
    wire.say({ seq: 1_000_000, text: 'far', timestamps: [9_000, 0] });
    wire.say({ text: 'near', timestamps: [1_001, 0] });
    expect(wire.read()).toBe('near');
  });

  it('5.2: a reset is taken whatever its timestamp', () => {
    const wire = connected();
    wire.say({ flags: RST, timestamps: [1, 0] });
    expect(wire.read()).toBe('errno 104');
  });

  it('5.5: after 24 days without a segment any timestamp is good', () => {
    const wire = connected();
    wire.pass(DAYS_24);
    wire.say({ text: 'late', timestamps: [1, 0] });
    expect(wire.read()).toBe('late');
  });

  it('5.5: and not before', () => {
    const wire = connected();
    wire.pass(DAYS_24 - 1_000);
    wire.say({ text: 'late', timestamps: [1, 0] });
    expect(wire.read()).toBe('errno 11');
  });

  it('5.4: where the clock of timestamps starts differs by peer, so that it tells nobody how long the machine runs', () => {
    const wire = new TcpWire(stamped);
    const first = wire.call().timestamps![0];
    const other = new TcpSocket(wire.stack, false);
    other.connect(IpAddress.parse('10.0.0.3'), 80);
    const second = wire.heard()[0]!.timestamps![0];
    expect(new Set([first, second, wire.clock.monotonicMs()]).size).toBe(3);
  });
});

/** Bytes of text that were sent. */
function sum(heard: readonly { len: number }[]): number {
  return heard.reduce((total, { len }) => total + len, 0);
}
