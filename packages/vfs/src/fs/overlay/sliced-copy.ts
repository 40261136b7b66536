import { O_RDONLY, O_WRONLY, type Errno } from '@tsv/abi';
import type { WaitQueue } from '@tsv/waiter';
import { MemoryIo } from '../../file/io-buffer.js';
import type { OpenFile } from '../../file/open-file.js';
import type { PendingRead } from '../../file/pending-read.js';
import type { Inode } from '../../inode.js';
import { KERNEL_CALLER } from './copy-up.js';

/** A file of more bytes is copied in slices: others go on between them. */
export const COPY_AT_ONCE_BYTES_MAX = 1024 * 1024;
/** What one slice copies: a fraction of a millisecond. */
const SLICE_BYTES = 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

/** Shared by all copies: what it holds is written before anybody else gets a turn. */
const piece = new Uint8Array(PIECE_BYTES);

/** The copy of a file's content to an inode that has no name yet, as far as it has come. */
export class SlicedCopy {
  readonly copy: Inode;
  readonly #source: OpenFile;
  readonly #target: OpenFile;
  readonly #io = new MemoryIo(piece, 0, 0);
  /** A read that waits for a device. */
  #pending: PendingRead | null = null;
  #at = 0;

  private constructor(copy: Inode, source: OpenFile, target: OpenFile) {
    this.copy = copy;
    this.#source = source;
    this.#target = target;
    this.#io.canWait = true;
  }

  /** Begins to copy `from` to `copy`, whose reference it takes over when that works. Errors: what the layers say. */
  static begin(from: Inode, copy: Inode): SlicedCopy | Errno {
    const source = from.open(null, O_RDONLY, KERNEL_CALLER);
    if (typeof source === 'number') return source;
    const target = copy.open(null, O_WRONLY, KERNEL_CALLER);
    if (typeof target !== 'number') return new SlicedCopy(copy, source, target);
    source.decRef();
    return target;
  }

  /** What has to be waited for before the next {@link step}, or null. */
  get waiters(): WaitQueue | null {
    return this.#pending?.waiters ?? null;
  }

  /**
   * Copies on until `lenBytes` are there, for a slice at most. Returns how many bytes are missing, 0 at the end of the
   * source too. Errors: what the layers say.
   */
  step(lenBytes: number): number {
    const end = Math.min(lenBytes, this.#at + SLICE_BYTES);
    while (this.#at < end) {
      const moved = this.#move(Math.min(PIECE_BYTES, end - this.#at));
      if (this.#pending !== null) break;
      if (moved <= 0) return moved;
    }
    return Math.max(0, lenBytes - this.#at);
  }

  /** Ends it: the copy is the caller's. */
  finish(): void {
    this.#source.decRef();
    this.#target.decRef();
  }

  /** Ends it and gives up what was copied. */
  drop(): void {
    this.finish();
    this.copy.decRef();
  }

  #move(len: number): number {
    const io = this.#io;
    io.reset(piece, 0, len);
    io.pendingRead = this.#pending;
    const got = this.#source.readAt(io, this.#at, KERNEL_CALLER);
    this.#pending = io.pendingRead;
    if (got <= 0) return got;
    io.reset(piece, 0, got);
    io.pendingRead = null;
    const put = this.#target.writeAt(io, this.#at, KERNEL_CALLER);
    if (put > 0) this.#at += put;
    return put;
  }
}
