import {
  EBADF,
  EINVAL,
  ENODEV,
  ENOTDIR,
  ENOTTY,
  ESPIPE,
  O_ACCMODE,
  O_APPEND,
  O_ASYNC,
  O_DIRECT,
  O_NOATIME,
  O_NONBLOCK,
  O_PATH,
  O_RDWR,
  O_WRONLY,
  type Errno,
} from '@tsv/abi';
import type { WaitQueue } from '@tsv/waiter';
import type { Caller } from '../caller.js';
import type { Inode } from '../inode.js';
import type { VfsPath } from '../path/vfs-path.js';
import type { IoBuffer } from './io-buffer.js';
import type { Mappable } from './mappable.js';
import type { PendingSync } from './pending-sync.js';

/** Takes directory entries: returns false when there is no room for this one. */
export interface DirentSink {
  /** `name` is a byte string; `type` is DT_*; `nextOffset` the position after the entry. */
  add(name: string, ino: number, type: number, nextOffset: number): boolean;
}

/** Who watches an open file without holding it (epoll(7)) and must hear when it is closed. An intrusive list node. */
export interface FileWatcher {
  /** The next watcher of the same file. Written by the watchers. */
  nextWatcher: FileWatcher | null;
  /** The last reference of `file` is gone; the list of watchers is empty already. */
  fileReleased(file: OpenFile): void;
}

/**
 * An open file description, open(2): what descriptors refer to. All operations are non-blocking: they return -EAGAIN
 * when they would wait, and {@link waiters} is told when readiness grows. Results are bytes or a negated errno.
 */
export abstract class OpenFile {
  /** Access mode and status flags (`O_*`), without creation flags. */
  flags: number;
  /** File offset, for seekable files. */
  pos = 0;
  /** Where it was opened; null for files outside of any path (pipes, sockets and other anonymous files). */
  readonly path: VfsPath | null;
  /** The inode, for fstat(2) and /proc/PID/fd. */
  readonly inode: Inode;
  /** First of the list of watchers. Written by the watchers. */
  watchers: FileWatcher | null = null;
  #refCount = 1;
  /** Whether it counts in {@link Inode.writerCount}. */
  #isWriter: boolean;

