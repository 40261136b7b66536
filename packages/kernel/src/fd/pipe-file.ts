import {
  CAP_SYS_RESOURCE,
  ENOTTY,
  EPERM,
  FIONREAD,
  O_DIRECT,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  S_IFIFO,
} from '@tsv/abi';
import { OpenFile, type Caller, type Inode, type IoBuffer, type VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import { AnonymousInode, type AnonymousFiles } from './anonymous-files.js';
import { PIPE_BYTES_MAX, Pipe, isCapable } from './pipe.js';
import type { UserCount } from './user-count.js';
import { putInt } from './user-int.js';

/** An open end of a pipe, or both ends of a FIFO, pipe(7). */
export class PipeFile extends OpenFile {
  readonly pipe: Pipe;
  /** {@link Pipe.writerOpens} when it was opened: a FIFO that had no writer yet has not hung up. */
  readonly #writerOpensAtOpen: number;
  readonly #readerOpensAtOpen: number;

  constructor(inode: Inode, path: VfsPath | null, flags: number, pipe: Pipe) {
    super(inode, path, flags);
    this.pipe = pipe;
    this.#writerOpensAtOpen = path !== null && pipe.writerCount === 0 ? pipe.writerOpens : -1;
    this.#readerOpensAtOpen = pipe.readerOpens;
    if (this.isReadable) {
      pipe.readerCount++;
      pipe.readerOpens++;
    }
    if (this.isWritable) {
      pipe.writerCount++;
      pipe.writerOpens++;
    }
    if (path !== null) pipe.waiters.notify(POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
  }

  override get waiters(): WaitQueue {
    return this.pipe.waiters;
  }

  /** A FIFO opened for one direction waits for somebody to open the other one, fifo(7). */
  override get isOpening(): boolean {
    const { pipe } = this;
    if (this.path === null || this.isNonblocking) return false;
    if (!this.isWritable) return pipe.writerCount === 0 && pipe.writerOpens === this.#writerOpensAtOpen;
    return !this.isReadable && pipe.readerCount === 0 && pipe.readerOpens === this.#readerOpensAtOpen;
  }

  override readiness(): number {
    const pipe = this.pipe;
    let events = 0;
    if (this.isReadable) {
      if (pipe.count > 0) events |= POLLIN | POLLRDNORM;
      if (pipe.writerCount === 0 && pipe.writerOpens !== this.#writerOpensAtOpen) events |= POLLHUP;
    }
    if (this.isWritable) {
      if (pipe.isWritable) events |= POLLOUT | POLLWRNORM;
      if (pipe.readerCount === 0) events |= POLLERR;
    }
    return events;
  }

  override read(io: IoBuffer): number {
    return this.pipe.read(io);
  }

  override write(io: IoBuffer): number {
    return this.pipe.write(io, (this.flags & O_DIRECT) !== 0);
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    return cmd === FIONREAD ? putInt(caller, arg, this.pipe.count) : -ENOTTY;
  }

  /** F_SETPIPE_SZ of fcntl(2). Errors: EPERM, and what {@link Pipe.resize} says. */
  resize(bytes: number, caller: Caller): number {
    const { pipe } = this;
    if (bytes > pipe.capacity && bytes > PIPE_BYTES_MAX && !isCapable(caller, CAP_SYS_RESOURCE)) return -EPERM;
    return pipe.resize(bytes, caller);
  }

  protected override release(): void {
    const { pipe } = this;
    if (this.isReadable) pipe.readerCount--;
    if (this.isWritable) pipe.writerCount--;
    if (!pipe.isOpen) pipe.closed();
    if (pipe.readerCount === 0) pipe.waiters.notify(POLLERR | POLLOUT | POLLWRNORM);
    if (pipe.writerCount === 0) pipe.waiters.notify(POLLHUP | POLLIN | POLLRDNORM);
  }
}

/** The inode of a pipe, through which /proc/PID/fd/N opens either end once more. */
class PipeInode extends AnonymousInode {
  readonly #pages: UserCount;
  #pipe: Pipe;

  constructor(files: AnonymousFiles, pipe: Pipe) {
    super(files.pipefs, S_IFIFO | 0o600, 'pipe');
    this.#pages = files.pipePages;
    this.#pipe = pipe;
  }

  override open(_path: VfsPath | null, flags: number, caller: Caller): PipeFile {
    if (!this.#pipe.isOpen) this.#pipe = new Pipe(this.#pages, caller);
    return new PipeFile(this, null, flags, this.#pipe);
  }
}

/** The two ends of a new pipe of `caller`, pipe2(2): `flags` are O_NONBLOCK and O_DIRECT. */
export function createPipe(files: AnonymousFiles, flags: number, caller: Caller): [reader: PipeFile, writer: PipeFile] {
  const pipe = new Pipe(files.pipePages, caller);
  const inode = new PipeInode(files, pipe);
  return [
    new PipeFile(inode, null, O_RDONLY | (flags & O_NONBLOCK), pipe),
    new PipeFile(inode, null, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), pipe),
  ];
}
