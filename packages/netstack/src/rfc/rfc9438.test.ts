import type { TcpSettings } from '../tcp/tcp-settings.js';
import { numbers, SEGMENT_BYTES, TcpWire } from '../testing/tcp-wire.js';

const S = SEGMENT_BYTES;
const RTT = 100;
const BETA = 0.7;
const C = 0.4;

function cubic(settings: TcpSettings): void {
  settings.congestionControl = 'cubic';
  settings.isSackOn = settings.isWindowScalingOn = true;
  settings.sendBytes = settings.sendBytesMax = 20_000 * S;
}

/** A connection that always has more to send, over a path of 100 ms with room for everything. */
class Flow {
  readonly wire = new TcpWire(cubic).connect({ isSackPermitted: true, windowShift: 14 }, RTT);
  acked = 0;

  constructor() {
    this.wire.write(20_000 * S);
  }

  get cwnd(): number {
    return this.wire.info().tcpi_snd_cwnd;
  }

  /** A round trip in which all arrives, acknowledged two segments at a time, evenly. */
  round(): void {
    const out = this.wire.info().tcpi_unacked;
    const last = this.acked + out;
    for (let i = 1; this.acked < last; i++) {
      this.acked = Math.min(last, this.acked + 2);
      this.wire.pass(Math.max(0, (2 * RTT) / out));
      this.wire.ack(this.acked * S);
    }
  }

  /** Rounds until the window is that large. */
  growTo(segments: number): void {
    for (let i = 0; this.cwnd < segments && i < 500; i++) this.round();
    expect(this.cwnd).toBeGreaterThanOrEqual(segments);
  }

  /** The first segment of a window is lost, and goes again; all is acknowledged then. Returns the window before. */
  lose(): number {
    const before = this.cwnd;
    const out = this.wire.info().tcpi_unacked;
    this.wire.pass(RTT);
    this.wire.ack(this.acked * S, [[(this.acked + 1) * S, (this.acked + out) * S]]);
    this.wire.pass(RTT);
    this.acked += out;
    this.wire.ack(this.acked * S);
    for (let i = 0; this.wire.info().tcpi_ca_state !== 0 && i < 10; i++) this.round();
    return before;
  }
}

describe('RFC 9438 section 4, CUBIC', () => {
  it('4.6: a loss leaves 0.7 of the window', () => {
    const flow = new Flow();
    flow.growTo(100);
    const before = flow.lose();
    expect(flow.wire.info().tcpi_snd_ssthresh / before).toBeCloseTo(BETA, 1);
  });

  it('4.2: the window is back where it was K seconds after the loss, and slow around there', () => {
    const flow = new Flow();
    flow.growTo(150);
    const before = flow.lose();
    const kMs = 1000 * Math.cbrt((before * (1 - BETA)) / C);
    const startMs = flow.wire.nowMs;
    const growth: number[] = [];
    while (flow.wire.nowMs - startMs < 0.9 * kMs) {
      const from = flow.cwnd;
      flow.round();
      growth.push(flow.cwnd - from);
    }
    expect(flow.cwnd / before).toBeGreaterThan(0.9);
    expect(flow.cwnd / before).toBeLessThanOrEqual(1.05);
    expect(growth[1]!).toBeGreaterThan(growth.at(-1)!);
  });

  it('4.5: beyond the old maximum it grows faster and faster', () => {
    const flow = new Flow();
    flow.growTo(60);
    const before = flow.lose();
    flow.growTo(before + 5);
    const growth = [0, 0, 0].map(() => {
      const from = flow.cwnd;
      for (let i = 0; i < 20; i++) flow.round();
      return flow.cwnd - from;
    });
    expect(growth[2]!).toBeGreaterThan(2 * growth[0]!);
  });

  it('4.4: it never grows by more than half in a round trip', () => {
    const flow = new Flow();
    flow.growTo(40);
    flow.lose();
    for (let i = 0; i < 40; i++) {
      const from = flow.cwnd;
      flow.round();
      expect(flow.cwnd).toBeLessThanOrEqual(1.5 * from + 1);
    }
  });

  it('4.3: a small window grows at least as Reno would that loses as little', () => {
    const flow = new Flow();
    flow.growTo(20);
    flow.lose();
    const from = flow.cwnd;
    const rounds = 10;
    for (let i = 0; i < rounds; i++) flow.round();
    const alpha = (3 * (1 - BETA)) / (1 + BETA);
    expect(flow.cwnd - from).toBeGreaterThanOrEqual(Math.floor(alpha * rounds) - 1);
  });

  it('4.7: a second loss below the old maximum makes room: the next plateau is lower', () => {
    const plateau = (isTwice: boolean): number => {
      const flow = new Flow();
      flow.growTo(120);
      flow.lose();
      if (isTwice) flow.lose();
      const start = flow.cwnd;
      for (let i = 0; i < 30; i++) flow.round();
      return flow.cwnd / start;
    };
    // From 0.7 W to W is 1 / 0.7; from 0.49 W to 0.7 W * (1 + 0.7) / 2 is less.
    expect(plateau(true)).toBeLessThan(plateau(false));
  });

  it('4.8: a timeout leaves a window of one segment and a threshold of 0.7 of the last window', () => {
    const flow = new Flow();
    flow.growTo(50);
    const before = flow.cwnd;
    const again = numbers(flow.wire.pass(1_000));
    expect(again).toContain(flow.acked);
    expect(flow.wire.info().tcpi_snd_ssthresh / before).toBeCloseTo(BETA, 1);
  });

  it('4.6: the threshold is never below two segments', () => {
    const wire = new TcpWire(cubic).connect({ isSackPermitted: true }, RTT);
    wire.write(S);
    wire.pass(60_000);
    wire.ack(S);
    wire.write(S);
    wire.pass(60_000);
    expect(wire.info().tcpi_snd_ssthresh).toBeGreaterThanOrEqual(2);
  });

  it('4.6: the window does not grow while less is in flight', () => {
    const wire = new TcpWire(cubic).connect({ isSackPermitted: true }, RTT);
    const { tcpi_snd_cwnd: before } = wire.info();
    for (let i = 1; i <= 50; i++) {
      wire.write(S);
      wire.pass(RTT);
      wire.ack(i * S);
    }
    expect(wire.info().tcpi_snd_cwnd).toBe(before);
  });
});
