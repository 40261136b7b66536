import {
  close,
  fcntl,
  ftruncate,
  isatty,
  lseek,
  pollFd,
  preadv2,
  pwritev2,
  read,
  tcgetattr,
  tcsetattr,
  tcgetwinsize,
  write,
} from '@tsv/host';
import {
  EAGAIN,
  EFAULT,
  ENOTTY,
  ESPIPE,
  O_ACCMODE,
  POLLIN,
  POLLOUT,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Errno,
} from '@tsv/abi';
import {
  Inode,
  OpenFile,
  makedev,
  type Caller,
  type FileSystem,
  type IoBuffer,
  type SetAttributes,
  type VfsPath,
} from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { HostFdListener, HostFdWatcher } from './host-fd-watcher.js';
import { HostStat } from './host-stat.js';

const AT_EMPTY_PATH = 0x1000;
const F_DUPFD_CLOEXEC = 1030;
/** What a pipe that is writable takes without waiting, pipe(7) PIPE_BUF. */
const PIPE_BUF = 4096;
const TERMIOS_BYTES = 36;
/** ioctl_tty(2). */
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TCSETSF = 0x5404;
const TIOCGWINSZ = 0x5413;

const stat = new HostStat();
const termios = new Uint8Array(TERMIOS_BYTES);
const winsize = new Uint16Array(4);
const winsizeBytes = new Uint8Array(winsize.buffer);

/** Whose streams they are. */
export interface StreamInode extends Inode {
  readonly watcher: HostFdWatcher;
  /** A stream of it is gone. */
  streamClosed(): void;
}

/**
 * The inode of a descriptor that a sandbox was given, which it takes over: fstat(2) tells what the host says. A socket of
 * the host's is shown as a pipe: it can be read and written, and no socket call reaches it. The descriptor is closed when
 * the last file on it is.
 */
export class HostStreamInode extends Inode implements StreamInode {
  readonly watcher: HostFdWatcher;
  #hostFd: number;
  #openCount = 0;

  constructor(fs: FileSystem, ino: number, hostFd: number, watcher: HostFdWatcher) {
    super(fs, ino, S_IFCHR | 0o620);
    this.#hostFd = hostFd;
    this.watcher = watcher;
    this.refresh();
  }

  /** Whatever the host says it is, it is opened by its descriptor. */
  override get opensSpecial(): boolean {
    return true;
  }

