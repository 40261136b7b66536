import {
  EFAULT,
  EINVAL,
  EIO,
  FIONREAD,
  NSIG,
  O_CLOEXEC,
  TCFLSH,
  TCIFLUSH,
  TCIOFLUSH,
  TCOFLUSH,
  TIOCGPGRP,
  TIOCGPKT,
  TIOCGPTLCK,
  TIOCGPTN,
  TIOCGPTPEER,
  TIOCGSID,
  TIOCOUTQ,
  TIOCPKT,
  TIOCSIG,
  TIOCSPTLCK,
} from '@tsv/abi';
import { OpenFile, type Caller, type Inode, type IoBuffer, type VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import { getInt, putInt } from '../fd/user-int.js';
import { callingTask } from '../task/calling-task.js';
import type { Task } from '../task/task.js';
import { getForeground, ttyIoctl } from './tty-ioctl.js';
import type { Tty } from './tty.js';

/** The directory that names the program's ends of ptys, devpts. */
export interface PtyDirectory {
  /** Opens pty `index` whatever its lock, where it is beside the user's end, TIOCGPTPEER. */
  openSlave(index: number, flags: number, t: Task, masterPath: VfsPath | null): OpenFile | number;
  /** The user's end is closed: the name goes. */
  removePty(index: number): void;
}

/** The user's end of a pty(7), opened by ptmx(4). */
export class PtyMaster extends OpenFile {
  readonly tty: Tty;
  readonly index: number;
  readonly #directory: PtyDirectory;

  constructor(tty: Tty, index: number, directory: PtyDirectory, inode: Inode, path: VfsPath | null, flags: number) {
    super(inode, path, flags);
    this.tty = tty;
    this.index = index;
    this.#directory = directory;
  }

  override get waiters(): WaitQueue {
    return this.tty.masterQueue;
  }

  override readiness(): number {
    return this.tty.masterReadiness;
  }

  /** Errors: EAGAIN, EFAULT, EIO when the program's end is gone. */
  override read(io: IoBuffer): number {
    return this.tty.readOutput(io);
  }

  /** Errors: EAGAIN, EFAULT, EIO when the program's end is gone. */
  override write(io: IoBuffer): number {
    return this.tty.isSlaveGone ? -EIO : this.tty.writeInput(io);
  }

  /** Opens the program's end, unlocked or not. */
  openSlave(flags: number, t: Task): OpenFile | number {
    return this.#directory.openSlave(this.index, flags, t, this.path);
  }

  /** ioctl_tty(2) of the user's end. Errors: EFAULT, EINVAL, EMFILE, ENOTTY, and those of the program's end. */
  override ioctl(cmd: number, arg: number, caller: Caller): number {
    const t = callingTask(caller);
    const { tty } = this;
    switch (cmd) {
      case TIOCGPTN:
        return putInt(t, arg, this.index);
      case TIOCSPTLCK:
        return this.#withInt(t, arg, (value) => (tty.isLocked = value !== 0));
      case TIOCGPTLCK:
        return putInt(t, arg, tty.isLocked ? 1 : 0);
      case TIOCPKT:
        return this.#withInt(t, arg, (value) => this.#setPacketMode(value !== 0));
      case TIOCGPKT:
        return putInt(t, arg, tty.isPacketMode ? 1 : 0);
      case TIOCGPTPEER: {
        const slave = this.openSlave(arg % 0x1_0000_0000, t);
        return typeof slave === 'number' ? slave : t.fds.install(slave, 0, (arg & O_CLOEXEC) !== 0);
      }
      case TIOCSIG:
        if (arg < 1 || arg > NSIG) return -EINVAL;
        tty.signal(arg);
        return 0;
      case TIOCGPGRP:
        return getForeground(tty, arg, t);
      case TIOCGSID:
        return putInt(t, arg, tty.session?.id.in(t.pidNs) ?? 0);
      case FIONREAD:
        return putInt(t, arg, tty.outputBytes);
      case TIOCOUTQ:
        return putInt(t, arg, 0);
      case TCFLSH:
        return this.#flush(arg);
      default:
        return ttyIoctl(tty, cmd, arg, t);
    }
  }

  protected override release(): void {
    this.tty.masterClosed();
    this.#directory.removePty(this.index);
  }

  #setPacketMode(isOn: boolean): void {
    if (isOn && !this.tty.isPacketMode) this.tty.packetStatus = 0;
    this.tty.isPacketMode = isOn;
  }

  /** tcflush(3) on this end: its input is the program's output. */
  #flush(which: number): number {
    if (which !== TCIFLUSH && which !== TCOFLUSH && which !== TCIOFLUSH) return -EINVAL;
    if (which !== TCIFLUSH) this.tty.flushInput();
    if (which !== TCOFLUSH) this.tty.flushOutput();
    return 0;
  }

  #withInt(t: Task, arg: number, use: (value: number) => void): number {
    const value = getInt(t, arg);
    if (Number.isNaN(value)) return -EFAULT;
    use(value);
    return 0;
  }
}
