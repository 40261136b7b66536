import {
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ECHONL,
  EAGAIN,
  ICANON,
  ICRNL,
  IEXTEN,
  IGNCR,
  IMAXBEL,
  INLCR,
  ISIG,
  ISTRIP,
  IUCLC,
  IUTF8,
  IXANY,
  IXON,
  NOFLSH,
  PARMRK,
  SIGINT,
  SIGQUIT,
  SIGTSTP,
  VEOF,
  VEOL,
  VEOL2,
  VERASE,
  VINTR,
  VKILL,
  VLNEXT,
  VMIN,
  VQUIT,
  VREPRINT,
  VSTART,
  VSTOP,
  VSUSP,
  VTIME,
  VWERASE,
} from '@tsv/abi';
import type { IoBuffer } from '@tsv/vfs';
import type { OutputProcessing } from './output-processing.js';
import type { Termios } from './termios.js';

/** Bytes of input that are kept, termios(3). */
const INPUT_BYTES_MAX = 4096;
const MASK = INPUT_BYTES_MAX - 1;
const BEL = 7;
const BS = 8;
const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const CARET = 94;
const DEL = 127;
/** Marks of a byte that ends a line: it belongs to the line, or (end of file) it does not. */
const LINE_END = 1;
const END_OF_FILE = 2;

/** What the line discipline asks of the terminal. */
export interface LineEvents {
  /** A control character asks for `signo` to be sent to the foreground process group. */
  signal(signo: number): void;
  /** Output is to stop, or to go on. */
  setStopped(isStopped: boolean): void;
  /** The queued output is to be dropped. */
  flushOutput(): void;
}

/**
 * The line discipline N_TTY, termios(3): edits and echoes what is typed, cuts it into lines in canonical mode, and
 * finds the characters that raise signals.
 */
export class LineDiscipline {
  readonly #termios: Termios;
  readonly #output: OutputProcessing;
  readonly #events: LineEvents;
  readonly #bytes = new Uint8Array(INPUT_BYTES_MAX);
  readonly #marks = new Uint8Array(INPUT_BYTES_MAX);
  /** Positions in the input, counted from its beginning: read up to here, complete lines up to here, typed up to here. */
  #tail = 0;
  #lineHead = 0;
  #head = 0;
  /** The next byte is taken literally, VLNEXT. */
  #isLiteral = false;
  /** Column where the line being typed began. */
  #lineColumn = 0;

  constructor(termios: Termios, output: OutputProcessing, events: LineEvents) {
    this.#termios = termios;
    this.#output = output;
    this.#events = events;
  }

