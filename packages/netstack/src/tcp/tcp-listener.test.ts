import { SipHash } from '../net/siphash.js';
import { IpAddress } from '../wire/ip-address.js';
import { FastOpenCookies } from './fast-open.js';
import { IsnGenerator } from './isn.js';
import { ACK, FIN, RST, type Segment, type SegmentSink, SYN } from './segment.js';
import { SynCookies } from './syn-cookie.js';
import { TcpEndpoint } from './tcp-endpoint.js';
import { TcpError } from './tcp-error.js';
import { TcpListener } from './tcp-listener.js';
import { TcpOptions } from './tcp-options.js';
import { TcpContext, type TcpSettings } from './tcp-settings.js';
import { TcpState } from './tcp-state.js';
import { SeededRandom } from './testing/random.js';
import { bytesOf, fieldsOf, seg, type SegFields } from './testing/seg.js';

const LOCAL = IpAddress.parse('10.0.0.1');
const PEER_SEQ = 500;
const MSS = 1460;

/** A listener whose peers are the test. */
class ListenerScript implements SegmentSink {
  readonly hash = new SipHash(new Uint8Array(16).fill(9));
  readonly context = new TcpContext(new SeededRandom(2));
  readonly listener: TcpListener;
  nowMs = 1000;
  sent: SegFields[] = [];

  constructor(
    backlog: number,
    configure: (s: TcpSettings) => void = () => undefined,
    setOptions: (o: TcpOptions) => void = () => undefined,
  ) {
    configure(this.context.settings);
    const options = new TcpOptions(this.context.settings);
    setOptions(options);
    this.listener = new TcpListener(this.context, this.hash, LOCAL, 80, backlog, options);
  }

  emit(segment: Segment): void {
    this.sent.push(fieldsOf(segment));
  }

  /** Peer number `peer` sends. */
  send(fields: SegFields, peer = 1): TcpEndpoint | null {
    const segment = seg({ window: 5000, ...fields });
    segment.src = IpAddress.ipv4(0x0a00_0100 + peer);
    segment.dst = LOCAL;
    segment.srcPort = 40_000;
    segment.dstPort = 80;
    return this.listener.input(segment, MSS, this.nowMs, this);
  }

  /** A SYN and its answer. */
  syn(fields: SegFields = {}, peer = 1): SegFields {
    this.send({ seq: PEER_SEQ, flags: SYN, mss: 1400, ...fields }, peer);
    return this.take()[0] ?? {};
  }

  /** A whole handshake. */
  connect(peer = 1): TcpEndpoint | null {
    const synAck = this.syn({}, peer);
    return this.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK }, peer);
  }

  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    for (let atMs = this.listener.pollAtMs(); atMs <= untilMs; atMs = this.listener.pollAtMs()) {
      this.nowMs = Math.max(this.nowMs, atMs);
      this.listener.output(this.nowMs, this);
    }
    this.nowMs = untilMs;
  }

  take(): SegFields[] {
    return this.sent.splice(0);
  }
}

