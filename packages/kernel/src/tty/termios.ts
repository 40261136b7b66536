import {
  B38400,
  CREAD,
  CS8,
  C_CC,
  C_CFLAG,
  C_IFLAG,
  C_ISPEED,
  C_LFLAG,
  C_LINE,
  C_OFLAG,
  C_OSPEED,
  ECHO,
  ECHOCTL,
  ECHOE,
  ECHOK,
  ECHOKE,
  ICANON,
  ICRNL,
  IEXTEN,
  ISIG,
  IXON,
  NCC,
  NCCS,
  N_TTY,
  ONLCR,
  OPOST,
} from '@tsv/abi';

/** ^C ^\ DEL ^U ^D, VTIME 0, VMIN 1, then ^Q ^S ^Z, ^R ^O ^W ^V. */
const CONTROL_CHARS = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0] as const;
const SPEED = 38400;

/** The settings of a terminal, termios(3). A new one has those of Linux's pty(7). */
export class Termios {
  iflag = ICRNL | IXON;
  oflag = OPOST | ONLCR;
  cflag = B38400 | CS8 | CREAD;
  lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
  line = N_TTY;
  readonly cc = Uint8Array.from(CONTROL_CHARS);
  ispeed = SPEED;
  ospeed = SPEED;

  hasInput(flag: number): boolean {
    return (this.iflag & flag) !== 0;
  }
  hasOutput(flag: number): boolean {
    return (this.oflag & flag) !== 0;
  }
  hasLocal(flag: number): boolean {
    return (this.lflag & flag) !== 0;
  }

  copyFrom(other: Termios): void {
    this.iflag = other.iflag;
    this.oflag = other.oflag;
    this.cflag = other.cflag;
    this.lflag = other.lflag;
    this.line = other.line;
    this.cc.set(other.cc);
    this.ispeed = other.ispeed;
    this.ospeed = other.ospeed;
  }

  /** Stores a `struct termios`, or a `struct termios2` with the speeds. */
  store(mem: DataView, hasSpeeds: boolean): void {
    mem.setUint32(C_IFLAG, this.iflag, true);
    mem.setUint32(C_OFLAG, this.oflag, true);
    mem.setUint32(C_CFLAG, this.cflag, true);
    mem.setUint32(C_LFLAG, this.lflag, true);
    mem.setUint8(C_LINE, this.line);
    for (let i = 0; i < NCCS; i++) mem.setUint8(C_CC + i, this.cc[i]!);
    if (!hasSpeeds) return;
    mem.setUint32(C_ISPEED, this.ispeed, true);
    mem.setUint32(C_OSPEED, this.ospeed, true);
  }

  load(mem: DataView, hasSpeeds: boolean): void {
    this.iflag = mem.getUint32(C_IFLAG, true);
    this.oflag = mem.getUint32(C_OFLAG, true);
    this.cflag = mem.getUint32(C_CFLAG, true);
    this.lflag = mem.getUint32(C_LFLAG, true);
    this.line = mem.getUint8(C_LINE);
    for (let i = 0; i < NCCS; i++) this.cc[i] = mem.getUint8(C_CC + i);
    if (!hasSpeeds) return;
    this.ispeed = mem.getUint32(C_ISPEED, true);
    this.ospeed = mem.getUint32(C_OSPEED, true);
  }

  /** Stores a `struct termio`: the low halves, and eight control characters. */
  storeOld(mem: DataView): void {
    mem.setUint16(0, this.iflag, true);
    mem.setUint16(2, this.oflag, true);
    mem.setUint16(4, this.cflag, true);
    mem.setUint16(6, this.lflag, true);
    mem.setUint8(8, this.line);
    for (let i = 0; i < NCC; i++) mem.setUint8(9 + i, this.cc[i]!);
  }

  loadOld(mem: DataView): void {
    this.iflag = withLowHalf(this.iflag, mem.getUint16(0, true));
    this.oflag = withLowHalf(this.oflag, mem.getUint16(2, true));
    this.cflag = withLowHalf(this.cflag, mem.getUint16(4, true));
    this.lflag = withLowHalf(this.lflag, mem.getUint16(6, true));
    this.line = mem.getUint8(8);
    for (let i = 0; i < NCC; i++) this.cc[i] = mem.getUint8(9 + i);
  }
}

function withLowHalf(flags: number, low: number): number {
  return ((flags & 0xffff0000) | low) >>> 0;
}
