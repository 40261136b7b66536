import {
  EAGAIN,
  EIO,
  ERESTARTSYS,
  EXTPROC,
  ICANON,
  IXON,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
  SIGCONT,
  SIGHUP,
  SIGTTIN,
  SIGWINCH,
  TIOCPKT_DOSTOP,
  TIOCPKT_FLUSHREAD,
  TIOCPKT_FLUSHWRITE,
  TIOCPKT_NOSTOP,
  TIOCPKT_START,
  TIOCPKT_STOP,
  VMIN,
  VSTART,
  VSTOP,
  VTIME,
} from '@tsv/abi';
import { Timer, type TimerQueue, type Clock } from '@tsv/clock';
import type { IoBuffer } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import { kernelSignal } from '../signal/sig-info.js';
import { sendSignal } from '../signal/send-signal.js';
import type { ControllingTerminal, ProcessGroup, Session } from '../task/session.js';
import type { Task } from '../task/task.js';
import { ByteRing } from './byte-ring.js';
import { LineDiscipline, type LineEvents } from './line-discipline.js';
import { OutputProcessing } from './output-processing.js';
import { Termios } from './termios.js';

/** Output that waits to be read from the master side. */
const OUTPUT_BYTES_MAX = 64 * 1024;
/** Output that a poll for POLLOUT leaves room for. */
const WAKEUP_BYTES = 256;
const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM;
const ICANON_OR_EXTPROC = ICANON | EXTPROC;
/** Packet events that take each other back. */
const OPPOSITES: ReadonlyMap<number, number> = new Map([
  [TIOCPKT_STOP, TIOCPKT_START],
  [TIOCPKT_START, TIOCPKT_STOP],
  [TIOCPKT_DOSTOP, TIOCPKT_NOSTOP],
  [TIOCPKT_NOSTOP, TIOCPKT_DOSTOP],
]);
/** A unit of VTIME. */
const DECISECOND_MS = 100;

/** Size of a window, ioctl_tty(2). */
export interface WindowSize {
  rows: number;
  columns: number;
  xPixels: number;
  yPixels: number;
}

class ReadTimer extends Timer {
  readonly #tty: Tty;
  constructor(tty: Tty) {
    super();
    this.#tty = tty;
  }
  fired(): void {
    this.#tty.readExpired();
  }
}

/**
 * A terminal, tty(4): what the program's end (slave) and the user's end (master) of a pty(7) have in common. Bytes
 * typed by the user go through the line discipline to the program; what the program writes is processed and waits for
 * the user's end.
 */
export class Tty implements ControllingTerminal, LineEvents {
  readonly rdev: number;
  readonly termios = new Termios();
  readonly windowSize: WindowSize = { rows: 0, columns: 0, xPixels: 0, yPixels: 0 };
  readonly discipline: LineDiscipline;
  /** Told of input and room for output: the program's end. */
  readonly slaveQueue = new WaitQueue();
  /** Told of output and room for input: the user's end. */
  readonly masterQueue = new WaitQueue();
  readonly #outputRing = new ByteRing(OUTPUT_BYTES_MAX);
  readonly #output: OutputProcessing;
  readonly #clock: Clock;
  readonly #timers: TimerQueue;
  readonly #readTimer = new ReadTimer(this);
  #isReadExpired = false;
  /** The session that it controls. */
  session: Session | null = null;
  /** TIOCSPTLCK: the program's end cannot be opened. */
  isLocked = true;
  /** TIOCEXCL. */
  isExclusive = false;
  /** Output is held, by ^S or tcflow(3). */
  isStopped = false;
  isMasterOpen = true;
  slaveCount = 0;
  /** Whether the program's end was open once and is not now. */
  isSlaveGone = false;
  /** Hang-ups so far: files opened before the last one are dead. */
  hangupCount = 0;
  /** TIOCPKT: reads of the user's end begin with a status byte; events not told yet. */
  isPacketMode = false;
  packetStatus = 0;

