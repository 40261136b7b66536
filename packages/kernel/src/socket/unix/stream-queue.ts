import { EAGAIN } from '@tsv/abi';
import { copyBytes, type IoBuffer, type OpenFile } from '@tsv/vfs';
import type { PeerCredentials } from '../peer-credentials.js';
import type { SocketMessage } from '../socket-message.js';
import type { ReceiveQueue } from './receive-queue.js';

const RING_BYTES_FIRST = 4096;

/** Bytes `[start, end)` of the stream, counted from its beginning, that something was sent with. */
interface Mark {
  readonly start: number;
  end: number;
  rights: OpenFile[] | null;
  readonly credentials: PeerCredentials | null;
}

/** What a stream socket has received: a ring of bytes, and marks for what was sent beside them. */
export class StreamQueue implements ReceiveQueue {
  #ring = new Uint8Array(0);
  /** Bytes ever read and written: the ring holds what lies between, at their remainders. */
  #readCount = 0;
  #writeCount = 0;
  readonly #marks: Mark[] = [];

  get usedBytes(): number {
    return this.#writeCount - this.#readCount;
  }

  get isEmpty(): boolean {
    return this.#writeCount === this.#readCount;
  }

  /** Bytes that SIOCINQ tells. */
  get nextBytes(): number {
    return this.usedBytes;
  }

  put(io: IoBuffer, limitBytes: number, message: SocketMessage): number {
    const free = limitBytes - this.usedBytes;
    if (free <= 0) return -EAGAIN;
    const len = Math.min(free, io.remaining);
    this.#reserve(this.usedBytes + len);
    const at = this.#writeCount & (this.#ring.length - 1);
    const first = Math.min(len, this.#ring.length - at);
    let moved = io.take(this.#ring, at, first);
    if (moved === first && first < len) moved += Math.max(0, io.take(this.#ring, 0, len - first));
    if (moved <= 0) return moved;
    const { rights, credentials } = message;
    if (rights !== null || credentials !== null) {
      this.#marks.push({ start: this.#writeCount, end: this.#writeCount + moved, rights, credentials });
      message.rights = null;
    }
    this.#writeCount += moved;
    return moved;
  }

  take(io: IoBuffer, message: SocketMessage, isPeek: boolean, offset: number, separatesSenders: boolean): number {
    if (this.usedBytes <= offset) return io.remaining === 0 ? 0 : -EAGAIN;
    let moved = 0;
    if (this.#marks.length === 0) moved = this.#copyOut(io, this.#readCount + offset, this.usedBytes - offset);
    else moved = this.#takeMarked(io, message, isPeek, offset, separatesSenders);
    if (moved > 0 && !isPeek) this.#consume(moved);
    return moved;
  }

  *rights(): IterableIterator<OpenFile> {
    for (const mark of this.#marks) if (mark.rights !== null) yield* mark.rights;
  }

  clear(): number {
    this.#readCount = this.#writeCount;
    let count = 0;
    for (const { rights } of this.#marks.splice(0)) {
      if (rights === null) continue;
      count += rights.length;
      for (const file of rights) file.decRef();
    }
    return count;
  }

  /** Goes from mark to mark: a read ends behind descriptors, and where the sender changes if that matters. */
  #takeMarked(
    io: IoBuffer,
    message: SocketMessage,
    isPeek: boolean,
    offset: number,
    separatesSenders: boolean,
  ): number {
    let at = this.#readCount + offset;
    let moved = 0;
    let index = 0;
    while (io.remaining > 0 && at < this.#writeCount) {
      while (index < this.#marks.length && this.#marks[index]!.end <= at) index++;
      const mark = this.#marks[index];
      const isInside = mark !== undefined && mark.start <= at;
      const credentials = isInside ? mark.credentials : null;
      if (moved === 0) message.credentials = credentials;
      else if (separatesSenders && !isSameSender(credentials, message.credentials)) break;
      const hadRights = isInside && mark.rights !== null;
      if (hadRights && message.rights !== null) break;
      const end = mark === undefined ? this.#writeCount : isInside ? mark.end : mark.start;
      const n = this.#copyOut(io, at, end - at);
      if (n <= 0) return moved > 0 ? moved : n;
      if (hadRights) {
        message.rights = isPeek ? shareFiles(mark.rights!) : mark.rights;
        if (!isPeek) mark.rights = null;
      }
      at += n;
      moved += n;
      if (hadRights) break;
    }
    return moved;
  }

  /** Copies up to `len` bytes from position `from` of the stream. */
  #copyOut(io: IoBuffer, from: number, len: number): number {
    const wanted = Math.min(len, io.remaining);
    const at = from & (this.#ring.length - 1);
    const first = Math.min(wanted, this.#ring.length - at);
    const moved = io.put(this.#ring, at, first);
    if (moved < first || first === wanted) return moved;
    return moved + Math.max(0, io.put(this.#ring, 0, wanted - first));
  }

  #consume(len: number): void {
    this.#readCount += len;
    while (this.#marks.length > 0 && this.#marks[0]!.end <= this.#readCount) this.#marks.shift();
    if (this.#readCount === this.#writeCount && this.#marks.length === 0) {
      this.#readCount = 0;
      this.#writeCount = 0;
    }
  }

  /** Makes room for `bytes` in all; a power of two, so that positions wrap by a mask. */
  #reserve(bytes: number): void {
    if (bytes <= this.#ring.length) return;
    let capacity = Math.max(RING_BYTES_FIRST, this.#ring.length);
    while (capacity < bytes) capacity *= 4;
    const ring = new Uint8Array(capacity);
    const mask = this.#ring.length - 1;
    const used = this.usedBytes;
    for (let done = 0; done < used;) {
      const from = (this.#readCount + done) & mask;
      const to = (this.#readCount + done) & (capacity - 1);
      const n = Math.min(used - done, mask + 1 - from, capacity - to);
      copyBytes(ring, to, this.#ring, from, n);
      done += n;
    }
    this.#ring = ring;
  }
}

/** A second reference of each file. */
function shareFiles(files: readonly OpenFile[]): OpenFile[] {
  for (const file of files) file.incRef();
  return [...files];
}

function isSameSender(a: PeerCredentials | null, b: PeerCredentials | null): boolean {
  return a === b || (a !== null && b !== null && a.pid === b.pid && a.uid === b.uid && a.gid === b.gid);
}
