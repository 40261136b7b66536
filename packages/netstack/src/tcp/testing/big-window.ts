import type { TcpSettings } from '../tcp-settings.js';
import { ACK, SYN } from '../segment.js';
import { LOCAL_SEQ, MSS, REMOTE_SEQ, type Script, socketSynSent } from './fixture.js';
import { seg, type SegFields } from './seg.js';

const WINDOW = 60_000;

/** ESTABLISHED with SACK, a large window, and a round trip of 100 ms already measured. */
export function socketSack(configure: (settings: TcpSettings) => void = () => undefined): Script {
  return establish({ isSackPermitted: true }, (settings) => {
    settings.isSackOn = true;
    configure(settings);
  });
}

/** ESTABLISHED without SACK, else as {@link socketSack}. */
export function socketReno(): Script {
  return establish({}, () => undefined);
}

/** Writes `count` full segments. */
export function writeSegments(script: Script, count: number): void {
  script.endpoint.send(new Uint8Array(count * MSS).fill(120));
  script.output();
}

/** Sequence number of the segment `index` behind what {@link socketSack} has used. */
export function segmentSeq(index: number): number {
  return LOCAL_SEQ + (index + 1) * MSS;
}

/** The peer has all before segment `index`, and the segments from `sacks`, given as [first, past the last]. */
export function ack(script: Script, index: number, sacks: [number, number][] = [], fields: SegFields = {}): void {
  script.send(
    seg({
      seq: REMOTE_SEQ,
      ack: segmentSeq(index),
      flags: ACK,
      window: WINDOW,
      sacks: sacks.map(([from, to]) => [segmentSeq(from), segmentSeq(to)] as const),
      ...fields,
    }),
  );
}

/** Numbers of the segments sent since the last look. */
export function sentSegments(script: Script): number[] {
  return script.takeSent().map((sent) => (sent.seq! - segmentSeq(0)) / MSS);
}

function establish(syn: SegFields, configure: (settings: TcpSettings) => void): Script {
  const script = socketSynSent(configure);
  script.pass(100);
  script.send(seg({ seq: REMOTE_SEQ - 1, ack: LOCAL_SEQ, flags: SYN | ACK, window: WINDOW, mss: MSS, ...syn }));
  for (let i = 0; i < 20; i++) {
    script.endpoint.sender.rtt.onSample(100, script.nowMs);
  }
  writeSegments(script, 1);
  script.pass(100);
  ack(script, 0);
  script.takeSent();
  return script;
}
