import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Segment, type SegmentSink } from './segment.js';
import { LOCAL_SEQ, REMOTE_SEQ, REMOTE_WINDOW, socketEstablished } from './testing/fixture.js';
import { seg } from './testing/seg.js';
import { ACK } from './segment.js';
import { encodeSegment, parseSegment } from './wire.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

describe('the path of a segment', () => {
  it('takes less than a byte of heap for a segment in and one out', () => {
    const { endpoint, nowMs } = socketEstablished(undefined, (options) => (options.isNoDelay = true));
    const bytes = new Uint8Array(100);
    const sink: SegmentSink = { emit: (out) => void encodeSegment(out, bytes, 0, 0) };
    const template = seg({ flags: ACK, window: REMOTE_WINDOW, text: 'twenty bytes of text' });
    const arriving = new Segment();
    const wire = new Uint8Array(100);
    const dst = new Uint8Array(100);
    let count = 0;
    const run = (rounds: number): void => {
      for (let i = 0; i < rounds; i++) {
        count += template.textLen;
        endpoint.send(template.text);
        endpoint.output(nowMs + i, sink);
        template.seq = (REMOTE_SEQ + count - template.textLen) | 0;
        template.ack = (LOCAL_SEQ + count) | 0;
        parseSegment(arriving, wire, 0, encodeSegment(template, wire, 0, 0));
        endpoint.input(arriving, nowMs + i);
        endpoint.recv(dst);
      }
    };
    run(200_000);
    expect(endpoint.receiver.receivedBytes).toBe(count);
    // The compiler may take its time on a busy machine.
    let perSegment = Infinity;
    for (let round = 0; round < 10 && perSegment >= 1; round++) {
      gc();
      const before = process.memoryUsage().heapUsed;
      run(100_000);
      perSegment = (process.memoryUsage().heapUsed - before) / 200_000;
    }
    expect(perSegment).toBeLessThan(1);
  });
});
