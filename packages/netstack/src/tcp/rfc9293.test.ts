import {
  LOCAL_SEQ,
  LOCAL_WINDOW,
  MSS,
  REMOTE_SEQ,
  REMOTE_WINDOW,
  reset,
  type Script,
  socketCloseWait,
  socketClosing,
  socketEstablished,
  socketFinWait1,
  socketFinWait2,
  socketLastAck,
  socketSynReceived,
  socketSynSent,
  socketTimeWait,
} from './testing/fixture.js';
import { seg, type SegFields } from './testing/seg.js';
import { ACK, FIN, PSH, RST, SYN, URG } from './segment.js';
import { TcpError } from './tcp-error.js';
import { TcpState } from './tcp-state.js';

/** A segment of the peer in a synchronized state. */
function peer(fields: SegFields): ReturnType<typeof seg> {
  return seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ, flags: ACK, window: REMOTE_WINDOW, ...fields });
}

/** An acknowledgement of ours. */
function ours(fields: SegFields = {}): SegFields {
  return { seq: LOCAL_SEQ, ack: REMOTE_SEQ, flags: ACK, ...fields };
}

const SYNCHRONIZED: [string, () => Script, number, number][] = [
  ['ESTABLISHED', socketEstablished, LOCAL_SEQ, REMOTE_SEQ],
  ['FIN_WAIT1', socketFinWait1, LOCAL_SEQ + 1, REMOTE_SEQ],
  ['FIN_WAIT2', socketFinWait2, LOCAL_SEQ + 1, REMOTE_SEQ],
  ['CLOSE_WAIT', socketCloseWait, LOCAL_SEQ, REMOTE_SEQ + 1],
  ['CLOSING', socketClosing, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
  ['LAST_ACK', socketLastAck, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
  ['TIME_WAIT', socketTimeWait, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
];

describe('section 3.5, establishing a connection', () => {
  it('figure 6: SYN, SYN-ACK, ACK', () => {
    const script = socketSynSent();
    expect(script.state).toBe('SYN_SENT');
    script.send(seg({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK, window: REMOTE_WINDOW }));
    script.expectSent([ours({ window: LOCAL_WINDOW })]);
    expect(script.state).toBe('ESTABLISHED');
  });

  it('MUST-10, figure 7: simultaneous open', () => {
    const script = socketSynSent();
    script.send(seg({ seq: REMOTE_SEQ - 1, flags: SYN, window: REMOTE_WINDOW }));
    script.expectSent([{ seq: LOCAL_SEQ - 1, ack: REMOTE_SEQ, flags: SYN | ACK, mss: MSS }]);
    expect(script.state).toBe('SYN_RECV');
    script.send(seg({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK, window: REMOTE_WINDOW }));
    expect(script.state).toBe('ESTABLISHED');
  });

  it('figure 7: a bare acknowledgement ends the simultaneous open too', () => {
    const script = socketSynReceived();
    script.send(peer({}));
    expect(script.state).toBe('ESTABLISHED');
  });

  it('MUST-11: a refused active open is told, also from SYN-RECEIVED', () => {
    const script = socketSynReceived();
    script.send(reset(REMOTE_SEQ));
    expect(script.state).toBe('CLOSE');
    expect(script.endpoint.takeError()).toBe(TcpError.REFUSED);
  });

  it('section 3.5.1: a half-open connection is found by an unacceptable acknowledgement', () => {
    const script = socketSynSent();
    script.send(seg({ seq: 300, ack: 100, flags: ACK, window: REMOTE_WINDOW }));
    script.expectSent([{ seq: 100, flags: RST, window: 0 }]);
    expect(script.state).toBe('SYN_SENT');
  });
});

describe('section 3.5.3, reset processing', () => {
  it('SYN-SENT: a reset counts only if it acknowledges the SYN', () => {
    const script = socketSynSent();
    script.send(seg({ seq: 0, flags: RST }));
    script.send(seg({ seq: 0, ack: LOCAL_SEQ + 5, flags: RST | ACK }));
    expect(script.state).toBe('SYN_SENT');
    script.send(seg({ seq: 0, ack: LOCAL_SEQ, flags: RST | ACK }));
    expect(script.state).toBe('CLOSE');
    expect(script.endpoint.takeError()).toBe(TcpError.REFUSED);
    script.expectSent([]);
  });

  it.each(SYNCHRONIZED.filter(([name]) => name !== 'TIME_WAIT'))(
    'MUST-12, %s: the reset is told',
    (name, make, _seq, rcvNxt) => {
      const script = make();
      script.send(reset(rcvNxt));
      expect(script.state).toBe('CLOSE');
      expect(script.endpoint.error).toBe(name === 'CLOSE_WAIT' ? TcpError.PIPE : TcpError.RESET);
      expect(script.endpoint.pollAtMs()).toBe(Infinity);
      script.expectSent([]);
    },
  );

  it.each(SYNCHRONIZED)(
    '%s: a reset in the window gets a challenge (RFC 5961 section 3.2)',
    (name, make, seq, rcvNxt) => {
      const script = make();
      script.send(reset(rcvNxt + 1));
      expect(script.state).toBe(name);
      script.expectSent([{ seq, ack: rcvNxt, flags: ACK }]);
    },
  );

  it.each(SYNCHRONIZED)('%s: a reset outside of the window is dropped', (name, make, _seq, rcvNxt) => {
    const script = make();
    script.send(reset(rcvNxt - 1));
    script.send(reset(rcvNxt + LOCAL_WINDOW + 1));
    expect(script.state).toBe(name);
    script.expectSent([]);
  });

  it('TIME-WAIT is not cut short: RFC 1337', () => {
    const script = socketTimeWait();
    script.send(reset(REMOTE_SEQ + 1));
    expect(script.state).toBe('TIME_WAIT');
  });

  it('challenge acknowledgements are limited: RFC 5961 section 7', () => {
    const script = socketEstablished();
    for (let i = 1; i < 20; i++) script.send(reset(REMOTE_SEQ + i));
    script.expectSent([ours()]);
    script.pass(500);
    script.send(reset(REMOTE_SEQ + 1));
    script.expectSent([ours()]);
  });
});

describe('section 3.6, closing a connection', () => {
  it('figure 12: normal close, MUST-13: TIME-WAIT lasts', () => {
    const script = socketEstablished();
    script.endpoint.shutdownWrite();
    script.output();
    script.expectSent([ours({ flags: FIN | ACK | PSH })]);
    expect(script.state).toBe('FIN_WAIT1');
    script.send(peer({ ack: LOCAL_SEQ + 1 }));
    expect(script.state).toBe('FIN_WAIT2');
    script.send(peer({ ack: LOCAL_SEQ + 1, flags: FIN | ACK }));
    script.expectSent([ours({ seq: LOCAL_SEQ + 1, ack: REMOTE_SEQ + 1 })]);
    expect(script.state).toBe('TIME_WAIT');
    script.pass(59_999);
    expect(script.state).toBe('TIME_WAIT');
    script.pass(1);
    expect(script.state).toBe('CLOSE');
  });

  it('figure 13: simultaneous close', () => {
    const script = socketFinWait1();
    script.send(peer({ flags: FIN | ACK }));
    script.expectSent([ours({ seq: LOCAL_SEQ + 1, ack: REMOTE_SEQ + 1 })]);
    expect(script.state).toBe('CLOSING');
    script.send(peer({ seq: REMOTE_SEQ + 1, ack: LOCAL_SEQ + 1 }));
    expect(script.state).toBe('TIME_WAIT');
  });

  it('FIN with the acknowledgement of our FIN: TIME-WAIT at once', () => {
    const script = socketFinWait1();
    script.send(peer({ ack: LOCAL_SEQ + 1, flags: FIN | ACK }));
    expect(script.state).toBe('TIME_WAIT');
  });

  it('the passive side: CLOSE-WAIT, LAST-ACK, CLOSED', () => {
    const script = socketCloseWait();
    expect(script.read()).toBe('');
    script.write('last');
    script.expectSent([ours({ ack: REMOTE_SEQ + 1, flags: ACK | PSH, text: 'last' })]);
    script.endpoint.shutdownWrite();
    script.output();
    script.expectSent([ours({ seq: LOCAL_SEQ + 4, ack: REMOTE_SEQ + 1, flags: FIN | ACK | PSH })]);
    expect(script.state).toBe('LAST_ACK');
    script.send(peer({ seq: REMOTE_SEQ + 1, ack: LOCAL_SEQ + 5 }));
    expect(script.state).toBe('CLOSE');
    expect(script.endpoint.error).toBe(0);
  });

  it('what was queued goes before the FIN', () => {
    const script = socketEstablished();
    script.endpoint.send(new Uint8Array(MSS + 3).fill(97));
    script.endpoint.shutdownWrite();
    script.output();
    script.expectSent([
      ours({ text: 'a'.repeat(MSS) }),
      ours({ seq: LOCAL_SEQ + MSS, flags: FIN | ACK | PSH, text: 'aaa' }),
    ]);
    expect(script.endpoint.send(new Uint8Array(1))).toBe(TcpError.PIPE);
  });

  it('FIN-WAIT-2: text of the peer is still taken', () => {
    const script = socketFinWait2();
    script.send(peer({ ack: LOCAL_SEQ + 1, text: 'late' }));
    expect(script.read()).toBe('late');
  });

  it('SHLD-3: close with unread text resets', () => {
    const script = socketEstablished();
    script.send(peer({ text: 'unread' }));
    script.takeSent();
    script.endpoint.close();
    script.output();
    script.expectSent([ours({ ack: REMOTE_SEQ + 6, flags: RST | ACK, window: script.endpoint.receiver.windowBytes })]);
    expect(script.endpoint.isDead).toBe(true);
  });

  it('SHLD-3: text after close resets', () => {
    const script = socketEstablished();
    script.endpoint.close();
    script.output();
    script.takeSent();
    script.send(peer({ text: 'too late' }));
    expect(script.takeSent().map((sent) => sent.flags)).toEqual([RST | ACK]);
    expect(script.endpoint.isDead).toBe(true);
  });

  it('an orphan does not stay in FIN-WAIT-2 for ever (tcp_fin_timeout)', () => {
    const script = socketEstablished();
    script.endpoint.close();
    script.output();
    script.send(peer({ ack: LOCAL_SEQ + 1 }));
    expect(script.state).toBe('FIN_WAIT2');
    script.pass(60_000);
    expect(script.endpoint.isDead).toBe(true);
  });

  it('TIME-WAIT: a FIN sent again is acknowledged and starts the time anew', () => {
    const script = socketTimeWait();
    script.pass(50_000);
    script.send(peer({ ack: LOCAL_SEQ + 1, flags: FIN | ACK }));
    script.expectSent([ours({ seq: LOCAL_SEQ + 1, ack: REMOTE_SEQ + 1 })]);
    script.pass(59_000);
    expect(script.state).toBe('TIME_WAIT');
    script.pass(1000);
    expect(script.state).toBe('CLOSE');
  });

  it('section 3.6.1: a newer SYN may reopen from TIME-WAIT, an older one may not', () => {
    const script = socketTimeWait();
    expect(script.endpoint.isReusableBy(seg({ seq: REMOTE_SEQ + 100, flags: SYN }))).toBe(true);
    expect(script.endpoint.isReusableBy(seg({ seq: REMOTE_SEQ - 100, flags: SYN }))).toBe(false);
    expect(script.endpoint.isReusableBy(seg({ seq: REMOTE_SEQ + 100, flags: SYN | ACK }))).toBe(false);
  });
});

describe('section 3.7.1, maximum segment size', () => {
  it('MUST-14, MUST-67: the SYN tells what the path takes', () => {
    const script = socketSynReceived();
    script.endpoint.setPathMss(700);
    script.pass(1000);
    expect(script.takeSent()[0]).toMatchObject({ flags: SYN | ACK, mss: 700 });
  });

  it.each`
    what                                | mss     | len
    ${'MUST-15: 536 if none was given'} | ${0}    | ${536}
    ${'MUST-16: no more than the peer'} | ${300}  | ${300}
    ${'MUST-16: no more than the path'} | ${9000} | ${MSS}
  `('$what', ({ mss, len }: { mss: number; len: number }) => {
    const script = socketEstablished(undefined, undefined, { mss });
    script.endpoint.send(new Uint8Array(2000));
    script.output();
    expect(script.takeSent()[0]!.text).toHaveLength(len);
  });

  it('timestamps take their room from the text', () => {
    const script = socketEstablished((settings) => (settings.isTimestampsOn = true), undefined, { timestamps: [5, 0] });
    script.endpoint.send(new Uint8Array(2000));
    script.output();
    expect(script.takeSent()[0]!.text).toHaveLength(MSS - 12);
  });

  it('a peer with an absurd MSS does not make us send crumbs (tcp_min_snd_mss)', () => {
    const script = socketEstablished(undefined, undefined, { mss: 1 });
    expect(script.endpoint.sender.mssBytes).toBe(48);
  });
});

describe('section 3.7.4, Nagle', () => {
  it('SHLD-7: small text waits for the acknowledgement of small text', () => {
    const script = socketEstablished();
    script.write('a');
    script.expectSent([ours({ flags: ACK | PSH, text: 'a' })]);
    script.write('b');
    script.write('c');
    script.expectSent([]);
    script.send(peer({ ack: LOCAL_SEQ + 1 }));
    script.expectSent([ours({ seq: LOCAL_SEQ + 1, flags: ACK | PSH, text: 'bc' })]);
  });

  it('MUST-17: can be turned off for a connection', () => {
    const script = socketEstablished(undefined, (options) => (options.isNoDelay = true));
    script.write('a');
    script.write('b');
    expect(script.takeSent().map((sent) => sent.text)).toEqual(['a', 'b']);
  });

  it('cork holds small text for 200 ms, and no longer: tcp(7)', () => {
    const script = socketEstablished(undefined, (options) => (options.isCorked = true));
    script.write('a');
    script.expectSent([]);
    script.pass(199);
    script.expectSent([]);
    script.pass(1);
    script.expectSent([ours({ flags: ACK | PSH, text: 'a' })]);
  });
});

describe('section 3.8.1, retransmission timeout', () => {
  it('MUST-20: the timeout doubles', () => {
    const script = socketEstablished();
    script.write('lost');
    const times: number[] = [];
    for (let i = 0; i < 4; i++) {
      script.takeSent();
      const startMs = script.nowMs;
      while (script.takeSent().length === 0) script.pass(1);
      times.push(script.nowMs - startMs);
    }
    expect(times).toEqual([200, 400, 800, 1600]);
  });

  it('SYNs are sent again after 1, 2 and 4 s: RFC 6298 section 2.1', () => {
    const script = socketSynSent();
    script.pass(7000);
    expect(script.takeSent().map((sent) => sent.flags)).toEqual([SYN, SYN, SYN]);
  });

  it('a lost SYN leaves an initial window of one segment: RFC 5681 section 3.1', () => {
    const script = socketSynSent();
    script.pass(1000);
    script.send(seg({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK, window: REMOTE_WINDOW, mss: MSS }));
    expect(script.endpoint.sender.cc.cwndBytes).toBe(MSS);
  });
});

describe('section 3.8.3, connection failures', () => {
  it('MUST-21: R2 ends the connection', () => {
    const script = socketEstablished((settings) => (settings.retries = 4));
    script.write('nobody there');
    script.pass(6199);
    expect(script.state).toBe('ESTABLISHED');
    script.pass(1);
    expect(script.state).toBe('CLOSE');
    expect(script.endpoint.takeError()).toBe(TcpError.TIMED_OUT);
  });

  it('MUST-22: the application sets R2 (TCP_USER_TIMEOUT)', () => {
    const script = socketEstablished(undefined, (options) => (options.userTimeoutMs = 3000));
    script.write('nobody there');
    script.pass(2999);
    expect(script.state).toBe('ESTABLISHED');
    script.pass(1);
    expect(script.endpoint.takeError()).toBe(TcpError.TIMED_OUT);
  });

  it('MUST-23: R2 of a SYN is at least three minutes... of 127 s in Linux, which TCP_SYNCNT lengthens', () => {
    const script = socketSynSent(undefined, (options) => (options.synRetries = 7));
    script.pass(180_000);
    expect(script.state).toBe('SYN_SENT');
    script.pass(75_000 + 1000);
    expect(script.endpoint.takeError()).toBe(TcpError.TIMED_OUT);
  });
});

describe('section 3.8.4, keepalive', () => {
  const IDLE_MS = 7_200_000;

  it('MUST-25: off by default', () => {
    const script = socketEstablished();
    expect(script.endpoint.pollAtMs()).toBe(Infinity);
  });

  it('MUST-24, MUST-28: on by request, after two hours', () => {
    const script = socketEstablished(undefined, (options) => (options.isKeepAlive = true));
    script.pass(IDLE_MS - 1);
    script.expectSent([]);
    script.pass(1);
    script.expectSent([ours({ seq: LOCAL_SEQ - 1 })]);
  });

  it('MUST-26: not while the peer is heard', () => {
    const script = socketEstablished(undefined, (options) => (options.isKeepAlive = true));
    script.pass(IDLE_MS - 1);
    script.send(peer({}));
    script.pass(IDLE_MS - 1);
    script.expectSent([]);
  });

  it('MUST-29: one unanswered probe means nothing, nine do', () => {
    const script = socketEstablished(undefined, (options) => (options.isKeepAlive = true));
    script.pass(IDLE_MS + 8 * 75_000);
    expect(script.takeSent()).toHaveLength(9);
    script.send(peer({}));
    script.pass(IDLE_MS + 9 * 75_000);
    expect(script.takeSent().at(-1)!.flags).toBe(RST | ACK);
    expect(script.endpoint.takeError()).toBe(TcpError.TIMED_OUT);
  });

  it('a probe of the peer is answered', () => {
    const script = socketEstablished();
    script.send(peer({ seq: REMOTE_SEQ - 1 }));
    script.expectSent([ours()]);
  });
});

describe('section 3.8.5, urgent', () => {
  it('MUST-30, MUST-31: a mark at any distance; the byte is out of line (tcp(7))', () => {
    const script = socketEstablished();
    script.send(peer({ flags: ACK | URG, urgentPointer: 4, text: 'abcdef' }));
    expect(script.endpoint.recvUrgent()).toBe('d'.charCodeAt(0));
    expect(script.read()).toBe('abc');
    expect(script.endpoint.receiver.isAtMark).toBe(true);
    expect(script.read()).toBe('ef');
  });

  it('in line with SO_OOBINLINE: a read stops at the mark', () => {
    const script = socketEstablished(undefined, (options) => (options.isUrgentInline = true));
    script.send(peer({ flags: ACK | URG, urgentPointer: 4, text: 'abcdef' }));
    expect(script.read()).toBe('abc');
    expect(script.read()).toBe('def');
    expect(script.endpoint.recvUrgent()).toBe(TcpError.INVALID);
  });

  it('MUST-32: known before the byte comes', () => {
    const script = socketEstablished();
    expect(script.endpoint.recvUrgent()).toBe(TcpError.INVALID);
    script.send(peer({ flags: ACK | URG, urgentPointer: 10 }));
    expect(script.endpoint.recvUrgent()).toBe(TcpError.WOULD_BLOCK);
    script.send(peer({ flags: ACK | URG, urgentPointer: 10, text: 'abc' }));
    expect(script.endpoint.recvUrgent()).toBe(TcpError.WOULD_BLOCK);
  });

  it('is sent with URG and a pointer behind the byte', () => {
    const script = socketEstablished();
    script.endpoint.sendUrgent(33);
    script.output();
    script.expectSent([ours({ flags: ACK | PSH | URG, urgentPointer: 1, text: '!' })]);
  });
});

describe('section 3.8.6, windows', () => {
  it('MUST-34: survives a window that shrinks', () => {
    const script = socketEstablished();
    script.endpoint.send(new Uint8Array(5000));
    script.output();
    expect(script.takeSent()).toHaveLength(4);
    script.send(peer({ ack: LOCAL_SEQ + MSS, window: 1000 }));
    script.expectSent([]);
    expect(script.state).toBe('ESTABLISHED');
    script.send(peer({ ack: LOCAL_SEQ + 4 * MSS, window: 4000 }));
    expect(script.takeSent().map((sent) => sent.seq)).toEqual([LOCAL_SEQ + 4 * MSS]);
  });

  it('SHLD-14: never takes back what it offered', () => {
    const script = socketEstablished();
    script.send(peer({ text: 'a'.repeat(1000) }));
    script.expectSent([ours({ ack: REMOTE_SEQ + 1000, window: LOCAL_WINDOW - 1000 })]);
  });

  it('MUST-35, MUST-36: probes a closed window, with growing pauses', () => {
    const script = socketEstablished();
    script.send(peer({ window: 0 }));
    script.write('stuck');
    script.expectSent([]);
    script.pass(200);
    script.expectSent([ours({ seq: LOCAL_SEQ - 1 })]);
    script.send(peer({ window: 0 }));
    script.pass(399);
    script.expectSent([]);
    script.pass(1);
    script.expectSent([ours({ seq: LOCAL_SEQ - 1 })]);
  });

  it('MUST-37: stays open as long as probes are answered', () => {
    const script = socketEstablished((settings) => (settings.retries = 3));
    script.send(peer({ window: 0 }));
    script.write('stuck');
    for (let i = 0; i < 30; i++) {
      while (script.takeSent().length === 0) script.pass(script.endpoint.pollAtMs() - script.nowMs);
      script.send(peer({ window: 0 }));
    }
    expect(script.nowMs).toBeGreaterThan(2_000_000);
    expect(script.state).toBe('ESTABLISHED');
    script.takeSent();
    script.send(peer({}));
    script.expectSent([ours({ flags: ACK | PSH, text: 'stuck' })]);
  });

  it('ends when probes are not answered', () => {
    const script = socketEstablished((settings) => (settings.retries = 3));
    script.send(peer({ window: 0 }));
    script.write('stuck');
    script.pass(10_000);
    expect(script.endpoint.takeError()).toBe(TcpError.TIMED_OUT);
  });

  it('MUST-66: acknowledgements and resets count while our window is closed', () => {
    const script = socketEstablished();
    for (let i = 0; i < 6; i++) script.send(peer({ seq: REMOTE_SEQ + i * MSS, text: 'x'.repeat(MSS) }));
    expect(script.takeSent().at(-1)!.window).toBe(0);
    script.write('hello');
    script.takeSent();
    script.send(peer({ seq: REMOTE_SEQ + 6 * MSS, ack: LOCAL_SEQ + 5, text: 'y' }));
    expect(script.endpoint.sender.sndUna).toBe(LOCAL_SEQ + 5);
    expect(script.endpoint.readableBytes).toBe(6 * MSS);
    script.send(reset(REMOTE_SEQ + 6 * MSS));
    expect(script.state).toBe('CLOSE');
  });

  it('MUST-38: does not send crumbs into a small window', () => {
    const script = socketEstablished();
    script.endpoint.send(new Uint8Array(5000));
    script.output();
    script.takeSent();
    script.send(peer({ ack: LOCAL_SEQ + 4000, window: 100 }));
    script.expectSent([]);
    script.pass(200);
    expect(script.takeSent().map((sent) => sent.text!.length)).toEqual([100]);
  });

  it('MUST-39: does not offer crumbs', () => {
    const script = socketEstablished();
    for (let i = 0; i < 6; i++) script.send(peer({ seq: REMOTE_SEQ + i * MSS, text: 'x'.repeat(MSS) }));
    script.takeSent();
    script.read(500);
    script.expectSent([]);
    script.read(2500);
    expect(script.takeSent().map((sent) => sent.window)).toEqual([3000]);
  });

  it('takes no more than the window', () => {
    const script = socketEstablished();
    script.send(peer({ text: 'z'.repeat(LOCAL_WINDOW + 500) }));
    expect(script.endpoint.readableBytes).toBe(LOCAL_WINDOW);
  });
});

describe('section 3.8.6.3, acknowledgements', () => {
  it('MUST-40: are delayed for less than half a second', () => {
    const script = socketEstablished();
    script.endpoint.receiver.quickAckCount = 0;
    script.send(peer({ text: 'a' }));
    script.expectSent([]);
    script.pass(40);
    script.expectSent([ours({ ack: REMOTE_SEQ + 1 })]);
  });

  it('SHLD-19: at least every second full segment', () => {
    const script = socketEstablished();
    script.endpoint.receiver.quickAckCount = 0;
    for (let i = 0; i < 4; i++) script.send(peer({ seq: REMOTE_SEQ + i * MSS, text: 'x'.repeat(MSS) }));
    expect(script.takeSent().map((sent) => sent.ack)).toEqual([REMOTE_SEQ + 2 * MSS, REMOTE_SEQ + 4 * MSS]);
  });

  it('text out of order is acknowledged at once, and kept (SHLD-31)', () => {
    const script = socketEstablished();
    script.endpoint.receiver.quickAckCount = 0;
    script.send(peer({ seq: REMOTE_SEQ + 3, text: 'def' }));
    script.expectSent([ours()]);
    script.send(peer({ text: 'abc' }));
    script.expectSent([ours({ ack: REMOTE_SEQ + 6 })]);
    expect(script.read()).toBe('abcdef');
  });
});

describe('section 3.9.1, user calls', () => {
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

describe('section 3.9.2.2, ICMP', () => {
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

describe('section 3.10.7.4, segment arrives', () => {
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
