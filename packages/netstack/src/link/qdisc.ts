import { Timer } from '@tsv/clock';
import { type PacketBuffer, PacketQueue } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

/** A link around another one that says when packets leave. */
abstract class Qdisc implements LinkEndpoint {
  protected readonly link: LinkEndpoint;
  protected readonly queue = new PacketQueue();
  /** Packets dropped because the queue was full. */
  droppedCount = 0;

  constructor(link: LinkEndpoint) {
    this.link = link;
  }

  get mtu(): number {
    return this.link.mtu;
  }

  get linkAddress(): LinkAddress | null {
    return this.link.linkAddress;
  }

  get isLoopback(): boolean {
    return this.link.isLoopback;
  }

  get gsoBytesMax(): number {
    return this.link.gsoBytesMax;
  }

  get hasChecksumOffload(): boolean {
    return this.link.hasChecksumOffload;
  }

  /** Packets that wait, and their bytes. */
  get backlogCount(): number {
    return this.queue.count;
  }

  get backlogBytes(): number {
    return this.queue.byteCount;
  }

  abstract send(packet: PacketBuffer): void;

  abstract flush(): void;

  attach(sink: LinkSink | null): void {
    if (sink === null) this.queue.clear();
    this.link.attach(sink);
  }

  protected drop(packet: PacketBuffer): void {
    this.droppedCount++;
    packet.release();
  }
}

/** tc-pfifo(8): packets leave in order when the stack has sent all that it had; too many are dropped at the tail. */
export class FifoQdisc extends Qdisc {
  readonly #countMax: number;

  /** `countMax`: packets that may wait; 1000 is the length of Linux's queues. */
  constructor(link: LinkEndpoint, countMax = 1000) {
    super(link);
    this.#countMax = countMax;
  }

  send(packet: PacketBuffer): void {
    if (this.queue.count >= this.#countMax) return this.drop(packet);
    this.queue.push(packet);
  }

  flush(): void {
    for (let packet = this.queue.shift(); packet !== null; packet = this.queue.shift()) this.link.send(packet);
    this.link.flush?.();
  }
}

export interface TokenBucketOptions {
  readonly bytesPerMs: number;
  /** Bytes that may go at once after a pause; a larger packet makes a debt. */
  readonly burstBytes: number;
  /** Bytes that may wait. */
  readonly limitBytes: number;
}

/** tc-tbf(8): lets packets go at a rate, with a burst; what has to wait too long is dropped at the tail. */
export class TokenBucketQdisc extends Qdisc {
  readonly #stack: Stack;
  readonly #options: TokenBucketOptions;
  readonly #timer: Timer;
  #tokenBytes: number;
  #filledMs: number;

  /** `stack`: whose time it is. */
  constructor(link: LinkEndpoint, stack: Stack, options: TokenBucketOptions) {
    super(link);
    this.#stack = stack;
    this.#options = options;
    this.#tokenBytes = options.burstBytes;
    this.#filledMs = stack.nowMs;
    this.#timer = new RefillTimer(() => this.#refilled());
  }

  send(packet: PacketBuffer): void {
    if (this.queue.byteCount + packet.len > this.#options.limitBytes) return this.drop(packet);
    this.queue.push(packet);
    if (this.queue.count === 1) this.#release();
  }

  flush(): void {
    this.link.flush?.();
  }

  override attach(sink: LinkSink | null): void {
    if (sink === null) this.#stack.timers.disarm(this.#timer);
    super.attach(sink);
  }

  #refilled(): void {
    this.#release();
    this.flush();
  }

  /** Lets go what there are tokens for, and comes back when there are for the next. */
  #release(): void {
    const { bytesPerMs, burstBytes } = this.#options;
    const { nowMs, timers } = this.#stack;
    this.#tokenBytes = Math.min(burstBytes, this.#tokenBytes + (nowMs - this.#filledMs) * bytesPerMs);
    this.#filledMs = nowMs;
    for (let packet = this.queue.head; packet !== null; packet = this.queue.head) {
      // A packet larger than the bucket goes when that is full.
      const wantedBytes = Math.min(packet.len, burstBytes);
      if (this.#tokenBytes < wantedBytes - EPSILON_BYTES) {
        timers.arm(this.#timer, nowMs + (wantedBytes - this.#tokenBytes) / bytesPerMs);
        return;
      }
      this.#tokenBytes -= packet.len;
      this.queue.shift();
      this.link.send(packet);
    }
  }
}

/** What rounding of times may lose. */
const EPSILON_BYTES = 1e-6;

class RefillTimer extends Timer {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  fired(): void {
    this.#run();
  }
}