describe('TcpListener, RFC 9293 section 3.10.7.2', () => {
  it('first: ignores a reset', () => {
    const script = new ListenerScript(4);
    script.send({ flags: RST });
    expect(script.take()).toEqual([]);
  });

  it('second: resets an acknowledgement', () => {
    const script = new ListenerScript(4);
    script.send({ seq: 3, ack: 77, flags: ACK });
    expect(script.take()).toEqual([{ seq: 77, flags: RST, window: 0 }]);
  });

  it('third: answers a SYN with its options', () => {
    const script = new ListenerScript(4);
    const synAck = script.syn({ windowShift: 4, isSackPermitted: true, timestamps: [99, 0] });
    expect(synAck).toMatchObject({
      ack: PEER_SEQ + 1,
      flags: SYN | ACK,
      mss: MSS,
      window: 65535,
      windowShift: 7,
      isSackPermitted: true,
    });
    expect(synAck.timestamps![1]).toBe(99);
  });

  it('offers no option that the SYN did not have', () => {
    const synAck = new ListenerScript(4).syn();
    expect(Object.keys(synAck).sort()).toEqual(['ack', 'flags', 'mss', 'seq', 'window']);
  });

  it('fourth: drops what is no SYN, and a SYN with FIN', () => {
    const script = new ListenerScript(4);
    script.send({ flags: 0 });
    script.send({ flags: FIN });
    script.send({ flags: SYN | FIN });
    expect(script.take()).toEqual([]);
    expect(script.listener.synCount).toBe(0);
  });

  it('completes a handshake; the text of the last acknowledgement is there', () => {
    const script = new ListenerScript(4);
    const synAck = script.syn();
    expect(script.listener.accept()).toBe(TcpError.WOULD_BLOCK);
    script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK, text: 'hello' });
    const endpoint = script.listener.accept() as TcpEndpoint;
    expect(endpoint.state).toBe(TcpState.ESTABLISHED);
    const dst = new Uint8Array(9);
    expect(endpoint.recv(dst)).toBe(5);
    expect(dst.subarray(0, 5)).toEqual(bytesOf('hello'));
  });

  it('SYN-RECEIVED: a wrong acknowledgement is reset, and the handshake goes on', () => {
    const script = new ListenerScript(4);
    const synAck = script.syn();
    expect(script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 9, flags: ACK })).toBeNull();
    expect(script.take()).toEqual([{ seq: synAck.seq! + 9, flags: RST, window: 0 }]);
    expect(script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK })).toBeInstanceOf(TcpEndpoint);
  });

  it('MUST-11: SYN-RECEIVED goes back to LISTEN on a reset, which nobody is told', () => {
    const script = new ListenerScript(4);
    script.syn();
    script.send({ seq: PEER_SEQ + 2, flags: RST });
    expect(script.listener.synCount).toBe(1);
    script.send({ seq: PEER_SEQ + 1, flags: RST });
    expect(script.listener.synCount).toBe(0);
    expect(script.listener.accept()).toBe(TcpError.WOULD_BLOCK);
    expect(script.listener.pollAtMs()).toBe(Infinity);
  });

  it('a SYN that comes again is answered again', () => {
    const script = new ListenerScript(4);
    const first = script.syn();
    expect(script.syn().seq).toBe(first.seq);
    expect(script.listener.synCount).toBe(1);
  });

  it('sends SYN-ACKs again after 1, 2, 4, 8 and 16 s, then forgets (tcp_synack_retries)', () => {
    const script = new ListenerScript(4);
    script.syn();
    script.pass(62_999);
    expect(script.take()).toHaveLength(5);
    expect(script.listener.synCount).toBe(1);
    script.pass(1);
    expect(script.listener.synCount).toBe(0);
    expect(script.listener.pollAtMs()).toBe(Infinity);
  });
});

