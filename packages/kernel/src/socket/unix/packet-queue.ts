import { EAGAIN, EMSGSIZE, MSG_TRUNC } from '@tsv/abi';
import type { IoBuffer, OpenFile } from '@tsv/vfs';
import type { PeerCredentials } from '../peer-credentials.js';
import type { SocketMessage } from '../socket-message.js';
import type { ReceiveQueue } from './receive-queue.js';

/** Room that every packet takes up beside its bytes. */
const PACKET_OVERHEAD_BYTES = 32;

interface Packet {
  readonly bytes: Uint8Array;
  /** `sockaddr` of the sender. */
  readonly address: Uint8Array | null;
  rights: OpenFile[] | null;
  readonly credentials: PeerCredentials | null;
}

/** What a datagram or seqpacket socket has received: packets, each read once and as a whole. */
export class PacketQueue implements ReceiveQueue {
  readonly #packets: Packet[] = [];
  #usedBytes = 0;

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get isEmpty(): boolean {
    return this.#packets.length === 0;
  }

  /** Packets in it. */
  get count(): number {
    return this.#packets.length;
  }

  get nextBytes(): number {
    return this.#packets[0]?.bytes.length ?? 0;
  }

  put(io: IoBuffer, limitBytes: number, message: SocketMessage): number {
    const len = io.remaining;
    if (len > limitBytes - PACKET_OVERHEAD_BYTES) return -EMSGSIZE;
    if (this.#usedBytes > 0 && this.#usedBytes + len + PACKET_OVERHEAD_BYTES > limitBytes) return -EAGAIN;
    const bytes = new Uint8Array(len);
    const moved = len === 0 ? 0 : io.take(bytes, 0, len);
    if (moved < 0) return moved;
    const address = message.addressLen > 0 ? message.address.slice(0, message.addressLen) : null;
    this.#packets.push({ bytes, address, rights: message.rights, credentials: message.credentials });
    message.rights = null;
    this.#usedBytes += len + PACKET_OVERHEAD_BYTES;
    return len;
  }

  take(io: IoBuffer, message: SocketMessage, isPeek: boolean, offset: number): number {
    const packet = this.#packets[0];
    if (packet === undefined) return -EAGAIN;
    const left = packet.bytes.length - offset;
    const wanted = Math.min(io.remaining, Math.max(0, left));
    const moved = wanted === 0 ? 0 : io.put(packet.bytes, offset, wanted);
    if (moved < 0) return moved;
    if (moved < left) message.flags |= MSG_TRUNC;
    message.wholeBytes = packet.bytes.length;
    message.credentials = packet.credentials;
    message.addressLen = 0;
    if (packet.address !== null) {
      message.address.set(packet.address);
      message.addressLen = packet.address.length;
    }
    if (isPeek) {
      if (packet.rights !== null) for (const file of packet.rights) file.incRef();
      message.rights = packet.rights === null ? null : [...packet.rights];
      return moved;
    }
    message.rights = packet.rights;
    this.#packets.shift();
    this.#usedBytes -= packet.bytes.length + PACKET_OVERHEAD_BYTES;
    return moved;
  }

  *rights(): IterableIterator<OpenFile> {
    for (const packet of this.#packets) if (packet.rights !== null) yield* packet.rights;
  }

  clear(): number {
    this.#usedBytes = 0;
    let count = 0;
    for (const { rights } of this.#packets.splice(0)) {
      if (rights === null) continue;
      count += rights.length;
      for (const file of rights) file.decRef();
    }
    return count;
  }
}