  constructor(rdev: number, clock: Clock, timers: TimerQueue) {
    this.rdev = rdev;
    this.#clock = clock;
    this.#timers = timers;
    this.#output = new OutputProcessing(this.termios, this.#outputRing);
    this.discipline = new LineDiscipline(this.termios, this.#output, this);
  }

  /** The process group that reads from it and gets its signals. */
  get foregroundGroup(): ProcessGroup | null {
    return this.session?.foregroundGroup ?? null;
  }

  // The program's end.

  /** Reads input, read(2). Errors: EAGAIN, EFAULT, EIO, ERESTARTSYS. */
  readInput(io: IoBuffer, t: Task): number {
    const status = this.checkForeground(t, SIGTTIN);
    if (status < 0) return status;
    const roomBefore = this.discipline.room;
    const n = this.discipline.read(io, this.#isReadExpired);
    if (n === -EAGAIN) {
      if (this.isSlaveSideClosed) return 0;
      this.#armReadTimer();
      return -EAGAIN;
    }
    this.#isReadExpired = false;
    this.#timers.disarm(this.#readTimer);
    if (roomBefore === 0 || n > 0) this.masterQueue.notify(WRITABLE);
    return n;
  }

  /** Writes output, write(2). Errors: EAGAIN, EFAULT, EIO. */
  writeOutput(io: IoBuffer): number {
    if (!this.isMasterOpen) return -EIO;
    if (this.isStopped) return -EAGAIN;
    const output = this.#output;
    let moved = 0;
    while (io.remaining > 0 && output.hasRoom()) {
      const len = io.segment(io.remaining);
      if (len <= 0) {
        if (moved === 0) return len;
        break;
      }
      let taken = 0;
      while (taken < len && output.hasRoom()) output.put(io.seg[io.segAt + taken++]!);
      io.advance(taken);
      moved += taken;
    }
    if (moved === 0 && io.remaining > 0) return -EAGAIN;
    this.masterQueue.notify(READABLE);
    return moved;
  }

  get slaveReadiness(): number {
    let events = 0;
    if (this.discipline.isReadable) events |= READABLE;
    if (this.isSlaveSideClosed) events |= POLLHUP | READABLE;
    if (!this.isStopped && this.#outputRing.free > WAKEUP_BYTES) events |= WRITABLE;
    return events;
  }

  /** Whether nobody is left at the user's end. */
  get isSlaveSideClosed(): boolean {
    return !this.isMasterOpen;
  }

  // The user's end.

  /** Reads output. Errors: EAGAIN, EFAULT, EIO when the program's end is gone. */
  readOutput(io: IoBuffer): number {
    if (this.isPacketMode) return this.#readPacket(io);
    return this.#takeOutput(io);
  }

  /** Types bytes. Errors: EAGAIN, EFAULT. */
  writeInput(io: IoBuffer): number {
    let moved = 0;
    while (io.remaining > 0 && this.discipline.room > 0) {
      const len = io.segment(io.remaining);
      if (len <= 0) return moved > 0 ? moved : len;
      let taken = 0;
      while (taken < len && this.discipline.room > 0) this.discipline.receive(io.seg[io.segAt + taken++]!);
      io.advance(taken);
      moved += taken;
    }
    if (moved === 0 && io.remaining > 0) return -EAGAIN;
    this.#inputArrived();
    return moved;
  }

  get masterReadiness(): number {
    let events = 0;
    if (this.#outputRing.count > 0) events |= READABLE;
    if (this.isPacketMode && this.packetStatus !== 0) events |= POLLPRI | READABLE;
    if (this.isSlaveGone) events |= POLLHUP;
    if (this.discipline.room > 0) events |= WRITABLE;
    return events;
  }

  /** Bytes of output that wait. */
  get outputBytes(): number {
    return this.#outputRing.count;
  }

  masterClosed(): void {
    this.isMasterOpen = false;
    this.hangUp();
  }

  slaveOpened(): void {
    this.slaveCount++;
    this.isSlaveGone = false;
  }

  slaveClosed(): void {
    this.slaveCount--;
    if (this.slaveCount > 0) return;
    this.isSlaveGone = true;
    this.masterQueue.notify(POLLHUP | READABLE);
  }

  // Settings.

  /** Takes other settings over, tcsetattr(3). */
  setTermios(settings: Termios): void {
    const before = this.termios.lflag;
    const hadFlow = this.#hasStandardFlow();
    this.termios.copyFrom(settings);
    if (((before ^ this.termios.lflag) & ICANON_OR_EXTPROC) !== 0) this.discipline.canonicalChanged();
    const hasFlow = this.#hasStandardFlow();
    if (!hasFlow && this.isStopped) this.setStopped(false);
    if (hadFlow !== hasFlow) this.tellMaster(hasFlow ? TIOCPKT_DOSTOP : TIOCPKT_NOSTOP);
    if (this.discipline.isReadable) this.slaveQueue.notify(READABLE);
  }

  setWindowSize(rows: number, columns: number, xPixels: number, yPixels: number): void {
    const size = this.windowSize;
    const isSame =
      size.rows === rows && size.columns === columns && size.xPixels === xPixels && size.yPixels === yPixels;
    if (isSame) return;
    size.rows = rows;
    size.columns = columns;
    size.xPixels = xPixels;
    size.yPixels = yPixels;
    this.signal(SIGWINCH);
  }

  /** Drops input that was not read. */
  flushInput(): void {
    this.discipline.flush();
    this.tellMaster(TIOCPKT_FLUSHREAD);
    this.masterQueue.notify(WRITABLE);
  }

  flushOutput(): void {
    this.#outputRing.clear();
    this.tellMaster(TIOCPKT_FLUSHWRITE);
    this.slaveQueue.notify(WRITABLE);
  }

  setStopped(isStopped: boolean): void {
    if (this.isStopped === isStopped) return;
    this.isStopped = isStopped;
    this.tellMaster(isStopped ? TIOCPKT_STOP : TIOCPKT_START);
    if (!isStopped) this.slaveQueue.notify(WRITABLE);
  }

  /** Puts out a byte as it is, before anything that is written later. */
  sendChar(byte: number): void {
    this.#output.putRaw(byte);
    this.masterQueue.notify(READABLE);
  }

  /** Notes an event for packet mode; opposites replace each other. */
  tellMaster(status: number): void {
    if (!this.isPacketMode) return;
    const opposite = OPPOSITES.get(status) ?? 0;
    this.packetStatus = (this.packetStatus & ~opposite) | status;
    this.masterQueue.notify(POLLPRI | READABLE);
  }

  // Job control.

  /** Sends a signal to the foreground process group. */
  signal(signo: number): void {
    const group = this.foregroundGroup;
    if (group !== null) sendSignal(group, kernelSignal(signo));
  }

  /**
   * Whether `t` may use its terminal as `signo` (SIGTTIN to read, SIGTTOU to change) says: 0. A process of a background
   * group gets the signal: ERESTARTSYS; EIO if nobody could continue it, or it reads and ignores the signal.
   */
  checkForeground(t: Task, signo: number): number {
    const { session } = this;
    const group = t.threadGroup.processGroup;
    if (session === null || t.threadGroup.session !== session) return 0;
    if (session.foregroundGroup === null || session.foregroundGroup === group) return 0;
    if (t.signals.blocked.has(signo) || t.threadGroup.signalActions.isIgnored(signo))
      return signo === SIGTTIN ? -EIO : 0;
    if (group.isOrphaned()) return -EIO;
    sendSignal(group, kernelSignal(signo));
    return -ERESTARTSYS;
  }

  /** Becomes the controlling terminal of the session of `t`, whose leader it is. */
  attachSession(t: Task): void {
    const { session, processGroup } = t.threadGroup;
    this.session = session;
    session.tty = this;
    session.foregroundGroup = processGroup;
  }

  /** The session leader has exited or given the terminal up; the processes were told. */
  sessionEnded(session: Session): void {
    if (this.session === session) this.session = null;
  }

  /** The line is cut, vhangup(2): open files of the program's end are dead, and its session is told. */
  hangUp(): void {
    this.hangupCount++;
    const { session } = this;
    if (session !== null) {
      const group = session.foregroundGroup;
      sendSignal(session.leader, kernelSignal(SIGHUP));
      sendSignal(session.leader, kernelSignal(SIGCONT));
      if (group !== null && group !== session.leader.processGroup) {
        sendSignal(group, kernelSignal(SIGHUP));
        sendSignal(group, kernelSignal(SIGCONT));
      }
      session.tty = null;
      session.foregroundGroup = null;
      this.session = null;
    }
    this.discipline.flush();
    this.slaveQueue.notify(POLLHUP | POLLERR | READABLE | WRITABLE);
  }

  /** VTIME is over: a read that waits returns with what there is. */
  readExpired(): void {
    this.#isReadExpired = true;
    this.slaveQueue.notify(READABLE);
  }

  #takeOutput(io: IoBuffer): number {
    if (io.remaining === 0) return 0;
    if (this.#outputRing.count === 0) return this.isSlaveGone ? -EIO : -EAGAIN;
    const hadRoom = this.#outputRing.free > WAKEUP_BYTES;
    const moved = this.#outputRing.take(io);
    if (!hadRoom && this.#outputRing.free > WAKEUP_BYTES) this.slaveQueue.notify(WRITABLE);
    return moved;
  }

  #readPacket(io: IoBuffer): number {
    if (io.remaining === 0) return 0;
    if (this.packetStatus !== 0) {
      statusByte[0] = this.packetStatus;
      this.packetStatus = 0;
      return io.put(statusByte, 0, 1);
    }
    if (this.#outputRing.count === 0) return this.isSlaveGone ? -EIO : -EAGAIN;
    statusByte[0] = 0;
    const moved = io.put(statusByte, 0, 1);
    if (moved < 0 || io.remaining === 0) return moved;
    return moved + Math.max(0, this.#takeOutput(io));
  }

  #inputArrived(): void {
    if (this.#readTimer.isArmed) this.#armReadTimer();
    if (this.discipline.isReadable) this.slaveQueue.notify(READABLE);
    else if (this.discipline.hasBytes && this.termios.cc[VTIME] !== 0) this.slaveQueue.notify(READABLE);
    if (this.#outputRing.count > 0) this.masterQueue.notify(READABLE);
  }

  /** Starts VTIME for a read that waits in raw mode: at once with VMIN 0, else behind the first byte, termios(3). */
  #armReadTimer(): void {
    const timeMs = this.termios.cc[VTIME]! * DECISECOND_MS;
    if (timeMs === 0 || this.termios.hasLocal(ICANON)) return;
    if (this.termios.cc[VMIN] !== 0 && !this.discipline.hasBytes) return;
    this.#timers.arm(this.#readTimer, this.#clock.monotonicMs() + timeMs);
  }

  /** Whether ^S and ^Q stop and start, for packet mode. */
  #hasStandardFlow(): boolean {
    const { cc } = this.termios;
    return this.termios.hasInput(IXON) && cc[VSTOP] === 19 && cc[VSTART] === 17;
  }
}

const statusByte = new Uint8Array(1);
