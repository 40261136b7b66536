import type { Errno } from '@tsv/abi';
import type { IoBuffer } from '../../file/io-buffer.js';
import type { Mappable } from '../../file/mappable.js';

/** The bytes of one regular file, wherever they lie; holes read as zeros. Also the file as memory for mmap(2). */
export interface FileContent extends Mappable {
  /** Pages that are there. */
  readonly pageCount: number;
  /** Gives bytes from `offset` on. Returns how many, 0 at the end. Errors: EFAULT. */
  read(io: IoBuffer, offset: number): number;
  /** Takes all that `io` has to `offset`. Returns how many bytes. Errors: EFAULT, EFBIG, ENOSPC. */
  write(io: IoBuffer, offset: number): number;
  /** Makes the file `lenBytes` long. Returns 0. Errors: EFBIG, ENOSPC. */
  truncate(lenBytes: number): 0 | Errno;
  /** Makes a hole of `[start, end)`; the size stays. Returns 0. */
  punchHole(start: number, end: number): 0 | Errno;
  /** Takes room for `[start, end)` now. Returns 0. Errors: ENOSPC; what was taken by the call is given back then. */
  preallocate(start: number, end: number): 0 | Errno;
  /** The first byte of data at `offset` or after, or -1: SEEK_DATA. */
  nextData(offset: number): number;
  /** The first byte of a hole at `offset` or after; the end of the file is one: SEEK_HOLE. */
  nextHole(offset: number): number;
  /** Called before the content is mapped. Returns 0, or the error for mmap(2). */
  beforeMapping(): 0 | Errno;
  /** Gives everything back: the file is gone. */
  destroy(): void;
}
