import { CaState } from './congestion/congestion-control.js';
import { LOCAL_SEQ, MSS, REMOTE_SEQ, socketEstablished } from './testing/fixture.js';
import { ack, segmentSeq, sentSegments, socketReno, socketSack, writeSegments } from './testing/big-window.js';
import { seg } from './testing/seg.js';
import { ACK, CWR, ECE, Ecn, SYN } from './segment.js';
import { SENT_SEGMENTS_MAX } from './sent-queue.js';

describe('fast recovery with SACK, RFC 6675 and RFC 8985', () => {
  it('three segments SACKed beyond a hole: the hole is sent again', () => {
    const script = socketSack();
    writeSegments(script, 8);
    expect(sentSegments(script)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    script.pass(100);
    ack(script, 0, [[1, 2]]);
    ack(script, 0, [[1, 3]]);
    expect(sentSegments(script)).toEqual([]);
    ack(script, 0, [[1, 4]]);
    expect(sentSegments(script)).toEqual([0]);
    expect(script.endpoint.sender.recovery.state).toBe(CaState.RECOVERY);
    ack(script, 8);
    expect(script.endpoint.sender.recovery.state).toBe(CaState.OPEN);
  });

  it('several holes are filled in one recovery, and what the peer has is not sent', () => {
    const script = socketSack();
    writeSegments(script, 10);
    script.takeSent();
    script.pass(100);
    ack(script, 0, [
      [1, 2],
      [3, 4],
      [5, 8],
    ]);
    ack(script, 0, [
      [8, 10],
      [1, 2],
      [3, 4],
    ]);
    script.pass(1);
    expect(sentSegments(script)).toEqual([0, 2, 4]);
  });

  it('RACK: one SACK is enough after a quarter of a round trip', () => {
    const script = socketSack();
    writeSegments(script, 3);
    script.takeSent();
    script.pass(100);
    ack(script, 0, [[1, 2]]);
    script.pass(24);
    expect(sentSegments(script)).toEqual([]);
    script.pass(1);
    expect(sentSegments(script)).toEqual([0]);
  });

  it('RACK: a retransmission that is lost is sent again, without a timeout', () => {
    const script = socketSack();
    writeSegments(script, 8);
    script.pass(100);
    ack(script, 0, [[1, 4]]);
    script.takeSent();
    script.pass(10);
    ack(script, 0, [[1, 8]]);
    writeSegments(script, 2);
    expect(sentSegments(script)).toEqual([8, 9]);
    script.pass(100);
    ack(script, 0, [[1, 10]]);
    script.pass(30);
    expect(sentSegments(script)).toEqual([0]);
    expect(script.endpoint.sender.retryCount).toBe(0);
  });

  it('RACK: transmissions of one millisecond keep their order, so a path without delay does not make a loop', () => {
    const script = socketSack();
    writeSegments(script, 8);
    script.takeSent();
    ack(script, 0, [[1, 8]]);
    expect(sentSegments(script)).toEqual([0]);
    for (let i = 0; i < 5; i++) ack(script, 0, [[1, 8]]);
    expect(sentSegments(script)).toEqual([]);
  });

  it('PRR halves the window over the recovery: RFC 6937', () => {
    const script = socketSack();
    writeSegments(script, 10);
    script.pass(100);
    const { cc } = script.endpoint.sender;
    const before = cc.cwndBytes;
    ack(script, 0, [[1, 4]]);
    ack(script, 10);
    expect(cc.cwndBytes).toBe(before / 2);
    expect(cc.ssthreshBytes).toBe(before / 2);
  });

  it('D-SACK of all that was sent again undoes the reduction: RFC 3708', () => {
    const script = socketSack();
    writeSegments(script, 8);
    script.pass(100);
    const before = script.endpoint.sender.cc.cwndBytes;
    ack(script, 0, [[1, 4]]);
    ack(script, 4, [[0, 1]]);
    ack(script, 8);
    expect(script.endpoint.sender.recovery.undoCount).toBe(1);
    expect(script.endpoint.sender.cc.cwndBytes).toBeGreaterThanOrEqual(before);
  });

  it('SACK blocks of what was never sent, or is acknowledged, are ignored', () => {
    const script = socketSack();
    writeSegments(script, 4);
    ack(script, 0, [[5, 9]]);
    ack(script, 0, [[-1, 0]]);
    ack(script, 0, [[3, 1]]);
    expect(script.endpoint.sender.queue.sackedBytes).toBe(0);
  });

  it('a part of a segment is no segment: crumbs of SACK do not cut the queue', () => {
    const script = socketSack();
    writeSegments(script, 4);
    for (let i = 0; i < 400; i++) {
      const start = segmentSeq(1) + 2 * i;
      script.send(seg({ seq: REMOTE_SEQ, ack: segmentSeq(0), flags: ACK, window: 9000, sacks: [[start, start + 1]] }));
    }
    expect(script.endpoint.sender.queue.count).toBe(4);
  });

  it('reneging: what the peer threw away is sent again after a timeout (RFC 2018 section 8)', () => {
    const script = socketSack();
    writeSegments(script, 6);
    script.pass(100);
    ack(script, 0, [[1, 6]]);
    ack(script, 1);
    script.takeSent();
    script.pass(1000);
    expect(sentSegments(script)[0]).toBe(1);
  });
});

describe('tail loss probe, RFC 8985 section 7', () => {
  it('sends the last segment again after two round trips', () => {
    const script = socketSack();
    writeSegments(script, 4);
    script.takeSent();
    script.pass(201);
    expect(sentSegments(script)).toEqual([]);
    script.pass(1);
    expect(sentSegments(script)).toEqual([3]);
  });

  it('prefers new text that the window allows', () => {
    const script = socketSack();
    script.endpoint.sender.cc.cwndBytes = 4 * MSS;
    writeSegments(script, 6);
    expect(sentSegments(script)).toEqual([0, 1, 2, 3]);
    script.pass(202);
    expect(sentSegments(script)).toEqual([4]);
  });

  it('a loss that the probe mended reduces the window once', () => {
    const script = socketSack();
    writeSegments(script, 4);
    script.pass(202);
    const before = script.endpoint.sender.cc.cwndBytes;
    script.pass(100);
    ack(script, 4);
    expect(script.endpoint.sender.cc.cwndBytes).toBeLessThan(before);
  });

  it('a probe that was needless changes nothing: D-SACK', () => {
    const script = socketSack();
    writeSegments(script, 4);
    script.pass(202);
    const before = script.endpoint.sender.cc.cwndBytes;
    ack(script, 4, [[3, 4]]);
    expect(script.endpoint.sender.cc.cwndBytes).toBeGreaterThanOrEqual(before);
  });
});

describe('F-RTO, RFC 5682', () => {
  it('a delayed path: new text is sent, and the timeout is undone', () => {
    const script = socketSack();
    script.endpoint.sender.cc.cwndBytes = 4 * MSS;
    writeSegments(script, 8);
    script.takeSent();
    script.pass(1200);
    script.takeSent();
    expect(script.endpoint.sender.recovery.state).toBe(CaState.LOSS);
    ack(script, 2);
    // Segment 1 was sent once and has arrived: all the others are on their way too.
    expect(script.endpoint.sender.recovery.state).toBe(CaState.OPEN);
    expect(script.endpoint.sender.cc.cwndBytes).toBeGreaterThanOrEqual(4 * MSS);
    expect(script.endpoint.sender.recovery.undoCount).toBe(1);
    expect(sentSegments(script).every((index) => index >= 4)).toBe(true);
  });

  it('a real loss: slow start from one segment', () => {
    const script = socketSack();
    writeSegments(script, 4);
    script.pass(1200);
    script.takeSent();
    expect(script.endpoint.sender.recovery.state).toBe(CaState.LOSS);
    expect(script.endpoint.sender.cc.cwndBytes).toBe(MSS);
    ack(script, 1);
    ack(script, 1);
    expect(script.endpoint.sender.recovery.state).toBe(CaState.LOSS);
    ack(script, 4);
    expect(script.endpoint.sender.recovery.state).toBe(CaState.OPEN);
  });
});

describe('NewReno without SACK, RFC 5681 and RFC 6582', () => {
  it('RFC 3042: the first two duplicates let new segments out, the third sends the hole', () => {
    const script = socketReno();
    script.endpoint.sender.cc.cwndBytes = 5 * MSS;
    writeSegments(script, 12);
    expect(sentSegments(script)).toEqual([0, 1, 2, 3, 4]);
    ack(script, 0);
    expect(sentSegments(script)).toEqual([5]);
    ack(script, 0);
    expect(sentSegments(script)).toEqual([6]);
    ack(script, 0);
    expect(sentSegments(script)).toEqual([0]);
    expect(script.endpoint.sender.recovery.state).toBe(CaState.RECOVERY);
  });

  it('RFC 6582 section 3.2: a partial acknowledgement sends the next hole', () => {
    const script = socketReno();
    writeSegments(script, 8);
    for (let i = 0; i < 3; i++) ack(script, 0);
    script.takeSent();
    ack(script, 3);
    expect(sentSegments(script)).toEqual([3]);
    ack(script, 8);
    expect(script.endpoint.sender.cc.cwndBytes).toBe(script.endpoint.sender.cc.ssthreshBytes);
  });

  it('window updates and segments with text are no duplicates', () => {
    const script = socketReno();
    writeSegments(script, 4);
    script.takeSent();
    for (let i = 0; i < 4; i++) ack(script, 0, [], { window: 50_000 + i });
    for (let i = 0; i < 4; i++) ack(script, 0, [], { seq: REMOTE_SEQ + i, text: 'x', window: 50_003 });
    expect(script.endpoint.sender.recovery.dupAckCount).toBe(0);
  });
});

describe('ECN, RFC 3168', () => {
  const socketEcn = () =>
    socketEstablished((settings) => (settings.ecn = 1), undefined, { flags: SYN | ACK | ECE, window: 60_000 });

  it('text is ECT(0), acknowledgements and retransmissions are not', () => {
    const script = socketEcn();
    script.write('a');
    expect(script.takeSent()[0]!.ecn).toBe(Ecn.ECT_0);
    script.pass(200);
    expect(script.takeSent()[0]!.ecn).toBeUndefined();
  });

  it('an echo halves the window once, and the peer is told with CWR', () => {
    const script = socketEcn();
    script.endpoint.send(new Uint8Array(4 * MSS));
    script.output();
    const before = script.endpoint.sender.cc.cwndBytes;
    script.takeSent();
    for (const count of [1, 2]) {
      script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ + count * MSS, flags: ACK | ECE, window: 60_000 }));
    }
    expect(script.endpoint.sender.cc.ssthreshBytes).toBe(before / 2);
    script.write('next');
    script.write('more');
    script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ + 4 * MSS, flags: ACK, window: 60_000 }));
    script.send(seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ + 4 * MSS + 4, flags: ACK, window: 60_000 }));
    expect(script.takeSent().map((sent) => sent.flags! & CWR)).toEqual([CWR, 0]);
  });

  it('CE is echoed until CWR', () => {
    const script = socketEcn();
    const flags = (seq: number, extra: number, ecn: number): number => {
      script.send(seg({ seq: REMOTE_SEQ + seq, ack: LOCAL_SEQ, flags: ACK | extra, window: 999, ecn, text: 'x' }));
      return script.takeSent()[0]!.flags! & ECE;
    };
    expect([flags(0, 0, Ecn.ECT_0), flags(1, 0, Ecn.CE), flags(2, 0, Ecn.ECT_0)]).toEqual([0, ECE, ECE]);
    expect(flags(3, CWR, Ecn.ECT_0)).toBe(0);
  });

  it('a SYN-ACK without ECE means no ECN', () => {
    const script = socketEstablished((settings) => (settings.ecn = 1));
    script.write('a');
    expect(script.takeSent()[0]!.ecn).toBeUndefined();
  });
});

