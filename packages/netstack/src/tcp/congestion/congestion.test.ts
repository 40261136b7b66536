import { AckSample } from '../ack-sample.js';
import { Conversation } from '../testing/conversation.js';
import { VirtualNetwork } from '../testing/virtual-network.js';
import { SeededRandom } from '../testing/random.js';
import { CaState } from './congestion-control.js';
import { Cubic } from './cubic.js';
import { HyStart } from './hystart.js';
import { MaxFilter } from './max-filter.js';
import { NewReno } from './new-reno.js';
import { CONGESTION_CONTROLS, createCongestionControl } from './registry.js';

const MSS = 1000;

function sampleOf(ackedBytes: number, rttMs = 100): AckSample {
  const sample = new AckSample();
  sample.ackedBytes = ackedBytes;
  sample.deliveredBytes = ackedBytes;
  sample.rttMs = rttMs;
  sample.isCwndLimited = true;
  return sample;
}

/** Acknowledges a window, segment by segment. */
function ackWindow(cc: NewReno | Cubic, nowMs: number): void {
  const count = Math.round(cc.cwndBytes / MSS);
  for (let i = 0; i < count; i++) cc.onAck(sampleOf(MSS), nowMs);
}

describe('NewReno, RFC 5681 section 3.1', () => {
  it('slow start doubles the window in a round trip', () => {
    const cc = new NewReno();
    cc.start(MSS, 10 * MSS, 0, 0);
    ackWindow(cc, 0);
    expect(cc.cwndBytes).toBe(20 * MSS);
  });

  it('slow start ends at the threshold', () => {
    const cc = new NewReno();
    cc.start(MSS, 10 * MSS, 0, 0);
    cc.ssthreshBytes = 15 * MSS;
    for (let i = 0; i < 5; i++) cc.onAck(sampleOf(MSS));
    expect(cc.cwndBytes).toBe(15 * MSS);
    expect(cc.isInSlowStart).toBe(false);
  });

  it('congestion avoidance adds a segment in a round trip', () => {
    const cc = new NewReno();
    cc.start(MSS, 20 * MSS, 0, 0);
    cc.ssthreshBytes = 20 * MSS;
    ackWindow(cc, 0);
    expect(cc.cwndBytes / MSS).toBeCloseTo(21, 1);
  });

  it('a loss halves it, but not below two segments', () => {
    const cc = new NewReno();
    cc.start(MSS, 20 * MSS, 0, 0);
    expect(cc.ssthreshOnLoss(20 * MSS)).toBe(10 * MSS);
    cc.cwndBytes = 3 * MSS;
    expect(cc.ssthreshOnLoss(3 * MSS)).toBe(2 * MSS);
  });

  it('does not grow while the application sends less than it may: RFC 7661', () => {
    const cc = new NewReno();
    cc.start(MSS, 10 * MSS, 0, 0);
    const sample = sampleOf(MSS);
    sample.isCwndLimited = false;
    cc.onAck(sample);
    expect(cc.cwndBytes).toBe(10 * MSS);
  });
});

describe('Cubic, RFC 9438', () => {
  function afterLoss(segments: number): Cubic {
    const cc = new Cubic();
    cc.start(MSS, segments * MSS, 0, 0);
    cc.ssthreshBytes = cc.ssthreshOnLoss();
    cc.cwndBytes = cc.ssthreshBytes;
    return cc;
  }

  it('section 4.6: a loss leaves 70 %', () => {
    expect(afterLoss(100).cwndBytes / MSS).toBeCloseTo(70, 6);
  });

  it('section 4.2: is back at the old maximum after K, slow around it, and faster beyond', () => {
    const cc = afterLoss(1000);
    const kMs = 1000 * Math.cbrt((1000 * 0.3) / 0.4);
    const at = (untilMs: number, fromMs: number): number => {
      for (let nowMs = fromMs; nowMs < untilMs; nowMs += 100) ackWindow(cc, nowMs);
      return cc.cwndBytes / MSS;
    };
    const half = at(kMs / 2, 0);
    const whole = at(kMs, kMs / 2);
    const past = at(kMs * 2, kMs);
    expect(half).toBeGreaterThan(900);
    expect(whole).toBeGreaterThan(985);
    expect(whole).toBeLessThan(1010);
    expect(past).toBeGreaterThan(1250);
  });

  it('section 4.3: is never slower than Reno would be', () => {
    const cc = afterLoss(10);
    const before = cc.cwndBytes / MSS;
    for (let round = 0; round < 20; round++)
      for (let i = 0; i < 7 + round / 2; i++) cc.onAck(sampleOf(MSS, 5), round * 5);
    expect(cc.cwndBytes / MSS - before).toBeGreaterThan(5);
  });

  it('section 4.7: fast convergence remembers less when losses follow each other', () => {
    const cc = afterLoss(100);
    ackWindow(cc, 0);
    cc.ssthreshBytes = cc.ssthreshOnLoss();
    const reno = new Cubic();
    reno.start(MSS, cc.cwndBytes, 0, 0);
    reno.ssthreshOnLoss();
    cc.cwndBytes = reno.cwndBytes = 50 * MSS;
    reno.ssthreshBytes = cc.ssthreshBytes = 50 * MSS;
    for (let nowMs = 0; nowMs < 3000; nowMs += 100) {
      ackWindow(cc, nowMs);
      ackWindow(reno, nowMs);
    }
    expect(cc.cwndBytes).toBeLessThan(reno.cwndBytes);
  });

  it('a timeout and an undo start a new epoch', () => {
    const cc = afterLoss(100);
    ackWindow(cc, 0);
    cc.onStateChange(CaState.LOSS);
    cc.onUndo();
    cc.onAck(sampleOf(MSS), 100_000);
    expect(cc.cwndBytes).toBeLessThan(80 * MSS);
  });
});