  override refresh(): number {
    const error = stat.load(this.#hostFd, '', AT_EMPTY_PATH);
    if (error < 0) return error;
    this.mode = (stat.mode & S_IFMT) === S_IFSOCK ? S_IFIFO | (stat.mode & ~S_IFMT) : stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.sizeBytes = stat.sizeBytes;
    this.blockCount = stat.blockCount;
    this.blockBytes = stat.blockBytes;
    this.rdev = makedev(stat.rdevMajor, stat.rdevMinor);
    stat.storeTimes(this.atime, this.mtime, this.ctime, this.btime);
    return 0;
  }

  override setAttributes(change: SetAttributes, _caller: Caller): number {
    if (change.sizeBytes === undefined) return 0; // Times and modes of what we were given stay the host's business.
    const error = ftruncate(this.#hostFd, change.sizeBytes);
    return error < 0 ? error : this.refresh();
  }

  /** The descriptor once more, by /proc/PID/fd or /dev/stdin. */
  open(path: VfsPath | null, flags: number): OpenFile | Errno {
    const fd = fcntl(this.#hostFd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return fd;
    this.#openCount++;
    return new HostStream(this, path, flags & O_ACCMODE, fd);
  }

  /** The number is forgotten with the descriptor: another one may get it. */
  streamClosed(): void {
    if (--this.#openCount > 0) return;
    close(this.#hostFd);
    this.#hostFd = -1;
  }
}

/** A file that a sandbox was given by descriptor: standard input and output, or one passed on. Or a FIFO of the host. */
export class HostStream extends OpenFile implements HostFdListener {
  declare readonly inode: StreamInode;
  readonly #fd: number;
  readonly #waiters = new WaitQueue();
  /** Whether the host can say when it is ready; regular files always are. */
  readonly #canWait: boolean;

  /** Takes `fd` over. */
  constructor(inode: StreamInode, path: VfsPath | null, flags: number, fd: number) {
    super(inode, path, flags);
    this.#fd = fd;
    this.#canWait = inode.watcher.add(fd, this) === 0;
  }

  override get waiters(): WaitQueue {
    return this.#waiters;
  }

  override get isSeekable(): boolean {
    return (this.inode.mode & S_IFMT) === S_IFREG;
  }

  hostFdReady(events: number): void {
    this.#waiters.notify(events);
  }

  override readiness(): number {
    const wanted = (this.isReadable ? POLLIN : 0) | (this.isWritable ? POLLOUT : 0);
    const ready = this.#poll(wanted);
    const missing = wanted & ~ready;
    if (missing !== 0) this.inode.watcher.watchOnce(this.#fd, missing);
    return ready;
  }

  override read(io: IoBuffer, _caller: Caller): number {
    if (io.remaining === 0) return 0;
    if ((this.#poll(POLLIN) & ~POLLOUT) === 0) return this.#later(POLLIN);
    const len = io.segment(io.remaining);
    if (len <= 0) return len;
    const n = read(this.#fd, io.seg, io.segAt, len);
    if (n > 0) io.advance(n);
    return n;
  }

  override write(io: IoBuffer, _caller: Caller): number {
    const isPipe = (this.inode.mode & S_IFMT) !== S_IFREG;
    let moved = 0;
    while (io.remaining > 0) {
      if (isPipe && (this.#poll(POLLOUT) & ~POLLIN) === 0) return moved === 0 ? this.#later(POLLOUT) : moved;
      const len = io.segment(isPipe ? Math.min(io.remaining, this.#pieceBytes()) : io.remaining);
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      const n = write(this.#fd, io.seg, io.segAt, len);
      if (n <= 0) return n < 0 && moved === 0 ? n : moved;
      io.advance(n);
      moved += n;
    }
    return moved;
  }

  override readAt(io: IoBuffer, offset: number, _caller: Caller): number {
    if (!this.isSeekable) return -ESPIPE;
    const len = io.segment(io.remaining);
    if (len <= 0) return len;
    const n = preadv2(this.#fd, io.seg, io.segAt, len, offset, 0);
    if (n > 0) io.advance(n);
    return n;
  }

  override writeAt(io: IoBuffer, offset: number, _caller: Caller): number {
    if (!this.isSeekable) return -ESPIPE;
    const len = io.segment(io.remaining);
    if (len <= 0) return len;
    const n = pwritev2(this.#fd, io.seg, io.segAt, len, offset, 0);
    if (n > 0) io.advance(n);
    return n;
  }

  override seek(offset: number, whence: number, _caller: Caller): number {
    return this.isSeekable ? lseek(this.#fd, offset, whence) : -ESPIPE;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (!isatty(this.#fd)) return -ENOTTY;
    if (cmd === TCGETS) {
      const error = tcgetattr(this.#fd, termios);
      return error < 0 ? error : caller.memory.copyOut(arg, termios, 0, TERMIOS_BYTES);
    }
    if (cmd >= TCSETS && cmd <= TCSETSF) {
      if (caller.memory.copyIn(termios, 0, arg, TERMIOS_BYTES) !== 0) return -EFAULT;
      return tcsetattr(this.#fd, cmd - TCSETS, termios);
    }
    if (cmd === TIOCGWINSZ) {
      const error = tcgetwinsize(this.#fd, winsize);
      return error < 0 ? error : caller.memory.copyOut(arg, winsizeBytes, 0, winsizeBytes.length);
    }
    return -ENOTTY;
  }

  protected override release(): void {
    this.inode.watcher.remove(this.#fd);
    close(this.#fd);
    this.inode.streamClosed();
  }

  /** Bytes that one write may bring without blocking the kernel: a pipe's or socket's atomic size. */
  #pieceBytes(): number {
    return (this.inode.mode & S_IFMT) === S_IFIFO ? PIPE_BUF : 64 * 1024;
  }

  #poll(events: number): number {
    return this.#canWait ? pollFd(this.#fd, events, 0) : events;
  }

  #later(events: number): number {
    this.inode.watcher.watchOnce(this.#fd, events);
    return -EAGAIN;
  }
}
