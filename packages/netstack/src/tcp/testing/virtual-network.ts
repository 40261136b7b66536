import { SipHash } from '../../net/siphash.js';
import { IpAddress } from '../../wire/ip-address.js';
import { IsnGenerator } from '../isn.js';
import { Ecn, resetFor, Segment, type SegmentSink } from '../segment.js';
import { TcpEndpoint } from '../tcp-endpoint.js';
import { TcpListener } from '../tcp-listener.js';
import type { TcpOptions } from '../tcp-options.js';
import { TcpContext } from '../tcp-settings.js';
import { TcpState } from '../tcp-state.js';
import { encodeSegment, parseSegment, segmentHeaderBytes, segmentPseudoSum, tcpChecksumIsRight } from '../wire.js';
import { SeededRandom } from './random.js';

/** What a path does to packets. */
export interface PathFaults {
  delayMs: number;
  jitterMs: number;
  loss: number;
  duplication: number;
  /** Probability that a packet is held back by `reorderMs`. */
  reordering: number;
  reorderMs: number;
  /** 0 for no limit. */
  bytesPerMs: number;
  queueBytesMax: number;
  /** Larger packets vanish without a word: a path-MTU black hole. */
  packetBytesMax: number;
  /** Probability of CE on a packet that is ECN-capable. */
  marking: number;
}

export const PERFECT_PATH: PathFaults = {
  delayMs: 5,
  jitterMs: 0,
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMs: 0,
  bytesPerMs: 0,
  queueBytesMax: Infinity,
  packetBytesMax: Infinity,
  marking: 0,
};

interface Packet {
  atMs: number;
  order: number;
  bytes: Uint8Array;
  ecn: number;
  to: VirtualHost;
}

const SERVER_PORT = 80;
const NOTHING = new Uint8Array(0);
/** Applications look after their sockets this often. */
const NAP_MS_MAX = 100;
/** Events at one time that show a loop. */
const STUCK_MAX = 100_000;

/** A host with a client endpoint or a listener and its connections: what a stack does around TCP, in little. */
export class VirtualHost implements SegmentSink {
  readonly address: IpAddress;
  readonly context: TcpContext;
  readonly isns: IsnGenerator;
  readonly hash: SipHash;
  readonly endpoints: TcpEndpoint[] = [];
  listener: TcpListener | null = null;
  mss = 1460;
  /** Segments that went out, to be looked at by a test. */
  onEmit: ((seg: Readonly<Segment>) => void) | null = null;
  readonly #network: VirtualNetwork;

  constructor(network: VirtualNetwork, address: string, seed: number) {
    this.#network = network;
    this.address = IpAddress.parse(address);
    const random = new SeededRandom(seed);
    const key = Uint8Array.from({ length: 16 }, () => random.below(256));
    this.hash = new SipHash(key);
    this.context = new TcpContext(random);
    this.isns = new IsnGenerator(this.hash);
  }

  listen(backlog = 16, options?: TcpOptions): TcpListener {
    this.listener = new TcpListener(this.context, this.hash, this.address, SERVER_PORT, backlog, options);
    return this.listener;
  }

  connect(peer: VirtualHost, port = 40000, options?: TcpOptions): TcpEndpoint {
    const endpoint = this.createEndpoint(peer, port, SERVER_PORT, options);
    const { nowMs } = this.#network;
    const iss = this.isns.isn(this.address, port, peer.address, SERVER_PORT, nowMs);
    endpoint.connect(iss, this.isns.tsOffset(this.address, peer.address), nowMs);
    return endpoint;
  }

  createEndpoint(peer: VirtualHost, port: number, remotePort: number, options?: TcpOptions): TcpEndpoint {
    const endpoint = new TcpEndpoint(this.context, this.address, port, peer.address, remotePort, this.mss, options);
    this.endpoints.push(endpoint);
    return endpoint;
  }

  emit(seg: Segment): void {
    this.onEmit?.(seg);
    this.#network.send(this, seg);
  }

  receive(seg: Segment, nowMs: number): void {
    const endpoint = this.endpoints.find(
      (e) => e.localPort === seg.dstPort && e.remotePort === seg.srcPort && e.state !== TcpState.CLOSE,
    );
    if (endpoint !== undefined) {
      endpoint.input(seg, nowMs);
    } else if (this.listener !== null) {
      const child = this.listener.input(seg, this.mss, nowMs, this);
      if (child !== null) this.endpoints.push(child);
    } else if (resetFor(seg, this.context.segment)) {
      this.emit(this.context.segment);
    }
  }

  poll(nowMs: number): void {
    this.listener?.output(nowMs, this);
    for (const endpoint of this.endpoints) if (endpoint.pollAtMs() <= nowMs) endpoint.output(nowMs, this);
  }

