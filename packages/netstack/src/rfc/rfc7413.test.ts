import { TCP_FASTOPEN, SOL_TCP } from '@tsv/abi';
import { ACK, SYN } from '../tcp/segment.js';
import type { TcpSocket } from '../socket/tcp-socket.js';
import { type Heard, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const NONE = new Uint8Array(0);

function listening(): TcpWire {
  return new TcpWire((settings) => (settings.fastOpen = 3));
}

function allow(listener: TcpSocket): void {
  listener.setOption(SOL_TCP, TCP_FASTOPEN, 5);
}

function beCalled(wire: TcpWire, fastOpenCookie?: Uint8Array, text = ''): Heard {
  return wire.beCalled({ text, ...(fastOpenCookie !== undefined && { fastOpenCookie }) }, allow);
}

/** The cookie that the stack gives the peer. */
function cookie(): Uint8Array {
  return Uint8Array.from(beCalled(listening(), NONE).cookie!);
}

describe('RFC 7413 section 4.1.2 and 4.2.2, the server', () => {
  it('gives a cookie of 4 to 16 bytes, of an even number, to a SYN that asks', () => {
    const { length } = cookie();
    expect([length >= 4, length <= 16, length % 2]).toEqual([true, true, 0]);
  });

  it('gives none to a SYN that does not ask', () => expect(beCalled(listening()).cookie).toBeNull());

  it('gives none where it is off', () => {
    expect(
      new TcpWire((settings) => (settings.fastOpen = 1)).beCalled({ fastOpenCookie: NONE }, allow).cookie,
    ).toBeNull();
  });

  it('a cookie is bound to the address of its peer', () => {
    const wire = listening();
    const [mine] = [beCalled(wire, NONE)];
    const answers = wire.say(
      { seq: -1, flags: SYN, mss: SEGMENT_BYTES, fastOpenCookie: Uint8Array.from(mine.cookie!), text: 'spoofed' },
      { src: '10.0.0.9' },
    );
    expect(answers[0]!.ack).toBe(0);
  });

  it('text in a SYN with a good cookie is acknowledged, and can be read before the handshake ends', () => {
    const wire = listening();
    const answer = beCalled(wire, cookie(), 'hello');
    const accepted = wire.socket.accept();
    if (typeof accepted === 'number') throw new Error('nothing to accept');
    wire.socket = accepted;
    expect([answer.flags, answer.ack, wire.read()]).toEqual([SYN | ACK, 5, 'hello']);
  });

  it('with a bad cookie only the SYN is acknowledged, and a good one comes back', () => {
    const answer = beCalled(listening(), new Uint8Array(8).fill(1), 'hello');
    expect([answer.ack, answer.cookie]).toEqual([0, [...cookie()]]);
  });

  it('without the option on the listening socket it is an ordinary handshake', () => {
    const answer = listening().beCalled({ fastOpenCookie: cookie(), text: 'hello' });
    expect([answer.ack, answer.cookie]).toEqual([0, null]);
  });
});
