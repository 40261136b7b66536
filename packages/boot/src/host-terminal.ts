import { closeSync, openSync } from 'node:fs';
import { EIO } from '@tsv/abi';
import { SIZEOF_TERMIOS, dup3, isatty, tcgetattr } from '@tsv/host';

const STANDARD_FDS = [0, 1, 2];

/** A terminal of the host by its descriptors, which may be one. */
export interface TerminalFds {
  readonly input: number;
  readonly output: number;
  /** Whether they are closed with the container's terminal. */
  readonly isOwned: boolean;
  /** Whether others use the terminal too: it keeps its mode of I/O, and gets its settings back. */
  readonly isShared: boolean;
}

/** The host's terminal if it is ours: standard input and output are one. */
export function hostTerminal(): TerminalFds | null {
  return isatty(0) && isatty(1) ? { input: 0, output: 1, isOwned: false, isShared: true } : null;
}

/**
 * Has /dev/null be standard input, output and errors where they were a terminal that is hung up, whose calls are EIO,
 * tty(4): Node.js gives terminals their settings back when it exits, and aborts when one does not take them.
 */
export function leaveHungUpTerminal(): void {
  const settings = new Uint8Array(SIZEOF_TERMIOS);
  const hungUp = STANDARD_FDS.filter((fd) => tcgetattr(fd, settings) === -EIO);
  if (hungUp.length === 0) return;
  const none = openSync('/dev/null', 'r+');
  for (const fd of hungUp) dup3(none, fd, 0);
  closeSync(none);
}
