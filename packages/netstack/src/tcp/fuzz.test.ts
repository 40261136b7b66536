import { seqAdd, seqDiff } from './sequence.js';
import { type Segment } from './segment.js';
import { CONGESTION_CONTROLS } from './congestion/registry.js';
import {
  LOCAL_SEQ,
  MSS,
  REMOTE_SEQ,
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
import { socketSack } from './testing/big-window.js';
import { SeededRandom } from './testing/random.js';
import { seg } from './testing/seg.js';

const ROUNDS = Number(process.env['TCP_FUZZ_ROUNDS'] ?? 400);
const SEED = Number(process.env['TCP_SEED'] ?? 5961);
const SEGMENTS_A_ROUND = 60;

const FIXTURES: (() => Script)[] = [
  socketSynSent,
  socketSynReceived,
  socketEstablished,
  socketFinWait1,
  socketFinWait2,
  socketCloseWait,
  socketClosing,
  socketLastAck,
  socketTimeWait,
  () =>
    socketEstablished(
      (settings) => {
        settings.isTimestampsOn = true;
        settings.isSackOn = true;
        settings.isWindowScalingOn = true;
        settings.ecn = 1;
      },
      undefined,
      { timestamps: [1, 1], isSackPermitted: true, windowShift: 3 },
    ),
];

/** A number near one that matters, or far from all. */
function near(random: SeededRandom, ...places: number[]): number {
  if (random.chance(0.05)) return random.u32() | 0;
  return seqAdd(random.pick(places), random.pick([0, 0, 0, 1, -1, 2, MSS, -MSS, random.below(9000) - 3000]));
}

function randomSegment(random: SeededRandom, script: Script): Segment {
  const { sender, receiver } = script.endpoint;
  const mine = [sender.sndUna, sender.sndNxt, LOCAL_SEQ];
  const theirs = [receiver.rcvNxt, receiver.rcvEdge, receiver.lastAckSent, REMOTE_SEQ];
  const segment = seg({
    seq: near(random, ...theirs),
    ack: near(random, ...mine),
    // Mostly plain, at times anything.
    flags: random.chance(0.6) ? 0x10 : random.chance(0.9) ? random.below(256) & ~0x04 : random.below(256),
    window: random.pick([0, 1, 100, 4000, 65_535]),
    urgentPointer: random.pick([0, 1, 5, 3000, 65_535]),
    ecn: random.below(4),
    text: new Uint8Array(random.pick([0, 0, 1, 10, MSS, 3 * MSS])).fill(random.below(256)),
  });
  if (random.chance(0.3)) {
    segment.hasTimestamps = true;
    segment.tsVal = near(random, receiver.tsRecent);
    segment.tsEcr = near(random, script.endpoint.tsNow(script.nowMs));
  }
  while (segment.sackCount < 4 && random.chance(0.3)) segment.addSack(near(random, ...mine), near(random, ...mine));
  return segment;
}

/** What must hold whatever a peer sends. */
function expectSane(script: Script): void {
  const { sender, receiver } = script.endpoint;
  const { queue } = sender;
  let [outBytes, sackedBytes, lostBytes, retransBytes] = [0, 0, 0, 0];
  for (let sent = queue.head; sent !== null; sent = sent.next) {
    outBytes += sent.len;
    if (sent.flags & 1) sackedBytes += sent.len;
    if (sent.flags & 2) lostBytes += sent.len;
    if (sent.flags & 4) retransBytes += sent.len;
  }
  expect([queue.outBytes, queue.sackedBytes, queue.lostBytes, queue.retransBytes]).toEqual([
    outBytes,
    sackedBytes,
    lostBytes,
    retransBytes,
  ]);
  expect(queue.inFlightBytes).toBeGreaterThanOrEqual(0);
  if (queue.count > 0) expect([queue.head!.seq, queue.tail!.end]).toEqual([sender.sndUna, sender.sndNxt]);
  expect(seqDiff(receiver.rcvEdge, receiver.rcvNxt)).toBeGreaterThanOrEqual(0);
  expect(receiver.buffer.len).toBeLessThanOrEqual(receiver.bufferBytesMax);
  expect(receiver.buffer.capacityBytes).toBeLessThanOrEqual(4 * receiver.bufferBytesMax);
  expect(sender.cc.cwndBytes).toBeGreaterThanOrEqual(0);
  expect(script.endpoint.pollAtMs()).not.toBeNaN();
}

describe('any segments at all', () => {
  it.each(FIXTURES.map((make, index) => [make === FIXTURES.at(-1) ? 'all options' : make.name, index] as const))(
    '%s: no state breaks, and memory stays bounded',
    (_name, index) => {
      const random = new SeededRandom(SEED + index);
      for (let round = 0; round < ROUNDS / FIXTURES.length; round++) {
        const script = FIXTURES[index]!();
        const { endpoint } = script;
        endpoint.options.congestionControl = random.pick(CONGESTION_CONTROLS);
        endpoint.applyOptions();
        for (let i = 0; i < SEGMENTS_A_ROUND; i++) {
          if (random.chance(0.3)) endpoint.send(new Uint8Array(1 + random.below(5000)));
          if (random.chance(0.2)) script.read(random.below(4000));
          if (random.chance(0.01)) endpoint.shutdownWrite();
          if (random.chance(0.005)) endpoint.close();
          script.send(randomSegment(random, script));
          if (random.chance(0.3)) script.pass(random.pick([1, 50, 300, 5000]));
          script.takeSent();
          expectSane(script);
        }
      }
    },
    60_000,
  );

  it('an acknowledgement is never answered by more than one, so two endpoints do not chatter for ever', () => {
    const random = new SeededRandom(SEED);
    const script = socketSack();
    for (let i = 0; i < 3000; i++) {
      const segment = randomSegment(random, script);
      segment.flags = 0x10;
      segment.setText(segment.text, 0, 0);
      script.send(segment);
      expect(script.takeSent().length).toBeLessThanOrEqual(1);
    }
  });
});
