import type { TcpSettings } from '../tcp/tcp-settings.js';
import { type Heard, TcpWire } from '../testing/tcp-wire.js';

const MTU = 1500;
const TEXT = MTU - 40;
const BASE = 1024;
const HEADERS = 40;

/** A connection with SACK over a path that silently drops what is larger than `pathMtu`. */
class Path {
  readonly wire: TcpWire;
  readonly #pathMtu: number;
  #pending: Heard[];
  #received = 0;
  #beyond: [number, number][] = [];
  largest = 0;

  constructor(mode: 0 | 1 | 2, pathMtu: number) {
    this.#pathMtu = pathMtu;
    const configure = (settings: TcpSettings): void => {
      settings.mtuProbing = mode;
      settings.isSackOn = true;
    };
    this.wire = new TcpWire(configure, MTU).connect({ mss: TEXT, isSackPermitted: true });
    this.#pending = this.wire.write(800_000);
  }

  /** Runs for that long: what arrives is acknowledged 10 ms later. */
  run(durationMs: number): void {
    let heard = this.#pending;
    for (let ms = 0; ms < durationMs; ms += 10) {
      const arrived = heard.filter(({ len, packet }) => len > 0 && packet.length <= this.#pathMtu);
      for (const { len } of heard) if (len + HEADERS > this.largest) this.largest = len + HEADERS;
      for (const { seq, len } of arrived) this.#take(seq, seq + len);
      heard = this.wire.pass(10);
      if (arrived.length > 0) heard.push(...this.wire.ack(this.#received, this.#beyond.slice(0, 3)));
    }
    this.#pending = heard;
  }

  get receivedBytes(): number {
    return this.#received;
  }

  #take(from: number, to: number): void {
    const ranges = [...this.#beyond, [from, to] as [number, number]].sort((a, b) => a[0] - b[0]);
    const merged: [number, number][] = [];
    for (const [start, end] of ranges) {
      const last = merged.at(-1);
      if (start <= this.#received) this.#received = Math.max(this.#received, end);
      else if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
      else merged.push([start, end]);
    }
    this.#beyond = merged.filter(([, end]) => end > this.#received);
  }
}

describe('RFC 4821, packetization layer path MTU discovery (RFC 8899 for TCP)', () => {
  it('7.7: a black hole that nobody tells of is found after timeouts, and the text arrives', () => {
    const path = new Path(1, 1280);
    path.run(120_000);
    expect(path.receivedBytes).toBe(800_000);
    const { tcpi_snd_mss } = path.wire.info();
    expect([tcpi_snd_mss >= BASE, tcpi_snd_mss <= 1280 - HEADERS]).toEqual([true, true]);
  });

  it('without it the connection stays in the hole', () => {
    const path = new Path(0, 1280);
    path.run(20_000);
    expect(path.receivedBytes).toBe(0);
  });

  it('5.2: the search starts at a size that nearly every path takes', () => {
    const wire = new TcpWire((settings) => (settings.mtuProbing = 2), MTU).connect({ mss: TEXT });
    expect(wire.write(5_000)[0]!.len).toBe(BASE);
  });

  it('7.3: and ends at the largest that arrives: of the link, where the path takes it', () => {
    const path = new Path(2, MTU);
    path.run(30_000);
    expect([path.wire.info().tcpi_snd_mss, path.receivedBytes]).toEqual([TEXT, 800_000]);
  });

  it('7.3: of the path, where that is less', () => {
    const path = new Path(2, 1400);
    path.run(60_000);
    const { tcpi_snd_mss } = path.wire.info();
    expect([tcpi_snd_mss > 1400 - HEADERS - 60, tcpi_snd_mss <= 1400 - HEADERS, path.largest]).toEqual([
      true,
      true,
      MTU,
    ]);
  });

  it('7.6.2: a lost probe is no sign of congestion', () => {
    const path = new Path(2, 1400);
    path.run(60_000);
    expect(path.wire.info().tcpi_snd_ssthresh).toBe(0x7fffffff);
  });
});
