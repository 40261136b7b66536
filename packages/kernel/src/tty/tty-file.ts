import {
  EIO,
  ENOTTY,
  O_ACCMODE,
  O_NOCTTY,
  O_WRONLY,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  SIGTTOU,
  TIOCSPGRP,
  TOSTOP,
} from '@tsv/abi';
import { OpenFile, type Caller, type Inode, type IoBuffer, type VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import { callingTask } from '../task/calling-task.js';
import type { Task } from '../task/task.js';
import { slaveIoctl } from './tty-ioctl.js';
import type { Tty } from './tty.js';

/** An open terminal: the program's end of a pty(7). */
export class TtyFile extends OpenFile {
  readonly tty: Tty;
  readonly #hangupCount: number;

  /** `t` is whoever opens it: a session leader without a terminal gets it as its own, unless O_NOCTTY. */
  constructor(tty: Tty, inode: Inode, path: VfsPath | null, flags: number, t: Task | null) {
    super(inode, path, flags & ~O_NOCTTY);
    this.tty = tty;
    this.#hangupCount = tty.hangupCount;
    tty.slaveOpened();
    if (t !== null && (flags & O_NOCTTY) === 0 && (flags & O_ACCMODE) !== O_WRONLY) takeTerminal(tty, t);
  }

  override get waiters(): WaitQueue {
    return this.tty.slaveQueue;
  }

  /** Whether the line was cut since it was opened. */
  get isHungUp(): boolean {
    return this.#hangupCount !== this.tty.hangupCount;
  }

  override readiness(): number {
    if (this.isHungUp) return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
    return this.tty.slaveReadiness;
  }

  /** Errors: EAGAIN, EFAULT, EIO, ERESTARTSYS for a background process. */
  override read(io: IoBuffer, caller: Caller): number {
    return this.isHungUp || io.remaining === 0 ? 0 : this.tty.readInput(io, callingTask(caller));
  }

  /** Errors: EAGAIN, EFAULT, EIO, ERESTARTSYS for a background process with TOSTOP. */
  override write(io: IoBuffer, caller: Caller): number {
    if (this.isHungUp) return -EIO;
    if (this.tty.termios.hasLocal(TOSTOP)) {
      const status = this.tty.checkForeground(callingTask(caller), SIGTTOU);
      if (status < 0) return status;
    }
    return this.tty.writeOutput(io);
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (this.isHungUp) return cmd === TIOCSPGRP ? -ENOTTY : -EIO;
    return slaveIoctl(this.tty, cmd, arg, callingTask(caller));
  }

  protected override release(): void {
    this.tty.slaveClosed();
  }
}

/** Makes `tty` the controlling terminal of a session leader that has none, if it is nobody's, tty(4). */
function takeTerminal(tty: Tty, t: Task): void {
  const { threadGroup } = t;
  if (threadGroup.isSessionLeader && threadGroup.session.tty === null && tty.session === null) tty.attachSession(t);
}
