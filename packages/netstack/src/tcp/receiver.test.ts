import { ReceiveTuner } from './receive-tuner.js';
import { Receiver } from './receiver.js';
import { ACK, FIN, SYN } from './segment.js';
import { LOCAL_SEQ, MSS, REMOTE_SEQ, REMOTE_WINDOW, Script, socketEstablished } from './testing/fixture.js';
import { bytesOf, seg, type SegFields } from './testing/seg.js';

function peer(fields: SegFields): ReturnType<typeof seg> {
  return seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ, flags: ACK, window: REMOTE_WINDOW, ...fields });
}

const socketWithSack = (): Script =>
  socketEstablished((settings) => (settings.isSackOn = true), undefined, { isSackPermitted: true });

describe('SACK of the receiver, RFC 2018 and RFC 2883', () => {
  it('tells what lies beyond a gap, the latest first', () => {
    const script = socketWithSack();
    script.send(peer({ seq: REMOTE_SEQ + 10, text: 'abc' }));
    script.send(peer({ seq: REMOTE_SEQ + 20, text: 'def' }));
    expect(script.takeSent().at(-1)!.sacks).toEqual([
      [REMOTE_SEQ + 20, REMOTE_SEQ + 23],
      [REMOTE_SEQ + 10, REMOTE_SEQ + 13],
    ]);
  });

  it('reports old text that came again, once', () => {
    const script = socketWithSack();
    script.send(peer({ text: 'abc' }));
    script.takeSent();
    script.send(peer({ text: 'abc' }));
    expect(script.takeSent()[0]!.sacks).toEqual([[REMOTE_SEQ, REMOTE_SEQ + 3]]);
    script.send(peer({ seq: REMOTE_SEQ + 3, text: 'd' }));
    expect(script.takeSent()[0]!.sacks).toBeUndefined();
  });

  it('reports text beyond a gap that came again, in front of its block', () => {
    const script = socketWithSack();
    script.send(peer({ seq: REMOTE_SEQ + 10, text: 'abcdef' }));
    script.takeSent();
    script.send(peer({ seq: REMOTE_SEQ + 12, text: 'cd' }));
    expect(script.takeSent()[0]!.sacks).toEqual([
      [REMOTE_SEQ + 12, REMOTE_SEQ + 14],
      [REMOTE_SEQ + 10, REMOTE_SEQ + 16],
    ]);
  });

  it('goes ahead of text of ours, which has no room for it', () => {
    const script = socketWithSack();
    script.endpoint.send(bytesOf('reply'));
    script.send(peer({ seq: REMOTE_SEQ + 10, text: 'abc' }));
    expect(script.takeSent().map((sent) => [sent.sacks?.length, sent.text])).toEqual([
      [1, undefined],
      [undefined, 'reply'],
    ]);
  });

  it('is not sent to a peer that did not permit it', () => {
    const script = socketEstablished();
    script.send(peer({ seq: REMOTE_SEQ + 10, text: 'abc' }));
    expect(script.takeSent()[0]!.sacks).toBeUndefined();
  });
});

describe('window scaling, RFC 7323 section 2', () => {
  const scaled = (windowShift: number): Script =>
    socketEstablished(
      (settings) => {
        settings.isWindowScalingOn = true;
        settings.receiveBytes = 400_000;
        settings.receiveBytesMax = 400_000;
      },
      undefined,
      { windowShift },
    );

  it('section 2.2: the window of a SYN is never scaled, later ones are', () => {
    const script = scaled(4);
    expect(script.endpoint.sender.sndWnd).toBe(REMOTE_WINDOW);
    script.send(peer({}));
    expect(script.endpoint.sender.sndWnd).toBe(REMOTE_WINDOW * 16);
  });

  it('ours is shifted by what the SYN said', () => {
    const script = scaled(0);
    script.send(peer({ seq: REMOTE_SEQ - 1 }));
    expect(script.takeSent()[0]!.window! << 3).toBe(400_000);
  });

  it('is off when the SYN-ACK does not have it', () => {
    const script = socketEstablished((settings) => (settings.isWindowScalingOn = true));
    script.send(peer({}));
    expect(script.endpoint.sender.sndWnd).toBe(REMOTE_WINDOW);
    expect(script.endpoint.receiver.windowShift).toBe(0);
  });
});

