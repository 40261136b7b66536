import { Timer, type TimerQueue } from '@tsv/clock';
import { copyBytes, PacketBuffer } from '../buffer/packet-buffer.js';
import type { IpAddress } from '../wire/ip-address.js';

/** Bytes of fragments kept at once, ipfrag_high_thresh of ip-sysctl. */
export const FRAGMENT_BYTES_MAX = 4 << 20;
/** Fragments of one datagram; a hostile sender would cut it finer. */
export const FRAGMENTS_PER_DATAGRAM_MAX = 256;
/** Largest reassembled payload. */
const PAYLOAD_BYTES_MAX = 65535;
/** What a fragment costs beyond its data. */
const FRAGMENT_OVERHEAD_BYTES = 256;

/** Takes a datagram whose fragments did not all come in time. `first` is the fragment at offset 0, or null. */
export type ReassemblyTimeout = (first: PacketBuffer | null) => void;

/** Fragments of one datagram, in order of their offset. */
class Datagram extends Timer {
  readonly key: string;
  readonly fragments: { packet: PacketBuffer; from: number; to: number }[] = [];
  /** End of the payload; -1 until the last fragment has come. */
  endAt = -1;
  costBytes = 0;
  readonly #reassembler: Reassembler;

  constructor(reassembler: Reassembler, key: string) {
    super();
    this.#reassembler = reassembler;
    this.key = key;
  }

  fired(): void {
    this.#reassembler.timedOut(this);
  }
}

/**
 * Puts fragments together: RFC 791 section 3.2, RFC 8200 section 4.5. Fragments that overlap discard the whole datagram
 * (RFC 5722; Linux does so for IPv4 too), exact duplicates only themselves. Memory is bounded; the oldest go first.
 */
export class Reassembler {
  readonly #datagrams = new Map<string, Datagram>();
  readonly #timers: TimerQueue;
  readonly #timeoutMs: number;
  readonly #onTimeout: ReassemblyTimeout;
  #costBytes = 0;

  constructor(timers: TimerQueue, timeoutMs: number, onTimeout: ReassemblyTimeout) {
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
    this.#onTimeout = onTimeout;
  }

  /** Datagrams that wait for fragments. */
  get count(): number {
    return this.#datagrams.size;
  }

  /** Bytes that they cost. */
  get costBytes(): number {
    return this.#costBytes;
  }

  /**
   * Takes a fragment: `packet.at` is the start of its payload, `from` the offset of that in the datagram. Returns the
   * packet whose payload is the whole datagram when this was the last one missing; its header is that of the first
   * fragment, still without the right lengths. Else null, and the packet is ours.
   */
  add(packet: PacketBuffer, id: number, from: number, hasMore: boolean, nowMs: number): PacketBuffer | null {
    const to = from + packet.len;
    const key = fragmentKey(packet.src, packet.dst, packet.protocol, id);
    let datagram = this.#datagrams.get(key);
    if (datagram === undefined) {
      datagram = new Datagram(this, key);
      this.#datagrams.set(key, datagram);
      this.#timers.arm(datagram, nowMs + this.#timeoutMs);
    }
    switch (place(datagram, packet, from, to, hasMore)) {
      case Placement.DUPLICATE:
        packet.release();
        return null;
      case Placement.BROKEN:
        packet.release();
        this.#discard(datagram);
        return null;
      case Placement.ADDED:
        this.#charge(datagram, packet.bytes.length + FRAGMENT_OVERHEAD_BYTES);
        return isComplete(datagram) ? this.#join(datagram) : null;
    }
  }

  /** A datagram's timer has fired. */
  timedOut(datagram: Datagram): void {
    const first = datagram.fragments[0];
    const offered = first !== undefined && first.from === 0 ? datagram.fragments.shift()!.packet : null;
    this.#discard(datagram);
    this.#onTimeout(offered);
    offered?.release();
  }

  clear(): void {
    for (const datagram of this.#datagrams.values()) this.#discard(datagram);
  }

  #charge(datagram: Datagram, costBytes: number): void {
    datagram.costBytes += costBytes;
    this.#costBytes += costBytes;
    for (const oldest of this.#datagrams.values()) {
      if (this.#costBytes <= FRAGMENT_BYTES_MAX) break;
      if (oldest !== datagram) this.#discard(oldest);
    }
  }

  #discard(datagram: Datagram): void {
    this.#forget(datagram);
    for (const { packet } of datagram.fragments) packet.release();
  }

  #forget(datagram: Datagram): void {
    this.#timers.disarm(datagram);
    this.#datagrams.delete(datagram.key);
    this.#costBytes -= datagram.costBytes;
  }

  #join(datagram: Datagram): PacketBuffer {
    this.#forget(datagram);
    const first = datagram.fragments[0]!.packet;
    const headerBytes = first.at - first.networkAt;
    const whole = PacketBuffer.allocate(headerBytes + datagram.endAt);
    const at = whole.extend(headerBytes + datagram.endAt);
    copyBytes(first.bytes, first.networkAt, whole.bytes, at, headerBytes);
    whole.networkAt = at;
    for (const { packet, from } of datagram.fragments) {
      copyBytes(packet.bytes, packet.at, whole.bytes, at + headerBytes + from, packet.len);
    }
    whole.noteFrom(first);
    whole.at = at + headerBytes;
    for (const { packet } of datagram.fragments) packet.release();
    return whole;
  }
}

const Placement = { ADDED: 0, DUPLICATE: 1, BROKEN: 2 } as const;
type Placement = (typeof Placement)[keyof typeof Placement];

/** Enters a fragment where it belongs. */
function place(datagram: Datagram, packet: PacketBuffer, from: number, to: number, hasMore: boolean): Placement {
  const { fragments } = datagram;
  if (to > PAYLOAD_BYTES_MAX || fragments.length >= FRAGMENTS_PER_DATAGRAM_MAX || to === from) return Placement.BROKEN;
  if (hasMore && ((to - from) & 7) !== 0) return Placement.BROKEN;
  let index = fragments.length;
  while (index > 0 && fragments[index - 1]!.from > from) index--;
  const before = fragments[index - 1];
  const after = fragments[index];
  if (before !== undefined && before.from === from && before.to === to) return Placement.DUPLICATE;
  if (before !== undefined && before.to > from) return Placement.BROKEN;
  if (after !== undefined && after.from < to) return Placement.BROKEN;
  if (hasMore ? datagram.endAt >= 0 && to >= datagram.endAt : after !== undefined) return Placement.BROKEN;
  if (!hasMore && datagram.endAt >= 0 && datagram.endAt !== to) return Placement.BROKEN;
  if (!hasMore) datagram.endAt = to;
  fragments.splice(index, 0, { packet, from, to });
  return Placement.ADDED;
}

function isComplete(datagram: Datagram): boolean {
  if (datagram.endAt < 0) return false;
  let reached = 0;
  for (const { from, to } of datagram.fragments) {
    if (from !== reached) return false;
    reached = to;
  }
  return reached === datagram.endAt;
}

function fragmentKey(src: IpAddress, dst: IpAddress, protocol: number, id: number): string {
  return `${src.w0},${src.w1},${src.w2},${src.w3},${dst.w0},${dst.w1},${dst.w2},${dst.w3},${protocol},${id}`;
}