describe('timestamps, RFC 7323', () => {
  const socketTs = () =>
    socketEstablished((settings) => (settings.isTimestampsOn = true), undefined, { timestamps: [5000, 0] });
  const peer = (tsVal: number, text: string, seq = REMOTE_SEQ): ReturnType<typeof seg> =>
    seg({ seq, ack: LOCAL_SEQ, flags: ACK, window: 4000, timestamps: [tsVal, 0], text });

  it('section 5.3: PAWS drops what is older than the last timestamp, and acknowledges it', () => {
    const script = socketTs();
    script.send(peer(5010, 'ab'));
    script.takeSent();
    script.send(peer(4999, 'old', REMOTE_SEQ + 2));
    expect(script.takeSent()).toHaveLength(1);
    expect(script.read()).toBe('ab');
    expect(script.context.counters.PAWSEstab).toBe(1);
  });

  it('section 5.5: after 24 days any timestamp will do', () => {
    const script = socketTs();
    script.send(peer(5010, 'ab'));
    script.pass(24 * 86_400_000);
    script.send(peer(4999, 'cd', REMOTE_SEQ + 2));
    expect(script.read()).toBe('abcd');
  });

  it('section 4.3: echoes the timestamp of the segment that the last acknowledgement waited for', () => {
    const script = socketTs();
    script.send(peer(6000, 'later', REMOTE_SEQ + 5));
    expect(script.takeSent()[0]!.timestamps![1]).toBe(5000);
    script.send(peer(5500, 'first'));
    expect(script.takeSent()[0]!.timestamps![1]).toBe(5500);
  });

  it('PAWS holds across the wrap of the clock', () => {
    const script = socketEstablished((settings) => (settings.isTimestampsOn = true), undefined, {
      timestamps: [0xffff_fff0, 0],
    });
    script.send(peer(5, 'new'));
    expect(script.read()).toBe('new');
  });
});

describe('limits', () => {
  it('no more segments are out than are remembered', () => {
    const script = socketEstablished(undefined, (options) => (options.isNoDelay = true), { window: 65_535 });
    script.endpoint.sender.cc.cwndBytes = 1e9;
    script.endpoint.sender.bufferBytesMax = 1e9;
    const crumb = new Uint8Array(1);
    for (let i = 0; i < SENT_SEGMENTS_MAX + 5; i++) {
      script.endpoint.send(crumb);
      script.output();
    }
    expect(script.endpoint.sender.queue.count).toBe(SENT_SEGMENTS_MAX);
  });
});
