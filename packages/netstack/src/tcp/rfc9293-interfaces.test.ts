import {
  LOCAL_SEQ,
  MSS,
  REMOTE_SEQ,
  REMOTE_WINDOW,
  socketEstablished,
  socketSynReceived,
  socketSynSent,
} from './testing/fixture.js';
import { seg } from './testing/seg.js';
import { ours, peer, SYNCHRONIZED } from './testing/synchronized.js';
import { ACK, FIN, PSH, RST, SYN } from './segment.js';
import { TcpError } from './tcp-error.js';
import { TcpState } from './tcp-state.js';

describe('RFC 9293 section 3.9.1, user calls', () => {
  it('MUST-60, MUST-61: the last segment of what was written is pushed', () => {
    const script = socketEstablished();
    script.endpoint.send(new Uint8Array(2 * MSS + 1));
    script.output();
    expect(script.takeSent().map((sent) => sent.flags! & PSH)).toEqual([0, 0, PSH]);
  });

  it('ABORT in a synchronized state sends a reset', () => {
    const script = socketEstablished();
    script.endpoint.abort();
    script.output();
    script.expectSent([ours({ flags: RST | ACK })]);
    expect(script.endpoint.pollAtMs()).toBe(Infinity);
  });

  it('ABORT in SYN-SENT sends nothing', () => {
    const script = socketSynSent();
    script.endpoint.abort();
    script.output();
    script.expectSent([]);
    expect(script.endpoint.isDead).toBe(true);
  });

  it('OPEN twice is an error', () => {
    const script = socketSynSent();
    expect(script.endpoint.connect(1, 0, 0)).toBe(TcpError.ALREADY);
    expect(socketEstablished().endpoint.connect(1, 0, 0)).toBe(TcpError.IS_CONNECTED);
  });
});

describe('RFC 9293 section 3.9.2.2, ICMP', () => {
  it('MUST-56: an unreachable destination does not end a connection, but is remembered', () => {
    const script = socketEstablished((settings) => (settings.retries = 2));
    script.write('x');
    script.endpoint.onUnreachable(TcpError.HOST_UNREACHABLE, LOCAL_SEQ);
    expect(script.state).toBe('ESTABLISHED');
    script.pass(10_000);
    expect(script.endpoint.takeError()).toBe(TcpError.HOST_UNREACHABLE);
  });

  it('ends an attempt to connect', () => {
    const script = socketSynSent();
    script.endpoint.onUnreachable(TcpError.NET_UNREACHABLE, LOCAL_SEQ - 1);
    expect(script.endpoint.takeError()).toBe(TcpError.NET_UNREACHABLE);
  });

  it('RFC 5927 section 4.1: is believed only of what is in flight', () => {
    const script = socketSynSent();
    script.endpoint.onUnreachable(TcpError.NET_UNREACHABLE, LOCAL_SEQ + 77);
    expect(script.state).toBe('SYN_SENT');
  });
});

describe('RFC 9293 section 3.10.7.4, segment arrives', () => {
  it.each(SYNCHRONIZED)('first, %s: an unacceptable segment is acknowledged and dropped', (name, make, seq, rcvNxt) => {
    const script = make();
    script.send(seg({ seq: rcvNxt - 10, ack: seq, flags: ACK, window: 9, text: 'old' }));
    expect(script.state).toBe(name);
    script.expectSent([{ seq, ack: rcvNxt, flags: ACK }]);
  });

  it.each(SYNCHRONIZED)('fourth, %s: a SYN gets a challenge (RFC 5961 section 4.2)', (name, make, seq, rcvNxt) => {
    const script = make();
    script.send(seg({ seq: rcvNxt, flags: SYN, window: 9 }));
    expect(script.state).toBe(name);
    script.expectSent([{ seq, ack: rcvNxt, flags: ACK }]);
  });

  it.each(SYNCHRONIZED)('fifth, %s: a segment without ACK is dropped', (name, make, _seq, rcvNxt) => {
    const script = make();
    script.send(seg({ seq: rcvNxt, flags: 0, window: 9, text: 'x' }));
    expect(script.state).toBe(name);
    script.expectSent([]);
    expect(script.endpoint.readableBytes).toBe(0);
  });

  it('fifth, SYN-RECEIVED: an unacceptable acknowledgement is reset', () => {
    const script = socketSynReceived();
    script.send(peer({ ack: LOCAL_SEQ + 9 }));
    script.expectSent([{ seq: LOCAL_SEQ + 9, flags: RST, window: 0 }]);
    expect(script.state).toBe('SYN_RECV');
  });

  it('fifth, ESTABLISHED: an acknowledgement of what was not sent is answered and dropped', () => {
    const script = socketEstablished();
    script.send(peer({ ack: LOCAL_SEQ + 1, text: 'x' }));
    script.expectSent([ours()]);
    expect(script.endpoint.readableBytes).toBe(0);
  });

  it('fifth, ESTABLISHED: one from far below gets a challenge (RFC 5961 section 5.2)', () => {
    const script = socketEstablished();
    script.send(peer({ ack: LOCAL_SEQ - REMOTE_WINDOW - 1, text: 'x' }));
    script.expectSent([ours()]);
    expect(script.endpoint.readableBytes).toBe(0);
  });

  it('fifth, ESTABLISHED: old segments do not move the window (SND.WL1, SND.WL2)', () => {
    const script = socketEstablished();
    script.send(peer({ text: 'new', window: 3000 }));
    script.send(peer({ text: 'new', window: 100 }));
    expect(script.endpoint.sender.sndWnd).toBe(3000);
  });

  it('seventh: text that overlaps is cut', () => {
    const script = socketEstablished();
    script.send(peer({ text: 'abcd' }));
    script.send(peer({ seq: REMOTE_SEQ + 2, text: 'cdef' }));
    expect(script.read()).toBe('abcdef');
  });

  it('eighth: a FIN beyond a gap waits for the gap', () => {
    const script = socketEstablished();
    script.send(peer({ seq: REMOTE_SEQ + 3, flags: FIN | ACK, text: 'def' }));
    expect(script.state).toBe('ESTABLISHED');
    script.send(peer({ text: 'abc' }));
    expect(script.state).toBe('CLOSE_WAIT');
    expect(script.read()).toBe('abcdef');
    expect(script.read()).toBe('');
  });

  it('eighth: nothing behind the FIN is taken', () => {
    const script = socketEstablished();
    script.send(peer({ seq: REMOTE_SEQ + 3, text: 'defgh' }));
    script.send(peer({ seq: REMOTE_SEQ + 1, flags: FIN | ACK, text: 'bc' }));
    script.send(peer({ text: 'a' }));
    expect(script.endpoint.state).toBe(TcpState.CLOSE_WAIT);
    expect(script.read()).toBe('abc');
  });
});
