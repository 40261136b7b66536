import {
  LOCAL_SEQ,
  LOCAL_WINDOW,
  MSS,
  REMOTE_SEQ,
  REMOTE_WINDOW,
  reset,
  socketCloseWait,
  socketEstablished,
  socketFinWait1,
  socketFinWait2,
  socketSynReceived,
  socketSynSent,
  socketTimeWait,
} from './testing/fixture.js';
import { seg } from './testing/seg.js';
import { ours, peer, SYNCHRONIZED } from './testing/synchronized.js';
import { ACK, FIN, PSH, RST, SYN } from './segment.js';
import { TcpError } from './tcp-error.js';

describe('RFC 9293 section 3.5, establishing a connection', () => {
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

describe('RFC 9293 section 3.5.3, reset processing', () => {
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

describe('RFC 9293 section 3.6, closing a connection', () => {
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