describe('HyStart, RFC 9406', () => {
  function round(hystart: HyStart, index: number, rttMs: number): boolean {
    let isOver = false;
    for (let i = 0; i < 10; i++) {
      const sample = sampleOf(MSS, rttMs);
      sample.priorDeliveredBytes = i === 0 ? index * 10 * MSS : index * 10 * MSS - 1;
      sample.totalDeliveredBytes = (index + 1) * 10 * MSS;
      isOver ||= hystart.onAck(sample);
    }
    return isOver;
  }

  it('steady round trips: slow start goes on', () => {
    const hystart = new HyStart();
    for (let i = 0; i < 20; i++) expect(round(hystart, i, 100)).toBe(false);
    expect(hystart.isConservative).toBe(false);
  });

  it('round trips that grow: conservative first, then over after five rounds', () => {
    const hystart = new HyStart();
    round(hystart, 0, 100);
    round(hystart, 1, 100);
    round(hystart, 2, 115);
    expect(hystart.isConservative).toBe(true);
    const over = Array.from({ length: 6 }, (_, i) => round(hystart, 3 + i, 120));
    expect(over.indexOf(true)).toBe(4);
  });

  it('a spike: back to slow start', () => {
    const hystart = new HyStart();
    round(hystart, 0, 100);
    round(hystart, 1, 100);
    round(hystart, 2, 115);
    round(hystart, 3, 100);
    expect(hystart.isConservative).toBe(false);
  });
});

describe('MaxFilter', () => {
  it('is the largest value of the last ten rounds, or nearly', () => {
    const random = new SeededRandom(6);
    const filter = new MaxFilter(10);
    const values: number[] = [];
    for (let index = 0; index < 500; index++) {
      values.push(random.below(1000));
      filter.update(values[index]!, index);
      const window = values.slice(Math.max(0, index - 10));
      expect(window).toContain(filter.best);
      expect(filter.best).toBeGreaterThanOrEqual(Math.max(...values.slice(Math.max(0, index - 2))));
    }
  });
});

describe('over a bottleneck of 10 Mbit/s and a round trip of 40 ms', () => {
  /** Bytes a millisecond that arrive over 10 s. */
  function throughput(name: string, loss: number, queueBytesMax: number): number {
    const network = new VirtualNetwork(7, { delayMs: 20, bytesPerMs: 1250, queueBytesMax, loss });
    network.client.context.settings.congestionControl = name;
    const conversation = new Conversation(network, 20_000_000, 0, new SeededRandom(3));
    network.runUntil(() => {
      conversation.talk();
      return false;
    }, network.nowMs + 10_000);
    return conversation.received[0] / 10_000;
  }

  it.each(CONGESTION_CONTROLS)('%s uses most of it', (name) => {
    expect(throughput(name, 0, 100_000)).toBeGreaterThan(1250 * 0.8);
  });

  it('bbr does not mind 1 % of loss, where cubic does', () => {
    const [bbr, cubic] = [throughput('bbr', 0.01, 100_000), throughput('cubic', 0.01, 100_000)];
    expect(bbr).toBeGreaterThan(1250 * 0.7);
    expect(bbr).toBeGreaterThan(cubic);
  });
});

describe('createCongestionControl', () => {
  it.each(CONGESTION_CONTROLS)('knows %s', (name) => {
    expect(createCongestionControl(name)!.name).toBe(name);
  });

  it('knows no others', () => {
    expect(createCongestionControl('vegas')).toBeUndefined();
  });
});
