import { preadLater } from '@tsv/host';
import { EIO } from '@tsv/abi';
import type { IoBuffer, PendingRead } from '@tsv/vfs';
import type { HostHandle } from './host-handle.js';
import { HostHandleWork } from './host-pool-work.js';

/** What one such read takes from the file at most: it lies in a buffer until the caller comes for it. */
export const COLD_READ_BYTES_MAX = 1024 * 1024;
/** What the host reads on its own behind a read that goes on where the last one ended. */
export const READ_AHEAD_BYTES = 1024 * 1024;

/** What a device may ask of the address of a buffer at most, open(2) O_DIRECT. */
const DIRECT_ALIGNMENT = 4096;

/** A read of what the host does not have in its page cache. */
export class HostColdRead extends HostHandleWork implements PendingRead {
  readonly offset: number;
  /** Bytes asked for; there are fewer where the file ends. */
  readonly len: number;
  #bytes: Uint8Array | null = null;
  #error = 0;

  /** Begins. `isSequential`: more is wanted soon. */
  constructor(handle: HostHandle, offset: number, len: number, isSequential: boolean) {
    super(handle);
    this.offset = offset;
    this.len = Math.min(len, COLD_READ_BYTES_MAX);
    const aheadBytes = isSequential ? READ_AHEAD_BYTES : 0;
    preadLater(handle.fd, this.len, offset, aheadBytes, handle.isDirect ? DIRECT_ALIGNMENT : 1).then(
      (result) => {
        this.#finish(result);
      },
      () => {
        this.#finish(-EIO);
      },
    );
  }

  get isDone(): boolean {
    return this.#bytes !== null || this.#error < 0;
  }

  isOf(handle: HostHandle, offset: number): boolean {
    return this.handle === handle && this.offset === offset;
  }

  /** Gives what was read to `io`. Returns the count of bytes, 0 at the end of the file, or an error. */
  give(io: IoBuffer): number {
    const bytes = this.#bytes;
    if (bytes === null) return this.#error;
    const len = Math.min(bytes.length, io.remaining);
    return len === 0 ? 0 : io.put(bytes, 0, len);
  }

  #finish(result: Uint8Array | number): void {
    if (typeof result === 'number') this.#error = result;
    else this.#bytes = result;
    this.done();
  }
}
