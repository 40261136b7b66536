import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import type { LinkEndpoint, LinkSink } from '../link/link-endpoint.js';
import { SeededRandom } from '../net/random.js';
import { Stack, type StackOptions } from '../stack.js';
import type { LinkAddress } from '../wire/ethernet.js';

/** What a simulated cable does to packets; all probabilities 0 to 1. */
export interface Weather {
  readonly delayMs?: number;
  readonly jitterMs?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly corrupt?: number;
}

export interface CableOptions extends Weather {
  readonly mtu?: number;
  readonly linkAddresses?: readonly [LinkAddress, LinkAddress];
}

interface InFlight {
  readonly atMs: number;
  readonly order: number;
  readonly to: CableEnd;
  readonly bytes: Uint8Array;
}

/** One end of a simulated cable. Packets are copied, so that neither side can see the other's buffers. */
export class CableEnd implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress | null;
  readonly isLoopback = false;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload = false;
  sink: LinkSink | null = null;
  /** Every packet that was sent into this end, whatever became of it. */
  readonly sent: Uint8Array[] = [];
  weather: Weather;
  readonly #network: Network;
  peer: CableEnd | null = null;

  constructor(network: Network, options: CableOptions, linkAddress: LinkAddress | null) {
    this.#network = network;
    this.mtu = options.mtu ?? 1500;
    this.linkAddress = linkAddress;
    this.weather = options;
  }

  send(packet: PacketBuffer): void {
    const bytes = packet.bytes.slice(packet.at, packet.end);
    packet.release();
    this.sent.push(bytes);
    if (this.peer !== null) this.#network.carry(this.weather, this.peer, bytes);
  }

  attach(sink: LinkSink | null): void {
    this.sink = sink;
  }
}

/** Steps at one moment; more means that a stack asks to be polled again and again. */
const STEP_COUNT_MAX = 10_000;

/** Stacks and cables on one virtual clock, reproducible by seed. */
export class Network {
  readonly clock = new VirtualClock(1_000);
  readonly random: SeededRandom;
  readonly stacks: Stack[] = [];
  readonly #seed: number;
  #inFlight: InFlight[] = [];
  #order = 0;
  #stepCount = 0;

  constructor(seed = 1) {
    this.#seed = seed;
    this.random = new SeededRandom(seed);
  }

  stack(options: Partial<StackOptions> = {}): Stack {
    const random = new SeededRandom(this.#seed * 1000 + this.stacks.length);
    const stack = new Stack({ clock: this.clock, random, ...options });
    this.stacks.push(stack);
    return stack;
  }

  /** The two ends of a cable. */
  cable(options: CableOptions = {}): [CableEnd, CableEnd] {
    const a = new CableEnd(this, options, options.linkAddresses?.[0] ?? null);
    const b = new CableEnd(this, options, options.linkAddresses?.[1] ?? null);
    a.peer = b;
    b.peer = a;
    return [a, b];
  }

  /** Packets on their way. */
  get inFlightCount(): number {
    return this.#inFlight.length;
  }

  carry(weather: Weather, to: CableEnd, bytes: Uint8Array): void {
    if (this.random.fraction() < (weather.loss ?? 0)) return;
    this.#launch(weather, to, bytes);
    if (this.random.fraction() < (weather.duplicate ?? 0)) this.#launch(weather, to, bytes);
  }

  /** Lets `ms` pass: delivers packets and fires timers in order of time. */
  advance(ms: number): void {
    const untilMs = this.clock.monotonicMs() + ms;
    for (;;) {
      const nextMs = this.nextEventMs();
      if (nextMs > untilMs) break;
      this.#step(nextMs);
    }
    this.clock.advance(untilMs - this.clock.monotonicMs());
  }

  /** Lets time pass until `isDone`, at most `ms`; whether it came to that. */
  until(isDone: () => boolean, ms = 600_000): boolean {
    const untilMs = this.clock.monotonicMs() + ms;
    while (!isDone()) {
      const nextMs = this.nextEventMs();
      if (nextMs > untilMs) return false;
      this.#step(nextMs);
    }
    return true;
  }

  /** When the next packet arrives or timer fires, Infinity if never. */
  nextEventMs(): number {
    let nextMs = Infinity;
    for (const { atMs } of this.#inFlight) nextMs = Math.min(nextMs, atMs);
    for (const stack of this.stacks) nextMs = Math.min(nextMs, stack.pollAtMs());
    return nextMs;
  }

  #step(atMs: number): void {
    this.#stepCount = atMs > this.clock.monotonicMs() ? 0 : this.#stepCount + 1;
    if (this.#stepCount > STEP_COUNT_MAX) throw new Error(`Network: time stands still at ${atMs} ms`);
    this.clock.advance(Math.max(0, atMs - this.clock.monotonicMs()));
    const nowMs = this.clock.monotonicMs();
    const due = this.#inFlight.filter((packet) => packet.atMs <= nowMs);
    this.#inFlight = this.#inFlight.filter((packet) => packet.atMs > nowMs);
    due.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
    for (const { to, bytes } of due) to.sink?.deliver(PacketBuffer.copyOf(bytes));
    for (const stack of this.stacks) if (stack.pollAtMs() <= nowMs) stack.poll(nowMs);
  }

  #launch(weather: Weather, to: CableEnd, bytes: Uint8Array): void {
    const atMs = this.clock.monotonicMs() + (weather.delayMs ?? 0) + this.random.fraction() * (weather.jitterMs ?? 0);
    this.#inFlight.push({ atMs, order: this.#order++, to, bytes: this.#corrupt(weather, bytes) });
  }

  #corrupt(weather: Weather, bytes: Uint8Array): Uint8Array {
    if (this.random.fraction() >= (weather.corrupt ?? 0)) return bytes;
    const copy = bytes.slice();
    const at = Math.floor(this.random.fraction() * copy.length);
    copy[at] = copy[at]! ^ (1 << Math.floor(this.random.fraction() * 8));
    return copy;
  }
}
