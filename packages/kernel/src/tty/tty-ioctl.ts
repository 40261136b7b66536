import {
  CAP_SYS_ADMIN,
  EFAULT,
  EINVAL,
  EIO,
  ENOTTY,
  EPERM,
  ESRCH,
  FIONREAD,
  CLOCAL,
  N_TTY,
  SIGCONT,
  SIGHUP,
  SIGTTOU,
  SIZEOF_TERMIO,
  SIZEOF_TERMIOS,
  SIZEOF_TERMIOS2,
  SIZEOF_WINSIZE,
  TCFLSH,
  TCGETA,
  TCGETS,
  TCGETS2,
  TCIFLUSH,
  TCIOFF,
  TCIOFLUSH,
  TCION,
  TCOFLUSH,
  TCOOFF,
  TCOON,
  TCSBRK,
  TCSBRKP,
  TCSETA,
  TCSETAF,
  TCSETAW,
  TCSETS,
  TCSETS2,
  TCSETSF,
  TCSETSF2,
  TCSETSW,
  TCSETSW2,
  TCXONC,
  TIOCCBRK,
  TIOCEXCL,
  TIOCGDEV,
  TIOCGETD,
  TIOCGEXCL,
  TIOCGPGRP,
  TIOCGSID,
  TIOCGSOFTCAR,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCNXCL,
  TIOCOUTQ,
  TIOCSBRK,
  TIOCSCTTY,
  TIOCSETD,
  TIOCSPGRP,
  TIOCSSOFTCAR,
  TIOCSTI,
  TIOCSWINSZ,
  TIOCVHANGUP,
  VSTART,
  VSTOP,
  WS_COL,
  WS_ROW,
  WS_XPIXEL,
  WS_YPIXEL,
} from '@tsv/abi';
import { MemoryIo } from '@tsv/vfs';
import { getInt, putInt } from '../fd/user-int.js';
import { kernelSignal } from '../signal/sig-info.js';
import { sendSignal } from '../signal/send-signal.js';
import type { Task } from '../task/task.js';
import { Termios } from './termios.js';
import type { Tty } from './tty.js';

const bytes = new Uint8Array(SIZEOF_TERMIOS2);
const view = new DataView(bytes.buffer);
const settings = new Termios();

/** ioctl_tty(2) of the program's end. Errors: EFAULT, EINVAL, EIO, ENOTTY, EPERM, ERESTARTSYS, ESRCH. */
export function slaveIoctl(tty: Tty, cmd: number, arg: number, t: Task): number {
  switch (cmd) {
    case FIONREAD:
      return putInt(t, arg, tty.discipline.readableBytes);
    case TIOCOUTQ:
      return putInt(t, arg, 0);
    case TIOCSCTTY:
      return setControllingTerminal(tty, arg, t);
    case TIOCNOTTY:
      return giveUpTerminal(tty, t);
    case TIOCSTI:
      return simulateInput(tty, arg, t);
    case TIOCGPGRP:
      if (t.threadGroup.session.tty !== tty) return -ENOTTY;
      return getForeground(tty, arg, t);
    case TIOCGSID:
      if (t.threadGroup.session.tty !== tty) return -ENOTTY;
      return putInt(t, arg, tty.session?.id.in(t.pidNs) ?? 0);
    case TCXONC:
      return flow(tty, arg, t);
    case TCSBRK:
    case TCSBRKP:
    case TIOCSBRK:
    case TIOCCBRK:
      return Math.min(0, tty.checkForeground(t, SIGTTOU));
    default:
      return ttyIoctl(tty, cmd, arg, t);
  }
}

