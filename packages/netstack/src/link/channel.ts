import { type PacketBuffer, PacketQueue } from '../buffer/packet-buffer.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

export interface ChannelOptions {
  readonly mtu?: number;
  readonly linkAddress?: LinkAddress;
  /** Packets kept for {@link ChannelLink.read}; further ones are dropped. */
  readonly queueCountMax?: number;
  /** Called when a packet comes into an empty queue. */
  readonly onReadable?: () => void;
}

const DEFAULT_MTU = 1500;
const DEFAULT_QUEUE_COUNT = 1000;

/** A link whose other end is a program: it reads what the stack sends, and injects what the stack shall receive. */
export class ChannelLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress | null;
  readonly isLoopback = false;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload = false;
  readonly #queue = new PacketQueue();
  readonly #queueCountMax: number;
  readonly #onReadable: (() => void) | undefined;
  #sink: LinkSink | null = null;
  #droppedCount = 0;

  constructor(options: ChannelOptions = {}) {
    this.mtu = options.mtu ?? DEFAULT_MTU;
    this.linkAddress = options.linkAddress ?? null;
    this.#queueCountMax = options.queueCountMax ?? DEFAULT_QUEUE_COUNT;
    this.#onReadable = options.onReadable;
  }

  /** Packets that wait to be read. */
  get count(): number {
    return this.#queue.count;
  }

  /** Packets dropped because the queue was full. */
  get droppedCount(): number {
    return this.#droppedCount;
  }

  send(packet: PacketBuffer): void {
    if (this.#queue.count >= this.#queueCountMax) {
      this.#droppedCount++;
      return packet.release();
    }
    this.#queue.push(packet);
    if (this.#queue.count === 1) this.#onReadable?.();
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
  }

  /** Takes the oldest packet that the stack sent, or null. The caller releases it. */
  read(): PacketBuffer | null {
    return this.#queue.shift();
  }

  /** Hands the stack a packet, which it then owns. */
  inject(packet: PacketBuffer): void {
    if (this.#sink === null) packet.release();
    else this.#sink.deliver(packet);
  }
}
