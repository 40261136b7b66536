// Links that lose packets, for kernels that have no netem, and for path MTUs that nobody tells of.

/** A link around another one whose packets a predicate may lose, in either direction. */
export class BadWeather {
  #link;
  #isLost;
  #sink = null;
  lostCount = 0;

  constructor(link, isLost) {
    this.#link = link;
    this.#isLost = isLost;
  }

  get mtu() {
    return this.#link.mtu;
  }

  get linkAddress() {
    return this.#link.linkAddress;
  }

  get isLoopback() {
    return false;
  }

  // Packets of several segments would be lost whole.
  get gsoBytesMax() {
    return 0;
  }

  get hasChecksumOffload() {
    return this.#link.hasChecksumOffload;
  }

  send(packet) {
    if (!this.#loses(packet)) this.#link.send(packet);
  }

  flush() {
    this.#link.flush();
  }

  attach(sink) {
    this.#sink = sink;
    this.#link.attach(sink === null ? null : this);
  }

  begin() {
    this.#sink.begin();
  }

  end() {
    this.#sink.end();
  }

  deliver(packet) {
    if (!this.#loses(packet)) this.#sink.deliver(packet);
  }

  #loses(packet) {
    if (!this.#isLost(packet)) return false;
    this.lostCount++;
    packet.release();
    return true;
  }
}

/** A reproducible series of numbers from 0 to 1. */
export function numbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
