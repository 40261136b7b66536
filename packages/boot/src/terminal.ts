import { isatty, read, tcgetattr, tcgetwinsize, tcsetattr, write } from '@tsv/host';
import { EAGAIN, O_NOCTTY, O_RDWR, POLLHUP, POLLIN, POLLOUT, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import { DevptsFileSystem, type Kernel, type PtyMaster, type ThreadGroup } from '@tsv/kernel';
import { MemoryIo, type Caller, type OpenFile } from '@tsv/vfs';
import { WaitEntry } from '@tsv/waiter';
import type { ContainerFiles } from './container-mounter.js';
import { SandboxError } from './sandbox-error.js';

const STDIN = 0;
const STDOUT = 1;
const TERMIOS_BYTES = 36;
const BUFFER_BYTES = 16 * 1024;
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

/** Whether the host's terminal is ours: standard input and output are one. */
export function hasHostTerminal(): boolean {
  return isatty(STDIN) && isatty(STDOUT);
}

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
  readonly #kernel: Kernel;
  readonly #saved = new Uint8Array(TERMIOS_BYTES);
  readonly #output = new OutputEntry();
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  readonly #io = new MemoryIo(this.#buffer, 0, 0);
  readonly #winsize = new Uint16Array(4);
  /** Typed bytes that the pty had no room for: `[typedAt, typedEnd)` of `typed`. */
  readonly #typed = new Uint8Array(BUFFER_BYTES);
  #typedAt = 0;
  #typedEnd = 0;
  readonly #onResize = (): void => {
    this.#followSize();
  };

  /** Throws {@link SandboxError} when there is no pty to be had. */
  constructor(kernel: Kernel, watcher: HostFdWatcher, files: ContainerFiles) {
    this.#kernel = kernel;
    this.#watcher = watcher;
    this.#caller = files.caller;
    const devpts = kernel.ttys.devpts ?? new DevptsFileSystem(kernel, { mode: 0o620 });
    const master = devpts.root.openMaster(devpts.root.get('ptmx')!, null, O_RDWR, files.caller);
    if (typeof master === 'number') throw new SandboxError(`Cannot open a terminal: ${errnoText(-master)}`);
    this.#master = master;
    master.tty.isLocked = false;
    this.#slaves = () => openSlave(kernel, files, devpts, master.index);
    tcgetattr(STDIN, this.#saved);
    this.#followSize();
    this.#makeRaw();
    watcher.add(STDIN, this);
    watcher.watchOnce(STDIN, POLLIN);
    process.on('SIGWINCH', this.#onResize);
  }

  /** The program's end, opened once more. */
  openSlave(): OpenFile {
    return this.#slaves();
  }

  /** The terminal controls the session of `init`. */
  attach(init: ThreadGroup): void {
    this.#master.tty.attachSession(init.leader);
  }

  /** Something was typed. */
  hostFdReady(events: number): void {
    if (this.#typedAt === this.#typedEnd) {
      const len = read(STDIN, this.#typed, 0, BUFFER_BYTES);
      if (len > 0) {
        this.#typedAt = 0;
        this.#typedEnd = len;
      } else if (len === 0 || (events & POLLHUP) !== 0) {
        return; // The terminal is gone; SIGHUP tells the container.
      }
    }
    this.#type();
  }

  /** Carries what can be carried between the two; called when guests were served. */
  pump(): void {
    if (this.#typedAt < this.#typedEnd) this.#type();
    if (this.#output.queue === null) this.#master.waiters.add(this.#output, POLLIN | POLLOUT);
    if (!this.#output.isReady) return;
    this.#output.isReady = false;
    this.#show();
  }

  /** Gives the host's terminal back as it was, when the last output is on it. */
  close(): void {
    this.#show();
    this.#output.leave();
    process.off('SIGWINCH', this.#onResize);
    this.#watcher.remove(STDIN);
    tcsetattr(STDIN, TCSADRAIN, this.#saved);
    this.#master.decRef();
  }

  #type(): void {
    const io = this.#io;
    io.reset(this.#typed, this.#typedAt, this.#typedEnd - this.#typedAt);
    const n = this.#master.write(io);
    if (n === -EAGAIN) return; // pump tries again when the program has read.
    this.#typedAt = n < 0 ? this.#typedEnd : this.#typedAt + n;
    if (this.#typedAt === this.#typedEnd) this.#watcher.watchOnce(STDIN, POLLIN);
    this.#kernel.platform.wake();
  }

  #show(): void {
    const io = this.#io;
    for (;;) {
      io.reset(this.#buffer, 0, BUFFER_BYTES);
      const len = this.#master.read(io);
      if (len <= 0) return;
      for (let at = 0; at < len;) {
        const n = write(STDOUT, this.#buffer, at, len - at);
        if (n < 0 && n !== -EAGAIN) return;
        at += Math.max(0, n);
      }
    }
  }

  #followSize(): void {
    if (tcgetwinsize(STDIN, this.#winsize) < 0) return;
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
    tcsetattr(STDIN, TCSADRAIN, raw);
  }
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