describe('limits of a listener', () => {
  it('the accept queue takes one more than the backlog', () => {
    const script = new ListenerScript(2);
    for (let peer = 1; peer <= 3; peer++) expect(script.connect(peer)).toBeInstanceOf(TcpEndpoint);
    expect(script.syn({}, 4)).toEqual({});
    expect(script.context.counters.ListenOverflows).toBe(1);
    script.listener.accept();
    expect(script.connect(4)).toBeInstanceOf(TcpEndpoint);
  });

  it('an acknowledgement finds the accept queue full: the handshake waits', () => {
    const script = new ListenerScript(0);
    const synAck = script.syn({}, 1);
    expect(script.connect(2)).not.toBeNull();
    const last = { seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK };
    expect(script.send(last, 1)).toBeNull();
    expect(script.listener.synCount).toBe(1);
    script.listener.accept();
    expect(script.send(last, 1)).not.toBeNull();
  });

  it('without cookies, a full SYN queue drops', () => {
    const script = new ListenerScript(2, (settings) => (settings.synCookies = 0));
    for (let peer = 1; peer <= 3; peer++) script.syn({}, peer);
    expect(script.listener.synCount).toBe(2);
    expect(script.context.counters.ListenDrops).toBe(1);
  });

  it('with cookies, a flood leaves nothing behind, and a real peer still gets in', () => {
    const script = new ListenerScript(2);
    for (let peer = 1; peer <= 5000; peer++) script.syn({}, peer);
    expect(script.listener.synCount).toBe(2);
    expect(script.context.counters.SyncookiesSent).toBe(4998);
    expect(script.connect(6000)).toBeInstanceOf(TcpEndpoint);
    expect(script.context.counters.SyncookiesRecv).toBe(1);
  });

  it('closing resets what nobody accepted', () => {
    const script = new ListenerScript(2);
    const endpoint = script.connect(1)!;
    script.listener.close();
    endpoint.output(script.nowMs, script);
    expect(script.take().at(-1)!.flags).toBe(RST | ACK);
  });
});

describe('SYN cookies, RFC 4987 section 3.6', () => {
  const always = (settings: TcpSettings): void => void (settings.synCookies = 2);

  it('keep MSS, window scale and SACK', () => {
    const script = new ListenerScript(4, always);
    const synAck = script.syn({ windowShift: 5, isSackPermitted: true, timestamps: [7, 0], mss: 1300 });
    const timestamps = [8, synAck.timestamps![0]] as const;
    const endpoint = script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK, timestamps })!;
    expect(endpoint.sender.mssBytes).toBe(1300 - 12);
    expect(endpoint.sender.windowShift).toBe(5);
    expect(endpoint.receiver.windowShift).toBe(7);
    expect(endpoint.receiver.isSackUsed).toBe(true);
    expect(endpoint.sender.sndWnd).toBe(5000 * 32);
  });

  it('without timestamps, options are not offered', () => {
    const synAck = new ListenerScript(4, always).syn({ windowShift: 5, isSackPermitted: true });
    expect(Object.keys(synAck).sort()).toEqual(['ack', 'flags', 'mss', 'seq', 'window']);
  });

  it('a guessed cookie is reset', () => {
    const script = new ListenerScript(4, always);
    const random = new SeededRandom(4);
    for (let i = 0; i < 2000; i++) {
      expect(script.send({ seq: PEER_SEQ + 1, ack: random.u32(), flags: ACK })).toBeNull();
    }
    expect(script.take()).toHaveLength(2000);
    expect(script.context.counters.SyncookiesFailed).toBe(2000);
  });

  it('is good for a minute, and not for two', () => {
    const cookies = new SynCookies(new SipHash(new Uint8Array(16)));
    const syn = seg({ seq: 100, flags: SYN });
    const cookie = cookies.make(syn, 1460, 59_000);
    const last = seg({ seq: 101, ack: cookie + 1, flags: ACK });
    expect(cookies.check(last, 61_000)).toBe(1460);
    expect(cookies.check(last, 119_999)).toBe(1460);
    expect(cookies.check(last, 120_000)).toBe(0);
  });

  it('is not looked for when there was no flood', () => {
    const script = new ListenerScript(4);
    const cookies = new SynCookies(script.hash);
    const syn = seg({ seq: PEER_SEQ, flags: SYN });
    syn.src = IpAddress.ipv4(0x0a00_0101);
    syn.dst = LOCAL;
    syn.srcPort = 40_000;
    syn.dstPort = 80;
    const cookie = cookies.make(syn, 1460, script.nowMs);
    expect(script.send({ seq: PEER_SEQ + 1, ack: cookie + 1, flags: ACK })).toBeNull();
  });
});