describe('Receiver', () => {
  it('takes a FIN right behind a full window', () => {
    const receiver = new Receiver();
    receiver.bufferBytesMax = 4;
    receiver.start(99, 4);
    receiver.acceptText(seg({ seq: 100, flags: FIN | ACK, text: 'abcd' }), 0);
    expect(receiver.isFinReceived).toBe(true);
    expect(receiver.rcvNxt).toBe(105);
  });

  it('works across the wrap of sequence numbers', () => {
    const receiver = new Receiver();
    receiver.bufferBytesMax = 1000;
    receiver.start(0xffff_fffd | 0, 1000);
    receiver.acceptText(seg({ seq: 2, text: 'ef' }), 0);
    receiver.acceptText(seg({ seq: 0xffff_fffe | 0, text: 'abcd' }), 0);
    const dst = new Uint8Array(9);
    expect(receiver.read(dst, 0, 9)).toBe(6);
    expect(dst.subarray(0, 6)).toEqual(bytesOf('abcdef'));
  });
});

describe('ReceiveTuner', () => {
  it('grows the buffer to twice what is read in a round trip, up to the limit', () => {
    const receiver = new Receiver();
    receiver.bufferBytesMax = 10_000;
    receiver.peerMssBytes = MSS;
    const tuner = new ReceiveTuner();
    tuner.bytesMax = 1_000_000;
    tuner.start(10_000, 0);
    tuner.onRtt(100);
    tuner.onRead(50_000, receiver, 99);
    expect(receiver.bufferBytesMax).toBe(10_000);
    tuner.onRead(1, receiver, 100);
    expect(receiver.bufferBytesMax).toBeGreaterThan(100_000);
    tuner.onRead(10_000_000, receiver, 200);
    expect(receiver.bufferBytesMax).toBe(1_000_000);
  });

  it('leaves a buffer alone that SO_RCVBUF has set', () => {
    const script = socketEstablished(undefined, (options) => (options.receiveBytes = 3000));
    expect(script.endpoint.tuner.bytesMax).toBe(0);
    expect(script.endpoint.receiver.bufferBytesMax).toBe(3000);
  });
});

describe('fast open of a client, RFC 7413 section 4.2.1', () => {
  const open = (cookie: Uint8Array): Script => {
    const script = new Script();
    script.endpoint.useFastOpen(cookie);
    script.endpoint.connect(LOCAL_SEQ - 1, 0, 0);
    script.endpoint.send(bytesOf('GET'));
    script.output();
    return script;
  };
  const cookie = new Uint8Array(8).fill(5);

  it('asks for a cookie, and learns it', () => {
    const script = open(new Uint8Array(0));
    expect(script.takeSent()[0]).toMatchObject({ flags: SYN, fastOpenCookie: new Uint8Array(0) });
    script.send(peer({ seq: REMOTE_SEQ - 1, flags: SYN | ACK, fastOpenCookie: cookie }));
    const { fastOpenPeers } = script.endpoint.context;
    expect(fastOpenPeers.cookieFor(script.endpoint.remote, 0)).toEqual(cookie);
    expect(script.takeSent()[0]!.text).toBe('GET');
  });

  it('sends text in the SYN, which is not sent again when it was taken', () => {
    const script = open(cookie);
    expect(script.takeSent()[0]).toMatchObject({ flags: SYN, text: 'GET', fastOpenCookie: cookie });
    script.send(peer({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ + 3, flags: SYN | ACK }));
    expect(script.takeSent().map((sent) => sent.text)).toEqual([undefined]);
    expect(script.endpoint.sender.isDrained).toBe(true);
  });

  it('sends it again when the peer took only the SYN', () => {
    const script = open(cookie);
    script.takeSent();
    script.send(peer({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK }));
    expect(script.takeSent().map((sent) => [sent.seq, sent.text])).toEqual([[LOCAL_SEQ, 'GET']]);
  });

  it('a lost SYN goes again without cookie and text', () => {
    const script = open(cookie);
    script.takeSent();
    script.pass(1000);
    expect(script.takeSent()[0]!.text).toBeUndefined();
  });
});
