import { close, fallocate, fdatasync, fsync, ftruncate, lseek, preadv2, pwritev2 } from '@tsv/host';
import { EBADF, EINVAL, O_APPEND, SEEK_CUR, SEEK_DATA, SEEK_END, SEEK_HOLE, SEEK_SET } from '@tsv/abi';
import { OpenFile, type Caller, type IoBuffer, type Mappable, type MappingObserver, type VfsPath } from '@tsv/vfs';
import type { HostInode } from './host-inode.js';

/** An open regular file of the host: data goes straight between the host's file and the caller's memory. */
export class HostRegularFile extends OpenFile {
  declare readonly inode: HostInode;
  readonly #fd: number;
  readonly #mappable: HostMappable;

  /** Takes `fd` over. */
  constructor(inode: HostInode, path: VfsPath | null, flags: number, fd: number) {
    super(inode, path, flags);
    inode.incRef();
    this.#fd = fd;
    this.#mappable = new HostMappable(inode, fd);
  }

  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number, _caller: Caller): number {
    let moved = 0;
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const n = preadv2(this.#fd, io.seg, io.segAt, len, offset + moved, 0);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      io.advance(n);
      moved += n;
      if (n < len) return moved;
    }
    return moved;
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
    let moved = 0;
    this.inode.markStale();
    while (io.remaining > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const n = pwritev2(this.#fd, io.seg, io.segAt, len, offset + moved, 0);
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
    else if (whence === SEEK_END || whence === SEEK_DATA || whence === SEEK_HOLE)
      target = lseek(this.#fd, offset, whence);
    else return -EINVAL;
    if (target < 0) return whence === SEEK_SET || whence === SEEK_CUR ? -EINVAL : target;
    this.pos = target;
    return target;
  }

  override truncate(lenBytes: number, _caller: Caller): number {
    const oldBytes = this.inode.sizeBytes;
    const error = ftruncate(this.#fd, lenBytes);
    if (error < 0) return error;
    this.inode.markStale();
    if (lenBytes < oldBytes) this.#mappable.truncated(lenBytes);
    return 0;
  }

  override allocate(mode: number, offset: number, len: number, _caller: Caller): number {
    this.inode.markStale();
    return fallocate(this.#fd, mode, offset, len);
  }

  override sync(isDataOnly: boolean, _caller: Caller): number {
    return isDataOnly ? fdatasync(this.#fd) : fsync(this.#fd);
  }

  override mappable(): Mappable {
    return this.#mappable;
  }

  protected override release(): void {
    close(this.#fd);
    this.inode.decRef();
  }
}

/** Pages of a host file: platforms map the host's descriptor itself. */
class HostMappable implements Mappable {
  readonly #inode: HostInode;
  readonly hostFd: number;
  runCount = 0;
  readonly #observers = new Set<MappingObserver>();

  constructor(inode: HostInode, fd: number) {
    this.#inode = inode;
    this.hostFd = fd;
  }

  get sizeBytes(): number {
    const error = this.#inode.refresh();
    return error < 0 ? 0 : this.#inode.sizeBytes;
  }

  pageRun(): number {
    return -EBADF;
  }

  addMapping(observer: MappingObserver): void {
    this.#observers.add(observer);
  }

  removeMapping(observer: MappingObserver): void {
    this.#observers.delete(observer);
  }

  /** The file ends at `lenBytes` now. */
  truncated(lenBytes: number): void {
    for (const observer of this.#observers) observer.invalidated(this, Math.ceil(lenBytes / 4096));
  }
}