describe('TCP_DEFER_ACCEPT', () => {
  const defer = (options: TcpOptions): void => void (options.deferAcceptMs = 10_000);

  it('waits for text', () => {
    const script = new ListenerScript(4, undefined, defer);
    const synAck = script.syn();
    expect(script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK })).toBeNull();
    expect(script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK, text: 'GET' })).toBeInstanceOf(
      TcpEndpoint,
    );
  });

  it('and no longer than it says: the SYN-ACK goes again, and its answer is accepted', () => {
    const script = new ListenerScript(4, undefined, defer);
    const synAck = script.syn();
    script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK });
    script.pass(9999);
    expect(script.take()).toEqual([]);
    script.pass(1);
    expect(script.take()).toHaveLength(1);
    expect(script.send({ seq: PEER_SEQ + 1, ack: synAck.seq! + 1, flags: ACK })).toBeInstanceOf(TcpEndpoint);
  });
});

describe('fast open, RFC 7413', () => {
  const on = (settings: TcpSettings): void => void (settings.fastOpen = 3);
  const queue = (options: TcpOptions): void => void (options.fastOpenMax = 1);

  it('gives a cookie on request, and takes text with it', () => {
    const script = new ListenerScript(4, on, queue);
    const cookie = script.syn({ fastOpenCookie: new Uint8Array(0) }).fastOpenCookie!;
    expect(cookie).toHaveLength(8);
    script.send({ seq: PEER_SEQ + 1, flags: RST });
    const endpoint = script.send({ seq: PEER_SEQ, flags: SYN, mss: 1400, fastOpenCookie: cookie, text: 'GET' })!;
    expect(endpoint.state).toBe(TcpState.SYN_RECV);
    expect(script.listener.accept()).toBe(endpoint);
    expect(endpoint.readableBytes).toBe(3);
    endpoint.output(script.nowMs, script);
    expect(script.take()[0]).toMatchObject({ flags: SYN | ACK, ack: PEER_SEQ + 4 });
  });

  it('a wrong cookie gets the right one, and the text is not taken', () => {
    const script = new ListenerScript(4, on, queue);
    const synAck = script.syn({ fastOpenCookie: new Uint8Array(8), text: 'GET' });
    expect(synAck.ack).toBe(PEER_SEQ + 1);
    expect(synAck.fastOpenCookie).toHaveLength(8);
  });

  it('pending ones are limited', () => {
    const script = new ListenerScript(4, on, queue);
    const cookies = new FastOpenCookies(script.context.fastOpenKey);
    const open = (peer: number): TcpEndpoint | null => {
      const from = seg({});
      from.src = IpAddress.ipv4(0x0a00_0100 + peer);
      from.dst = LOCAL;
      return script.send({ seq: PEER_SEQ, flags: SYN, fastOpenCookie: cookies.make(from), text: 'x' }, peer);
    };
    expect(open(1)).toBeInstanceOf(TcpEndpoint);
    expect(open(2)).toBeNull();
  });
});

describe('IsnGenerator, RFC 6528', () => {
  const generator = new IsnGenerator(new SipHash(new Uint8Array(16).fill(3)));
  const remote = IpAddress.parse('10.0.0.9');

  it('MUST-8: the clock ticks every 4 microseconds', () => {
    const first = generator.isn(LOCAL, 80, remote, 1, 1000);
    expect((generator.isn(LOCAL, 80, remote, 1, 1001) - first) | 0).toBe(250);
  });

  it('differs by address, port and secret', () => {
    const other = new IsnGenerator(new SipHash(new Uint8Array(16).fill(4)));
    const isns = [
      generator.isn(LOCAL, 80, remote, 1, 0),
      generator.isn(LOCAL, 80, remote, 2, 0),
      generator.isn(LOCAL, 81, remote, 1, 0),
      generator.isn(remote, 80, LOCAL, 1, 0),
      other.isn(LOCAL, 80, remote, 1, 0),
      generator.tsOffset(LOCAL, remote),
    ];
    expect(new Set(isns).size).toBe(isns.length);
  });
});
