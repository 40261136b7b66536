import { ACK, CWR, ECE, Ecn, FIN, SYN } from '../tcp/segment.js';
import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const BITS = ECE | CWR;

const asking = (): TcpWire => new TcpWire((settings) => (settings.ecn = 1));
const connected = (): TcpWire => asking().connect({ flags: SYN | ACK | ECE });

describe('RFC 3168 section 6.1.1, negotiation', () => {
  it('a call asks with both bits, and is not ECN-capable itself', () => {
    const syn = asking().call();
    expect([syn.flags & BITS, syn.ecn]).toEqual([BITS, Ecn.NOT_ECT]);
  });

  it('a SYN that is sent again does without after a while', () => {
    const wire = asking();
    wire.call();
    expect(wire.pass(4_000).map(({ flags }) => flags & BITS)).toEqual([BITS, 0]);
  });

  it.each([
    ['a SYN with both bits', SYN | BITS, ECE],
    ['one with neither', SYN, 0],
    ['one with only one of them', SYN | ECE, 0],
  ])('the answer to %s', (_what, flags, bits) => {
    const answer = new TcpWire((settings) => (settings.ecn = 2)).beCalled({ flags });
    expect([answer.flags & BITS, answer.ecn]).toEqual([bits, Ecn.NOT_ECT]);
  });

  it.each([
    ['with neither bit', SYN | ACK],
    ['with both, as a broken peer reflects them', SYN | ACK | BITS],
  ])('an answer %s means no ECN', (_what, flags) => {
    expect(asking().connect({ flags }).write(10)[0]!.ecn).toBe(Ecn.NOT_ECT);
  });
});

describe('RFC 3168 section 6.1.2, the sender', () => {
  it('text is ECT(0)', () => expect(connected().write(10)[0]!.ecn).toBe(Ecn.ECT_0));

  it('an echo halves the window, as a loss does, and nothing is sent again', () => {
    const wire = connected();
    wire.write(50 * S);
    const sent = wire.ack(S, [], { flags: ACK | ECE });
    expect([wire.info().tcpi_snd_ssthresh, numbers(sent).includes(1)]).toEqual([5, false]);
  });

  it('once in a window of text', () => {
    const wire = connected();
    wire.write(50 * S);
    for (let i = 1; i <= 8; i++) wire.ack(i * S, [], { flags: ACK | ECE });
    const first = wire.info().tcpi_snd_ssthresh;
    for (let i = 9; i <= 14; i++) wire.ack(i * S, [], { flags: ACK | ECE });
    expect([first, wire.info().tcpi_snd_ssthresh]).toEqual([5, 3]);
  });

  it('the first new segment after that has CWR, and no other', () => {
    const wire = connected();
    wire.write(50 * S);
    const sent = wire.ack(S, [], { flags: ACK | ECE });
    for (let i = 2; i <= 10; i++) sent.push(...wire.ack(i * S));
    expect(sent.map(({ flags }) => flags & CWR)).toEqual([CWR, ...new Array<number>(sent.length - 1).fill(0)]);
  });
});

describe('RFC 3168 section 6.1.3, the receiver', () => {
  it('acknowledges with ECE from the first mark on, until the sender says CWR', () => {
    const wire = connected();
    const echo = (seq: number, ecn: number, flags = 0): number => {
      const [ack] = wire.say({ seq, text: 'x', flags: ACK | flags }, { ecn });
      return ack!.flags & ECE;
    };
    expect([
      echo(0, Ecn.ECT_0),
      echo(1, Ecn.CE),
      echo(2, Ecn.ECT_0),
      echo(3, Ecn.ECT_0),
      echo(4, Ecn.ECT_0, CWR),
      echo(5, Ecn.ECT_0),
    ]).toEqual([0, ECE, ECE, ECE, 0, 0]);
  });

  it('a mark on the segment with CWR is echoed again', () => {
    const wire = connected();
    wire.say({ seq: 0, text: 'x' }, { ecn: Ecn.CE });
    const [ack] = wire.say({ seq: 1, text: 'x', flags: ACK | CWR }, { ecn: Ecn.CE });
    expect(ack!.flags & ECE).toBe(ECE);
  });
});

describe('RFC 3168 section 6.1.4 to 6.1.6, what is not ECN-capable', () => {
  it('6.1.4: an acknowledgement without text', () => {
    expect(connected().say({ text: 'x' }, { ecn: Ecn.ECT_0 })[0]!.ecn).toBe(Ecn.NOT_ECT);
  });

  it('6.1.4: a FIN without text', () => {
    const wire = connected();
    wire.socket.shutdown(1);
    expect(wire.heard().map(({ flags, ecn }) => [flags & FIN, ecn])).toEqual([[FIN, Ecn.NOT_ECT]]);
  });

  it('6.1.5: text that is sent again', () => {
    const wire = connected();
    wire.write(10);
    expect(wire.pass(300).map(({ len, ecn }) => [len, ecn])).toEqual([[10, Ecn.NOT_ECT]]);
  });

  it('6.1.6: a window probe', () => {
    const wire = asking();
    wire.window = 0;
    wire.connect({ flags: SYN | ACK | ECE });
    wire.write(10);
    const [probe] = wire.pass(2_000);
    expect(probe!.ecn).toBe(Ecn.NOT_ECT);
  });
});
