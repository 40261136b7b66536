import native from '../native/index.js';

/** Bytes of the kernel's `struct termios`, which {@link tcgetattr} stores. */
export const SIZEOF_TERMIOS = 36;

/** Terminals and sessions, ioctl_tty(2). */
export const {
  tcgetattr,
  tcsetattr,
  tcgetwinsize,
  tcsetwinsize,
  openPtyMaster,
  openPtyPeer,
  ptsname,
  isatty,
  setsid,
  setControllingTerminal,
} = native;