/** The requests that both ends of a pty(7) have; they act on the program's. */
export function ttyIoctl(tty: Tty, cmd: number, arg: number, t: Task): number {
  switch (cmd) {
    case TIOCGWINSZ:
      return getWindowSize(tty, arg, t);
    case TIOCSWINSZ:
      return setWindowSize(tty, arg, t);
    case TIOCSPGRP:
      return setForeground(tty, arg, t);
    case TCFLSH:
      return flush(tty, arg, t);
    case TIOCEXCL:
      tty.isExclusive = true;
      return 0;
    case TIOCNXCL:
      tty.isExclusive = false;
      return 0;
    case TIOCGEXCL:
      return putInt(t, arg, tty.isExclusive ? 1 : 0);
    case TIOCGETD:
      return putInt(t, arg, tty.termios.line);
    case TIOCSETD: {
      const line = getInt(t, arg);
      if (Number.isNaN(line)) return -EFAULT;
      return line === N_TTY ? 0 : -EINVAL;
    }
    case TIOCGDEV:
      return putInt(t, arg, tty.rdev);
    case TIOCVHANGUP:
      if (!t.creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
      tty.hangUp();
      return 0;
    case TIOCGSOFTCAR:
      return putInt(t, arg, (tty.termios.cflag & CLOCAL) !== 0 ? 1 : 0);
    case TIOCSSOFTCAR: {
      const value = getInt(t, arg);
      if (Number.isNaN(value)) return -EFAULT;
      tty.termios.cflag = value !== 0 ? tty.termios.cflag | CLOCAL : tty.termios.cflag & ~CLOCAL;
      return 0;
    }
    default:
      return termiosIoctl(tty, cmd, arg, t);
  }
}

/** TIOCGPGRP without the question whose terminal it is. */
export function getForeground(tty: Tty, arg: number, t: Task): number {
  return putInt(t, arg, tty.foregroundGroup?.id.in(t.pidNs) ?? 0);
}

/** tcgetattr(3), tcsetattr(3). */
function termiosIoctl(tty: Tty, cmd: number, arg: number, t: Task): number {
  switch (cmd) {
    case TCGETS:
      tty.termios.store(view, false);
      return t.mm.copyOut(arg, bytes, 0, SIZEOF_TERMIOS);
    case TCGETS2:
      tty.termios.store(view, true);
      return t.mm.copyOut(arg, bytes, 0, SIZEOF_TERMIOS2);
    case TCGETA:
      bytes.fill(0, 0, SIZEOF_TERMIO);
      tty.termios.storeOld(view);
      return t.mm.copyOut(arg, bytes, 0, SIZEOF_TERMIO);
    case TCSETS:
    case TCSETSW:
    case TCSETSF:
      return setTermios(tty, arg, SIZEOF_TERMIOS, cmd === TCSETSF, t);
    case TCSETS2:
    case TCSETSW2:
    case TCSETSF2:
      return setTermios(tty, arg, SIZEOF_TERMIOS2, cmd === TCSETSF2, t);
    case TCSETA:
    case TCSETAW:
    case TCSETAF:
      return setTermios(tty, arg, SIZEOF_TERMIO, cmd === TCSETAF, t);
    default:
      return -ENOTTY;
  }
}

/** Sets the settings from a structure of `len` bytes; `isFlushing` drops the input first. */
function setTermios(tty: Tty, arg: number, len: number, isFlushing: boolean, t: Task): number {
  const status = tty.checkForeground(t, SIGTTOU);
  if (status < 0) return status;
  if (t.mm.copyIn(bytes, 0, arg, len) !== 0) return -EFAULT;
  settings.copyFrom(tty.termios);
  if (len === SIZEOF_TERMIO) settings.loadOld(view);
  else settings.load(view, len === SIZEOF_TERMIOS2);
  if (isFlushing) tty.flushInput();
  tty.setTermios(settings);
  return 0;
}

function getWindowSize(tty: Tty, arg: number, t: Task): number {
  const { rows, columns, xPixels, yPixels } = tty.windowSize;
  view.setUint16(WS_ROW, rows, true);
  view.setUint16(WS_COL, columns, true);
  view.setUint16(WS_XPIXEL, xPixels, true);
  view.setUint16(WS_YPIXEL, yPixels, true);
  return t.mm.copyOut(arg, bytes, 0, SIZEOF_WINSIZE);
}

function setWindowSize(tty: Tty, arg: number, t: Task): number {
  if (t.mm.copyIn(bytes, 0, arg, SIZEOF_WINSIZE) !== 0) return -EFAULT;
  tty.setWindowSize(
    view.getUint16(WS_ROW, true),
    view.getUint16(WS_COL, true),
    view.getUint16(WS_XPIXEL, true),
    view.getUint16(WS_YPIXEL, true),
  );
  return 0;
}

/** TIOCSPGRP, tcsetpgrp(3). */
function setForeground(tty: Tty, arg: number, t: Task): number {
  const { session } = t.threadGroup;
  const status = tty.checkForeground(t, SIGTTOU);
  if (status < 0) return status;
  if (session.tty !== tty || tty.session !== session) return -ENOTTY;
  const number = getInt(t, arg);
  if (Number.isNaN(number)) return -EFAULT;
  if (number < 0) return -EINVAL;
  const group = t.pidNs.lookup(number)?.processGroup ?? null;
  if (group === null) return -ESRCH;
  if (group.session !== session) return -EPERM;
  session.foregroundGroup = group;
  return 0;
}

/** TIOCSCTTY; with `arg` 1 a privileged caller takes it from another session. */
function setControllingTerminal(tty: Tty, arg: number, t: Task): number {
  const { threadGroup } = t;
  if (threadGroup.isSessionLeader && tty.session === threadGroup.session) return 0;
  if (!threadGroup.isSessionLeader || threadGroup.session.tty !== null) return -EPERM;
  if (tty.session !== null) {
    if (arg !== 1 || !t.creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
    tty.session.tty = null;
    tty.session.foregroundGroup = null;
  }
  tty.attachSession(t);
  return 0;
}

/** TIOCNOTTY: the session leader gives the terminal up for all of the session. */
function giveUpTerminal(tty: Tty, t: Task): number {
  const { session } = t.threadGroup;
  if (session.tty !== tty) return -ENOTTY;
  if (!t.threadGroup.isSessionLeader) return 0;
  const group = session.foregroundGroup;
  session.tty = null;
  session.foregroundGroup = null;
  tty.sessionEnded(session);
  if (group !== null) {
    sendSignal(group, kernelSignal(SIGHUP));
    sendSignal(group, kernelSignal(SIGCONT));
  }
  return 0;
}

/** TIOCSTI: types a byte. As where `dev.tty.legacy_tiocsti` is 0, a privilege. */
function simulateInput(tty: Tty, arg: number, t: Task): number {
  if (!t.creds.hasCap(CAP_SYS_ADMIN)) return -EIO;
  if (t.mm.copyIn(bytes, 0, arg, 1) !== 0) return -EFAULT;
  const n = tty.writeInput(new MemoryIo(bytes, 0, 1));
  return n < 0 ? n : 0;
}

function flush(tty: Tty, which: number, t: Task): number {
  const status = tty.checkForeground(t, SIGTTOU);
  if (status < 0) return status;
  if (which !== TCIFLUSH && which !== TCOFLUSH && which !== TCIOFLUSH) return -EINVAL;
  if (which !== TCOFLUSH) tty.flushInput();
  if (which !== TCIFLUSH) tty.flushOutput();
  return 0;
}

/** tcflow(3): holds output or lets it go on, or sends the characters that ask the other side to. */
function flow(tty: Tty, action: number, t: Task): number {
  const status = tty.checkForeground(t, SIGTTOU);
  if (status < 0) return status;
  switch (action) {
    case TCOOFF:
      tty.setStopped(true);
      return 0;
    case TCOON:
      tty.setStopped(false);
      return 0;
    case TCIOFF:
    case TCION: {
      const char = tty.termios.cc[action === TCIOFF ? VSTOP : VSTART]!;
      if (char !== 0) tty.sendChar(char);
      return 0;
    }
    default:
      return -EINVAL;
  }
}
