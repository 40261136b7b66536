import {
  CAP_SYS_ADMIN,
  CAP_SYS_RESOURCE,
  EAGAIN,
  EBUSY,
  EINVAL,
  ENOMEM,
  EPERM,
  EPIPE,
  PIPE_BUF,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
} from '@tsv/abi';
import { IoBuffer, copyBytes, type Caller } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { UserCount } from './user-count.js';

/** Bytes that a pipe holds, pipe(7). */
export const PIPE_BYTES_DEFAULT = 64 * 1024;
/** What F_SETPIPE_SZ allows without CAP_SYS_RESOURCE, /proc/sys/fs/pipe-max-size. */
export const PIPE_BYTES_MAX = 1024 * 1024;
/** Bytes of a new pipe of a user whose pipes have too many pages, pipe(7). */
const PIPE_BYTES_OVER_LIMIT = 2 * PIPE_BUF;
/** What no one may exceed. */
const PIPE_BYTES_LIMIT = 2 ** 30;

const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM;
const NO_BYTES = new Uint8Array(0);

/**
 * The buffer between the ends of a pipe or FIFO: a ring of bytes. Writers of at most PIPE_BUF bytes wait until all of
 * it fits; the pipe counts as writable while that much is free. Its pages count for the user who made it,
 * pipe-user-pages-soft of pipe(7), unless a privileged caller asked for them; a pipe that is small because of that limit
 * does not count.
 */
export class Pipe {
  readonly waiters = new WaitQueue();
  readerCount = 0;
  writerCount = 0;
  /** How often an end was opened: fifo(7) waits for these to change. */
  readerOpens = 0;
  writerOpens = 0;
  #ring: Uint8Array = NO_BYTES;
  #capacity = PIPE_BYTES_DEFAULT;
  #head = 0;
  #count = 0;
  /** With O_DIRECT: lengths of what was written, in order; packets negative, runs of plain bytes positive. */
  #records: number[] | null = null;

  readonly #pages: UserCount;
  readonly #uid: number;
  /** Pages that {@link #pages} has for this pipe. */
  #charged = 0;