  pollAtMs(): number {
    let atMs = this.listener?.pollAtMs() ?? Infinity;
    for (const endpoint of this.endpoints) atMs = Math.min(atMs, endpoint.pollAtMs());
    return atMs;
  }
}

function isBefore(a: Packet, b: Packet): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Two hosts and a bad path between them, in virtual time. */
export class VirtualNetwork {
  nowMs = 1000;
  readonly random: SeededRandom;
  readonly client: VirtualHost;
  readonly server: VirtualHost;
  faults: PathFaults;
  packetCount = 0;
  #stuckCount = 0;
  readonly #packets: Packet[] = [];
  #order = 0;
  readonly #busyUntilMs = new Map<VirtualHost, number>();
  readonly #arrived = new Segment();

  constructor(seed: number, faults: Partial<PathFaults> = {}) {
    this.random = new SeededRandom(seed);
    this.faults = { ...PERFECT_PATH, ...faults };
    this.client = new VirtualHost(this, '10.0.0.1', seed ^ 0x5eed);
    this.server = new VirtualHost(this, '10.0.0.2', seed ^ 0xcafe);
  }

  send(from: VirtualHost, seg: Segment): void {
    const to = from === this.client ? this.server : this.client;
    const bytes = new Uint8Array(segmentHeaderBytes(seg) + seg.textLen);
    encodeSegment(seg, bytes, 0, segmentPseudoSum(seg, bytes.length, new Uint8Array(32)));
    this.packetCount++;
    const { faults, random } = this;
    if (random.chance(faults.loss) || bytes.length > faults.packetBytesMax) return;
    const copies = random.chance(faults.duplication) ? 2 : 1;
    let departMs = this.nowMs;
    if (faults.bytesPerMs > 0) {
      const busyMs = Math.max(this.#busyUntilMs.get(from) ?? 0, this.nowMs);
      if ((busyMs - this.nowMs) * faults.bytesPerMs > faults.queueBytesMax) return;
      departMs = busyMs + bytes.length / faults.bytesPerMs;
      this.#busyUntilMs.set(from, departMs);
    }
    const ecn = seg.ecn !== Ecn.NOT_ECT && random.chance(faults.marking) ? Ecn.CE : seg.ecn;
    for (let i = 0; i < copies; i++) {
      let atMs = departMs + faults.delayMs + faults.jitterMs * (random.u32() / 2 ** 32);
      if (random.chance(faults.reordering)) atMs += faults.reorderMs;
      this.#pushPacket({ atMs, order: this.#order++, bytes, ecn, to });
    }
  }

  /** Moves time to the next event, at most to `untilMs`, and lets it happen. */
  step(untilMs: number): void {
    this.client.poll(this.nowMs);
    this.server.poll(this.nowMs);
    const packet = this.#nextPacket();
    const atMs = Math.min(packet?.atMs ?? Infinity, this.client.pollAtMs(), this.server.pollAtMs(), untilMs);
    this.#stuckCount = atMs > this.nowMs ? 0 : this.#stuckCount + 1;
    if (this.#stuckCount > STUCK_MAX) throw new Error(`time stands still at ${this.nowMs}`);
    this.nowMs = Math.max(this.nowMs, atMs);
    if (packet !== null && packet.atMs <= this.nowMs) this.#deliver(packet);
  }

  /** Runs until `isDone`, which is asked often, at most until `untilMs`. */
  runUntil(isDone: () => boolean, untilMs = this.nowMs + 600_000): boolean {
    while (!isDone()) {
      if (this.nowMs > untilMs) return false;
      this.step(this.nowMs + NAP_MS_MAX);
    }
    return true;
  }

  /** Lets `durationMs` pass. */
  run(durationMs: number): void {
    const untilMs = this.nowMs + durationMs;
    while (this.nowMs < untilMs) this.step(untilMs);
  }

  #nextPacket(): Packet | null {
    return this.#packets[0] ?? null;
  }

  /** The packets are a binary heap by time of arrival. */
  #pushPacket(packet: Packet): void {
    const heap = this.#packets;
    let index = heap.push(packet) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, packet)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = packet;
  }

  #popPacket(): void {
    const heap = this.#packets;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }

  #deliver(packet: Packet): void {
    this.#popPacket();
    const seg = this.#arrived;
    const from = packet.to === this.client ? this.server : this.client;
    seg.src = from.address;
    seg.dst = packet.to.address;
    parseSegment(seg, packet.bytes, 0, packet.bytes.length);
    seg.ecn = packet.ecn;
    const sum = segmentPseudoSum(seg, packet.bytes.length, new Uint8Array(32));
    if (!tcpChecksumIsRight(packet.bytes, 0, packet.bytes.length, sum)) throw new Error('wrong checksum');
    packet.to.receive(seg, this.nowMs);
    // The segment was borrowed: nobody may look at it any more.
    seg.setText(NOTHING, 0, 0);
  }
}