  /** Bytes that a read can have now, FIONREAD. */
  get readableBytes(): number {
    if (!this.#isCanonical()) return this.#head - this.#tail;
    let count = 0;
    for (let at = this.#tail; at < this.#lineHead; at++) if (this.#marks[at & MASK] !== END_OF_FILE) count++;
    return count;
  }

  /** Whether a poll finds input: a line, or VMIN bytes (one if there is a timer). */
  get isReadable(): boolean {
    if (this.#isCanonical()) return this.#lineHead !== this.#tail;
    const { cc } = this.#termios;
    const needed = cc[VTIME] === 0 ? Math.max(1, cc[VMIN]!) : 1;
    return this.#head - this.#tail >= needed;
  }

  /** Bytes that can be typed before the sender must wait. A line that is too long does not end the typing. */
  get room(): number {
    const free = INPUT_BYTES_MAX - (this.#head - this.#tail) - 1;
    return free <= 0 && this.#isCanonical() && this.#lineHead === this.#tail ? 1 : Math.max(0, free);
  }

  /** A byte is typed. */
  receive(typed: number): void {
    const termios = this.#termios;
    let byte = termios.hasInput(ISTRIP) ? typed & 0x7f : typed;
    if (termios.hasInput(IUCLC) && termios.hasLocal(IEXTEN) && byte >= 65 && byte <= 90) byte += 32;
    if (this.#isLiteral) {
      this.#isLiteral = false;
      return this.#typed(byte);
    }
    if (this.#flowControl(byte) || this.#signalChar(byte)) return;
    if (byte === CR) {
      if (termios.hasInput(IGNCR)) return;
      if (termios.hasInput(ICRNL)) byte = LF;
    } else if (byte === LF && termios.hasInput(INLCR)) {
      byte = CR;
    }
    if (this.#isCanonical() && this.#editChar(byte)) return;
    this.#typed(byte);
  }

  /**
   * Gives input to `io`: up to the end of a line in canonical mode. Returns how many bytes; 0 for an end of file.
   * Errors: EAGAIN when there is no line or fewer than VMIN bytes, unless `isExpired` says that VTIME is over; EFAULT.
   */
  read(io: IoBuffer, isExpired: boolean): number {
    if (this.#isCanonical()) return this.#readLine(io);
    const available = this.#head - this.#tail;
    const needed = Math.min(this.#termios.cc[VMIN]!, io.remaining);
    if (available < needed && !isExpired) return -EAGAIN;
    if (available === 0)
      return this.#termios.cc[VMIN] === 0 && (isExpired || this.#termios.cc[VTIME] === 0) ? 0 : -EAGAIN;
    const moved = this.#copyOut(io, Math.min(available, io.remaining));
    if (moved > 0) this.#tail += moved;
    return moved;
  }

  /** Whether input is waiting that does not yet satisfy a read: the timer VTIME runs between bytes. */
  get hasBytes(): boolean {
    return this.#head !== this.#tail;
  }

  flush(): void {
    this.#tail = 0;
    this.#lineHead = 0;
    this.#head = 0;
    this.#marks.fill(0);
    this.#isLiteral = false;
  }

  /** ICANON was switched: what is there becomes a line, or bytes. */
  canonicalChanged(): void {
    this.#marks.fill(0);
    this.#lineHead = this.#tail;
    if (this.#isCanonical() && this.#head !== this.#tail) {
      this.#marks[(this.#head - 1) & MASK] = LINE_END;
      this.#lineHead = this.#head;
    }
    this.#isLiteral = false;
  }

  #isCanonical(): boolean {
    return this.#termios.hasLocal(ICANON);
  }

  #is(byte: number, index: number): boolean {
    const char = this.#termios.cc[index]!;
    return char !== 0 && byte === char;
  }

  /** START and STOP; anything starts output again with IXANY. */
  #flowControl(byte: number): boolean {
    const termios = this.#termios;
    if (!termios.hasInput(IXON)) return false;
    if (this.#is(byte, VSTART)) {
      this.#events.setStopped(false);
      return true;
    }
    if (this.#is(byte, VSTOP)) {
      this.#events.setStopped(true);
      return true;
    }
    if (termios.hasInput(IXANY)) this.#events.setStopped(false);
    return false;
  }

  #signalChar(byte: number): boolean {
    const termios = this.#termios;
    if (!termios.hasLocal(ISIG)) return false;
    let signo = 0;
    if (this.#is(byte, VINTR)) signo = SIGINT;
    else if (this.#is(byte, VQUIT)) signo = SIGQUIT;
    else if (this.#is(byte, VSUSP)) signo = SIGTSTP;
    if (signo === 0) return false;
    if (!termios.hasLocal(NOFLSH)) {
      this.flush();
      this.#events.flushOutput();
    }
    if (termios.hasInput(IXON)) this.#events.setStopped(false);
    if (termios.hasLocal(ECHO)) this.#echo(byte);
    this.#events.signal(signo);
    return true;
  }

  /** The characters of canonical mode. */
  #editChar(byte: number): boolean {
    const termios = this.#termios;
    const isExtended = termios.hasLocal(IEXTEN);
    if (this.#is(byte, VERASE)) return this.#erase();
    if (this.#is(byte, VKILL)) return this.#kill();
    if (isExtended && this.#is(byte, VWERASE)) return this.#eraseWord();
    if (isExtended && this.#is(byte, VLNEXT)) return this.#literalNext();
    if (isExtended && termios.hasLocal(ECHO) && this.#is(byte, VREPRINT)) return this.#reprint();
    if (byte === LF) {
      if (termios.hasLocal(ECHO) || termios.hasLocal(ECHONL)) this.#output.put(LF);
      return this.#endLine(LF, LINE_END);
    }
    if (this.#is(byte, VEOF)) return this.#endLine(0, END_OF_FILE);
    if (this.#is(byte, VEOL) || (isExtended && this.#is(byte, VEOL2))) {
      if (termios.hasLocal(ECHO)) this.#echo(byte);
      return this.#endLine(byte, LINE_END);
    }
    return false;
  }

  #endLine(byte: number, mark: number): true {
    if (this.#head - this.#tail >= INPUT_BYTES_MAX) this.#head--;
    this.#marks[this.#head & MASK] = mark;
    this.#bytes[this.#head & MASK] = byte;
    this.#head++;
    this.#lineHead = this.#head;
    return true;
  }

  /** An ordinary byte. */
  #typed(byte: number): void {
    if (this.#head - this.#tail >= INPUT_BYTES_MAX - 1) {
      if (this.#termios.hasInput(IMAXBEL)) this.#output.putRaw(BEL);
      return;
    }
    if (this.#termios.hasLocal(ECHO)) {
      if (this.#head === this.#lineHead) this.#lineColumn = this.#output.column;
      if (byte === LF) this.#output.put(LF);
      else this.#echo(byte);
    }
    this.#append(byte);
    if (byte === 0xff && this.#termios.hasInput(PARMRK)) this.#append(byte);
  }

  #append(byte: number): void {
    this.#marks[this.#head & MASK] = 0;
    this.#bytes[this.#head & MASK] = byte;
    this.#head++;
  }

  /** Echoes a byte, control characters as ^X with ECHOCTL. */
  #echo(byte: number): void {
    if (this.#termios.hasLocal(ECHOCTL) && isControl(byte) && byte !== TAB) {
      this.#output.put(CARET);
      this.#output.put(byte ^ 0o100);
    } else {
      this.#output.put(byte);
    }
  }

  #erase(): true {
    if (this.#head === this.#lineHead) return true;
    const byte = this.#dropChar();
    if (!this.#termios.hasLocal(ECHO)) return true;
    if (this.#termios.hasLocal(ECHOE)) this.#unecho(byte);
    else this.#echo(this.#termios.cc[VERASE]!);
    return true;
  }

  #eraseWord(): true {
    let hasSeenWord = false;
    while (this.#head !== this.#lineHead) {
      const isWord = isWordByte(this.#bytes[(this.#head - 1) & MASK]!);
      if (hasSeenWord && !isWord) break;
      hasSeenWord ||= isWord;
      const byte = this.#dropChar();
      if (this.#termios.hasLocal(ECHO)) this.#unecho(byte);
    }
    return true;
  }

  #kill(): true {
    if (this.#head === this.#lineHead) return true;
    const termios = this.#termios;
    if (termios.hasLocal(ECHO) && termios.hasLocal(ECHOK) && termios.hasLocal(ECHOKE) && termios.hasLocal(ECHOE)) {
      while (this.#head !== this.#lineHead) this.#unecho(this.#dropChar());
      return true;
    }
    this.#head = this.#lineHead;
    if (!termios.hasLocal(ECHO)) return true;
    this.#echo(termios.cc[VKILL]!);
    if (termios.hasLocal(ECHOK)) this.#output.put(LF);
    return true;
  }

  /** Drops the last character, all its bytes with IUTF8. Returns its first byte. */
  #dropChar(): number {
    let byte = 0;
    do {
      this.#head--;
      byte = this.#bytes[this.#head & MASK]!;
    } while (this.#termios.hasInput(IUTF8) && (byte & 0xc0) === 0x80 && this.#head !== this.#lineHead);
    return byte;
  }

  /** Takes the echo of a dropped character off the screen. */
  #unecho(byte: number): void {
    if (byte === TAB) return this.#unechoTab();
    const isEscaped = isControl(byte) && this.#termios.hasLocal(ECHOCTL);
    if (isControl(byte) && !isEscaped) return;
    for (let i = isEscaped ? 2 : 1; i > 0; i--) {
      this.#output.put(BS);
      this.#output.put(SPACE);
      this.#output.put(BS);
    }
  }

  /** A tab was as wide as the text before it on the line says. */
  #unechoTab(): void {
    let columns = 0;
    let hasTab = false;
    for (let at = this.#head - 1; at >= this.#lineHead; at--) {
      const byte = this.#bytes[at & MASK]!;
      if (byte === TAB) {
        hasTab = true;
        break;
      }
      if (isControl(byte)) columns += this.#termios.hasLocal(ECHOCTL) ? 2 : 0;
      else if (!this.#termios.hasInput(IUTF8) || (byte & 0xc0) !== 0x80) columns++;
    }
    if (!hasTab) columns += this.#lineColumn;
    for (let i = 8 - (columns & 7); i > 0; i--) this.#output.put(BS);
  }

  #literalNext(): true {
    this.#isLiteral = true;
    if (this.#termios.hasLocal(ECHO) && this.#termios.hasLocal(ECHOCTL)) {
      this.#output.putRaw(CARET);
      this.#output.putRaw(BS);
    }
    return true;
  }

  #reprint(): true {
    this.#echo(this.#termios.cc[VREPRINT]!);
    this.#output.put(LF);
    for (let at = this.#lineHead; at < this.#head; at++) this.#echo(this.#bytes[at & MASK]!);
    return true;
  }

  #readLine(io: IoBuffer): number {
    if (this.#lineHead === this.#tail) return -EAGAIN;
    let end = this.#tail;
    while (this.#marks[end & MASK] === 0) end++;
    const isEndOfFile = this.#marks[end & MASK] === END_OF_FILE;
    const len = isEndOfFile ? end - this.#tail : end - this.#tail + 1;
    const wanted = Math.min(len, io.remaining);
    const moved = wanted === 0 ? 0 : this.#copyOut(io, wanted);
    if (moved < 0) return moved;
    this.#tail += moved;
    if (moved === len && isEndOfFile) this.#tail++;
    return moved;
  }

  #copyOut(io: IoBuffer, len: number): number {
    const at = this.#tail & MASK;
    const first = Math.min(len, INPUT_BYTES_MAX - at);
    const moved = io.put(this.#bytes, at, first);
    if (moved < first || first === len) return moved;
    return moved + Math.max(0, io.put(this.#bytes, 0, len - first));
  }
}

function isControl(byte: number): boolean {
  return byte < SPACE || byte === DEL;
}

function isWordByte(byte: number): boolean {
  return (
    (byte >= 48 && byte <= 57) ||
    (byte >= 65 && byte <= 90) ||
    byte === 95 ||
    (byte >= 97 && byte <= 122) ||
    byte >= 128
  );
}
