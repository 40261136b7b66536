import {
  EINPROGRESS,
  EOPNOTSUPP,
  EISCONN,
  POLLIN,
  POLLOUT,
  SOL_TCP,
  TCPI_OPT_SYN_DATA,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_NO_COOKIE,
} from '@tsv/abi';
import { FastOpenFailure, FastOpenUse } from '../tcp/fast-open.js';
import { ACK, SYN } from '../tcp/segment.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { bytesOf } from '../tcp/testing/seg.js';
import { IpAddress } from '../wire/ip-address.js';
import { type Heard, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const NONE = new Uint8Array(0);
const PEER = IpAddress.parse('10.0.0.2');
const COOKIE = new Uint8Array(8).fill(7);

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
    expect(accepted.readiness() & POLLIN).toBe(POLLIN);
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

describe('RFC 7413 section 4.1.2, the keys', () => {
  it('a cookie of the key before the last is taken, and a new one comes back', () => {
    const oldCookie = cookie();
    const wire = listening();
    const { context } = wire.stack.tcp;
    const key = new Uint8Array(32).fill(9);
    key.set(context.fastOpenKey, 16);
    context.fastOpenKey = key;
    const answer = beCalled(wire, oldCookie, 'hello');
    expect([answer.ack, answer.cookie?.length]).toEqual([5, 8]);
    expect(answer.cookie).not.toEqual([...oldCookie]);
  });

  it('a listening socket may have a key of its own', () => {
    const wire = listening();
    wire.socket.tcpOptions.fastOpenKey = new Uint8Array(16).fill(9);
    expect(beCalled(wire, cookie(), 'hello').ack).toBe(0);
  });

  it('needs no cookie where TCP_FASTOPEN_NO_COOKIE says so', () => {
    const wire = listening();
    wire.socket.setOption(SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
    expect(beCalled(wire, undefined, 'hello').ack).toBe(5);
  });

  it('needs no option of a listening socket where tcp_fastopen says so', () => {
    const use = FastOpenUse.SERVER | FastOpenUse.SERVER_ALWAYS;
    const wire = new TcpWire((settings) => (settings.fastOpen = use));
    expect(wire.beCalled({ fastOpenCookie: NONE }).cookie).toHaveLength(8);
  });
});

describe('RFC 7413 sections 4.1.3 and 4.2.1, the client', () => {
  /** Connects with a text that goes in the SYN if there is a cookie; returns what the socket took, and the SYN. */
  function open(wire: TcpWire, text: string): [taken: number, syn: Heard] {
    wire.socket = new TcpSocket(wire.stack, false);
    const taken = wire.socket.connectFast(PEER, 80, 0, bytesOf(text), 0, text.length);
    return [taken, wire.heard()[0]!];
  }

  /** A peer that has given a cookie on an earlier connection. */
  function acquainted(mss = SEGMENT_BYTES): TcpWire {
    const wire = new TcpWire();
    open(wire, '');
    wire.answerCall({ fastOpenCookie: COOKIE, mss });
    return wire;
  }

  it('asks for a cookie with the first connection, and sends its text after the handshake', () => {
    const wire = new TcpWire();
    const [taken, syn] = open(wire, 'hello');
    expect([taken, syn.cookie, syn.text]).toEqual([0, [], '']);
    wire.answerCall({ fastOpenCookie: COOKIE });
    expect(wire.info().tcpi_fastopen_client_fail).toBe(FastOpenFailure.NO_COOKIE);
  });

  it('sends the cookie and text in the SYN of the next', () => {
    const [taken, syn] = open(acquainted(), 'hello');
    expect([taken, syn.cookie, syn.text]).toEqual([5, [...COOKIE], 'hello']);
  });

  it('does not send again what was taken with the SYN', () => {
    const wire = acquainted();
    open(wire, 'hello');
    expect(wire.answerCall({ ack: 5 }).map(({ text }) => text)).toEqual(['']);
    const { tcpi_options, tcpi_fastopen_client_fail } = wire.info();
    expect([tcpi_options & TCPI_OPT_SYN_DATA, tcpi_fastopen_client_fail]).toEqual([TCPI_OPT_SYN_DATA, 0]);
  });

  it('sends it again at once when only the SYN was taken', () => {
    const wire = acquainted();
    open(wire, 'hello');
    expect(wire.answerCall().map(({ seq, text }) => [seq, text])).toEqual([[0, 'hello']]);
    expect(wire.info().tcpi_fastopen_client_fail).toBe(FastOpenFailure.TEXT_NOT_ACKED);
  });

  it('a SYN that is sent again is a plain one', () => {
    const wire = acquainted();
    open(wire, 'hello');
    const [again] = wire.pass(1000);
    expect([again!.flags, again!.text, again!.cookie]).toEqual([SYN, '', null]);
    wire.answerCall();
    expect(wire.info().tcpi_fastopen_client_fail).toBe(FastOpenFailure.SYN_RETRANSMITTED);
  });

  it('leaves fast open alone for a minute after a SYN with text was lost', () => {
    const wire = acquainted();
    open(wire, 'hello');
    wire.pass(1000);
    wire.answerCall();
    expect(open(wire, 'hello')[1].cookie).toBeNull();
    wire.pass(60_000);
    expect(open(wire, 'hello')[1].cookie).toEqual([...COOKIE]);
  });

  it('sends no more than the MSS that came with the cookie', () => {
    const [taken, syn] = open(acquainted(540), 'x'.repeat(2000));
    expect([taken, syn.len]).toEqual([500, 500]);
  });

  it('takes a newer cookie', () => {
    const wire = acquainted();
    open(wire, 'hello');
    const newer = new Uint8Array(8).fill(8);
    wire.answerCall({ fastOpenCookie: newer });
    expect(open(wire, 'hello')[1].cookie).toEqual([...newer]);
  });

  it('sends text without a cookie where TCP_FASTOPEN_NO_COOKIE says so', () => {
    const wire = new TcpWire();
    wire.socket.setOption(SOL_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
    const taken = wire.socket.connectFast(PEER, 80, 0, bytesOf('hello'), 0, 5);
    const [syn] = wire.heard();
    expect([taken, syn!.cookie, syn!.text]).toEqual([5, null, 'hello']);
  });

  it('is refused where it is off, and on a connection', () => {
    const wire = new TcpWire((settings) => (settings.fastOpen = 0));
    expect(wire.socket.connectFast(PEER, 80, 0, NONE, 0, 0)).toBe(-EOPNOTSUPP);
    expect(wire.socket.setOption(SOL_TCP, TCP_FASTOPEN_CONNECT, 1)).toBe(-EOPNOTSUPP);
    expect(new TcpWire().connect().socket.connectFast(PEER, 80, 0, NONE, 0, 0)).toBe(-EISCONN);
  });

  it('TCP_FASTOPEN_CONNECT: connect returns at once, and the SYN goes with the first text', () => {
    const wire = acquainted();
    wire.socket = new TcpSocket(wire.stack, false);
    wire.socket.setOption(SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
    expect(wire.socket.connect(PEER, 80)).toBe(0);
    expect(wire.heard()).toEqual([]);
    expect([wire.socket.readiness() & POLLOUT, wire.socket.connect(PEER, 80)]).toEqual([POLLOUT, -EISCONN]);
    expect(wire.socket.send(bytesOf('hello'), 0, 5)).toBe(5);
    const [syn] = wire.heard();
    expect([syn!.flags, syn!.text]).toEqual([SYN, 'hello']);
  });

  it('TCP_FASTOPEN_CONNECT without a cookie is an ordinary connect that asks for one', () => {
    const wire = new TcpWire();
    wire.socket.setOption(SOL_TCP, TCP_FASTOPEN_CONNECT, 1);
    expect(wire.socket.connect(PEER, 80)).toBe(-EINPROGRESS);
    expect(wire.heard()[0]!.cookie).toEqual([]);
  });
});
