import {
  LOCAL_SEQ,
  LOCAL_WINDOW,
  MSS,
  REMOTE_SEQ,
  REMOTE_WINDOW,
  reset,
  socketEstablished,
  socketSynReceived,
  socketSynSent,
} from './testing/fixture.js';
import { seg } from './testing/seg.js';
import { ours, peer } from './testing/synchronized.js';
import { ACK, PSH, RST, SYN, URG } from './segment.js';
import { TcpError } from './tcp-error.js';

describe('RFC 9293 section 3.7.1, maximum segment size', () => {
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

describe('RFC 9293 section 3.7.4, Nagle', () => {
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

describe('RFC 9293 section 3.8.1, retransmission timeout', () => {
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

describe('RFC 9293 section 3.8.3, connection failures', () => {
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

describe('RFC 9293 section 3.8.4, keepalive', () => {
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

  it('MUST-24: on by request of a connection that is open', () => {
    const script = socketEstablished();
    script.endpoint.options.isKeepAlive = true;
    script.endpoint.applyOptions();
    script.pass(IDLE_MS);
    script.expectSent([ours({ seq: LOCAL_SEQ - 1 })]);
    script.endpoint.options.isKeepAlive = false;
    script.endpoint.applyOptions();
    script.pass(IDLE_MS);
    script.expectSent([]);
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

describe('RFC 9293 section 3.8.5, urgent', () => {
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

describe('RFC 9293 section 3.8.6, windows', () => {
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

describe('RFC 9293 section 3.8.6.3, acknowledgements', () => {
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