  constructor(inode: Inode, path: VfsPath | null, flags: number) {
    this.inode = inode;
    this.path = path;
    this.flags = flags;
    path?.incRef();
    this.#isWriter = path !== null && this.isWritable;
    if (this.#isWriter) inode.writerCount++;
  }

  get isReadable(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (mode === 0 || mode === O_RDWR) && (this.flags & O_PATH) === 0;
  }

  get isWritable(): boolean {
    const mode = this.flags & O_ACCMODE;
    return (mode === O_WRONLY || mode === O_RDWR) && (this.flags & O_PATH) === 0;
  }

  /** Opened with O_PATH: a place in the tree, not for I/O. */
  get isPathOnly(): boolean {
    return (this.flags & O_PATH) !== 0;
  }

  get isNonblocking(): boolean {
    return (this.flags & O_NONBLOCK) !== 0;
  }

  get refCount(): number {
    return this.#refCount;
  }

  incRef(): void {
    this.#refCount++;
  }

  /** Counts no more as one that may write, though it may: what it has open can be executed. */
  leaveWriters(): void {
    if (!this.#isWriter) return;
    this.#isWriter = false;
    this.inode.writerCount--;
  }

  /** Drops a reference; the last one closes the file. */
  decRef(): void {
    this.#refCount--;
    if (this.#refCount === 0) {
      this.#tellWatchers();
      this.inode.locks?.releaseOwner(this);
      this.leaveWriters();
      this.release();
      this.path?.decRef();
    } else if (this.#refCount < 0) {
      throw new Error('OpenFile.decRef: no reference is left');
    }
  }

  #tellWatchers(): void {
    let watcher = this.watchers;
    this.watchers = null;
    while (watcher !== null) {
      const next: FileWatcher | null = watcher.nextWatcher;
      watcher.nextWatcher = null;
      watcher.fileReleased(this);
      watcher = next;
    }
  }

  /**
   * Whether open(2) must not return yet (a FIFO without its other end): the opener waits on {@link waiters} and looks
   * again. It gives the file up when it is interrupted.
   */
  get isOpening(): boolean {
    return false;
  }

  /** Who waits for readiness; null for files that are always ready. */
  get waiters(): WaitQueue | null {
    return null;
  }

  /** Events that are true now, of `POLL*`, poll(2). */
  readiness(): number {
    return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
  }

  /** read(2) at the file offset. */
  read(io: IoBuffer, caller: Caller): number {
    const n = this.readAt(io, this.pos, caller);
    if (n > 0) this.pos += n;
    return n;
  }

  /** write(2) at the file offset, or at the end with O_APPEND. */
  write(io: IoBuffer, caller: Caller): number {
    const n = this.writeAt(io, this.pos, caller);
    if (n > 0) this.pos += n;
    return n;
  }

  /** pread(2). Errors: ESPIPE for a file without offsets. */
  readAt(_io: IoBuffer, _offset: number, _caller: Caller): number {
    return -ESPIPE;
  }

  /** pwrite(2). Errors: ESPIPE for a file without offsets. */
  writeAt(_io: IoBuffer, _offset: number, _caller: Caller): number {
    return -ESPIPE;
  }

  /** lseek(2): the new offset. Errors: EINVAL, ENXIO, EOVERFLOW, ESPIPE. */
  seek(_offset: number, _whence: number, _caller: Caller): number {
    return -ESPIPE;
  }

  /** Whether pread and pwrite make sense: regular files, directories, block devices. */
  get isSeekable(): boolean {
    return false;
  }

  /** getdents64(2): gives entries from the file offset on. Returns 0. Errors: ENOTDIR. */
  readDirents(_sink: DirentSink, _caller: Caller): number {
    return -ENOTDIR;
  }

  /** ioctl(2): `arg` is the raw third argument; memory is reached through `caller.memory`. Errors: ENOTTY. */
  ioctl(_cmd: number, _arg: number, _caller: Caller): number {
    return -ENOTTY;
  }

  /** ftruncate(2). */
  truncate(_lenBytes: number, _caller: Caller): number {
    return -EINVAL;
  }

  /** fallocate(2). */
  allocate(_mode: number, _offset: number, _len: number, _caller: Caller): number {
    return -ENODEV;
  }

  /** fsync(2), fdatasync(2). Errors: EINVAL for files that cannot be synchronised. */
  sync(_isDataOnly: boolean, _caller: Caller): number {
    return -EINVAL;
  }

  /** As {@link sync}, for a caller who can wait: what takes time goes on meanwhile. */
  beginSync(isDataOnly: boolean, caller: Caller): PendingSync | number {
    return this.sync(isDataOnly, caller);
  }

  /** posix_fadvise(2): `advice` is POSIX_FADV_*, `len` 0 is to the end of the file. Nothing depends on it. */
  advise(_offset: number, _len: number, _advice: number): void {
    // Most files are in memory as they are.
  }

  /** The file as memory for mmap(2). Errors: ENODEV. */
  mappable(): Mappable | Errno {
    return -ENODEV;
  }

  /** fcntl(2) F_SETFL: `flags` are the new status flags. Returns 0. */
  setStatusFlags(flags: number): number {
    this.flags = (this.flags & ~STATUS_FLAGS) | (flags & STATUS_FLAGS);
    return 0;
  }

  /** A descriptor of it was closed (others may remain), close(2). Returns 0 or what close reports. */
  flush(_caller: Caller): number {
    return 0;
  }

  /** The last reference is gone. */
  protected release(): void {
    // Nothing to give back by default.
  }

  /** Errors: EBADF when it was not opened for reading. */
  checkReadable(): number {
    return this.isReadable ? 0 : -EBADF;
  }

  /** Errors: EBADF when it was not opened for writing. */
  checkWritable(): number {
    return this.isWritable ? 0 : -EBADF;
  }
}

/** What F_SETFL can change, fcntl(2). */
const STATUS_FLAGS = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

const POLLIN = 0x1;
const POLLOUT = 0x4;
const POLLRDNORM = 0x40;
const POLLWRNORM = 0x100;
