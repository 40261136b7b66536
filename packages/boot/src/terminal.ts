import {
  SIZEOF_TERMIOS,
  close as closeFd,
  fcntl,
  pollFd,
  read,
  tcgetattr,
  tcgetwinsize,
  tcsetattr,
  write,
} from '@tsv/host';
import { EAGAIN, F_GETFL, F_SETFL, O_NOCTTY, O_NONBLOCK, O_RDWR, POLLHUP, POLLIN, POLLOUT, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import { DevptsFileSystem, type Kernel, type PtyMaster, type ThreadGroup } from '@tsv/kernel';
import { MemoryIo, type Caller, type OpenFile } from '@tsv/vfs';
import { WaitEntry } from '@tsv/waiter';
import type { ContainerFiles } from './container-mounter.js';
import type { TerminalFds } from './host-terminal.js';
import { SandboxError } from './sandbox-error.js';

const BUFFER_BYTES = 16 * 1024;
/** What a terminal that says it has room takes without waiting. */
const PIECE_BYTES = 1024;
/** How long the last output may take to be read. */
const DRAIN_MS = 1000;
/** tcsetattr(3) TCSADRAIN: output that was written goes out first. */
const TCSADRAIN = 1;
/** Offsets and bits of `struct termios`, <asm-generic/termbits.h>. */
const IFLAG = 0;
const OFLAG = 4;
const CFLAG = 8;
const LFLAG = 12;
const VMIN = 17 + 6;
const VTIME = 17 + 5;
const INPUT_PROCESSING = 0o5753; // IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
const OPOST = 1;
const LINE_PROCESSING = 0o100113; // ECHO ECHONL ICANON ISIG IEXTEN
const CSIZE_PARENB = 0o460;
const CS8 = 0o60;

class OutputEntry extends WaitEntry {
  isReady = true;
  notified(): void {
    this.isReady = true;
  }
}

/**
 * Joins the host's terminal to a pty of the container: the host's is raw meanwhile, so that the container's line
 * discipline echoes, edits and turns ^C into a signal. Window sizes follow.
 */
export class Terminal implements HostFdListener {
  readonly #master: PtyMaster;
  readonly #slaves: () => OpenFile;
  readonly #watcher: HostFdWatcher;
  readonly #caller: Caller;
  readonly #fds: TerminalFds;
  readonly #kernel: Kernel;
  readonly #saved = new Uint8Array(SIZEOF_TERMIOS);
  readonly #output = new OutputEntry();
  /** Output that the host's terminal had no room for: `[shownAt, shownEnd)` of `shown`. */
  readonly #shown = new Uint8Array(BUFFER_BYTES);
  #shownAt = 0;
  #shownEnd = 0;
  readonly #io = new MemoryIo(this.#shown, 0, 0);
  readonly #winsize = new Uint16Array(4);
  /** Typed bytes that the pty had no room for: `[typedAt, typedEnd)` of `typed`. */
  readonly #typed = new Uint8Array(BUFFER_BYTES);
  #typedAt = 0;
  #typedEnd = 0;
  #isClosed = false;

  /** Throws {@link SandboxError} when there is no pty to be had. */
  constructor(kernel: Kernel, watcher: HostFdWatcher, files: ContainerFiles, fds: TerminalFds) {
    this.#kernel = kernel;
    this.#watcher = watcher;
    this.#caller = files.caller;
    const devpts = devptsOf(kernel, files);
    const master = devpts.root.openMaster(devpts.root.get('ptmx')!, null, O_RDWR, files.caller);
    if (typeof master === 'number') throw new SandboxError(`Cannot open a terminal: ${errnoText(-master)}`);
    this.#master = master;
    master.tty.isLocked = false;
    this.#slaves = () => openSlave(kernel, files, devpts, master.index);
    this.#fds = fds;
    tcgetattr(fds.input, this.#saved);
    this.followSize();
    this.#makeRaw();
    // Someone who does not read must not hold the kernel up. A terminal that others use too stays as it is.
    if (!fds.isShared) fcntl(fds.output, F_SETFL, fcntl(fds.output, F_GETFL, 0) | O_NONBLOCK);
    for (const fd of new Set([fds.input, fds.output])) watcher.add(fd, this);
    this.#watch();
  }

  /** The program's end, opened once more. */
  openSlave(): OpenFile {
    return this.#slaves();
  }

  /** The terminal controls the session of `init`. */
  attach(init: ThreadGroup): void {
    this.#master.tty.attachSession(init.leader);
  }

  /** The host's terminal is gone: the session on it is told, tty(4). */
  hangUp(): void {
    this.#master.tty.hangUp();
    this.#kernel.platform.wake();
  }

  /** Something was typed, or there is room for output again. */
  hostFdReady(events: number): void {
    if ((events & POLLOUT) !== 0) this.#show();
    if (this.#isAllTyped() && (events & ~POLLOUT) !== 0) {
      const len = read(this.#fds.input, this.#typed, 0, BUFFER_BYTES);
      if (len > 0) {
        // SIGWINCH may still be on its way: what is typed must not overtake a size that was set before.
        this.followSize();
        this.#typedAt = 0;
        this.#typedEnd = len;
      } else if (len === 0 || (events & POLLHUP) !== 0) {
        this.hangUp();
        return;
      }
    }
    this.#type();
  }

  /** Carries what can be carried between the two; called when guests were served. */
  pump(): void {
    if (this.#isClosed) return;
    if (!this.#isAllTyped()) this.#type();
    if (this.#output.queue === null) this.#master.waiters.add(this.#output, POLLIN | POLLOUT);
    if (!this.#output.isReady) return;
    this.#output.isReady = false;
    this.#show();
  }

  /** Gives the host's terminal back as it was, when the last output is on it. */
  close(): void {
    if (this.#isClosed) return;
    const { input, output, isOwned, isShared } = this.#fds;
    const endMs = performance.now() + DRAIN_MS;
    do this.#show();
    while (!this.#isAllShown() && performance.now() < endMs && pollFd(output, POLLOUT, DRAIN_MS) >= 0);
    this.#isClosed = true;
    if (isShared) tcsetattr(input, TCSADRAIN, this.#saved);
    this.#output.leave();
    for (const fd of new Set([input, output])) {
      this.#watcher.remove(fd);
      if (isOwned) closeFd(fd);
    }
    this.#master.decRef();
  }

  #isAllTyped(): boolean {
    return this.#typedAt === this.#typedEnd;
  }
  #isAllShown(): boolean {
    return this.#shownAt === this.#shownEnd;
  }

  #type(): void {
    const io = this.#io;
    io.reset(this.#typed, this.#typedAt, this.#typedEnd - this.#typedAt);
    const n = this.#master.write(io);
    if (n === -EAGAIN) return; // pump tries again when the program has read.
    this.#typedAt = n < 0 ? this.#typedEnd : this.#typedAt + n;
    this.#watch();
    this.#kernel.platform.wake();
  }

  #show(): void {
    const io = this.#io;
    for (;;) {
      if (this.#isAllShown()) {
        io.reset(this.#shown, 0, BUFFER_BYTES);
        const len = this.#master.read(io);
        if (len <= 0) return;
        this.#shownAt = 0;
        this.#shownEnd = len;
      }
      const n = this.#writeOutput(this.#shownEnd - this.#shownAt);
      if (n === -EAGAIN) return this.#watch();
      this.#shownAt = n < 0 ? this.#shownEnd : this.#shownAt + n; // Nobody sees what a dead terminal does not take.
    }
  }

  #writeOutput(len: number): number {
    const { output, isShared } = this.#fds;
    if (!isShared) return write(output, this.#shown, this.#shownAt, len);
    if ((pollFd(output, POLLOUT, 0) & ~POLLIN) === 0) return -EAGAIN; // Such as after ^S: a write would wait.
    return write(output, this.#shown, this.#shownAt, Math.min(len, PIECE_BYTES));
  }

  /** Asks to be told of typed bytes when there is room for them, and of room when output waits. */
  #watch(): void {
    const { input, output } = this.#fds;
    const inputEvents = this.#isAllTyped() ? POLLIN : 0;
    const outputEvents = this.#isAllShown() ? 0 : POLLOUT;
    if (input === output) this.#watcher.watchOnce(input, inputEvents | outputEvents);
    else {
      this.#watcher.watchOnce(input, inputEvents);
      if (outputEvents !== 0) this.#watcher.watchOnce(output, outputEvents);
    }
  }

  /** The host's terminal may have changed its size. */
  followSize(): void {
    if (tcgetwinsize(this.#fds.input, this.#winsize) < 0) return;
    const [rows, columns, xPixels, yPixels] = this.#winsize;
    this.#master.tty.setWindowSize(rows!, columns!, xPixels!, yPixels!);
    this.#kernel.platform.wake();
  }

  /** cfmakeraw(3). */
  #makeRaw(): void {
    const raw = this.#saved.slice();
    const view = new DataView(raw.buffer);
    const clear = (at: number, bits: number): void => {
      view.setUint32(at, view.getUint32(at, true) & ~bits, true);
    };
    clear(IFLAG, INPUT_PROCESSING);
    clear(OFLAG, OPOST);
    clear(LFLAG, LINE_PROCESSING);
    clear(CFLAG, CSIZE_PARENB);
    view.setUint32(CFLAG, view.getUint32(CFLAG, true) | CS8, true);
    raw[VMIN] = 1;
    raw[VTIME] = 0;
    tcsetattr(this.#fds.input, TCSADRAIN, raw);
  }
}

/** The container's own ptys, or ones without a name where it has none. */
function devptsOf(kernel: Kernel, files: ContainerFiles): DevptsFileSystem {
  const at = kernel.vfs.resolve(files.caller, files.root, '/dev/pts');
  const fs = typeof at === 'number' ? null : at.inode.fs;
  if (typeof at !== 'number') at.decRef();
  return fs instanceof DevptsFileSystem ? fs : new DevptsFileSystem(kernel, { mode: 0o620 });
}

/** By its name in the container where it has one, so that ttyname(3) finds it. */
function openSlave(kernel: Kernel, files: ContainerFiles, devpts: DevptsFileSystem, index: number): OpenFile {
  const { vfs } = kernel;
  let file = vfs.openAt(files.caller, files.root, `/dev/pts/${index}`, O_RDWR | O_NOCTTY, 0);
  if (typeof file === 'number') {
    const inode = devpts.root.lookup(String(index));
    file = typeof inode === 'number' ? inode : inode.open(null, O_RDWR | O_NOCTTY, files.caller);
  }
  if (typeof file === 'number') throw new SandboxError(`Cannot open the terminal: ${errnoText(-file)}`);
  return file;
}
