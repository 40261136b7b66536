import { OCRNL, OLCUC, ONLCR, ONLRET, ONOCR, OPOST, TABDLY, XTABS } from '@tsv/abi';
import type { ByteRing } from './byte-ring.js';
import type { Termios } from './termios.js';

const BS = 8;
const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const DEL = 127;
const TAB_COLUMNS = 8;

/** What a terminal makes of the bytes that are written to it, termios(3) `c_oflag`; it knows the cursor's column. */
export class OutputProcessing {
  readonly #termios: Termios;
  readonly #ring: ByteRing;
  column = 0;

  constructor(termios: Termios, ring: ByteRing) {
    this.#termios = termios;
    this.#ring = ring;
  }

  /** Whether one more byte, of any kind, has room. */
  hasRoom(): boolean {
    return this.#ring.free >= TAB_COLUMNS;
  }

  /** Puts out a byte as `c_oflag` says. */
  put(byte: number): void {
    const termios = this.#termios;
    if (!termios.hasOutput(OPOST)) return this.#ring.push(byte);
    switch (byte) {
      case LF:
        if (termios.hasOutput(ONLRET)) this.column = 0;
        if (termios.hasOutput(ONLCR)) {
          this.column = 0;
          this.#ring.push(CR);
        }
        this.#ring.push(LF);
        return;
      case CR:
        return this.#carriageReturn();
      case TAB:
        return this.#tab();
      case BS:
        if (this.column > 0) this.column--;
        this.#ring.push(BS);
        return;
      default:
        if (byte >= SPACE && byte !== DEL && (byte & 0xc0) !== 0x80) this.column++;
        this.#ring.push(termios.hasOutput(OLCUC) ? upperCase(byte) : byte);
    }
  }

  /** Puts out a byte as it is. */
  putRaw(byte: number): void {
    this.#ring.push(byte);
  }

  #carriageReturn(): void {
    const termios = this.#termios;
    if (termios.hasOutput(ONOCR) && this.column === 0) return;
    if (termios.hasOutput(OCRNL)) {
      if (termios.hasOutput(ONLRET)) this.column = 0;
      this.#ring.push(LF);
      return;
    }
    this.column = 0;
    this.#ring.push(CR);
  }

  #tab(): void {
    const columns = TAB_COLUMNS - (this.column & (TAB_COLUMNS - 1));
    this.column += columns;
    if ((this.#termios.oflag & TABDLY) !== XTABS) return this.#ring.push(TAB);
    for (let i = 0; i < columns; i++) this.#ring.push(SPACE);
  }
}

function upperCase(byte: number): number {
  return byte >= 97 && byte <= 122 ? byte - 32 : byte;
}
