import { EIO, S_IFREG, type Errno } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import type { IoBuffer } from '../../file/io-buffer.js';
import { OpenFile } from '../../file/open-file.js';
import { seekFile } from '../../file/seek.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { SyntheticFileSystem } from './synthetic-file-system.js';
import { SyntheticInode } from './synthetic-inode.js';

/** Bytes that one write to a synthetic file takes at most. */
export const SYNTHETIC_WRITE_BYTES_MAX = 65536;

/** A file whose content is made when it is read, as in proc(5). */
export abstract class SyntheticFile extends SyntheticInode {
  constructor(fs: SyntheticFileSystem, permissions = 0o444) {
    super(fs, S_IFREG | permissions);
  }

  /** The content now: a byte string (one character a byte) or bytes. Errors are what read(2) returns. */
  abstract generate(caller: Caller): string | Uint8Array | Errno;

  /** A write(2) of `bytes` at `offset`. Returns how many were taken. Errors: EIO where nothing can be written. */
  write(_bytes: Uint8Array, _offset: number, _caller: Caller): number {
    return -EIO;
  }

  /** Whether `caller` may open it with `flags`, beyond the permission bits. Returns 0 or an error. */
  checkOpen(_flags: number, _caller: Caller): 0 | Errno {
    return 0;
  }

  override open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    const error = this.checkOpen(flags, caller);
    return error < 0 ? error : new OpenSyntheticFile(this, path, flags);
  }
}

/** Content is made at a read from offset 0 and kept until the next of those, so that reading in pieces is coherent. */
class OpenSyntheticFile extends OpenFile {
  declare readonly inode: SyntheticFile;
  #content: Uint8Array | null = null;

  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number, caller: Caller): number {
    let content = this.#content;
    if (content === null || offset === 0) {
      const made = this.inode.generate(caller);
      if (typeof made === 'number') return made;
      content = typeof made === 'string' ? bytesOf(made) : made;
      this.#content = content;
    }
    const len = Math.min(io.remaining, content.length - offset);
    return len <= 0 ? 0 : io.put(content, offset, len);
  }

  override writeAt(io: IoBuffer, offset: number, caller: Caller): number {
    const bytes = new Uint8Array(Math.min(io.remaining, SYNTHETIC_WRITE_BYTES_MAX));
    const taken = io.take(bytes, 0, bytes.length);
    return taken < 0 ? taken : this.inode.write(bytes.subarray(0, taken), offset, caller);
  }

  override seek(offset: number, whence: number, _caller: Caller): number {
    return seekFile(this, offset, whence, this.#content?.length ?? 0);
  }

  override truncate(_lenBytes: number, _caller: Caller): number {
    return 0;
  }
}

function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