  constructor(pages: UserCount, caller: Caller) {
    this.#pages = pages;
    this.#uid = caller.creds.fsuid;
    if (!isUnlimited(caller) && !this.#charge(PIPE_BYTES_DEFAULT)) this.#capacity = PIPE_BYTES_OVER_LIMIT;
  }

  /** Nobody has an end open any more: what is in it is lost, and who opens it anew needs another one. */
  closed(): void {
    this.#charge(0);
    this.#ring = NO_BYTES;
  }

  /** Bytes that can be read. */
  get count(): number {
    return this.#count;
  }

  /** Whether an end is open. */
  get isOpen(): boolean {
    return this.readerCount > 0 || this.writerCount > 0;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get free(): number {
    return this.#capacity - this.#count;
  }

  get isWritable(): boolean {
    return this.free >= PIPE_BUF;
  }

  /** Moves bytes to `io`. Returns how many; 0 at the end of file. Errors: EAGAIN, EFAULT. */
  read(io: IoBuffer): number {
    if (io.remaining === 0) return 0;
    if (this.#count === 0) return this.writerCount === 0 ? 0 : -EAGAIN;
    if (this.#records !== null) return this.#readRecord(io, this.#records);
    const moved = this.#copyOut(io, Math.min(this.#count, io.remaining));
    if (moved > 0) this.consume(moved);
    return moved;
  }

  /** Takes bytes from `io`. Returns how many. Errors: EAGAIN, EFAULT, ENOMEM, EPIPE. */
  write(io: IoBuffer, isPacket: boolean): number {
    if (io.remaining === 0) return 0;
    if (this.readerCount === 0) return -EPIPE;
    const len = isPacket ? Math.min(io.remaining, PIPE_BUF) : io.remaining;
    const free = this.free;
    if (free === 0 || (len <= PIPE_BUF && free < len)) return -EAGAIN;
    if (this.#ring === NO_BYTES) {
      const ring = allocate(this.#capacity);
      if (ring === null) return -ENOMEM;
      this.#ring = ring;
    }
    const moved = this.#copyIn(io, Math.min(free, len));
    if (moved > 0) this.#produced(moved, isPacket);
    return moved;
  }

  /** Drops `len` bytes from the front, which were read by other means. */
  consume(len: number): void {
    const freeBefore = this.free;
    this.#head = (this.#head + len) & (this.#capacity - 1);
    this.#count -= len;
    if (this.#records !== null) this.#consumeRecords(this.#records, len);
    this.#roomGrew(freeBefore);
  }

  /** Bytes `[at, at + returned)` of {@link ring} are the contiguous ones from `offset` on, at most `max`. */
  peek(offset: number, max: number): number {
    this.peekAt = (this.#head + offset) & (this.#capacity - 1);
    return Math.min(max, this.#count - offset, this.#capacity - this.peekAt);
  }
  peekAt = 0;

  get ring(): Uint8Array {
    return this.#ring;
  }

  /**
   * Changes the capacity to at least `bytes`, fcntl(2) F_SETPIPE_SZ. Returns the new capacity. Errors: EINVAL, EBUSY
   * when more is in the pipe, ENOMEM, EPERM when the user's pipes have too many pages.
   */
  resize(bytes: number, caller: Caller): number {
    if (bytes > PIPE_BYTES_LIMIT) return -EINVAL;
    const capacity = roundCapacity(bytes);
    if (capacity < this.#count) return -EBUSY;
    if (capacity === this.#capacity) return capacity;
    const ring = this.#ring === NO_BYTES ? NO_BYTES : allocate(capacity);
    if (ring === null) return -ENOMEM;
    if (capacity < this.#capacity) this.#charge(Math.min(capacity, this.#charged * PIPE_BUF));
    else if (!isUnlimited(caller) && !this.#charge(capacity)) return -EPERM;
    if (ring !== NO_BYTES) {
      const first = this.peek(0, this.#count);
      copyBytes(ring, 0, this.#ring, this.peekAt, first);
      copyBytes(ring, first, this.#ring, 0, this.#count - first);
      this.#ring = ring;
      this.#head = 0;
    }
    const freeBefore = this.free;
    this.#capacity = capacity;
    this.#roomGrew(freeBefore);
    return capacity;
  }

  /** Counts `bytes` for the user in place of what was counted. Returns false, and changes nothing, beyond the limit. */
  #charge(bytes: number): boolean {
    const more = bytes / PIPE_BUF - this.#charged;
    if (more <= 0) this.#pages.give(this.#uid, -more);
    else if (!this.#pages.take(this.#uid, more)) return false;
    this.#charged += more;
    return true;
  }

  /** Tells writers when PIPE_BUF bytes have become free. */
  #roomGrew(freeBefore: number): void {
    if (freeBefore < PIPE_BUF && this.free >= PIPE_BUF) this.waiters.notify(WRITABLE);
  }

  #copyOut(io: IoBuffer, len: number): number {
    const first = Math.min(len, this.#capacity - this.#head);
    const moved = io.put(this.#ring, this.#head, first);
    if (moved < first || first === len) return moved;
    return moved + Math.max(0, io.put(this.#ring, 0, len - first));
  }

  #copyIn(io: IoBuffer, len: number): number {
    const tail = (this.#head + this.#count) & (this.#capacity - 1);
    const first = Math.min(len, this.#capacity - tail);
    const moved = io.take(this.#ring, tail, first);
    if (moved < first || first === len) return moved;
    return moved + Math.max(0, io.take(this.#ring, 0, len - first));
  }

  #produced(len: number, isPacket: boolean): void {
    if (isPacket && this.#records === null) this.#records = this.#count > 0 ? [this.#count] : [];
    this.#count += len;
    const records = this.#records;
    if (records !== null) {
      const last = records.length - 1;
      if (isPacket) records.push(-len);
      else if (last >= 0 && records[last]! > 0) records[last]! += len;
      else records.push(len);
    }
    this.waiters.notify(READABLE);
  }

  /** One packet, of which the rest is lost, or bytes up to the next packet. */
  #readRecord(io: IoBuffer, records: number[]): number {
    const record = records[0]!;
    const moved = this.#copyOut(io, Math.min(Math.abs(record), io.remaining));
    if (moved > 0) this.consume(record < 0 ? -record : moved);
    return moved;
  }

  #consumeRecords(records: number[], len: number): void {
    let left = len;
    while (left > 0) {
      const record = records[0]!;
      const whole = Math.abs(record);
      if (whole > left) {
        records[0] = record < 0 ? left - whole : whole - left;
        return;
      }
      records.shift();
      left -= whole;
    }
    if (records.length === 0) this.#records = null;
  }
}

/** Whether `cap` is effective in the initial user namespace: in one of its own everybody has every capability. */
export function isCapable({ creds }: Caller, cap: number): boolean {
  return creds.hasInitialCap === undefined ? creds.hasCap(cap) : creds.hasInitialCap(cap);
}

/** Whether the limit for a user's pipes does not hold for `caller`, pipe(7). */
function isUnlimited(caller: Caller): boolean {
  return isCapable(caller, CAP_SYS_RESOURCE) || isCapable(caller, CAP_SYS_ADMIN);
}

/** A power of two that is a page or more. */
function roundCapacity(bytes: number): number {
  let capacity = PIPE_BUF;
  while (capacity < bytes) capacity *= 2;
  return capacity;
}

function allocate(bytes: number): Uint8Array | null {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** A pipe's content as the source of a write, from `reset` on; the pipe keeps it until {@link Pipe.consume}. */
export class PipeSource extends IoBuffer {
  #pipe: Pipe | null = null;
  #offset = 0;

  reset(pipe: Pipe, len: number): void {
    this.#pipe = pipe;
    this.#offset = 0;
    this.remaining = Math.min(len, pipe.count);
  }

  segment(max: number): number {
    const pipe = this.#pipe!;
    const len = pipe.peek(this.#offset, Math.min(max, this.remaining));
    this.seg = pipe.ring;
    this.segAt = pipe.peekAt;
    return len;
  }

  advance(len: number): void {
    this.#offset += len;
    this.remaining -= len;
  }
}
