import { dropCached, fallocate, fdatasync, fsync, ftruncate, lseek, preadv2, pwritev2 } from '@tsv/host';
import {
  EAGAIN,
  EFBIG,
  EINVAL,
  ENXIO,
  EOPNOTSUPP,
  O_APPEND,
  RWF_NOWAIT,
  SEEK_CUR,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  SEEK_SET,
} from '@tsv/abi';
import {
  FILE_BYTES_MAX,
  OpenFile,
  type Caller,
  type IoBuffer,
  type Mappable,
  type PendingSync,
  type VfsPath,
} from '@tsv/vfs';
import { HostColdRead } from './host-cold-read.js';
import type { HostHandle } from './host-handle.js';
import type { HostInode } from './host-inode.js';
import { HostSync } from './host-sync.js';

/** posix_fadvise(2). */
const POSIX_FADV_DONTNEED = 4;
/** The least alignment that O_DIRECT asks for, open(2). */
const SECTOR_BYTES = 512;

/** An open regular file of the host: data goes straight between the host's file and the caller's memory. */
export class HostRegularFile extends OpenFile {
  declare readonly inode: HostInode;
  readonly #handle: HostHandle;
  /** Where the last read of what was not in the page cache ended. */
  #coldEnd = -1;

  /** Takes over a use of `handle`. */
  constructor(inode: HostInode, path: VfsPath | null, flags: number, handle: HostHandle) {
    super(inode, path, flags);
    inode.incRef();
    this.#handle = handle;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number, caller: Caller): number {
    // No file of the host is as long, and offsets beyond it are not exact.
    if (offset > FILE_BYTES_MAX - io.remaining) return 0;
    if (io.canWait && this.#handle.canTellCold) return this.#readOrWait(io, offset, caller);
    if (io.canWait && this.#handle.isDirect) {
      const n = this.#readDirect(io, offset);
      if (n !== null) return n;
    }
    let moved = 0;
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const n = preadv2(this.#handle.fd, io.seg, io.segAt, len, offset + moved, 0);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      io.advance(n);
      moved += n;
      if (n < len) return moved;
    }
    return moved;
  }

  /** Reads what the host has in its page cache; the rest is read by a thread, and the caller waits for it. */
  #readOrWait(io: IoBuffer, offset: number, caller: Caller): number {
    const { pendingRead } = io;
    let moved = 0;
    if (pendingRead instanceof HostColdRead && pendingRead.isOf(this.#handle, offset)) {
      if (!pendingRead.isDone) return -EAGAIN;
      moved = pendingRead.give(io);
      if (moved < pendingRead.len) {
        io.pendingRead = null;
        return moved;
      }
    }
    io.pendingRead = null;
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const at = offset + moved;
      let n = preadv2(this.#handle.fd, io.seg, io.segAt, len, at, RWF_NOWAIT);
      if (n === -EAGAIN && !HostColdRead.hasRoom) n = preadv2(this.#handle.fd, io.seg, io.segAt, len, at, 0);
      if (n === -EAGAIN) {
        io.pendingRead = this.#readLater(at, len);
        return moved > 0 ? moved : -EAGAIN;
      }
      if (n === -EOPNOTSUPP && moved === 0) {
        this.#handle.cannotTellCold();
        return this.readAt(io, offset, caller);
      }
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      io.advance(n);
      moved += n;
      // A short read ends where the file does, or where the page cache does.
      if (n < len && this.inode.isKnownToEndAt(at + n)) return moved;
    }
    return moved;
  }

  /**
   * Has a thread read past the page cache, and the caller wait for it. Returns null where the host is to be asked at once:
   * it judges the alignment of the caller's memory, and there may be no thread.
   */
  #readDirect(io: IoBuffer, offset: number): number | null {
    const { pendingRead } = io;
    if (pendingRead instanceof HostColdRead && pendingRead.isOf(this.#handle, offset)) {
      if (!pendingRead.isDone) return -EAGAIN;
      io.pendingRead = null;
      return pendingRead.give(io);
    }
    io.pendingRead = null;
    const len = io.segment(io.remaining);
    if (len <= 0 || io.segAt % SECTOR_BYTES !== 0 || !HostColdRead.hasRoom) return null;
    io.pendingRead = new HostColdRead(this.#handle, offset, io.remaining, false);
    return -EAGAIN;
  }

  #readLater(offset: number, len: number): HostColdRead {
    const read = new HostColdRead(this.#handle, offset, len, offset === this.#coldEnd);
    this.#coldEnd = offset + read.len;
    return read;
  }

  override write(io: IoBuffer, caller: Caller): number {
    if ((this.flags & O_APPEND) === 0) return super.write(io, caller);
    this.inode.markStale();
    const error = this.inode.refresh();
    if (error < 0) return error;
    this.pos = this.inode.sizeBytes;
    return super.write(io, caller);
  }

  override writeAt(io: IoBuffer, offset: number, _caller: Caller): number {
    if (offset > FILE_BYTES_MAX - io.remaining) return -EFBIG;
    let moved = 0;
    this.inode.markStale();
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const n = pwritev2(this.#handle.fd, io.seg, io.segAt, len, offset + moved, 0);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      io.advance(n);
      moved += n;
    }
    return moved;
  }

  override seek(offset: number, whence: number, _caller: Caller): number {
    let target: number;
    if (whence === SEEK_SET) target = offset;
    else if (whence === SEEK_CUR) target = this.pos + offset;
    else if (Math.abs(offset) > FILE_BYTES_MAX) return whence === SEEK_END ? -EINVAL : -ENXIO;
    else if (whence === SEEK_END || whence === SEEK_DATA || whence === SEEK_HOLE)
      target = lseek(this.#handle.fd, offset, whence);
    else return -EINVAL;
    if (target < 0) return whence === SEEK_SET || whence === SEEK_CUR ? -EINVAL : target;
    this.pos = target;
    return target;
  }

  override truncate(lenBytes: number, _caller: Caller): number {
    if (lenBytes > FILE_BYTES_MAX) return -EFBIG;
    const oldBytes = this.inode.sizeBytes;
    const error = ftruncate(this.#handle.fd, lenBytes);
    if (error < 0) return error;
    this.inode.markStale();
    if (lenBytes < oldBytes) this.#handle.truncated(lenBytes);
    return 0;
  }

  override allocate(mode: number, offset: number, len: number, _caller: Caller): number {
    this.inode.markStale();
    return fallocate(this.#handle.fd, mode, offset, len);
  }

  override sync(isDataOnly: boolean, _caller: Caller): number {
    return isDataOnly ? fdatasync(this.#handle.fd) : fsync(this.#handle.fd);
  }

  override advise(offset: number, len: number, advice: number): void {
    if (offset + len > FILE_BYTES_MAX) return;
    if (advice === POSIX_FADV_DONTNEED) dropCached(this.#handle.fd, offset, len);
  }

  override beginSync(isDataOnly: boolean, caller: Caller): PendingSync | number {
    return HostSync.hasRoom ? new HostSync(this.#handle, isDataOnly) : this.sync(isDataOnly, caller);
  }

  override mappable(): Mappable {
    return this.#handle.mappable;
  }

  protected override release(): void {
    this.inode.releaseHandle(this.#handle);
    this.inode.decRef();
  }
}
